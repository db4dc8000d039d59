# SPDX-License-Identifier: Apache-2.0
# Labels: slow
"""The wall clock jumps by hours, forth and back, under a running daemon (libfaketime moves it and
leaves the others alone): lifetimes and sessions end when their time has passed and not before,
answers are remembered, events stay in order, certificates are judged by the time that it is."""

import glob
import os
import subprocess
import sys
import time

import daemon as daemon_module
from certs import Authority, CN, URI_NAME, UTF8, alternative_names, name
from daemon import BINARY, Daemon, ROOT, Tap

HOUR = 3600
LARVAL_SECONDS = 6
IDLE_SECONDS = 5


class Clock:
    """The daemon's wall clock, off by what a file says."""

    def __init__(self, work):
        self.path = os.path.join(work, "offset")
        self.jump(0)
        library = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")[0]
        if b"__asan_init" in open(BINARY, "rb").read():
            linked = subprocess.run(["ldd", BINARY], stdout=subprocess.PIPE, text=True, check=True)
            sanitizer = [line.split()[2] for line in linked.stdout.splitlines() if "libasan" in line]
            library = " ".join(sanitizer + [library])
        self.script = os.path.join(work, "daemon.sh")
        with open(self.script, "w", encoding="ascii") as script:
            script.write("#!/bin/sh\nexec env LD_PRELOAD='%s' FAKETIME_DONT_FAKE_MONOTONIC=1 "
                         "FAKETIME_NO_CACHE=1 FAKETIME_TIMESTAMP_FILE=%s %s \"$@\"\n" %
                         (library, self.path, BINARY))
        os.chmod(self.script, 0o755)

    def jump(self, hours):
        with open(self.path + ".new", "w", encoding="ascii") as file:
            file.write("%+dh\n" % hours)
        os.rename(self.path + ".new", self.path)


class Caller:
    def __init__(self, daemon):
        self.daemon = daemon
        self.filter_id = daemon.add_filters()

    def create(self, last, key=None):
        return self.daemon.call("POST", "/sa-contexts", {
            "localAddress": "192.0.2.1", "remoteAddress": "10.0.0.%d" % last,
            "trafficType": "transport", "ipsecFilterId": self.filter_id},
            {"Idempotency-Key": key} if key else None)

    def exists(self, number):
        return self.daemon.call("GET", "/sa-contexts/%d" % number)[0] == 200

    def sequence(self):
        return self.daemon.call("GET", "/sa-contexts")[1]["sequence"]


def ask(daemon, connection):
    """The status; None when the connection ended without one."""
    try:
        return daemon.call("GET", "/whoami", connection=connection)[0]
    except OSError:
        return None


def whoami(daemon, client):
    return ask(daemon, daemon.http(daemon.context(client)))


def check_jump(tap, daemon, caller, clock, hours):
    """One jump, and back again."""
    title = "%+d hours" % hours
    _, first, _ = caller.create(1, "key%+d" % hours)
    _, larval, _ = caller.create(2)
    _, session, _ = daemon.call("POST", "/sessions", {})
    session_path = "/sessions/" + (session["key"] if "key" in session else session["sessionKey"])
    begun = time.monotonic()
    sequence = caller.sequence()
    clock.jump(hours)
    shown = caller.daemon.call("GET", "/whoami")[2]["Date"]
    tap.check("%s: the daemon's clock has jumped" % title,
              abs(time.mktime(time.strptime(shown, "%a, %d %b %Y %H:%M:%S GMT")) - time.timezone -
                  time.time() - hours * HOUR) < 300, shown)
    alive = caller.exists(larval["id"]) and daemon.call("GET", session_path)[0] == 200
    if time.monotonic() - begun < min(LARVAL_SECONDS, IDLE_SECONDS) - 1:
        tap.check("%s: a context and a session live on" % title, alive)
    status, answer, headers = caller.create(1, "key%+d" % hours)
    tap.equal("%s: the first answer again" % title,
              (status, answer, headers["Idempotent-Replay"]), (201, first, "true"))
    _, later, _ = caller.create(3)
    after = caller.sequence()
    tap.check("%s: numbers of changes ascend" % title, after > sequence, (sequence, after))
    tap.check("%s: and identifiers" % title, later["id"] > larval["id"])
    clock.jump(0)
    tap.check("%s and back: numbers of changes ascend" % title,
              caller.create(4)[0] == 201 and caller.sequence() > after)
    tap.equal("%s and back: the first answer still" % title,
              caller.create(1, "key%+d" % hours)[:2], (201, first))
    deadline = begun + LARVAL_SECONDS + 20
    while time.monotonic() < deadline and caller.exists(larval["id"]):
        time.sleep(0.2)
    took = time.monotonic() - begun
    tap.check("%s: the context's time passes as ever (%.1f s)" % (title, took),
              LARVAL_SECONDS - 1 < took < LARVAL_SECONDS + 15, took)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and daemon.call("GET", session_path)[0] == 200:
        time.sleep(IDLE_SECONDS + 1)  # asking is using
    tap.equal("%s: so does the session's" % title, daemon.call("GET", session_path)[0], 410)


def main():
    if not glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1"):
        print("1..0 # SKIP no libfaketime")
        return 77
    os.environ["TZ"] = "UTC"
    time.tzset()
    tap = Tap()
    daemon = Daemon("sqlite:WORK/state.db", ["--larval-timeout-seconds", str(LARVAL_SECONDS),
                                             "--session-idle-seconds", str(IDLE_SECONDS)])
    clock = Clock(daemon.work)
    daemon_module.BINARY = clock.script
    # The CA's and the server's certificates outlast the jumps, and so does the caller's.
    pki = os.path.join(ROOT, "deploy/pki.sh")
    span = [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + hours * HOUR))
            for hours in (-72, 720)]
    for file in glob.glob(daemon.file("*")):
        os.unlink(file)
    for arguments in (["init", "--not-before", span[0], "--not-after", span[1]],
                      ["server", "server", "--not-before", span[0], "--not-after", span[1]]):
        subprocess.run([pki, daemon.pki, *arguments], check=True, stdout=subprocess.DEVNULL)
    authority = Authority(daemon.pki)
    plain = name((CN, UTF8, b"plain"))
    uri = alternative_names((URI_NAME, b"spiffe://example.org/orchestrator/1"))
    authority.write("orchestrator", authority.make(plain, uri, begin=-48 * HOUR, end=480 * HOUR))
    authority.write("brief", authority.make(plain, uri, begin=-48 * HOUR, end=HOUR))
    authority.write("young", authority.make(plain, uri, begin=-HOUR, end=480 * HOUR))
    daemon.start()
    caller = Caller(daemon)
    for hours in (5, -5, 30, -30):
        check_jump(tap, daemon, caller, clock, hours)

    kept = daemon.http(daemon.context("brief"))
    tap.equal("a certificate of an hour", daemon.call("GET", "/whoami", connection=kept)[0], 200)
    clock.jump(2)
    tap.equal("it ends when the clock has passed its end", whoami(daemon, "brief"), None)
    tap.check("on a kept connection, too", ask(daemon, kept) in (None, 401))
    clock.jump(0)
    tap.equal("and is good again when the clock is", whoami(daemon, "brief"), 200)
    kept = daemon.http(daemon.context("young"))
    tap.equal("another", daemon.call("GET", "/whoami", connection=kept)[0], 200)
    clock.jump(-2)
    tap.equal("one that has not begun is not good yet", whoami(daemon, "young"), None)
    tap.check("on a kept connection, neither", ask(daemon, kept) in (None, 401))
    clock.jump(0)
    tap.equal("and then is", whoami(daemon, "young"), 200)

    _, first, _ = caller.create(9, "restart")
    sequence = caller.sequence()
    daemon.stop()
    clock.jump(-5)
    daemon.start()
    tap.equal("started with the clock set back: the first answer again",
              caller.create(9, "restart")[:2], (201, first))
    tap.check("numbers of changes ascend", caller.create(10)[0] == 201 and
              caller.sequence() > sequence)
    daemon.stop()
    clock.jump(5)
    daemon.start()
    tap.equal("and forth: the first answer again", caller.create(9, "restart")[:2], (201, first))
    return tap.finish(daemon)


if __name__ == "__main__":
    sys.exit(main())
