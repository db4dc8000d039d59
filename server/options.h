/* SPDX-License-Identifier: Apache-2.0
 *
 * options.h: every option is one row: name, type, default, range, help.
 *
 * The same name is a flag ("--idle-timeout-seconds 75"), a member of the configuration file
 * ({"idle-timeout-seconds": 75}) and, in capitals with underscores, a variable of the environment
 * (SA_CONTEXTD_IDLE_TIMEOUT_SECONDS=75).  Flag wins over environment over file over default. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"

enum { OPTIONS_TEXTS = 64 };

struct options {
    const char *listen;
    const char *tls_cert;
    const char *tls_key;
    const char *client_ca;
    const char *client_crl; /* "" : none */
    const char *access;
    const char *store;
    const char *plane;
    const char *netns;
    const char *on_shutdown;
    uint32_t plane_instance;
    const char *ops_listen;
    const char *log_level;
    const char *log_format;
    const char *audit_log;
    const char *user; /* "" : stay */
    bool allow_weak_transforms;
    bool reset_security;
    uint32_t workers; /* 0: number of cores */
    uint32_t queue_depth;
    uint32_t max_batch;
    uint32_t max_contexts;
    uint32_t larval_timeout_seconds; /* 0: never */
    uint32_t spi_minimum;
    uint32_t spi_maximum;
    uint32_t spi_quarantine_seconds;
    uint32_t max_sessions;
    uint32_t max_sessions_per_principal;
    uint32_t session_idle_seconds;
    uint32_t txn_wait_ms;
    uint32_t txn_hold_seconds;
    uint32_t max_replay_records;
    uint32_t max_watchers;
    uint32_t kept_events;
    uint32_t event_heartbeat_seconds;
    uint32_t max_connections;
    uint32_t max_connections_per_address;
    uint32_t max_connections_per_principal;
    uint32_t max_body_bytes;
    uint32_t max_batch_body_bytes;
    uint32_t idle_timeout_seconds;
    uint32_t header_timeout_seconds;
    uint32_t body_timeout_seconds;
    uint32_t drain_seconds;

    /* What was asked for instead of serving. */
    bool check;
    bool flush;
    bool help;
    bool version;
    bool healthcheck;
    const char *config; /* the file read, "" : none */

    /* All that was wrong; 'pointer' is the option's name. */
    struct ipsec_fault *problems;
    size_t problem_count;
    bool is_bad;
    bool has_unread_file;         /* of what it sets nothing is known */
    bool stand_in[OPTIONS_TEXTS]; /* by row, see options_is_stand_in() */

    char *owned[OPTIONS_TEXTS]; /* texts of the file */
};

/* Reads the command line, the environment and the file that either names, to the end.  False:
 * 'problems' has one sentence for everything that was wrong, which names the option and where it
 * was set.  Required options are not asked for with --help, --version, --healthcheck and
 * --flush. */
NODISCARD bool options_read(int argc, char *const *argv, struct options *options);
/* Whether a problem told of that option, and its default (of a required one: "") stands in. */
bool options_is_stand_in(const struct options *options, const char *name);
void options_clear(struct options *options);

/* The help text with every row. */
void options_print_help(FILE *stream);
