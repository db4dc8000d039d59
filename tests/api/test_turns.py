# SPDX-License-Identifier: Apache-2.0
"""Requests take turns by principal: a caller with many requests at once keeps nobody out, not even
himself when they all wait for a transaction that he has yet to commit."""

import json
import sys
import threading
import time

from daemon import Daemon, Tap

WAITING = 120


def add_filter(daemon, number, context):
    return daemon.call("POST", "/filters", {
        "displayData": {"name": "f%d" % number}, "layer": "outboundTransportV4",
        "conditions": [{"field": "ipRemoteAddress", "match": "equal", "value": "10.9.0.%d" % number}],
        "action": {"type": "calloutTerminating", "callout": "ipsecOutboundTransportV4"}},
        connection=daemon.http(context))[0]


def commit_behind_waiters(tap, daemon):
    """They fill the share of their principal, and what would let them go on has no turn yet."""
    context = daemon.context()
    path = daemon.call("POST", "/sessions", {})[2]["Location"]
    status, answer, _ = daemon.call("POST", path + "/transaction", {})
    tap.check("a transaction", status in (200, 201, 204), (status, answer))
    statuses = []
    waiters = [threading.Thread(target=lambda i=i: statuses.append(add_filter(daemon, i, context)))
               for i in range(WAITING)]
    other = daemon.http(daemon.context("reader"))
    for waiter in waiters:
        daemon.call("GET", "/sa-contexts", connection=other)  # so that all have a share only
        waiter.start()
    time.sleep(0.1)
    tap.equal("%d requests wait for it" % WAITING, statuses, [])
    daemon.call("GET", "/sa-contexts", connection=other)
    begun = time.monotonic()
    status, answer, _ = daemon.call("POST", path + "/transaction/commit")
    tap.check("it is committed (after %.1f s)" % (time.monotonic() - begun), status in (200, 204),
              (status, answer))
    for waiter in waiters:
        waiter.join()
    tap.equal("then they all go on", statuses, [201] * WAITING)


def crowd_of_batches(tap, daemon, filter_id):
    """Everything is answered, in the order of each connection, while another is served."""
    items = [{"localAddress": "192.0.2.1", "remoteAddress": "10.1.0.1", "trafficType": "transport",
              "ipsecFilterId": filter_id}] * 100
    context = daemon.context()
    problems = []

    def work():
        connection = daemon.http(context)
        for number in range(10):
            key = "%d-%d" % (threading.get_ident(), number)
            for repeat in (None, "true"):
                status, answer, headers = daemon.call(
                    "POST", "/sa-contexts/batch", json.dumps({"items": items}),
                    {"Idempotency-Key": key}, connection=connection)
                if status != 200 or len(answer["items"]) != 100 or \
                        headers["Idempotent-Replay"] != repeat:
                    problems.append((status, answer))

    workers = [threading.Thread(target=work) for _ in range(24)]
    for worker in workers:
        worker.start()
    other = daemon.http(daemon.context("reader"))
    served = 0
    while any(worker.is_alive() for worker in workers):
        served += daemon.call("GET", "/sa-contexts?limit=1", connection=other)[0] == 200
    tap.check("480 batches beside another caller: all are answered", not problems, problems[:2])
    tap.check("who was served %d times" % served, served > 0)


def drain_behind_waiters(tap, daemon, filter_id):
    """SIGTERM while requests wait for their turn: all that were sent whole are answered."""
    statuses = []
    items = [{"localAddress": "192.0.2.1", "remoteAddress": "10.1.0.1", "trafficType": "transport",
              "ipsecFilterId": filter_id}] * 500
    text = json.dumps({"items": items}).encode()
    request = (b"POST /sa-contexts/batch HTTP/1.1\r\nHost: localhost\r\n"
               b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
    context = daemon.context()
    connections = [daemon.tls(context=context, timeout=30) for _ in range(24)]
    daemon.call("GET", "/sa-contexts", connection=daemon.http(daemon.context("reader")))
    for connection in connections:
        connection.sendall(request)
    code = daemon.stop()
    for connection in connections:
        try:
            statuses.append(connection.recv(12))
        except OSError as error:
            statuses.append(repr(error))
    tap.equal("SIGTERM: exit 0", code, 0)
    tap.equal("and every batch was answered", set(statuses), {b"HTTP/1.1 200"})


def main():
    tap = Tap()
    daemon = Daemon(options=["--larval-timeout-seconds", "0", "--workers", "2"])
    daemon.start()
    commit_behind_waiters(tap, daemon)
    filter_id = daemon.add_filters()
    crowd_of_batches(tap, daemon, filter_id)
    drain_behind_waiters(tap, daemon, filter_id)
    return tap.finish(daemon)


if __name__ == "__main__":
    sys.exit(main())
