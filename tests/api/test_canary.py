#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Labels: slow
"""Distinctive keys go through every path that a key can take, and no byte sequence of them is found
afterwards: not in answers, log, audit log, metrics and the store's files, and not in any readable
memory of the process -- with the connections still open, and after they are gone.

All keys of a kind differ in their last byte only, so that a few patterns find them all."""

import base64
import json
import os
import re
import signal
import ssl
import sys
import time

import memory
from daemon import Daemon, Tap

GCM = bytes.fromhex("c4a1") + os.urandom(17)      # AES-GCM-128 with its salt, but for the last byte
HMAC = bytes.fromhex("4ac1") + os.urandom(29)     # HMAC-SHA-256
CBC = bytes.fromhex("cbc1") + os.urandom(13)      # AES-CBC-128
SHADOW = (0x7fff8000, 0x10007fff8000)             # AddressSanitizer's own: a bit for each byte of ours

tap = Tap()
answers = []


# --- Keys and where they may not be ---------------------------------------------------------------

next_byte = [0]


def key(kind):
    next_byte[0] = next_byte[0] % 255 + 1
    return kind + bytes([next_byte[0]])


def in_hex(kind):
    return "hex:" + key(kind).hex()


def in_upper_hex(kind):
    return "hex:" + key(kind).hex().upper()


def in_base64(kind):
    return base64.b64encode(key(kind)).decode()


PATTERNS = memory.patterns((GCM, HMAC, CBC))


def look(where, data):
    return memory.look(PATTERNS, where, data)


# --- The daemon and its callers -------------------------------------------------------------------

daemon = Daemon("sqlite:WORK/state.db", ["--log-level", "debug", "--max-body-bytes", "8192",
                                         "--body-timeout-seconds", "2"], audit="WORK/audit.log")
ALL = {"dacl": [{"type": "allow", "principal": "uri:spiffe://example.org/orchestrator/*",
                 "rights": ["GENERIC_ALL"]}]}
with open(os.path.join(daemon.work, "access.json"), "w", encoding="ascii") as access:
    json.dump({"engine": ALL}, access)
# What was freed is kept by AddressSanitizer, unless it is wiped: a little of it will do.
os.environ["ASAN_OPTIONS"] = "quarantine_size_mb=16:" + os.environ.get("ASAN_OPTIONS", "")
daemon.start()
connections = []


def call(method, path, body=None, client="orchestrator", connection=None, expect=None, **headers):
    if connection is None:
        connection = daemon.http(daemon.context(client))
        connections.append(connection)
    status, answer, fields = daemon.call(
        method, path, body, {name.replace("_", "-"): value for name, value in headers.items()},
        connection)
    answers.append(json.dumps(answer).encode() + str(fields).encode())
    if expect is not None and status != expect:
        tap.equal("%s %s" % (method, path), (status, answer), (expect, "…"))
    return answer


def raw(data, client="orchestrator", half=False):
    """Bytes as they are; then the connection is cut, or its answer read."""
    connection = daemon.tls(client)
    connection.sendall(data)
    if half:
        connection.close()
        return
    connection.settimeout(10)
    try:
        while True:
            answer = connection.recv(65536)
            if not answer:
                break
            answers.append(answer)
    except (TimeoutError, ssl.SSLError, ConnectionError):
        pass
    connection.close()


def head(path, size, more=""):
    return ("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            "Content-Length: %d\r\n%s\r\n" % (path, size, more)).encode()


outbound = daemon.add_filters()
inbound = outbound + 1
remote = [0]


def traffic(**more):
    remote[0] += 1
    return {"localAddress": "192.0.2.1", "remoteAddress": "10.0.0.%d" % remote[0],
            "trafficType": "transport", "ipsecFilterId": outbound, **more}


def gcm(spi, form=in_hex):
    return {"lifetime": {"seconds": 3600},
            "saList": [{"spi": spi, "saTransformType": "espAuthAndCipher",
                        "authTransform": "GCM_AES_128", "cipherTransform": "GCM_AES_128",
                        "cipherKey": form(GCM)}]}


def pair(spi, form=in_base64):
    return {"lifetime": {"seconds": 3600},
            "saList": [{"spi": spi, "saTransformType": "espAuthAndCipher",
                        "authTransform": "HMAC_SHA_256_128", "authKey": form(HMAC),
                        "cipherTransform": "AES_128", "cipherKey": form(CBC)}]}


# --- Every path -----------------------------------------------------------------------------------

kept = daemon.http()
connections.append(kept)
for form in (in_hex, in_upper_hex, in_base64):
    for bundle in (gcm, pair):
        call("POST", "/sa-contexts", traffic(getSpi=True, inbound=bundle(0, form),
                                             outbound=bundle(4096, form)), expect=201)
        context = call("POST", "/sa-contexts", traffic(getSpi=True), connection=kept, expect=201)
        path = "/sa-contexts/%d" % context["id"]
        call("POST", path + "/inbound?dryRun=true", bundle(context["spi"], form), connection=kept,
             expect=201)
        call("POST", path + "/inbound", bundle(context["spi"], form), connection=kept, expect=201)
        call("POST", path + "/outbound", bundle(4097, form), connection=kept, expect=201,
             Idempotency_Key="a" + path + form.__name__)
        successor = call("POST", path + "/rotate", {"inbound": bundle(0, form)}, connection=kept,
                         expect=201)
        call("POST", "/sa-contexts/%d/outbound" % successor["id"], bundle(4098, form), expect=201)
        call("DELETE", "/sa-contexts/%d" % successor["id"], expect=204)
repeated = traffic(getSpi=True, inbound=gcm(0), outbound=pair(4096))
for _ in range(3):
    call("POST", "/sa-contexts", repeated, expect=201, Idempotency_Key="repeat")
call("POST", "/sa-contexts", traffic(getSpi=True, inbound=gcm(0)), expect=422,
     Idempotency_Key="repeat")
call("POST", "/sa-contexts/batch", {"items": [
    traffic(getSpi=True, inbound=gcm(0), outbound=pair(5000 + i)) for i in range(20)]}, expect=200)
call("POST", "/sa-contexts/batch", {"atomic": False, "items": [
    traffic(getSpi=True, inbound=gcm(0), outbound=pair(5000 + i), inboundFilterId=[inbound, 9999][i % 2])
    for i in range(20)]}, expect=200)
call("POST", "/sa-contexts/batch?dryRun=true", {"items": [
    traffic(getSpi=True, inbound=gcm(0)) for _ in range(20)]}, expect=200)
call("POST", "/sa-contexts/batch", {"items": [
    traffic(getSpi=True, inbound=gcm(0)), traffic(getSpi=True, inbound=gcm(0), ipsecFilterId=0)]},
     expect=400)

# --- Every kind of error --------------------------------------------------------------------------

good = traffic(getSpi=True, inbound=gcm(0), outbound=pair(4096))


def changed(**more):
    body = json.loads(json.dumps(good))
    body["inbound"]["saList"][0].update(more)
    return body


for body in (changed(cipherKey=in_hex(GCM)[:-2]), changed(cipherKey=in_hex(GCM) + "00" * 100),
             changed(cipherKey=in_hex(GCM) + "zz"), changed(cipherKey=in_base64(GCM) + "!"),
             changed(cipherKey=[in_hex(GCM)]), changed(cipherKey={"a": in_hex(GCM)}),
             changed(authKey=in_hex(GCM)), changed(surprise=in_hex(GCM)),
             changed(saTransformType=in_hex(GCM)), changed(authTransform="HMAC_MD5_96"),
             dict(good, surprise=1), dict(good, localAddress=in_hex(GCM)),
             dict(good, localAddress="203.0.113.1"), dict(good, ipsecFilterId=99),
             dict(good, labels={"": "x"})):
    call("POST", "/sa-contexts", body)
text = json.dumps(good)
for body in (text[:-1], text[:-20], text + "x", "[" + text + "]", "x" + text,
             text.replace('"cipherKey": "', '"cipherKey": '), text.replace("hex:", "hex:\\u0000"),
             text.replace("hex:", "\\u0068ex:"), text.replace("hex:", "hex:\udcff", 1),
             text.replace('{"lifetime"', '{"lifetime": {}, "lifetime"'),
             text[:text.rindex('"cipherKey": "') + 40], '"%s"' % in_hex(GCM)):
    call("POST", "/sa-contexts", body.encode("utf-8", "surrogateescape"))
call("POST", "/sa-contexts", " " * 8000 + text, expect=413)
call("POST", "/sa-contexts", text + " " * 100000, expect=413)
call("POST", "/sa-contexts/batch", json.dumps({"items": [good] * 1001}), expect=400)
for path in ("/sa-contexts/999999/inbound", "/sa-contexts/1/inbound", "/sa-contexts/1/spi",
             "/sa-contexts/1/expire", "/sa-contexts/1", "/filters", "/sessions", "/nowhere", "/",
             "/sa-contexts?dryRun=maybe", "/sa-contexts?x=1"):
    call("POST", path, text)
call("PUT", "/sa-contexts/1/spi", text)
call("PATCH", "/sa-contexts/1", text)
call("PUT", "/filters/security", text)
call("POST", "/sa-contexts", text, client=None, expect=401)
call("POST", "/sa-contexts", text, client="stranger", expect=403)
call("POST", "/sa-contexts", text, Content_Type="text/plain", expect=415)
call("POST", "/sa-contexts", text, Content_Encoding="gzip", expect=415)
call("POST", "/sa-contexts", text, Accept="text/html", expect=406)
call("POST", "/sa-contexts", text, Idempotency_Key="a key", expect=400)
call("POST", "/sa-contexts", text, Engine_Session="x", expect=404)
call("POST", "/sa-contexts", text, If_Match='"1"', expect=400)

# --- Bodies that end too soon, come in pieces, or too late ----------------------------------------

data = text.encode()
for size in range(40, len(data), 97):
    raw(head("/sa-contexts", len(data)) + data[:size], half=True)
for end in (b"0\r\n\r\n", b"", b"zz\r\n"):
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(data[i:i + 50]), data[i:i + 50])
                      for i in range(0, len(data), 50))
    raw(b"POST /sa-contexts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + end,
        half=end == b"")
big = b"%x\r\n%s\r\n" % (len(data), data)
raw(b"POST /sa-contexts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n" + big * 12 + b"0\r\n\r\n")
raw(head("/sa-contexts", len(data), "Connection: close\r\n") + data)
raw(head("/sa-contexts", len(data), "Connection: close\r\n") + data, client="stranger")
raw(head("/sa-contexts", len(data), "Host: twice\r\n") + data)
raw(head("/sa-contexts", len(data)) + data[:-1])                    # waits for its last byte: 408
raw(head("/sa-contexts", len(data)) + data + head("/sa-contexts", len(data), "Connection: close\r\n")
    + data)
pieces = daemon.tls()
pieces.sendall(head("/sa-contexts", len(data)))
for i in range(0, len(data), 7):
    pieces.sendall(data[i:i + 7])
answers.append(pieces.recv(65536))

# --- Nothing of it is anywhere --------------------------------------------------------------------

try:
    found, size = memory.look_through(daemon.process.pid, PATTERNS, SHADOW)
    readable = True
except PermissionError as error:
    readable = False
    print("# memory is not looked at: %s" % error)
if readable:
    print("# %d MiB of memory" % (size >> 20))
    tap.check("memory is there to be looked through", size > 1 << 20, size)
    tap.check("no key in memory while connections are open", not found, "\n".join(found[:8]))
pieces.close()
for connection in connections:
    connection.close()
while int(re.search(rb"\nsa_contextd_connections (\d+)", daemon.metrics()).group(1)) > 0:
    time.sleep(0.05)
call("GET", "/whoami", expect=200)
if readable:
    found, size = memory.look_through(daemon.process.pid, PATTERNS, SHADOW)
    tap.check("no key in memory after they were closed", not found, "\n".join(found[:8]))

tap.equal("nor in the metrics", look("metrics", daemon.metrics()), None)
tap.equal("nor in an answer", [hit for hit in (look("answer", a) for a in answers) if hit], [])
tap.check("which were many", len(answers) > 100, len(answers))


def look_through_files(when):
    hits = []
    sizes = {}
    for name in sorted(os.listdir(daemon.work)):
        file = os.path.join(daemon.work, name)
        if os.path.isfile(file):
            with open(file, "rb") as stream:
                data = stream.read()
            sizes[name] = len(data)
            hits.append(look(name, data))
    tap.equal("nor in a file, " + when, [hit for hit in hits if hit], [])
    for name in ("state.db", "state.db-wal", "audit.log", "daemon.log"):
        tap.check("looked at: " + name, sizes.get(name, 0) > 0, sizes)


look_through_files("while it runs")

# --- No core file ---------------------------------------------------------------------------------

with open("/proc/%d/limits" % daemon.process.pid, encoding="ascii") as limits:
    tap.check("core files are off", re.search(r"Max core file size +0 +0 ", limits.read()))
try:
    with open("/proc/%d/environ" % daemon.process.pid, "rb") as environment:
        tap.check("no call of a library is left to be resolved",
                  b"LD_BIND_NOW=1" in environment.read().split(b"\0"))
except PermissionError as error:
    print("# the environment is not looked at: %s" % error)
pid = daemon.process.pid
os.kill(pid, signal.SIGABRT)
_, status = os.waitpid(pid, 0)
daemon.process = None
tap.check("an abort leaves none", os.WIFSIGNALED(status) and not os.WCOREDUMP(status), status)
look_through_files("after it")

# The test itself finds what is there.
tap.check("a key would be found", all(
    look("", b"x" * 100 + text + b"y") for text in
    (key(GCM)[:memory.WINDOW], key(HMAC)[3:], key(CBC).hex().encode(), base64.b64encode(key(GCM))[4:])))
sys.exit(tap.finish(daemon))
