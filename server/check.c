/* SPDX-License-Identifier: Apache-2.0
 *
 * check.c: see check.h. */
#include "server/check.h"

#include <stddef.h>
#include <string.h>

#include "auth/audit.h"
#include "engine/base/log.h"
#include "server/engine_setup.h"
#include "server/harden.h"
#include "server/listen.h"
#include "server/netns.h"
#include "server/option_rules.h"
#include "server/options.h"
#include "server/problem.h"
#include "server/security.h"
#include "server/stored_descriptors.h"

struct check {
    const struct options *options;
    size_t problems;
    struct security_holder *holder; /* null: the files are not good */
};

static problem_sink refuse;
static void tell(struct check *check, const struct ipsec_fault *problem);
static void
judge(struct check *check, const char *option, enum ipsec_status status, struct ipsec_fault *fault);
static void note(const struct check *check, const char *option, const char *detail);
static void check_address(struct check *check, const char *option, const char *address);
static void check_process(struct check *check);
static void check_files(struct check *check);
static void check_store(struct check *check);
static void check_plane(struct check *check);

bool
check_run(const struct options *options)
{
    struct check check = { .options = options };
    struct ipsec_fault fault = { 0 };

    for (size_t i = 0; i < options->problem_count; i++)
        tell(&check, &options->problems[i]);
    if (options->has_unread_file)
        return false;
    judge(&check, NULL, harden_process(&fault), &fault);
    (void)option_rules_hold(options, refuse, &check);
    check_address(&check, "listen", options->listen);
    if (strcmp(options->ops_listen, "off") != 0)
        check_address(&check, "ops-listen", options->ops_listen);
    check_process(&check);
    check_files(&check);
    check_store(&check);
    check_plane(&check);
    judge(&check, NULL, harden_system_calls(engine_setup_needs_net_admin(options), &fault), &fault);
    security_holder_close(check.holder);
    return check.problems == 0 && !options->is_bad;
}

/* Of an option that only stands in, the cause was told. */
static void
refuse(void *context, const struct ipsec_fault *problem)
{
    struct check *check = context;

    if (!options_is_stand_in(check->options, problem->pointer))
        tell(check, problem);
}

static void
tell(struct check *check, const struct ipsec_fault *problem)
{
    check->problems++;
    problem_log(LOG_LEVEL_ERROR, "configuration refused", problem);
}

/* A fault without an option gets this one. */
static void
judge(struct check *check, const char *option, enum ipsec_status status, struct ipsec_fault *fault)
{
    struct ipsec_fault problem = *fault;

    *fault = (struct ipsec_fault){ 0 };
    if (status == IPSEC_OK)
        return;
    problem.status = status;
    if (problem.pointer[0] == '\0' && option != NULL)
        (void)!problem_name_option(&problem, option);
    refuse(check, &problem);
}

static void
note(const struct check *check, const char *option, const char *detail)
{
    if (options_is_stand_in(check->options, option))
        return;
    log_info("checked beside what runs", LOG_TEXT("option", option), LOG_TEXT("detail", detail));
}

static void
check_address(struct check *check, const char *option, const char *address)
{
    struct ipsec_fault fault = { 0 };
    bool is_taken = false;
    enum ipsec_status status = listen_probe(option, address, &is_taken, &fault);

    if (is_taken)
        note(check, option, fault.detail);
    else if (status != IPSEC_INVALID_PARAMETER) /* that it is none, the rules have told */
        judge(check, option, status, &fault);
}

/* What the process becomes before it reads the first file. */
static void
check_process(struct check *check)
{
    const struct options *options = check->options;
    struct ipsec_fault fault = { 0 };

    if (options->netns[0] != '\0')
        judge(check, "netns", netns_enter(options->netns, &fault), &fault);
    judge(check, NULL,
          harden_privileges(options->user, engine_setup_needs_net_admin(options), &fault), &fault);
}

static void
check_files(struct check *check)
{
    const struct options *options = check->options;
    struct ipsec_fault fault = { 0 };
    struct security *security = security_examine(options, refuse, check);

    if (security != NULL) {
        judge(check, NULL, security_check_purpose(security, options, &fault), &fault);
        judge(check, NULL, security_check_certificate(security, options, &fault), &fault);
        if (security_check_authorities(security, options, &fault) != IPSEC_OK)
            problem_log(LOG_LEVEL_WARNING, "configuration to look at", &fault);
        judge(check, NULL, security_holder_open(security, &check->holder, &fault), &fault);
    }
    judge(check, "audit-log", audit_check(options->audit_log, &fault), &fault);
}

static void
check_store(struct check *check)
{
    struct engine_setup setup;
    struct ipsec_fault fault = { 0 };

    engine_setup_fill(&setup, check->options);
    /* Of their range the rules have told. */
    setup.options.spi_minimum = 0;
    setup.options.spi_maximum = 0;
    struct stored_descriptors descriptors = {
        .holder = check->holder,
        .resetting = check->options->reset_security,
        .is_check = true,
    };
    if (check->holder != NULL)
        setup.options.security = stored_descriptors_listener(&descriptors);
    enum ipsec_status status = ipsec_engine_check_store(&setup.options, &fault);
    if (status == IPSEC_RPC_CALL_REJECTED)
        note(check, "store", fault.detail);
    else
        judge(check, "store", status, &fault);
}

static void
check_plane(struct check *check)
{
    struct engine_setup setup;
    struct ipsec_fault fault = { 0 };

    engine_setup_fill(&setup, check->options);
    enum ipsec_status status = ipsec_engine_check_plane(&setup.options, &fault);
    if (status == IPSEC_RPC_CALL_REJECTED)
        note(check, "plane", fault.detail);
    else
        judge(check, "plane", status, &fault);
}
