# SPDX-License-Identifier: Apache-2.0
#
# cpu_split.py BUILD: lines of "perf report --sort comm,dso,symbol -t '|'" on stdin to one line a
# part of the daemon, "PERCENT|NAME", the largest first.
#
# Shared libraries are told by their file, what is linked in by the archive in BUILD that has the
# symbol; the kernel's time is the network's in the workers and the store's in the engine's thread.
import collections
import pathlib
import subprocess
import sys

LIBRARIES = {
    "TLS": ("libgnutls", "libnettle", "libhogweed", "libgmp", "libtasn1", "libcrypto"),
    "JSON": ("libjansson",),
    "store": ("libsqlite3",),
    "C library": ("libc.so", "libc-", "ld-linux", "libpthread", "[vdso]"),
}
ARCHIVES = {
    "HTTP library": ("deps/lib/libmicrohttpd.a",),
    "API: routes, decoding, encoding": ("release/api/libsac_api.a",),
    "who may: certificates, rights, audit": ("release/auth/libsac_auth.a",),
    "engine": ("release/engine/libsac_engine.a", "release/engine/libsac_plane.a"),
    "store": ("release/engine/libsac_store.a",),
    "server: workers, log, metrics": ("release/server/libsac_server.a", "release/engine/libsac_base.a"),
}


def symbols_of(build):
    """The part of every function that an archive defines."""
    parts = {}
    for part, archives in ARCHIVES.items():
        for archive in archives:
            path = pathlib.Path(build) / archive
            if not path.exists():
                continue
            names = subprocess.run(["nm", "--defined-only", path], capture_output=True, text=True).stdout
            for line in names.splitlines():
                words = line.split()
                if len(words) == 3 and words[1] in "tT":
                    parts.setdefault(words[2], part)
    return parts


def part_of(thread, file, symbol, known):
    if "kernel" in file or symbol.startswith("[k]"):
        return "kernel, for the store" if thread == "engine" else "kernel, for the network"
    for part, names in LIBRARIES.items():
        if file.startswith(names):
            return part
    if "libmicrohttpd" in file:
        return "HTTP library"
    # The compiler's copies: name.part.0, name.constprop.0
    name = symbol.split("] ")[-1].split(".")[0].strip()
    return known.get(name, "the rest")


def main():
    known = symbols_of(sys.argv[1])
    shares = collections.Counter()
    for line in sys.stdin:
        fields = [field.strip() for field in line.split("|")]
        if len(fields) < 4 or not fields[0].endswith("%"):
            continue
        shares[part_of(fields[1], fields[2], fields[3], known)] += float(fields[0][:-1])
    for part, share in shares.most_common():
        print(f"{share:.2f}|{part}")


main()
