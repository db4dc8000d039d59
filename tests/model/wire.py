# SPDX-License-Identifier: Apache-2.0
"""Sends the model's calls to the daemon and turns answers into the model's terms.

Objects of the model have names; here stands which identifier, session key or SPI the daemon gave
to each.  A name that never got one is sent as a number that nothing has."""

import ipaddress
import json
import urllib.parse
import uuid
import zlib

# operation -> method, path
ROUTES = {
    "openSession": ("POST", "/sessions"),
    "listSessions": ("GET", "/sessions"),
    "getSession": ("GET", "/sessions/{id}"),
    "closeSession": ("DELETE", "/sessions/{id}"),
    "beginTransaction": ("POST", "/sessions/{id}/transaction"),
    "commitTransaction": ("POST", "/sessions/{id}/transaction/commit"),
    "abortTransaction": ("DELETE", "/sessions/{id}/transaction"),
    "addFilter": ("POST", "/filters"),
    "listFilters": ("GET", "/filters"),
    "getFilter": ("GET", "/filters/{id}"),
    "deleteFilter": ("DELETE", "/filters/{id}"),
    "addProviderContext": ("POST", "/provider-contexts"),
    "listProviderContexts": ("GET", "/provider-contexts"),
    "getProviderContext": ("GET", "/provider-contexts/{id}"),
    "deleteProviderContext": ("DELETE", "/provider-contexts/{id}"),
    "addTunnel": ("POST", "/tunnels"),
    "listTunnels": ("GET", "/tunnels"),
    "getTunnel": ("GET", "/tunnels/{id}"),
    "deleteTunnel": ("DELETE", "/tunnels/{id}"),
    "createSaContext": ("POST", "/sa-contexts"),
    "createSaContexts": ("POST", "/sa-contexts/batch"),
    "listSaContexts": ("GET", "/sa-contexts"),
    "getSaContext": ("GET", "/sa-contexts/{id}"),
    "deleteSaContext": ("DELETE", "/sa-contexts/{id}"),
    "updateSaContext": ("PATCH", "/sa-contexts/{id}"),
    "getSpi": ("POST", "/sa-contexts/{id}/spi"),
    "setSpi": ("PUT", "/sa-contexts/{id}/spi"),
    "addInbound": ("POST", "/sa-contexts/{id}/inbound"),
    "addOutbound": ("POST", "/sa-contexts/{id}/outbound"),
    "expireSaContext": ("POST", "/sa-contexts/{id}/expire"),
    "rotateSaContext": ("POST", "/sa-contexts/{id}/rotate"),
    "getStatistics": ("GET", "/statistics"),
    "getSecurity": ("GET", "/{container}/security"),
    "setSecurity": ("PUT", "/{container}/security"),
    "resetSecurity": ("DELETE", "/{container}/security"),
    "whoami": ("GET", "/whoami"),
}
CONTAINERS = {"engine": "engine", "saDatabase": "sa-contexts", "filters": "filters",
              "providerContexts": "provider-contexts"}
# Members that hold identifiers, and those that are the daemon's alone.
REFERENCES = ("id", "ipsecFilterId", "tunnelPolicyId", "inboundFilterId", "predecessorId",
              "providerContextId", "tunnelId", "mainModeId", "filterIds")
GUIDS = ("key", "providerContextKey")
VOLATILE = ("createdAt", "openedAt", "addedAt", "expiresAt", "endsAt", "revision", "version",
            "effectiveWeight", "txnWaitTimeoutMs", "sequence", "time", "certificate", "fingerprint", "names")
NAMESPACE = uuid.UUID("6f1c0a52-5f30-4c2e-9f43-0d7a5d2b8c11")


class Connection:
    """One kept-alive TLS connection: requests out, answers in, as fast as Python goes."""

    contexts = {}  # of clients: loading a certificate takes longer than a call

    def __init__(self, daemon, client):
        self.socket = daemon.tls(timeout=60, context=self.context_of(daemon, client))
        self.pending = b""
        self.closed = False  # by the daemon, after its last answer

    @classmethod
    def context_of(cls, daemon, client):
        if client not in cls.contexts:
            cls.contexts[client] = daemon.context(client)
        return cls.contexts[client]

    def send(self, method, path, body=None, headers=()):
        head = "%s %s HTTP/1.1\r\nHost: localhost\r\n" % (method, path)
        for name, value in headers:
            head += "%s: %s\r\n" % (name, value)
        data = b""
        if body is not None:
            data = json.dumps(body).encode()
            head += "Content-Type: application/json\r\nContent-Length: %d\r\n" % len(data)
        self.socket.sendall(head.encode() + b"\r\n" + data)

    def receive(self):
        while b"\r\n\r\n" not in self.pending:
            self.more()
        head, _, rest = self.pending.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        size = int(headers.get("content-length", 0))
        self.pending = rest
        while len(self.pending) < size:
            self.more()
        data, self.pending = self.pending[:size], self.pending[size:]
        self.closed = headers.get("connection") == "close"
        return int(lines[0].split()[1]), headers, json.loads(data) if data else None

    def more(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("the daemon closed the connection")
        self.pending += data

    def close(self):
        self.socket.close()


class Names:
    """Which identifier the daemon gave to which name."""

    def __init__(self):
        self.ids = {}
        self.names = {}
        self.spis = {}
        self.sessions = {}
        self.last_id = 0
        self.guids = set()  # keys of policy objects that callers chose
        self.revisions = {}  # of an object's name and version, and back
        self.versions = {}
        self.problems = []

    def learn(self, name, number):
        if number <= self.last_id:
            self.problems.append("identifier %d of %s is not above %d" %
                                 (number, name, self.last_id))
        self.last_id = max(self.last_id, number)
        self.ids[name] = number
        self.names[number] = name

    def learn_spi(self, symbol, number):
        if number < 256:
            self.problems.append("SPI %d of %s" % (number, symbol))
        self.spis[symbol] = number

    def id_of(self, name):
        if name == 0 or name is None:
            return name
        return self.ids.get(name, (1 << 53) - 1 - zlib.crc32(name.encode()))

    def spi_of(self, value):
        if not isinstance(value, str):
            return value
        return self.spis.get(value, 0x80000000 | zlib.crc32(value.encode()))

    def guid_of(self, name):
        return self.sessions.get(name, str(uuid.uuid5(NAMESPACE, name)))

    def learn_revisions(self, expected, answer):
        """An object keeps its revision until it changes, and no two have the same."""
        if isinstance(expected, list) and isinstance(answer, list):
            for one, two in zip(expected, answer):
                self.learn_revisions(one, two)
        elif isinstance(expected, dict) and isinstance(answer, dict):
            self.learn_revisions(expected.get("items"), answer.get("items"))
            if "version" in expected and "revision" in answer and \
                    self.ids.get(expected["id"]) == answer["id"]:
                self.learn_revision((expected["id"], expected["version"]), answer["revision"])

    def learn_revision(self, what, revision):
        name, version = what
        before = self.revisions.setdefault(what, revision)
        if before != revision or self.versions.setdefault(revision, what) != what:
            self.problems.append("revision %d of %s, whose version %d was %d" %
                                 (revision, name, version, before))
        if self.revisions.get((name, version - 1), 0) >= revision:
            self.problems.append("the revision of %s fell to %d" % (name, revision))

    def known_revisions(self):
        return dict(self.revisions), dict(self.versions)

    def forget_revisions(self, known):
        """What was learnt since on a wrong assumption."""
        self.revisions, self.versions = known
        self.problems = []

    # --- Requests ---

    def request(self, op):
        """Method, path, body and headers of a call."""
        method, path = ROUTES[op["op"]]
        if "id" in op:
            is_session = path.startswith("/sessions")
            path = path.replace("{id}", self.guid_of(op["id"]) if is_session
                                else str(self.id_of(op["id"])))
        if "container" in op:
            path = path.replace("{container}", CONTAINERS[op["container"]])
        if op.get("query"):
            path += "?" + urllib.parse.urlencode({
                k: self.spi_of(v) if k == "spi" else v for k, v in op["query"].items()})
        if op.get("dryRun"):
            path += "?dryRun=true"
        headers = []
        if op.get("session") is not None:
            headers.append(("Engine-Session", self.guid_of(op["session"])))
        if "key" in op:
            headers.append(("Idempotency-Key", op["key"]))
        for header, tags in (("If-Match", op.get("ifMatch")),
                             ("If-None-Match", op.get("ifNoneMatch"))):
            if tags:
                headers.append((header, tags if tags == "*" else
                                ", ".join(self.tag_text(*tag) for tag in tags)))
        body = self.outward(op["body"]) if "body" in op else None
        if op["op"] == "openSession" and op.get("chosen"):
            body["sessionKey"] = self.guid_of(op["as"])
        return method, path, body, headers

    def tag_text(self, name, version, weak=False):
        """An entity tag; what nobody has read yet is sent as one that no object has."""
        tag = str(self.revisions.get((name, version), 1))
        return 'W/"%s"' % tag if weak else '"%s"' % tag

    def outward(self, value):
        if isinstance(value, list):
            return [self.outward(item) for item in value]
        if not isinstance(value, dict):
            return value
        result = {}
        for name, item in value.items():
            if name in REFERENCES:
                result[name] = self.id_of(item)
            elif name == "spi":
                result[name] = self.spi_of(item)
            elif name in GUIDS:
                result[name] = str(uuid.uuid5(NAMESPACE, item))
                self.guids.add(result[name])
            else:
                result[name] = self.outward(item)
        return result

    # --- Answers ---

    def learn_from(self, op, expected, answer):
        """What a success tells of identifiers."""
        if op["op"] == "openSession":
            self.sessions[op["as"]] = answer["sessionKey"]
        elif op["op"] == "createSaContexts":
            for name, item in zip(op["as"], answer["items"]):
                if "id" in item:
                    self.learn(name, item["id"])
                    self.learn_spi_of(name, item)
        elif op["op"] == "addTunnel":
            made = list(zip(answer["filterIds"], expected["filterIds"]))
            made += [(answer[m], expected[m]) for m in ("id", "mainModeId") if answer.get(m)]
            for number, name in sorted(made, key=lambda pair: pair[0]):
                self.learn(name, number)
        elif "as" in op:
            self.learn(op["as"], answer["id"])
            self.learn_spi_of(op["as"], answer)
        elif op["op"] == "getSpi":
            self.learn_spi_of(op["id"], answer)

    def learn_spi_of(self, name, answer):
        symbol = "spi@" + name
        if answer.get("spi") and symbol not in self.spis:
            self.learn_spi(symbol, answer["spi"])

    def inward(self, value, name=None):
        """An answer of the daemon in the terms of the model: names, no volatile members."""
        if isinstance(value, list):
            return [self.inward(item, name) for item in value]
        if isinstance(value, dict):
            result = {}
            for member, item in value.items():
                if member == "error":
                    result[member] = {"status": item["status"], "code": item["code"]}
                elif member in GUIDS and item not in self.guids:
                    pass
                elif member not in VOLATILE:
                    result[member] = self.inward(item, member)
            return result
        if name in REFERENCES and value:
            return self.names.get(value, "unknown %s" % value)
        return value

    def comparable(self, value, name=None):
        """One form for both sides: what is empty is left out, addresses and GUIDs as text."""
        if isinstance(value, dict):
            result = {k: self.comparable(v, k) for k, v in value.items() if k not in VOLATILE}
            if "sessionKey" in result and result["sessionKey"] in self.sessions:
                result["sessionKey"] = self.sessions[result["sessionKey"]]
            return {k: v for k, v in result.items()
                    if v not in (None, 0, "", [], {}, False, "none")}
        if isinstance(value, list):
            result = [self.comparable(item, name) for item in value]
            return sorted(result) if name in ("flags", "rights", *CONTAINERS) else result
        if name == "spi":
            return self.spi_of(value)
        if name in GUIDS and value is not None and value not in self.guids:
            return str(uuid.uuid5(NAMESPACE, value))
        if name in ("createdBy", "openedBy") and ":" not in value:
            return principal_of(value)
        if name == "value" and isinstance(value, str):
            return str(ipaddress.ip_network(value))
        return value


def principal_of(who):
    return "uri:spiffe://example.org/model/" + who
