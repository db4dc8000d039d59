# SPDX-License-Identifier: Apache-2.0
"""SA contexts (sections 7.1 to 7.7, 9) and what they refer to (12)."""

import copy
import ipaddress

from base import Answer, Refused, is_unicast, need, version_of
from bundles import BUNDLE_FLAGS, show_bundle

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
        self.version = 0


def describe(kind, reason, name, context):
    """An event."""
    return {"type": kind, "reason": reason, "id": name, "state": context.state,
            "trafficType": context.traffic["trafficType"],
            "ipVersion": context.traffic["ipVersion"],
            "localAddress": context.traffic["localAddress"],
            "remoteAddress": context.traffic["remoteAddress"],
            "spi": context.spi, "predecessorId": context.predecessor, "labels": context.labels}


class Contexts:
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
        need(policy.owner is None, "FWP_E_LIFETIME_MISMATCH")
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
        """The inbound filter that would classify the flow: an unknown number meets no condition.
        A context outlives every session, so none that is dynamic."""
        if traffic["trafficType"] == "tunnel":
            return 0
        flow = dict(traffic)
        for condition in self.filters[traffic["ipsecFilterId"]].spec.get("conditions", []):
            member = MEMBERS[condition["field"]]
            if not flow.get(member):
                flow[member] = condition["value"]
        layer = "inboundTransport" + version_of(traffic["localAddress"]).upper()
        found = [name for name, p in self.filters.items()
                 if p.phase != "added" and p.owner is None and p.spec["layer"] == layer and
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
        self.put(name, context)
        return {"id": name, "inboundFilterId": context.inbound_filter, "spi": context.spi,
                "state": None if context.state == "created" else context.state}

    def key_at_once(self, op, name, context, body):
        need(not ("spi" in body and body.get("getSpi")), "FWP_E_INVALID_PARAMETER")
        if "spi" in body or body.get("getSpi") or "inboundFilterId" in body:
            self.choose_inbound_filter(op, context, body.get("inboundFilterId"))
        if "spi" in body or body.get("getSpi"):
            self.assign_spi(context, body.get("spi", "spi@" + name))
        if "inbound" in body:
            self.check_bundle(context, body["inbound"], "inbound")
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
        before = copy.deepcopy((self.contexts, self.changes, self.counters))
        results = []
        for name, item in zip(op["as"], body["items"]):
            try:
                results.append(self.create(op, name, item))
            except Refused as refused:
                if body.get("atomic", True):
                    self.contexts, self.changes, self.counters = before
                    raise
                results.append({"error": {"status": refused.status, "code": refused.code}})
        return Answer(200, None, {"items": results})

    def find(self, op):
        need(op["id"] in self.contexts, "FWP_E_NOT_FOUND")
        self.check_if_match(op, self.contexts[op["id"]])
        return self.contexts[op["id"]]

    # --- Changes: each is an event with the state that it left (7.8) ------------------------------

    def put(self, name, context):
        self.changes.append([self.set(name, context, "call")])

    def remove(self, name, reason="call"):
        before = self.contexts.pop(name)
        self.count_active(before, None)
        self.changes.append([describe("delete", reason, name, before)])

    def set(self, name, context, reason):
        """Puts the changed context in the place of what there is, and says what happened."""
        before = self.contexts.get(name)
        context.version += 1
        self.contexts[name] = context
        self.count_active(before, context)
        return describe("add" if before is None else "update", reason, name, context)

    def count_active(self, before, after):
        was = before is not None and before.state == "active"
        now = after is not None and after.state == "active"
        self.counters["totalSasAdded"] += now and not was
        self.counters["totalSasDeleted"] += was and not now

    def take_changes(self):
        """What happened since the last time, in order; those of one set in any order."""
        changes, self.changes = self.changes, []
        return [change for change in changes if change]

    def op_getStatistics(self, op):
        self.enter(op, "saDatabase", "FWPM_ACTRL_READ_STATS", "no transaction")
        states = [c.state for c in self.contexts.values()]
        return Answer(200, None, {"aggregateSaStatistics": dict(
            self.counters, activeSas=states.count("active"),
            pendingSaNegotiations=sum(s in ("created", "spiSet", "inbound") for s in states),
            activeTunnels=sum(c.state == "active" and c.traffic["trafficType"] == "tunnel"
                              for c in self.contexts.values()))})

    # --- Reading and deleting ---------------------------------------------------------------------

    def op_getSaContext(self, op):
        self.enter(op, "saDatabase", "FWPM_ACTRL_READ")
        return self.read(op, self.find(op), self.show_context(op["id"]))

    def show_context(self, name):
        context = self.contexts[name]
        return {"id": name, "state": context.state, "outboundTraffic": context.traffic,
                "inboundFilterId": context.inbound_filter,
                "spi": context.spi, "inbound": show_bundle(context.inbound, context.spi),
                "outbound": show_bundle(context.outbound), "labels": context.labels,
                "predecessorId": context.predecessor, "createdBy": context.creator,
                "version": context.version}

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
        self.remove(op["id"])
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
        self.put(op["id"], chosen)
        return Answer(200, None, {"spi": spi})

    def choose_inbound_filter(self, op, context, name):
        """GetSpi's and SetSpi's filter; left out it is the mirrored one."""
        if context.traffic["trafficType"] == "tunnel":
            need(name is None, "FWP_E_TRAFFIC_MISMATCH")
            return
        if name is None:
            need(context.spi is not None or context.inbound_filter, "FWP_E_NULL_POINTER")
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
            context = copy.copy(context)
            self.take_bundle(context, op["body"], direction)
            if direction == "outbound":
                self.replace_others(op["id"], context)
            self.put(op["id"], context)
            return Answer(201, None, self.show_context(op["id"]))

        return self.repeatable(op, session, run)

    def take_bundle(self, context, bundle, direction):
        setattr(context, direction, bundle)
        context.knows_key = context.knows_key or direction == "inbound"
        context.state = "inbound" if direction == "inbound" else "active"

    def replace_others(self, name, context):
        """The older ones of the same traffic lose their outbound SAs, and the one replaced."""
        keep = "suppressDuplicateDeletion" in context.outbound.get("flags", [])
        replaced = []
        for other_name, other in list(self.contexts.items()):
            if other_name == name or other.outbound is None:
                continue
            same = other.traffic == context.traffic
            if other_name == context.predecessor or (same and not keep):
                replaced.append(other_name)
        self.counters["successfulRekeys"] += any(
            other.state == "active" and other.traffic == context.traffic
            for other_name, other in self.contexts.items() if other_name != name)
        self.end_outbound(replaced, "duplicate")

    def end_outbound(self, names, reason):
        """The outbound SAs go at once, the inbound ones in a minute."""
        changes = []
        for name in names:
            ended = copy.copy(self.contexts[name])
            ended.outbound = None
            ended.state = "expiring"
            changes.append(self.set(name, ended, reason))
        self.changes.append(changes)

    def op_expireSaContext(self, op):
        session = self.enter(op, "saDatabase", "DELETE", "no transaction")
        return self.repeatable(op, session, lambda: self.expire(op))

    def expire(self, op):
        context = self.find(op)
        if context.inbound is None:
            self.remove(op["id"])
        elif context.state != "expiring":
            self.end_outbound([op["id"]], "call")
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
        context.inbound_filter = old.inbound_filter or self.mirror(old.traffic)
        context.labels = old.labels
        context.predecessor = op["id"]
        wanted = dict(body, getSpi=True) if "spi" not in body else body
        self.key_at_once(op, op["as"], context, wanted)
        self.put(op["as"], context)
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
        self.put(op["id"], changed)
        return Answer(200, None, self.show_context(op["id"]))

    def check_labels(self, labels):
        need(len(labels) <= 16, "FWP_E_OUT_OF_BOUNDS")

