#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a caller notices of another who uses all the connections he may have:
fairness.py [CONNECTIONS [SECONDS [ATTACK…]]], with SA_CONTEXTD as the daemon to take.

For each attack it prints the good caller's median and p99 of durable creates one after another,
quiet and beside the attacker, and their ratios.  The attacker runs here too, at a lower priority:
what he takes of the processor is not the daemon's doing.  No pass or fail: times are the
machine's."""

import json
import multiprocessing
import os
import select
import ssl
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../api"))
from daemon import Daemon, ROOT  # noqa: E402

PIPELINED = 32
BATCH = 500


def body(filter_id, last):
    return {"localAddress": "192.0.2.1", "remoteAddress": "10.1.%d.%d" % (last >> 8 & 255, last & 255),
            "trafficType": "transport", "ipsecFilterId": filter_id}


def post(path, document):
    text = json.dumps(document).encode()
    return (b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % (path, len(text)) + text)


def keep_full(daemon, request, pipelined, count, stop):
    """Keeps 'count' connections full of 'request', and reads what comes."""
    context = daemon.context()
    connections = {}
    for _ in range(count):
        connection = daemon.tls(context=context)
        connection.setblocking(False)
        connections[connection.fileno()] = [connection, request * pipelined, pipelined]
    poll = select.epoll()
    for number in connections:
        poll.register(number, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
    while not stop.is_set():
        for number, _ in poll.poll(0.2):
            state = connections[number]
            busy = True
            while busy:
                busy = False
                try:
                    data = state[0].recv(1 << 18)
                    state[2] -= data.count(b"HTTP/1.1 ")
                    if not data:
                        poll.unregister(number)
                        break
                    busy = True
                except (ssl.SSLWantReadError, BlockingIOError):
                    pass
                if not state[1] and state[2] < (pipelined + 1) // 2:
                    state[1] = request * pipelined
                    state[2] += pipelined
                try:
                    while state[1]:
                        state[1] = state[1][state[0].send(state[1]):]
                        busy = True
                except (ssl.SSLWantWriteError, BlockingIOError):
                    pass


def creates(daemon, filter_id, count, stop):
    keep_full(daemon, post(b"/sa-contexts", body(filter_id, 1)), PIPELINED, count, stop)


def lists(daemon, filter_id, count, stop):
    del filter_id
    keep_full(daemon, b"GET /sa-contexts?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n", 8, count,
              stop)


def batches(daemon, filter_id, count, stop):
    document = {"items": [body(filter_id, i) for i in range(BATCH)]}
    keep_full(daemon, post(b"/sa-contexts/batch", document), 1, count, stop)


def handshakes(daemon, filter_id, count, stop):
    """Full handshakes, as many at once as connections are allowed, each closed when it is done."""
    del filter_id
    context = daemon.context()
    poll = select.epoll()
    running = {}
    done = 0

    def begin():
        raw = daemon.raw()
        raw.setblocking(False)
        connection = context.wrap_socket(raw, server_hostname="localhost",
                                         do_handshake_on_connect=False)
        running[connection.fileno()] = connection
        poll.register(connection.fileno(), select.EPOLLIN | select.EPOLLET)
        step(connection)

    def step(connection):
        nonlocal done
        try:
            connection.do_handshake()
            done += 1
        except ssl.SSLWantReadError:
            return
        except OSError:
            pass
        del running[connection.fileno()]
        connection.close()

    while not stop.is_set():
        while len(running) < count:
            try:
                begin()
            except OSError:
                break
        for number, _ in poll.poll(0.2):
            step(running[number])


def slow_bodies(daemon, filter_id, count, stop):
    """A byte of each body every 10 ms."""
    request = post(b"/sa-contexts", body(filter_id, 1))
    context = daemon.context()
    at = {daemon.tls(context=context): 0 for _ in range(count)}
    while not stop.is_set():
        for connection, sent in list(at.items()):
            try:
                if sent == 0:
                    connection.sendall(request[:request.index(b"\r\n\r\n") + 4])
                    at[connection] = request.index(b"\r\n\r\n") + 4
                elif sent < len(request):
                    connection.sendall(request[sent:sent + 1])
                    at[connection] += 1
                else:
                    connection.recv(1 << 16)
                    at[connection] = 0
            except OSError:
                del at[connection]
                at[daemon.tls(context=context)] = 0
        time.sleep(0.01)


ATTACKS = {attack.__name__: attack for attack in (creates, lists, batches, handshakes, slow_bodies)}


def attack(name, *arguments):
    os.nice(5)
    ATTACKS[name](*arguments)


def measure(daemon, filter_id, seconds):
    """Times of creates one after another, in milliseconds, ascending."""
    context = daemon.context("creator")
    connection = daemon.http(context)
    times = []
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        before = time.perf_counter()
        status, answer, _ = daemon.call("POST", "/sa-contexts", body(filter_id, len(times)),
                                        connection=connection)
        assert status == 201, answer
        times.append(1000 * (time.perf_counter() - before))
        if len(times) % 100 == 0:  # now on one worker, now on another
            connection.close()
            connection = daemon.http(context)
            daemon.call("GET", "/whoami", connection=connection)
    return sorted(times)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 64
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10
    daemon = Daemon("sqlite:WORK/state.db", ["--max-connections-per-principal", str(count),
                                             "--larval-timeout-seconds", "0"])
    subprocess.run([os.path.join(ROOT, "deploy/pki.sh"), daemon.pki, "client", "creator", "--san",
                    "URI:spiffe://example.org/orchestrator/2"], check=True,
                   stdout=subprocess.DEVNULL)
    daemon.start()
    filter_id = daemon.add_filters()
    for _ in range(2):
        status, answer, _ = daemon.call("POST", "/sa-contexts/batch", {
            "items": [body(filter_id, i) for i in range(BATCH)]})
        assert status == 200, answer
    for name in sys.argv[3:] or ATTACKS:
        quiet = measure(daemon, filter_id, seconds / 2)
        stop = multiprocessing.Event()
        attacker = multiprocessing.Process(target=attack,
                                           args=(name, daemon, filter_id, count, stop))
        attacker.start()
        time.sleep(2)
        beside = measure(daemon, filter_id, seconds)
        stop.set()
        attacker.join(10)
        if attacker.is_alive():
            attacker.kill()
        for part_name, part in (("median", 0.5), ("p99", 0.99)):
            values = [times[int(len(times) * part)] for times in (quiet, beside)]
            print("%-11s %-6s quiet %7.2f ms  beside %d connections %7.2f ms  ratio %.1f" %
                  (name, part_name, values[0], count, values[1], values[1] / values[0]))
        print("%-11s creates: quiet %.0f/s, beside %.0f/s" %
              (name, len(quiet) / seconds * 2, len(beside) / seconds), flush=True)
    daemon.stop()
    daemon.close()


if __name__ == "__main__":
    main()
