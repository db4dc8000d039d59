/* SPDX-License-Identifier: Apache-2.0
 *
 * transport.h: how the TLS session of a connection reads and writes its socket.
 *
 * A round of the worker knows by it whether a byte moved, and a connection when a request began. */
#pragma once

#include <gnutls/gnutls.h>

struct connection;

/* The session reads and writes by itself no more.  'connection' may be null: then all it gets is an
 * error. */
void transport_attach(gnutls_session_t session, struct connection *connection);
