/* SPDX-License-Identifier: Apache-2.0
 *
 * problem.c: see problem.h. */
#include "api/problem.h"

#include <stdio.h>

#include "api/resource.h"

/* FWP_E_* values and their kernel-mode twins (ntstatus.h) share the low word. */
#define FWP_FACILITY 0x80320000u
#define FWP_NTSTATUS 0xC0220000u

int
problem_http_status(enum ipsec_status status, enum ipsec_fault_place place)
{
    const struct problem_row *row = &problem_rows[status];
    uint16_t special = 0;

    if (place == IPSEC_FAULT_BODY || place == IPSEC_FAULT_QUERY)
        special = row->body_status;
    else if (place == IPSEC_FAULT_PATH)
        special = row->path_status;
    return special != 0 ? special : row->http_status;
}

void
problem_encode(const struct ipsec_fault *fault,
               int http_status,
               const char *request_id,
               struct buffer *out)
{
    struct codec_encoder encoder = { .out = out };
    struct problem problem = {
        .title = ipsec_status_text(fault->status),
        .http_status = (uint16_t)http_status,
        .code = ipsec_status_name(fault->status),
        .detail = fault->detail[0] == '\0' ? NULL : fault->detail,
        .pointer = fault->pointer[0] == '\0' ? NULL : fault->pointer,
        .retryable = problem_rows[fault->status].retryable,
        .oldest_sequence = fault->oldest_sequence,
        .request_id = request_id,
    };

    (void)snprintf(problem.type, sizeof problem.type, "/errors/%s", problem.code);
    (void)snprintf(problem.value, sizeof problem.value, "0x%08X",
                   ipsec_status_value(fault->status));
    codec_encode(&encoder, request_id == NULL ? &codec_problem_of_item : &codec_problem, &problem);
}

void
problem_print(const struct ipsec_fault *fault,
              int http_status,
              const char *request_id,
              char *text,
              size_t size)
{
    const char *code = ipsec_status_name(fault->status);

    /* None of these has a character that JSON would escape. */
    (void)snprintf(text, size,
                   "{\"type\":\"/errors/%s\",\"title\":\"%s\",\"status\":%d,\"code\":\"%s\","
                   "\"value\":\"0x%08X\",\"retryable\":%s,\"requestId\":\"%s\"}",
                   code, ipsec_status_text(fault->status), http_status, code,
                   ipsec_status_value(fault->status),
                   problem_rows[fault->status].retryable ? "true" : "false", request_id);
}

enum ipsec_status
problem_status_of_http(int http_status)
{
    for (int i = IPSEC_HTTP_BAD_REQUEST; i < IPSEC_STATUS_COUNT; i++) {
        if (problem_rows[i].http_status == http_status)
            return (enum ipsec_status)i;
    }
    return http_status < 500 ? IPSEC_HTTP_BAD_REQUEST : IPSEC_HTTP_SERVER_ERROR;
}

void
problem_describe(enum ipsec_status status, struct error_entry *entry_out)
{
    static const char *const executions[] = {
        [PROBLEM_EXECUTION_UNSAID] = NULL,
        [PROBLEM_NOT_EXECUTED] = "no",
        [PROBLEM_MAYBE_EXECUTED] = "maybe",
        [PROBLEM_EXECUTED] = "yes",
    };
    const struct problem_row *row = &problem_rows[status];
    uint32_t value = ipsec_status_value(status);

    *entry_out = (struct error_entry){
        .code = ipsec_status_name(status),
        .title = ipsec_status_text(status),
        .http_status = row->http_status,
        .body_status = row->body_status,
        .path_status = row->path_status,
        .retryable = row->retryable,
        .may_have_executed = executions[row->execution],
        .returned_when = row->when,
    };
    (void)snprintf(entry_out->value, sizeof entry_out->value, "0x%08X", value);
    if ((value & 0xffff0000u) == FWP_FACILITY)
        (void)snprintf(entry_out->ntstatus, sizeof entry_out->ntstatus, "0x%08X",
                       FWP_NTSTATUS | (value & 0xffffu));
}
