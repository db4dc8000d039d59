/* SPDX-License-Identifier: Apache-2.0
 *
 * worker.h: one thread of the load generator and its connections.
 *
 * The loop is closed: each connection sends a request, waits for its answer and sends the next;
 * there is no pipelining.  The main thread moves all workers through the phases. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <openssl/ssl.h>

#include "tests/bench/histogram.h"
#include "tests/bench/template.h"

enum load_phase {
    LOAD_CONNECT, /* handshakes only */
    LOAD_WARM_UP, /* requests, not counted */
    LOAD_MEASURE, /* an answer that arrives now counts */
    LOAD_STOP,    /* answers under way are awaited */
};

/* What is sent and how; constant while workers run. */
struct load_plan {
    SSL_CTX *tls;
    struct sockaddr_storage address;
    socklen_t address_size;
    struct template head; /* up to and with "Content-Length: " when there is a body */
    struct template body;
    /* A body of many: 'before', 'items' times 'body' with commas between them, 'after'. */
    const char *before;
    const char *after;
    uint64_t items;
    bool has_body;
    size_t connections;
    size_t threads;
    uint64_t first;    /* number of the first request */
    uint64_t spread;   /* so many numbers from 'first' on, out of order; 0: in order */
    uint64_t requests; /* to send while measuring; 0: until LOAD_STOP */
    uint64_t requests_per_connection; /* 0: no limit */
    bool resume;                      /* new connections offer the last one's ticket */
    int expected_status;              /* 0: any of 2xx */
    uint64_t *kept;                   /* of an earlier run, by number from 'first'; null: none */
    const char *keep_name;            /* the member of answers to keep; null: none */
    uint64_t *keep;                   /* where, by number from 'first' */
};

struct load_run {
    const struct load_plan *plan;
    _Atomic enum load_phase phase;
    atomic_size_t ready;    /* workers whose connections are all up */
    atomic_size_t finished; /* workers that have returned */
};

enum { LOAD_STATUSES = 600, LOAD_ERROR_SIZE = 200 };

struct load_tally {
    uint64_t answers; /* all of the below but errors and 'next' count while measuring */
    uint64_t unexpected;
    uint64_t statuses[LOAD_STATUSES];
    uint64_t full_handshakes;
    uint64_t resumed_handshakes;
    struct histogram latency;
    struct histogram handshake; /* from connect to the end of the handshake */
    uint64_t errors;            /* in any phase */
    char first_error[LOAD_ERROR_SIZE];
    uint64_t next; /* above every request number used */
    char cipher[64];
};

struct worker; /* Lives on its own thread between worker_start and worker_join. */

/* Null and a line on stderr when memory, descriptors or threads run out. */
struct worker *worker_start(struct load_run *run, size_t index);
/* Waits, adds to 'tally' and frees. */
void worker_join(struct worker *worker, struct load_tally *tally);

/* For SSL_CTX_sess_set_new_cb: keeps the ticket with its connection. */
int worker_keep_session(SSL *ssl, SSL_SESSION *session);

uint64_t load_now_ns(void);
