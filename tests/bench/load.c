/* SPDX-License-Identifier: Apache-2.0
 *
 * load.c: an HTTPS load generator with client certificates: options, phases, report.
 *
 * Opens all connections, warms up, measures, then prints one JSON line on stdout and one for people
 * on stderr.  Exit status 0, 1 when anything failed or was answered unexpectedly, 2 for bad usage.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sys/resource.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tests/bench/keep.h"
#include "tests/bench/worker.h"

enum { THREADS_MAX = 64, CONNECTIONS_MAX = 20000, HEADERS_MAX = 16, CONNECT_SECONDS = 20 };

struct options {
    const char *url;
    const char *ca;
    const char *certificate;
    const char *key;
    const char *method;
    const char *body;
    const char *before;
    const char *after;
    const char *keep; /* a member of the answers, to 'keep_file' */
    const char *keep_file;
    const char *kept; /* the file of an earlier run */
    const char *headers[HEADERS_MAX];
    size_t header_count;
    double connections;
    double threads;
    double seconds;
    double warm_up;
    double requests;
    double first;
    double spread;
    double items;
    double requests_per_connection;
    double expected_status;
    double server_pid;
    clockid_t server_clock; /* CPU time of 'server_pid' */
    bool resume;
};

/* The url, cut. */
struct target {
    char host[256];
    char authority[300];
    char port[6];
    char path[1024];
};

struct measurement {
    double seconds;
    double server_cpu_us;
    double client_cpu_us;
};

static void parse_options(int argc, char **argv, struct options *options);
static double parse_number(const char *name, const char *text);
static void parse_url(const char *url, struct target *target);
static void resolve(const struct target *target, struct load_plan *plan);
static void prepare_kept(const struct options *options, struct load_plan *plan);
static SSL_CTX *open_tls(const struct options *options, const struct target *target);
static const char *
configure_tls(SSL_CTX *tls, const struct options *options, const struct target *target);
static char *format_head(const struct options *options, const struct target *target);
static int run_load(const struct options *options, const struct load_plan *plan);
static bool await_connections(struct load_run *run);
static void measure(const struct options *options, struct load_run *run, struct measurement *out);
static double cpu_us(clockid_t clock);
static void pause_seconds(double seconds);
static void report(const struct load_plan *plan,
                   const struct load_tally *tally,
                   const struct measurement *measurement);
static void print_statuses(const struct load_tally *tally);
static double percentile_us(const struct histogram *histogram, double percent);
static void raise_descriptor_limit(void);
static void print_usage(FILE *stream);
static _Noreturn void usage(const char *problem, const char *detail);
static _Noreturn void die_of_memory(void);

int
main(int argc, char **argv)
{
    struct options options = { .method = "GET",
                               .before = "",
                               .after = "",
                               .items = 1,
                               .connections = 1,
                               .threads = 1,
                               .seconds = 5,
                               .warm_up = 1 };
    struct target target;
    struct load_plan plan = { 0 };

    parse_options(argc, argv, &options);
    parse_url(options.url, &target);
    raise_descriptor_limit();
    (void)signal(SIGPIPE, SIG_IGN);
    resolve(&target, &plan);
    plan.tls = open_tls(&options, &target);
    plan.connections = (size_t)options.connections;
    plan.threads = (size_t)options.threads;
    plan.first = (uint64_t)options.first;
    plan.spread = (uint64_t)options.spread;
    plan.requests = (uint64_t)options.requests;
    plan.requests_per_connection = (uint64_t)options.requests_per_connection;
    plan.expected_status = (int)options.expected_status;
    plan.resume = options.resume;
    plan.has_body = options.body != NULL;
    plan.before = options.before;
    plan.after = options.after;
    plan.items = (uint64_t)options.items;

    char *head = format_head(&options, &target);
    if (!template_parse(head, &plan.head) ||
        !template_parse(plan.has_body ? options.body : "", &plan.body))
        usage("too many placeholders", NULL);
    prepare_kept(&options, &plan);

    int status = run_load(&options, &plan);
    if (plan.keep != NULL && !keep_write(options.keep_file, plan.keep, (size_t)plan.requests)) {
        perror(options.keep_file);
        status = 1;
    }
    free(plan.kept);
    free(plan.keep);
    SSL_CTX_free(plan.tls);
    free(head);
    return status;
}

static void
parse_options(int argc, char **argv, struct options *options)
{
    /* clang-format off */
    const struct {
        const char *name;
        const char **text;
        double *number;
        double minimum, maximum;
    } rows[] = {
        { "url",                     &options->url,         NULL, 0, 0 },
        { "ca",                      &options->ca,          NULL, 0, 0 },
        { "cert",                    &options->certificate, NULL, 0, 0 },
        { "key",                     &options->key,         NULL, 0, 0 },
        { "method",                  &options->method,      NULL, 0, 0 },
        { "body",                    &options->body,        NULL, 0, 0 },
        { "before",                  &options->before,      NULL, 0, 0 },
        { "after",                   &options->after,       NULL, 0, 0 },
        { "keep",                    &options->keep,        NULL, 0, 0 },
        { "keep-file",               &options->keep_file,   NULL, 0, 0 },
        { "kept",                    &options->kept,        NULL, 0, 0 },
        { "connections",             NULL, &options->connections,             1, CONNECTIONS_MAX },
        { "threads",                 NULL, &options->threads,                 1, THREADS_MAX },
        { "seconds",                 NULL, &options->seconds,                 0.01, 86400 },
        { "warm-up",                 NULL, &options->warm_up,                 0, 86400 },
        { "requests",                NULL, &options->requests,                0, 1e12 },
        { "first",                   NULL, &options->first,                   0, 1e12 },
        { "spread",                  NULL, &options->spread,                  0, 1e12 },
        { "items",                   NULL, &options->items,                   1, 100000 },
        { "requests-per-connection", NULL, &options->requests_per_connection, 0, 1e12 },
        { "expect",                  NULL, &options->expected_status,         200, 599 },
        { "server-pid",              NULL, &options->server_pid,              1, 1 << 30 },
    };
    /* clang-format on */
    enum { ROWS = sizeof rows / sizeof *rows, HEADER = ROWS, RESUME, HELP };
    struct option names[ROWS + 4] = { { 0 } };

    for (int i = 0; i < ROWS; i++)
        names[i] = (struct option){ rows[i].name, required_argument, NULL, i };
    names[HEADER] = (struct option){ "header", required_argument, NULL, HEADER };
    names[RESUME] = (struct option){ "resume", no_argument, NULL, RESUME };
    names[HELP] = (struct option){ "help", no_argument, NULL, HELP };

    for (int i; (i = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (i == '?')
            usage(NULL, NULL);
        if (i == HELP) {
            print_usage(stdout);
            exit(0);
        }
        if (i == RESUME) {
            options->resume = true;
        } else if (i == HEADER) {
            if (options->header_count == HEADERS_MAX)
                usage("too many headers", optarg);
            options->headers[options->header_count++] = optarg;
        } else if (rows[i].text != NULL) {
            *rows[i].text = optarg;
        } else {
            double number = parse_number(rows[i].name, optarg);
            if (number < rows[i].minimum || number > rows[i].maximum)
                usage("out of range", rows[i].name);
            *rows[i].number = number;
        }
    }
    if (optind != argc)
        usage("unexpected argument", argv[optind]);
    if (options->url == NULL || options->ca == NULL)
        usage("--url and --ca are needed", NULL);
    if (options->server_pid > 0 &&
        clock_getcpuclockid((pid_t)options->server_pid, &options->server_clock) != 0)
        usage("no process has this id", "server-pid");
    if (options->threads > options->connections)
        usage("more threads than connections", NULL);
}

static double
parse_number(const char *name, const char *text)
{
    char *end;
    double number = strtod(text, &end);

    if (end == text || *end != '\0' || !isfinite(number))
        usage("not a number", name);
    return number;
}

/* https://HOST:PORT/PATH, HOST also in brackets. */
static void
parse_url(const char *url, struct target *target)
{
    int used = 0;

    *target = (struct target){ .path = "/" };
    if (sscanf(url, "https://[%255[0-9a-fA-F:.]]:%5[0-9]%n", target->host, target->port, &used) ==
        2)
        (void)snprintf(target->authority, sizeof target->authority, "[%s]:%s", target->host,
                       target->port);
    else if (sscanf(url, "https://%255[^][:/]:%5[0-9]%n", target->host, target->port, &used) == 2)
        (void)snprintf(target->authority, sizeof target->authority, "%s:%s", target->host,
                       target->port);
    else
        usage("not https://HOST:PORT/PATH", url);

    const char *path = url + used;
    if (*path != '\0' && (*path != '/' || strlen(path) >= sizeof target->path))
        usage("not https://HOST:PORT/PATH", url);
    if (*path != '\0')
        (void)snprintf(target->path, sizeof target->path, "%s", path);
}

static void
resolve(const struct target *target, struct load_plan *plan)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *found;
    int error = getaddrinfo(target->host, target->port, &hints, &found);

    if (error != 0)
        usage(gai_strerror(error), target->host);
    memcpy(&plan->address, found->ai_addr, found->ai_addrlen);
    plan->address_size = found->ai_addrlen;
    freeaddrinfo(found);
}

/* Both go by the requests' numbers, so these must be known: so many, in order, each its own. */
static void
prepare_kept(const struct options *options, struct load_plan *plan)
{
    bool is_exact =
        plan->requests > 0 && plan->spread == 0 && plan->items == 1 && options->warm_up == 0;
    bool uses_kept = plan->head.has_kept || plan->body.has_kept;

    if ((options->keep == NULL) != (options->keep_file == NULL))
        usage("--keep and --keep-file go together", NULL);
    if (uses_kept != (options->kept != NULL))
        usage("--kept and {kept} go together", NULL);
    if ((options->keep != NULL || uses_kept) && !is_exact)
        usage("keeping takes --requests, --warm-up 0, no --spread and one item", NULL);
    if (options->keep != NULL) {
        plan->keep_name = options->keep;
        plan->keep = calloc((size_t)plan->requests, sizeof *plan->keep);
        if (plan->keep == NULL)
            die_of_memory();
    }
    if (uses_kept) {
        size_t count = 0;

        plan->kept = keep_read(options->kept, &count);
        if (plan->kept == NULL)
            usage("not a file of numbers", options->kept);
        if (count < plan->requests)
            usage("has fewer numbers than there are requests", options->kept);
    }
}

static SSL_CTX *
open_tls(const struct options *options, const struct target *target)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    const char *refused = tls == NULL ? "TLS" : configure_tls(tls, options, target);

    if (refused != NULL) {
        (void)fprintf(stderr, "load: %s\n", refused);
        ERR_print_errors_fp(stderr);
        SSL_CTX_free(tls);
        exit(1);
    }
    return tls;
}

/* Null, or what could not be used. */
static const char *
configure_tls(SSL_CTX *tls, const struct options *options, const struct target *target)
{
    if (SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1)
        return "TLS 1.3";
    if (SSL_CTX_load_verify_locations(tls, options->ca, NULL) != 1)
        return options->ca;
    if (options->certificate != NULL &&
        SSL_CTX_use_certificate_chain_file(tls, options->certificate) != 1)
        return options->certificate;
    if (options->key != NULL &&
        SSL_CTX_use_PrivateKey_file(tls, options->key, SSL_FILETYPE_PEM) != 1)
        return options->key;

    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(tls);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, target->host) != 1 &&
        X509_VERIFY_PARAM_set1_host(param, target->host, 0) != 1)
        return target->host;
    ERR_clear_error();
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE);
    /* One read(2) a record instead of one for its header and one for the rest. */
    SSL_CTX_set_read_ahead(tls, 1);
    if (options->resume) {
        (void)SSL_CTX_set_session_cache_mode(tls,
                                             SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(tls, worker_keep_session);
    } else {
        (void)SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    }
    return NULL;
}

static char *
format_head(const struct options *options, const struct target *target)
{
    size_t size = 0;
    char *head = NULL;
    FILE *stream = open_memstream(&head, &size);

    if (stream == NULL)
        die_of_memory();
    (void)fprintf(stream, "%s %s HTTP/1.1\r\nHost: %s\r\n", options->method, target->path,
                  target->authority);
    for (size_t i = 0; i < options->header_count; i++)
        (void)fprintf(stream, "%s\r\n", options->headers[i]);
    if (options->body != NULL)
        (void)fputs("Content-Type: application/json\r\nContent-Length: ", stream);
    else
        (void)fputs("\r\n", stream);
    if (fclose(stream) != 0)
        die_of_memory();
    return head;
}

static int
run_load(const struct options *options, const struct load_plan *plan)
{
    static struct load_tally tally;
    struct load_run run = { .plan = plan };
    struct worker *workers[THREADS_MAX];
    struct measurement measurement = { 0 };

    for (size_t i = 0; i < plan->threads; i++) {
        workers[i] = worker_start(&run, i);
        if (workers[i] == NULL)
            return 1;
    }
    if (await_connections(&run))
        measure(options, &run, &measurement);
    atomic_store(&run.phase, LOAD_STOP);
    for (size_t i = 0; i < plan->threads; i++)
        worker_join(workers[i], &tally);

    report(plan, &tally, &measurement);
    if (plan->head.has_address || plan->body.has_address) {
        if (tally.next * plan->items > TEMPLATE_ADDRESSES) {
            (void)fprintf(stderr, "load: addresses have repeated: more than 2^24 were used\n");
            return 1;
        }
    }
    return tally.answers > 0 && tally.errors == 0 && tally.unexpected == 0 ? 0 : 1;
}

static bool
await_connections(struct load_run *run)
{
    uint64_t deadline_ns = load_now_ns() + CONNECT_SECONDS * UINT64_C(1000000000);

    while (atomic_load(&run->ready) < run->plan->threads) {
        if (atomic_load(&run->finished) > 0 || load_now_ns() > deadline_ns) {
            (void)fprintf(stderr, "load: the connections could not all be opened\n");
            return false;
        }
        pause_seconds(0.001);
    }
    return true;
}

static void
measure(const struct options *options, struct load_run *run, struct measurement *out)
{
    if (options->warm_up > 0) {
        atomic_store(&run->phase, LOAD_WARM_UP);
        pause_seconds(options->warm_up);
    }

    double server_cpu_us = cpu_us(options->server_clock);
    double client_cpu_us = cpu_us(CLOCK_PROCESS_CPUTIME_ID);
    uint64_t start_ns = load_now_ns();
    atomic_store(&run->phase, LOAD_MEASURE);
    if (run->plan->requests == 0)
        pause_seconds(options->seconds);
    else
        while (atomic_load(&run->finished) < run->plan->threads)
            pause_seconds(0.0002);
    atomic_store(&run->phase, LOAD_STOP);
    out->seconds = (double)(load_now_ns() - start_ns) / 1e9;
    out->client_cpu_us = cpu_us(CLOCK_PROCESS_CPUTIME_ID) - client_cpu_us;
    /* The clock of a server that has ended reads zero. */
    double server_cpu_now_us = cpu_us(options->server_clock);
    if (options->server_pid > 0 && server_cpu_now_us > server_cpu_us)
        out->server_cpu_us = server_cpu_now_us - server_cpu_us;
}

static double
cpu_us(clockid_t clock)
{
    struct timespec used = { 0 };

    (void)clock_gettime(clock, &used);
    return (double)used.tv_sec * 1e6 + (double)used.tv_nsec / 1e3;
}

static void
pause_seconds(double seconds)
{
    struct timespec left = { .tv_sec = (time_t)seconds,
                             .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9) };

    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

static void
report(const struct load_plan *plan,
       const struct load_tally *tally,
       const struct measurement *measurement)
{
    double seconds = measurement->seconds > 0 ? measurement->seconds : 1;
    double answers = tally->answers > 0 ? (double)tally->answers : 1;
    double rate = (double)tally->answers / seconds;
    double handshake_rate = (double)tally->handshake.total / seconds;
    const struct histogram *latency = &tally->latency;

    (void)printf("{\"connections\":%zu,\"threads\":%zu,\"seconds\":%.4f,\"requests\":%llu,"
                 "\"requestsPerSecond\":%.1f,",
                 plan->connections, plan->threads, measurement->seconds,
                 (unsigned long long)tally->answers, rate);
    (void)printf("\"meanUs\":%.1f,\"p50Us\":%.1f,\"p90Us\":%.1f,\"p99Us\":%.1f,\"p999Us\":%.1f,"
                 "\"maxUs\":%.1f,",
                 (double)histogram_mean_ns(latency) / 1e3, percentile_us(latency, 50),
                 percentile_us(latency, 90), percentile_us(latency, 99),
                 percentile_us(latency, 99.9), (double)latency->max_ns / 1e3);
    print_statuses(tally);
    (void)printf("\"unexpected\":%llu,\"errors\":%llu,\"fullHandshakes\":%llu,"
                 "\"resumedHandshakes\":%llu,\"handshakesPerSecond\":%.1f,\"handshakeP50Us\":%.1f,"
                 "\"handshakeP99Us\":%.1f,",
                 (unsigned long long)tally->unexpected, (unsigned long long)tally->errors,
                 (unsigned long long)tally->full_handshakes,
                 (unsigned long long)tally->resumed_handshakes, handshake_rate,
                 percentile_us(&tally->handshake, 50), percentile_us(&tally->handshake, 99));
    (void)printf("\"serverCpuUs\":%.2f,\"clientCpuUs\":%.2f,\"next\":%llu,\"tls\":\"%s\"}\n",
                 measurement->server_cpu_us / answers, measurement->client_cpu_us / answers,
                 (unsigned long long)tally->next, tally->cipher);

    (void)fprintf(stderr,
                  "%zu connections: %.0f requests/s, latency p50 %.0f p90 %.0f p99 %.0f p99.9 %.0f "
                  "max %.0f us, CPU us/request server %.1f client %.1f, %.0f handshakes/s, "
                  "%llu unexpected, %llu errors%s%s\n",
                  plan->connections, rate, percentile_us(latency, 50), percentile_us(latency, 90),
                  percentile_us(latency, 99), percentile_us(latency, 99.9),
                  (double)latency->max_ns / 1e3, measurement->server_cpu_us / answers,
                  measurement->client_cpu_us / answers, handshake_rate,
                  (unsigned long long)tally->unexpected, (unsigned long long)tally->errors,
                  tally->errors > 0 ? ": " : "", tally->first_error);
}

static void
print_statuses(const struct load_tally *tally)
{
    const char *separator = "";

    (void)printf("\"statuses\":{");
    for (int i = 0; i < LOAD_STATUSES; i++) {
        if (tally->statuses[i] > 0) {
            (void)printf("%s\"%d\":%llu", separator, i, (unsigned long long)tally->statuses[i]);
            separator = ",";
        }
    }
    (void)printf("},");
}

static double
percentile_us(const struct histogram *histogram, double percent)
{
    return (double)histogram_percentile_ns(histogram, percent) / 1e3;
}

static void
raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void
usage(const char *problem, const char *detail)
{
    if (problem != NULL)
        (void)fprintf(stderr, "load: %s%s%s\n", problem, detail != NULL ? ": " : "",
                      detail ? detail : "");
    print_usage(stderr);
    exit(2);
}

static void
print_usage(FILE *stream)
{
    (void)fputs(
        "usage: load --url https://HOST:PORT/PATH --ca FILE [--cert FILE --key FILE]\n"
        "  --method GET --body TEXT --header 'NAME: VALUE'   {i}, {addr}, {key} differ by request\n"
        "  --items 1                   so many bodies in one, each with its own number and commas\n"
        "                              between them, --before TEXT and --after TEXT around them\n"
        "  --keep NAME --keep-file FILE  a line for each request: that number of its answer\n"
        "  --kept FILE                 such a file of an earlier run of the same numbers: {kept}\n"
        "  --connections 1 --threads 1\n"
        "  --warm-up 1 --seconds 5     or --requests N, an exact number\n"
        "  --first 0                   number of the first request\n"
        "  --spread N                  numbers are N from the first on, again and again, out of "
        "order\n"
        "  --requests-per-connection 0 then a new connection; --resume offers its ticket\n"
        "  --expect STATUS             else any 2xx\n"
        "  --server-pid PID            whose CPU time is reported\n",
        stream);
}

static void
die_of_memory(void)
{
    perror("load");
    exit(1);
}
