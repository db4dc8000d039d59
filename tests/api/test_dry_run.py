#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""?dryRun=true on every write: the checks and the answer of the real call, and no effect.

Around every dry run all that can be read of the service is compared; then the real call has to get
the answer that the dry run got.  What the request's headers alone refuse is not marked: the query
has not been read then."""

import json
import os
import re
import sys

from daemon import Daemon, Tap

TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")

tap = Tap()
daemon = Daemon("sqlite:WORK/state.db", audit="WORK/audit.log")
ALL = {"dacl": [{"type": "allow", "principal": "everyone", "rights": ["GENERIC_ALL"]}]}
with open(os.path.join(daemon.work, "access.json"), "w", encoding="ascii") as access:
    json.dump({"engine": ALL}, access)
daemon.start()
connection = daemon.http()


def call(method, path, body=None, **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return daemon.call(method, path, body, names, connection)


def metrics():
    """What counts objects; what counts requests and time moves with any call."""
    text = daemon.metrics().decode()
    objects = ("sa_contexts", "filters", "idempotency", "replay", "session", "transaction")
    return [line for line in text.splitlines()
            if not line.startswith("#") and any(word in line.split("{")[0] for word in objects)]


def snapshot():
    seen = {path: call("GET", path)[:2]
            for path in ("/sa-contexts?limit=1000", "/filters?limit=1000", "/sessions",
                         "/statistics")}
    seen["metrics"] = metrics()
    return seen


def dry(name, method, path, body=None, same=(), **headers):
    """A dry run without effect, then the real call: same status, same body but for 'same', which
    lists members that are chosen by chance.  Returns the real answer."""
    separator = "&" if "?" in path else "?"
    before = snapshot()
    tried = call(method, path + separator + "dryRun=true", body, **headers)
    tap.equal(name + ": nothing has changed", snapshot(), before)
    tap.equal(name + ": marked", tried[2].get("Dry-Run"), "true")
    tap.equal(name + ": leads nowhere",
              (tried[2].get("Location"), tried[2].get("ETag") if method != "GET" else None),
              (None, None))
    real = call(method, path, body, **headers)
    tap.equal(name + ": the real one is not marked", real[2].get("Dry-Run"), None)

    def shown(value):
        """Without what time and chance decide."""
        if isinstance(value, dict):
            return {name: shown(member) for name, member in value.items()
                    if name not in ("requestId", *same)}
        if isinstance(value, list):
            return [shown(member) for member in value]
        return "time" if isinstance(value, str) and TIME.fullmatch(value) else value
    tap.equal(name + ": the same answer", (tried[0], shown(tried[1])), (real[0], shown(real[1])))
    return real


def refused(name, status, code, method, path, body=None, marked="true", **headers):
    before = snapshot()
    answer = call(method, path + "?dryRun=true", body, **headers)
    tap.equal(name + ": refused", (answer[0], (answer[1] or {}).get("code")), (status, code))
    tap.equal(name + ": marked", answer[2].get("Dry-Run"), marked)
    tap.equal(name + ": nothing has changed", snapshot(), before)


def filter_body(direction, local="192.0.2.1"):
    title = direction.capitalize()
    return {"displayData": {"name": direction}, "layer": direction + "TransportV4",
            "conditions": [{"field": "ipLocalAddress", "match": "equal", "value": local},
                           {"field": "ipRemoteAddress", "match": "equal", "value": "10.0.0.0/8"}],
            "action": {"type": "calloutTerminating", "callout": "ipsec%sTransportV4" % title}}


def bundle(spi):
    key = os.urandom(20).hex()
    return {"lifetime": {"seconds": 3600},
            "saList": [{"spi": spi, "saTransformType": "espAuthAndCipher",
                        "authTransform": "GCM_AES_128", "cipherTransform": "GCM_AES_128",
                        "cipherKey": "hex:" + key}]}


def traffic(filter_id, remote, **more):
    return {"localAddress": "192.0.2.1", "remoteAddress": remote, "trafficType": "transport",
            "ipsecFilterId": filter_id, **more}


# --- The member itself ----------------------------------------------------------------------------

for value, code in (("1", "FWP_E_TYPE_MISMATCH"), ("", "FWP_E_TYPE_MISMATCH"),
                    ("True", "FWP_E_TYPE_MISMATCH"), ("true&dryRun=true", "FWP_E_INVALID_PARAMETER")):
    answer = call("POST", "/filters?dryRun=" + value, filter_body("outbound"))
    tap.equal("dryRun=" + value, (answer[0], answer[1]["code"], answer[1].get("pointer")),
              (400, code, "dryRun"))
answer = call("GET", "/filters?dryRun=true")
tap.equal("reads have none", (answer[0], answer[1].get("pointer")), (400, "dryRun"))
answer = call("POST", "/filters?dryrun=true", filter_body("outbound"))
tap.equal("another name", (answer[0], answer[1].get("pointer")), (400, "dryrun"))
tap.equal("and nothing was made", call("GET", "/filters")[1]["items"], [])
answer = call("POST", "/filters?dryRun=false", filter_body("outbound"))
tap.equal("false is a real call", (answer[0], answer[2].get("Dry-Run")), (201, None))
outbound = answer[1]["id"]

# --- Filters --------------------------------------------------------------------------------------

inbound = dry("add a filter", "POST", "/filters", filter_body("inbound"), ["key"])[1]["id"]
spare = dry("add another", "POST", "/filters", filter_body("outbound", "192.0.2.9"),
            ["key"])[1]["id"]
dry("delete a filter", "DELETE", "/filters/%d" % spare)
refused("a filter that is not there", 404, "FWP_E_FILTER_NOT_FOUND", "DELETE", "/filters/9999")
refused("a filter without a name", 400, "FWP_E_NULL_DISPLAY_NAME", "POST", "/filters",
        {"layer": "outboundTransportV4"})

# --- SA contexts ----------------------------------------------------------------------------------

context = dry("create", "POST", "/sa-contexts", traffic(outbound, "10.0.0.1"))[1]["id"]
path = "/sa-contexts/%d" % context
refused("create for an unknown filter", 422, "FWP_E_FILTER_NOT_FOUND", "POST", "/sa-contexts",
        traffic(9999, "10.0.0.1"))
keyed = traffic(outbound, "10.0.0.2", getSpi=True, inbound=bundle(0), outbound=bundle(4711),
                labels={"site": "b"})
dry("create and key", "POST", "/sa-contexts", keyed, ["spi"])
dry("create many", "POST", "/sa-contexts/batch",
    {"items": [traffic(outbound, "10.0.1.%d" % i, spi=4096 + i) for i in range(1, 5)]})
dry("create some of many", "POST", "/sa-contexts/batch",
    {"atomic": False, "items": [traffic(outbound, "10.0.2.1"), traffic(9999, "10.0.2.2"),
                                traffic(outbound, "10.0.2.3")]})
refused("create all or none", 422, "FWP_E_FILTER_NOT_FOUND", "POST", "/sa-contexts/batch",
        {"items": [traffic(outbound, "10.0.3.1"), traffic(9999, "10.0.3.2")]})
refused("key before its SPI", 409, "FWP_E_INCOMPATIBLE_SA_STATE", "POST", path + "/inbound",
        bundle(0))
refused("an SPI that is taken", 409, "FWP_E_ALREADY_EXISTS", "PUT", path + "/spi",
        {"ipsecFilterId": inbound, "spi": 4097})
dry("set the SPI", "PUT", path + "/spi", {"ipsecFilterId": inbound, "spi": 70000})
dry("the inbound SAs", "POST", path + "/inbound", bundle(70000))
dry("the outbound SAs", "POST", path + "/outbound", bundle(5000))
dry("update", "PATCH", path, {"labels": {"a": "b"}})
refused("update nothing", 400, "FWP_E_INVALID_FLAGS", "PATCH", path, {})
refused("update another revision", 412, "HTTP_E_STATUS_PRECOND_FAILED", "PATCH", path,
        {"labels": {}}, If_Match='"1"')
dry("rotate", "POST", path + "/rotate", {"inbound": bundle(0)}, ["spi", "inbound"])
dry("expire", "POST", path + "/expire")
dry("delete", "DELETE", path)
refused("delete what is not there", 404, "FWP_E_NOT_FOUND", "DELETE", path)
other = call("POST", "/sa-contexts", traffic(outbound, "10.0.0.3"))[1]["id"]
dry("have an SPI handed out", "POST", "/sa-contexts/%d/spi" % other, {"ipsecFilterId": inbound},
    ["spi"])

# --- Repeats --------------------------------------------------------------------------------------

body = traffic(outbound, "10.0.4.1")
dry("with a key", "POST", "/sa-contexts", body, Idempotency_Key="k1")
answer = call("POST", "/sa-contexts", body, Idempotency_Key="k1")
tap.equal("the real call is the first one", (answer[0], answer[2].get("Idempotent-Replay")),
          (201, "true"))
answer = call("POST", "/sa-contexts?dryRun=true", traffic(outbound, "10.0.4.2"),
              Idempotency_Key="k2")
answer = call("POST", "/sa-contexts", traffic(outbound, "10.0.4.3"), Idempotency_Key="k2")
tap.equal("a dry run does not take a key", (answer[0], answer[2].get("Idempotent-Replay")),
          (201, None))
answer = call("POST", "/sa-contexts?dryRun=true", body, Idempotency_Key="not a key")
tap.equal("a key is looked at all the same", answer[0], 400)

# --- Sessions and transactions --------------------------------------------------------------------

session = dry("open a session", "POST", "/sessions", {}, ["sessionKey"])[1]["sessionKey"]
place = "/sessions/" + session
dry("begin", "POST", place + "/transaction", {})
dry("add a filter in a transaction", "POST", "/filters", filter_body("outbound", "192.0.2.8"),
    ["key"], Engine_Session=session)
refused("create in a transaction", 409, "FWP_E_TXN_IN_PROGRESS", "POST", "/sa-contexts",
        traffic(outbound, "10.0.0.9"), marked=None, Engine_Session=session)
filters = len(call("GET", "/filters")[1]["items"])
dry("commit", "POST", place + "/transaction/commit")
tap.equal("the real commit was one", len(call("GET", "/filters")[1]["items"]), filters + 1)
refused("commit nothing", 409, "FWP_E_NO_TXN_IN_PROGRESS", "POST", place + "/transaction/commit",
        marked=None)
call("POST", place + "/transaction", {})
call("POST", "/filters", filter_body("outbound", "192.0.2.7"), Engine_Session=session)
dry("abort", "DELETE", place + "/transaction")
tap.equal("the real abort was one", len(call("GET", "/filters")[1]["items"]), filters + 1)
call("POST", place + "/transaction", {})
dry("close a session", "DELETE", place)
answer = call("POST", "/filters", filter_body("outbound", "192.0.2.6"))
tap.equal("its lock is free", answer[0], 201)

# --- The audit line -------------------------------------------------------------------------------

with open(daemon.audit, encoding="utf-8") as audit:
    lines = [json.loads(line) for line in audit]
creates = [line for line in lines if line["path"] == "/sa-contexts" and line["method"] == "POST"]
tap.check("dry runs are marked in the audit log", any(line.get("dryRun") for line in creates))
tap.check("real calls are not", any("dryRun" not in line for line in creates))
tap.equal("no dry run claims to have made an object",
          [line for line in creates if line.get("dryRun") and "objectId" in line], [])

# --- Nor after a restart --------------------------------------------------------------------------

before = [call("GET", path)[1]["items"] for path in ("/sa-contexts?limit=1000", "/filters")]
call("POST", "/sa-contexts?dryRun=true", body)
connection.close()
tap.equal("stop", daemon.stop(), 0)
daemon.start()
connection = daemon.http()
after = [call("GET", path)[1]["items"] for path in ("/sa-contexts?limit=1000", "/filters")]
tap.equal("nothing of it is in the store", after, before)

sys.exit(tap.finish(daemon))
