# SPDX-License-Identifier: Apache-2.0
"""wire.py REPORT INTERFACE INTERFACE: a wire between two interfaces that tells what crossed it.

Every frame that comes in on one goes out on the other, with what the kernel knows of it: a checksum
that is left to the device stays so.  On SIGUSR1 the counts by kind since the last time are written to
REPORT, and forgotten; so is an empty one at the start."""
import collections
import os
import select
import signal
import socket
import struct
import sys

ETH_P_ALL = 3
PACKET_OUTGOING = 4
SO_RCVBUFFORCE = 33
SOL_PACKET = 263
PACKET_VNET_HDR = 15
VNET_HDR_SIZE = 10
FRAME_MAX = 1 << 17
NAMES = {1: "icmp", 6: "tcp", 17: "udp", 50: "esp", 51: "ah", 58: "icmpv6", 4: "ipip", 41: "ipv6"}


def kind_of_payload(protocol, payload):
    if protocol in (50, 51):
        # AH in front of ESP is "ah-esp"; AH in front of anything else carries clear text.
        if protocol == 50:
            return "esp"
        return "ah-esp" if payload[:1] == b"\x32" else "ah"
    if protocol == 17 and len(payload) >= 12 and 4500 in struct.unpack("!HH", payload[:4]):
        return "udp-esp" if payload[8:12] != bytes(4) else "clear-ike"
    if protocol == 58 and payload[:1] and 133 <= payload[0] <= 137:
        return "nd"
    return "clear-" + NAMES.get(protocol, str(protocol))


def kind_of(frame):
    if len(frame) < 14:
        return "clear-short"
    ethertype = struct.unpack("!H", frame[12:14])[0]
    packet = frame[14:]
    if ethertype == 0x0806:
        return "arp"
    if ethertype == 0x0800:
        return kind_of_payload(packet[9], packet[(packet[0] & 15) * 4:])
    if ethertype == 0x86DD:
        protocol, payload = packet[6], packet[40:]
        # Hop-by-hop options stand in front of multicast listener reports.
        if protocol == 0:
            protocol, payload = payload[0], payload[(payload[1] + 1) * 8:]
            if protocol == 58 and payload[:1] and payload[0] in (130, 131, 132, 143):
                return "nd"
        return kind_of_payload(protocol, payload)
    return "clear-%04x" % ethertype


def main():
    report, names = sys.argv[1], sys.argv[2:]
    counts = collections.Counter()
    wanted = []
    signal.signal(signal.SIGUSR1, lambda *_: wanted.append(1))
    sockets = []
    for name in names:
        one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        one.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        one.bind((name, ETH_P_ALL))
        one.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        sockets.append(one)
    wanted.append(1)
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end)

    while True:
        ready, _, _ = select.select(sockets + [read_end], [], [], 0 if wanted else None)
        if wanted and not ready:
            wanted.clear()
            with open(report + ".new", "w", encoding="ascii") as out:
                out.writelines("%d %s\n" % (count, kind) for kind, count in sorted(counts.items()))
                out.write("0 end\n")
            os.rename(report + ".new", report)
            counts.clear()
        for one in ready:
            if one is read_end:
                os.read(read_end, 64)
                continue
            frame, address = one.recvfrom(FRAME_MAX)
            if address[2] == PACKET_OUTGOING:
                continue
            counts[kind_of(frame[VNET_HDR_SIZE:])] += 1
            other = sockets[1 - sockets.index(one)]
            try:
                other.send(frame)
            except OSError as error:
                counts["lost-errno-%d" % error.errno] += 1


main()
