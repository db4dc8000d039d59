# SPDX-License-Identifier: Apache-2.0
# Labels: slow
# Alone: it fills the machine, and looks at how much the daemon takes of it meanwhile.
"""Crowds over real TLS: ten thousand idle connections, handshakes that never end or end at once,
renegotiation.  A good caller is served throughout, and what they took is given back."""

import os
import resource
import select
import socket
import ssl
import subprocess
import sys
import time

from daemon import BINARY, Daemon, Tap

CROWD = 10000
ATTACKER = ("127.0.0.2", 0)  # another address than the good caller's
CLIENT_HELLO_BEGIN = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
GET = b"GET /whoami HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEADER_SECONDS = 5


def resident_bytes(daemon):
    with open("/proc/%d/statm" % daemon.process.pid, encoding="ascii") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def descriptors(daemon):
    return len(os.listdir("/proc/%d/fd" % daemon.process.pid))


def connect(daemon, source=None):
    return socket.create_connection(daemon.address, timeout=30, source_address=source)


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return condition()


def served(daemon):
    """A good caller's calls on a new connection, all of them."""
    connection = daemon.http()
    statuses = [daemon.call("GET", "/whoami", connection=connection)[0] for _ in range(5)]
    connection.close()
    return statuses == [200] * 5


def idle_crowd(tap, daemon):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(CROWD, hard - 200)
    if count < CROWD:
        print("# the descriptor limit leaves room for %d connections" % count)
    context = daemon.context()
    before = resident_bytes(daemon)
    crowd = []
    session = None
    for _ in range(count):  # full handshakes at first, then resumed ones, which are cheaper
        connection = context.wrap_socket(connect(daemon, ATTACKER), server_hostname="localhost",
                                         session=session)
        if session is None:
            connection.sendall(GET)
            tap.equal("the first of a crowd is served", connection.recv(12), b"HTTP/1.1 200")
            session = connection.session
        crowd.append(connection)
    # Whether the last is idle or not, the daemon has them all.
    crowd[-1].sendall(GET)
    tap.equal("%d idle connections: the last is served" % count, crowd[-1].recv(12),
              b"HTTP/1.1 200")
    cost = (resident_bytes(daemon) - before) / count
    print("# an idle connection over TLS takes %.0f bytes of the daemon's memory" % cost)
    binary = open(BINARY, "rb").read()
    sanitized = b"__asan_init" in binary or b"__tsan_init" in binary  # both keep shadows of memory
    tap.check("memory is bounded", cost < (1 << 20 if sanitized else 1 << 16), cost)
    tap.check("others are served", served(daemon))
    for connection in crowd[1::500]:
        connection.sendall(GET)
    tap.check("and so are they", all(connection.recv(12)[:8] == b"HTTP/1.1"
                                     for connection in crowd[1::500]))
    for connection in crowd:
        connection.close()
    tap.check("their descriptors are given back",
              wait_until(lambda: descriptors(daemon) < 200), descriptors(daemon))
    tap.check("others are served behind them", served(daemon))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def flood(tap, daemon, name, seconds, begin):
    """Calls 'begin' as fast as it goes while a good caller makes calls on new connections."""
    script = os.fork()
    if script == 0:
        os.nice(5)
        count = 0
        end = time.monotonic() + seconds
        held = []
        while time.monotonic() < end:
            try:
                begin(daemon, held)
                count += 1
            except OSError:
                pass
            if len(held) > 500:
                for connection in held[:250]:
                    connection.close()
                del held[:250]
        print("# %s: %.0f a second" % (name, count / seconds), flush=True)
        os._exit(0)
    good = 0
    end = time.monotonic() + seconds
    failure = ""
    while time.monotonic() < end and not failure:
        try:
            good += served(daemon)
        except OSError as error:
            failure = repr(error)
    os.waitpid(script, 0)
    tap.check("%s: a good caller connected %d times and was served" % (name, good),
              good > 0 and not failure, failure)


def connect_and_stay(daemon, held):
    """Half a ClientHello, and nothing more."""
    connection = connect(daemon, ATTACKER)
    held.append(connection)
    connection.sendall(CLIENT_HELLO_BEGIN)


def connect_and_close(daemon, held):
    del held
    connect(daemon, ATTACKER).close()


def connect_and_reset(daemon, held):
    del held
    connection = connect(daemon, ATTACKER)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.sendall(CLIENT_HELLO_BEGIN)
    connection.close()


def finish_and_close(daemon, held):
    """A whole handshake, with no certificate."""
    if not held:
        held.append(ssl._create_unverified_context())
    context = held[0]
    context.wrap_socket(connect(daemon, ATTACKER)).close()


def answer_server_hello_with_noise(daemon, held):
    """The server's costly part is done; then comes what is no TLS."""
    if not held:
        held.append(ssl._create_unverified_context())
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = held[0].wrap_bio(incoming, outgoing)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    connection = connect(daemon, ATTACKER)
    connection.sendall(outgoing.read())
    connection.recv(100)
    connection.sendall(b"noise" * 100)
    connection.close()


def renegotiate(tap, daemon):
    """TLS 1.2: a second ClientHello on a connection gets nowhere, and nobody is hurt.  TLS 1.3: key
    updates are taken."""
    for version, letter in (("-tls1_2", b"R\n"), ("-tls1_3", b"K\n")):
        client = subprocess.Popen(
            ["openssl", "s_client", version, "-crlf", "-connect", "%s:%d" % daemon.address, "-CAfile",
             daemon.file("ca.pem"), "-cert", daemon.file("orchestrator.pem"), "-key",
             daemon.file("orchestrator.key")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)
        output = b""

        def wait_for(*words, seconds=10):
            nonlocal output
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                if select.select([client.stdout], [], [], 0.1)[0]:
                    more = os.read(client.stdout.fileno(), 65536)
                    if not more:
                        return True
                    output += more
                if any(word in output for word in words):
                    return True
            return False

        tap.check("%s: connected" % version, wait_for(b"Verify return code: 0"), output[-500:])
        before = daemon.cpu_seconds()
        # More key updates than a few a second end the connection, too.
        for _ in range(20 if letter == b"R\n" else 3):
            try:
                client.stdin.write(letter)
                time.sleep(0.02)
            except OSError:
                break
        if letter == b"R\n":
            tap.check("a renegotiation ends the connection or is turned down",
                      wait_for(b"no renegotiation", b"handshake failure", b"alert"),
                      output[-500:])
            tap.equal("no second handshake was made", output.count(b"HTTP/1.1"), 0)
        else:
            client.stdin.write(GET.replace(b"\r\n", b"\n"))
            wait_for(b"HTTP/1.1 ")
            tap.check("key updates are taken", b"HTTP/1.1 " in output, output[-500:])
        time.sleep(1)
        spent = daemon.cpu_seconds() - before
        tap.check("%s: the daemon does not spin (%.2f s)" % (version, spent), spent < 0.7, spent)
        client.kill()
        client.wait()
        tap.check("%s: others are served" % version, served(daemon))


def main():
    tap = Tap()
    daemon = Daemon(options=["--header-timeout-seconds", str(HEADER_SECONDS),
                             "--idle-timeout-seconds", "600", "--max-connections", "12000"])
    daemon.start()
    renegotiate(tap, daemon)
    before = resident_bytes(daemon)
    for begin in (connect_and_stay, connect_and_close, connect_and_reset, finish_and_close,
                  answer_server_hello_with_noise):
        flood(tap, daemon, begin.__name__.replace("_", " "), 4, begin)
    tap.check("all are gone at the deadline", wait_until(lambda: descriptors(daemon) < 200),
              descriptors(daemon))
    grown = resident_bytes(daemon) - before
    print("# the floods left %d bytes" % grown)
    log = daemon.log().count("\n")
    tap.check("the log has %d lines of them" % log, log < 1500)
    idle_crowd(tap, daemon)
    return tap.finish(daemon)


if __name__ == "__main__":
    sys.exit(main())
