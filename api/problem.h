/* SPDX-License-Identifier: Apache-2.0
 *
 * problem.h: engine status to HTTP status and problem body, one table. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/buffer.h"
#include "engine/base/status.h"

struct error_entry;

/* Can the change have happened although the status was returned? */
enum problem_execution {
    PROBLEM_EXECUTION_UNSAID = 0, /* no: the status itself says so */
    PROBLEM_NOT_EXECUTED,
    PROBLEM_MAYBE_EXECUTED,
    PROBLEM_EXECUTED,
};

struct problem_row {
    uint16_t http_status;
    uint16_t body_status; /* when it is about something named in body or query; 0: the same */
    uint16_t path_status; /* when it is about what the path names; 0: the same */
    bool retryable;       /* the identical request can succeed later although nobody changes it */
    enum problem_execution execution;
    const char *when;
};

extern const struct problem_row problem_rows[]; /* by enum ipsec_status */

int problem_http_status(enum ipsec_status status, enum ipsec_fault_place place);

/* Appends the problem (RFC 9457).  'fault' is for 'fault->status'; without 'request_id' it is the
 * problem of a batch's item. */
void problem_encode(const struct ipsec_fault *fault,
                    int http_status,
                    const char *request_id,
                    struct buffer *out);

/* The same without detail and pointer into 'text', which takes no memory: all of it fits in 512
 * bytes. */
void problem_print(const struct ipsec_fault *fault,
                   int http_status,
                   const char *request_id,
                   char *text,
                   size_t size);

/* The status that stands for an error that only HTTP knows. */
enum ipsec_status problem_status_of_http(int http_status);

/* The status' row of the error catalogue; its texts are static. */
void problem_describe(enum ipsec_status status, struct error_entry *entry_out);
