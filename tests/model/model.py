# SPDX-License-Identifier: Apache-2.0
"""The reference model: what the service has to answer, written from the specification of WFP.

It is slow, simple and has no store, no threads and no clock.  Objects have names in place of
identifiers: whoever sends the calls keeps the names and the service's identifiers together (see
wire.py).  A call is a dictionary, made by generator.py:

  {"op": "createSaContext", "who": "admin", "session": "s1", "as": "c1", "body": {...}}

Model.apply() checks it in the order of section 12 (session, transaction, kind of session, right,
members, values, addressed object, references, meaning, state, lock) and returns an Answer.  What is
refused leaves no trace."""

import copy

from base import Answer, Refused, need
from bundles import Bundles
from contexts import Contexts
from lifetimes import Lifetimes
from policy import Policies
from security import Security
from sessions import Sessions
from waiting import Lock


# What is counted since the start of the service.
COUNTERS = ("totalSasAdded", "totalSasDeleted", "successfulRekeys")


class Model(Sessions, Lock, Policies, Contexts, Bundles, Lifetimes, Security):
    def __init__(self, rights, allow_weak=False):
        """'rights': principal -> container -> rights, as the access file has them."""
        self.rights = rights
        self.allow_weak = allow_weak
        self.descriptors = {}  # that callers have set: container -> entries
        self.sessions = {}
        self.filters = {}
        self.provider_contexts = {}
        self.contexts = {}
        self.replays = {}
        self.changes = []  # of SA contexts since somebody took them: each a set in no order
        self.counters = dict.fromkeys(COUNTERS, 0)
        self.weights = {}  # effective weight of a filter, learnt from the service
        self.writer = None
        self.readers = set()
        self.others_wait = False  # for the lock, before whoever asks now

    # --- The call as such -----------------------------------------------------------------------

    def apply(self, op):
        """Runs a call; a dry run answers the same and leaves no trace."""
        if op.get("dryRun"):
            return self.twin().apply({k: v for k, v in op.items() if k != "dryRun"})
        try:
            return self.run(op)
        except Refused as refused:
            return Answer(refused.status, refused.code)

    def twin(self):
        """A copy to try something with.  What is never changed in place is shared."""
        shared = {id(part): part for part in (self.rights, self.weights)}
        return copy.deepcopy(self, {**shared, id(self.replays): dict(self.replays)})

    def run(self, op):
        return getattr(self, "op_" + op["op"])(op)

    def enter(self, op, container, right, rule="any"):
        """Steps 2 to 5 of section 12."""
        session = None
        if op.get("session") is not None:
            session = self.sessions.get(op["session"])
            need(session is not None and session.owner == op["who"], "ERROR_INVALID_HANDLE")
            need(not session.aborted, "FWP_E_SESSION_ABORTED")
        transaction = session.transaction if session else None
        if rule in ("direct", "no transaction"):
            need(transaction is None, "FWP_E_TXN_IN_PROGRESS")
        if rule == "direct":
            need(not (session and session.dynamic), "FWP_E_DYNAMIC_SESSION_IN_PROGRESS")
        if rule == "policy write":
            need(transaction != "readOnly", "FWP_E_INCOMPATIBLE_TXN")
        if rule == "transaction":
            need(transaction is not None, "FWP_E_NO_TXN_IN_PROGRESS")
        for one in right.split():
            need(self.has_right(op["who"], container, one), "ERROR_ACCESS_DENIED")
        return session

    def repeatable(self, op, session, run):
        """Idempotency-Key: successes are remembered, and given again to the same request."""
        if "key" not in op:
            return run()
        key, request = self.identity(op)
        if key in self.replays:
            first, answer = self.replays[key]
            need(first == request, "HTTP_E_STATUS_UNPROCESSABLE_CONTENT")
            return Answer(answer.status, None, answer.result, True)
        need(op["op"] == "commitTransaction" or
             not (session and session.transaction == "readWrite"), "FWP_E_INVALID_PARAMETER")
        answer = run()
        self.replays[key] = (request, copy.deepcopy(answer))
        return answer

    @staticmethod
    def identity(op):
        """What makes two keys the same key, and two requests the same request."""
        return ((op["who"], op["op"], op["key"]),
                (op.get("id"), op.get("session"), repr(op.get("body"))))

    def is_repeat(self, op):
        """Of what succeeded: begin and commit change what they ask of the session."""
        if "key" not in op or op.get("dryRun"):
            return False
        key, request = self.identity(op)
        return key in self.replays and self.replays[key][0] == request

    # --- Entity tags: an object's name and its version -----------------------------------------

    def check_if_match(self, op, thing):
        """If-Match goes by the version, and a weak tag never equals."""
        tags = op.get("ifMatch", "*")
        need(tags == "*" or any(name == op["id"] and version == thing.version and not weak
                                for name, version, weak in tags),
             "HTTP_E_STATUS_PRECOND_FAILED")

    def read(self, op, thing, shown):
        """For If-None-Match a weak tag is as good."""
        tags = op.get("ifNoneMatch", [])
        if tags == "*" or any(tuple(tag[:2]) == (op["id"], thing.version) for tag in tags):
            return Answer(304)
        return Answer(200, None, shown)

    # --- Restart --------------------------------------------------------------------------------

    def restart(self):
        """What is left after the process died: all but transactions, dynamic objects and keys."""
        for context in self.contexts.values():
            context.knows_key = False
        for name, session in self.sessions.items():
            self.end_session(name)
            session.aborted = True
        self.counters = dict.fromkeys(COUNTERS, 0)


