/* SPDX-License-Identifier: Apache-2.0
 *
 * metrics.h: what the workers count, and how it reads as Prometheus text.
 *
 * Every worker counts in a struct of its own with relaxed atomics; the ops listener adds them up.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "engine/base/buffer.h"
#include "engine/base/status.h"

struct ipsec_engine;
struct security_holder;
struct audit;

enum {
    METRICS_OPERATIONS = 96, /* routes, and one for requests without */
    METRICS_STATUSES = 26,
    METRICS_LATENCIES = 17, /* 50 us and doubling, the last is everything above */
};

/* Why connections did not get as far as a request. */
enum metrics_refusal {
    METRICS_HANDSHAKE_FAILED = 0, /* protocol error, or the client went away */
    METRICS_CERTIFICATE_REFUSED,
    METRICS_LIMIT_REACHED, /* connections in all, of one address or principal */
    METRICS_DEADLINE,      /* handshake, header, body or answer took too long */
    METRICS_CUT,           /* by a reload: the certificate no longer holds */
    METRICS_REFUSAL_COUNT
};

struct metrics {
    _Atomic uint64_t requests[METRICS_OPERATIONS][METRICS_STATUSES];
    _Atomic uint64_t latencies[METRICS_OPERATIONS][METRICS_LATENCIES]; /* not cumulative */
    _Atomic uint64_t latency_us_sum[METRICS_OPERATIONS];
    _Atomic uint64_t codes[IPSEC_STATUS_COUNT];
    _Atomic uint64_t refusals[METRICS_REFUSAL_COUNT];
    _Atomic uint64_t connections_accepted;
    _Atomic uint64_t handshakes_full;
    _Atomic uint64_t handshakes_resumed;
};

void metrics_count_request(struct metrics *metrics,
                           size_t operation,
                           int http_status,
                           enum ipsec_status status,
                           int64_t duration_us);
void metrics_count_refusal(struct metrics *metrics, enum metrics_refusal refusal);

/* What the text is made from. */
struct metrics_source {
    const struct metrics *const *workers;
    size_t worker_count;
    const struct ipsec_engine *engine;
    struct security_holder *security;
    const struct audit *audit;
    uint64_t connections; /* open now */
    uint64_t reloads;
    uint64_t reload_failures;
    int64_t started_ms; /* wall clock: the process */
    const char *version;
};
void metrics_render(const struct metrics_source *source, struct buffer *text);
