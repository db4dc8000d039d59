/* SPDX-License-Identifier: Apache-2.0
 *
 * connection.h: one TLS connection: its handshake, who is behind it, and its deadlines.
 *
 * A connection belongs to one worker thread from accept to close; nothing here is shared but the
 * snapshots it refers to.  The HTTP library owns the socket; this module owns the TLS session's
 * transport functions, judges the client's certificate when the handshake finishes, and ends
 * connections whose handshake, header, body or answer takes too long. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <gnutls/gnutls.h>

#include "auth/identity.h"
#include "engine/base/access.h"
#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "server/lingerers.h"
#include "server/security.h"

struct MHD_Connection;
struct address_limits;
struct address_slot;
struct principal_limits;
struct principal_slot;
struct turn_caller;
struct turn_queue;
struct audit;
struct buffer;
struct line_budget;
struct metrics;

/* What a connection is waiting for; every phase but BUSY and WATCH has a deadline. */
enum connection_phase {
    CONNECTION_HANDSHAKE = 0,
    CONNECTION_IDLE,   /* between requests: the idle timeout */
    CONNECTION_HEADER, /* the first bytes of a request are there, its headers are not */
    CONNECTION_BODY,
    CONNECTION_BUSY, /* the engine has the call */
    CONNECTION_ANSWER,
    CONNECTION_WATCH, /* of a stream all was sent that there is */
};

/* What the connections of a worker have in common. */
struct connection_pool {
    struct connection *first; /* all open ones, linked by 'next' and 'previous' */
    struct connection *sweep; /* from here on, not yet judged by a new snapshot; null: all are */
    struct security_holder *holder;
    struct security *security; /* the worker's snapshot */
    struct address_limits *limits;
    struct principal_limits *principal_limits;
    struct turn_queue *turns; /* the worker's */
    struct metrics *metrics;
    const struct audit *audit;
    struct buffer *audit_lines;         /* the worker's */
    struct line_budget *stranger_lines; /* of audit lines */
    int64_t handshake_timeout_ms;
    int64_t idle_timeout_ms;
    int64_t header_timeout_ms;
    int64_t body_timeout_ms;
    int64_t now_ms; /* monotonic, when the worker's round began: exact enough for deadlines */
    struct lingerers lingerers;
    int handshake_fd;         /* epoll set of the unfinished handshakes */
    uint32_t handshakes;      /* how many are in it */
    uint32_t handshake_steps; /* that were taken in this round */
    bool progress; /* set whenever a byte moved, a handler ran or a handshake step was taken */
};

#define CONNECTION_PEER_SIZE 56
#define CONNECTION_AHEAD_SIZE 1024

struct connection {
    struct connection_pool *pool;
    struct connection *next;
    struct connection *previous;
    gnutls_session_t session;
    struct address_slot *address;
    struct principal_slot *principal; /* null: no certificate, or not counted yet */
    struct turn_caller *caller;       /* null likewise: takes no turns */
    struct security *security;        /* what the handshake used; kept while GnuTLS refers to it */
    struct auth_identity *identity;   /* null: no certificate */
    struct ipsec_rights rights;
    uint64_t judged_generation; /* the snapshot that judged it, and */
    int64_t good_from_ms;       /* from when on, and */
    int64_t good_until_ms;      /* until when that holds, wall clock */
    int64_t deadline_ms;        /* monotonic */
    int fd;
    enum connection_phase phase;
    bool handshaking_counted;
    bool handshake_waits;    /* the last step found nothing to read */
    bool handshake_readable; /* and since then bytes came, or it left some in the socket */
    bool socket_empty;       /* the last read found nothing */
    bool cut;                /* the socket was shut down by us */
    bool linger;             /* answered before the caller had sent all: see lingerers.h */
    /* Bytes taken from the socket that GnuTLS has not asked for yet: it reads a record's header and
     * its contents one by one, and both are here after one system call. */
    uint16_t ahead_start;
    uint16_t ahead_end;
    uint8_t ahead[CONNECTION_AHEAD_SIZE];
    char peer[CONNECTION_PEER_SIZE];
};

/* Called when the HTTP library has accepted a connection and before its handshake.  Returns null
 * when there is no memory; the library must then be told to close it. */
struct connection *connection_open(struct connection_pool *pool, struct MHD_Connection *native);
void connection_close(struct connection *connection); /* accepts null */

/* Moves to a phase and starts its deadline. */
void connection_enter(struct connection *connection, enum connection_phase phase);

/* Brings the deadline of its phase forward. */
void connection_hurry(struct connection *connection, int64_t deadline_ms);

/* Ends connections past their deadline; a half-sent request is answered 408 first.  To be called a
 * few times a second. */
void connection_pool_reap(struct connection_pool *pool);

/* Takes the current snapshot.  When it changed, open connections are judged again, a few a call:
 * those whose certificate no longer holds are cut, the others get their rights anew.  True while
 * some are left for the next call. */
bool connection_pool_refresh(struct connection_pool *pool);

/* To be asked before a request is looked at, and before it is handed on: whether the caller is
 * still who the handshake found, by the current snapshot and at this time.  Judges again when the
 * snapshot changed or the verdict's time ran out (a certificate expired, a CRL went stale), and
 * gives the rights anew.  False: to be refused and cut. */
bool connection_is_good(struct connection *connection);

/* Whether a caller without a certificate may cause an audit line. */
NODISCARD bool connection_stranger_line(const struct connection *connection,
                                        uint64_t *left_out_out);

/* Sends a whole answer by hand, past the HTTP library, and shuts the socket down: for requests
 * whose body will never be complete. */
void connection_answer_and_cut(struct connection *connection, int http_status, const char *detail);
void connection_cut(struct connection *connection);
