#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a caller notices of another who uses all the connections he may have, each full of pipelined
requests: fairness.py [CONNECTIONS [SECONDS]], with SA_CONTEXTD as the daemon to take.

Prints the good caller's median and p99 of durable creates, quiet and beside the attacker, and their
ratios.  No pass or fail: times are the machine's."""

import json
import multiprocessing
import os
import select
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../api"))
from daemon import Daemon, ROOT  # noqa: E402

PIPELINED = 32


def body(filter_id, last):
    return json.dumps({"localAddress": "192.0.2.1", "remoteAddress": "10.1.%d.%d" %
                       (last >> 8 & 255, last & 255), "trafficType": "transport",
                       "ipsecFilterId": filter_id}).encode()


def attack(daemon, filter_id, count, stop):
    """Keeps 'count' connections full of creates, and reads what comes."""
    text = body(filter_id, 1)
    request = (b"POST /sa-contexts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
               b"Content-Length: %d\r\n\r\n" % len(text) + text) * PIPELINED
    context = daemon.context()
    connections = [daemon.tls(context=context) for _ in range(count)]
    for connection in connections:
        connection.sendall(request)
    left = {connection: PIPELINED for connection in connections}
    while not stop.is_set():
        readable, _, _ = select.select(connections, [], [], 0.2)
        for connection in readable:
            data = connection.recv(65536)
            left[connection] -= data.count(b"HTTP/1.1 ")
            if left[connection] < PIPELINED // 2:
                connection.sendall(request)
                left[connection] += PIPELINED


def measure(daemon, filter_id, seconds):
    """Times of creates one after another, in milliseconds, ascending."""
    connection = daemon.http(daemon.context("creator"))
    times = []
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        before = time.perf_counter()
        status, answer, _ = daemon.call("POST", "/sa-contexts", body(filter_id, len(times)),
                                        connection=connection)
        assert status == 201, answer
        times.append(1000 * (time.perf_counter() - before))
    return sorted(times)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 64
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10
    daemon = Daemon("sqlite:WORK/state.db", ["--max-connections-per-principal", str(count)])
    subprocess.run([os.path.join(ROOT, "deploy/pki.sh"), daemon.pki, "client", "creator", "--san",
                    "URI:spiffe://example.org/orchestrator/2"], check=True,
                   stdout=subprocess.DEVNULL)
    daemon.start()
    filter_id = daemon.add_filters()
    quiet = measure(daemon, filter_id, seconds)
    stop = multiprocessing.Event()
    attacker = multiprocessing.Process(target=attack, args=(daemon, filter_id, count, stop))
    attacker.start()
    time.sleep(2)
    beside = measure(daemon, filter_id, seconds)
    stop.set()
    attacker.join(10)
    if attacker.is_alive():
        attacker.kill()
    for name, part in (("median", 0.5), ("p99", 0.99)):
        values = [times[int(len(times) * part)] for times in (quiet, beside)]
        print("%-6s quiet %7.2f ms  beside %d full connections %7.2f ms  ratio %.1f" %
              (name, values[0], count, values[1], values[1] / values[0]))
    print("creates: quiet %d, beside %d" % (len(quiet), len(beside)))
    daemon.stop()
    daemon.close()


if __name__ == "__main__":
    main()
