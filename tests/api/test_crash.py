# SPDX-License-Identifier: Apache-2.0
# Labels: slow
# Alone: it fills the machine.
"""kill -9 at random moments under 64 parallel creators.

After every restart: no acknowledged create is missing, no id was given twice, a repeat of an
acknowledged request gets the first answer, and a repeat of an unacknowledged one gets one answer
and keeps it.  ROUNDS says how often (tests/run.sh --soak: 1,000)."""

import json
import os
import random
import signal
import sys
import threading
import time

from daemon import Daemon, Tap

ROUNDS = int(os.environ.get("ROUNDS", "20"))
ROUNDS_A_STORE = 50
CREATORS = 64


class Creators:
    """64 threads that create until the daemon is gone."""

    def __init__(self, daemon, filter_id, round_number):
        self.daemon = daemon
        self.filter_id = filter_id
        self.round = round_number
        self.context = daemon.context()
        self.acknowledged = {}  # key -> (body, answer)
        self.unknown = {}  # key -> body
        self.lock = threading.Lock()
        self.problems = []

    def run(self, seconds):
        threads = [threading.Thread(target=self.create, args=(i,)) for i in range(CREATORS)]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        self.daemon.stop(signal.SIGKILL)
        for thread in threads:
            thread.join()

    def create(self, number):
        count = 0
        try:
            connection = self.daemon.http(self.context)
            while True:
                count += 1
                key = "r%d-c%d-n%d" % (self.round, number, count)
                body = json.dumps({
                    "localAddress": "192.0.2.1",
                    "remoteAddress": "10.%d.%d.%d" % (number, count >> 8 & 255, count & 255),
                    "trafficType": "transport", "ipsecFilterId": self.filter_id})
                self.unknown[key] = body
                status, answer, _ = self.daemon.call("POST", "/sa-contexts", body,
                                                     {"Idempotency-Key": key}, connection)
                with self.lock:
                    if status == 201:
                        self.acknowledged[key] = (body, answer)
                    else:
                        self.problems.append((status, answer))
                    del self.unknown[key]
        except (OSError, EOFError, ValueError) as error:
            del error  # the daemon is gone
        except Exception as error:  # http.client's own
            if type(error).__module__ != "http.client":
                self.problems.append(repr(error))


def all_ids(daemon):
    ids = []
    path = "/sa-contexts?limit=1000"
    connection = daemon.http()
    while True:
        status, answer, _ = daemon.call("GET", path, connection=connection)
        assert status == 200, answer
        ids += [item["id"] for item in answer["items"]]
        if "nextCursor" not in answer:
            return ids
        path = "/sa-contexts?limit=1000&cursor=" + answer["nextCursor"]


def repeat_some(tap, daemon, creators, acknowledged):
    """What was answered is answered so again; what was not gets one answer and keeps it."""
    for key in random.sample(sorted(creators.acknowledged), min(40, len(creators.acknowledged))):
        body, first = acknowledged[key]
        status, answer, headers = daemon.call("POST", "/sa-contexts", body,
                                              {"Idempotency-Key": key})
        if (status, answer, headers["Idempotent-Replay"]) != (201, first, "true"):
            tap.check("repeat of " + key, False, (status, answer, first))
    for key, body in list(creators.unknown.items())[:40]:
        answers = [daemon.call("POST", "/sa-contexts", body, {"Idempotency-Key": key})[:2]
                   for _ in range(2)]
        if answers[0][0] != 201 or answers[0] != answers[1]:
            tap.check("unacknowledged " + key, False, answers)
        else:
            acknowledged[key] = (body, answers[0][1])


def kill_again_and_again(tap, first_round, rounds):
    """Rounds on one store; False when one of them was bad."""
    # Its contexts stay unkeyed for as long as the test runs.
    daemon = Daemon("sqlite:WORK/state.db", ["--larval-timeout-seconds", "0"])
    daemon.start()
    filter_id = daemon.add_filters()
    acknowledged = {}
    good = True
    for number in range(first_round, first_round + rounds):
        creators = Creators(daemon, filter_id, number)
        creators.run(random.uniform(0.1, 0.9))
        daemon.start()
        acknowledged.update(creators.acknowledged)

        ids = all_ids(daemon)
        given = [answer["id"] for _, answer in acknowledged.values()]
        present = set(ids)
        good = tap.check(
            "round %d: %d acknowledged in all, none missing, no id twice" % (number, len(given)),
            not creators.problems and len(set(given)) == len(given) and len(present) == len(ids)
            and all(i in present for i in given),
            (creators.problems[:3], [i for i in given if i not in present][:5]))
        repeat_some(tap, daemon, creators, acknowledged)
        if not good:
            break
    return tap.finish(daemon, plan=False) == 0 and good


def main():
    tap = Tap()
    done = 0
    while done < ROUNDS and \
            kill_again_and_again(tap, done, min(ROUNDS_A_STORE, ROUNDS - done)):
        done += ROUNDS_A_STORE
    print("1..%d" % tap.count)
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
