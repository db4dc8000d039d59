# SPDX-License-Identifier: Apache-2.0
"""Filters, provider contexts and tunnels (sections 5 and 8)."""

import copy

from base import Answer, is_unicast, need, version_of

CALLOUTS = {}
for _version in ("V4", "V6"):
    for _direction in ("Inbound", "Outbound"):
        for _mode in ("Transport", "Tunnel"):
            CALLOUTS["ipsec%s%s%s" % (_direction, _mode, _version)] = \
                "%sTransport%s" % (_direction.lower(), _version)
LAYERS = {"%sTransport%s" % (d, v) for d in ("inbound", "outbound") for v in ("V4", "V6")}
FIELDS = {"ipLocalAddress", "ipRemoteAddress", "ipProtocol", "ipLocalPort", "ipRemotePort"}


class Policy:
    """A filter or provider context.  'phase' says what the open write transaction did to it."""

    def __init__(self, spec, owner, creator):
        self.spec = spec
        self.owner = owner  # the dynamic session it ends with
        self.creator = creator
        self.phase = "committed"


class Policies:
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
        need(guid is None or all(p.spec.get("key") != guid
                                 for p in self.visible(table, session).values()),
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

