/* SPDX-License-Identifier: Apache-2.0
 *
 * metrics.c: see metrics.h.  The text is the Prometheus exposition format 0.0.4. */
#include "server/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "auth/audit.h"
#include "engine/base/clock.h"
#include "engine/engine.h"
#include "server/process_figures.h"
#include "server/security.h"

/* The statuses that answers can have; the last column is any other. */
static const int counted_statuses[METRICS_STATUSES] = {
    200, 201, 204, 304, 400, 401, 403, 404, 405, 406, 408, 409, 410,
    412, 413, 414, 415, 422, 429, 431, 500, 501, 502, 503, 504, 0,
};

static const char *const refusal_names[METRICS_REFUSAL_COUNT] = {
    "handshake", "certificate", "limit", "deadline", "reload",
};

static const char *const state_names[IPSEC_SA_CONTEXT_STATE_COUNT] = {
    "created", "spiSet", "inbound", "active", "expiring", "expired",
};

static uint64_t sum(const struct metrics_source *source, size_t offset);
static void render_expiry(struct buffer *text, const char *name, const char *help, int64_t wall_ms);
static void render_head(struct buffer *text, const char *name, const char *type, const char *help);
static void render_simple(
    struct buffer *text, const char *name, const char *type, const char *help, uint64_t value);
static void render_requests(const struct metrics_source *source, struct buffer *text);
static void render_latencies(const struct metrics_source *source, struct buffer *text);
static void render_connections(const struct metrics_source *source, struct buffer *text);
static void render_engine(const struct metrics_source *source, struct buffer *text);
static void render_sessions(const struct ipsec_engine_figures *figures, struct buffer *text);
static void render_watchers(const struct ipsec_engine_figures *figures, struct buffer *text);
static void render_plane(const struct ipsec_engine_figures *figures, struct buffer *text);
static void render_kernel_counters(struct buffer *text);
static void render_process(const struct metrics_source *source, struct buffer *text);
static void render_service(const struct metrics_source *source, struct buffer *text);
static void render_microseconds(struct buffer *text, uint64_t us);

void
metrics_count_request(struct metrics *metrics,
                      size_t operation,
                      int http_status,
                      enum ipsec_status status,
                      int64_t duration_us)
{
    size_t column = 0;
    size_t bucket = 0;

    if (operation >= METRICS_OPERATIONS)
        operation = METRICS_OPERATIONS - 1;
    while (column < METRICS_STATUSES - 1 && counted_statuses[column] != http_status)
        column++;
    while (bucket < METRICS_LATENCIES - 1 && duration_us > (INT64_C(50) << bucket))
        bucket++;
    atomic_fetch_add_explicit(&metrics->requests[operation][column], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&metrics->latencies[operation][bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&metrics->latency_us_sum[operation],
                              duration_us > 0 ? (uint64_t)duration_us : 0, memory_order_relaxed);
    if (status != IPSEC_OK)
        atomic_fetch_add_explicit(&metrics->codes[status], 1, memory_order_relaxed);
}

void
metrics_count_refusal(struct metrics *metrics, enum metrics_refusal refusal)
{
    atomic_fetch_add_explicit(&metrics->refusals[refusal], 1, memory_order_relaxed);
}

void
metrics_render(const struct metrics_source *source, struct buffer *text)
{
    render_service(source, text);
    render_process(source, text);
    render_requests(source, text);
    render_latencies(source, text);
    render_connections(source, text);
    render_engine(source, text);
}

/* Adds up one counter, given by its offset in struct metrics, over the workers. */
static uint64_t
sum(const struct metrics_source *source, size_t offset)
{
    uint64_t total = 0;

    for (size_t i = 0; i < source->worker_count; i++) {
        const _Atomic uint64_t *counter =
            (const _Atomic uint64_t *)(const void *)((const char *)source->workers[i] + offset);
        total += atomic_load_explicit(counter, memory_order_relaxed);
    }
    return total;
}

static void
render_requests(const struct metrics_source *source, struct buffer *text)
{
    render_head(text, "sa_contextd_requests_total", "counter",
                "Requests answered, by operation and HTTP status.");
    for (size_t operation = 0; operation <= api_operation_count(); operation++) {
        for (size_t column = 0; column < METRICS_STATUSES; column++) {
            uint64_t count =
                sum(source, offsetof(struct metrics, requests) +
                                (operation * METRICS_STATUSES + column) * sizeof(uint64_t));
            if (count == 0)
                continue;
            buffer_append_format(text, "sa_contextd_requests_total{operation=\"%s\",status=\"",
                                 api_operation_name(operation));
            if (column == METRICS_STATUSES - 1)
                buffer_append_text(text, "other");
            else
                buffer_append_format(text, "%d", counted_statuses[column]);
            buffer_append_format(text, "\"} %" PRIu64 "\n", count);
        }
    }
    render_head(text, "sa_contextd_codes_total", "counter", "Failed calls by WFP code.");
    for (size_t code = 1; code < IPSEC_STATUS_COUNT; code++) {
        uint64_t count = sum(source, offsetof(struct metrics, codes) + code * sizeof(uint64_t));
        if (count > 0)
            buffer_append_format(text, "sa_contextd_codes_total{code=\"%s\"} %" PRIu64 "\n",
                                 ipsec_status_name((enum ipsec_status)code), count);
    }
}

static void
render_latencies(const struct metrics_source *source, struct buffer *text)
{
    static const char name[] = "sa_contextd_request_duration_seconds";

    render_head(text, name, "histogram", "Time from the end of a request's headers to its answer.");
    for (size_t operation = 0; operation <= api_operation_count(); operation++) {
        uint64_t cumulative = 0;
        uint64_t counts[METRICS_LATENCIES];
        uint64_t total = 0;

        for (size_t i = 0; i < METRICS_LATENCIES; i++) {
            counts[i] = sum(source, offsetof(struct metrics, latencies) +
                                        (operation * METRICS_LATENCIES + i) * sizeof(uint64_t));
            total += counts[i];
        }
        if (total == 0)
            continue;
        const char *operation_name = api_operation_name(operation);
        for (size_t i = 0; i < METRICS_LATENCIES - 1; i++) {
            cumulative += counts[i];
            buffer_append_format(text, "%s_bucket{operation=\"%s\",le=\"", name, operation_name);
            render_microseconds(text, UINT64_C(50) << i);
            buffer_append_format(text, "\"} %" PRIu64 "\n", cumulative);
        }
        buffer_append_format(text, "%s_bucket{operation=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name,
                             operation_name, total);
        buffer_append_format(text, "%s_sum{operation=\"%s\"} ", name, operation_name);
        render_microseconds(text, sum(source, offsetof(struct metrics, latency_us_sum) +
                                                  operation * sizeof(uint64_t)));
        buffer_append_format(text, "\n%s_count{operation=\"%s\"} %" PRIu64 "\n", name,
                             operation_name, total);
    }
}

static void
render_connections(const struct metrics_source *source, struct buffer *text)
{
    render_simple(text, "sa_contextd_connections", "gauge", "Connections open now.",
                  source->connections);
    render_simple(text, "sa_contextd_connections_accepted_total", "counter",
                  "Connections accepted.",
                  sum(source, offsetof(struct metrics, connections_accepted)));
    render_head(text, "sa_contextd_handshakes_total", "counter", "TLS handshakes completed.");
    buffer_append_format(text, "sa_contextd_handshakes_total{kind=\"full\"} %" PRIu64 "\n",
                         sum(source, offsetof(struct metrics, handshakes_full)));
    buffer_append_format(text, "sa_contextd_handshakes_total{kind=\"resumed\"} %" PRIu64 "\n",
                         sum(source, offsetof(struct metrics, handshakes_resumed)));
    render_head(text, "sa_contextd_connections_refused_total", "counter",
                "Connections refused or cut, by cause.");
    for (size_t i = 0; i < METRICS_REFUSAL_COUNT; i++)
        buffer_append_format(
            text, "sa_contextd_connections_refused_total{cause=\"%s\"} %" PRIu64 "\n",
            refusal_names[i],
            sum(source, offsetof(struct metrics, refusals) + i * sizeof(uint64_t)));
}

static void
render_engine(const struct metrics_source *source, struct buffer *text)
{
    struct ipsec_engine_figures figures;
    uint64_t cumulative = 0;

    ipsec_engine_read_figures(source->engine, &figures);
    render_simple(text, "sa_contextd_engine_writable", "gauge",
                  "1 while changes can be committed, 0 after a store failure.",
                  figures.writable ? 1 : 0);
    render_simple(text, "sa_contextd_queue_length", "gauge", "Calls waiting for the engine.",
                  figures.queue_length);
    render_simple(text, "sa_contextd_calls_total", "counter", "Calls that the engine ran.",
                  figures.calls);
    render_simple(text, "sa_contextd_calls_abandoned_total", "counter",
                  "Calls dropped because their caller had gone.", figures.calls_abandoned);
    render_simple(text, "sa_contextd_store_errors_total", "counter", "Commits that failed.",
                  figures.commit_failures);
    render_simple(text, "sa_contextd_filters", "gauge", "Filters.", figures.filters);
    render_simple(text, "sa_contextd_filters_unenforced", "gauge",
                  "Filters that the data plane refused, or that the last comparison missed there.",
                  figures.filters_unenforced);
    render_simple(text, "sa_contextd_replay_records", "gauge",
                  "Answers remembered for Idempotency-Key.", figures.replay_records);
    render_sessions(&figures, text);
    render_watchers(&figures, text);
    render_plane(&figures, text);
    render_head(text, "sa_contextd_contexts", "gauge", "SA contexts by state.");
    for (size_t i = 0; i < IPSEC_SA_CONTEXT_STATE_COUNT; i++)
        buffer_append_format(text, "sa_contextd_contexts{state=\"%s\"} %" PRIu64 "\n",
                             state_names[i], figures.contexts_by_state[i]);

    render_head(text, "sa_contextd_batch_size", "histogram", "Calls a batch.");
    for (size_t i = 0; i < IPSEC_BATCH_BUCKETS - 1; i++) {
        cumulative += figures.batch_size_buckets[i];
        buffer_append_format(text, "sa_contextd_batch_size_bucket{le=\"%u\"} %" PRIu64 "\n",
                             1u << i, cumulative);
    }
    cumulative += figures.batch_size_buckets[IPSEC_BATCH_BUCKETS - 1];
    buffer_append_format(text,
                         "sa_contextd_batch_size_bucket{le=\"+Inf\"} %" PRIu64
                         "\nsa_contextd_batch_size_sum %" PRIu64
                         "\nsa_contextd_batch_size_count %" PRIu64 "\n",
                         cumulative, figures.calls, cumulative);

    cumulative = 0;
    render_head(text, "sa_contextd_commit_duration_seconds", "histogram",
                "Time of a durable commit.");
    for (size_t i = 0; i < IPSEC_LATENCY_BUCKETS - 1; i++) {
        cumulative += figures.commit_us_buckets[i];
        buffer_append_text(text, "sa_contextd_commit_duration_seconds_bucket{le=\"");
        render_microseconds(text, UINT64_C(50) << i);
        buffer_append_format(text, "\"} %" PRIu64 "\n", cumulative);
    }
    cumulative += figures.commit_us_buckets[IPSEC_LATENCY_BUCKETS - 1];
    buffer_append_format(text,
                         "sa_contextd_commit_duration_seconds_bucket{le=\"+Inf\"} %" PRIu64
                         "\nsa_contextd_commit_duration_seconds_sum ",
                         cumulative);
    render_microseconds(text, figures.commit_us_sum);
    buffer_append_format(text, "\nsa_contextd_commit_duration_seconds_count %" PRIu64 "\n",
                         cumulative);
}

static void
render_sessions(const struct ipsec_engine_figures *figures, struct buffer *text)
{
    render_head(text, "sa_contextd_sessions", "gauge", "Explicit sessions by state.");
    buffer_append_format(text,
                         "sa_contextd_sessions{state=\"open\"} %" PRIu64
                         "\nsa_contextd_sessions{state=\"aborted\"} %" PRIu64 "\n",
                         figures->sessions, figures->sessions_aborted);
    render_simple(text, "sa_contextd_sessions_cancelled_total", "counter",
                  "Sessions cancelled because nobody used them.", figures->sessions_cancelled);
    render_head(text, "sa_contextd_transactions", "gauge", "Transactions that are open, by kind.");
    buffer_append_format(text,
                         "sa_contextd_transactions{kind=\"readOnly\"} %" PRIu64
                         "\nsa_contextd_transactions{kind=\"readWrite\"} %" PRIu64 "\n",
                         figures->transactions_reading, figures->transactions_writing);
    render_simple(text, "sa_contextd_transactions_begun_total", "counter", "Transactions begun.",
                  figures->transactions_begun);
    render_simple(text, "sa_contextd_transactions_rolled_back_total", "counter",
                  "Transactions rolled back because they were open for too long.",
                  figures->transactions_rolled_back);
    render_simple(text, "sa_contextd_calls_waiting", "gauge",
                  "Calls that wait for another session's transaction.", figures->calls_waiting);
}

static void
render_watchers(const struct ipsec_engine_figures *figures, struct buffer *text)
{
    render_simple(text, "sa_contextd_watchers", "gauge", "Event streams that are open.",
                  figures->subscriptions);
    render_simple(text, "sa_contextd_watchers_dropped_total", "counter",
                  "Event streams ended because their reader fell behind.",
                  figures->subscriptions_dropped);
    render_simple(text, "sa_contextd_events_published_total", "counter", "Changes of SA contexts.",
                  figures->events_published);
}

static void
render_plane(const struct ipsec_engine_figures *figures, struct buffer *text)
{
    const struct ipsec_drift *drift = &figures->drift;

    render_simple(text, "sa_contextd_plane_failures_total", "counter",
                  "Changes that the data plane refused or failed.", figures->plane_failures);
    render_simple(text, "sa_contextd_plane_checks_total", "counter",
                  "Comparisons with the data plane.", figures->plane_checks);
    render_simple(text, "sa_contextd_plane_check_failures_total", "counter",
                  "Comparisons that the data plane did not answer.", figures->plane_check_failures);
    render_simple(text, "sa_contextd_plane_repairs_total", "counter",
                  "Comparisons after which the data plane was mended.", figures->plane_repairs);
    render_simple(text, "sa_contextd_plane_overruns_total", "counter",
                  "Times that ends of SAs were told too fast, after which all were asked for.",
                  figures->plane_overruns);
    render_head(text, "sa_contextd_plane_drift", "gauge",
                "What the last comparison with the data plane found.");
    buffer_append_format(text,
                         "sa_contextd_plane_drift{kind=\"sasMissing\"} %" PRIu64
                         "\nsa_contextd_plane_drift{kind=\"sasLeftOver\"} %" PRIu64
                         "\nsa_contextd_plane_drift{kind=\"policiesMissing\"} %" PRIu64
                         "\nsa_contextd_plane_drift{kind=\"policiesLeftOver\"} %" PRIu64
                         "\nsa_contextd_plane_drift{kind=\"foreign\"} %" PRIu64 "\n",
                         drift->sas_missing, drift->sas_left_over, drift->policies_missing,
                         drift->policies_left_over, drift->foreign);
    if (strcmp(figures->plane_name, "xfrm") == 0)
        render_kernel_counters(text);
}

/* /proc/net/xfrm_stat of the network namespace that the process works in: a name and a number a
 * line. */
static void
render_kernel_counters(struct buffer *text)
{
    FILE *file = fopen("/proc/thread-self/net/xfrm_stat", "re");
    char line[128];

    if (file == NULL)
        return;
    render_head(text, "sa_contextd_xfrm_stat_total", "counter",
                "The kernel's own counters of packets that IPsec dropped.");
    while (fgets(line, sizeof line, file) != NULL) {
        size_t name_size = strcspn(line, " \t");

        buffer_append_format(text, "sa_contextd_xfrm_stat_total{counter=\"%.*s\"} %llu\n",
                             (int)name_size, line, strtoull(line + name_size, NULL, 10));
    }
    (void)fclose(file);
}

/* Names and meanings are those of Prometheus' client libraries. */
static void
render_process(const struct metrics_source *source, struct buffer *text)
{
    struct process_figures figures;

    process_figures_read(&figures);
    render_head(text, "process_cpu_seconds_total", "counter",
                "Total user and system CPU time spent in seconds.");
    buffer_append_text(text, "process_cpu_seconds_total ");
    render_microseconds(text, figures.cpu_us);
    buffer_append_char(text, '\n');
    if (figures.has_memory) {
        render_simple(text, "process_resident_memory_bytes", "gauge",
                      "Resident memory size in bytes.", figures.resident_bytes);
        render_simple(text, "process_virtual_memory_bytes", "gauge",
                      "Virtual memory size in bytes.", figures.virtual_bytes);
    }
    if (figures.has_descriptors)
        render_simple(text, "process_open_fds", "gauge", "Number of open file descriptors.",
                      figures.open_descriptors);
    if (figures.max_descriptors != UINT64_MAX)
        render_simple(text, "process_max_fds", "gauge", "Maximum number of open file descriptors.",
                      figures.max_descriptors);
    render_head(text, "process_start_time_seconds", "gauge",
                "Start time of the process since unix epoch in seconds.");
    buffer_append_format(text, "process_start_time_seconds %" PRId64 ".%03" PRId64 "\n",
                         source->started_ms / 1000, source->started_ms % 1000);
}

static void
render_service(const struct metrics_source *source, struct buffer *text)
{
    struct security *security = security_holder_get(source->security);

    render_head(text, "sa_contextd_build_info", "gauge", "1, with the version as a label.");
    buffer_append_format(text, "sa_contextd_build_info{version=\"%s\"} 1\n", source->version);
    render_expiry(text, "sa_contextd_server_certificate_expiry_seconds",
                  "When the server certificate ends, seconds since 1970.",
                  security->certificate.until_ms);
    render_expiry(text, "sa_contextd_client_ca_expiry_seconds",
                  "When the first CA of the client CA bundle ends, seconds since 1970.",
                  auth_trust_times(security->trust)->authorities_until_ms);
    render_expiry(
        text, "sa_contextd_client_crl_expiry_seconds",
        "When the first of these CAs is without a current CRL and its clients are refused, "
        "seconds since 1970.",
        auth_trust_times(security->trust)->crls_until_ms);
    security_unref(security);
    render_head(text, "sa_contextd_reloads_total", "counter", "Reloads by result.");
    buffer_append_format(text,
                         "sa_contextd_reloads_total{result=\"taken\"} %" PRIu64
                         "\nsa_contextd_reloads_total{result=\"refused\"} %" PRIu64 "\n",
                         source->reloads, source->reload_failures);
    render_simple(text, "sa_contextd_audit_write_errors_total", "counter",
                  "Audit writes that failed.", audit_failures(source->audit));
}

/* What never ends is not there. */
static void
render_expiry(struct buffer *text, const char *name, const char *help, int64_t wall_ms)
{
    if (wall_ms == INT64_MAX)
        return;
    render_head(text, name, "gauge", help);
    buffer_append_format(text, "%s %" PRId64 "\n", name, wall_ms / 1000);
}

static void
render_head(struct buffer *text, const char *name, const char *type, const char *help)
{
    buffer_append_format(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
render_simple(
    struct buffer *text, const char *name, const char *type, const char *help, uint64_t value)
{
    render_head(text, name, type, help);
    buffer_append_format(text, "%s %" PRIu64 "\n", name, value);
}

static void
render_microseconds(struct buffer *text, uint64_t us)
{
    buffer_append_format(text, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
}
