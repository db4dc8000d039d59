# SPDX-License-Identifier: Apache-2.0
# Labels: slow
# Alone: it fills the machine.
"""Watching SA contexts under load: nothing is missed and nothing comes twice, over broken
connections and kill -9, too; a watcher who may not watch any more is cut, and a slow one costs
nobody else."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

from daemon import Daemon, ROOT, Tap
from watch import Creators, Refused, Watcher, create, create_many, metric, refused, wait_for

WATCHERS = 200
PKI = os.path.join(ROOT, "deploy/pki.sh")


def revoked(tap, daemon, filter_id):
    crl = os.path.join(daemon.work, "crl.pem")
    stays, goes = Watcher(daemon), Watcher(daemon, connection=daemon.http(daemon.context("going")))
    for watcher in (stays, goes):
        watcher.next()
    subprocess.run([PKI, daemon.pki, "revoke", "going"], check=True, stdout=subprocess.DEVNULL)
    shutil.copy(daemon.file("crl.pem"), crl)
    daemon.process.send_signal(signal.SIGHUP)
    rest = []
    try:
        rest = goes.rest()
    except OSError:
        pass  # cut without a goodbye is what is wanted
    tap.check("a revoked watcher is cut", all(item[0] == "heartbeat" for item in rest), rest)
    context = create(daemon, filter_id)
    tap.equal("the others go on", [c["id"] for c in stays.changes(1)], [context])
    stays.close()
    goes.close()


def expired(tap, daemon):
    """A certificate that ends while its owner watches."""
    end = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + 6))
    begin = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() - 3600))
    subprocess.run([PKI, daemon.pki, "client", "brief", "--uri",
                    "spiffe://example.org/orchestrator/3", "--not-before", begin,
                    "--not-after", end], check=True, stdout=subprocess.DEVNULL)
    watcher = Watcher(daemon, connection=daemon.http(daemon.context("brief")))
    rest = []
    try:
        rest = watcher.rest()
    except OSError:
        pass
    tap.check("a certificate's end ends the stream", all(i[0] == "heartbeat" for i in rest), rest)
    watcher.close()


def no_hole(tap, daemon, filter_id):
    """A list, then what comes after it, while eight create."""
    creators = Creators(daemon, filter_id, each=100)
    wait_for(lambda: len(creators.acknowledged) > 200)
    status, page, _ = daemon.call("GET", "/sa-contexts?limit=1000&remoteAddress=10.0.0.0/13")
    watcher = Watcher(daemon, "?since=%d" % page["sequence"])
    creators.join()
    listed = [c["id"] for c in page["items"]]
    everything = daemon.call("GET", "/sa-contexts?limit=1000&remoteAddress=10.0.0.0/13")[1]
    total = [c["id"] for c in everything["items"]]
    followed = [c["id"] for c in watcher.changes(len(total) - len(listed))]
    tap.check("%d listed, %d followed: each context exactly once" % (len(listed), len(followed)),
              status == 200 and "nextCursor" not in page and listed and followed and
              sorted(listed + followed) == total and not creators.failures,
              (len(total), creators.failures[:3]))
    last = watcher.last_id
    tap.equal("what was made last is followed by a heartbeat", watcher.next()[0], "heartbeat")
    tap.check("in order", followed == sorted(followed) and last is not None)
    watcher.close()


def resume(tap, daemon, filter_id):
    """A watcher whose connection breaks again and again."""
    first = Watcher(daemon)
    first.next()
    last = first.last_id
    first.close()
    creators = Creators(daemon, filter_id, each=60)
    seen, rounds = [], 0
    while len(seen) < 8 * 60:
        # As a browser does: the query stays, the header says where it really is.
        watcher = Watcher(daemon, "?since=%d" % last, headers={"Last-Event-ID": str(last)})
        seen += [c["id"] for c in watcher.changes(min(37, 8 * 60 - len(seen)))]
        last = watcher.last_id
        watcher.close()
        rounds += 1
    creators.join()
    tap.check("%d connections: each change exactly once" % rounds,
              sorted(seen) == sorted(creators.acknowledged) and not creators.failures,
              (len(seen), len(creators.acknowledged), creators.failures[:2]))


def many(tap, daemon, filter_id):
    wait_for(lambda: metric(daemon, "sa_contextd_watchers") == 0)  # of the tests before
    context = daemon.context()
    watchers = [Watcher(daemon, lines=i % 2 == 1, connection=daemon.http(context))
                for i in range(WATCHERS)]
    tap.equal("%d watchers are counted" % WATCHERS, metric(daemon, "sa_contextd_watchers"),
              WATCHERS)
    published = metric(daemon, "sa_contextd_events_published_total")
    ids = [create(daemon, filter_id) for _ in range(3)]
    bad = [i for i, watcher in enumerate(watchers)
           if [c["id"] for c in watcher.changes(3)] != ids]
    tap.equal("each of %d saw the three changes" % WATCHERS, bad, [])
    tap.equal("published", metric(daemon, "sa_contextd_events_published_total"), published + 3)
    refused("one more than max-watchers", tap, daemon, 503, "RPC_E_OUT_OF_RESOURCES")
    for watcher in watchers:
        watcher.close()
    tap.check("all gone are forgotten",
              wait_for(lambda: metric(daemon, "sa_contextd_watchers") == 0))


def lazy_watcher(daemon):
    """A raw connection that asked to watch and reads nothing."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    raw.settimeout(60)
    raw.connect(daemon.address)
    lazy = daemon.context().wrap_socket(raw, server_hostname="localhost")
    before = metric(daemon, "sa_contextd_watchers")
    lazy.sendall(b"GET /sa-contexts/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert wait_for(lambda: metric(daemon, "sa_contextd_watchers") == before + 1)
    return lazy


def slow(tap, daemon, filter_id):
    """Who does not read falls behind, is told and cut; who reads misses nothing meanwhile."""
    lazy = lazy_watcher(daemon)
    dropped = metric(daemon, "sa_contextd_watchers_dropped_total")

    quick = Watcher(daemon, lines=True)
    quick.next()
    seen = []
    thread = threading.Thread(target=lambda: seen.extend(quick.changes(20 * 1000)))
    thread.start()
    connection = daemon.http()
    for _ in range(20):
        create_many(daemon, filter_id, 1000, connection)
        wait_for(lambda: quick_is_near(daemon))
    thread.join()
    tap.equal("the quick one saw all", len({c["id"] for c in seen}), 20 * 1000)
    quick.close()

    text = b""
    while True:
        piece = lazy.recv(65536)
        text += piece
        if not piece or text.endswith(b"0\r\n\r\n"):
            break
    tap.check("the slow one is told",
              b'event: error\ndata: {"type":"/errors/FWP_E_NOTIFICATION_DROPPED"' in
              text.replace(b"\r\n", b"\n") and b'"oldestSequence":' in text, text[-800:])
    tap.check("after less than all, and cut", text.count(b"\ndata: ") < 20 * 1000 and
              text.endswith(b"0\r\n\r\n"), (len(text), text[-100:]))
    tap.equal("it is counted", metric(daemon, "sa_contextd_watchers_dropped_total"), dropped + 1)
    lazy.close()

    status, page, _ = daemon.call("GET", "/sa-contexts?limit=1")
    problem = refused("too far back", tap, daemon, 410, "FWP_E_NOTIFICATION_DROPPED",
                      query="?since=%d" % (page["sequence"] - 19000))
    tap.check("and since when not", status == 200 and
              page["sequence"] - 19000 < problem["oldestSequence"] < page["sequence"], problem)


def quick_is_near(daemon):
    """The quick one has taken what the batches so far changed."""
    sequences = [s["sequence"] for s in daemon.call("GET", "/subscriptions")[1]["items"]]
    latest = daemon.call("GET", "/sa-contexts?limit=1")[1]["sequence"]
    return max(sequences) >= latest


def timeouts(tap, daemon, filter_id):
    """Heartbeats are further apart than every deadline of requests."""
    quiet = Watcher(daemon)
    tap.equal("heartbeats beyond every deadline", [quiet.next()[0] for _ in range(2)],
              ["heartbeat"] * 2)
    lazy = lazy_watcher(daemon)
    seen = []
    thread = threading.Thread(target=lambda: seen.extend(quiet.changes(8000)))
    thread.start()
    connection = daemon.http()
    ids = []
    for _ in range(8):
        ids += [r["id"] for r in create_many(daemon, filter_id, 1000, connection)["items"]]
    thread.join()
    tap.check("a quiet stream lives and sees all", [c["id"] for c in seen] == ids,
              (len(seen), len(ids)))
    tap.check("a reader that takes nothing is cut",
              wait_for(lambda: metric(daemon, "sa_contextd_watchers") == 1))
    tap.equal("for its deadline", metric(daemon, "sa_contextd_watchers_dropped_total"), 0)
    tap.equal("the quiet one goes on", quiet.next()[0], "heartbeat")
    quiet.close()
    lazy.close()


def stop_at_once(tap, daemon, filter_id):
    """A drain waits neither for quiet watchers nor for those that do not read."""
    quiet, lazy = Watcher(daemon), lazy_watcher(daemon)
    quiet.next()
    for _ in range(8):
        create_many(daemon, filter_id, 1000)
    tap.equal("SIGTERM with a reader that takes nothing: exit 0", daemon.stop(), 0)
    quiet.close()
    lazy.close()
    daemon.options[daemon.options.index("--drain-seconds") + 1] = "0"
    daemon.start()
    quiet = [Watcher(daemon) for _ in range(20)]
    for watcher in quiet:
        watcher.next()
    tap.equal("SIGTERM without any time, and quiet watchers: exit 0", daemon.stop(), 0)
    for watcher in quiet:
        watcher.close()


def killed(tap, daemon, filter_id):
    """kill -9 under load: what was acknowledged was seen, or comes, or 410 says to list again."""
    begin = daemon.call("GET", "/sa-contexts?limit=1")[1]["sequence"]
    calm = Watcher(daemon, "?since=%d" % begin)
    context = create(daemon, filter_id)
    assert calm.changes(1)[0]["id"] == context
    last, older = calm.last_id, begin
    daemon.stop(signal.SIGKILL)
    calm.close()
    daemon.start()
    problem = refused("after kill -9, who missed something", tap, daemon, 410,
                      "FWP_E_NOTIFICATION_DROPPED", headers={"Last-Event-ID": str(older)})
    tap.equal("is told from where it could go on", problem.get("oldestSequence"), last)
    calm = Watcher(daemon, headers={"Last-Event-ID": str(last)})
    context = create(daemon, filter_id)
    change = calm.changes(1)[0]
    tap.check("who missed nothing goes on, with higher numbers",
              change["id"] == context and change["sequence"] > last, change)
    calm.close()

    for attempt in range(3):
        page = daemon.call("GET", "/sa-contexts?limit=1")[1]
        watcher = Watcher(daemon, "?since=%d" % page["sequence"])
        seen = []

        def follow():
            try:
                for item in watcher.rest():
                    if item[0] == "change":
                        seen.append(item[1]["id"])
            except Exception:  # cut in the middle of a line
                pass

        thread = threading.Thread(target=follow)
        thread.start()
        creators = Creators(daemon, filter_id, each=100000)
        wait_for(lambda: len(creators.acknowledged) > 150)
        daemon.stop(signal.SIGKILL)
        creators.join()
        thread.join()
        last = watcher.last_id or page["sequence"]
        daemon.start()
        created = set(creators.acknowledged)
        try:
            Watcher(daemon, headers={"Last-Event-ID": str(last)}).close()
            missing = created - set(seen)
            how = "went on"
        except Refused as error:
            missing = set() if error.status == 410 else {error.status}
            how = "was told to list again"
        tap.check("killed under load %d: the watcher %s, no acknowledged change was missed in "
                  "silence" % (attempt, how), not missing and len(created) > 150, list(missing)[:5])


def main():
    tap = Tap()
    daemon = Daemon("sqlite:WORK/state.db", [
        "--event-heartbeat-seconds", "1", "--kept-events", "4096", "--max-watchers", str(WATCHERS),
        "--larval-timeout-seconds", "0"])
    crl = os.path.join(daemon.work, "crl.pem")
    subprocess.run([PKI, daemon.pki, "client", "going", "--uri",
                    "spiffe://example.org/orchestrator/2"], check=True, stdout=subprocess.DEVNULL)
    shutil.copy(daemon.file("crl.pem"), crl)
    daemon.options += ["--client-crl", crl]
    daemon.start()
    filter_id = daemon.add_filters()
    revoked(tap, daemon, filter_id)
    expired(tap, daemon)
    no_hole(tap, daemon, filter_id)
    resume(tap, daemon, filter_id)
    many(tap, daemon, filter_id)
    slow(tap, daemon, filter_id)
    killed(tap, daemon, filter_id)
    daemon.stop()
    daemon.options = ["--event-heartbeat-seconds", "6", "--idle-timeout-seconds", "1",
                      "--header-timeout-seconds", "1", "--body-timeout-seconds", "5",
                      "--drain-seconds", "3600"]
    daemon.start()
    timeouts(tap, daemon, filter_id)
    daemon.stop()
    daemon.options[daemon.options.index("--body-timeout-seconds") + 1] = "3600"
    daemon.start()
    stop_at_once(tap, daemon, filter_id)
    daemon.start()
    return tap.finish(daemon)


if __name__ == "__main__":
    sys.exit(main())
