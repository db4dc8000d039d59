# SPDX-License-Identifier: Apache-2.0
"""What tests of watching share: a reader of /sa-contexts/events as server-sent events or as NDJSON,
and callers who make changes."""

import http.client
import json
import threading
import time


class Refused(Exception):
    def __init__(self, status, problem):
        super().__init__("%d %s" % (status, problem.get("code")))
        self.status = status
        self.problem = problem


class Watcher:
    """One stream.  'next' gives ("change"|"heartbeat"|"error", object, id), or None at the end."""

    def __init__(self, daemon, query="", headers=None, lines=False, connection=None, timeout=60):
        self.lines = lines
        self.connection = connection or daemon.http(timeout=timeout)
        sent = dict(headers or {})
        if lines:
            sent["Accept"] = "application/x-ndjson"
        self.connection.request("GET", "/sa-contexts/events" + query, headers=sent)
        self.answer = self.connection.getresponse()
        if self.answer.status != 200:
            raise Refused(self.answer.status, json.loads(self.answer.read()))
        self.last_id = None

    def next(self):
        return self.next_line() if self.lines else self.next_event()

    def next_line(self):
        line = self.answer.readline()
        if not line.endswith(b"\n"):
            return None
        item = json.loads(line)
        if item["type"] == "error":
            return "error", item["problem"], None
        self.last_id = item["sequence"]
        return ("heartbeat" if item["type"] == "heartbeat" else "change"), item, self.last_id

    def next_event(self):
        name, data, comment = "message", None, False
        while True:
            line = self.answer.readline()
            if not line.endswith(b"\n"):
                return None
            field, _, value = line.decode().rstrip("\n").partition(": ")
            if field == "id":
                self.last_id = int(value)
            elif field == "data":
                data = json.loads(value)
            elif field == "event":
                name = value
            elif field == "" and value:
                comment = True
            elif data is not None:
                return "error" if name == "error" else "change", data, self.last_id
            elif comment:
                return "heartbeat", None, self.last_id

    def changes(self, count):
        """The next so many changes, heartbeats left out; fewer when the stream ends."""
        found = []
        while len(found) < count:
            item = self.next()
            if item is None or item[0] == "error":
                break
            if item[0] == "change":
                found.append(item[1])
        return found

    def rest(self):
        """Everything up to the end."""
        items = []
        item = self.next()
        while item is not None:
            items.append(item)
            item = self.next()
        return items

    def close(self):
        self.answer.close()
        self.connection.close()


class Creators:
    """Threads that create 'each' contexts each, and remember what was acknowledged."""

    def __init__(self, daemon, filter_id, threads=8, each=150):
        self.daemon = daemon
        self.filter_id = filter_id
        self.each = each
        self.acknowledged = []
        self.failures = []
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        connection = self.daemon.http()
        for count in range(self.each):
            try:
                status, answer, _ = self.daemon.call("POST", "/sa-contexts", {
                    "localAddress": "192.0.2.1",
                    "remoteAddress": "10.%d.%d.%d" % (number, count >> 8 & 255, count & 255),
                    "trafficType": "transport", "ipsecFilterId": self.filter_id},
                    connection=connection)
            except Exception as error:  # the daemon was killed
                self.failures.append(repr(error))
                return
            if status != 201:
                self.failures.append((status, answer))
                return
            self.acknowledged.append(answer["id"])
        connection.close()

    def join(self):
        for thread in self.threads:
            thread.join()


def create(daemon, filter_id, remote="10.0.0.1", connection=None):
    status, answer, _ = daemon.call("POST", "/sa-contexts", {
        "localAddress": "192.0.2.1", "remoteAddress": remote, "trafficType": "transport",
        "ipsecFilterId": filter_id}, connection=connection)
    assert status == 201, answer
    return answer["id"]


def create_many(daemon, filter_id, count, connection=None):
    """In one request, and so in one commit."""
    status, answer, _ = daemon.call("POST", "/sa-contexts/batch", {"items": [
        {"localAddress": "192.0.2.1", "remoteAddress": "10.9.%d.%d" % (i >> 8, i & 255),
         "trafficType": "transport", "ipsecFilterId": filter_id} for i in range(count)]},
        connection=connection)
    assert status // 100 == 2, answer
    return answer


def refused(name, tap, daemon, status, code, **arguments):
    """Returns the problem."""
    try:
        Watcher(daemon, **arguments).close()
        tap.check(name, False, "it was let in")
    except Refused as error:
        tap.equal(name, (error.status, error.problem["code"]), (status, code))
        return error.problem
    return {}


def wait_for(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def metric(daemon, name):
    connection = http.client.HTTPConnection(*daemon.ops, timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return [int(line.split()[1]) for line in text.splitlines() if line.startswith(name + " ")][0]
