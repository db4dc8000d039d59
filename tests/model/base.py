# SPDX-License-Identifier: Apache-2.0
"""What all parts of the model share: codes, refusals, answers, questions on addresses."""

import ipaddress

# HTTP statuses of what is not in the table of WFP's codes.
STATUSES = {
    "ERROR_ACCESS_DENIED": 403,
    "ERROR_INVALID_HANDLE": 404,
    "HTTP_E_STATUS_UNPROCESSABLE_CONTENT": 422,
    "HTTP_E_STATUS_PRECOND_FAILED": 412,
}


def load_statuses(path):
    """The column http_status of the table of codes."""
    with open(path, encoding="utf-8") as table:
        for line in table:
            cells = line.rstrip("\n").split("\t")
            if cells[0].startswith("FWP_E_"):
                STATUSES[cells[0]] = int(cells[3])


class Refused(Exception):
    """A call that is not possible.  What does not exist is 404 in the path, 422 in the body."""

    def __init__(self, code, in_body=False):
        super().__init__(code)
        self.code = code
        self.status = STATUSES[code]
        if in_body and self.status == 404:
            self.status = 422


class Answer:
    def __init__(self, status, code=None, result=None, replayed=False):
        self.status = status
        self.code = code
        self.result = result
        self.replayed = replayed

    def __repr__(self):
        return "%d %s %r%s" % (self.status, self.code, self.result,
                               " (replayed)" if self.replayed else "")


def need(condition, code, in_body=False):
    if not condition:
        raise Refused(code, in_body)


def version_of(address):
    return "v4" if ipaddress.ip_address(address).version == 4 else "v6"


def is_unicast(address):
    address = ipaddress.ip_address(address)
    return not (address.is_unspecified or address.is_multicast or
                str(address) == "255.255.255.255")
