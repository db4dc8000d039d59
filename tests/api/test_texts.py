#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What refusals say: titles and details as a person reads them, and where they point."""

import json
import re
import sys

from daemon import Daemon, Tap

TRAFFIC = {"localAddress": "192.0.2.1", "remoteAddress": "10.0.0.1", "trafficType": "transport"}
AUTH_KEYS = {"HMAC_SHA_1_96": 20, "HMAC_SHA_256_128": 32, "HMAC_MD5_96": 16}
CIPHER_KEYS = {"AES_128": 16, "AES_192": 24, "AES_256": 32, "CBC_3DES": 24, "CBC_DES": 8}
GCM_KEYS = {"GCM_AES_128": 20, "GCM_AES_192": 28, "GCM_AES_256": 36}

tap = Tap()
daemon = Daemon(options=["--allow-weak-transforms", "true"])
daemon.start()


def call(method, path, body=None, **headers):
    return daemon.call(method, path, body, {name.replace("_", "-"): value
                                            for name, value in headers.items()})


def says(name, answer, detail, pointer=None):
    """The detail, or what it has to match."""
    got = answer[1] or {}
    good = got.get("detail") == detail if isinstance(detail, str) else \
        bool(detail.fullmatch(got.get("detail", "")))
    tap.check("%s: %s" % (name, detail if isinstance(detail, str) else detail.pattern),
              good and got.get("pointer") == pointer, got)


# --- Titles ---------------------------------------------------------------------------------------

for error in call("GET", "/errors")[1]["items"]:
    tap.check("%s is %s" % (error["code"], error["title"]),
              re.fullmatch(r"[A-Za-z][^\"\\.!]*[a-z0-9)]", error["title"]))
status, dropped, _ = call("GET", "/sa-contexts/events?since=1")
tap.equal("events that are gone", (status, dropped["title"]), (410, "events are no longer kept"))

# --- Lists of names: all of them, or as many as there is room for, whole -----------------------------

document = call("GET", "/openapi.json")[1]
schemas = document["components"]["schemas"]
known = set(re.findall(r'"(\w+)"', json.dumps(document)))
new_filter = {"displayData": {"name": "x"}, "layer": "outboundTransportV4",
              "action": {"type": "permit"}}
for name, path, body in (
        ("callouts", "/filters",
         dict(new_filter, action={"type": "calloutTerminating", "callout": "x"})),
        ("layers", "/filters", dict(new_filter, layer="x")),
        ("action types", "/filters", dict(new_filter, action={"type": "x"})),
        ("flags", "/filters", dict(new_filter, flags=["x"])),
        ("fields", "/filters", dict(new_filter, conditions=[
            {"field": "x", "match": "equal", "value": 1}])),
        ("types", "/provider-contexts", {"displayData": {"name": "x"}, "type": "x"}),
        ("transforms", "/sa-contexts/1/inbound", {"saList": [{"saTransformType": "x"}]}),
        ("bundle flags", "/sa-contexts/1/inbound", {"saList": [], "flags": ["x"]}),
        ("members of a filter", "/filters", dict(new_filter, x=1)),
        ("members of a bundle", "/sa-contexts/1/inbound", {"x": 1}),
        ("members of a context", "/sa-contexts", {"x": 1}),
        ("members of an SPI request", "/sa-contexts/1/spi", {"x": 1})):
    detail = call("POST", path, body)[1]["detail"]
    listed = re.fullmatch(r"(?:must be one of|unknown member; known are|the layer has no .*) (.*)",
                          detail)
    if not tap.check("%s are listed" % name, listed, detail):
        continue
    listed = listed.group(1)
    if "…" in listed:
        tap.check("%s: the end says where all are" % name,
                  listed.endswith(", … (/openapi.json has all)"), detail)
        listed = listed[:listed.index(", …")]
    tap.check("%s: whole ones" % name,
              all(one in known for one in listed.split(", ")) and len(listed) > 20, detail)
says("the only flag", call("POST", "/sessions", {"flags": ["x"]}), "must be dynamic", "/flags/0")
says("no members", call("POST", "/reconcile", {"x": 1}), "needs FWPM_ACTRL_WRITE on engine")
says("no query", call("GET", "/whoami?x=1"), "this operation takes no query", "x")
says("another query", call("GET", "/filters?x=1"),
     "unknown parameter; known are limit, cursor, layer, key", "x")
says("twice", call("GET", "/filters?limit=1&limit=2"), "limit is given twice", "limit")
says("too few", call("POST", "/sa-contexts/batch", {"items": []}),
     "has 0 elements; there must be from 1 to 1000", "/items")

# --- Methods --------------------------------------------------------------------------------------

for path, methods in (("/filters", "POST, GET, HEAD"), ("/tunnels", "POST, GET, HEAD"),
                      ("/sa-contexts/1", "GET, HEAD, DELETE, PATCH")):
    status, problem, headers = call("PUT", path)
    tap.equal("PUT %s" % path, (status, headers["Allow"], problem["detail"]),
              (405, methods, "PUT is none of the methods of this path: " + methods))

# --- Headers: which -------------------------------------------------------------------------------

connection = daemon.http()
connection.putrequest("GET", "/whoami")
connection.putheader("Engine-Session", "a")
connection.putheader("Engine-Session", "b")
connection.endheaders()
answer = connection.getresponse()
says("a header twice", (answer.status, json.loads(answer.read())), "more than one Engine-Session",
     "Engine-Session")
connection.close()
says("a header of another form", call("GET", "/whoami", Engine_Session="a"),
     re.compile("not the key of a session, .*"), "Engine-Session")

# --- Keys: how long they have to be ---------------------------------------------------------------

filter_id = daemon.add_filters()
context = "/sa-contexts/%d" % call(
    "POST", "/sa-contexts", dict(TRAFFIC, ipsecFilterId=filter_id))[1]["id"]
spi = call("POST", context + "/spi")[1]["spi"]


def inbound(kind, **members):
    sa = dict({"saTransformType": kind}, **members)
    return call("POST", context + "/inbound", {"saList": [sa]})


def hint(size, wanted):
    """What looks like hexadecimal that was read as base64."""
    return "; if it is hexadecimal, put hex: before it" if 2 * size == 3 * wanted else ""


for name, size in GCM_KEYS.items():
    parts = ": %d of key, then 4 of salt" % (size - 4)
    for wrong in (size - 4, size - 1, size + 1):
        says(name, inbound("espAuthAndCipher", authTransform=name, cipherTransform=name,
                           cipherKey="hex:" + "11" * wrong),
             "is %d bytes long; the transform needs %d%s" % (wrong, size, parts), "/saList/0/cipherKey")
    says(name, inbound("espAuthAndCipher", authTransform=name, cipherTransform=name),
         "the transform needs a key of %d bytes%s" % (size, parts), "/saList/0/cipherKey")
    says("GMAC of " + name, inbound("espAuth", authTransform=name, authKey="hex:11"),
         "is 1 byte long; the transform needs %d%s" % (size, parts), "/saList/0/authKey")
    says(name + " in hexadecimal", inbound("espAuthAndCipher", authTransform=name,
                                           cipherTransform=name, cipherKey="11" * size),
         "is %d bytes long; the transform needs %d%s%s" % (
             size * 3 // 2, size, parts, hint(size * 3 // 2, size)), "/saList/0/cipherKey")
for name, size in CIPHER_KEYS.items():
    says(name, inbound("espAuthAndCipher", authTransform="HMAC_SHA_1_96", cipherTransform=name,
                       authKey="hex:" + "11" * 20, cipherKey="hex:" + "11" * (size + 4)),
         "is %d bytes long; the transform needs %d%s" % (size + 4, size, hint(size + 4, size)),
         "/saList/0/cipherKey")
for name, size in AUTH_KEYS.items():
    says(name, inbound("ah", authTransform=name, authKey="hex:" + "11" * 12),
         "is 12 bytes long; the transform needs %d" % size, "/saList/0/authKey")
    says(name, inbound("ah", authTransform=name),
         "the transform needs a key of %d bytes" % size, "/saList/0/authKey")
# The document says the same.
described = schemas["SaWithKeys"]["properties"]
for name, size in [*AUTH_KEYS.items(), *CIPHER_KEYS.items()]:
    member = "authKey" if name in AUTH_KEYS else "cipherKey"
    tap.check("the length for %s is documented" % name,
              re.search(r"\b%d with [^,]*\b%s\b" % (size, name), described[member]["description"]),
              described[member]["description"])

# --- The traffic of an SPI request ----------------------------------------------------------------

for given, missing in (("localAddress", "remoteAddress"), ("remoteAddress", "localAddress")):
    says("no " + missing, call("POST", context + "/spi", {given: TRAFFIC[given]}),
         "both addresses are given, or none", "/" + missing)

# --- SPIs of inbound SAs: the context's ---------------------------------------------------------------

GOOD = {"authTransform": "GCM_AES_128", "cipherTransform": "GCM_AES_128",
        "cipherKey": "hex:" + "11" * 20}
says("another SPI", inbound("espAuthAndCipher", spi=spi ^ 1, **GOOD),
     "must be the SPI of the context, %d, or left out" % spi, "/saList/0/spi")
status, made, headers = inbound("espAuthAndCipher", **GOOD)
tap.equal("none", (status, made["inbound"]["saList"][0]["spi"]), (201, spi))
tag = headers["ETag"]
tap.equal("the answer has the entity tag of the object", tag, call("GET", context)[2]["ETag"])
for given in ({}, {"spi": 0}, {"spi": 4711}):
    bundle = {"saList": [dict(given, saTransformType="espAuthAndCipher", **GOOD)]}
    status, made, _ = call("POST", "/sa-contexts?dryRun=true", dict(
        TRAFFIC, ipsecFilterId=filter_id, spi=4711, inbound=bundle))
    tap.equal("at once with %r" % given, (status, made["spi"]), (201, 4711))

# --- What is in use -------------------------------------------------------------------------------

says("one user", call("DELETE", "/filters/%d" % filter_id),
     re.compile("1 SA context refers to filter %d: SA context [0-9]+" % filter_id))
call("POST", "/sa-contexts", dict(TRAFFIC, ipsecFilterId=filter_id))
says("two users", call("DELETE", "/filters/%d" % filter_id),
     re.compile("2 SA contexts refer to filter %d, SA context [0-9]+ among them" % filter_id))

# --- Updates --------------------------------------------------------------------------------------

for body in ({}, {"inbound": {}}, {"labels": None}):
    says("update with %r" % body, call("PATCH", context, body),
         "nothing to change: give labels, outboundTraffic, or a member of inbound or outbound")

sys.exit(tap.finish(daemon))
