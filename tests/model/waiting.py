# SPDX-License-Identifier: Apache-2.0
"""Waiting for the lock on policy (section 6.2): first come, first served, FWP_E_TIMEOUT.

Elsewhere in the model nobody waits.  Here a session holds the lock, others queue behind it on
connections of their own, one after the other: the next is sent when the service says that the one
before it waits.  Then whoever holds the lock lets go, and those whose turn it is are answered."""

import re
import time
import urllib.request

from base import need
import wire
from follow import Difference

FOR_EVER_MS = 600000
SECONDS = 60  # until a wait is given up as a difference


class Lock:
    """One writer or many readers; nobody overtakes who waits."""

    def take_lock(self, writes):
        need(self.writer is None and not (writes and self.readers) and not self.others_wait,
             "FWP_E_TIMEOUT")

    def would_wait(self, op):
        return self.twin().apply(op).code == "FWP_E_TIMEOUT"


def make(generator):
    """Who holds the lock, who waits how long for what, and how holders let go."""
    step = {"op": "queue", "holder": generator.name("s"), "reads": generator.chance(0.4),
            "waiters": [], "ends": []}
    for _ in range(generator.random.randrange(1, 6)):
        who = generator.pick(["admin", "admin", "admin", "author", "reader"])
        name = generator.name("s")
        call = {"who": who}
        kind = generator.pick(["write", "write", "read", "read", "addFilter", "deleteFilter"])
        if kind in ("write", "read"):
            call.update(op="beginTransaction", id=name,
                        body={"flags": ["readOnly"]} if kind == "read" else {})
        else:
            generator.spoilt = False
            call.update(op=kind, session=name)
            getattr(generator, "make_" + kind)(call)
        step["waiters"].append({"session": name, "call": call,
                                "wait": 1 if generator.chance(0.2) else FOR_EVER_MS})
        step["ends"].append(generator.pick(["commitTransaction", "abortTransaction",
                                            "closeSession"]))
    return step


class Queue:
    """Runs such a step."""

    def __init__(self, run, step):
        self.run = run
        self.step = step
        self.waiting = []  # (call, connection), in order
        self.ends = list(step["ends"])

    def play(self):
        model = self.run.model
        if model.writer is not None or model.readers:
            return  # in a sequence that was shrunk
        step = self.step
        sessions = [step["holder"]] + [waiter["session"] for waiter in step["waiters"]]
        self.open(step["holder"], "admin", FOR_EVER_MS)
        self.run.call({"op": "beginTransaction", "who": "admin", "id": step["holder"],
                       "body": {"flags": ["readOnly"]} if step["reads"] else {}})
        for waiter in step["waiters"]:
            self.open(waiter["session"], waiter["call"]["who"], waiter["wait"])
            self.send(waiter)
        while self.run.model.writer is not None or self.run.model.readers:
            self.release()
            self.grant()
        if self.waiting:
            raise Difference("nobody holds the lock and %r wait" % self.waiting)
        for name in sessions:
            self.close(name)

    def open(self, name, who, wait_ms):
        self.run.call({"op": "openSession", "who": who, "as": name,
                       "body": {"txnWaitTimeoutMs": wait_ms}})

    def close(self, name):
        session = self.run.model.sessions.get(name)
        if session is not None:
            self.run.call({"op": "closeSession", "who": session.owner, "id": name})

    def send(self, waiter):
        """A call that has to wait is left to, if its session has the patience."""
        call, model = waiter["call"], self.run.model
        model.others_wait = bool(self.waiting)
        if waiter["wait"] == FOR_EVER_MS and model.would_wait(call):
            connection = wire.Connection(self.run.service.daemon, call["who"])
            connection.send(*self.run.names.request(call))
            self.waiting.append((call, connection))
            self.run.waited += 1
            self.await_waiting()
        else:
            self.run.call(call)
        model.others_wait = False

    def release(self):
        """Somebody who holds the lock lets go of it."""
        model = self.run.model
        name = model.writer if model.writer is not None else sorted(model.readers)[0]
        operation = self.ends.pop(0) if self.ends else "abortTransaction"
        if operation == "commitTransaction" and self.would_fail(operation, name):
            operation = "abortTransaction"
        self.run.call({"op": operation, "who": model.sessions[name].owner, "id": name})

    def would_fail(self, operation, name):
        """Who lost the right meanwhile can't commit, and would hold the lock for ever."""
        model = self.run.model
        return model.twin().apply({"op": operation, "id": name,
                                   "who": model.sessions[name].owner}).status >= 300

    def grant(self):
        """Those whose turn it is: one who writes, or all who read up to the next who writes."""
        while self.waiting and self.is_free_for(self.waiting[0][0]):
            call, connection = self.waiting.pop(0)
            expected = self.run.model.apply(call)
            self.run.follower.expect(self.run.model.take_changes())
            self.run.compare(call, expected, *connection.receive())
            self.run.learn_weights(call, expected.status)
            connection.close()
        self.await_waiting()

    def is_free_for(self, call):
        """Who waits does so until it is his turn, even if what he wants went away meanwhile."""
        model = self.run.model
        reads = call["op"] == "beginTransaction" and "readOnly" in call["body"].get("flags", [])
        return model.writer is None and (reads or not model.readers)

    def await_waiting(self):
        """Until the service says that so many calls wait."""
        deadline = time.monotonic() + SECONDS
        count = None
        while time.monotonic() < deadline:
            with urllib.request.urlopen("http://%s:%d/metrics" % self.run.service.daemon.ops,
                                        timeout=SECONDS) as answer:
                text = answer.read().decode()
            count = int(re.search(r"^sa_contextd_calls_waiting (\d+)$", text, re.M).group(1))
            if count == len(self.waiting):
                return
            time.sleep(0.002)
        raise Difference("%s calls wait, not %d: %r" % (count, len(self.waiting), self.waiting))
