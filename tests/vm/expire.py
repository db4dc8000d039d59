# SPDX-License-Identifier: Apache-2.0
"""expire.py DESTINATION SPI [COUNT]: tells the kernel that an ESP state has expired.

It deletes the state then, as if its time were over, and tells whoever listens; with COUNT it only
tells, so many times, that the state is getting old."""
import socket
import struct
import sys

NETLINK_XFRM = 6
XFRM_MSG_EXPIRE = 0x18
NLM_F_REQUEST = 1
ESP = 50
AT_ONCE = 64


def main():
    destination = socket.inet_aton(sys.argv[1])
    spi = int(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    # struct xfrm_usersa_info: selector, id, source, limits and counts, the rest.
    state = bytes(56) + destination + bytes(12) + struct.pack("!IB3x", spi, ESP) + bytes(16) \
        + bytes(116) + struct.pack("=H", socket.AF_INET) + bytes(10)
    assert len(state) == 224
    body = state + struct.pack("=B7x", count == 0)
    message = struct.pack("=IHHII", 16 + len(body), XFRM_MSG_EXPIRE, NLM_F_REQUEST, 0, 0) + body
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_XFRM) as kernel:
        for first in range(0, max(count, 1), AT_ONCE):
            kernel.sendto(message * min(AT_ONCE, max(count, 1) - first), (0, 0))
        # Only errors are answered.
        try:
            sys.exit("the kernel says %r" % kernel.recv(4096, socket.MSG_DONTWAIT))
        except BlockingIOError:
            pass


main()
