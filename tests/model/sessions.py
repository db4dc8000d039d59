# SPDX-License-Identifier: Apache-2.0
"""Sessions and transactions (sections 6.1 and 6.2)."""

from base import Answer, need


class Session:
    def __init__(self, owner, dynamic):
        self.owner = owner
        self.dynamic = dynamic
        self.transaction = None  # "readOnly", "readWrite"
        self.aborted = False


class Sessions:
    # --- Sessions and transactions (6.1, 6.2) ---------------------------------------------------

    def op_openSession(self, op):
        session = self.enter(op, "engine", "FWPM_ACTRL_OPEN")
        flags = op["body"].get("flags", [])
        need(set(flags) <= {"dynamic"}, "FWP_E_INVALID_FLAGS")
        return self.repeatable(op, session, lambda: self.open_session(op, flags))

    def open_session(self, op, flags):
        need(op["as"] not in self.sessions, "FWP_E_ALREADY_EXISTS")
        self.sessions[op["as"]] = Session(op["who"], "dynamic" in flags)
        return Answer(201, None, self.show_session(op["as"]))

    def show_session(self, name):
        session = self.sessions[name]
        return {"sessionKey": name, "flags": ["dynamic"] if session.dynamic else [],
                "transaction": session.transaction, "aborted": session.aborted,
                "openedBy": session.owner}

    def find_session(self, op):
        self.enter(op, "engine", "FWPM_ACTRL_OPEN")
        session = self.sessions.get(op["id"])
        need(session is not None and session.owner == op["who"], "ERROR_INVALID_HANDLE")
        return session

    def op_getSession(self, op):
        session = self.find_session(op)
        need(not session.aborted, "FWP_E_SESSION_ABORTED")
        return Answer(200, None, self.show_session(op["id"]))

    def op_closeSession(self, op):
        self.find_session(op)
        self.end_session(op["id"])
        del self.sessions[op["id"]]
        return Answer(204)

    def op_listSessions(self, op):
        self.enter(op, "engine", "FWPM_ACTRL_OPEN")
        return Answer(200, None, [self.show_session(name) for name, session
                                  in self.sessions.items() if session.owner == op["who"]])

    def end_session(self, name):
        """Rolls its transaction back and deletes its dynamic objects."""
        self.roll_back(name)
        for table in self.tables():
            for key in [k for k, o in table.items() if o.owner == name]:
                del table[key]

    def tables(self):
        return (self.filters, self.provider_contexts)

    def transaction_of(self, op, rule):
        return self.enter(dict(op, session=op["id"]), "engine", "",
                          "any" if self.is_repeat(op) else rule)

    def op_beginTransaction(self, op):
        session = self.transaction_of(op, "no transaction")
        flags = op["body"].get("flags", [])
        need(set(flags) <= {"readOnly"}, "FWP_E_INVALID_FLAGS")
        read_only = "readOnly" in flags
        return self.repeatable(op, session, lambda: self.begin(op, session, read_only))

    def begin(self, op, session, read_only):
        self.check_transaction_right(op, read_only)
        self.take_lock(not read_only)
        if read_only:
            session.transaction = "readOnly"
            self.readers.add(op["id"])
        else:
            session.transaction = "readWrite"
            self.writer = op["id"]
        return Answer(201, None, self.show_session(op["id"]))

    def check_transaction_right(self, op, read_only):
        right = "FWPM_ACTRL_BEGIN_READ_TXN" if read_only else "FWPM_ACTRL_BEGIN_WRITE_TXN"
        need(self.has_right(op["who"], "engine", right), "ERROR_ACCESS_DENIED")

    def op_commitTransaction(self, op):
        session = self.transaction_of(op, "transaction")
        return self.repeatable(op, session, lambda: self.commit(op, session))

    def commit(self, op, session):
        self.check_transaction_right(op, session.transaction == "readOnly")
        if session.transaction == "readWrite":
            for table in self.tables():
                for name, policy in table.items():
                    if policy.phase == "deleted":
                        self.check_unused(name, session)
            for table in self.tables():
                for name in [n for n, p in table.items() if p.phase == "deleted"]:
                    del table[name]
                for policy in table.values():
                    policy.phase = "committed"
        self.leave(op["id"])
        return Answer(204)

    def op_abortTransaction(self, op):
        self.transaction_of(op, "transaction")
        self.roll_back(op["id"])
        return Answer(204)

    def roll_back(self, name):
        if self.writer == name:
            for table in self.tables():
                for key in [k for k, p in table.items() if p.phase == "added"]:
                    del table[key]
                for policy in table.values():
                    policy.phase = "committed"
        self.leave(name)

    def leave(self, name):
        if self.writer == name:
            self.writer = None
        self.readers.discard(name)
        if name in self.sessions:
            self.sessions[name].transaction = None

