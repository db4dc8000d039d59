#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coverage.py RECORDS OPENAPI TEST...: whether the API tests reached all that the contract promises.

Every API test leaves a file NAME.calls in the folder RECORDS, one line an answer (see lib.sh and
daemon.py):

    METHOD PATH STATUS BODY     a request and its answer, the body in base64
    @OPERATION STATUS           of the daemon's own count, which sees raw sockets too

It is an error that an operation or one of its documented statuses was never answered, that a status
was answered which is not documented, or that a body is not of its schema.  Exempt is only a status
of which every code is in UNREACHABLE, and what ELSEWHERE lists.  Exit status 77: a TEST has not been run yet."""

import base64
import json
import os
import re
import sys

# Codes that no caller can bring about, and where they are shown instead.
UNREACHABLE = {
    "RPC_E_SERVER_CANTMARSHAL_DATA": "memory runs out while an answer is written; unit tests",
    "RPC_E_OUT_OF_RESOURCES": "memory, or the disk; unit tests and fault tests of the stores",
    "RPC_E_SYS_CALL_FAILED": "the kernel refuses what it never refuses; unit tests",
    "RPC_E_INVALID_DATA": "with 500: the store's file is damaged; fault tests of the stores",
}
# Statuses that take a kernel as data plane, which these tests do without.
ELSEWHERE = {
    ("addFilter", 502): "the kernel can't express the filter; tests/vm, test_filter_plane",
    ("getDrift", 429): "another comparison with the kernel is under way; unit tests",
    ("reconcile", 429): "the same",
}
# Of any request, whatever is at its path: the library's or the wire's own.
NOT_OF_AN_OPERATION = {400, 404, 405, 408, 413, 414, 431, 501, 505}


class Contract:
    def __init__(self, file):
        with open(file, encoding="utf-8") as stream:
            self.document = json.load(stream)
        self.operations = {}
        self.paths = []
        for path, methods in self.document["paths"].items():
            pattern = re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(path)))
            for method, operation in methods.items():
                self.operations[operation["operationId"]] = operation["responses"]
                self.paths.append((method.upper(), pattern, "{" in path, operation["operationId"]))
        self.paths.sort(key=lambda row: row[2])     # what is spelled out comes first

    def find(self, method, path):
        path = path.split("?")[0]
        spelled_out = any(pattern.fullmatch(path) and not braces
                          for _, pattern, braces, _ in self.paths)
        for wanted, pattern, braces, operation in self.paths:
            if wanted == ("GET" if method == "HEAD" else method) and pattern.fullmatch(path) \
                    and not (braces and spelled_out):
                return operation
        return None

    def schema(self, operation, status):
        content = self.operations[operation][str(status)].get("content", {})
        for media in content.values():
            return media.get("schema")
        return None

    def streams(self, operation, status):
        """A piece of a stream of events is no JSON text; the tests of watching look at the lines."""
        content = self.operations[operation][str(status)].get("content", {})
        return "text/event-stream" in content

    def unreachable(self, operation, status):
        codes = self.operations[operation][str(status)]["description"].split(", ")
        return all(code in UNREACHABLE for code in codes)


class Validator:
    """Of bodies; without the library they are not looked at."""

    def __init__(self, document):
        try:
            import jsonschema
            self.make = jsonschema.Draft202012Validator
        except ImportError:
            print("# python3-jsonschema is not there: bodies are not held against their schemas")
            self.make = None
        self.document = document
        self.made = {}

    def why_not(self, schema, body):
        if self.make is None or schema is None:
            return None
        text = json.dumps(schema)
        if text not in self.made:
            whole = dict(schema, components=self.document["components"])
            self.made[text] = self.make(whole)
        error = next(self.made[text].iter_errors(body), None)
        return None if error is None else "%s: %s" % (error.json_path, error.message[:160])


def read(folder, tests):
    calls, counted = [], []
    missing = []
    for test in tests:
        file = os.path.join(folder, test + ".calls")
        if not os.path.exists(file):
            missing.append(test)
            continue
        with open(file, encoding="ascii", errors="replace") as stream:
            for line in stream:
                fields = line.rstrip("\n").split(" ")
                if fields[0].startswith("@") and len(fields) == 2 and fields[1].isdigit():
                    counted.append((fields[0][1:], int(fields[1])))
                elif len(fields) == 4 and fields[2].isdigit():
                    calls.append((fields[0], fields[1], int(fields[2]), fields[3], test))
    return calls, counted, missing


def main(folder, openapi, tests):
    contract = Contract(openapi)
    validator = Validator(contract.document)
    calls, counted, missing = read(folder, tests)
    if missing:
        print("# not run yet: " + " ".join(missing))
        return 77
    reached = {(operation, status) for operation, status in counted if operation != "none"}
    problems = set()
    bodies = 0
    for method, path, status, text, test in calls:
        operation = contract.find(method, path)
        if operation is None or status == 0:
            continue
        reached.add((operation, status))
        if str(status) not in contract.operations[operation] or method == "HEAD":
            continue
        if contract.streams(operation, status):
            continue
        schema = contract.schema(operation, status)
        body = base64.b64decode(text)
        if schema is None and body:
            problems.add("%s %d has a body (%s)" % (operation, status, test))
        elif body and schema is not None:
            try:
                why = validator.why_not(schema, json.loads(body))
            except ValueError:
                why = "is no JSON"
            bodies += 1
            if why:
                problems.add("%s %d: body %s (%s)" % (operation, status, why, test))

    documented = {(operation, int(status)) for operation, responses in contract.operations.items()
                  for status in responses}
    for operation, status in sorted(reached - documented):
        if status not in NOT_OF_AN_OPERATION and operation in contract.operations:
            problems.add("%s %d was answered and is not documented" % (operation, status))
    exempt = {row for row in documented - reached
              if row in ELSEWHERE or contract.unreachable(*row)}
    for operation, status in sorted(documented - reached - exempt):
        problems.add("%s %d was never answered" % (operation, status))
    for problem in sorted(problems):
        print("not ok - " + problem)
    print("# %d operations, %d of %d documented statuses answered, %d exempt, %d bodies looked at"
          % (len(contract.operations), len(documented & reached), len(documented), len(exempt),
             bodies))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
