# SPDX-License-Identifier: Apache-2.0
"""Follows the stream of events: it has to be the model's changes, all of them, in their order.

Between two looks the stream runs beside the calls and nobody reads it.  A look takes all events that
there must be; then it begins anew where it is, in the other format, and nothing may come but the
heartbeat that says so.  After the service died it goes on where it was, if nothing was missed, and
has to be told otherwise."""

import http.client
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "api"))

import wire  # noqa: E402
from watch import Refused, Watcher  # noqa: E402


class Difference(Exception):
    """The daemon and the model disagree.  'kind' tells differences apart."""

    def __init__(self, text, kind="result"):
        super().__init__(text)
        self.kind = kind


class Follower:
    def __init__(self, service, names):
        self.service = service
        self.names = names
        self.stream = None
        self.lines = False
        self.last = None  # sequence seen
        self.is_level = False  # nothing happened since
        self.expected = []  # sets of changes, each in any order
        self.seen = []  # (sequence, event) of this run of the service
        self.start = None  # where they begin
        self.counts = {"events": 0, "resumed": 0, "told to start afresh": 0}

    # --- The stream -----------------------------------------------------------------------------

    def open(self, since=None, query=""):
        self.close()
        self.lines = not self.lines
        headers = {}
        if since is not None and self.lines:
            query += "%ssince=%d" % ("&" if query else "?", since)
        elif since is not None:
            headers["Last-Event-ID"] = str(since)
        context = wire.Connection.context_of(self.service.daemon, "admin")
        self.stream = Watcher(self.service.daemon, query, headers, self.lines,
                              self.service.daemon.http(context, timeout=60))

    def close(self):
        if self.stream is not None:
            self.stream.close()
            self.stream = None

    def begin(self):
        """From here on."""
        self.open()
        kind, _, self.last = self.next()
        if kind != "heartbeat":
            raise Difference("a stream that begins now begins with a %s" % kind)
        self.start, self.seen = self.last, []

    def next(self):
        item = self.stream.next()
        if item is None or item[0] == "error":
            raise Difference("the stream ended: %r" % (item,))
        return item

    # --- Looks ----------------------------------------------------------------------------------

    def expect(self, changes):
        self.is_level = False
        self.expected += [list(group) for group in changes]

    def look(self, op):
        """All events there must be, and not one more; and some once more, as a filter has them."""
        while self.expected:
            kind, event, sequence = self.next()
            if kind == "change":
                self.take(event)
            elif sequence >= self.sequence_now():
                raise Difference("the stream is at %d without the events %r" %
                                 (sequence, self.expected), "events missing")
        self.look_back(op)
        self.open(self.last)
        kind, event, sequence = self.next()
        if kind != "heartbeat":
            raise Difference("unexpected event %r" % event, "events added")
        if sequence < self.last:
            raise Difference("the heartbeat is at %d, the last event at %d" % (sequence, self.last))
        self.last = sequence
        self.is_level = True

    def take(self, event):
        if event["sequence"] <= self.last:
            raise Difference("the sequence fell from %d to %d" % (self.last, event["sequence"]))
        self.last = event["sequence"]
        shown = self.names.comparable(self.names.inward(event))
        if not self.expected:
            raise Difference("event %r of what did not happen" % event, "events added")
        group = self.expected[0]
        fitting = [change for change in group if self.names.comparable(change) == shown]
        if not fitting:
            raise Difference("event    %r\nexpected %r" % (shown, group), "events differ")
        group.remove(fitting[0])
        if not group:
            del self.expected[0]
        self.seen.append((self.last, event))
        self.counts["events"] += 1

    def look_back(self, op):
        """The last events of this run, read again through a filter."""
        back = op.get("back", 0)
        if not back:
            return
        earlier = [self.start] + [sequence for sequence, _ in self.seen]
        at = max(len(earlier) - 1 - back, 0)
        query = op.get("query", {})
        wanted = [event for _, event in self.seen[at:]
                  if all(event[member] == value for member, value in query.items())]
        self.open(earlier[at], "?" + "&".join("%s=%s" % item for item in query.items())
                  if query else "")
        for event in wanted:
            kind, got, _ = self.next()
            if (kind, got) != ("change", event):
                raise Difference("once more: %s %r\nexpected:  %r" % (kind, got, event),
                                 "events differ")
        if not wanted and self.next()[0] != "heartbeat":
            raise Difference("an event that the filter %r does not want" % query)

    def sequence_now(self):
        connection = self.service.connection("admin")
        connection.send("GET", "/sa-contexts?limit=1")
        status, _, answer = connection.receive()
        if status != 200:
            raise Difference("listing: %d" % status)
        return answer["sequence"]

    # --- The service dies -----------------------------------------------------------------------

    def rest(self):
        """What the dead service has sent before."""
        items = []
        try:
            item = self.stream.next()
            while item is not None:
                items.append(item)
                item = self.stream.next()
        except (OSError, ValueError, http.client.HTTPException):
            pass  # cut off in the middle
        self.close()
        return items

    def resume(self, items):
        """Goes on in the next run, after the rest of the one before."""
        events = [event for kind, event, _ in items if kind == "change"]
        for kind, event, sequence in items:
            if kind == "change":
                self.take(event)
            else:
                self.last = max(self.last, sequence)
        was_level = self.is_level and not events
        try:
            self.open(self.last)
        except Refused as refused:
            if (refused.status, refused.problem["code"]) != (410, "FWP_E_NOTIFICATION_DROPPED"):
                raise Difference("resuming: %s" % refused) from refused
            if was_level:
                raise Difference("nothing was missed, and yet: %r" % refused.problem) from refused
            if refused.problem["oldestSequence"] <= self.last:
                raise Difference("older than what was asked for: %r" % refused.problem) from refused
            self.counts["told to start afresh"] += 1
            self.expected = []
            self.last = self.sequence_now()
            self.open(self.last)
        else:
            if self.expected:
                raise Difference("missed in silence: %r" % self.expected, "events missing")
            self.counts["resumed"] += 1
        self.start, self.seen = self.last, []
