#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which requests may come without a body, and which with {}: of a POST that needs no member both are
the same, whether it has members or not.  The operations are those of /openapi.json."""

import json
import re
import sys

from daemon import Daemon, Tap

NOBODYS_KEY = "0b0e8f3c-8b9c-4f3e-9d58-1f6f5f6b7a11"
NOBODYS_ID = "9007199254740990"
ALL = {"dacl": [{"type": "allow", "principal": "uri:spiffe://example.org/orchestrator/*",
                 "rights": ["GENERIC_ALL"]}]}

tap = Tap()
daemon = Daemon()
with open(daemon.work + "/access.json", "w", encoding="ascii") as access:
    json.dump({"engine": ALL}, access)
daemon.start()


def call(method, path, body=None, **headers):
    return daemon.call(method, path, body, {name.replace("_", "-"): value
                                            for name, value in headers.items()})


def told(answer):
    return answer[0], (answer[1] or {}).get("code")


# --- Every operation ------------------------------------------------------------------------------

document = call("GET", "/openapi.json")[1]
optional = 0
for template, methods in document["paths"].items():
    path = template.replace("{key}", NOBODYS_KEY).replace("{id}", NOBODYS_ID)
    path = re.sub(r"\{[^}]*\}", "x", path)
    for method, operation in methods.items():
        method, name, body = method.upper(), operation["operationId"], operation.get("requestBody")
        if "/sessions/{key}/" in template:
            continue    # without a session nothing is read; they are below
        if body is None:
            tap.equal("%s takes no body" % name, told(call(method, path, {})),
                      (400, "HTTP_E_STATUS_BAD_REQUEST"))
        elif body["required"]:
            tap.equal("%s needs a body" % name, told(call(method, path)),
                      (400, "FWP_E_NULL_POINTER"))
            schema = body["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
            tap.check("%s needs one for a member, or is no POST" % name,
                      method != "POST" or document["components"]["schemas"][schema]["required"])
        else:
            optional += 1
            none, empty = [call(method, path + "?dryRun=true", body) for body in (None, {})]
            tap.equal("%s: no body is as good as {}" % name, told(none), told(empty))
            tap.check("%s: neither is what is wrong" % name, none[0] not in (400, 415), none)
            answer = call(method, path, {"surprise": 1})
            tap.equal("%s: an unknown member is refused by name" % name,
                      told(answer) + (answer[1].get("pointer"),),
                      (400, "FWP_E_INVALID_PARAMETER", "/surprise"))
            for other in ("[]", "1", "null", " "):
                tap.equal("%s: %s is no object" % (name, other), call(method, path, other)[0], 400)
            tap.equal("%s: a body has its type" % name,
                      told(call(method, path, "{}", Content_Type="text/plain")),
                      (415, "HTTP_E_STATUS_UNSUPPORTED_MEDIA"))
            tap.check("%s: no body has none" % name,
                      call(method, path + "?dryRun=true", "", Content_Type="text/plain")[0] != 415)
        if body is not None:
            tap.check("%s: only a POST's body may be left out" % name,
                      body["required"] or method == "POST")
tap.check("there are such", optional >= 4, optional)

# --- With effect ----------------------------------------------------------------------------------

outbound = daemon.add_filters()
for body in (None, {}, ""):
    status, session, _ = call("POST", "/sessions", body)
    tap.equal("open with %r" % body, status, 201)
    path = "/sessions/%s/transaction" % session["sessionKey"]
    status, session, _ = call("POST", path, body)
    tap.equal("begin with %r" % body, (status, session["transaction"]), (201, "readWrite"))
    tap.equal("commit with %r" % body, call("POST", path + "/commit", body)[0], 204)
    call("POST", path, body)
    tap.equal("a member of a commit", told(call("POST", path + "/commit", {"force": True})),
              (400, "FWP_E_INVALID_PARAMETER"))
    tap.equal("the end takes no body", told(call("DELETE", path, {})),
              (400, "HTTP_E_STATUS_BAD_REQUEST"))
    tap.equal("end", call("DELETE", path)[0], 204)

    context = "/sa-contexts/%d" % call("POST", "/sa-contexts", {
        "localAddress": "192.0.2.1", "remoteAddress": "10.0.0.1", "trafficType": "transport",
        "ipsecFilterId": outbound})[1]["id"]
    tap.equal("an SPI with %r" % body, call("POST", context + "/spi", body)[0], 200)
    tap.equal("expire with %r" % body, call("POST", context + "/expire", body)[0], 204)
    tap.equal("reconcile with %r" % body, call("POST", "/reconcile", body)[0], 200)

# The two are one request to Idempotency-Key, too.
first = call("POST", "/sessions", None, Idempotency_Key="a")
second = call("POST", "/sessions", {}, Idempotency_Key="a")
tap.equal("{} repeats what had no body", (second[0], second[1], second[2]["Idempotent-Replay"]),
          (201, first[1], "true"))
tap.equal("a member does not", told(call("POST", "/sessions", {"flags": []}, Idempotency_Key="a")),
          (422, "HTTP_E_STATUS_UNPROCESSABLE_CONTENT"))

# Chunks say that there is a body, so it has a type; nothing in them is nothing.
connection = daemon.http()
connection.request("POST", "/sessions", iter([]), {"Content-Type": "application/json"},
                   encode_chunked=True)
tap.equal("no bytes in chunks", connection.getresponse().status, 201)
connection.close()

sys.exit(tap.finish(daemon))
