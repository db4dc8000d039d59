#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random sequences of calls against the daemon and the reference model; every answer must agree.

The daemon dies by kill -9 in between, sometimes with a call under way; afterwards it must hold what
the model holds, where the call under way has happened or has not.  A sequence that shows a
difference is shrunk and printed, one call a line; --replay FILE runs such a file."""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "api"))

import generator  # noqa: E402
import lifetimes  # noqa: E402
import security  # noqa: E402
from base import load_statuses  # noqa: E402
from model import Model  # noqa: E402
import waiting  # noqa: E402
import wire  # noqa: E402
from daemon import Daemon  # noqa: E402
from follow import Difference, Follower  # noqa: E402

OPTIONS = ["--larval-timeout-seconds", "0", "--session-idle-seconds", "0",
           "--txn-wait-ms", "0", "--txn-hold-seconds", "0", "--spi-quarantine-seconds", "0",
           "--idle-timeout-seconds", "3600", "--event-heartbeat-seconds", "1", "--workers", "1"]
AGE_EVERY = 800  # calls, on average: how often SAs end by themselves
QUEUE_EVERY = 60  # calls, on average: how often calls wait for the lock
LOOK_EVERY = 200  # calls, on average: how often the stream of events is read
SETTLE_SECONDS = 25  # an expiring context ends after a minute: it is deleted before


class Service:
    """A daemon with the model's principals."""

    def __init__(self, allow_weak):
        self.daemon = Daemon("sqlite:WORK/state.db",
                             OPTIONS + ["--allow-weak-transforms", str(allow_weak).lower()])
        for who in generator.RIGHTS:
            subprocess.run([os.path.join(os.path.dirname(HERE), "../deploy/pki.sh"),
                            self.daemon.pki, "client", who,
                            "--uri", wire.principal_of(who).removeprefix("uri:")],
                           check=True, stdout=subprocess.DEVNULL)
        with open(os.path.join(self.daemon.work, "access.json"), "w", encoding="ascii") as file:
            json.dump(self.access(), file)
        self.connections = {}
        self.started = False

    def access(self):
        policy = {}
        for who, containers in generator.RIGHTS.items():
            for container, rights in containers.items():
                policy.setdefault(container, {"dacl": []})["dacl"].append(
                    {"type": "allow", "principal": wire.principal_of(who), "rights": rights})
        return policy

    def fresh(self):
        """Starts the daemon with an empty store."""
        self.kill()
        for suffix in ("", "-wal", "-shm"):
            path = os.path.join(self.daemon.work, "state.db" + suffix)
            if os.path.exists(path):
                os.unlink(path)
        self.start()

    def start(self):
        self.daemon.start()
        self.started = True

    def kill(self):
        for connection in self.connections.values():
            connection.close()
        self.connections = {}
        if self.started:
            self.daemon.stop(signal.SIGKILL)
            self.started = False

    def connection(self, who):
        if who not in self.connections or self.connections[who].closed:
            self.connections[who] = wire.Connection(self.daemon, who)
        return self.connections[who]

    def close(self):
        self.kill()
        self.daemon.close()


class Run:
    """One sequence: the service, the model, and what is known of identifiers."""

    def __init__(self, service, allow_weak):
        self.service = service
        self.model = Model(generator.RIGHTS, allow_weak)
        self.names = wire.Names()
        self.expiring_since = {}
        self.aged = 0  # SAs that ended by themselves
        self.waited = 0  # calls that waited for the lock
        service.fresh()
        self.follower = Follower(service, self.names)
        self.follower.begin()

    def step(self, op):
        if op["op"] == "look":
            self.follower.look(op)
        elif op["op"] == "crash":
            self.crash(op)
        elif op["op"] == "restart":
            self.restart(op)
        elif op["op"] == "age":
            lifetimes.play(self, op)
        elif op["op"] == "queue":
            waiting.Queue(self, op).play()
        else:
            self.call(op)
        if self.names.problems:
            raise Difference("; ".join(self.names.problems))

    def call(self, op):
        self.learn_tags(op)
        expected = self.model.apply(op)
        self.follower.expect(self.model.take_changes())
        try:
            status, headers, answer = self.exchange(op)
        except (OSError, EOFError) as error:
            raise Difference("%s: %s\n%s" % (op, error, self.service.daemon.log()[-2000:]))
        self.compare(op, expected, status, headers, answer)
        self.learn_weights(op, status)

    def exchange(self, op):
        """Sends the call; of a list all pages."""
        connection = self.service.connection(op["who"])
        method, path, body, headers = self.names.request(op)
        if not op["op"].startswith("list"):
            connection.send(method, path, body, headers)
            return connection.receive()
        items = []
        cursor = None
        while True:
            page = {} if "limit" not in op else {"limit": op["limit"]}
            if cursor is not None:
                page["cursor"] = cursor
            query = "&".join("%s=%s" % item for item in page.items())
            separator = "&" if "?" in path else "?"
            connection.send(method, path + (separator + query if query else ""), body, headers)
            status, answer_headers, answer = connection.receive()
            if status != 200:
                return status, answer_headers, answer
            if len(answer["items"]) > op.get("limit", 100):
                raise Difference("a page with %d items" % len(answer["items"]))
            items += answer["items"]
            cursor = answer.get("nextCursor")
            if cursor is None:
                return status, answer_headers, items

    def compare(self, op, expected, status, headers, answer):
        code = answer.get("code") if isinstance(answer, dict) and status >= 400 else None
        got = "%d %s" % (status, code)
        if (status, code) != (expected.status, expected.code):
            raise Difference("got %s %s\nexpected %r" % (got, json.dumps(answer), expected),
                             "%s, not %s" % (got, expected.code))
        if status >= 300 or op.get("dryRun"):
            return
        replayed = headers.get("idempotent-replay") == "true"
        if replayed != expected.replayed:
            raise Difference("got %sreplayed answer" % ("a " if replayed else "no "))
        if answer is not None and not replayed:
            self.names.learn_from(op, expected.result, answer)
            self.names.learn_revisions(expected.result, answer)
            self.compare_tag(op, expected.result, headers.get("etag"))
        self.compare_result(expected.result, answer)

    def compare_tag(self, op, expected, tag):
        """What can be read alone has an entity tag: its revision."""
        if not isinstance(expected, dict) or "version" not in expected:
            return
        wanted = self.names.tag_text(expected["id"], expected["version"])
        if tag != wanted:
            raise Difference("%s: the tag is %s, not %s" % (op["op"], tag, wanted))

    def learn_tags(self, op):
        """Reads objects whose tags the call has to send and nobody has seen."""
        for tag in [t for m in ("ifMatch", "ifNoneMatch") for t in op.get(m, ()) if t != "*"]:
            name, version = tag[:2]
            if (name, version) in self.names.revisions:
                continue
            for table, operation in ((self.model.contexts, "getSaContext"),
                                     (self.model.filters, "getFilter"),
                                     (self.model.provider_contexts, "getProviderContext")):
                if name not in table or table[name].version != version:
                    continue
                read = {"op": operation, "who": "admin", "id": name}
                if getattr(table[name], "phase", None) == "added":
                    read["session"] = self.model.writer
                self.call(read)

    def compare_result(self, expected, answer):
        left = self.names.comparable(expected)
        right = self.names.comparable(self.names.inward(answer))
        if left != right:
            raise Difference("got      %s\nexpected %s" % (json.dumps(right, sort_keys=True),
                                                           json.dumps(left, sort_keys=True)))

    def learn_weights(self, op, status):
        """The model does not know how specific the service takes a filter to be: it asks."""
        if status >= 300 or op.get("dryRun") or \
                op["op"] not in ("addFilter", "addTunnel", "commitTransaction"):
            return
        for name, policy in self.model.filters.items():
            if name in self.model.weights or policy.phase == "added":
                continue
            connection = self.service.connection("admin")
            connection.send("GET", "/filters/%d" % self.names.ids[name])
            status, _, answer = connection.receive()
            if status != 200:
                raise Difference("committed filter %s: %d" % (name, status))
            weight = int(answer["effectiveWeight"])
            self.check_weight(policy.spec.get("weight"), weight)
            self.model.weights[name] = weight

    @staticmethod
    def check_weight(given, weight):
        if isinstance(given, int) and weight != given:
            raise Difference("weight %d became %d" % (given, weight))
        if isinstance(given, dict) and weight >> 60 != given["range"]:
            raise Difference("weight %d is not in range %d" % (weight, given["range"]))
        if given is None and weight >> 60 != 0:
            raise Difference("automatic weight %d" % weight)

    # --- Restarts -------------------------------------------------------------------------------

    def restart(self, op):
        if op.get("look"):
            self.follower.look({})
        self.service.kill()
        rest = self.follower.rest()
        self.service.start()
        self.model.restart()
        self.follower.resume(rest)
        self.verify()

    def crash(self, op):
        """Kills the daemon with a call under way."""
        inner = op["inner"]
        self.learn_tags(inner)
        connection = self.service.connection(inner["who"])
        connection.send(*self.names.request(inner))
        time.sleep(op["delay"])
        self.service.daemon.process.kill()
        acknowledged = self.last_answer(connection)
        self.service.kill()
        rest = self.follower.rest()
        self.service.start()
        happened = self.model.twin()
        expected = happened.apply(inner)
        changes = happened.take_changes()
        happened.restart()
        self.model.restart()
        if acknowledged is not None:
            self.model = happened
            self.compare(inner, expected, *acknowledged)
            self.learn_weights(inner, expected.status)
            self.follower.expect(changes)
        elif not self.is_as_before(expected):
            self.adopt(happened, inner)
            self.follower.expect(changes)
        self.follower.resume(rest)
        self.verify()

    def is_as_before(self, expected):
        """Whether the call under way has not happened.  An update may change nothing but the
        revision."""
        known = self.names.known_revisions()
        try:
            self.verify()
            if self.names.problems:
                raise Difference("; ".join(self.names.problems))
        except Difference:
            if expected.status >= 300:
                raise
            self.names.forget_revisions(known)
            return False
        return True

    @staticmethod
    def last_answer(connection):
        try:
            return connection.receive()
        except (OSError, EOFError):
            return None

    def adopt(self, happened, inner):
        """The call has happened: names for what came to be although nobody was told."""
        tables = ((self.model.contexts, happened.contexts, "/sa-contexts"),
                  (self.model.filters, happened.filters, "/filters"),
                  (self.model.provider_contexts, happened.provider_contexts, "/provider-contexts"))
        self.model = happened
        found = []
        for before, after, path in tables:
            items = self.all_of(path)
            made = [name for name in after if name not in before]
            unknown = [item for item in items if item["id"] not in self.names.names]
            if len(made) != len(unknown):
                raise Difference("after the crash there are %d new objects, not %d" %
                                 (len(unknown), len(made)))
            found += zip(made, unknown)
            found += [(inner["id"], item) for item in items
                      if inner["op"] == "getSpi" and self.names.names.get(item["id"]) == inner["id"]]
        for name, item in sorted(found, key=lambda pair: pair[1]["id"]):
            if name not in self.names.ids:
                self.names.learn(name, item["id"])
            self.names.learn_spi_of(name, item)
        self.learn_weights({"op": "addFilter"}, 200)

    def all_of(self, path):
        connection = self.service.connection("admin")
        connection.send("GET", path + "?limit=1000")
        status, _, answer = connection.receive()
        if status != 200 or "nextCursor" in answer:
            raise Difference("listing %s: %d" % (path, status))
        return answer["items"]

    def verify(self):
        """All there is, listed and read one by one."""
        for operation in ("listSaContexts", "listFilters", "listProviderContexts", "listTunnels"):
            self.call({"op": operation, "who": "admin"})
        for who in generator.RIGHTS:
            self.call({"op": "listSessions", "who": who})
        for name in self.model.contexts:
            self.call({"op": "getSaContext", "who": "admin", "id": name})
        for name in self.model.filters:
            self.call({"op": "getFilter", "who": "admin", "id": name})
        for name, policy in self.model.provider_contexts.items():
            self.call({"op": "getProviderContext", "who": "admin", "id": name})
            if policy.tunnel == name:
                self.call({"op": "getTunnel", "who": "admin", "id": name})
        self.call({"op": "getStatistics", "who": "admin"})
        for container in security.CONTAINERS:
            self.call({"op": "getSecurity", "who": "admin", "container": container})
        for who in generator.RIGHTS:
            self.call({"op": "whoami", "who": who})

    def overdue(self):
        """An expiring context that would soon end by itself."""
        now = time.monotonic()
        expiring = {n for n, c in self.model.contexts.items() if c.state == "expiring"}
        for name in expiring:
            self.expiring_since.setdefault(name, now)
        for name, since in list(self.expiring_since.items()):
            if name not in expiring:
                del self.expiring_since[name]
            elif now - since > SETTLE_SECONDS:
                return name
        return None


CRASHABLE = ("addFilter", "deleteFilter", "addProviderContext", "deleteProviderContext",
             "addTunnel", "deleteTunnel", "createSaContext", "createSaContexts", "addInbound",
             "addOutbound", "rotateSaContext", "getSpi", "setSpi", "deleteSaContext",
             "updateSaContext", "expireSaContext", "commitTransaction", "setSecurity",
             "resetSecurity")


class Source:
    """Random steps."""

    def __init__(self, seed, run, restart_every):
        self.random = random.Random(seed)
        self.run = run
        self.generator = generator.Generator(self.random, run.model)
        self.restart_every = restart_every

    def next(self):
        self.generator.model = self.run.model
        overdue = self.run.overdue()
        if overdue is not None:
            return {"op": "deleteSaContext", "who": "admin", "id": overdue}
        if self.random.random() * self.restart_every < 1:
            return self.restart()
        if self.random.random() * LOOK_EVERY < 1:
            return self.generator.look()
        is_free = self.run.model.writer is None and not self.run.model.readers
        if is_free and self.random.random() * QUEUE_EVERY < 1:
            return waiting.make(self.generator)
        if self.random.random() * AGE_EVERY < 1:
            step = lifetimes.make(self.generator)
            if step is not None:
                return step
        return self.generator.next()

    def restart(self):
        inner = self.generator.next()
        if inner["op"] not in CRASHABLE or "key" in inner:
            return {"op": "restart", "look": self.random.random() < 0.5}
        return {"op": "crash", "inner": inner, "delay": self.random.random() * 0.002}


def play(service, steps, allow_weak):
    """Runs a given sequence; where and how it was different, or None."""
    run = Run(service, allow_weak)
    for index, op in enumerate(steps):
        try:
            run.step(op)
        except Difference as difference:
            return index, difference
    return None


def shrink(service, steps, kind, allow_weak, seconds):
    """Delta debugging: leaves out what is not needed for the same difference in the same call."""
    deadline = time.monotonic() + seconds
    chunk = max(len(steps) // 2, 1)
    while chunk >= 1 and time.monotonic() < deadline:
        at = 0
        progress = False
        while at < len(steps) - 1 and time.monotonic() < deadline:
            shorter = steps[:at] + steps[min(at + chunk, len(steps) - 1):]
            failed = play(service, shorter, allow_weak)
            if failed is not None and failed[1].kind == kind and \
                    shorter[failed[0]]["op"] == steps[-1]["op"]:
                steps = shorter[:failed[0] + 1]
                progress = True
            else:
                at += chunk
        if chunk == 1 and not progress:
            break
        chunk = max(chunk // 2, 1)
    return steps


def report(service, steps, difference, arguments, seed):
    print("# the service and the model differ after %d steps (seed %d):" % (len(steps), seed))
    print("#   " + str(difference).replace("\n", "\n#   "))
    shrunk = shrink(service, steps, difference.kind, arguments.allow_weak, arguments.shrink_seconds)
    failed = play(service, shrunk, arguments.allow_weak)
    print("# shrunk to %d steps; replay them with run.py --replay FILE:" % len(shrunk))
    for op in shrunk:
        print(json.dumps(op))
    print("#   " + (str(failed[1]) if failed else "not reproduced").replace("\n", "\n#   "))


def check(service, arguments, seed):
    """Sequences of 'length' calls until there were enough; false: a difference."""
    calls = 0
    codes = {}
    followed = {}
    aged = 0
    waited = 0
    restarts = 0
    sequence = 0
    began = time.monotonic()
    while calls < arguments.calls:
        run = Run(service, arguments.allow_weak)
        source = Source("%d/%d" % (seed, sequence), run, arguments.restart_every)
        steps = []
        sequence += 1
        is_last = False
        while not is_last:
            is_last = len(steps) == arguments.length or calls == arguments.calls
            op = {"op": "look"} if is_last else source.next()
            steps.append(op)
            calls += not is_last
            restarts += op["op"] in ("restart", "crash")
            try:
                run.step(op)
            except Difference as difference:
                report(service, steps, difference, arguments, seed)
                return False
            key = op["op"]
            codes[key] = codes.get(key, 0) + 1
        aged += run.aged
        waited += run.waited
        for what, count in run.follower.counts.items():
            followed[what] = followed.get(what, 0) + count
    seconds = time.monotonic() - began
    print("# %d calls in %d sequences, %d restarts, %.0f s, %.0f calls/s, seed %d" %
          (calls, sequence, restarts, seconds, calls / seconds, seed))
    print("# %d calls waited for the lock, SAs ended by themselves %d times" % (waited, aged))
    print("# the stream: " + ", ".join("%d %s" % (n, what) for what, n in followed.items()))
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--length", type=int, default=5000, help="calls a sequence")
    parser.add_argument("--restart-every", type=int, default=1000, help="calls, on average")
    parser.add_argument("--allow-weak", action="store_true")
    parser.add_argument("--shrink-seconds", type=int, default=120)
    parser.add_argument("--replay", metavar="FILE")
    arguments = parser.parse_args()

    # What a killed process wrote is there: memory will do, and is faster.
    if os.access("/dev/shm", os.W_OK):
        tempfile.tempdir = "/dev/shm"
    load_statuses(os.path.join(os.path.dirname(HERE), "contract/fwp_errors.tsv"))
    service = Service(arguments.allow_weak)
    try:
        if arguments.replay:
            with open(arguments.replay, encoding="utf-8") as file:
                steps = [json.loads(line) for line in file if not line.startswith("#")]
            failed = play(service, steps, arguments.allow_weak)
            good = failed is None
            print("# all agree" if good else "# step %d: %s" % failed)
        else:
            good = check(service, arguments, arguments.seed)
    finally:
        service.close()
    print("%sok 1 - the service answers as the model does\n1..1" % ("" if good else "not "))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
