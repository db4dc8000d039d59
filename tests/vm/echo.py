# SPDX-License-Identifier: Apache-2.0
"""echo.py PORT: whoever connects gets back what it sends."""
import socket
import sys

with socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True) as server:
    while True:
        caller, _ = server.accept()
        with caller:
            while data := caller.recv(65536):
                caller.sendall(data)
