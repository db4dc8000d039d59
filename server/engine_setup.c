/* SPDX-License-Identifier: Apache-2.0
 *
 * engine_setup.c: see engine_setup.h. */
#include "server/engine_setup.h"

#include <stdio.h>
#include <string.h>

#include "server/options.h"

enum { PROBE_INTERVAL_MS = 1000, ABANDONED_AFTER_MS = 100 };

void
engine_setup_fill(struct engine_setup *setup, const struct options *options)
{
    (void)snprintf(setup->plane, sizeof setup->plane,
                   engine_setup_needs_net_admin(options) ? "%s:instance=%u" : "%s", options->plane,
                   options->plane_instance);
    setup->options = (struct ipsec_engine_options){
        .store_uri = options->store,
        .queue_depth = options->queue_depth,
        .max_batch = options->max_batch,
        .plane_uri = setup->plane,
        .plane_netns = options->netns,
        .flush_on_close = strcmp(options->on_shutdown, "flush") == 0,
        .max_contexts = options->max_contexts,
        .max_sessions = options->max_sessions,
        .max_sessions_per_principal = options->max_sessions_per_principal,
        .session_idle_ms = options->session_idle_seconds * 1000,
        .txn_wait_ms = options->txn_wait_ms,
        .txn_hold_ms = options->txn_hold_seconds * 1000,
        .larval_timeout_ms = options->larval_timeout_seconds * 1000,
        .quarantine_ms = options->spi_quarantine_seconds * 1000,
        .spi_minimum = options->spi_minimum,
        .spi_maximum = options->spi_maximum,
        .allow_weak_transforms = options->allow_weak_transforms,
        .max_replay_records = options->max_replay_records,
        .kept_events = options->kept_events,
        .max_watchers = options->max_watchers,
        .probe_interval_ms = PROBE_INTERVAL_MS,
        .abandoned_after_ms = ABANDONED_AFTER_MS,
    };
}

bool
engine_setup_needs_net_admin(const struct options *options)
{
    return strcmp(options->plane, "xfrm") == 0;
}
