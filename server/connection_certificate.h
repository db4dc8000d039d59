/* SPDX-License-Identifier: Apache-2.0
 *
 * connection_certificate.h: the client's certificate of a connection: judged when its handshake
 * ends and again whenever that verdict has run out. */
#pragma once

#include <gnutls/gnutls.h>

struct connection;
struct connection_pool;

/* Runs inside the handshake when the client's Finished has arrived, for a resumed session as for a
 * full one: its certificate and the proof of its key came before, and no byte of a request has been
 * looked at. */
int connection_judge_finished(gnutls_session_t session,
                              unsigned int message,
                              unsigned int when,
                              unsigned int incoming,
                              const gnutls_datum_t *data);

/* Takes the current snapshot; when it is a new one all open connections are to be judged again. */
void connection_pool_adopt_snapshot(struct connection_pool *pool);

/* Of whoever was good before there are as many lines as there were such connections. */
void
connection_audit_refusal(struct connection *connection, const char *reason, const char *detail);
