# SPDX-License-Identifier: Apache-2.0
"""X.509 certificates with contents that no tool would write, put together byte by byte and signed
by openssl(1)."""

import base64
import calendar
import os
import subprocess
import time

SEQUENCE, SET, UTF8, PRINTABLE, T61, BMP = 0x30, 0x31, 0x0c, 0x13, 0x14, 0x1e
EMAIL_NAME, DNS_NAME, URI_NAME, IP_NAME = 0x81, 0x82, 0x86, 0x87
CN, O = "2.5.4.3", "2.5.4.10"
CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
SERVER_AUTH = "1.3.6.1.5.5.7.3.1"


def der(tag, *parts):
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def integer(number):
    return der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def oid(text):
    first, second, *rest = map(int, text.split("."))
    out = bytes([first * 40 + second])
    for number in rest:
        groups = [number & 0x7f]
        while number > 0x7f:
            number >>= 7
            groups.insert(0, 0x80 | number & 0x7f)
        out += bytes(groups)
    return der(0x06, out)


def name(*parts):
    """(OID, tag, bytes) each."""
    return der(SEQUENCE, *(der(SET, der(SEQUENCE, oid(kind), der(tag, text)))
                           for kind, tag, text in parts))


def extension(kind, value, critical=False):
    return der(SEQUENCE, oid(kind), der(0x01, b"\xff") if critical else b"", der(0x04, value))


def alternative_names(*names):
    """(tag, bytes) each."""
    return extension("2.5.29.17", der(SEQUENCE, *(der(tag, text) for tag, text in names)))


def usage(*purposes):
    return extension("2.5.29.37", der(SEQUENCE, *map(oid, purposes)))


def moment(seconds):
    return der(0x18, time.strftime("%Y%m%d%H%M%SZ", time.gmtime(seconds)).encode())


def pem(data):
    text = base64.b64encode(data).decode()
    lines = [text[i:i + 64] for i in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


def parts_of(data):
    """The elements inside of a DER element."""
    def header(at):
        size, start = data[at + 1], at + 2
        if size & 0x80:
            start += size & 0x7f
            size = int.from_bytes(data[at + 2:start], "big")
        return start, start + size
    at, end = header(0)
    parts = []
    while at < end:
        _, after = header(at)
        parts.append(data[at:after])
        at = after
    return parts


class Authority:
    """Signs with ca.key of 'folder', which holds a key on P-256; all leaves have one key, 'key'."""

    def __init__(self, folder):
        self.folder = folder
        self.key = os.path.join(folder, "odd.key")
        self.serial = calendar.timegm(time.gmtime()) << 16
        self.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                     "-out", self.key)
        self.public_key = self.openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER")
        authority = self.openssl("x509", "-in", os.path.join(folder, "ca.pem"), "-outform", "DER")
        self.name = parts_of(parts_of(authority)[0])[5]

    @staticmethod
    def openssl(*arguments, data=None):
        return subprocess.run(["openssl", *arguments], input=data, check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout

    def make(self, subject, *extensions, begin=-3600, end=3600, purposes=(CLIENT_AUTH,)):
        """One certificate in DER, valid from 'begin' to 'end' seconds from now on."""
        self.serial += 1
        algorithm = der(SEQUENCE, oid("1.2.840.10045.4.3.2"))
        now = int(time.time())
        body = der(SEQUENCE,
                   der(0xa0, integer(2)), integer(self.serial), algorithm, self.name,
                   der(SEQUENCE, moment(now + begin), moment(now + end)), subject, self.public_key,
                   der(0xa3, der(SEQUENCE, extension("2.5.29.19", der(SEQUENCE), True),
                                 usage(*purposes) if purposes else b"", *extensions)))
        signature = self.openssl("dgst", "-sha256", "-sign", os.path.join(self.folder, "ca.key"),
                                 data=body)
        return der(SEQUENCE, body, algorithm, der(0x03, b"\0", signature))

    def write(self, file_name, *chain):
        """Leaf first, with its key beside, as daemon.context() takes them."""
        path = os.path.join(self.folder, file_name)
        with open(path + ".pem", "w", encoding="ascii") as out:
            out.write("".join(map(pem, chain)))
        if not os.path.exists(path + ".key"):
            os.link(self.key, path + ".key")
