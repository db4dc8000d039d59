# SPDX-License-Identifier: Apache-2.0
"""SIGHUP again and again under load, with new certificates, CRL and policy each time: no request of
a good caller fails, and no connection of one is cut."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time

from daemon import Daemon, ROOT, Tap

CALLERS = 8
SECONDS = 4


class Callers:
    """Threads that create over kept connections, and every few requests over a new one."""

    def __init__(self, daemon, filter_id):
        self.daemon = daemon
        self.filter_id = filter_id
        self.stop = False
        self.requests = 0
        self.failures = []
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(CALLERS)]

    def run(self, number):
        context = self.daemon.context()
        connection = self.daemon.http(context)
        count = 0
        while not self.stop:
            count += 1
            if number % 2 == 0 and count % 20 == 0:
                connection.close()
                connection = self.daemon.http(context)
            try:
                status, answer, _ = self.daemon.call("POST", "/sa-contexts", {
                    "localAddress": "192.0.2.1",
                    "remoteAddress": "10.%d.%d.%d" % (number, count >> 8 & 255, count & 255),
                    "trafficType": "transport", "ipsecFilterId": self.filter_id},
                    connection=connection)
                if status != 201:
                    self.failures.append((status, answer))
            except Exception as error:  # any: the caller was let down
                self.failures.append(repr(error))
                connection = self.daemon.http(context)
            self.requests += 1


def main():
    tap = Tap()
    daemon = Daemon("sqlite:WORK/state.db")
    pki = os.path.join(ROOT, "deploy/pki.sh")
    crl = os.path.join(daemon.work, "crl.pem")
    shutil.copy(daemon.file("crl.pem"), crl)
    daemon.options = ["--client-crl", crl]
    subprocess.run([pki, daemon.pki, "server", "next"], check=True, stdout=subprocess.DEVNULL)
    daemon.start()
    callers = Callers(daemon, daemon.add_filters())
    for thread in callers.threads:
        thread.start()

    pairs = [("server.pem", "server.key"), ("next.pem", "next.key")]
    kept = {name: open(daemon.file(name), "rb").read() for pair in pairs for name in pair}
    access = os.path.join(daemon.work, "access.json")
    text = open(access, encoding="utf-8").read()
    rounds = 0
    begun = time.monotonic()
    while time.monotonic() - begun < SECONDS:
        rounds += 1
        for target, source in zip(pairs[0], pairs[rounds % 2]):
            with open(daemon.file(target), "wb") as out:
                out.write(kept[source])
        with open(access, "w", encoding="utf-8") as out:
            out.write("nonsense" if rounds % 5 == 0 else text)
        daemon.process.send_signal(signal.SIGHUP)
        time.sleep(0.1)
    callers.stop = True
    for thread in callers.threads:
        thread.join()

    log = daemon.log()
    tap.check("%d reloads, %d refused, under %d requests: none failed" %
              (log.count('"event":"reloaded"'), log.count('"event":"reload refused'),
               callers.requests),
              not callers.failures and callers.requests > 100, callers.failures[:3])
    tap.check("most were taken", log.count('"event":"reloaded"') > rounds / 2, log[-2000:])
    tap.check("the bad ones were refused", log.count('"event":"reload refused') > 0)
    return tap.finish(daemon)


if __name__ == "__main__":
    sys.exit(main())
