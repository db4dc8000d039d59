# SPDX-License-Identifier: Apache-2.0
"""A watcher who leaves frees his place at once, however he goes: no heartbeat comes that would find
out."""

import socket
import struct
import sys

from daemon import Daemon, Tap
from watch import Watcher, create, metric, wait_for

PLACES = 40
HEARTBEAT = 3600  # none in the time of this test
WATCH = b"GET /sa-contexts/events HTTP/1.1\r\nHost: localhost\r\n\r\n"


def watchers(daemon):
    return metric(daemon, "sa_contextd_watchers")


def watch(daemon, more=b""):
    """A raw connection that has got its first heartbeat; 'more' is sent behind the request."""
    stream = daemon.tls(timeout=60)
    stream.sendall(WATCH + more)
    text = b""
    while b": heartbeat" not in text:
        piece = stream.recv(4096)
        assert piece, text
        text += piece
    return stream


def end(stream):
    """What comes until the service closes."""
    text = b""
    try:
        while True:
            piece = stream.recv(4096)
            if not piece:
                return text
            text += piece
    except OSError:  # a reset, or no goodbye of TLS
        return text


def close(stream):
    stream.close()


def reset(stream):
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.close()


def goodbye(stream):
    """As TLS wants it; and the answer to the goodbye is not waited for."""
    stream.settimeout(0)
    try:
        stream.unwrap()
    except OSError:
        pass
    stream.close()


def half(stream):
    """The request's direction alone: nobody will ask for more, so nobody is there any more."""
    stream.shutdown(socket.SHUT_WR)


def each_way(tap, daemon):
    for name, how, more in (("who closes", close, b""),
                            ("who resets", reset, b""),
                            ("who says goodbye", goodbye, b""),
                            ("who asks for more and closes", close, WATCH),
                            ("who asks for more and resets", reset, WATCH * 100),
                            ("who closes one direction", half, b"")):
        stream = watch(daemon, more)
        tap.equal(name + " had a place", watchers(daemon), 1)
        how(stream)
        tap.check(name + " has none at once", wait_for(lambda: watchers(daemon) == 0))
        if how is half:
            tap.equal("and is told nothing more", end(stream), b"")
            stream.close()


def on_the_same_connection(tap, daemon):
    """A stream that ends, then another request, then a stream again."""
    connection = daemon.http()
    connection.connect()
    first = connection.sock
    for _ in range(2):
        key = daemon.call("POST", "/sessions", {})[1]["sessionKey"]
        watcher = Watcher(daemon, headers={"Engine-Session": key}, connection=connection)
        watcher.next()
        daemon.call("DELETE", "/sessions/" + key)
        watcher.rest()
        tap.check("a stream ends with its session", wait_for(lambda: watchers(daemon) == 0))
        tap.equal("then another request", daemon.call("GET", "/", connection=connection)[0], 200)
    watcher = Watcher(daemon, connection=connection)
    watcher.next()
    tap.equal("and a stream", (watchers(daemon), connection.sock is first), (1, True))
    watcher.close()
    tap.check("whose end is seen", wait_for(lambda: watchers(daemon) == 0))


def all_at_once(tap, daemon, filter_id):
    streams = [watch(daemon) for _ in range(PLACES - 1)]
    stays = Watcher(daemon)
    stays.next()
    status, problem, headers = daemon.call("GET", "/sa-contexts/events")
    tap.equal("no place is left", (status, problem["code"]), (503, "RPC_E_OUT_OF_RESOURCES"))
    tap.equal("and a repeat is not worth while before", headers["Retry-After"], str(HEARTBEAT))
    streams.pop().close()
    tap.check("until one leaves", wait_for(lambda: watchers(daemon) == PLACES - 1))
    streams.append(watch(daemon))
    for stream in streams:
        stream.close()
    tap.check("all leave at once", wait_for(lambda: watchers(daemon) == 1))
    context = create(daemon, filter_id)
    tap.equal("who stays goes on", [c["id"] for c in stays.changes(1)], [context])
    stays.close()


def in_the_middle(tap, daemon, filter_id):
    """Who leaves while there is much to send."""
    connection = daemon.http()
    for how in (close, reset, half):
        streams = [watch(daemon) for _ in range(PLACES)]
        for i in range(20):
            create(daemon, filter_id, "10.1.0.%d" % (i + 1), connection)
            for stream in streams[2 * i:2 * i + 2]:
                how(stream)
        tap.check("%s between changes: all are gone" % how.__name__,
                  wait_for(lambda: watchers(daemon) == 0))
        for stream in streams:
            stream.close()


def main():
    tap = Tap()
    daemon = Daemon("memory:", ["--event-heartbeat-seconds", str(HEARTBEAT),
                                "--max-watchers", str(PLACES), "--idle-timeout-seconds", "3600"])
    daemon.start()
    filter_id = daemon.add_filters()
    each_way(tap, daemon)
    on_the_same_connection(tap, daemon)
    all_at_once(tap, daemon, filter_id)
    in_the_middle(tap, daemon, filter_id)
    return tap.finish(daemon)


if __name__ == "__main__":
    sys.exit(main())
