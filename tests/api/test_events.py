# SPDX-License-Identifier: Apache-2.0
"""Watching SA contexts: what is seen, in both formats, who is refused, and how a stream ends."""

import json
import os
import signal
import sys

from daemon import Daemon, Tap
from watch import Watcher, create, refused, wait_for


def life(tap, daemon, filter_id):
    """One life, as both formats show it."""
    for lines in (False, True):
        kind = "NDJSON" if lines else "SSE"
        watcher = Watcher(daemon, lines=lines)
        tap.equal("%s: the media type" % kind, watcher.answer.headers["Content-Type"],
                  "application/x-ndjson" if lines else "text/event-stream")
        tap.equal("%s: a heartbeat says where it begins" % kind, watcher.next()[0], "heartbeat")
        start = watcher.last_id
        context = create(daemon, filter_id)
        daemon.call("PUT", "/sa-contexts/%d/spi" % context,
                    {"ipsecFilterId": filter_id + 1, "spi": 4096 + context})
        daemon.call("DELETE", "/sa-contexts/%d" % context)
        changes = watcher.changes(3)
        tap.equal("%s: add, update, delete with the state" % kind,
                  [(c["type"], c["state"], c["reason"], c["id"]) for c in changes],
                  [("add", "created", "call", context), ("update", "spiSet", "call", context),
                   ("delete", "spiSet", "call", context)])
        tap.equal("%s: all members" % kind, sorted(changes[0]),
                  ["id", "ipVersion", "localAddress", "reason", "remoteAddress", "sequence",
                   "state", "time", "trafficType", "type"])
        tap.equal("%s: the SPI, once there is one" % kind, [c.get("spi") for c in changes],
                  [None, 4096 + context, 4096 + context])
        numbers = [start] + [c["sequence"] for c in changes]
        tap.check("%s: sequences ascend" % kind, numbers == sorted(set(numbers)), numbers)
        tap.equal("%s: the id is the sequence" % kind, watcher.last_id, numbers[-1])
        watcher.close()


def bundle(spi):
    return {"saList": [{"spi": spi, "saTransformType": "espAuthAndCipher",
                        "authTransform": "GCM_AES_128", "cipherTransform": "GCM_AES_128",
                        "cipherKey": "hex:" + os.urandom(20).hex()}]}


def what_it_is(tap, daemon, filter_id):
    """An event says what the context was then, whatever became of it."""
    start = daemon.call("GET", "/sa-contexts?limit=1")[1]["sequence"]
    first = daemon.call("POST", "/sa-contexts", {
        "localAddress": "192.0.2.1", "remoteAddress": "10.3.0.1", "trafficType": "transport",
        "ipsecFilterId": filter_id, "labels": {"site": "c", "role": "db"}, "spi": 7001,
        "inbound": bundle(7001), "outbound": bundle(8001)})[1]["id"]
    daemon.call("PATCH", "/sa-contexts/%d" % first, {"labels": {"site": "d"}})
    second = daemon.call("POST", "/sa-contexts/%d/rotate" % first,
                         {"spi": 7002, "inbound": bundle(7002)})[1]["id"]
    for context in (first, second):
        daemon.call("DELETE", "/sa-contexts/%d" % context)
    old, new = {"site": "c", "role": "db"}, {"site": "d"}
    for lines in (False, True):
        watcher = Watcher(daemon, "?since=%d" % start, lines=lines)
        told = [(c["id"], c["type"], c.get("spi"), c.get("predecessorId"), c.get("labels"))
                for c in watcher.changes(5)]
        tap.equal("SPI, predecessor and labels of then", told, [
            (first, "add", 7001, None, old), (first, "update", 7001, None, new),
            (second, "add", 7002, first, new), (first, "delete", 7001, None, new),
            (second, "delete", 7002, first, new)])
        watcher.close()


def filters(tap, daemon, filter_id):
    watchers = {query: Watcher(daemon, query, lines=True) for query in (
        "?remoteAddress=10.1.0.0/16", "?remoteAddress=10.2.0.0/16&localAddress=192.0.2.1",
        "?trafficType=tunnel", "?localAddress=2001:db8::/32", "?trafficType=transport")}
    ids = [create(daemon, filter_id, "10.1.0.1"), create(daemon, filter_id, "10.2.0.1")]
    expected = {"?remoteAddress=10.1.0.0/16": ids[:1],
                "?remoteAddress=10.2.0.0/16&localAddress=192.0.2.1": ids[1:],
                "?trafficType=transport": ids}
    for query, watcher in watchers.items():
        wanted = expected.get(query, [])
        tap.equal("only what matches %s" % query,
                  [c["id"] for c in watcher.changes(len(wanted))], wanted)
        # The next heartbeat is past both although neither may have matched.
        latest = daemon.call("GET", "/sa-contexts")[1]["sequence"]
        item = watcher.next()
        while item[0] == "heartbeat" and item[2] < latest:
            item = watcher.next()
        tap.equal("heartbeats move on past what does not match %s" % query, item[0], "heartbeat")
    status, answer, _ = daemon.call("GET", "/subscriptions")
    tap.equal("subscriptions are listed", status, 200)
    shown = {(s.get("localAddress"), s.get("remoteAddress"), s.get("trafficType"))
             for s in answer["items"]}
    tap.equal("with their filters", shown, {
        (None, "10.1.0.0/16", None), ("192.0.2.1/32", "10.2.0.0/16", None), (None, None, "tunnel"),
        ("2001:db8::/32", None, None), (None, None, "transport")})
    tap.check("and their owner", all(s["createdBy"].startswith("uri:spiffe://example.org/orch")
                                     for s in answer["items"]), answer)
    for watcher in watchers.values():
        watcher.close()
    tap.check("those that went away are forgotten by the next heartbeat",
              wait_for(lambda: daemon.call("GET", "/subscriptions")[1]["items"] == []))


def refusals(tap, daemon, filter_id):
    head = daemon.http()
    for _ in range(2):
        head.request("HEAD", "/sa-contexts/events")
        answer = head.getresponse()
        tap.equal("HEAD answers at once", (answer.status, answer.read()), (200, b""))
    head.close()
    tap.equal("and watches nothing", daemon.call("GET", "/subscriptions")[1]["items"], [])

    refused("JSON is not available", tap, daemon, 406, "HTTP_E_STATUS_NONE_ACCEPTABLE",
            headers={"Accept": "application/json"})
    for bad in ("x", "-1", "01", "9007199254740992", "1 2"):
        refused("Last-Event-ID %s" % bad, tap, daemon, 400, "FWP_E_INVALID_PARAMETER",
                headers={"Last-Event-ID": bad})
    refused("since=x", tap, daemon, 400, "FWP_E_TYPE_MISMATCH", query="?since=x")
    refused("state is no filter here", tap, daemon, 400, "FWP_E_INVALID_PARAMETER",
            query="?state=active")
    refused("two IP versions", tap, daemon, 422, "FWP_E_NEVER_MATCH",
            query="?localAddress=10.0.0.0/8&remoteAddress=2001:db8::/32")
    problem = refused("since of no store of ours", tap, daemon, 410, "FWP_E_NOTIFICATION_DROPPED",
                      query="?since=12345")
    tap.check("the oldest sequence is in the problem", problem.get("oldestSequence", 0) > 12345,
              problem)
    watcher = Watcher(daemon, "?since=%d" % problem["oldestSequence"])
    watcher.next()
    tap.check("from there it can be followed", watcher.last_id >= problem["oldestSequence"])
    watcher.close()
    problem = refused("a sequence not given out yet", tap, daemon, 410,
                      "FWP_E_NOTIFICATION_DROPPED", query="?since=9007199254740991")
    tap.check("and that is said", "above the newest" in problem["detail"], problem)
    watcher = Watcher(daemon, headers={"Last-Event-ID": ""})
    tap.equal("an empty Last-Event-ID is none", watcher.next()[0], "heartbeat")
    watcher.close()

    status, session, _ = daemon.call("POST", "/sessions", {})
    assert status == 201, session
    own = {"Engine-Session": session["sessionKey"]}
    transaction = "/sessions/%s/transaction" % session["sessionKey"]
    status, answer, _ = daemon.call("POST", transaction, {"flags": ["readOnly"]})
    assert status == 201, answer
    refused("in a transaction", tap, daemon, 409, "FWP_E_TXN_IN_PROGRESS", headers=own)
    daemon.call("DELETE", transaction)
    watcher = Watcher(daemon, headers=own)
    watcher.next()
    tap.equal("a subscription shows its session",
              [s.get("sessionKey") for s in daemon.call("GET", "/subscriptions")[1]["items"]
               if "sessionKey" in s], [session["sessionKey"]])
    create(daemon, filter_id)
    daemon.call("DELETE", "/sessions/%s" % session["sessionKey"])
    rest = watcher.rest()
    tap.equal("and ends with it", (rest[-1][0], rest[-1][1].get("code")),
              ("error", "FWP_E_SESSION_ABORTED"))
    watcher.close()

    old = daemon.tls()
    old.sendall(b"GET /sa-contexts/events HTTP/1.0\r\nHost: localhost\r\n\r\n")
    text = b""
    while b"heartbeat" not in text:
        text += old.recv(4096)
    tap.check("HTTP/1.0 gets it without chunks", b"chunked" not in text, text)
    old.close()


def rights(tap, daemon):
    access = os.path.join(daemon.work, "access.json")
    before = open(access, encoding="utf-8").read()

    def put(granted):
        count = daemon.log().count('"event":"reloaded"')
        with open(access, "w", encoding="utf-8") as out:
            json.dump({"saDatabase": {"dacl": [{"type": "allow", "principal": "everyone",
                                                "rights": granted}]}}, out)
        daemon.process.send_signal(signal.SIGHUP)
        assert wait_for(lambda: daemon.log().count('"event":"reloaded"') > count)

    put(["FWPM_ACTRL_SUBSCRIBE"])
    refused("without READ", tap, daemon, 403, "ERROR_ACCESS_DENIED")
    put(["FWPM_ACTRL_READ", "FWPM_ACTRL_ENUM", "FWPM_ACTRL_ADD"])
    refused("without SUBSCRIBE", tap, daemon, 403, "ERROR_ACCESS_DENIED")
    tap.equal("subscriptions need READ alone", daemon.call("GET", "/subscriptions")[0], 200)
    put(["FWPM_ACTRL_SUBSCRIBE", "FWPM_ACTRL_READ"])
    watchers = [Watcher(daemon), Watcher(daemon, lines=True)]
    for watcher in watchers:
        watcher.next()
    put(["FWPM_ACTRL_SUBSCRIBE"])
    for watcher in watchers:
        rest = watcher.rest()
        tap.equal("a right taken away ends the stream and says so",
                  (rest[-1][0], rest[-1][1]["code"]), ("error", "ERROR_ACCESS_DENIED"))
        watcher.close()
    tap.equal("subscriptions without READ", daemon.call("GET", "/subscriptions")[0], 403)
    with open(access, "w", encoding="utf-8") as out:
        out.write(before)
    daemon.process.send_signal(signal.SIGHUP)
    assert wait_for(lambda: daemon.call("GET", "/subscriptions")[0] == 200)


def drain(tap, daemon, filter_id):
    watchers = [Watcher(daemon), Watcher(daemon, lines=True)]
    lazy = daemon.tls()
    lazy.sendall(b"GET /sa-contexts/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    context = create(daemon, filter_id)
    for watcher in watchers:
        tap.equal("a change before the end", [c["id"] for c in watcher.changes(1)], [context])
    code = daemon.stop()
    tap.equal("SIGTERM: exit 0", code, 0)
    for watcher in watchers:
        rest = watcher.rest()
        tap.check("the stream ended as a whole answer ends",
                  all(item[0] == "heartbeat" for item in rest) and watcher.answer.isclosed(), rest)
        watcher.close()
    lazy.close()


def engine_made(tap, daemon):
    """What the engine does by itself, with its reason."""
    filter_id = daemon.add_filters()
    watcher = Watcher(daemon)
    context = create(daemon, filter_id)
    tap.equal("a larval timeout is seen",
              [(c["id"], c["type"], c["reason"]) for c in watcher.changes(2)],
              [(context, "add", "call"), (context, "delete", "larval")])
    watcher.close()


def main():
    tap = Tap()
    daemon = Daemon(options=["--event-heartbeat-seconds", "1", "--larval-timeout-seconds", "0"])
    access = os.path.join(daemon.work, "access.json")
    with open(access, encoding="utf-8") as text:
        policy = json.load(text)
    policy["engine"]["dacl"][0]["rights"].append("FWPM_ACTRL_BEGIN_READ_TXN")
    with open(access, "w", encoding="utf-8") as out:
        json.dump(policy, out)
    daemon.start()
    filter_id = daemon.add_filters()
    life(tap, daemon, filter_id)
    what_it_is(tap, daemon, filter_id)
    filters(tap, daemon, filter_id)
    refusals(tap, daemon, filter_id)
    rights(tap, daemon)
    drain(tap, daemon, filter_id)
    daemon.options[-1] = "1"
    daemon.start()
    engine_made(tap, daemon)
    return tap.finish(daemon)


if __name__ == "__main__":
    sys.exit(main())
