# SPDX-License-Identifier: Apache-2.0
"""What the Python tests share: a real daemon with a throwaway PKI, TLS sockets, TAP lines."""

import atexit
import base64
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("SA_CONTEXTD", os.path.join(ROOT, "build/asan/sa-contextd"))


def open_record():
    """Where what was answered is noted, see tests/contract/coverage.py; None: nowhere."""
    folder = os.environ.get("SAC_RECORDS")
    if not folder:
        return None
    os.makedirs(folder, exist_ok=True)
    name = os.path.splitext(os.path.basename(sys.argv[0]))[0] + ".calls"
    return open(os.path.join(folder, name), "w", encoding="ascii", errors="replace", buffering=1)


RECORD = open_record()


class Daemon:
    """One daemon at a time on one address; the PKI, access policy and store live in 'work'."""

    def __init__(self, store="memory:", options=(), audit="off"):
        self.work = tempfile.mkdtemp(prefix="sa-contextd-test.")
        self.pki = os.path.join(self.work, "pki")
        self.store = store.replace("WORK", self.work)
        self.options = list(options)
        self.audit = audit.replace("WORK", self.work)
        self.log_path = os.path.join(self.work, "daemon.log")
        self.process = None
        self.address = None
        self.ops = None
        subprocess.run([os.path.join(ROOT, "deploy/pki.sh"), self.pki], check=True,
                       stdout=subprocess.DEVNULL)
        shutil.copy(os.path.join(ROOT, "deploy/access.example.json"),
                    os.path.join(self.work, "access.json"))

    def start(self):
        listen = "%s:%d" % self.address if self.address else "127.0.0.1:0"
        log = open(self.log_path, "wb")
        self.process = subprocess.Popen(
            [BINARY, "--listen", listen, "--ops-listen", "127.0.0.1:0",
             "--tls-cert", self.file("server.pem"), "--tls-key", self.file("server.key"),
             "--client-ca", self.file("ca.pem"),
             "--access", os.path.join(self.work, "access.json"),
             "--store", self.store, "--audit-log", self.audit, *self.options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
        atexit.register(self.close)
        log.close()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            text = self.log()
            ready = re.search(r'"event":"listening for operators","address":"([^"]*)"', text)
            if ready:
                host, port = ready.group(1).rsplit(":", 1)
                self.ops = (host, int(port))
                host, port = re.search(r'"event":"listening","address":"([^"]*)"',
                                       text).group(1).rsplit(":", 1)
                self.address = (host, int(port))
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError("the daemon did not start: " + self.log()[-2000:])

    def note(self, method, path, status, body):
        """What was answered."""
        if RECORD and " " not in path:
            RECORD.write("%s %s %d %s\n" % (method, path, status,
                                                 base64.b64encode(body).decode()))

    def metrics(self):
        ops = http.client.HTTPConnection(*self.ops, timeout=30)
        ops.request("GET", "/metrics")
        text = ops.getresponse().read()
        ops.close()
        return text

    def note_counts(self):
        """What the daemon counted, raw sockets and all."""
        if not RECORD or not self.ops:
            return
        try:
            text = self.metrics().decode()
        except OSError:
            return
        for operation, status in re.findall(
                r'^sa_contextd_requests_total{operation="([^"]*)",status="(\d+)"}', text, re.M):
            RECORD.write("@%s %s\n" % (operation, status))

    def stop(self, how=signal.SIGTERM):
        self.note_counts()
        self.process.send_signal(how)
        code = self.process.wait(timeout=60)
        self.process = None
        return code

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def file(self, name):
        return os.path.join(self.pki, name)

    def context(self, client="orchestrator"):
        context = ssl.create_default_context(cafile=self.file("ca.pem"))
        if client:
            context.load_cert_chain(self.file(client + ".pem"), self.file(client + ".key"))
        return context

    def raw(self, timeout=10):
        connection = socket.create_connection(self.address, timeout=timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def tls(self, client="orchestrator", timeout=10, context=None):
        context = context or self.context(client)
        return context.wrap_socket(self.raw(timeout), server_hostname="localhost")

    def http(self, context=None, timeout=30):
        return http.client.HTTPSConnection("localhost", self.address[1], timeout=timeout,
                                           context=context or self.context())

    def call(self, method, path, body=None, headers=None, connection=None):
        own = connection is None
        connection = connection or self.http()
        sent = dict(headers or {})
        data = None
        if body is not None:
            data = body if isinstance(body, (bytes, str)) else json.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        connection.request(method, path, data, sent)
        answer = connection.getresponse()
        text = answer.read()
        self.note(method, path, answer.status, text)
        if own:
            connection.close()
        return answer.status, (json.loads(text) if text else None), answer.headers

    def add_filters(self):
        """A filter pair 192.0.2.1 <-> 10.0.0.0/8; returns the outbound one's id."""
        ids = []
        for direction in ("outbound", "inbound"):
            title = direction.capitalize()
            status, answer, _ = self.call("POST", "/filters", {
                "displayData": {"name": direction}, "layer": direction + "TransportV4",
                "conditions": [
                    {"field": "ipLocalAddress", "match": "equal", "value": "192.0.2.1"},
                    {"field": "ipRemoteAddress", "match": "equal", "value": "10.0.0.0/8"}],
                "action": {"type": "calloutTerminating",
                           "callout": "ipsec%sTransportV4" % title}})
            assert status == 201, answer
            ids.append(answer["id"])
        return ids[0]

    def cpu_seconds(self):
        with open("/proc/%d/stat" % self.process.pid, encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.work, ignore_errors=True)


class Tap:
    """Counts and prints cases."""

    def __init__(self):
        self.count = 0
        self.failed = 0

    def check(self, name, good, detail=""):
        self.count += 1
        print("%sok %d - %s" % ("" if good else "not ", self.count, name))
        if not good:
            self.failed += 1
            if detail:
                print("#   " + str(detail)[:600].replace("\n", "\n#   "))
        sys.stdout.flush()
        return good

    def equal(self, name, got, expected):
        return self.check(name, got == expected, "got %r, expected %r" % (got, expected))

    def finish(self, daemon, plan=True):
        if daemon.process:
            self.equal("the daemon ends with 0", daemon.stop(), 0)
        report = re.search(r"(Address|Leak|Thread)Sanitizer|runtime error:", daemon.log())
        self.check("no sanitizer report", report is None,
                   daemon.log()[report.start():report.start() + 3000] if report else "")
        daemon.close()
        if plan:
            print("1..%d" % self.count)
        return 1 if self.failed else 0
