# SPDX-License-Identifier: Apache-2.0
"""Filters, provider contexts and tunnels (sections 5 and 8)."""

import copy

from base import Answer, is_unicast, need, version_of

CALLOUTS = {}  # their layers
for _version in ("V4", "V6"):
    for _direction in ("Inbound", "Outbound"):
        for _mode in ("Transport", "Tunnel"):
            CALLOUTS["ipsec%s%s%s" % (_direction, _mode, _version)] = \
                "%sTransport%s" % (_direction.lower(), _version)
        CALLOUTS["ipsecForward%sTunnel%s" % (_direction, _version)] = "ipforward" + _version
LAYERS = {"%sTransport%s" % (d, v) for d in ("inbound", "outbound") for v in ("V4", "V6")}
FIELDS = {"ipLocalAddress", "ipRemoteAddress", "ipProtocol", "ipLocalPort", "ipRemotePort"}

# What a tunnel's filters are: layer, sublayer, callout, whether it is for what passes through this
# host, and what the local and the remote address are called there.
OWN = ("ipLocalAddress", "ipRemoteAddress")
LEAVING = ("ipSourceAddress", "ipDestinationAddress")
TUNNEL_PARTS = (
    ("outboundTransport", "ipsecTunnel", "ipsecOutboundTunnel", False, OWN),
    ("inboundTransport", "ipsecTunnel", "ipsecInboundTunnel", False, OWN),
    ("ipforward", "ipsecForwardOutboundTunnel", "ipsecForwardOutboundTunnel", True, LEAVING),
    ("ipforward", "ipsecTunnel", "ipsecForwardInboundTunnel", True, LEAVING[::-1]),
)


class Policy:
    """A filter or provider context.  'phase' says what the open write transaction did to it."""

    version = 1  # a policy object never changes

    def __init__(self, spec, owner, creator):
        self.spec = spec
        self.owner = owner  # the dynamic session it ends with
        self.creator = creator
        self.phase = "committed"
        self.context = None  # name of the provider context that a filter refers to
        self.tunnel = None  # name of the tunnel that it is part of

    def __deepcopy__(self, memo):
        return copy.copy(self)  # 'spec' does not change once it is here

    def lifetime(self):
        if self.owner is not None:
            return "dynamic"
        return "persistent" if "persistent" in self.spec.get("flags", []) else "static"


def kind_of(spec):
    """Of a provider context: what it is the policy of."""
    for kind in ("tunnel", "transport"):
        if kind + "Policy" in spec:
            return kind
    return "main mode"


class Policies:
    # --- All policy objects ---------------------------------------------------------------------

    def visible(self, table, session):
        """Only the writer sees what its transaction did."""
        hidden = "deleted" if session and session.transaction == "readWrite" else "added"
        return {name: p for name, p in table.items() if p.phase != hidden}

    def find_key(self, table, session, key):
        """The name of the object with this key that the session sees; None: there is none."""
        for name, policy in self.visible(table, session).items():
            if key is not None and policy.spec.get("key") == key:
                return name
        return None

    def add_policy(self, table, name, policy, session):
        need(self.find_key(table, session, policy.spec.get("key")) is None,
             "FWP_E_ALREADY_EXISTS")
        if session and session.transaction == "readWrite":
            policy.phase = "added"
        else:
            self.take_lock(True)
        table[name] = policy

    def new_policy(self, spec, op, session):
        dynamic = session is not None and session.dynamic
        return Policy(spec, op["session"] if dynamic else None, op["who"])

    def check_lifetime(self, policy):
        """What ends with its session can't outlive the engine."""
        need(policy.owner is None or "persistent" not in policy.spec.get("flags", []),
             "FWP_E_INVALID_FLAGS")

    def find_policy(self, table, name, session, not_found):
        need(name in self.visible(table, session), not_found)
        return table[name]

    def read_policy(self, op, table, container, not_found, show):
        session = self.enter(op, container, "FWPM_ACTRL_READ")
        policy = self.find_policy(table, op["id"], session, not_found)
        self.check_if_match(op, policy)
        return self.read(op, policy, show(op["id"]))

    def delete_policy(self, op, table, container, not_found):
        session = self.enter(op, container, "DELETE", "policy write")
        policy = self.find_policy(table, op["id"], session, not_found)
        self.check_owner(policy, op, session)
        need(policy.tunnel is None, "FWP_E_IN_USE")
        self.check_if_match(op, policy)
        self.check_unused(op["id"], session)
        self.take_away(table, op["id"], session)
        return Answer(204)

    def check_owner(self, policy, op, session):
        if session is not None and session.dynamic:
            need(policy.owner is not None, "FWP_E_DYNAMIC_SESSION_IN_PROGRESS")
            need(policy.owner == op["session"], "FWP_E_WRONG_SESSION")

    def take_away(self, table, name, session):
        in_transaction = session is not None and session.transaction == "readWrite"
        if in_transaction and table[name].phase == "committed":
            table[name].phase = "deleted"
            return
        if not in_transaction:
            self.take_lock(True)
        del table[name]

    def check_unused(self, name, session):
        """By SA contexts, and by filters other than those of the tunnel that goes with it."""
        need(all(name not in (c.traffic.get("ipsecFilterId"), c.traffic.get("tunnelPolicyId"),
                              c.inbound_filter) for c in self.contexts.values()), "FWP_E_IN_USE")
        tunnel = self.provider_contexts[name].tunnel if name in self.provider_contexts else None
        need(all(p.context != name or (p.tunnel is not None and p.tunnel == tunnel)
                 for p in self.visible(self.filters, session).values()), "FWP_E_IN_USE")

    # --- Filters (5.1) --------------------------------------------------------------------------

    def op_addFilter(self, op):
        rights = "FWPM_ACTRL_ADD FWPM_ACTRL_ADD_LINK"
        session = self.enter(op, "filters", rights, "policy write")
        if "providerContextKey" in op["body"]:
            need(self.has_right(op["who"], "providerContexts", "FWPM_ACTRL_ADD_LINK"),
                 "ERROR_ACCESS_DENIED")
        return self.repeatable(op, session, lambda: self.add_filter(op, session))

    def add_filter(self, op, session):
        spec = op["body"]
        policy = self.new_policy(spec, op, session)
        self.check_filter_values(spec)
        self.check_lifetime(policy)
        policy.context = self.find_provider_context_of(policy, session)
        self.check_filter_meaning(policy)
        self.add_policy(self.filters, op["as"], policy, session)
        return Answer(201, None, {"id": op["as"], "key": spec.get("key")})

    def check_filter_values(self, spec):
        need(spec.get("displayData", {}).get("name"), "FWP_E_NULL_DISPLAY_NAME")
        need(spec["layer"] in LAYERS, "FWP_E_LAYER_NOT_FOUND", True)
        weight = spec.get("weight")
        if isinstance(weight, dict):
            need(0 <= weight["range"] <= 15, "FWP_E_INVALID_WEIGHT")
        self.check_conditions(spec.get("conditions", []))
        action = spec["action"]
        need(action["type"] in ("block", "permit", "calloutTerminating"),
             "FWP_E_INVALID_ACTION_TYPE")
        need(action.get("callout") in (None, *CALLOUTS), "FWP_E_CALLOUT_NOT_FOUND", True)

    def check_conditions(self, conditions):
        fields = [c["field"] for c in conditions]
        need(set(fields) <= FIELDS, "FWP_E_CONDITION_NOT_FOUND", True)
        need(len(set(fields)) == len(fields), "FWP_E_DUPLICATE_CONDITION")

    def find_provider_context_of(self, policy, session):
        key = policy.spec.get("providerContextKey")
        if key is None:
            return None
        name = self.find_key(self.provider_contexts, session, key)
        need(name is not None, "FWP_E_PROVIDER_CONTEXT_NOT_FOUND", True)
        context = self.provider_contexts[name]
        need(context.owner is None or context.owner == policy.owner, "FWP_E_LIFETIME_MISMATCH")
        need((policy.lifetime(), context.lifetime()) != ("persistent", "static"),
             "FWP_E_LIFETIME_MISMATCH")
        return name

    def check_filter_meaning(self, policy):
        spec = policy.spec
        callout = spec["action"].get("callout")
        kind = None
        if policy.context is not None:
            kind = kind_of(self.provider_contexts[policy.context].spec)
        if callout is None:
            need(kind is None, "FWP_E_CONTEXT_INCOMPATIBLE_WITH_LAYER")
            return
        need(CALLOUTS[callout] == spec["layer"], "FWP_E_ACTION_INCOMPATIBLE_WITH_LAYER")
        fitting = ("tunnel",) if "Tunnel" in callout else ("transport", None)
        need(kind in fitting, "FWP_E_CONTEXT_INCOMPATIBLE_WITH_CALLOUT")

    def op_getFilter(self, op):
        return self.read_policy(op, self.filters, "filters", "FWP_E_FILTER_NOT_FOUND",
                                self.show_filter)

    def show_filter(self, name):
        policy = self.filters[name]
        shown = dict(policy.spec, id=name, createdBy=policy.creator, lifetime=policy.lifetime(),
                     tunnelId=policy.tunnel, version=policy.version)
        shown.setdefault("subLayer", "universal")
        if policy.context is not None:
            shown.update(providerContextId=policy.context,
                         flags=policy.spec.get("flags", []) + ["hasProviderContext"])
        return shown

    def op_listFilters(self, op):
        session = self.enter(op, "filters", "FWPM_ACTRL_ENUM FWPM_ACTRL_READ")
        layer = op.get("query", {}).get("layer")
        return Answer(200, None, [self.show_filter(name) for name, p
                                  in self.visible(self.filters, session).items()
                                  if layer in (None, p.spec["layer"])])

    def op_deleteFilter(self, op):
        return self.delete_policy(op, self.filters, "filters", "FWP_E_FILTER_NOT_FOUND")

    # --- Provider contexts (5.3) ----------------------------------------------------------------

    def op_addProviderContext(self, op):
        session = self.enter(op, "providerContexts", "FWPM_ACTRL_ADD", "policy write")
        return self.repeatable(op, session, lambda: self.add_provider_context(op, session))

    def add_provider_context(self, op, session):
        spec = op["body"]
        policy = self.new_policy(spec, op, session)
        self.check_provider_context(spec)
        self.check_lifetime(policy)
        self.add_policy(self.provider_contexts, op["as"], policy, session)
        return Answer(201, None, {"id": op["as"], "key": spec.get("key")})

    def check_provider_context(self, spec):
        need(spec.get("displayData", {}).get("name"), "FWP_E_NULL_DISPLAY_NAME")
        if kind_of(spec) == "main mode":
            return
        policy = spec[kind_of(spec) + "Policy"]
        need(policy["ipsecProposals"], "FWP_E_ZERO_LENGTH_ARRAY")
        for proposal in policy["ipsecProposals"]:
            need(any(proposal["lifetime"].values()), "FWP_E_INVALID_INTERVAL")
        if kind_of(spec) == "tunnel":
            ends = policy["tunnelEndpoints"]
            need(is_unicast(ends["localAddress"]) and is_unicast(ends["remoteAddress"]) and
                 ends["localAddress"] != ends["remoteAddress"], "FWP_E_INVALID_PARAMETER")

    def op_getProviderContext(self, op):
        return self.read_policy(op, self.provider_contexts, "providerContexts",
                                "FWP_E_PROVIDER_CONTEXT_NOT_FOUND", self.show_provider_context)

    def show_provider_context(self, name):
        policy = self.provider_contexts[name]
        shown = copy.deepcopy(policy.spec)
        if "tunnelPolicy" in shown:
            ends = shown["tunnelPolicy"]["tunnelEndpoints"]
            ends["ipVersion"] = version_of(ends["localAddress"])
        return dict(shown, id=name, createdBy=policy.creator, lifetime=policy.lifetime(),
                    isTunnel=policy.tunnel is not None, version=policy.version)

    def op_listProviderContexts(self, op):
        session = self.enter(op, "providerContexts", "FWPM_ACTRL_ENUM FWPM_ACTRL_READ")
        return Answer(200, None, [self.show_provider_context(name) for name
                                  in self.visible(self.provider_contexts, session)])

    def op_deleteProviderContext(self, op):
        return self.delete_policy(op, self.provider_contexts, "providerContexts",
                                  "FWP_E_PROVIDER_CONTEXT_NOT_FOUND")

    # --- Tunnels (8): a tunnel policy and its filters, all or none -------------------------------

    def enter_tunnel(self, op, filter_rights, context_rights, rule):
        session = self.enter(op, "filters", filter_rights, rule)
        self.enter(op, "providerContexts", context_rights)
        return session

    def op_addTunnel(self, op):
        both = "FWPM_ACTRL_ADD FWPM_ACTRL_ADD_LINK"
        session = self.enter_tunnel(op, both, both, "policy write")
        return self.repeatable(op, session, lambda: self.add_tunnel(op, session))

    def add_tunnel(self, op, session):
        body = op["body"]
        point_to_point = "pointToPoint" in body.get("flags", [])
        self.check_tunnel(body, point_to_point)
        keys = [body[which]["key"] for which in ("tunnelPolicy", "mainModePolicy")
                if "key" in body.get(which, {})]
        need(len(set(keys)) == len(keys) and
             all(self.find_key(self.provider_contexts, session, key) is None for key in keys),
             "FWP_E_ALREADY_EXISTS")
        before = dict(self.filters), dict(self.provider_contexts)
        try:
            self.add_parts(op, session, point_to_point)
        except Exception:
            self.filters, self.provider_contexts = before
            raise
        return Answer(201, None, self.show_tunnel(op["as"], session))

    def check_tunnel(self, body, point_to_point):
        need("tunnelPolicy" in body, "FWP_E_NULL_POINTER")
        need(set(body.get("flags", [])) <= {"pointToPoint"}, "FWP_E_INVALID_FLAGS")
        need(kind_of(body["tunnelPolicy"]) == "tunnel", "FWP_E_PROVIDER_CONTEXT_MISMATCH")
        if "mainModePolicy" in body:
            need(kind_of(body["mainModePolicy"]) == "main mode",
                 "FWP_E_PROVIDER_CONTEXT_MISMATCH")
        for condition in body.get("conditions", []):
            need(point_to_point or condition["field"] in OWN, "FWP_E_INVALID_PARAMETER")
        for which in ("tunnelPolicy", "mainModePolicy"):
            if which in body:
                self.check_provider_context(body[which])
        self.check_conditions(body.get("conditions", []))

    def add_parts(self, op, session, point_to_point):
        body, name = op["body"], op["as"]
        outer = version_of(body["tunnelPolicy"]["tunnelPolicy"]["tunnelEndpoints"]["localAddress"])
        inner = [version_of(c["value"].partition("/")[0]) for c in body.get("conditions", [])
                 if c["field"] in OWN]
        version = (inner or [outer])[0].upper()
        self.add_part(self.provider_contexts, name, body["tunnelPolicy"], op, session)
        for number, (layer, sub_layer, callout, forwards, names) in enumerate(TUNNEL_PARTS):
            if forwards and point_to_point:
                continue
            conditions = [dict(c, field=dict(zip(OWN, names)).get(c["field"], c["field"]))
                          for c in body.get("conditions", [])]
            self.add_part(self.filters, "%s/%d" % (name, number), {
                "displayData": body["tunnelPolicy"]["displayData"], "layer": layer + version,
                "subLayer": sub_layer, "conditions": conditions,
                "action": {"type": "calloutTerminating", "callout": callout + version}},
                op, session, name)
        if "mainModePolicy" in body:
            self.add_main_mode(op, session, outer)

    def add_main_mode(self, op, session, version):
        body, name = op["body"], op["as"]
        ends = body["tunnelPolicy"]["tunnelPolicy"]["tunnelEndpoints"]
        self.add_part(self.provider_contexts, name + "/m", body["mainModePolicy"], op, session)
        conditions = [{"field": field, "match": "equal", "value": ends[member]} for field, member
                      in zip(OWN, ("localAddress", "remoteAddress"))]
        self.add_part(self.filters, name + "/f", {
            "displayData": body["mainModePolicy"]["displayData"],
            "layer": "ikeext" + version.upper(), "conditions": conditions,
            "action": {"type": "permit"}}, op, session, name + "/m")

    def add_part(self, table, name, spec, op, session, context=None):
        policy = self.new_policy(spec, op, session)
        policy.tunnel = op["as"]
        policy.context = context
        if context is not None and "key" in self.provider_contexts[context].spec:
            policy.spec["providerContextKey"] = self.provider_contexts[context].spec["key"]
        self.add_policy(table, name, policy, session)

    def find_tunnel(self, op, session):
        policy = self.visible(self.provider_contexts, session).get(op["id"])
        need(policy is not None and policy.tunnel == op["id"],
             "FWP_E_PROVIDER_CONTEXT_NOT_FOUND")
        return policy

    def op_getTunnel(self, op):
        session = self.enter_tunnel(op, "FWPM_ACTRL_READ", "FWPM_ACTRL_READ", "any")
        self.find_tunnel(op, session)
        return Answer(200, None, self.show_tunnel(op["id"], session))

    def op_listTunnels(self, op):
        both = "FWPM_ACTRL_ENUM FWPM_ACTRL_READ"
        session = self.enter_tunnel(op, both, both, "any")
        return Answer(200, None, [self.show_tunnel(name, session) for name, policy
                                  in self.visible(self.provider_contexts, session).items()
                                  if policy.tunnel == name])

    def show_tunnel(self, name, session):
        filters = [n for n, p in self.visible(self.filters, session).items() if p.tunnel == name]
        main_mode = name + "/m" if name + "/m" in self.provider_contexts else None
        return {"id": name, "key": self.provider_contexts[name].spec.get("key"),
                "filterIds": filters, "mainModeId": main_mode}

    def op_deleteTunnel(self, op):
        session = self.enter_tunnel(op, "DELETE", "DELETE", "policy write")
        self.check_owner(self.find_tunnel(op, session), op, session)
        parts = [(table, name) for table in (self.filters, self.provider_contexts)
                 for name, policy in self.visible(table, session).items()
                 if policy.tunnel == op["id"]]
        for _, name in parts:
            self.check_unused(name, session)
        for table, name in parts:
            self.take_away(table, name, session)
        return Answer(204)
