# SPDX-License-Identifier: Apache-2.0
# Labels: slow
"""Hostile and slow clients over real TLS: ambiguous framing, oversize parts, trickles, idle crowds."""

import json
import re
import socket
import ssl
import sys
import time

from daemon import Daemon, Tap

HEADER_SECONDS = 2
BODY_SECONDS = 3


def read_answers(connection, seconds=10):
    """Reads until the server closes or nothing comes; returns the bytes."""
    connection.settimeout(seconds)
    data = b""
    try:
        while True:
            more = connection.recv(65536)
            if not more:
                break
            data += more
    except (OSError, ssl.SSLError):
        pass
    return data


def statuses(data):
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d\d\d) [^\r]*\r\n", data)]


def read_heads(connection, count):
    """Reads until so many answers have begun; returns their statuses."""
    connection.settimeout(5)
    data = b""
    while len(statuses(data)) < count:
        try:
            more = connection.recv(65536)
        except (OSError, ssl.SSLError):
            break
        if not more:
            break
        data += more
    return statuses(data)


def send_raw(daemon, request, seconds=3):
    connection = daemon.tls()
    try:
        connection.sendall(request)
    except OSError:
        pass
    data = read_answers(connection, seconds)
    connection.close()
    return data


BODY = b'{"a": 1}'


def post(extra, body=BODY, length=True):
    lines = b"POST /sa-contexts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    if length:
        lines += b"Content-Length: %d\r\n" % len(body)
    return lines + extra + b"\r\n" + body


GET = b"GET /whoami HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"

CLOSED = None  # without a word: what is no HTTP at all

# Each is refused with one of the statuses, once, and the connection closed behind it.
REFUSED = [
    ("two Content-Lengths", post(b"Content-Length: 8\r\n"), {400}),
    ("two that differ", post(b"Content-Length: 9\r\n"), {400}),
    ("Content-Length list", post(b"Content-Length: 8, 8\r\n", length=False), {400}),
    ("Content-Length with a sign", post(b"Content-Length: +8\r\n", length=False), {400}),
    ("Content-Length in hexadecimal", post(b"Content-Length: 0x8\r\n", length=False), {400}),
    ("Content-Length overflowing", post(b"Content-Length: 99999999999999999999\r\n", length=False),
     {400, 413}),
    ("both lengths", post(CHUNKED), {400}),
    ("Transfer-Encoding twice", post(CHUNKED + CHUNKED, b"0\r\n\r\n", False), {400, 501}),
    ("Transfer-Encoding: gzip, chunked",
     post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n", False), {400, 501}),
    ("Transfer-Encoding: xchunked", post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n", False),
     {400, 501}),
    ("an empty chunk size", post(CHUNKED, b"\r\n\r\n", False), {400}),
    ("a chunk size that is none", post(CHUNKED, b"xyz\r\n\r\n", False), {400}),
    ("a chunk size overflowing", post(CHUNKED, b"ffffffffffffffffff\r\nx", False), {400, 413}),
    ("a negative chunk size", post(CHUNKED, b"-1\r\nx\r\n0\r\n\r\n", False), {400}),
    ("a chunk without its end", post(CHUNKED, b"3\r\nabcdef\r\n0\r\n\r\n", False), {400}),
    ("no Host", b"GET /whoami HTTP/1.1\r\n\r\n", {400}),
    ("two Hosts", GET + b"Host: localhost\r\n\r\n", {400}),
    ("Host with a space", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", {400}),
    ("Host with an at sign", b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", {400}),
    ("Host with a slash", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", {400}),
    ("Host with a comma", b"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", {400}),
    ("Host with a bad port", b"GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", {400}),
    ("NUL in the target", b"GET /wh\0ami HTTP/1.1\r\nHost: a\r\n\r\n", {400, CLOSED}),
    ("%00 in the target", b"GET /wh%00ami HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    ("a control byte in the target", b"GET /wh\x01ami HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    ("broken percent-encoding", b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    ("a target without a slash", b"GET whoami HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    ("NUL in a header", GET + b"X: a\0b\r\n\r\n", {400}),
    ("a field name with a space", GET + b"X Y: 1\r\n\r\n", {400}),
    ("a space before the colon", GET + b"X : 1\r\n\r\n", {400}),
    ("a field name that is no token", GET + b"X(1): 1\r\n\r\n", {400}),
    ("an empty field name", GET + b": 1\r\n\r\n", {400}),
    ("a line without a colon", GET + b"nonsense\r\n\r\n", {400}),
    ("obsolete folding", GET + b"X: a\r\n b\r\n\r\n", {400}),
    ("folding at the start", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", {400}),
    ("bare LF between lines", b"GET /whoami HTTP/1.1\nHost: localhost\n\n", {400}),
    ("three spaces in the request line", b"GET / x HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    ("HTTP/2.0", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", {505, 400}),
    ("HTTP/1.1 misspelt", b"GET / http/1.1\r\nHost: a\r\n\r\n", {400, 505}),
    ("a body above the limit", post(b"", b"[" * 70000), {413}),
    ("a declared body above the limit", post(b"Content-Length: 70000\r\n", b"", False), {413}),
    ("one above the limit, asking first",
     post(b"Content-Length: 70000\r\nExpect: 100-continue\r\n", b"", False), {413}),
    ("chunks above the limit", post(CHUNKED, b"ffff\r\n" + b"[" * 65535 + b"\r\nffff\r\n" +
                                    b"[" * 65535, False), {413}),
    ("a header above the limit", GET + b"X: " + b"a" * 40000 + b"\r\n\r\n", {431, 413, 400}),
    ("headers without end", GET + b"".join(b"X%d: y\r\n" % i for i in range(4000)), {431, 413}),
    ("a target above the limit", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
     {414, 431, 413}),
    ("a content encoding", post(b"Content-Encoding: gzip\r\n"), {415}),
]


def problem_of(data):
    """The JSON of the last answer in 'data'."""
    return json.loads(data.split(b"\r\n\r\n", 1)[1])


def refuse_hostile(tap, daemon):
    follow = GET + b"\r\n"
    for name, request, expected in REFUSED:
        data = send_raw(daemon, request + follow)
        got = [status for status in statuses(data) if status != 100]
        if not data and CLOSED in expected:
            tap.check("%s: closed" % name, True)
            continue
        if not tap.check("%s: refused once" % name, len(got) == 1 and got[0] in expected,
                         (got, expected, data[:300])):
            continue
        try:
            problem = problem_of(data)
            good = problem["status"] == got[0] and b"application/problem+json" in data
        except (ValueError, KeyError, IndexError):
            good = False
        tap.check("%s: with a problem" % name, good, data[:600])


def accept_good(tap, daemon):
    for name, request, expected in [
            ("two requests in one packet", GET + b"\r\n" + GET + b"\r\n", [200, 200]),
            ("absolute form", b"GET https://localhost/whoami HTTP/1.1\r\nHost: localhost\r\n\r\n",
             [200]),
            ("a chunked body", post(CHUNKED, b"8\r\n" + BODY + b"\r\n0\r\n\r\n", False), [400]),
            ("a chunk extension", post(CHUNKED, b"8;a=b\r\n" + BODY + b"\r\n0\r\n\r\n", False),
             [400]),
            ("HTTP/1.0", b"GET /whoami HTTP/1.0\r\nHost: localhost\r\n\r\n", [200])]:
        data = send_raw(daemon, request, 1)
        tap.equal(name, statuses(data), expected)
    data = send_raw(daemon, (GET + b"\r\n") * 1000, 3)
    tap.equal("a thousand requests at once", statuses(data), [200] * 1000)
    connection = daemon.tls()
    connection.sendall(post(b"Expect: 100-continue\r\n", b"", False)
                       .replace(b"Expect", b"Content-Length: 8\r\nExpect"))
    connection.settimeout(5)
    tap.equal("100 Continue is said", connection.recv(1000)[:12], b"HTTP/1.1 100")
    connection.sendall(BODY)
    tap.equal("and the body judged", statuses(read_answers(connection, 1)), [400])


def while_suspended(tap, daemon):
    """What happens to a connection while the engine has its call is noticed afterwards."""
    listing = b"GET /filters HTTP/1.1\r\nHost: localhost\r\n\r\n"
    context = daemon.context()
    data = send_raw(daemon, listing * 300, 3)
    tap.equal("three hundred engine calls at once", statuses(data), [200] * 300)

    answered = 0
    connection = daemon.tls(context=context)
    for pause_us in range(0, 4000, 10):
        connection.sendall(listing)
        time.sleep(pause_us / 1e6)
        connection.sendall(listing)
        answered += len(read_heads(connection, 2))
    tap.equal("a request behind a request, at any moment", answered, 800)

    ended = 0
    for round_ in range(50):
        connection = daemon.tls(context=context)
        connection.sendall(listing)
        time.sleep(round_ % 5 / 1000)
        socket.socket.shutdown(connection, socket.SHUT_WR)
        answer = read_heads(connection, 1)
        try:
            ended += answer == [200] and connection.recv(1000) == b""
        except ssl.SSLEOFError:
            ended += 1
        except OSError:
            pass
    tap.equal("who closes his side is answered, and the connection ends", ended, 50)

    for _ in range(50):
        connection = daemon.tls(context=context)
        connection.sendall(listing)
        connection.close()
    tap.equal("who is gone at once harms nobody", daemon.call("GET", "/whoami")[0], 200)


def keep_answers(tap, daemon):
    """Who is answered while still sending gets the answer, not a reset."""
    context = daemon.context()
    for size in (60000, 70000, 1000000):
        got = []
        for _ in range(40):
            try:
                got.append(daemon.call("POST", "/nowhere", b"x" * size,
                                       connection=daemon.http(context))[0])
            except OSError as error:
                got.append(repr(error))
        tap.equal("a body of %d bytes that nobody wants: each caller reads why" % size,
                  sorted(set(map(str, got))), ["404"])


def cut_slow(tap, daemon):
    """Trickles of a byte a second end at the deadline, whatever they trickle."""

    def trickle(connection, data, limit):
        begun = time.monotonic()
        got = b""
        connection.settimeout(0.25)
        for byte in data:
            try:
                connection.sendall(bytes([byte]))
                more = connection.recv(65536)
                got += more
                if not more:
                    break
            except (socket.timeout, ssl.SSLWantReadError):
                pass
            except OSError:
                break
            if time.monotonic() - begun > limit:
                return None, got
            time.sleep(0.5)
        return time.monotonic() - begun, got

    took, _ = trickle(daemon.raw(), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 10,
                      HEADER_SECONDS + 6)
    tap.check("a trickled handshake is cut", took is not None)
    took, got = trickle(daemon.tls(), b"GET /whoami HTTP/1.1\r\nHost: localhost\r\n\r\n",
                        HEADER_SECONDS + 6)
    tap.check("a trickled header is cut", took is not None)
    tap.equal("with 408", statuses(got), [408])
    connection = daemon.tls()
    connection.sendall(post(b"Content-Length: 1000\r\n", b"", False))
    took, got = trickle(connection, b" " * 100, BODY_SECONDS + 6)
    tap.check("a trickled body is cut", took is not None)
    tap.equal("with 408", statuses(got), [408])


def unread_answers(tap, daemon):
    """A client that asks without reading is cut; it costs nobody else anything."""
    connection = daemon.tls()
    connection.setblocking(False)
    sent = 0
    deadline = time.monotonic() + BODY_SECONDS + 10
    request = (b"GET /errors HTTP/1.1\r\nHost: localhost\r\n\r\n") * 50
    cut = False
    while time.monotonic() < deadline:
        try:
            sent += connection.send(request)
        except (ssl.SSLWantWriteError, BlockingIOError):
            time.sleep(0.2)
        except OSError:
            cut = True
            break
    tap.check("a client that never reads is cut", cut, sent)
    tap.equal("others are served", daemon.call("GET", "/whoami")[0], 200)


def stuck_handshakes(tap, daemon):
    """A hundred connections in the middle of their handshake: little CPU, gone at the deadline."""
    stuck = [daemon.raw() for _ in range(100)]
    for connection in stuck:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    time.sleep(0.3)
    before = daemon.cpu_seconds()
    begun = time.monotonic()
    time.sleep(1.2)
    share = (daemon.cpu_seconds() - before) / (time.monotonic() - begun)
    print("# a hundred unfinished handshakes take %.1f %% of a core" % (100 * share))
    if "asan" not in daemon.log_path and b"__asan_init" not in open(sys_binary(), "rb").read():
        tap.check("they take less than 10 % of a core", share < 0.10, share)
    tap.equal("others are served meanwhile", daemon.call("GET", "/whoami")[0], 200)
    gone = 0
    deadline = time.monotonic() + HEADER_SECONDS + 3
    for connection in stuck:
        connection.settimeout(max(0.1, deadline - time.monotonic()))
        try:
            while connection.recv(1000):
                pass
            gone += 1
        except socket.timeout:
            pass
        except OSError:
            gone += 1
        connection.close()
    tap.equal("they are gone at the deadline", gone, 100)


def sys_binary():
    from daemon import BINARY
    return BINARY


def idle_crowd(tap, daemon):
    context = daemon.context()
    crowd = []
    for _ in range(2000):
        crowd.append(daemon.tls(context=context))
    tap.equal("2,000 idle connections: others are served", daemon.call("GET", "/whoami")[0], 200)
    for connection in crowd[::100]:
        connection.sendall(GET + b"\r\n")
        tap.equal("and so are they", connection.recv(12), b"HTTP/1.1 200")
    for connection in crowd:
        connection.close()


def limit_by_principal(tap):
    """A caller at its limit is told so; others, and the caller itself once it has let go, get on."""
    daemon = Daemon(options=["--max-connections-per-principal", "3"])
    daemon.start()
    mine = [daemon.tls() for _ in range(3)]
    for connection in mine:
        connection.sendall(GET + b"\r\n")
        tap.equal("within the limit", statuses(connection.recv(65536)), [200])
    more = daemon.tls()
    tap.equal("above it: 429", statuses(read_answers(more)), [429])
    tap.equal("another principal is served",
              daemon.call("GET", "/whoami", connection=daemon.http(daemon.context("reader")))[0], 200)
    mine.pop().close()
    deadline = time.monotonic() + 10
    status = None
    while status != 200 and time.monotonic() < deadline:
        status = (statuses(send_raw(daemon, GET + b"Connection: close\r\n\r\n")) or [None])[0]
    tap.equal("served again", status, 200)
    tap.finish(daemon, plan=False)


def main():
    tap = Tap()
    limit_by_principal(tap)
    daemon = Daemon(options=["--header-timeout-seconds", str(HEADER_SECONDS),
                             "--body-timeout-seconds", str(BODY_SECONDS)])
    daemon.start()
    refuse_hostile(tap, daemon)
    accept_good(tap, daemon)
    while_suspended(tap, daemon)
    keep_answers(tap, daemon)
    cut_slow(tap, daemon)
    unread_answers(tap, daemon)
    stuck_handshakes(tap, daemon)
    idle_crowd(tap, daemon)
    return tap.finish(daemon)


if __name__ == "__main__":
    sys.exit(main())
