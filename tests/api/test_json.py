# SPDX-License-Identifier: Apache-2.0
"""Some hundred malformed JSON documents, made from a good one: each is refused with 400 and a problem
that says where, nothing comes of any, and the connection serves on."""

import json
import sys

from daemon import Daemon, Tap

GOOD = {"localAddress": "192.0.2.1", "remoteAddress": "10.0.0.1", "trafficType": "transport",
        "ipsecFilterId": 1, "labels": {"site": "b"}, "getSpi": True}


def malformed():
    text = json.dumps(GOOD).encode()
    # Cut short, one structural byte less, one more, one for another.
    for end in range(1, len(text)):
        yield "cut at %d" % end, text[:end]
    for at, byte in enumerate(text):
        if chr(byte) in '{}":,':
            yield "without byte %d" % at, text[:at] + text[at + 1:]
            yield "byte %d twice" % at, text[:at + 1] + text[at:]
            for other in b"[]{}\x00\x01":
                if other != byte:
                    yield "byte %d is 0x%02x" % (at, other), \
                        text[:at] + bytes([other]) + text[at + 1:]
    # Numbers that JSON does not have.
    for number in ("01", "+1", "-", ".5", "1.", "1e", "1e+", "0x1", "1_0", "NaN", "Infinity",
                   "-Infinity", "--1", "1 1", "١", "18446744073709551616", "1" * 400):
        yield "the number %s" % number[:20], text.replace(b'"ipsecFilterId": 1',
                                                          b'"ipsecFilterId": ' + number.encode())
    # Words and texts.
    for value in ("tru", "True", "TRUE", "nul", "undefined", "'a'", "a", "\"\t\"", "\"\n\"",
                  "\"\\x41\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\ud800\"", "\"\\udc00\\ud800\"",
                  "\"\\ud800a\"", "\"\\\"", "\"\\u0000\""):
        yield "the value %s" % value.encode(), text.replace(b"true", value.encode())
    for bad in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82", b"\x80"):
        yield "not UTF-8: %r" % bad, text.replace(b'"b"', b'"b' + bad + b'"')
        yield "not UTF-8 in a name: %r" % bad, text.replace(b'"site"', b'"site' + bad + b'"')
    # Around the document.
    for before, after in ((b"\xef\xbb\xbf", b""), (b"", b"x"), (b"", b"{}"), (b"", b","),
                          (b"/* */", b""), (b"", b"// x"), (b"[", b"]"), (b"", b"\x00"),
                          (b"\x0c", b""), (b"\xa0", b"")):
        yield "%r before and %r behind" % (before, after), before + text + after
    for depth in (10, 100, 1000, 10000):
        yield "%d arrays deep" % depth, b"[" * depth + b"]" * depth
        yield "%d objects deep" % depth, b'{"a":' * depth + b"1" + b"}" * depth
        yield "%d arrays open" % depth, b"[" * depth
    # Well formed, and not what is wanted.
    for value in (b"null", b"true", b"1", b'""', b"[]", b"[1]", b'"{}"', b"  ", b"\n"):
        yield "only %r" % value, value
    for name in GOOD:
        yield "%s twice" % name, text[:-1] + b', "%s": 1}' % name.encode()
        yield "%s spelt otherwise" % name, text.replace(name.encode(), name.upper().encode())


def main():
    tap = Tap()
    daemon = Daemon()
    daemon.start()
    GOOD["ipsecFilterId"] = daemon.add_filters()
    connection = daemon.http()
    count = 0
    wrong = []
    for name, document in malformed():
        count += 1
        status, problem, _ = daemon.call("POST", "/sa-contexts", document, connection=connection)
        if status != 400 or problem["status"] != 400 or not problem["code"] or \
                not (problem.get("pointer") or problem.get("detail")):
            wrong.append((name, status, problem))
    tap.check("%d documents: each is refused with 400 and a reason" % count,
              not wrong and count > 500, wrong[:3])
    status, answer, _ = daemon.call("GET", "/sa-contexts", connection=connection)
    tap.equal("nothing came of any", (status, answer["items"]), (200, []))
    status, answer, _ = daemon.call("POST", "/sa-contexts", GOOD, connection=connection)
    tap.check("the good one is taken over the same connection", status == 201, answer)
    return tap.finish(daemon)


if __name__ == "__main__":
    sys.exit(main())
