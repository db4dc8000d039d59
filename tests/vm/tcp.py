# SPDX-License-Identifier: Apache-2.0
"""tcp.py serve PORT: whoever connects is told what arrived, when it has sent all.
tcp.py send FROM TO PORT BYTES FILE: sends so many random bytes, and goes on until FILE is there.

The sender prints the bytes sent and the segments sent again; exit status 1 when something else, or
less, arrived."""
import hashlib
import os
import socket
import struct
import sys

CHUNK = 65536
TCP_INFO_TOTAL_RETRANS = 100


def serve(port):
    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        while True:
            caller, _ = server.accept()
            with caller:
                size, digest = 0, hashlib.sha256()
                while data := caller.recv(CHUNK):
                    size += len(data)
                    digest.update(data)
                caller.sendall(b"%d %s" % (size, digest.hexdigest().encode()))


def send(here, there, port, least, file):
    block = os.urandom(CHUNK)
    size, digest = 0, hashlib.sha256()
    with socket.create_connection((there, port), timeout=120, source_address=(here, 0)) as server:
        while size < least or not os.path.exists(file):
            data = struct.pack("!Q", size) + block
            server.sendall(data)
            size += len(data)
            digest.update(data)
        server.shutdown(socket.SHUT_WR)
        arrived = b"".join(iter(lambda: server.recv(CHUNK), b"")).decode()
        info = server.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        again, = struct.unpack_from("=I", info, TCP_INFO_TOTAL_RETRANS)
    print("%d bytes, %d segments sent again" % (size, again))
    if arrived != "%d %s" % (size, digest.hexdigest()):
        sys.exit("what arrived: " + arrived)


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
else:
    send(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), sys.argv[6])
