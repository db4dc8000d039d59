/* SPDX-License-Identifier: Apache-2.0
 *
 * audit.h: one JSON line for each decision and each change.
 *
 * Lines are appended to a buffer and written with one write(2) a batch, before the answers they
 * speak of are sent.  Every text is escaped; no key material ever reaches here. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/buffer.h"
#include "engine/base/status.h"

struct audit; /* The log's file.  Safe to share. */

/* 'destination': "stderr", "off" or a path (created 0600, appended to). */
NODISCARD enum ipsec_status
audit_open(const char *destination, struct ipsec_fault *fault, struct audit **audit_out);
/* Whether that would work; creates nothing. */
NODISCARD enum ipsec_status audit_check(const char *destination, struct ipsec_fault *fault);
void audit_close(struct audit *audit);
/* Opens the path anew (log rotation); keeps the old file when that fails. */
NODISCARD enum ipsec_status audit_reopen(struct audit *audit, struct ipsec_fault *fault);
bool audit_enabled(const struct audit *audit);

struct audit_record {
    int64_t time_ms; /* wall clock */
    const char *request_id;
    const char *trace_id;    /* null: none */
    const char *peer;        /* "192.0.2.7:40312" */
    const char *principal;   /* null: none presented */
    const char *fingerprint; /* null likewise */
    const char *method;
    const char *path;
    uint64_t object_id;    /* 0: none */
    const char *container; /* null: no right was needed */
    uint32_t right;
    bool granted; /* was the right there? */
    int http_status;
    enum ipsec_status status;
    bool replayed; /* a repeat answered from the record */
    bool dry_run;  /* nothing was to be changed */
    int64_t duration_us;
    uint64_t left_out; /* lines on strangers before this one, see line_budget.h */
};
void audit_append(struct buffer *lines, const struct audit_record *record);

/* A certificate that was not taken, before there was any request. */
struct audit_refusal {
    int64_t time_ms;
    const char *peer;
    const char *principal;   /* null: it never was good */
    const char *subject;     /* what the certificate says, null: there was none to read */
    const char *fingerprint; /* null likewise */
    const char *reason;
    const char *detail; /* null: nothing beyond the reason */
    uint64_t left_out;
};
void audit_append_refusal(struct buffer *lines, const struct audit_refusal *refusal);

/* Writes whole lines; a failure is reported once a minute in the log and counted. */
void audit_write(struct audit *audit, struct buffer *lines);
uint64_t audit_failures(const struct audit *audit);
