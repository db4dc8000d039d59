# SPDX-License-Identifier: Apache-2.0
# Labels: slow
"""SIGTERM: who holds a request half sent can't hold the daemon, and what is whole is answered."""

import json
import sys
import threading
import time

from daemon import Daemon, Tap

HALF_BODY = (b"POST /sa-contexts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
             b"Content-Length: 50\r\n\r\n{")


def drain(tap, name, options, prepare):
    daemon = Daemon(options=options)
    daemon.start()
    kept = prepare(daemon)
    begun = time.monotonic()
    code = daemon.stop()
    took = time.monotonic() - begun
    tap.equal("%s: exit 0" % name, code, 0)
    # Generous: the point is that it ends by itself at its deadline, not at a client's pleasure.
    tap.check("%s: within its time" % name, took < 20, took)
    tap.check("%s: said so" % name, '"event":"stopped"' in daemon.log(), daemon.log()[-500:])
    tap.check("%s: no sanitizer report" % name, "Sanitizer" not in daemon.log(),
              daemon.log()[-3000:])
    for connection in kept:
        connection.close()
    daemon.close()


def send(daemon, data, client="orchestrator"):
    connection = daemon.tls(client)
    connection.sendall(data)
    time.sleep(0.3)
    return [connection]


def under_load(tap):
    """Every request that got an answer got a whole one, and what was acknowledged is there after."""
    daemon = Daemon("sqlite:WORK/state.db")
    daemon.start()
    filter_id = daemon.add_filters()
    context = daemon.context()
    acknowledged = []
    broken = []

    def create(number):
        connection = daemon.http(context)
        for count in range(100000):
            body = json.dumps({
                "localAddress": "192.0.2.1",
                "remoteAddress": "10.%d.%d.%d" % (number, count >> 8 & 255, count & 255),
                "trafficType": "transport", "ipsecFilterId": filter_id})
            try:
                connection.request("POST", "/sa-contexts", body,
                                   {"Content-Type": "application/json"})
                reply = connection.getresponse()
            except Exception:  # closed between two requests, or refused
                return
            try:
                answer = json.loads(reply.read())
            except Exception as error:  # in mid-answer
                broken.append(repr(error))
                return
            if reply.status != 201:
                broken.append((reply.status, answer))
                return
            acknowledged.append(answer["id"])
            if reply.headers["Connection"] == "close":
                return

    threads = [threading.Thread(target=create, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    tap.equal("under load: exit 0", daemon.stop(), 0)
    for thread in threads:
        thread.join()
    tap.check("under load: %d answers, all whole" % len(acknowledged),
              not broken and len(acknowledged) > 50, broken[:3])
    daemon.start()
    missing = [i for i in acknowledged
               if daemon.call("GET", "/sa-contexts/%d" % i)[0] != 200][:3]
    tap.equal("under load: nothing acknowledged is missing", missing, [])
    daemon.stop()
    daemon.close()


def main():
    tap = Tap()
    short = ["--drain-seconds", "2"]
    drain(tap, "idle, at once", ["--drain-seconds", "0"], lambda daemon: [])
    drain(tap, "an idle connection", short, lambda daemon: send(daemon, b""))
    drain(tap, "half a body", short, lambda daemon: send(daemon, HALF_BODY))
    drain(tap, "half a header, no certificate", short, lambda daemon: send(daemon, b"G", None))
    under_load(tap)
    print("1..%d" % tap.count)
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
