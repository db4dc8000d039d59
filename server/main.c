/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c: options -> sockets -> privileges -> certificates -> engine -> workers -> wait for signals
 * -> stop in reverse order. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/json_memory.h"
#include "auth/audit.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "server/address_limits.h"
#include "server/check.h"
#include "server/engine_setup.h"
#include "server/flush.h"
#include "server/harden.h"
#include "server/healthcheck.h"
#include "server/listen.h"
#include "server/netns.h"
#include "server/notify.h"
#include "server/ops.h"
#include "server/option_rules.h"
#include "server/options.h"
#include "server/principal_limits.h"
#include "server/problem.h"
#include "server/security.h"
#include "server/stored_descriptors.h"
#include "server/wiping.h"
#include "server/worker.h"

enum { EXIT_USAGE = 2, WORKERS_MAX = 256, HANDSHAKES_PER_ADDRESS_MAX = 512 };

/* Everything that has to be ended again, in the order of its making. */
struct daemon {
    struct options options;
    struct worker_common common;
    struct ops_source ops_source;
    struct ops *ops;
    int listen_fds[WORKERS_MAX];
    int ops_fd;
    size_t worker_count;
    struct worker *workers[WORKERS_MAX];
    struct stored_descriptors descriptors;
};

static int serve(struct daemon *daemon);
static void block_signals(sigset_t *signals_out);
static int prepare(struct daemon *daemon, struct security **security_out);
static enum ipsec_status become_service(struct daemon *daemon, struct ipsec_fault *fault);
static enum ipsec_status
open_service(struct daemon *daemon, struct security *security_take, struct ipsec_fault *fault);
static void close_service(struct daemon *daemon);
static void close_sockets(struct daemon *daemon);
static enum ipsec_status open_limits(struct daemon *daemon, struct ipsec_fault *fault);
static enum ipsec_status open_sockets(struct daemon *daemon, struct ipsec_fault *fault);
static enum ipsec_status open_audit(struct worker_common *common, struct ipsec_fault *fault);
static enum ipsec_status open_engine(struct daemon *daemon, struct ipsec_fault *fault);
static struct access_policy *current_policy(void *holder);
static enum ipsec_status start_workers(struct daemon *daemon, struct ipsec_fault *fault);
static void wait_for_signals(struct daemon *daemon, const sigset_t *signals);
static void reload(struct daemon *daemon);
static bool drain(struct daemon *daemon);
static void configure_log(const struct options *options);
static void warn_of_security(const struct security *security, const struct options *options);
static problem_sink refuse;
static int exit_code_of(enum ipsec_status status);
static int complain(const struct ipsec_fault *fault, int exit_code);

int
main(int argc, char **argv)
{
    struct daemon *daemon = calloc(1, sizeof *daemon);
    int exit_code;

    if (daemon == NULL)
        return EXIT_FAILURE;
    wiping_install();
    json_memory_install();
    daemon->ops_fd = -1;
    bool is_good = options_read(argc, argv, &daemon->options);
    if (!is_good && !daemon->options.check) {
        configure_log(&daemon->options);
        for (size_t i = 0; i < daemon->options.problem_count; i++)
            refuse(NULL, &daemon->options.problems[i]);
        exit_code = EXIT_USAGE;
    } else if (daemon->options.help) {
        options_print_help(stdout);
        exit_code = EXIT_SUCCESS;
    } else if (daemon->options.version) {
        puts("sa-contextd " SAC_VERSION);
        exit_code = EXIT_SUCCESS;
    } else if (daemon->options.healthcheck) {
        exit_code = healthcheck_run(daemon->options.ops_listen);
    } else if (daemon->options.check) {
        configure_log(&daemon->options);
        exit_code = check_run(&daemon->options) ? EXIT_SUCCESS : EXIT_USAGE;
        if (exit_code == EXIT_SUCCESS)
            log_info("configuration is good", LOG_TEXT("version", SAC_VERSION));
    } else if (daemon->options.flush) {
        configure_log(&daemon->options);
        exit_code = flush_run(&daemon->options);
    } else {
        configure_log(&daemon->options);
        harden_binding(argv);
        exit_code = serve(daemon);
    }
    options_clear(&daemon->options);
    free(daemon);
    return exit_code;
}

static int
serve(struct daemon *daemon)
{
    struct security *security = NULL;
    struct ipsec_fault fault = { 0 };
    sigset_t signals;

    if (!option_rules_hold(&daemon->options, refuse, NULL))
        return EXIT_USAGE;
    block_signals(&signals);
    daemon->common.options = &daemon->options;
    int exit_code = prepare(daemon, &security);
    if (exit_code != EXIT_SUCCESS) {
        close_sockets(daemon);
        return exit_code;
    }

    enum ipsec_status status = open_service(daemon, security, &fault);
    if (status != IPSEC_OK) {
        exit_code = complain(&fault, exit_code_of(status));
    } else {
        notify_manager("READY=1");
        wait_for_signals(daemon, &signals);
        notify_manager("STOPPING=1");
    }
    if (!drain(daemon)) {
        log_error("calls were still in flight at the end, leaving without them",
                  LOG_NUMBER("drainSeconds", daemon->options.drain_seconds));
        _exit(EXIT_FAILURE); /* threads go on: nothing may be freed under them */
    }
    close_service(daemon);
    if (exit_code == EXIT_SUCCESS)
        log_info("stopped", LOG_TEXT("version", SAC_VERSION));
    return exit_code;
}

/* Before the first thread starts, so that only sigwaitinfo() sees them. */
static void
block_signals(sigset_t *signals_out)
{
    (void)sigemptyset(signals_out);
    (void)sigaddset(signals_out, SIGTERM);
    (void)sigaddset(signals_out, SIGINT);
    (void)sigaddset(signals_out, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, signals_out, NULL);
}

/* All that needs no thread: rights, sockets, files.  Returns the exit code if it is to end. */
static int
prepare(struct daemon *daemon, struct security **security_out)
{
    struct ipsec_fault fault = { 0 };
    struct security *security = NULL;
    enum ipsec_status status = become_service(daemon, &fault);

    if (status != IPSEC_OK)
        return complain(&fault, exit_code_of(status));
    status = security_load(&daemon->options, &fault, &security);
    if (status == IPSEC_OK)
        warn_of_security(security, &daemon->options);
    if (status == IPSEC_OK)
        status = open_audit(&daemon->common, &fault);
    if (status != IPSEC_OK) {
        security_unref(security);
        return complain(&fault, EXIT_USAGE);
    }
    *security_out = security;
    return EXIT_SUCCESS;
}

/* What takes rights, and then without them. */
static enum ipsec_status
become_service(struct daemon *daemon, struct ipsec_fault *fault)
{
    const struct options *options = &daemon->options;
    enum ipsec_status status = harden_process(fault);

    if (status == IPSEC_OK)
        status = open_sockets(daemon, fault);
    if (status == IPSEC_OK && options->netns[0] != '\0')
        status = netns_enter(options->netns, fault);
    if (status == IPSEC_OK)
        status = harden_privileges(options->user, engine_setup_needs_net_admin(options), fault);
    return status;
}

/* After a failure, too, close_service() ends what was begun. */
static enum ipsec_status
open_service(struct daemon *daemon, struct security *security_take, struct ipsec_fault *fault)
{
    enum ipsec_status status = security_holder_open(security_take, &daemon->common.holder, fault);

    if (status == IPSEC_OK)
        status = open_engine(daemon, fault);
    /* The engine's thread has what it needs; nobody else talks to the kernel's IPsec. */
    if (status == IPSEC_OK)
        status = harden_thread(fault);
    if (status == IPSEC_OK)
        status = harden_system_calls(engine_setup_needs_net_admin(&daemon->options), fault);
    /* In any case: the end clears them.  The first failure is the one told. */
    enum ipsec_status limited = open_limits(daemon, status == IPSEC_OK ? fault : NULL);
    if (status == IPSEC_OK)
        status = limited;
    return status == IPSEC_OK ? start_workers(daemon, fault) : status;
}

/* After drain(). */
static void
close_service(struct daemon *daemon)
{
    struct worker_common *common = &daemon->common;

    ops_stop(daemon->ops);
    ipsec_engine_close(common->engine);
    for (size_t i = 0; i < daemon->worker_count; i++)
        free(daemon->workers[i]);
    address_limits_close(common->limits);
    principal_limits_close(common->principal_limits);
    line_budget_clear(&common->stranger_lines);
    audit_close(common->audit);
    security_holder_close(common->holder);
}

/* Of a daemon that got no further; else workers and the ops listener have them. */
static void
close_sockets(struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->worker_count; i++)
        close(daemon->listen_fds[i]);
    if (daemon->ops_fd >= 0)
        close(daemon->ops_fd);
}

static enum ipsec_status
open_limits(struct daemon *daemon, struct ipsec_fault *fault)
{
    struct worker_common *common = &daemon->common;
    const struct options *options = &daemon->options;
    unsigned int connections =
        harden_descriptor_limit(options->max_connections, daemon->worker_count);
    uint64_t seed;

    random_bytes(&seed, sizeof seed);
    line_budget_init(&common->stranger_lines, seed);
    common->limits = address_limits_open(connections, options->max_connections_per_address,
                                         HANDSHAKES_PER_ADDRESS_MAX);
    common->principal_limits = principal_limits_open(options->max_connections_per_principal);
    if (common->limits != NULL && common->principal_limits != NULL)
        return IPSEC_OK;
    return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                           "no memory");
}

static enum ipsec_status
open_sockets(struct daemon *daemon, struct ipsec_fault *fault)
{
    const struct options *options = &daemon->options;
    size_t count = options->workers;

    if (count == 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        count = cores < 1 ? 1 : cores > WORKERS_MAX ? WORKERS_MAX : (size_t)cores;
    }
    enum ipsec_status status =
        listen_open("listen", options->listen, count, true, daemon->listen_fds, fault);
    if (status != IPSEC_OK)
        return status;
    daemon->worker_count = count;
    if (strcmp(options->ops_listen, "off") != 0)
        status = listen_open("ops-listen", options->ops_listen, 1, false, &daemon->ops_fd, fault);
    return status;
}

static enum ipsec_status
open_audit(struct worker_common *common, struct ipsec_fault *fault)
{
    enum ipsec_status status = audit_open(common->options->audit_log, fault, &common->audit);

    return status == IPSEC_OK ? IPSEC_OK : problem_name_option(fault, "audit-log");
}

static enum ipsec_status
open_engine(struct daemon *daemon, struct ipsec_fault *fault)
{
    const struct options *options = &daemon->options;
    struct engine_setup setup;
    int fds[WORKERS_MAX + 1];
    size_t fd_count = 0;

    /* In another network namespace no filter reaches these sockets. */
    if (options->netns[0] == '\0') {
        for (size_t i = 0; i < daemon->worker_count; i++)
            fds[fd_count++] = daemon->listen_fds[i];
        if (daemon->ops_fd >= 0)
            fds[fd_count++] = daemon->ops_fd;
    }
    engine_setup_fill(&setup, options);
    setup.options.exempt_fds = fds;
    setup.options.exempt_fd_count = fd_count;
    daemon->descriptors = (struct stored_descriptors){
        .holder = daemon->common.holder,
        .resetting = options->reset_security,
    };
    setup.options.security = stored_descriptors_listener(&daemon->descriptors);
    enum ipsec_status status = ipsec_engine_open(&setup.options, fault, &daemon->common.engine);
    daemon->common.service = (struct api_service){
        .engine = daemon->common.engine,
        .max_body_bytes = options->max_body_bytes,
        .max_batch_body_bytes = options->max_batch_body_bytes,
        .event_heartbeat_seconds = options->event_heartbeat_seconds,
        .version = SAC_VERSION,
        .policy = current_policy,
        .policy_context = daemon->common.holder,
    };
    if (status == IPSEC_OK && options->reset_security) {
        status = stored_descriptors_reset(&daemon->descriptors, daemon->common.engine, fault);
        if (status == IPSEC_OK)
            log_warning(
                "security descriptors that callers had set are forgotten, the access file holds",
                LOG_TEXT("access", options->access));
    }
    return status;
}

static struct access_policy *
current_policy(void *holder)
{
    return security_holder_policy(holder);
}

/* Workers and the ops listener take their sockets over. */
static enum ipsec_status
start_workers(struct daemon *daemon, struct ipsec_fault *fault)
{
    enum ipsec_status status = IPSEC_OK;
    char address[LISTEN_TEXT_SIZE];

    for (size_t i = 0; i < daemon->worker_count && status == IPSEC_OK; i++) {
        daemon->workers[i] = calloc(1, sizeof *daemon->workers[i]);
        if (daemon->workers[i] == NULL)
            return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                                   "no memory");
        status = worker_start(daemon->workers[i], &daemon->common, daemon->listen_fds[i], fault);
    }
    if (status != IPSEC_OK)
        return status;
    listen_describe(daemon->listen_fds[0], address);
    log_info("listening", LOG_TEXT("address", address), LOG_NUMBER("workers", daemon->worker_count),
             LOG_TEXT("store", daemon->options.store), LOG_TEXT("plane", daemon->options.plane),
             LOG_TEXT("version", SAC_VERSION));
    if (daemon->ops_fd < 0)
        return IPSEC_OK;

    daemon->ops_source.common = &daemon->common;
    daemon->ops_source.workers = daemon->workers;
    daemon->ops_source.worker_count = daemon->worker_count;
    listen_describe(daemon->ops_fd, address);
    status = ops_start(&daemon->ops_source, daemon->ops_fd, fault, &daemon->ops);
    if (status == IPSEC_OK)
        log_info("listening for operators", LOG_TEXT("address", address));
    return status;
}

static void
wait_for_signals(struct daemon *daemon, const sigset_t *signals)
{
    while (true) {
        int signal_number = sigwaitinfo(signals, NULL);
        if (signal_number == SIGHUP) {
            reload(daemon);
        } else if (signal_number > 0) {
            log_info("draining", LOG_TEXT("signal", signal_number == SIGTERM ? "TERM" : "INT"));
            return;
        }
    }
}

/* Certificates, CRL, access policy and the audit file; a bad one keeps all that was. */
static void
reload(struct daemon *daemon)
{
    struct ipsec_fault fault = { 0 };
    struct security *security = NULL;

    notify_reloading();
    enum ipsec_status status = security_load(&daemon->options, &fault, &security);
    if (status == IPSEC_OK) {
        warn_of_security(security, &daemon->options);
        status = security_holder_swap(daemon->common.holder, security, &fault);
    }
    if (status == IPSEC_OK) {
        for (size_t i = 0; i < daemon->worker_count; i++)
            worker_wake(daemon->workers[i]);
        atomic_fetch_add(&daemon->ops_source.reloads, 1);
        log_info("reloaded", LOG_NUMBER("reloads", atomic_load(&daemon->ops_source.reloads)));
    } else {
        atomic_fetch_add(&daemon->ops_source.reload_failures, 1);
        problem_log(LOG_LEVEL_ERROR,
                    "reload refused, keeping certificates, CRL and access policy as they were",
                    &fault);
    }
    if (audit_reopen(daemon->common.audit, &fault) != IPSEC_OK)
        log_error("audit log not reopened, keeping the old file", LOG_TEXT("reason", fault.detail));
    notify_manager("READY=1");
}

/* Stops accepting, lets what is in flight finish.  True when every worker ended. */
static bool
drain(struct daemon *daemon)
{
    int64_t deadline_ms = clock_monotonic_ms() + (int64_t)daemon->options.drain_seconds * 1000;
    bool clean = true;

    atomic_store(&daemon->common.draining, true);
    ipsec_engine_drain(daemon->common.engine);
    for (size_t i = 0; i < daemon->worker_count; i++) {
        if (daemon->workers[i] != NULL)
            worker_drain(daemon->workers[i], deadline_ms);
    }
    for (size_t i = 0; i < daemon->worker_count; i++) {
        if (daemon->workers[i] != NULL)
            clean = worker_join(daemon->workers[i]) && clean;
    }
    return clean;
}

static void
configure_log(const struct options *options)
{
    static const char *const levels[] = { "error", "warning", "info", "debug" };
    size_t level = 0;

    while (strcmp(options->log_level, levels[level]) != 0)
        level++;
    log_configure((enum log_level)level,
                  strcmp(options->log_format, "json") == 0 ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT);
}

/* Nobody may be able to come in, but what is in the kernel must be looked after all the same. */
static void
warn_of_security(const struct security *security, const struct options *options)
{
    struct ipsec_fault fault = { 0 };

    if (security_check_purpose(security, options, &fault) != IPSEC_OK)
        problem_log(LOG_LEVEL_WARNING, "the certificate is presented all the same", &fault);
    if (security_check_certificate(security, options, &fault) != IPSEC_OK)
        problem_log(LOG_LEVEL_WARNING, "the certificate is presented all the same", &fault);
    if (security_check_authorities(security, options, &fault) != IPSEC_OK)
        problem_log(LOG_LEVEL_WARNING, "the other CAs hold", &fault);
}

static void
refuse(void *unused, const struct ipsec_fault *problem)
{
    (void)unused;
    (void)complain(problem, EXIT_USAGE);
}

/* What the system refuses today it may grant tomorrow; a bad name stays bad. */
static int
exit_code_of(enum ipsec_status status)
{
    return status == IPSEC_INVALID_PARAMETER ? EXIT_USAGE : EXIT_FAILURE;
}

static int
complain(const struct ipsec_fault *fault, int exit_code)
{
    problem_log(LOG_LEVEL_ERROR, "cannot start", fault);
    return exit_code;
}
