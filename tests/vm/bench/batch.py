# SPDX-License-Identifier: Apache-2.0
"""batch.py PKI LAYOUT COUNT: creates COUNT keyed contexts with the batch request over one connection.

The layouts and the states are those of plane_bench.c; filters and bodies are made before the clock
runs.  Prints "daemon SIZE MICROSECONDS" at 1,000, 10,000 and COUNT contexts: what a context took
since the line before."""
import base64
import hashlib
import http.client
import json
import ssl
import sys
import time

ITEMS = 500
PAIR_FILTERS = 1000


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


def context(index, filters):
    inbound, outbound = (mix(2 * index + side) for side in (1, 2))
    body = {"localAddress": "10.0.0.1", "remoteAddress": "11.0.0.0", "trafficType": "transport",
            "ipsecFilterId": filters[index % len(filters)], "spi": inbound,
            "inbound": bundle(inbound, 2 * index + 1), "outbound": bundle(outbound, 2 * index + 2)}
    if len(filters) > 1:
        body.update({"ipProtocol": 17, "localPort": 1000 + index // PAIR_FILTERS,
                     "remotePort": 2000 + index % PAIR_FILTERS})
    else:
        body["remoteAddress"] = "11.%d.%d.%d" % (index >> 16 & 255, index >> 8 & 255, index & 255)
    return body


class Client:
    def __init__(self, pki):
        tls = ssl.create_default_context(cafile=pki + "/ca.pem")
        tls.load_cert_chain(pki + "/orchestrator.pem", pki + "/orchestrator.key")
        self.connection = http.client.HTTPSConnection("127.0.0.1", 8443, context=tls)

    def post(self, path, body):
        self.connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 201) or b'"status"' in text:
            sys.exit("batch: %s: %d %s" % (path, answer.status, text[:500]))
        return text


def add_filter(client, direction, port):
    conditions = [{"field": "ipLocalAddress", "match": "equal", "value": "10.0.0.1"}]
    if port:
        conditions += [{"field": "ipRemoteAddress", "match": "equal", "value": "11.0.0.0"},
                       {"field": "ipProtocol", "match": "equal", "value": 17},
                       {"field": "ipRemotePort", "match": "equal", "value": port}]
    return json.loads(client.post("/filters", json.dumps({
        "displayData": {"name": direction}, "layer": direction + "TransportV4", "conditions": conditions,
        "action": {"type": "calloutTerminating",
                   "callout": "ipsec%sTransportV4" % direction.capitalize()}})))["id"]


def main():
    pki, layout, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    client = Client(pki)
    filters = []
    for port in range(2000, 2000 + PAIR_FILTERS) if layout == "pair" else [0]:
        add_filter(client, "inbound", port)
        filters.append(add_filter(client, "outbound", port))
    first, next_report, spent = 0, 1000, 0.0
    for begin in range(0, count, ITEMS):
        end = min(begin + ITEMS, count)
        body = json.dumps({"items": [context(i, filters) for i in range(begin, end)]}).encode()
        started = time.monotonic()
        client.post("/sa-contexts/batch", body)
        spent += time.monotonic() - started
        if end >= next_report or end == count:
            print("daemon %d %.2f" % (end, spent / (end - first) * 1e6), flush=True)
            first, next_report, spent = end, next_report * 10, 0.0


main()
