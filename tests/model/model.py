# SPDX-License-Identifier: Apache-2.0
"""The reference model: what the service has to answer, written from the specification of WFP.

It is slow, simple and has no store, no threads and no time.  Objects have names in place of
identifiers: whoever sends the calls keeps the names and the service's identifiers together (see
wire.py).  A call is a dictionary, made by generator.py:

  {"op": "createSaContext", "who": "admin", "session": "s1", "as": "c1", "body": {...}}

Model.apply() checks it in the order of section 12 (session, transaction, kind of session, right,
members, values, addressed object, references, meaning, state, lock) and returns an Answer.  What is
refused leaves no trace."""

import copy
import ipaddress

# --- Codes ------------------------------------------------------------------------------------

# HTTP statuses of what is not in the table of WFP's codes.
STATUSES = {
    "ERROR_ACCESS_DENIED": 403,
    "ERROR_INVALID_HANDLE": 404,
    "HTTP_E_STATUS_UNPROCESSABLE_CONTENT": 422,
    "HTTP_E_STATUS_PRECOND_FAILED": 412,
}


def load_statuses(path):
    """The column http_status of the table of codes."""
    with open(path, encoding="utf-8") as table:
        for line in table:
            cells = line.rstrip("\n").split("\t")
            if cells[0].startswith("FWP_E_"):
                STATUSES[cells[0]] = int(cells[3])


class Refused(Exception):
    """A call that is not possible.  What does not exist is 404 in the path, 422 in the body."""

    def __init__(self, code, in_body=False):
        super().__init__(code)
        self.code = code
        self.status = STATUSES[code]
        if in_body and self.status == 404:
            self.status = 422


class Answer:
    def __init__(self, status, code=None, result=None, replayed=False):
        self.status = status
        self.code = code
        self.result = result
        self.replayed = replayed

    def __repr__(self):
        return "%d %s %r%s" % (self.status, self.code, self.result,
                               " (replayed)" if self.replayed else "")


def need(condition, code, in_body=False):
    if not condition:
        raise Refused(code, in_body)


# --- Tables of section 4 ----------------------------------------------------------------------

# Key bytes, whether it is GCM, whether it is weak.
AUTH = {
    "HMAC_MD5_96": (16, False, True),
    "HMAC_SHA_1_96": (20, False, False),
    "HMAC_SHA_256_128": (32, False, False),
    "GCM_AES_128": (20, True, False),
    "GCM_AES_192": (28, True, False),
    "GCM_AES_256": (36, True, False),
}
CIPHER = {
    "CBC_DES": (8, False, True),
    "CBC_3DES": (24, False, True),
    "AES_128": (16, False, False),
    "AES_192": (24, False, False),
    "AES_256": (32, False, False),
    "GCM_AES_128": (20, True, False),
    "GCM_AES_192": (28, True, False),
    "GCM_AES_256": (36, True, False),
}
TYPES = {"ah": "auth", "espAuth": "auth", "espCipher": "cipher", "espAuthAndCipher": "both",
         "espAuthFw": "auth"}
BUNDLE_FLAGS = {
    "ndSecure", "ndBoundary", "ndPeerNatBoundary", "guaranteeEncryption", "nlb",
    "noMachineLuidVerify", "noImpersonationLuidVerify", "noExplicitCredMatch",
    "allowNullTargetNameMatch", "clearDfOnTunnel", "assumeUdpContextOutbound", "ndPeerBoundary",
    "suppressDuplicateDeletion", "peerSupportsGuaranteeEncryption", "forceInboundConnections"}

# --- Tables of section 5 ----------------------------------------------------------------------

CALLOUTS = {}
for _version in ("V4", "V6"):
    for _direction in ("Inbound", "Outbound"):
        for _mode in ("Transport", "Tunnel"):
            CALLOUTS["ipsec%s%s%s" % (_direction, _mode, _version)] = \
                "%sTransport%s" % (_direction.lower(), _version)
LAYERS = {"%sTransport%s" % (d, v) for d in ("inbound", "outbound") for v in ("V4", "V6")}
FIELDS = {"ipLocalAddress", "ipRemoteAddress", "ipProtocol", "ipLocalPort", "ipRemotePort"}


def version_of(address):
    return "v4" if ipaddress.ip_address(address).version == 4 else "v6"


def is_unicast(address):
    address = ipaddress.ip_address(address)
    return not (address.is_unspecified or address.is_multicast or
                str(address) == "255.255.255.255")


def key_bytes(text):
    return bytes.fromhex(text.removeprefix("hex:"))


# --- Objects ----------------------------------------------------------------------------------


class Session:
    def __init__(self, owner, dynamic):
        self.owner = owner
        self.dynamic = dynamic
        self.transaction = None  # "readOnly", "readWrite"
        self.aborted = False


class Policy:
    """A filter or provider context.  'phase' says what the open write transaction did to it."""

    def __init__(self, spec, owner, creator):
        self.spec = spec
        self.owner = owner  # the dynamic session it ends with
        self.creator = creator
        self.phase = "committed"


class Context:
    def __init__(self, traffic, creator):
        self.traffic = traffic
        self.creator = creator
        self.inbound_filter = 0
        self.state = "created"
        self.spi = None
        self.inbound = None
        self.outbound = None
        self.labels = {}
        self.predecessor = None
        self.knows_key = True  # of the inbound SAs, to compare with


class Model:
    def __init__(self, rights, allow_weak=False):
        """'rights': principal -> container -> set of rights."""
        self.rights = rights
        self.allow_weak = allow_weak
        self.sessions = {}
        self.filters = {}
        self.provider_contexts = {}
        self.contexts = {}
        self.replays = {}
        self.weights = {}  # effective weight of a filter, learnt from the service
        self.writer = None
        self.readers = set()

    # --- The call as such -----------------------------------------------------------------------

    def apply(self, op):
        """Runs a call; a dry run answers the same and leaves no trace."""
        if op.get("dryRun"):
            return copy.deepcopy(self).apply({k: v for k, v in op.items() if k != "dryRun"})
        try:
            return self.run(op)
        except Refused as refused:
            return Answer(refused.status, refused.code)

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

    def has_right(self, who, container, right):
        return right in self.rights[who].get(container, ())

    def repeatable(self, op, session, run):
        """Idempotency-Key: successes are remembered, and given again to the same request."""
        if "key" not in op:
            return run()
        need(not (session and session.transaction == "readWrite"), "FWP_E_INVALID_PARAMETER")
        key = (op["who"], op["op"], op["key"])
        request = (op.get("id"), op.get("session"), repr(op.get("body")))
        if key in self.replays:
            first, answer = self.replays[key]
            need(first == request, "HTTP_E_STATUS_UNPROCESSABLE_CONTENT")
            return Answer(answer.status, None, answer.result, True)
        answer = run()
        self.replays[key] = (request, copy.deepcopy(answer))
        return answer

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
        return self.enter(dict(op, session=op["id"]), "engine", "", rule)

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

    def take_lock(self, writes):
        """One writer or many readers.  Nobody waits here: the time to wait is 0."""
        need(self.writer is None and not (writes and self.readers), "FWP_E_TIMEOUT")

    def op_commitTransaction(self, op):
        session = self.transaction_of(op, "transaction")
        self.check_transaction_right(op, session.transaction == "readOnly")
        if session.transaction == "readWrite":
            for table in self.tables():
                for name, policy in table.items():
                    if policy.phase == "deleted":
                        self.check_unused(name)
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

    # --- Filters (5.1) --------------------------------------------------------------------------

    def visible(self, table, session):
        """Only the writer sees what its transaction did."""
        hidden = "deleted" if session and session.transaction == "readWrite" else "added"
        return {name: p for name, p in table.items() if p.phase != hidden}

    def op_addFilter(self, op):
        session = self.enter(op, "filters", "FWPM_ACTRL_ADD FWPM_ACTRL_ADD_LINK", "policy write")
        return self.repeatable(op, session, lambda: self.add_filter(op, session))

    def add_filter(self, op, session):
        spec = op["body"]
        self.check_filter(spec)
        self.add_policy(self.filters, op, session)
        return Answer(201, None, {"id": op["as"], "key": spec.get("key")})

    def check_filter(self, spec):
        need(spec.get("displayData", {}).get("name"), "FWP_E_NULL_DISPLAY_NAME")
        need(spec["layer"] in LAYERS, "FWP_E_LAYER_NOT_FOUND", True)
        weight = spec.get("weight")
        if isinstance(weight, dict):
            need(0 <= weight["range"] <= 15, "FWP_E_INVALID_WEIGHT")
        fields = [c["field"] for c in spec.get("conditions", [])]
        need(set(fields) <= FIELDS, "FWP_E_CONDITION_NOT_FOUND", True)
        need(len(set(fields)) == len(fields), "FWP_E_DUPLICATE_CONDITION")
        action = spec["action"]
        if action["type"] in ("block", "permit"):
            return
        need(action["type"] == "calloutTerminating", "FWP_E_INVALID_ACTION_TYPE")
        need(action["callout"] in CALLOUTS, "FWP_E_CALLOUT_NOT_FOUND", True)
        need(CALLOUTS[action["callout"]] == spec["layer"], "FWP_E_ACTION_INCOMPATIBLE_WITH_LAYER")
        need("Tunnel" not in action["callout"], "FWP_E_CONTEXT_INCOMPATIBLE_WITH_CALLOUT")

    def add_policy(self, table, op, session):
        guid = op["body"].get("key")
        need(guid is None or all(p.spec.get("key") != guid for p in table.values()),
             "FWP_E_ALREADY_EXISTS")
        dynamic = session is not None and session.dynamic
        policy = Policy(op["body"], op["session"] if dynamic else None, op["who"])
        if session and session.transaction == "readWrite":
            policy.phase = "added"
        else:
            self.take_lock(True)
        table[op["as"]] = policy

    def op_getFilter(self, op):
        session = self.enter(op, "filters", "FWPM_ACTRL_READ")
        need(op["id"] in self.visible(self.filters, session), "FWP_E_FILTER_NOT_FOUND")
        return Answer(200, None, self.show_filter(op["id"]))

    def show_filter(self, name):
        policy = self.filters[name]
        return dict(policy.spec, id=name, createdBy=policy.creator, subLayer="universal",
                    lifetime="static" if policy.owner is None else "dynamic")

    def op_listFilters(self, op):
        session = self.enter(op, "filters", "FWPM_ACTRL_ENUM FWPM_ACTRL_READ")
        layer = op.get("query", {}).get("layer")
        return Answer(200, None, [self.show_filter(name) for name, p
                                  in self.visible(self.filters, session).items()
                                  if layer in (None, p.spec["layer"])])

    def op_deleteFilter(self, op):
        session = self.enter(op, "filters", "DELETE", "policy write")
        self.delete_policy(self.filters, op, session, "FWP_E_FILTER_NOT_FOUND")
        return Answer(204)

    def delete_policy(self, table, op, session, not_found):
        need(op["id"] in self.visible(table, session), not_found)
        policy = table[op["id"]]
        if session is not None and session.dynamic:
            need(policy.owner is not None, "FWP_E_DYNAMIC_SESSION_IN_PROGRESS")
            need(policy.owner == op["session"], "FWP_E_WRONG_SESSION")
        self.check_unused(op["id"])
        in_transaction = session is not None and session.transaction == "readWrite"
        if in_transaction and policy.phase == "committed":
            policy.phase = "deleted"
            return
        if not in_transaction:
            self.take_lock(True)
        del table[op["id"]]

    def check_unused(self, name):
        need(all(name not in (c.traffic.get("ipsecFilterId"), c.traffic.get("tunnelPolicyId"))
                 for c in self.contexts.values()), "FWP_E_IN_USE")

    # --- Provider contexts (5.3) ----------------------------------------------------------------

    def op_addProviderContext(self, op):
        session = self.enter(op, "providerContexts", "FWPM_ACTRL_ADD", "policy write")
        return self.repeatable(op, session, lambda: self.add_provider_context(op, session))

    def add_provider_context(self, op, session):
        spec = op["body"]
        need(spec.get("displayData", {}).get("name"), "FWP_E_NULL_DISPLAY_NAME")
        policy = spec.get("tunnelPolicy") or spec.get("transportPolicy")
        need(policy["ipsecProposals"], "FWP_E_ZERO_LENGTH_ARRAY")
        for proposal in policy["ipsecProposals"]:
            need(any(proposal["lifetime"].values()), "FWP_E_INVALID_INTERVAL")
        if "tunnelPolicy" in spec:
            ends = policy["tunnelEndpoints"]
            need(is_unicast(ends["localAddress"]) and is_unicast(ends["remoteAddress"]) and
                 ends["localAddress"] != ends["remoteAddress"], "FWP_E_INVALID_PARAMETER")
        self.add_policy(self.provider_contexts, op, session)
        return Answer(201, None, {"id": op["as"], "key": spec.get("key")})

    def op_getProviderContext(self, op):
        session = self.enter(op, "providerContexts", "FWPM_ACTRL_READ")
        need(op["id"] in self.visible(self.provider_contexts, session),
             "FWP_E_PROVIDER_CONTEXT_NOT_FOUND")
        return Answer(200, None, self.show_provider_context(op["id"]))

    def show_provider_context(self, name):
        policy = self.provider_contexts[name]
        shown = copy.deepcopy(policy.spec)
        if "tunnelPolicy" in shown:
            ends = shown["tunnelPolicy"]["tunnelEndpoints"]
            ends["ipVersion"] = version_of(ends["localAddress"])
        return dict(shown, id=name, createdBy=policy.creator,
                    lifetime="static" if policy.owner is None else "dynamic")

    def op_listProviderContexts(self, op):
        session = self.enter(op, "providerContexts", "FWPM_ACTRL_ENUM FWPM_ACTRL_READ")
        return Answer(200, None, [self.show_provider_context(name) for name
                                  in self.visible(self.provider_contexts, session)])

    def op_deleteProviderContext(self, op):
        session = self.enter(op, "providerContexts", "DELETE", "policy write")
        self.delete_policy(self.provider_contexts, op, session,
                           "FWP_E_PROVIDER_CONTEXT_NOT_FOUND")
        return Answer(204)

    # --- What SA contexts refer to (12, "Create, reference checks") ------------------------------

    def find_filter(self, op, name):
        """What a caller may not read, and what is not committed, does not exist for a create."""
        policy = self.filters.get(name)
        need(policy is not None and policy.phase != "added" and
             self.has_right(op["who"], "filters", "FWPM_ACTRL_READ"),
             "FWP_E_FILTER_NOT_FOUND", True)
        return policy

    def check_traffic(self, op, traffic):
        for member in ("localAddress", "remoteAddress", "trafficType"):
            need(traffic.get(member) is not None, "FWP_E_NULL_POINTER")
        need(traffic["trafficType"] in ("transport", "tunnel"), "FWP_E_INVALID_ENUMERATOR")
        need(version_of(traffic["localAddress"]) == version_of(traffic["remoteAddress"]) ==
             traffic.get("ipVersion", version_of(traffic["localAddress"])), "FWP_E_TYPE_MISMATCH")
        if traffic["trafficType"] == "transport":
            need(traffic.get("ipsecFilterId") is not None, "FWP_E_NULL_POINTER")
            policy = self.find_filter(op, traffic["ipsecFilterId"])
            self.check_filter_of(policy, traffic, "outbound")
            need("tunnelPolicyId" not in traffic, "FWP_E_INVALID_PARAMETER")
        else:
            self.check_tunnel_traffic(op, traffic)

    def check_tunnel_traffic(self, op, traffic):
        need(traffic.get("tunnelPolicyId") is not None, "FWP_E_NULL_POINTER")
        policy = self.provider_contexts.get(traffic["tunnelPolicyId"])
        need(policy is not None and policy.phase != "added" and
             self.has_right(op["who"], "providerContexts", "FWPM_ACTRL_READ"),
             "FWP_E_PROVIDER_CONTEXT_NOT_FOUND", True)
        need("tunnelPolicy" in policy.spec, "FWP_E_PROVIDER_CONTEXT_MISMATCH")
        need(policy.owner is None, "FWP_E_LIFETIME_MISMATCH")
        self.check_tunnel_ends(traffic)
        need(not any(m in traffic for m in ("ipsecFilterId", "localPort", "remotePort",
                                            "ipProtocol")), "FWP_E_INVALID_PARAMETER")

    def check_tunnel_ends(self, traffic):
        policy = self.provider_contexts[traffic["tunnelPolicyId"]]
        ends = policy.spec["tunnelPolicy"]["tunnelEndpoints"]
        need(all(traffic[m] == ends[m] for m in ("localAddress", "remoteAddress")),
             "FWP_E_INVALID_PARAMETER")

    def check_filter_of(self, policy, traffic, direction):
        version = version_of(traffic["localAddress"])
        spec = policy.spec
        # The inbound filter is named for the SPI only and may be deleted at any time.
        need(direction == "inbound" or policy.owner is None, "FWP_E_LIFETIME_MISMATCH")
        need(spec["layer"] == "%sTransport%s" % (direction, version.upper()),
             "FWP_E_INCOMPATIBLE_LAYER")
        self.check_addresses(traffic)
        need("Transport" in spec["action"].get("callout", ""), "FWP_E_INVALID_PARAMETER")
        need(self.fits(spec, traffic), "FWP_E_INVALID_PARAMETER")

    def check_addresses(self, traffic):
        need(is_unicast(traffic["localAddress"]) and is_unicast(traffic["remoteAddress"]),
             "FWP_E_INVALID_PARAMETER")

    def fits(self, spec, traffic):
        """The addresses satisfy the conditions; a number that is given does not contradict."""
        for condition in spec.get("conditions", []):
            value = traffic_value(traffic, condition["field"])
            if value and not holds(condition, value):
                return False
        return True

    def mirror(self, traffic):
        """The inbound filter that would classify the flow: an unknown number meets no condition."""
        if traffic["trafficType"] == "tunnel":
            return 0
        flow = dict(traffic)
        for condition in self.filters[traffic["ipsecFilterId"]].spec.get("conditions", []):
            member = MEMBERS[condition["field"]]
            if not flow.get(member):
                flow[member] = condition["value"]
        layer = "inboundTransport" + version_of(traffic["localAddress"]).upper()
        found = [name for name, p in self.filters.items()
                 if p.phase != "added" and p.spec["layer"] == layer and
                 "InboundTransport" in p.spec["action"].get("callout", "") and
                 all(holds(c, flow.get(MEMBERS[c["field"]], 0))
                     for c in p.spec.get("conditions", []))]
        # The highest weight; of equal ones the oldest, and filters are in the order of their ids.
        return max(found, key=lambda name: self.weights[name], default=0)

    # --- SA contexts (7.1 to 7.7, 9) ------------------------------------------------------------

    def op_createSaContext(self, op):
        session = self.enter(op, "saDatabase", "FWPM_ACTRL_ADD", "direct")
        return self.repeatable(
            op, session, lambda: Answer(201, None, self.create(op, op["as"], op["body"])))

    def create(self, op, name, body):
        """Create, and what else comes with it, in the order of the single calls."""
        traffic = {m: body[m] for m in TRAFFIC_MEMBERS if m in body}
        self.check_labels(body.get("labels", {}))
        need(body.get("spi", 256) not in range(256), "FWP_E_OUT_OF_BOUNDS")
        for direction in ("inbound", "outbound"):
            if direction in body:
                self.check_bundle_values(body[direction], direction)
        self.check_traffic(op, traffic)
        context = Context(dict(traffic, ipVersion=version_of(traffic["localAddress"])), op["who"])
        context.inbound_filter = self.mirror(traffic)
        context.labels = body.get("labels", {})
        self.key_at_once(op, name, context, body)
        self.contexts[name] = context
        return {"id": name, "inboundFilterId": context.inbound_filter, "spi": context.spi,
                "state": None if context.state == "created" else context.state}

    def key_at_once(self, op, name, context, body):
        need(not ("spi" in body and body.get("getSpi")), "FWP_E_INVALID_PARAMETER")
        if "spi" in body or body.get("getSpi") or "inboundFilterId" in body:
            self.choose_inbound_filter(op, context, body.get("inboundFilterId"))
        if "spi" in body or body.get("getSpi"):
            self.assign_spi(context, body.get("spi", "spi@" + name))
        if "inbound" in body:
            self.check_bundle(context, body["inbound"], "inbound", True)
            need(context.state == "spiSet", "FWP_E_INCOMPATIBLE_SA_STATE")
            self.take_bundle(context, body["inbound"], "inbound")
        if "outbound" in body:
            self.check_bundle(context, body["outbound"], "outbound")
            need(context.state == "inbound", "FWP_E_INCOMPATIBLE_SA_STATE")
            self.take_bundle(context, body["outbound"], "outbound")
            self.replace_others(name, context)

    def op_createSaContexts(self, op):
        session = self.enter(op, "saDatabase", "FWPM_ACTRL_ADD", "direct")
        return self.repeatable(op, session, lambda: self.create_all(op))

    def create_all(self, op):
        body = op["body"]
        need(body["items"], "FWP_E_ZERO_LENGTH_ARRAY")
        before = copy.deepcopy(self.contexts)
        results = []
        for name, item in zip(op["as"], body["items"]):
            try:
                results.append(self.create(op, name, item))
            except Refused as refused:
                if body.get("atomic", True):
                    self.contexts = before
                    raise
                results.append({"error": {"status": refused.status, "code": refused.code}})
        return Answer(200, None, {"items": results})

    def find(self, op):
        need(op["id"] in self.contexts, "FWP_E_NOT_FOUND")
        return self.contexts[op["id"]]

    def op_getSaContext(self, op):
        self.enter(op, "saDatabase", "FWPM_ACTRL_READ")
        self.find(op)
        return Answer(200, None, self.show_context(op["id"]))

    def show_context(self, name):
        context = self.contexts[name]
        inbound_filter = self.filters.get(context.inbound_filter)
        committed = inbound_filter is not None and inbound_filter.phase != "added"
        return {"id": name, "state": context.state, "outboundTraffic": context.traffic,
                "inboundFilterId": context.inbound_filter if committed else 0,
                "spi": context.spi, "inbound": show_bundle(context.inbound, context.spi),
                "outbound": show_bundle(context.outbound), "labels": context.labels,
                "predecessorId": context.predecessor, "createdBy": context.creator}

    def op_listSaContexts(self, op):
        self.enter(op, "saDatabase", "FWPM_ACTRL_ENUM FWPM_ACTRL_READ")
        query = op.get("query", {})
        subnets = [ipaddress.ip_network(query[m]) for m in ("localAddress", "remoteAddress")
                   if m in query]
        need(len({s.version for s in subnets}) < 2, "FWP_E_NEVER_MATCH")
        return Answer(200, None, [self.show_context(name) for name, c in self.contexts.items()
                                  if matches(c, query)])

    def op_deleteSaContext(self, op):
        self.enter(op, "saDatabase", "DELETE", "direct")
        self.find(op)
        del self.contexts[op["id"]]
        return Answer(204)

    def op_getSpi(self, op):
        session = self.enter(op, "saDatabase", "FWPM_ACTRL_ADD", "no transaction")
        return self.repeatable(op, session, lambda: self.set_spi(op, "spi@" + op["id"], True))

    def op_setSpi(self, op):
        self.enter(op, "saDatabase", "FWPM_ACTRL_ADD", "no transaction")
        need(op["body"]["spi"] not in range(256), "FWP_E_OUT_OF_BOUNDS")
        return self.set_spi(op, op["body"]["spi"], False)

    def set_spi(self, op, spi, draws):
        context = self.find(op)
        body = op["body"]
        chosen = copy.copy(context)
        self.choose_inbound_filter(op, chosen, body.get("ipsecFilterId"))
        for member in ("localAddress", "remoteAddress"):
            need(body.get(member, context.traffic[member]) == context.traffic[member],
                 "FWP_E_TRAFFIC_MISMATCH")
        if context.state == "spiSet" and (draws or spi == context.spi):
            return Answer(200, None, {"spi": context.spi})
        need(context.state == "created", "FWP_E_INCOMPATIBLE_SA_STATE")
        self.assign_spi(chosen, spi)
        self.contexts[op["id"]] = chosen
        return Answer(200, None, {"spi": spi})

    def choose_inbound_filter(self, op, context, name):
        """GetSpi's and SetSpi's filter; left out it is the mirrored one."""
        if context.traffic["trafficType"] == "tunnel":
            need(name is None, "FWP_E_TRAFFIC_MISMATCH")
            return
        if name is None:
            known = context.inbound_filter in self.filters and \
                self.filters[context.inbound_filter].phase != "added"
            need(context.spi is not None or known, "FWP_E_NULL_POINTER")
            return
        policy = self.find_filter(op, name)
        self.check_filter_of(policy, context.traffic, "inbound")
        need(context.spi is None or name == context.inbound_filter, "FWP_E_TRAFFIC_MISMATCH")
        context.inbound_filter = name

    def assign_spi(self, context, spi):
        need(all(c.spi != spi for c in self.contexts.values()), "FWP_E_ALREADY_EXISTS")
        context.spi = spi
        context.state = "spiSet"

    def op_addInbound(self, op):
        return self.add_bundle(op, "inbound", "spiSet")

    def op_addOutbound(self, op):
        return self.add_bundle(op, "outbound", "inbound")

    def add_bundle(self, op, direction, wanted):
        session = self.enter(op, "saDatabase", "FWPM_ACTRL_ADD", "no transaction")
        self.check_bundle_values(op["body"], direction)

        def run():
            context = self.find(op)
            self.check_bundle(context, op["body"], direction)
            need(context.state == wanted, "FWP_E_INCOMPATIBLE_SA_STATE")
            self.take_bundle(context, op["body"], direction)
            if direction == "outbound":
                self.replace_others(op["id"], context)
            return Answer(201, None, self.show_context(op["id"]))

        return self.repeatable(op, session, run)

    def take_bundle(self, context, bundle, direction):
        setattr(context, direction, bundle)
        context.knows_key = context.knows_key or direction == "inbound"
        context.state = "inbound" if direction == "inbound" else "active"

    def replace_others(self, name, context):
        """The older ones of the same traffic lose their outbound SAs, and the one replaced."""
        keep = "suppressDuplicateDeletion" in context.outbound.get("flags", [])
        for other_name, other in self.contexts.items():
            if other_name == name or other.outbound is None:
                continue
            same = other.traffic == context.traffic
            if other_name == context.predecessor or (same and not keep):
                other.outbound = None
                other.state = "expiring"

    def op_expireSaContext(self, op):
        self.enter(op, "saDatabase", "DELETE", "no transaction")
        context = self.find(op)
        if context.inbound is None:
            del self.contexts[op["id"]]
        else:
            context.outbound = None
            context.state = "expiring"
        return Answer(204)

    def op_rotateSaContext(self, op):
        session = self.enter(op, "saDatabase", "FWPM_ACTRL_ADD", "direct")
        body = op["body"]
        need("inbound" in body, "FWP_E_NULL_POINTER")
        return self.repeatable(op, session, lambda: self.rotate(op, body))

    def rotate(self, op, body):
        for direction in ("inbound", "outbound"):
            if direction in body:
                self.check_bundle_values(body[direction], direction)
        old = self.find(op)
        need(old.state == "active", "FWP_E_INCOMPATIBLE_SA_STATE")
        context = Context(dict(old.traffic), op["who"])
        kept = self.filters.get(old.inbound_filter)
        committed = kept is not None and kept.phase != "added"
        context.inbound_filter = old.inbound_filter if committed else self.mirror(old.traffic)
        context.labels = old.labels
        context.predecessor = op["id"]
        wanted = dict(body, getSpi=True) if "spi" not in body else body
        self.key_at_once(op, op["as"], context, wanted)
        self.contexts[op["as"]] = context
        return Answer(201, None, self.show_context(op["as"]))

    def op_updateSaContext(self, op):
        self.enter(op, "saDatabase", "FWPM_ACTRL_ADD", "no transaction")
        body = op["body"]
        need(body, "FWP_E_INVALID_FLAGS")
        if "labels" in body:
            self.check_labels(body["labels"])
        for direction in ("inbound", "outbound"):
            if direction in body:
                need(set(body[direction].get("flags", [])) <= BUNDLE_FLAGS, "FWP_E_INVALID_FLAGS")
                self.check_ports(body[direction])
        context = self.find(op)
        changed = copy.deepcopy(context)
        if "outboundTraffic" in body:
            addresses = body["outboundTraffic"]
            need(version_of(addresses["localAddress"]) == context.traffic["ipVersion"],
                 "FWP_E_TRAFFIC_MISMATCH")
            changed.traffic.update(addresses)
            self.check_addresses(changed.traffic)
            if context.traffic["trafficType"] == "transport":
                need(self.fits(self.filters[context.traffic["ipsecFilterId"]].spec,
                               changed.traffic), "FWP_E_INVALID_PARAMETER")
            else:
                self.check_tunnel_ends(changed.traffic)
        for direction in ("inbound", "outbound"):
            bundle = getattr(changed, direction)
            if direction in body and bundle is not None:
                bundle.update(body[direction])
                self.check_bundle_meaning(context, bundle, body[direction])
        if "outboundTraffic" in body or body.get("outbound"):
            need(context.state == "active", "FWP_E_INCOMPATIBLE_SA_STATE")
        if body.get("inbound"):
            need(context.state in ("inbound", "active"), "FWP_E_INCOMPATIBLE_SA_STATE")
        if "labels" in body:
            changed.labels = body["labels"]
        self.contexts[op["id"]] = changed
        return Answer(200, None, self.show_context(op["id"]))

    def check_labels(self, labels):
        need(len(labels) <= 16, "FWP_E_OUT_OF_BOUNDS")

    # --- Bundles (4.4 to 4.6, 7.3, 12) ----------------------------------------------------------

    def check_bundle_values(self, bundle, direction):
        need(bundle["saList"], "FWP_E_ZERO_LENGTH_ARRAY")
        need(len(bundle["saList"]) <= 2, "FWP_E_OUT_OF_BOUNDS")
        for sa in bundle["saList"]:
            need(sa["saTransformType"] in TYPES, "FWP_E_INVALID_ENUMERATOR")
            auth, cipher = sa.get("authTransform"), sa.get("cipherTransform")
            need(auth is None or auth in AUTH, "FWP_E_INVALID_AUTH_TRANSFORM")
            need(cipher is None or cipher in CIPHER, "FWP_E_INVALID_CIPHER_TRANSFORM")
            what = TYPES[sa["saTransformType"]]
            need(what == "cipher" or auth, "FWP_E_NULL_POINTER")
            need(what == "auth" or cipher, "FWP_E_NULL_POINTER")
            need(what == "auth" or sa.get("cipherKey"), "FWP_E_NULL_POINTER")
            gcm = AUTH.get(auth, (0, False))[1] or CIPHER.get(cipher, (0, False))[1]
            need(what == "cipher" or sa.get("authKey") or (what == "both" and gcm),
                 "FWP_E_NULL_POINTER")
            need(direction == "inbound" or sa["spi"] not in range(256), "FWP_E_OUT_OF_BOUNDS")
        need(set(bundle.get("flags", [])) <= BUNDLE_FLAGS, "FWP_E_INVALID_FLAGS")
        self.check_ports(bundle)

    def check_ports(self, bundle):
        ports = bundle.get("udpEncapsulation", {"localPort": 1, "remotePort": 1})
        need(all(ports.values()), "FWP_E_OUT_OF_BOUNDS")

    def check_bundle(self, context, bundle, direction, zero_is_own=False):
        sas = bundle["saList"]
        types = [sa["saTransformType"] for sa in sas]
        need(len(sas) == 1 or (types[0] != "ah" and types[1] == "ah"), "FWP_E_INVALID_PARAMETER")
        for sa in sas:
            self.check_transform(sa)
        if not self.allow_weak:
            self.check_strength(sas)
        for sa in sas:
            self.check_keys(sa)
        self.check_bundle_meaning(context, bundle, bundle)
        if direction == "inbound" and context.spi is not None:
            need(all(sa["spi"] == context.spi or (zero_is_own and sa["spi"] == 0) for sa in sas),
                 "FWP_E_INVALID_PARAMETER")
        other = context.outbound if direction == "inbound" else context.inbound
        if other is not None:
            need([sa["saTransformType"] for sa in other["saList"]] == types,
                 "FWP_E_INVALID_PARAMETER")
            ids = {bundle.get("qmSaId", 0), other.get("qmSaId", 0)} - {0}
            need(len(ids) < 2, "FWP_E_INVALID_PARAMETER")
        if direction == "outbound" and context.inbound is not None and context.knows_key:
            self.check_own_key(sas, context.inbound["saList"])

    def check_transform(self, sa):
        what = TYPES[sa["saTransformType"]]
        need(sa["saTransformType"] != "espAuthFw", "FWP_E_INVALID_AUTH_TRANSFORM")
        need(what != "cipher" or "authTransform" not in sa, "FWP_E_INVALID_PARAMETER")
        need(what != "auth" or "cipherTransform" not in sa, "FWP_E_INVALID_PARAMETER")
        auth_size, auth_gcm, _ = AUTH.get(sa.get("authTransform"), (0, False, False))
        cipher_size, cipher_gcm, _ = CIPHER.get(sa.get("cipherTransform"), (0, False, False))
        need(not (sa["saTransformType"] == "ah" and auth_gcm), "FWP_E_INVALID_AUTH_TRANSFORM")
        need(not (what == "cipher" and cipher_gcm), "FWP_E_INVALID_CIPHER_TRANSFORM")
        if what == "both":
            need(auth_gcm == cipher_gcm and (not auth_gcm or auth_size == cipher_size),
                 "FWP_E_INVALID_CIPHER_TRANSFORM")

    def check_strength(self, sas):
        for sa in sas:
            need(not AUTH.get(sa.get("authTransform"), (0, 0, False))[2],
                 "FWP_E_INVALID_AUTH_TRANSFORM")
            need(not CIPHER.get(sa.get("cipherTransform"), (0, 0, False))[2],
                 "FWP_E_INVALID_CIPHER_TRANSFORM")
        kinds = {TYPES[sa["saTransformType"]] for sa in sas}
        need(kinds & {"cipher", "both"}, "FWP_E_INVALID_CIPHER_TRANSFORM")
        need(kinds & {"auth", "both"}, "FWP_E_INVALID_AUTH_TRANSFORM")

    def check_keys(self, sa):
        what = TYPES[sa["saTransformType"]]
        need(what != "cipher" or "authKey" not in sa, "FWP_E_INVALID_PARAMETER")
        need(what != "auth" or "cipherKey" not in sa, "FWP_E_INVALID_PARAMETER")
        if what != "auth":
            size, gcm, _ = CIPHER[sa["cipherTransform"]]
            check_key(sa["cipherKey"], size, gcm, "FWP_E_INVALID_CIPHER_TRANSFORM")
        if what == "both" and AUTH[sa["authTransform"]][1]:
            need(sa.get("authKey", sa["cipherKey"]) == sa["cipherKey"],
                 "FWP_E_INVALID_AUTH_TRANSFORM")
        elif what != "cipher":
            size, gcm, _ = AUTH[sa["authTransform"]]
            check_key(sa["authKey"], size, gcm, "FWP_E_INVALID_AUTH_TRANSFORM")

    def check_bundle_meaning(self, context, bundle, given):
        """Flags and UDP encapsulation; 'given' has what is new."""
        traffic = context.traffic
        types = [sa["saTransformType"] for sa in bundle["saList"]]
        if "flags" in given:
            need("clearDfOnTunnel" not in given["flags"] or traffic["trafficType"] == "tunnel",
                 "FWP_E_INVALID_FLAGS")
            need("guaranteeEncryption" not in given["flags"] or
                 any(TYPES[t] != "auth" for t in types), "FWP_E_INVALID_CIPHER_TRANSFORM")
        if "udpEncapsulation" in given:
            need(traffic["ipVersion"] == "v4" and "ah" not in types, "FWP_E_INVALID_PARAMETER")

    def check_own_key(self, new, old):
        """With GCM, equal keys in both directions repeat nonces."""
        for one in new:
            for two in old:
                encrypts = TYPES[one["saTransformType"]] == "both"
                field = "cipherTransform" if encrypts else "authTransform"
                key = "cipherKey" if encrypts else "authKey"
                if "GCM" in one.get(field, "") and one.get(field) == two.get(field) and \
                        one[key] == two.get(key):
                    raise Refused("FWP_E_INVALID_CIPHER_TRANSFORM" if encrypts
                                  else "FWP_E_INVALID_AUTH_TRANSFORM")

    # --- Restart --------------------------------------------------------------------------------

    def restart(self):
        """What is left after the process died: all but transactions, dynamic objects and keys."""
        for context in self.contexts.values():
            context.knows_key = False
        for name, session in self.sessions.items():
            self.end_session(name)
            session.aborted = True


# --- Small questions --------------------------------------------------------------------------

TRAFFIC_MEMBERS = ("ipVersion", "localAddress", "remoteAddress", "trafficType", "ipsecFilterId",
                   "tunnelPolicyId", "localPort", "remotePort", "ipProtocol")
MEMBERS = {"ipLocalAddress": "localAddress", "ipRemoteAddress": "remoteAddress",
           "ipProtocol": "ipProtocol", "ipLocalPort": "localPort", "ipRemotePort": "remotePort"}


def traffic_value(traffic, field):
    return traffic.get(MEMBERS[field], 0)


def holds(condition, value):
    if "Address" in condition["field"]:
        return ipaddress.ip_address(value) in ipaddress.ip_network(condition["value"])
    return value != 0 and value == condition["value"]


def check_key(text, size, gcm, code):
    key = key_bytes(text)
    need(len(key) == size, code)
    need(any(key[:-4] if gcm else key), code)


def show_bundle(bundle, spi=None):
    """A bundle as it is read: no keys but their lengths; 0 for the SPI was the context's."""
    if bundle is None:
        return None
    shown = {k: v for k, v in bundle.items() if k != "saList"}
    shown["saList"] = []
    for sa in bundle["saList"]:
        one = {k: v for k, v in sa.items() if k not in ("authKey", "cipherKey")}
        one["spi"] = sa["spi"] if spi is None else spi
        if TYPES[sa["saTransformType"]] == "both" and "GCM" in sa["cipherTransform"]:
            one["keyLength"] = len(key_bytes(sa["cipherKey"]))
        else:
            for key in ("authKey", "cipherKey"):
                if key in sa:
                    one[key + "Length"] = len(key_bytes(sa[key]))
        shown["saList"].append(one)
    return shown


def matches(context, query):
    for member in ("localAddress", "remoteAddress"):
        if member in query and ipaddress.ip_address(context.traffic[member]) not in \
                ipaddress.ip_network(query[member]):
            return False
    if query.get("state", context.state) != context.state:
        return False
    if query.get("trafficType", context.traffic["trafficType"]) != context.traffic["trafficType"]:
        return False
    if "spi" in query and context.spi != query["spi"]:
        return False
    if "label" in query:
        name, _, value = query["label"].partition("=")
        return name in context.labels and (not value or context.labels[name] == value)
    return True
