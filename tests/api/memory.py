# SPDX-License-Identifier: Apache-2.0
"""Looks for keys in what a process has in memory, or in any bytes.

memory.py PID KEY...: keys as base64; prints where pieces of them are found; exit status 1 when any are.

Any stretch of 12 bytes of a key is found, raw, as hexadecimal digits and as base64: it has one of the
pieces of 8 bytes in it that begin at every fourth, which are few."""

import base64
import re
import sys

WINDOW = 12
PIECE = 8
TEXT_PIECE = 12
STEP = 4
READ_AT_ONCE = 1 << 20


def patterns(keys):
    found = set()
    for kind in keys:
        for i in range(0, len(kind) - PIECE + 1, STEP):
            part = kind[i:i + PIECE]
            found |= {part, part.hex().encode(), part.hex().upper().encode()}
        text = base64.b64encode(kind)[:len(kind) * 8 // 6]
        found |= {text[i:i + TEXT_PIECE] for i in range(0, len(text) - TEXT_PIECE + 1, STEP)}
    return sorted(found)


def look(wanted, where, data):
    """What is found, with what stands around it in a form that shows no more than needed."""
    for pattern in wanted:
        place = data.find(pattern)
        if place >= 0:
            around = data[max(place - 48, 0):place]
            return "%s: %r after %r" % (where, pattern, around)
    return None


def mappings(pid, exempt):
    with open("/proc/%d/maps" % pid, encoding="ascii", errors="replace") as maps:
        for line in maps:
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)", line)
            start, end = int(match.group(1), 16), int(match.group(2), 16)
            if match.group(3)[0] == "r" and match.group(4) not in ("[vvar]", "[vsyscall]") and \
                    not (start >= exempt[0] and end <= exempt[1]):
                yield start, end, match.group(4)


def look_through(pid, wanted, exempt=(0, 0)):
    """What is found in all readable memory of the process but for the addresses 'exempt', and how many
    bytes that is."""
    found = []
    size = 0
    with open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
        for start, end, name in mappings(pid, exempt):
            carry = b""
            for place in range(start, end, READ_AT_ONCE):
                try:
                    memory.seek(place)
                    data = memory.read(min(READ_AT_ONCE, end - place))
                except OSError:
                    break      # a page of a file that has no bytes there
                size += len(data)
                if data.count(0) == len(data):
                    carry = b""
                    continue
                hit = look(wanted, "%x-%x %s" % (start, end, name or "anonymous"), carry + data)
                if hit:
                    found.append(hit)
                carry = data[-64:]
    return found, size


def main():
    found, size = look_through(int(sys.argv[1]), patterns(base64.b64decode(key) for key in sys.argv[2:]))
    for place in found:
        print(place)
    if size == 0:
        sys.exit("no memory of the process can be read")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
