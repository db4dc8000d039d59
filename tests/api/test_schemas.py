#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Labels: slow
"""Request bodies and their schemas: good bodies with every member there is, each member changed in
many ways.  What the schema forbids the daemon refuses, and null stands for a member left out."""

import copy
import http.client
import json
import re
import sys

from daemon import Daemon, Tap

try:
    import jsonschema
except ImportError:
    print("# python3-jsonschema is not there")
    sys.exit(77)

ALL = {"dacl": [{"type": "allow", "principal": "uri:spiffe://example.org/orchestrator/*",
                 "rights": ["GENERIC_ALL"]}]}
ABSENT = object()
VALUES = [0, 1, -1, 255, 65536, 2 ** 32, 2 ** 53, 2 ** 63 - 1, 1.5, True, "", "x", "1", "x" * 1025,
          [], {}, ["x"], [{}], {"x": 1}, ["dynamic", "dynamic"]]
GUID = "6f1c0a52-5f30-4c2e-9f43-0d7a5d2b8c%02d"

tap = Tap()
daemon = Daemon(options=["--allow-weak-transforms", "true"])
with open(daemon.work + "/access.json", "w", encoding="ascii") as access:
    json.dump({"engine": ALL}, access)
daemon.start()
document = daemon.call("GET", "/openapi.json")[1]
connection = daemon.http()


def dry_run(method, path, body):
    """Not noted for the coverage: there are thousands, and none is what it is about."""
    for _ in range(2):
        try:
            connection.request(method, path + "?dryRun=true", json.dumps(body),
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (http.client.HTTPException, OSError):
            connection.close()      # it was closed behind an answer
    return 0, b""


# --- Good bodies ----------------------------------------------------------------------------------


def bundle(key, **sa):
    secret = "hex:" + key * 20
    return {
        "flags": ["ndSecure"], "lifetime": {"seconds": 3600, "kilobytes": 5, "packets": 6},
        "idleTimeoutSeconds": 3000, "ndAllowClearTimeoutSeconds": 4, "napContext": 3, "qmSaId": 7,
        "mmSaId": 8, "qmFilterId": 9, "saLookupContext": GUID % 1, "pfsGroup": "ecp256",
        "udpEncapsulation": {"localPort": 4500, "remotePort": 4500},
        "peerV4PrivateAddress": "10.1.1.1",
        "keyModuleState": {"keyModuleKey": GUID % 2, "stateBlob": "AAAA"},
        "ipsecId": {"mmTargetName": "a", "emTargetName": "b", "explicitCredentials": 4, "tokens": [
            {"type": "machine", "principal": "local", "mode": "main", "token": 3}]},
        "saList": [dict(sa, saTransformType="espAuthAndCipher", authTransform="GCM_AES_128",
                        cipherTransform="GCM_AES_128", authKey=secret, cipherKey=secret)]}


out = daemon.add_filters()
INBOUND, OUTBOUND = bundle("11", spi=0), bundle("22", spi=5000)
ADDRESSES = {"ipVersion": "v4", "localAddress": "192.0.2.1", "remoteAddress": "10.0.0.1"}
TRAFFIC = dict(ADDRESSES, trafficType="transport", ipsecFilterId=out)
SPI = dict(ADDRESSES, ipsecFilterId=out + 1)
PROPOSALS = [{"lifetime": {"seconds": 3600, "kilobytes": 1, "packets": 1}, "pfsGroup": "ecp384",
              "saTransforms": [{"saTransformType": "espAuthAndCipher",
                                "authTransform": "GCM_AES_128", "cipherTransform": "GCM_AES_128"}]}]
IDLE = {"idleTimeoutSeconds": 300, "idleTimeoutSecondsFailOver": 60}
NAMED = {"displayData": {"name": "a", "description": "b"}, "providerData": "AAAA", "flags": []}
MAIN = dict(NAMED, type="ipsecIkeMmContext", policy={"a": 1}, key=GUID % 3)
TRANSPORT = dict(NAMED, type="ipsecIkeQmTransportContext", transportPolicy={
    "flags": ["ndSecure"], "ipsecProposals": PROPOSALS, "saIdleTimeout": IDLE,
    "ndAllowClearTimeoutSeconds": 3})
TUNNEL = dict(NAMED, type="ipsecIkeQmTunnelContext", key=GUID % 4, tunnelPolicy={
    "flags": ["ndSecure"], "ipsecProposals": PROPOSALS, "saIdleTimeout": IDLE,
    "tunnelEndpoints": {"ipVersion": "v4", "localAddress": "192.0.2.1",
                        "remoteAddress": "198.51.100.7"}})
CONDITIONS = [{"field": "ipLocalAddress", "match": "equal", "value": "192.0.2.1"},
              {"field": "ipLocalPort", "match": "range", "value": {"low": 1, "high": 5}}]
FILTER = dict(NAMED, layer="outboundTransportV4", subLayer="universal", conditions=CONDITIONS,
              weight={"range": 3}, rawContext=0, key=GUID % 5,
              action={"type": "calloutTerminating", "callout": "ipsecOutboundTransportV4"})


def context(**members):
    status, answer, _ = daemon.call("POST", "/sa-contexts", dict(TRAFFIC, **members))
    assert status == 201, answer
    return "/sa-contexts/%d" % answer["id"]


created, with_spi = context(), context(getSpi=True)
receiving = context(getSpi=True, inbound=INBOUND)
active = context(getSpi=True, inbound=INBOUND, outbound=OUTBOUND)
session = "/sessions/" + daemon.call("POST", "/sessions")[1]["sessionKey"]
CASES = [
    ("POST", "/sa-contexts", dict(
        TRAFFIC, localPort=5, remotePort=6, ipProtocol=6, labels={"a": "b"}, spi=9000,
        inboundFilterId=out + 1, inbound=INBOUND, outbound=OUTBOUND)),
    ("POST", "/sa-contexts", dict(TRAFFIC, getSpi=True)),
    ("POST", "/sa-contexts/batch", {"atomic": True, "items": [TRAFFIC]}),
    ("POST", created + "/spi", SPI),
    ("PUT", created + "/spi", dict(SPI, spi=300)),
    ("POST", with_spi + "/inbound", INBOUND),
    ("POST", receiving + "/outbound", OUTBOUND),
    ("PATCH", active, {"labels": {"a": "c"}, "outboundTraffic": ADDRESSES, "inbound": {
        name: INBOUND[name] for name in ("udpEncapsulation", "flags", "napContext", "mmSaId",
                                         "keyModuleState", "peerV4PrivateAddress")}}),
    ("POST", active + "/rotate", {"inbound": INBOUND, "outbound": OUTBOUND, "spi": 9001,
                                  "inboundFilterId": out + 1}),
    ("POST", active + "/expire", {}),
    ("POST", "/reconcile", {}),
    ("POST", "/filters", FILTER),
    ("POST", "/filters", dict(FILTER, weight=7, action={"type": "permit"})),
    ("POST", "/provider-contexts", MAIN),
    ("POST", "/provider-contexts", TRANSPORT),
    ("POST", "/provider-contexts", TUNNEL),
    ("POST", "/tunnels", {"tunnelPolicy": TUNNEL, "mainModePolicy": MAIN, "ipVersion": "v4",
                          "flags": ["pointToPoint"], "conditions": CONDITIONS}),
    ("POST", "/sessions", {"displayData": {"name": "a"}, "sessionKey": GUID % 6,
                           "flags": ["dynamic"], "txnWaitTimeoutMs": 5}),
    ("POST", session + "/transaction", {"flags": ["readOnly"]}),
    ("PUT", "/filters/security", {"dacl": [{"type": "allow", "principal": "everyone",
                                            "rights": ["DELETE"]}]}),
]

# --- And what becomes of them ---------------------------------------------------------------------


def schema_of(method, path):
    for template, methods in sorted(document["paths"].items(), key=lambda row: "{" in row[0]):
        pattern = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path) and method.lower() in methods:
            content = methods[method.lower()]["requestBody"]["content"]
            return dict(content["application/json"]["schema"], components=document["components"])
    raise KeyError(path)


def places(value, place=()):
    yield place
    rows = value.items() if isinstance(value, dict) else \
        enumerate(value) if isinstance(value, list) else ()
    for name, inner in rows:
        yield from places(inner, place + (name,))


def changed(body, place, value):
    if not place:
        return value
    body = copy.deepcopy(body)
    holder = body
    for name in place[:-1]:
        holder = holder[name]
    holder[place[-1]] = value
    if value is ABSENT:
        del holder[place[-1]]
    return body


def is_free(place):
    """What callers name themselves."""
    return place[-2:-1] in (("labels",), ("policy",))


for method, path, body in CASES:
    validator = jsonschema.Draft202012Validator(schema_of(method, path))
    name = "%s %s" % (method, re.sub(r"[0-9a-f]{8}-[0-9a-f-]*|\d+", "…", path))
    status, answer = dry_run(method, path, body)
    tap.check("%s: taken" % name, status // 100 == 2, answer)
    tap.check("%s: of its schema" % name, validator.is_valid(body),
              next(validator.iter_errors(body), ""))
    wrong, count = [], 0
    for place in places(body):
        for value in VALUES:
            other = changed(body, place, value)
            status, answer = dry_run(method, path, other)
            count += 1
            if status == 0 or (status // 100 == 2 and not validator.is_valid(other)):
                wrong.append((place, value, status))
        if not place or isinstance(place[-1], int) or is_free(place):
            continue
        absent, null = [dry_run(method, path, changed(body, place, value))[0]
                        for value in (ABSENT, None)]
        if absent != null:
            wrong.append((place, None, null, absent))
    tap.check("%s: what its schema forbids is refused, %d times" % (name, count), not wrong,
              wrong[:5])
connection.close()
sys.exit(tap.finish(daemon))
