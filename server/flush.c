/* SPDX-License-Identifier: Apache-2.0
 *
 * flush.c: see flush.h. */
#include "server/flush.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/log.h"
#include "server/engine_setup.h"
#include "server/harden.h"
#include "server/netns.h"
#include "server/options.h"
#include "server/problem.h"

enum { EXIT_USAGE = 2 };

static enum ipsec_status become_service(const struct options *options, struct ipsec_fault *fault);

static void add_hint(const struct options *options, struct ipsec_fault *fault);

int
flush_run(const struct options *options)
{
    struct engine_setup setup;
    struct ipsec_fault fault = { 0 };
    enum ipsec_status status = become_service(options, &fault);

    engine_setup_fill(&setup, options);
    if (status == IPSEC_OK)
        status = ipsec_engine_flush_plane(&setup.options, &fault);
    if (status == IPSEC_OK)
        return EXIT_SUCCESS;
    add_hint(options, &fault);
    problem_log(LOG_LEVEL_ERROR, "cannot flush", &fault);
    return status == IPSEC_INVALID_PARAMETER ? EXIT_USAGE : EXIT_FAILURE;
}

/* Where and as whom the service runs: the files that the store may need are to be its own.  Which
 * plane there is to flush only the store knows. */
static enum ipsec_status
become_service(const struct options *options, struct ipsec_fault *fault)
{
    enum ipsec_status status = harden_process(fault);

    if (status == IPSEC_OK && options->netns[0] != '\0')
        status = netns_enter(options->netns, fault);
    if (status == IPSEC_OK)
        status = harden_privileges(options->user, true, fault);
    return status;
}

/* Root without its capabilities may not read what is of the service's user. */
static void
add_hint(const struct options *options, struct ipsec_fault *fault)
{
    size_t length = strlen(fault->detail);

    if (fault->status == IPSEC_RPC_ACCESS_DENIED && strcmp(fault->pointer, "store") == 0 &&
        options->user[0] == '\0')
        (void)snprintf(fault->detail + length, sizeof fault->detail - length,
                       " (if it is of the service's user, name that with --user)");
}
