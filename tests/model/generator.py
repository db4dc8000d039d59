# SPDX-License-Identifier: Apache-2.0
"""Random calls, weighted so that deep states are reached: most fit the state that the model is in,
some don't, and about one in eight has something wrong in it."""

import bundles
import security
from base import version_of
from policy import CALLOUTS, LAYERS, kind_of

ORCHESTRATOR = ("FWPM_ACTRL_ADD FWPM_ACTRL_READ FWPM_ACTRL_ENUM DELETE FWPM_ACTRL_READ_STATS "
                "FWPM_ACTRL_SUBSCRIBE").split()
POLICY = "FWPM_ACTRL_ADD FWPM_ACTRL_ADD_LINK FWPM_ACTRL_READ FWPM_ACTRL_ENUM DELETE".split()
DESCRIPTOR = "READ_CONTROL WRITE_DAC".split()
TRANSACTIONS = "FWPM_ACTRL_OPEN FWPM_ACTRL_BEGIN_READ_TXN FWPM_ACTRL_BEGIN_WRITE_TXN".split()
READ = "FWPM_ACTRL_READ FWPM_ACTRL_ENUM".split()

# admin does all; keyer keys but does not see filters; author writes policy and can't begin write
# transactions; reader reads; nobody may nothing.
RIGHTS = {
    "admin": {"engine": TRANSACTIONS + DESCRIPTOR, "saDatabase": ORCHESTRATOR + DESCRIPTOR,
              "filters": POLICY + DESCRIPTOR, "providerContexts": POLICY + DESCRIPTOR},
    "keyer": {"engine": ["FWPM_ACTRL_OPEN"], "saDatabase": ["FWPM_ACTRL_ADD", "DELETE"],
              "filters": ["FWPM_ACTRL_ENUM"], "providerContexts": ["FWPM_ACTRL_ENUM"]},
    "author": {"engine": ["FWPM_ACTRL_OPEN", "FWPM_ACTRL_BEGIN_READ_TXN"], "saDatabase": READ,
               "filters": POLICY + ["READ_CONTROL"], "providerContexts": POLICY},
    "reader": {"engine": ["FWPM_ACTRL_OPEN"], "saDatabase": READ, "filters": READ,
               "providerContexts": READ},
    "nobody": {},
}

LOCALS = {"v4": ["192.0.2.1", "192.0.2.2"], "v6": ["2001:db8::1"]}
REMOTES = {"v4": ["198.51.100.1", "198.51.100.2", "198.51.100.3", "203.0.113.9"],
           "v6": ["2001:db8:1::7", "2001:db8:1::8", "2001:db8:2::1"]}
PREFIXES = {"v4": ["198.51.100.0/24", "198.51.100.0/30", "198.51.100.1/32", "0.0.0.0/0"],
            "v6": ["2001:db8:1::/64", "2001:db8::/32", "2001:db8:1::7/128"]}
ODD_ADDRESSES = ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1"]
KEYS = ["k1", "k2", "k3", "k4"]
LABELS = [("site", "a"), ("site", "b"), ("tier", "1"), ("owner", "")]
CONTEXTS, FILTERS, PROVIDER_CONTEXTS, SESSIONS = 40, 24, 6, 8
TAGGED = ("getSaContext", "deleteSaContext", "getSpi", "setSpi", "addInbound", "addOutbound",
          "updateSaContext", "expireSaContext", "rotateSaContext", "getFilter", "deleteFilter",
          "getProviderContext", "deleteProviderContext")


class Generator:
    def __init__(self, random, model):
        self.random = random
        self.model = model
        self.count = 0
        self.spoilt = False
        self.spent_keys = []
        self.used_keys = []
        self.gone = {"c": [], "f": [], "p": [], "s": []}

    def name(self, kind):
        self.count += 1
        return "%s%d" % (kind, self.count)

    def chance(self, probability):
        return self.random.random() < probability

    def spoils(self, probability):
        """Whether to put something wrong into the call: once at most, as no order is promised of
        several faults in one body."""
        if self.spoilt or not self.chance(probability):
            return False
        self.spoilt = True
        return True

    def pick(self, items):
        return self.random.choice(list(items))

    def next(self):
        """One call."""
        self.spoilt = False
        model = self.model
        many_contexts = len(model.contexts) / CONTEXTS
        many_filters = sum(p.tunnel is None for p in model.filters.values()) / FILTERS
        many_policies = min(len(model.provider_contexts) / PROVIDER_CONTEXTS, 1)
        many_sessions = len(model.sessions) / SESSIONS
        weights = {
            "addFilter": 9 * (1 - many_filters) ** 2 + 0.5,
            "deleteFilter": 5 * many_filters ** 2 + 0.5,
            "getFilter": 2, "listFilters": 1,
            "addProviderContext": 3 * (1 - many_policies) ** 2 + 0.1,
            "deleteProviderContext": 2 * many_policies ** 2 + 0.2,
            "getProviderContext": 0.7, "listProviderContexts": 0.4,
            "addTunnel": 2 * (1 - many_policies) + 0.1, "deleteTunnel": 1.5 * many_policies + 0.1,
            "getTunnel": 0.5, "listTunnels": 0.3, "getStatistics": 0.7,
            "createSaContext": 10 * (1 - many_contexts) + 1,
            "createSaContexts": 2 * (1 - many_contexts) + 0.2,
            "deleteSaContext": 5 * many_contexts ** 2 + 0.3,
            "getSaContext": 4, "listSaContexts": 2,
            "getSpi": 7, "setSpi": 3, "addInbound": 9, "addOutbound": 9,
            "expireSaContext": 1.5 * many_contexts + 0.2, "rotateSaContext": 3,
            "updateSaContext": 4,
            "openSession": 2 * (1 - many_sessions) + 0.1, "closeSession": 1.5 * many_sessions ** 2,
            "getSession": 0.6, "listSessions": 0.3,
            "getSecurity": 0.4, "setSecurity": 0.7, "resetSecurity": 0.4, "whoami": 0.4,
            "beginTransaction": 2, "commitTransaction": 2.5, "abortTransaction": 1,
        }
        if any(p.phase == "deleted" for p in model.filters.values()):
            weights["createSaContext"] += 15
        if model.writer is not None:  # a transaction should have something in it
            weights["deleteFilter"] += 5
            weights["deleteTunnel"] += 1
        name = self.random.choices(list(weights), list(weights.values()))[0]
        op = {"op": name, "who": self.who(name)}
        getattr(self, "make_" + name)(op)
        if "Session" not in name and "Transaction" not in name and name != "whoami":
            self.choose_session(op)
        writes = not name.startswith(("get", "list", "whoami")) or name == "getSpi"
        if writes and self.chance(0.05):
            op["dryRun"] = True
        elif name in ("addFilter", "addProviderContext", "addTunnel", "createSaContext",
                      "createSaContexts", "addInbound", "addOutbound", "rotateSaContext",
                      "expireSaContext", "getSpi", "beginTransaction",
                      "commitTransaction") and not self.spoilt and self.chance(0.12):
            self.choose_key(op)
            return op
        if name in TAGGED and self.chance(0.1):
            self.choose_tags(op)
        return op

    def look(self):
        """A look at the stream of events, and back at some of them through a filter."""
        op = {"op": "look", "back": self.pick([0, 0, 1, 10, 100])}
        if op["back"] and self.chance(0.7):
            op["query"] = self.pick([{"trafficType": "tunnel"}, {"trafficType": "transport"},
                                     {"localAddress": self.pick(LOCALS["v4"] + LOCALS["v6"])},
                                     {"remoteAddress": self.pick(REMOTES["v4"] + REMOTES["v6"])}])
        return op

    def choose_tags(self, op):
        """If-Match, and If-None-Match where it reads: what is true mostly, and some old tags."""
        header = "ifNoneMatch" if op["op"].startswith("get") and op["op"] != "getSpi" and \
            self.chance(0.7) else "ifMatch"
        if self.chance(0.1):
            op[header] = "*"
            return
        tables = (self.model.contexts, self.model.filters, self.model.provider_contexts)
        thing = next((t[op["id"]] for t in tables if op["id"] in t), None)
        version = thing.version if thing else 1
        tags = [[op["id"], version, self.chance(0.1)]] if self.chance(0.75) else []
        if self.chance(0.4):
            tags.append([op["id"], version - 1, False])
        op[header] = tags or [[op["id"], version + 1, False]]

    def who(self, name):
        if self.chance(0.78):
            return "admin"
        if "Filter" in name or "Provider" in name or "Tunnel" in name:
            return self.pick(["author", "author", "author", "reader", "keyer", "nobody"])
        return self.pick(["keyer", "keyer", "keyer", "author", "author", "reader", "nobody"])

    def choose_session(self, op):
        """A session of the caller's, where one has a transaction that rather."""
        own = [n for n, s in self.model.sessions.items() if s.owner == op["who"]]
        policy = any(noun in op["op"] for noun in ("Filter", "Provider", "Tunnel"))
        if own and self.chance(0.7 if policy else 0.15):
            busy = [n for n in own if self.model.sessions[n].transaction]
            op["session"] = self.pick(busy) if busy and self.chance(0.7) else self.pick(own)
        elif self.chance(0.02):
            op["session"] = self.pick(list(self.model.sessions) + self.gone["s"][-3:] + ["s0"])

    def choose_key(self, op):
        """A new key, or now and then one that was used."""
        if self.used_keys and self.chance(0.4):
            earlier = self.pick(self.used_keys[-8:])
            if self.chance(0.75):
                op.clear()
                op.update(earlier)
            else:
                op["key"] = earlier["key"]
            return
        op["key"] = self.name("k")
        self.used_keys.append(dict(op))

    def some(self, kind, table):
        """The name of an object: there, gone, or never."""
        if table and self.chance(0.96):
            return self.pick(table)
        return self.pick(self.gone[kind][-4:] + [kind + "0"])

    def note_gone(self, kind, name):
        self.gone[kind].append(name)

    # --- Sessions ---

    def make_openSession(self, op):
        op["as"] = self.name("s")
        op["who"] = self.pick(["admin", "admin", "admin", "author", "keyer", op["who"]])
        op["body"] = {"flags": ["dynamic"]} if self.chance(0.45) else {}
        if self.chance(0.3):
            op["chosen"] = True
            if self.model.sessions and self.chance(0.3):
                op["as"] = self.pick(self.model.sessions)

    def some_session(self, op):
        op["id"] = self.some("s", self.model.sessions)
        session = self.model.sessions.get(op["id"])
        if session and self.chance(0.95):
            op["who"] = session.owner

    def make_getSession(self, op):
        self.some_session(op)

    def make_closeSession(self, op):
        aborted = [n for n, s in self.model.sessions.items() if s.aborted]
        self.some_session(op)
        if aborted and self.chance(0.7):
            op["id"] = self.pick(aborted)
            op["who"] = self.model.sessions[op["id"]].owner
        self.note_gone("s", op["id"])

    def make_listSessions(self, op):
        pass

    def make_beginTransaction(self, op):
        self.some_session(op)
        op["body"] = {"flags": ["readOnly"]} if self.chance(0.3) else {}

    def make_commitTransaction(self, op):
        busy = [n for n, s in self.model.sessions.items() if s.transaction]
        self.some_session(op)
        if busy and self.chance(0.85):
            op["id"] = self.pick(busy)
            op["who"] = self.model.sessions[op["id"]].owner

    def make_abortTransaction(self, op):
        self.make_commitTransaction(op)

    # --- Security ---

    def make_getSecurity(self, op):
        op["container"] = self.pick(security.CONTAINERS)

    def make_resetSecurity(self, op):
        self.make_getSecurity(op)

    def make_setSecurity(self, op):
        """Whatever is set, admin keeps its rights: the rest of the sequence needs them."""
        self.make_getSecurity(op)
        dacl = []
        for _ in range(self.random.randrange(6)):
            kind = self.pick(["allow", "allow", "deny"])
            others = ["keyer", "author", "reader", "nobody"]
            who = [security.MODEL + other for other in others]
            if kind == "allow":
                who += ["everyone", security.MODEL + "*"]
            dacl.append({"type": kind, "principal": self.pick(who), "rights":
                         self.random.sample(security.RIGHTS, self.random.randrange(1, 9))})
        dacl.insert(self.random.randrange(len(dacl) + 1),
                    {"type": "allow", "principal": security.MODEL + "admin",
                     "rights": RIGHTS["admin"][op["container"]]})
        if self.spoils(0.15):
            self.pick(dacl).update(self.pick([{"type": "audit"}, {"rights": ["FWPM_ACTRL_FLY"]},
                                              {"principal": "user:me"}]))
        op["body"] = {"dacl": dacl}

    def make_whoami(self, op):
        op["who"] = self.pick(RIGHTS)

    # --- Filters ---

    def make_addFilter(self, op):
        op["as"] = self.name("f")
        version = "v4" if self.chance(0.75) else "v6"
        direction = self.pick(["inbound", "outbound"])
        layer = "%sTransport%s" % (direction, version.upper())
        conditions = []
        if self.chance(0.5):
            conditions.append(self.condition("ipLocalAddress", self.pick(LOCALS[version])))
        if self.chance(0.7):
            conditions.append(self.condition("ipRemoteAddress", self.pick(PREFIXES[version])))
        if self.chance(0.25):
            conditions.append(self.condition("ipProtocol", self.pick([6, 17])))
        if self.chance(0.2):
            conditions.append(self.condition("ipRemotePort", self.pick([443, 500])))
        if self.chance(0.1):
            conditions.append(self.condition("ipLocalPort", self.pick([443, 500])))
        if self.chance(0.85):
            action = {"type": "calloutTerminating",
                      "callout": "ipsec%sTransport%s" % (direction.capitalize(), version.upper())}
        else:
            action = {"type": self.pick(["permit", "block"])}
        spec = {"displayData": {"name": op["as"]}, "layer": layer, "action": action,
                "conditions": conditions}
        if self.chance(0.12):
            self.refer(spec, direction, version)
        if self.chance(0.5):
            spec["weight"] = self.pick([{"range": self.random.randrange(16)},
                                        self.random.randrange(1 << 53)])
        if self.chance(0.1):
            spec["key"] = self.pick(KEYS)
        if self.chance(0.15):
            spec["flags"] = ["persistent"]
        # Whether the body asks for a right beside is known when all of it was understood.
        if self.may_link(op, spec) and self.spoils(0.12):
            self.pick([self.spoil_name, self.spoil_layer, self.spoil_conditions,
                       self.spoil_weight, self.spoil_callout])(spec)
        op["body"] = spec

    def may_link(self, op, spec):
        return "providerContextKey" not in spec or \
            self.model.has_right(op["who"], "providerContexts", "FWPM_ACTRL_ADD_LINK")

    def refer(self, spec, direction, version):
        """Has the filter go by a provider context, mostly by one of the right kind."""
        known = {p.spec["key"]: kind_of(p.spec) for p in self.model.provider_contexts.values()
                 if "key" in p.spec}
        key = self.pick(known) if known and self.chance(0.9) else self.pick(KEYS)
        spec["providerContextKey"] = key
        if known.get(key) != "transport" and self.chance(0.9):
            spec["action"] = {"type": "calloutTerminating", "callout": "ipsec%sTunnel%s" %
                              (direction.capitalize(), version.upper())}
            spec["subLayer"] = "ipsecTunnel"

    def condition(self, field, value):
        return {"field": field, "match": "equal", "value": value}

    def spoil_name(self, spec):
        spec["displayData"] = self.pick([{}, {"name": ""}])

    def spoil_layer(self, spec):
        spec["layer"] = "streamV4"

    def spoil_conditions(self, spec):
        spec["conditions"] = [self.condition("ipProtocol", 6), self.condition("ipProtocol", 6)]

    def spoil_weight(self, spec):
        spec["weight"] = {"range": 16}

    def spoil_callout(self, spec):
        spec["action"] = {"type": "calloutTerminating", "callout": self.pick(
            list(CALLOUTS) + ["ipsecNowhere"])}

    def make_getFilter(self, op):
        op["id"] = self.some("f", self.model.filters)

    def make_deleteFilter(self, op):
        op["id"] = self.some("f", self.model.filters)
        self.note_gone("f", op["id"])

    def make_listFilters(self, op):
        if self.chance(0.4):
            op["query"] = {"layer": self.pick(LAYERS)}

    # --- Provider contexts ---

    def make_addProviderContext(self, op):
        op["as"] = self.name("p")
        op["body"] = self.provider_context(op["as"], self.chance(0.85))
        if self.chance(0.3):
            op["body"]["flags"] = ["persistent"]
        if self.chance(0.3):
            op["body"]["key"] = self.pick(KEYS)

    def provider_context(self, name, is_tunnel):
        proposals = [{"lifetime": {"seconds": 3600}, "saTransforms": [
            {"saTransformType": "espAuthAndCipher", "authTransform": "GCM_AES_128",
             "cipherTransform": "GCM_AES_128"}]}]
        body = {"displayData": {"name": name}}
        if is_tunnel:
            version = "v4" if self.chance(0.75) else "v6"
            body["type"] = "ipsecIkeQmTunnelContext"
            body["tunnelPolicy"] = policy = {
                "tunnelEndpoints": {"localAddress": self.pick(LOCALS[version]),
                                    "remoteAddress": self.pick(REMOTES[version])},
                "ipsecProposals": proposals}
            if self.spoils(0.06):
                policy["tunnelEndpoints"]["remoteAddress"] = \
                    policy["tunnelEndpoints"]["localAddress"]
        else:
            body["type"] = "ipsecIkeQmTransportContext"
            body["transportPolicy"] = policy = {"ipsecProposals": proposals}
        if self.spoils(0.1):
            what = self.random.randrange(3)
            if what == 0:
                body["displayData"] = {}
            elif what == 1:
                policy["ipsecProposals"] = []
            else:
                proposals[0]["lifetime"] = {"seconds": 0}
        return body

    def make_getProviderContext(self, op):
        op["id"] = self.some("p", self.model.provider_contexts)

    def make_deleteProviderContext(self, op):
        op["id"] = self.some("p", self.model.provider_contexts)
        self.note_gone("p", op["id"])

    def make_listProviderContexts(self, op):
        pass

    # --- Tunnels ---

    def make_addTunnel(self, op):
        op["as"] = self.name("t")
        op["body"] = body = {"tunnelPolicy": self.provider_context(op["as"], True)}
        if self.chance(0.5):
            body["mainModePolicy"] = {"displayData": {"name": op["as"] + " ike"},
                                      "type": "ipsecIkeMmContext",
                                      "policy": {"softExpirationTime": 28800}}
        for policy in body.values():
            if self.chance(0.4):
                policy["key"] = self.pick(KEYS)
        version = "v4" if self.chance(0.75) else "v6"
        body["conditions"] = [self.condition(field, self.pick(addresses[version])) for
                              field, addresses in (("ipLocalAddress", LOCALS),
                                                   ("ipRemoteAddress", PREFIXES))
                              if self.chance(0.7)]
        if self.chance(0.3):
            body["flags"] = ["pointToPoint"]
            if self.chance(0.5):
                body["conditions"].append(self.condition("ipProtocol", 6))
        if self.spoils(0.12):
            self.spoil_tunnel(body)

    def spoil_tunnel(self, body):
        what = self.random.randrange(5)
        if what == 0:
            del body["tunnelPolicy"]
        elif what == 1:
            body["tunnelPolicy"] = self.provider_context("spoilt", False)
        elif what == 2:
            body["mainModePolicy"] = self.provider_context("spoilt", False)
        elif what == 3:
            body["flags"] = []
            body["conditions"] = [self.condition("ipProtocol", 6)]
        else:
            body["conditions"] = 2 * [self.condition("ipLocalAddress", "192.0.2.1")]

    def some_tunnel(self, op):
        tunnels = [n for n, p in self.model.provider_contexts.items() if p.tunnel == n]
        op["id"] = self.some("p", tunnels) if self.chance(0.95) else \
            self.some("p", self.model.provider_contexts)

    def make_getTunnel(self, op):
        self.some_tunnel(op)

    def make_listTunnels(self, op):
        pass

    def make_deleteTunnel(self, op):
        self.some_tunnel(op)
        self.note_gone("p", op["id"])

    def tunnel_traffic(self):
        name = self.pick(self.model.provider_contexts)
        spec = self.model.provider_contexts[name].spec
        ends = spec.get("tunnelPolicy", {}).get("tunnelEndpoints", {
            "localAddress": "192.0.2.1", "remoteAddress": "198.51.100.1"})
        traffic = dict(ends, trafficType="tunnel", tunnelPolicyId=name)
        if self.spoils(0.1):
            traffic.update(self.pick([{"remotePort": 443}, {"ipProtocol": 6},
                                      {"localAddress": self.pick(
                                          LOCALS[version_of(ends["localAddress"])])}]))
        return traffic

    # --- SA contexts ---

    def make_createSaContext(self, op):
        op["as"] = self.name("c")
        op["body"] = self.new_context(op["as"])

    def make_createSaContexts(self, op):
        count = self.random.randrange(1, 5)
        op["as"] = [self.name("c") for _ in range(count)]
        # No order is promised between a malformed item and the meaning of another.
        self.spoilt = True
        op["body"] = {"atomic": self.chance(0.5),
                      "items": [self.new_context(name) for name in op["as"]]}

    def new_context(self, name):
        body = self.traffic()
        if self.chance(0.3):
            body["labels"] = dict(self.random.sample(LABELS, self.random.randrange(3)))
        if self.chance(0.35):
            body[self.pick(["spi", "getSpi"])] = True
            if "spi" in body:
                body["spi"] = self.spi()
            if self.chance(0.3):
                body["inboundFilterId"] = self.some("f", self.model.filters)
            if self.chance(0.75):
                body["inbound"] = self.bundle(0 if self.chance(0.8) else body.get("spi", 0))
                if self.chance(0.7):
                    body["outbound"] = self.bundle(self.peer_spi(), body["inbound"])
        return body

    def traffic(self):
        if self.model.contexts and self.chance(0.3):  # a rekey, perhaps
            return {m: v for m, v in self.pick(self.model.contexts.values()).traffic.items()}
        if self.model.provider_contexts and self.chance(0.2):
            return self.tunnel_traffic()
        candidates = [n for n, p in self.model.filters.items()
                      if p.spec["layer"].startswith("outbound") and p.tunnel is None]
        going = [n for n in candidates if self.model.filters[n].phase == "deleted"]
        if going and self.chance(0.7):  # in use by the time that the transaction commits
            name = self.pick(going)
        elif candidates and self.chance(0.9):
            name = self.pick(candidates)
        else:
            name = self.some("f", self.model.filters)
        policy = self.model.filters.get(name)
        layer = policy.spec["layer"] if policy else "outboundTransportV4"
        version = "v4" if layer.endswith("V4") else "v6"
        traffic = {"localAddress": self.pick(LOCALS[version]),
                   "remoteAddress": self.pick(REMOTES[version]), "trafficType": "transport",
                   "ipsecFilterId": name}
        if policy and self.chance(0.9):
            for condition in policy.spec.get("conditions", []):
                if condition["field"] == "ipLocalAddress":
                    traffic["localAddress"] = condition["value"]
        if self.chance(0.2):
            traffic["ipVersion"] = version
        for member, values in (("ipProtocol", [6, 17]), ("remotePort", [443, 500]),
                               ("localPort", [443, 500])):
            if self.chance(0.12):
                traffic[member] = self.pick(values)
        if self.spoils(0.06):
            self.spoil_traffic(traffic)
        return traffic

    def spoil_traffic(self, traffic):
        what = self.random.randrange(5)
        if what == 0:
            odd = [a for a in ODD_ADDRESSES if (":" in a) == (":" in traffic["remoteAddress"])]
            traffic[self.pick(["localAddress", "remoteAddress"])] = self.pick(odd)
        elif what == 1:
            del traffic[self.pick(["localAddress", "trafficType", "ipsecFilterId"])]
        elif what == 2:
            traffic["trafficType"] = "both"
        elif what == 3:
            traffic["ipVersion"] = "v6" if "." in traffic["localAddress"] else "v4"
        else:
            traffic["trafficType"] = "tunnel"
            traffic["tunnelPolicyId"] = traffic.pop("ipsecFilterId")

    def spi(self):
        known = [c.spi for c in self.model.contexts.values() if c.spi is not None]
        if known and self.chance(0.2):
            return self.pick(known)
        return self.random.randrange(256, 400) if self.chance(0.3) else \
            self.random.randrange(1 << 20, 1 << 32)

    def peer_spi(self):
        return self.random.randrange(256) if self.spoils(0.02) else \
            self.random.randrange(256, 1 << 32)

    def in_state(self, wanted):
        fitting = [n for n, c in self.model.contexts.items() if c.state in wanted]
        if fitting and self.chance(0.85):
            return self.pick(fitting)
        return self.some("c", self.model.contexts)

    def make_getSaContext(self, op):
        op["id"] = self.some("c", self.model.contexts)

    def make_deleteSaContext(self, op):
        op["id"] = self.some("c", self.model.contexts)
        self.note_gone("c", op["id"])

    def make_listSaContexts(self, op):
        query = {}
        if self.chance(0.3):
            query["localAddress"] = self.pick(LOCALS["v4"] + LOCALS["v6"])
        if self.chance(0.4):
            query["remoteAddress"] = self.pick(PREFIXES["v4"] + PREFIXES["v6"])
        if self.chance(0.2):
            query["state"] = self.pick(["created", "spiSet", "inbound", "active", "expiring"])
        if self.chance(0.1):
            query["trafficType"] = self.pick(["transport", "tunnel"])
        if self.chance(0.1):
            query["label"] = self.pick(["site", "site=a", "tier=1", "nothing"])
        spis = [c.spi for c in self.model.contexts.values() if c.spi is not None]
        if spis and self.chance(0.1):
            query["spi"] = self.pick(spis)
        op["query"] = query
        if self.chance(0.5):
            op["limit"] = self.random.randrange(1, 12)

    def spi_body(self, name):
        context = self.model.contexts.get(name)
        body = {}
        layer = "inboundTransportV4"
        if context:
            layer = "inboundTransport" + context.traffic["ipVersion"].upper()
            if self.chance(0.3):
                body["localAddress"] = context.traffic["localAddress"]
                body["remoteAddress"] = context.traffic["remoteAddress"]
                if self.chance(0.1):
                    body["remoteAddress"] = self.pick(REMOTES[context.traffic["ipVersion"]])
        fitting = [n for n, p in self.model.filters.items() if p.spec["layer"] == layer]
        if context and context.inbound_filter and self.chance(0.5):
            body["ipsecFilterId"] = context.inbound_filter
        elif fitting and self.chance(0.7):
            body["ipsecFilterId"] = self.pick(fitting)
        elif self.chance(0.3):
            body["ipsecFilterId"] = self.some("f", self.model.filters)
        return body

    def make_getSpi(self, op):
        op["id"] = self.in_state(["created"])
        op["body"] = self.spi_body(op["id"])

    def make_setSpi(self, op):
        op["id"] = self.in_state(["created"])
        op["body"] = dict(self.spi_body(op["id"]), spi=self.spi())
        if self.spoils(0.05):
            op["body"]["spi"] = self.random.randrange(256)

    def make_addInbound(self, op):
        op["id"] = self.in_state(["spiSet"])
        context = self.model.contexts.get(op["id"])
        spi = context.spi if context and context.spi is not None else self.spi()
        op["body"] = self.bundle(self.pick([spi, 0]) if self.chance(0.97) else self.spi())

    def make_addOutbound(self, op):
        op["id"] = self.in_state(["inbound"])
        context = self.model.contexts.get(op["id"])
        op["body"] = self.bundle(self.peer_spi(), context and context.inbound)

    def make_expireSaContext(self, op):
        op["id"] = self.some("c", self.model.contexts)

    def make_getStatistics(self, op):
        pass

    def make_rotateSaContext(self, op):
        op["id"] = self.in_state(["active"])
        op["as"] = self.name("c")
        op["body"] = {"inbound": self.bundle(0)}
        if self.chance(0.5):
            op["body"]["outbound"] = self.bundle(self.peer_spi(), op["body"]["inbound"])
        if self.chance(0.2):
            op["body"]["spi"] = self.spi()
        if self.spoils(0.03):
            del op["body"]["inbound"]

    def make_updateSaContext(self, op):
        op["id"] = self.in_state(["active", "inbound"])
        context = self.model.contexts.get(op["id"])
        version = context.traffic["ipVersion"] if context else "v4"
        body = {}
        if self.chance(0.4):
            body["labels"] = dict(self.random.sample(LABELS, self.random.randrange(3)))
        if self.chance(0.3):
            if self.chance(0.05):
                version = "v6" if version == "v4" else "v4"
            body["outboundTraffic"] = {"localAddress": self.pick(LOCALS[version]),
                                       "remoteAddress": self.pick(REMOTES[version])}
        for direction in ("inbound", "outbound"):
            if self.chance(0.3):
                body[direction] = self.bundle_patch()
        op["body"] = body

    def bundle_patch(self):
        patch = {}
        if self.chance(0.6):
            patch["flags"] = self.flags()
        if self.chance(0.3):
            patch["napContext"] = self.random.randrange(1, 1 << 32)
        if self.chance(0.3):
            patch["mmSaId"] = self.random.randrange(1, 1 << 53)
        if self.chance(0.2):
            patch["udpEncapsulation"] = {"localPort": 4500, "remotePort": 4500}
        return patch or {"napContext": 7}

    # --- Bundles ---

    def flags(self):
        flags = self.random.sample(sorted(bundles.BUNDLE_FLAGS - {"clearDfOnTunnel"}),
                                   self.random.randrange(3))
        if self.chance(0.3) and "suppressDuplicateDeletion" not in flags:
            flags.append("suppressDuplicateDeletion")
        if self.spoils(0.03):
            flags.append(self.pick(["clearDfOnTunnel", "noSuchFlag"]))
        return flags

    def key(self, size):
        return "hex:" + self.random.randbytes(size).hex()

    def bundle(self, spi, like=None):
        """A bundle, mostly good; for the other direction one like it."""
        kinds = [sa["saTransformType"] for sa in like["saList"]] if like and self.chance(0.95) \
            else self.pick([["espAuthAndCipher"]] * 6 +
                           [["espAuthAndCipher", "ah"], ["espCipher", "ah"], ["espCipher"],
                            ["ah"], ["espAuth"], ["espAuth", "ah"]])
        sas = [self.sa(kind, spi) for kind in kinds]
        bundle = {"saList": sas}
        if self.chance(0.2):
            bundle["flags"] = self.flags()
        if self.chance(0.3):
            bundle["lifetime"] = {"seconds": self.random.randrange(100000, 1 << 31),
                                  "kilobytes": self.random.randrange(1 << 31)}
        if self.chance(0.2):
            bundle["qmSaId"] = self.pick([1, 2])
        elif like and "qmSaId" in like:
            bundle["qmSaId"] = like["qmSaId"]
        if self.chance(0.05):
            bundle["udpEncapsulation"] = {"localPort": 4500, "remotePort": 4500}
        if self.chance(0.1):
            bundle["ipsecId"] = self.ipsec_id()
        if self.chance(0.03) and like:
            for one, two in zip(sas, like["saList"]):
                one.update({k: v for k, v in two.items() if k != "spi"})
        if self.spoils(0.12):
            self.spoil_bundle(bundle, sas)
        return bundle

    def ipsec_id(self):
        identity = {}
        if self.chance(0.7):
            identity["mmTargetName"] = "x" * 256 if self.spoils(0.1) else "host/b"
        if self.chance(0.3):
            identity["emTargetName"] = "two\nlines" if self.spoils(0.1) else "user@b"
        if self.chance(0.5):
            identity["tokens"] = [self.token() for _ in range(self.random.randrange(9))]
            if self.spoils(0.1):
                identity["tokens"] = [self.token() for _ in range(9)]
        if self.chance(0.3):
            identity["explicitCredentials"] = self.random.randrange(1, 1 << 53)
        return identity

    def token(self):
        return {"type": "user" if self.spoils(0.03) else self.pick(["machine", "impersonation"]),
                "principal": self.pick(["local", "peer"]),
                "mode": self.pick(["main", "extended"]),
                "token": self.random.randrange(1 << 53)}

    def sa(self, kind, spi):
        sa = {"spi": spi, "saTransformType": kind}
        what = bundles.TYPES.get(kind, "auth")
        strong = [n for n, row in bundles.CIPHER.items() if not row[2] or self.chance(0.1)]
        cipher = self.pick(strong)
        if what == "both":
            gcm = bundles.CIPHER[cipher][1]
            auth = cipher if gcm else self.auth(False)
            sa.update(cipherTransform=cipher, authTransform=auth,
                      cipherKey=self.key(bundles.CIPHER[cipher][0]))
            if not gcm:
                sa["authKey"] = self.key(bundles.AUTH[auth][0])
            elif self.chance(0.2):
                sa["authKey"] = sa["cipherKey"]
        elif what == "cipher":
            cipher = self.pick([n for n in strong if not bundles.CIPHER[n][1]])
            sa.update(cipherTransform=cipher, cipherKey=self.key(bundles.CIPHER[cipher][0]))
        else:
            auth = self.auth(kind == "espAuth" and self.chance(0.5))
            sa.update(authTransform=auth, authKey=self.key(bundles.AUTH[auth][0]))
        return sa

    def auth(self, gcm):
        return self.pick([n for n, row in bundles.AUTH.items() if row[1] == gcm and
                          (not row[2] or self.chance(0.1))])

    def spoil_bundle(self, bundle, sas):
        sa = self.pick(sas)
        key = self.pick([k for k in ("authKey", "cipherKey") if k in sa])
        size = len(bundles.key_bytes(sa[key]))
        what = self.random.randrange(9)
        if what == 0:
            sa[key] = self.key(size + self.pick([-1, 1]))
        elif what == 1:
            sa[key] = "hex:" + "00" * size
        elif what == 2:
            del sa[key]
        elif what == 3:
            sa[self.pick(["authTransform", "cipherTransform"])] = "ROT_13"
        elif what == 4:
            sa["saTransformType"] = self.pick(["espAuthFw", "espNothing"])
        elif what == 5:
            bundle["saList"] = self.pick([[], sas * 3])
        elif what == 6:
            bundle["saList"] = list(reversed(sas)) if len(sas) == 2 else sas * 2
        elif what == 7:
            sa["authTransform"] = self.pick(bundles.AUTH)
        else:
            bundle["udpEncapsulation"] = {"localPort": 0, "remotePort": 4500}
