#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Labels: slow
"""What every operation of the contract has in common, provoked on every operation of the contract:
the operations are those of /openapi.json, so that a new one is looked at without a word here.

For each documented status there is a way to bring it about that needs to know nothing of what the
operation does; what needs to know more is for the operation's own test."""

import ctypes
import json
import os
import re
import ssl
import sys
import threading
import time

from daemon import Daemon, Tap

PTRACE_ATTACH, PTRACE_DETACH, WAIT_ALL = 16, 17, 0x40000000
NOBODYS_KEY = "0b0e8f3c-8b9c-4f3e-9d58-1f6f5f6b7a11"
NOBODYS_ID = "9007199254740990"

READ_ONLY = {"flags": ["readOnly"]}
WITHOUT_TRANSACTIONS = {"dacl": [
    {"type": "deny", "principal": "everyone",
     "rights": ["FWPM_ACTRL_BEGIN_READ_TXN", "FWPM_ACTRL_BEGIN_WRITE_TXN"]},
    {"type": "allow", "principal": "uri:spiffe://example.org/orchestrator/*",
     "rights": ["GENERIC_ALL"]}]}

# Bodies that can be read, of operations that do not read {}.
TRAFFIC = {"localAddress": "192.0.2.1", "remoteAddress": "10.0.0.1", "trafficType": "transport",
           "ipsecFilterId": 1}
BUNDLE = {"lifetime": {"seconds": 3600},
          "saList": [{"spi": 4096, "saTransformType": "espAuthAndCipher",
                      "authTransform": "GCM_AES_128", "cipherTransform": "GCM_AES_128",
                      "cipherKey": "hex:000102030405060708090a0b0c0d0e0f10111213"}]}
TUNNEL_POLICY = {
    "displayData": {"name": "a"}, "type": "ipsecIkeQmTunnelContext",
    "tunnelPolicy": {
        "tunnelEndpoints": {"localAddress": "192.0.2.1", "remoteAddress": "198.51.100.7"},
        "ipsecProposals": [{"lifetime": {"seconds": 3600}, "saTransforms": [
            {"saTransformType": "espAuthAndCipher", "authTransform": "GCM_AES_128",
             "cipherTransform": "GCM_AES_128"}]}]}}
BODIES = {
    "createSaContext": TRAFFIC,
    "createSaContexts": {"items": [TRAFFIC]},
    "setSpi": {"ipsecFilterId": 1, "spi": 4096},
    "addInbound": BUNDLE,
    "addOutbound": BUNDLE,
    "rotateSaContext": {"inbound": BUNDLE},
    "addFilter": {"displayData": {"name": "a"}, "layer": "outboundTransportV4",
                  "action": {"type": "permit"}},
    "addProviderContext": TUNNEL_POLICY,
    "addTunnel": {"tunnelPolicy": TUNNEL_POLICY},
    "setEngineSecurity": {"dacl": []},
    "setFiltersSecurity": {"dacl": []},
    "setProviderContextsSecurity": {"dacl": []},
    "setSaDatabaseSecurity": {"dacl": []},
}

tap = Tap()
ALL = {"dacl": [{"type": "allow", "principal": "uri:spiffe://example.org/orchestrator/*",
                 "rights": ["GENERIC_ALL"]}]}


def start(options, store="memory:"):
    daemon = Daemon(store, options)
    with open(os.path.join(daemon.work, "access.json"), "w", encoding="ascii") as access:
        json.dump({"engine": ALL}, access)
    daemon.start()
    return daemon


def restart(daemon):
    daemon.stop()
    daemon.start()


def operations(daemon):
    document = daemon.call("GET", "/openapi.json")[1]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield Operation(method.upper(), path, operation)


class Operation:
    def __init__(self, method, path, description):
        self.method = method
        self.template = path
        self.name = description["operationId"]
        self.statuses = {int(status) for status in description["responses"]}
        self.takes_body = "requestBody" in description
        overload = description["responses"].get("503", {}).get("description", "")
        self.is_local = "RPC_E_CANTTRANSMIT_CALL" not in overload

    def path(self, key=NOBODYS_KEY):
        path = self.template.replace("{key}", key).replace("{id}", NOBODYS_ID)
        return re.sub(r"\{[^}]*\}", "x", path)

    @property
    def session_in_path(self):
        return "/sessions/{key}/" in self.template

    def call(self, daemon, client="orchestrator", key=NOBODYS_KEY, query="", body="{}", **headers):
        """As the operation wants it but for what is asked for."""
        context = daemon.context(client)
        connection = daemon.http(context)
        connection.timeout = 60
        try:
            return daemon.call(self.method, self.path(key) + query,
                               body if self.takes_body else None,
                               {name.replace("_", "-"): value for name, value in headers.items()},
                               connection)
        finally:
            connection.close()


def expect(operation, answer, status, code=None):
    if status not in operation.statuses:
        return
    got = (answer[0], (answer[1] or {}).get("code") if code else None)
    tap.equal("%s: %d %s" % (operation.name, status, code or ""), got, (status, code))


def send_some(operation, key, size):
    """Declares a body of that size, sends its first byte and waits for an answer."""
    connection = daemon.tls(timeout=60)
    path = operation.path(key)
    connection.sendall(("%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                        "Content-Length: %d\r\n\r\n{" % (operation.method, path, size)).encode())
    answer = b""
    try:
        while True:
            more = connection.recv(65536)
            if not more:
                break
            answer += more
    except (ssl.SSLError, OSError):
        pass
    connection.close()
    found = re.match(rb"HTTP/1.1 (\d+) .*?\r\n\r\n(.*)", answer, re.S)
    if not found:
        return 0, {}
    daemon.note(operation.method, path, int(found.group(1)), found.group(2))
    return int(found.group(1)), json.loads(found.group(2))


# --- Of the request alone -------------------------------------------------------------------------

daemon = start(["--body-timeout-seconds", "2"])
all_operations = list(operations(daemon))
tap.check("there are operations", len(all_operations) > 30, len(all_operations))
for operation in all_operations:
    expect(operation, operation.call(daemon, client=None), 401, "ERROR_NOT_AUTHENTICATED")
    if not operation.session_in_path:
        expect(operation, operation.call(daemon, client="stranger"), 403, "ERROR_ACCESS_DENIED")
    if operation.session_in_path:
        expect(operation, operation.call(daemon), 404, "ERROR_INVALID_HANDLE")
        opened = daemon.call("POST", "/sessions", {})[1]["sessionKey"]
        if operation.method == "DELETE" or operation.template.endswith("/commit"):
            daemon.call("POST", "/sessions/%s/transaction" % opened, READ_ONLY)
    else:
        opened = NOBODYS_KEY
        expect(operation, operation.call(daemon, Engine_Session=NOBODYS_KEY), 404,
               "ERROR_INVALID_HANDLE")
    expect(operation, operation.call(daemon, key=opened, query="?surprise=1"), 400,
           "FWP_E_INVALID_PARAMETER")
    expect(operation, operation.call(daemon, key=opened, Accept="text/html"), 406,
           "HTTP_E_STATUS_NONE_ACCEPTABLE")
    if operation.takes_body:
        expect(operation, operation.call(daemon, key=opened, Content_Type="text/plain"), 415,
               "HTTP_E_STATUS_UNSUPPORTED_MEDIA")
        expect(operation, send_some(operation, opened, 100000000), 413,
               "HTTP_E_STATUS_REQUEST_TOO_LARGE")
    if operation.session_in_path:
        daemon.call("PUT", "/engine/security", WITHOUT_TRANSACTIONS)
        expect(operation, operation.call(daemon, key=opened), 403, "ERROR_ACCESS_DENIED")
        daemon.call("DELETE", "/engine/security")


def withhold_body(operation, key, answers):
    answers[operation.name] = send_some(operation, key, 2)


answers = {}
with_body = [operation for operation in all_operations if operation.takes_body]
opened, begun = [daemon.call("POST", "/sessions", {})[1]["sessionKey"] for _ in range(2)]
daemon.call("POST", "/sessions/%s/transaction" % begun, READ_ONLY)
threads = [threading.Thread(target=withhold_body, args=(
    operation, begun if operation.name == "commitTransaction" else opened, answers))
           for operation in with_body]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for operation in with_body:
    expect(operation, answers[operation.name], 408, "HTTP_E_STATUS_REQUEST_TIMEOUT")
tap.equal("stop", daemon.stop(), 0)
daemon.close()

# --- Of the session -------------------------------------------------------------------------------

daemon = start(["--txn-hold-seconds", "1"], "sqlite:WORK/state.db")
held = {}
for operation in all_operations:
    held[operation.name] = daemon.call("POST", "/sessions", {})[1]["sessionKey"]
    daemon.call("POST", "/sessions/%s/transaction" % held[operation.name], READ_ONLY)


def is_rolled_back(key):
    return "transaction" not in json.dumps(daemon.call("GET", "/sessions/" + key)[1])


deadline = time.monotonic() + 60
while time.monotonic() < deadline and not all(is_rolled_back(key) for key in held.values()):
    time.sleep(0.1)
for operation in all_operations:
    key = held[operation.name]
    headers = {} if operation.session_in_path else {"Engine_Session": key}
    answer = operation.call(daemon, key=key if operation.session_in_path else NOBODYS_KEY, **headers)
    expect(operation, answer, 409, "FWP_E_TXN_ABORTED")
restart(daemon)
for operation in all_operations:
    key = held[operation.name]
    headers = {} if operation.session_in_path else {"Engine_Session": key}
    answer = operation.call(daemon, key=key if operation.session_in_path else NOBODYS_KEY, **headers)
    expect(operation, answer, 410, "FWP_E_SESSION_ABORTED")
tap.equal("stop", daemon.stop(), 0)
daemon.close()

# --- Of what was asked before, and of a service that stops ----------------------------------------

daemon = start([])
outbound = daemon.add_filters()
context = daemon.call("POST", "/sa-contexts", dict(TRAFFIC, ipsecFilterId=outbound))[1]["id"]
keyed = daemon.call("POST", "/sa-contexts", dict(TRAFFIC, ipsecFilterId=outbound, spi=4100))[1]["id"]
opened, waiter = [daemon.call("POST", "/sessions", {})[1]["sessionKey"] for _ in range(2)]


def bundle(spi):
    key = "hex:" + os.urandom(20).hex()
    return dict(BUNDLE, saList=[dict(BUNDLE["saList"][0], spi=spi, cipherKey=key)])


# Each is done with a key; then another request has the same key.
name = {"displayData": {"name": "a"}}
for method, path, body, other in (
        ("POST", "/sessions", {}, name),
        ("POST", "/sessions/%s/transaction" % opened, READ_ONLY, {}),
        ("PUT", "/sa-contexts/%d/spi" % context, {"ipsecFilterId": outbound + 1, "spi": 4096},
         {"ipsecFilterId": outbound + 1, "spi": 4097}),
        ("POST", "/sa-contexts/%d/spi" % context, {"ipsecFilterId": outbound + 1}, {}),
        ("PATCH", "/sa-contexts/%d" % context, {"labels": {"a": "b"}}, {"labels": {"a": "c"}}),
        ("POST", "/sa-contexts/%d/inbound" % keyed, bundle(4100), bundle(4100)),
        ("POST", "/sa-contexts/%d/outbound" % keyed, bundle(4101), bundle(4101)),
        ("POST", "/sa-contexts/%d/rotate" % keyed, {"inbound": bundle(0)}, {"inbound": bundle(0)}),
        ("POST", "/filters", BODIES["addFilter"], dict(BODIES["addFilter"], flags=[])),
        *(("PUT", "/%s/security" % container, ALL if container == "engine" else {"dacl": []},
           {"dacl": [{"type": "deny", "principal": "cn:x", "rights": []}]})
          for container in ("engine", "filters", "sa-contexts", "provider-contexts"))):
    key = {"Idempotency-Key": method + path}
    first = daemon.call(method, path, body, key)
    if path.endswith("/transaction"):
        daemon.call("DELETE", path)
    second = daemon.call(method, path, other, key)
    tap.equal("%s %s with the key of another" % (method, path),
              (first[0] // 100, second[0], second[1].get("code")),
              (2, 422, "HTTP_E_STATUS_UNPROCESSABLE_CONTENT"))

# What waits for another session's transaction when the service stops is not left without an answer.
filters = daemon.call("GET", "/filters")[1]["items"]
policy = daemon.call("POST", "/provider-contexts", TUNNEL_POLICY)[1]["id"]
tunnel = daemon.call("POST", "/tunnels", {"tunnelPolicy": TUNNEL_POLICY})[1]["id"]
daemon.call("POST", "/sessions/%s/transaction" % opened, {})
answers = {}


def wait(method, path, body):
    answers[method + path] = daemon.call(method, path, body)


waits = [("POST", "/filters", BODIES["addFilter"]),
         ("DELETE", "/filters/%d" % filters[-1]["id"], None),
         ("POST", "/provider-contexts", TUNNEL_POLICY),
         ("DELETE", "/provider-contexts/%d" % policy, None),
         ("POST", "/tunnels", {"tunnelPolicy": TUNNEL_POLICY}),
         ("DELETE", "/tunnels/%d" % tunnel, None),
         ("POST", "/sessions/%s/transaction" % waiter, {})]
threads = [threading.Thread(target=wait, args=row) for row in waits]
for thread in threads:
    thread.start()
while b"\nsa_contextd_calls_waiting %d\n" % len(waits) not in daemon.metrics():
    time.sleep(0.05)
tap.equal("stop", daemon.stop(), 0)
for thread in threads:
    thread.join()
for method, path, _ in waits:
    answer = answers[method + path]
    tap.equal("%s %s" % (method, path), (answer[0], answer[1]["code"]),
              (503, "RPC_E_CANTTRANSMIT_CALL"))
daemon.close()

# --- Of a service that has enough to do -----------------------------------------------------------

# The engine's thread is held, and the one place in its queue taken.
daemon = start(["--queue-depth", "1"])
opened = daemon.call("POST", "/sessions", {})[1]["sessionKey"]
daemon.call("POST", "/sessions/%s/transaction" % opened, READ_ONLY)
idle = daemon.call("POST", "/sessions", {})[1]["sessionKey"]
tasks = "/proc/%d/task" % daemon.process.pid
engine = next(int(task) for task in os.listdir(tasks)
              if open("%s/%s/comm" % (tasks, task), encoding="ascii").read() == "engine\n")
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
if libc.ptrace(PTRACE_ATTACH, engine, None, None) != 0:
    print("# the engine can't be held: %s" % os.strerror(ctypes.get_errno()))
    sys.exit(77)
os.waitpid(engine, WAIT_ALL)


def is_taken():
    """What says so is a gauge: a request of ours would take the place itself."""
    return b"\nsa_contextd_queue_length 1" in daemon.metrics()


taker = threading.Thread(target=lambda: daemon.call("GET", "/filters"))
taker.start()
while not is_taken():
    time.sleep(0.05)
for operation in all_operations:
    if operation.is_local:
        continue
    key = idle if operation.name == "beginTransaction" else opened
    body = json.dumps(BODIES.get(operation.name, {}))
    expect(operation, operation.call(daemon, key=key, body=body), 503, "RPC_E_CANTTRANSMIT_CALL")
libc.ptrace(PTRACE_DETACH, engine, None, None)
taker.join()
sys.exit(tap.finish(daemon))
