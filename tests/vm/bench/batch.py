# SPDX-License-Identifier: Apache-2.0
"""batch.py PKI COUNT OUTBOUND-FILTER: creates COUNT keyed contexts with the batch request over one
connection, and prints contexts a second as the table grows.  Bodies are made before the clock runs."""
import base64
import hashlib
import http.client
import json
import ssl
import sys
import time

ITEMS = 500


def mix(number):
    number ^= number >> 16
    number = number * 0x7FEB352D & 0xFFFFFFFF
    number ^= number >> 15
    number = number * 0x846CA68B & 0xFFFFFFFF
    return number ^ number >> 16


def bundle(spi, number):
    key = base64.b64encode(hashlib.sha256(b"%d" % number).digest()[:20]).decode()
    return {"saList": [{"spi": spi, "saTransformType": "espAuthAndCipher", "authTransform": "GCM_AES_128",
                        "cipherTransform": "GCM_AES_128", "cipherKey": key}]}


def context(index, filter_id):
    inbound, outbound = (mix(2 * index + side) for side in (1, 2))
    return {"localAddress": "10.0.0.1",
            "remoteAddress": "11.%d.%d.%d" % (index >> 16 & 255, index >> 8 & 255, index & 255),
            "trafficType": "transport", "ipsecFilterId": filter_id, "spi": inbound,
            "inbound": bundle(inbound, 2 * index + 1), "outbound": bundle(outbound, 2 * index + 2)}


def main():
    pki, count, filter_id = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    tls = ssl.create_default_context(cafile=pki + "/ca.pem")
    tls.load_cert_chain(pki + "/orchestrator.pem", pki + "/orchestrator.key")
    connection = http.client.HTTPSConnection("127.0.0.1", 8443, context=tls)
    first, next_report, spent, total = 0, 500, 0.0, 0.0
    for begin in range(0, count, ITEMS):
        end = min(begin + ITEMS, count)
        body = json.dumps({"items": [context(i, filter_id) for i in range(begin, end)]})
        body = body.encode()
        started = time.monotonic()
        connection.request("POST", "/sa-contexts/batch", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        elapsed = time.monotonic() - started
        spent += elapsed
        total += elapsed
        if answer.status != 200 or b'"status"' in text:
            sys.exit("batch: %d %s" % (answer.status, text[:500]))
        if end >= next_report or end == count:
            print("daemon: %d to %d contexts: %.1f us each, %.0f a second"
                  % (first, end, spent / (end - first) * 1e6, (end - first) / spent), flush=True)
            first, next_report, spent = end, next_report * 10, 0.0
    print("daemon: all %d contexts: %.1f us each, %.0f a second"
          % (count, total / count * 1e6, count / total), flush=True)


main()
