# SPDX-License-Identifier: Apache-2.0
"""Odd and refused certificates over real TLS: who gets in is who he is and no more, and whoever does
not has one audit line with peer, subject, fingerprint and reason; nobody breaks a line or fills the
disk."""

import hashlib
import json
import os
import ssl
import subprocess
import sys
import time

from certs import (Authority, BMP, CN, DNS_NAME, EMAIL_NAME, IP_NAME, O, PRINTABLE, SERVER_AUTH,
                   T61, URI_NAME, UTF8, alternative_names, name)
from daemon import Daemon, ROOT, Tap

ADDRESS_BURST = 20  # server/line_budget.h
GOOD = b"spiffe://example.org/orchestrator/9"
PLAIN = name((CN, UTF8, b"plain"))
LOG_LINE = b'x"}\n{"time":"now","principal":"uri:spiffe://example.org/orchestrator/1"}'


def uri(*texts):
    return alternative_names(*((URI_NAME, text) for text in texts))


# Name, subject, alternative names, and the principal: None is refused at the handshake, "sha256" the
# fingerprint.  Of these only those whose name begins with "good" may add contexts.
ODD = [
    ("good: SPIFFE", PLAIN, uri(GOOD), "uri:" + GOOD.decode()),
    ("good: host and scheme in capitals", PLAIN, uri(b"SPIFFE://EXAMPLE.ORG/orchestrator/9"),
     "uri:" + GOOD.decode()),
    ("good: the second of several URIs", PLAIN, uri(b"https://example.org/", GOOD),
     "uri:https://example.org/"),
    ("good: an empty subject", name(), uri(GOOD), "uri:" + GOOD.decode()),
    ("good: a subject that breaks lines", name((CN, UTF8, LOG_LINE)), uri(GOOD),
     "uri:" + GOOD.decode()),
    ("nothing at all", name(), None, None),
    ("an empty common name", name((CN, UTF8, b"")), None, "dn:CN="),
    ("NUL in the common name", name((CN, UTF8, b"spiffe\0x")), None, "sha256"),
    ("a line end in the common name", name((CN, UTF8, LOG_LINE)), None, "sha256"),
    ("quotes in the common name", name((CN, UTF8, b'a","principal":"b')), None,
     'dn:CN=a\\",\\"principal\\":\\"b'.replace(",", "\\,")),
    ("two common names", name((CN, UTF8, b"a"), (CN, UTF8, b"b")), None, "dn:CN=b,CN=a"),
    ("a common name that is no UTF-8", name((CN, T61, b"\xff\xfe")), None, "dn:CN=\xff\xfe"),
    ("an escape sequence in the subject", name((CN, UTF8, b"\x1b[2J\xc2\x9b2J")), None, "sha256"),
    ("a common name of 60,000 bytes", name((CN, UTF8, b"a" * 60000)), None, None),
    ("a thousand organisations", name(*[(O, PRINTABLE, b"a" * 20)] * 1000), None, None),
    ("a thousand URIs", PLAIN, uri(*(b"spiffe://example.org/other/%d" % i for i in range(1000))),
     None),
    ("the path itself", PLAIN, uri(b"spiffe://example.org/orchestrator"), "same"),
    ("the path and a slash", PLAIN, uri(b"spiffe://example.org/orchestrator/"), "same"),
    ("a path beside it", PLAIN, uri(b"spiffe://example.org/orchestrator2/9"), "same"),
    ("a path with a way up", PLAIN, uri(b"spiffe://example.org/orchestrator/../admin"), "same"),
    ("one in percent", PLAIN, uri(b"spiffe://example.org/orchestrator/%2e%2E/admin"), "same"),
    ("a path with a hole", PLAIN, uri(b"spiffe://example.org/orchestrator//9"), "same"),
    ("another trust domain", PLAIN, uri(b"spiffe://example.org.evil/orchestrator/9"), "same"),
    ("a user before the host", PLAIN, uri(b"spiffe://a@example.org/orchestrator/9"), "same"),
    ("a port behind the host", PLAIN, uri(b"spiffe://example.org:1/orchestrator/9"), "same"),
    ("another scheme", PLAIN, uri(b"https://example.org/orchestrator/9"), "same"),
    ("another case in the path", PLAIN, uri(b"spiffe://example.org/Orchestrator/9"), "same"),
    ("a wildcard", PLAIN, uri(b"spiffe://example.org/*"), "same"),
    ("NUL in a URI", PLAIN, uri(b"spiffe://example.org/orchestrator/9\0.evil"), "dn:CN=plain"),
    ("a line end in a URI", PLAIN, uri(GOOD + b"\n"), "dn:CN=plain"),
    ("a blank in a URI", PLAIN, uri(GOOD + b" "), "dn:CN=plain"),
    ("no ASCII in a URI", PLAIN, uri(GOOD + b"\xc3\xa4"), "dn:CN=plain"),
    ("an empty URI", PLAIN, uri(b""), None),
    ("a DNS name that is a URI", PLAIN, alternative_names((DNS_NAME, GOOD)),
     "dns:" + GOOD.decode()),
    ("a wildcard of DNS", PLAIN, alternative_names((DNS_NAME, b"*.example.org")),
     "dns:*.example.org"),
    ("an e-mail address", PLAIN, alternative_names((EMAIL_NAME, b"Ops@EXAMPLE.org")),
     "email:Ops@example.org"),
    ("an address that is none", PLAIN, alternative_names((IP_NAME, b"\x7f")),
     "dn:CN=plain"),
    ("an empty list of names", PLAIN, alternative_names(), None),
    ("a common name that looks like a URI", name((CN, UTF8, b"uri:" + GOOD)), None,
     "dn:CN=uri:" + GOOD.decode()),
]


def try_call(daemon, client, method="GET", path="/whoami", body=None, version=None):
    """Status and answer; None when the connection ended without one."""
    context = daemon.context(None)
    context.set_ciphers("DEFAULT@SECLEVEL=0")  # so that a weak key can be shown
    if client:
        context.load_cert_chain(daemon.file(client + ".pem"), daemon.file(client + ".key"))
    if version:
        context.minimum_version = context.maximum_version = version
    try:
        return daemon.call(method, path, body, connection=daemon.http(context))[:2]
    except OSError:
        return None


class Lines:
    """The audit file's lines, as they come."""

    def __init__(self, path):
        self.path = path
        self.offset = 0

    def new(self, count=None):
        """What came since the last time, when there are 'count' of them or after a while."""
        deadline = time.monotonic() + 5
        while True:
            with open(self.path, "rb") as file:
                file.seek(self.offset)
                data = file.read()
            # One that is just being written comes with the next look.
            data = data[:data.rfind(b"\n") + 1]
            lines = data.splitlines()
            if count is None or len(lines) >= count or time.monotonic() > deadline:
                self.offset += len(data)
                return [json.loads(line) for line in lines]
            time.sleep(0.02)


def judge_odd(tap, daemon, authority):
    for number, (title, subject, names, expected) in enumerate(ODD):
        leaf = authority.make(subject, *([names] if names else []))
        fingerprint = hashlib.sha256(leaf).hexdigest()
        client = "odd%d" % number
        authority.write(client, leaf)
        if expected == "sha256":
            expected = "sha256:" + fingerprint
        elif expected == "same":
            expected = "uri:" + names.split(b"\x86", 1)[1][1:].decode()
        try:
            got = try_call(daemon, client)
        except ssl.SSLError as error:
            tap.check("%s: our own TLS does not take it" % title, False, error)
            continue
        if expected is None:
            tap.equal("%s: refused" % title, got, None)
            continue
        if not tap.check("%s: let in" % title, got and got[0] == 200, got):
            continue
        tap.equal("%s: as" % title, (got[1]["principal"], got[1]["fingerprint"]),
                  (expected, fingerprint))
        tap.equal("%s: may add" % title, "FWPM_ACTRL_ADD" in got[1]["rights"]["saDatabase"],
                  title.startswith("good"))


def audit_refusals(tap, daemon, authority, lines):
    """Each way to be refused has its line, in both versions of TLS."""
    pki = os.path.join(ROOT, "deploy/pki.sh")

    def client(label, *arguments, folder=None):
        subprocess.run([pki, folder or daemon.pki, "client", label, "--uri", GOOD.decode(),
                        *arguments], check=True, stdout=subprocess.DEVNULL)

    other = os.path.join(daemon.work, "other")
    subprocess.run([pki, other, "init"], check=True, stdout=subprocess.DEVNULL)
    client("foreign", folder=other)
    for end in (".pem", ".key"):
        os.rename(os.path.join(other, "foreign" + end), daemon.file("foreign" + end))
    client("self", "--self-signed")
    client("rsa1024", "--key", "rsa1024")
    plain = authority.make(PLAIN, uri(GOOD))
    authority.write("expired", authority.make(PLAIN, uri(GOOD), begin=-7200, end=-60))
    authority.write("future", authority.make(PLAIN, uri(GOOD), begin=3600, end=7200))
    authority.write("server-only", authority.make(PLAIN, uri(GOOD), purposes=[SERVER_AUTH]))
    authority.write("no-purpose", authority.make(PLAIN, uri(GOOD), purposes=[]))
    authority.write("crowd", plain, *[authority.make(PLAIN, uri(GOOD)) for _ in range(20)])
    authority.write("horde", plain, *[plain] * 40)
    authority.write("roomy", plain, *[authority.make(name((CN, UTF8, b"b" * 24000)))] * 2)
    authority.write("large", plain, authority.make(name((CN, UTF8, b"b" * 80000))))
    authority.write("huge", plain, *[authority.make(name((CN, UTF8, b"b" * 60000)))] * 4)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        got = try_call(daemon, "roomy", version=version)
        tap.check("a chain in several records, %s: let in" % version.name, got and got[0] == 200,
                  got)
    for label, word in [("foreign", "unknown CA"), ("self", "unknown CA"), ("expired", "expired"),
                        ("future", "not yet valid"), ("server-only", "not for client"),
                        ("no-purpose", "not for client"), ("revoked", "revoked"),
                        ("rsa1024", "too weak"), ("crowd", "malformed"), ("horde", "too deep"),
                        ("large", "malformed"), ("huge", "handshake failed")]:
        der = ssl.PEM_cert_to_DER_cert(open(daemon.file(label + ".pem")).read()
                                       .split("-----END", 1)[0] + "-----END CERTIFICATE-----\n")
        fingerprint = hashlib.sha256(der).hexdigest()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            # A fresh daemon has a fresh budget; the point here is the line.
            lines.new()
            got = try_call(daemon, label, version=version)
            tap.equal("%s, %s: refused" % (label, version.name), got, None)
            found = lines.new(1)
            # A chain too large for the TLS library was not read.
            known = [None, None] if label == "huge" else [fingerprint, True]
            tap.check("%s, %s: one audit line says who and why" % (label, version.name),
                      len(found) == 1 and word in found[0]["reason"] and
                      found[0]["decision"] == "deny" and found[0]["principal"] is None and
                      found[0]["peer"].startswith("127.0.0.1:") and
                      found[0]["fingerprint"] == known[0] and
                      (found[0]["subject"] is None or "CN=" in found[0]["subject"]) and
                      (found[0]["subject"] is not None) == bool(known[1]), found)
        if label in ("expired", "rsa1024"):  # before an address has used up its lines
            daemon.stop()
            daemon.start()
            lines.new()


def bound_lines(tap, daemon, lines):
    """Whoever is refused again and again writes no more than his budget; a good caller is told of in
    full, and the next line says how many were left out."""
    daemon.stop()
    daemon.start()
    lines.new()
    times = 3 * ADDRESS_BURST
    for _ in range(times):
        try_call(daemon, "foreign")
    for _ in range(times):
        try_call(daemon, None, "POST", "/sa-contexts", {})
    for _ in range(times):
        daemon.call("GET", "/sa-contexts")
    found = lines.new()
    strangers = [line for line in found if line["principal"] is None]
    known = [line for line in found if line["principal"] is not None]
    # A new line comes every ten seconds; the machine may be slow.
    tap.check("%d refusals: %d lines" % (2 * times, len(strangers)),
              ADDRESS_BURST <= len(strangers) <= 2 * ADDRESS_BURST, found[-1])
    tap.equal("a good caller's lines are all there", len(known), times)
    tap.check("the metric counts them all",
              'sa_contextd_connections_refused_total{cause="certificate"} %d\n' % times in
              daemon.metrics().decode())


def main():
    tap = Tap()
    daemon = Daemon(audit="WORK/audit.log")
    crl = os.path.join(daemon.work, "crl.pem")
    pki = os.path.join(ROOT, "deploy/pki.sh")
    for arguments in (["client", "revoked"], ["revoke", "revoked"], ["crl"]):
        subprocess.run([pki, daemon.pki, *arguments], check=True, stdout=subprocess.DEVNULL)
    os.rename(daemon.file("crl.pem"), crl)
    daemon.options = ["--client-crl", crl]
    daemon.start()
    authority = Authority(daemon.pki)
    lines = Lines(daemon.audit)
    judge_odd(tap, daemon, authority)
    daemon.stop()
    daemon.start()
    audit_refusals(tap, daemon, authority, lines)
    bound_lines(tap, daemon, lines)
    with open(daemon.audit, "rb") as file:
        whole = [json.loads(line) for line in file]
    tap.check("%d audit lines, each one object" % len(whole),
              all(isinstance(line, dict) and line["time"] != "now" for line in whole))
    log = [json.loads(line) for line in daemon.log().split("\n")[:-1]]
    tap.check("%d log lines, each one object" % len(log),
              all("event" in line and line.get("time") != "now" for line in log))
    return tap.finish(daemon)


if __name__ == "__main__":
    sys.exit(main())
