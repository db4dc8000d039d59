/* SPDX-License-Identifier: Apache-2.0
 *
 * resource.h: what operations take and give, as structs, and the field tables that are their JSON.
 *
 * Inputs and queries are decoded by a worker and read by the handler; outputs are filled by the
 * handler and encoded by the worker.  Texts of outputs are borrowed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/codec.h"
#include "api/cursor.h"
#include "auth/identity.h"
#include "engine/base/access.h"
#include "engine/engine.h"
#include "engine/types.h"

enum { LIST_LIMIT_DEFAULT = 100, LIST_LIMIT_MAXIMUM = 1000 };

/* --- SA contexts ------------------------------------------------------------------------------ */

struct sa_context_created {
    uint64_t id;
    uint64_t inbound_filter_id;
};

struct sa_context_query {
    uint32_t limit;
    char cursor[CURSOR_TEXT_SIZE];
    uint64_t after; /* of the cursor */
    struct ipsec_sa_context_template match;
};

struct sa_context_list {
    struct ipsec_sa_context_page page;
    char next_cursor[CURSOR_TEXT_SIZE];
};

/* What a cursor of the list stands for besides its place. */
struct cursor_scope sa_context_query_scope(const struct sa_context_query *query);

extern const struct codec_object codec_traffic;            /* struct ipsec_traffic */
extern const struct codec_object codec_sa_context;         /* struct ipsec_sa_context */
extern const struct codec_object codec_sa_context_created; /* struct sa_context_created */
extern const struct codec_object codec_sa_context_query;   /* struct sa_context_query */
extern const struct codec_object codec_sa_context_list;    /* struct sa_context_list */

/* --- Filters ---------------------------------------------------------------------------------- */

struct filter_created {
    uint64_t id;
    struct ipsec_guid key;
};

/* A filter that the reply shares with the engine: 'filter' is a shallow copy of '*reference'. */
struct filter_reply {
    struct ipsec_filter filter;
    const struct ipsec_filter *reference;
};

struct filter_query {
    uint32_t limit;
    char cursor[CURSOR_TEXT_SIZE];
    uint64_t after;
    uint8_t layer; /* enum ipsec_layer */
    bool layer_given;
};

struct filter_list {
    struct ipsec_filter_page page;
    char next_cursor[CURSOR_TEXT_SIZE];
};

struct cursor_scope filter_query_scope(const struct filter_query *query);

extern const struct codec_object codec_new_filter;     /* struct ipsec_filter, from callers */
extern const struct codec_object codec_filter;         /* struct ipsec_filter, to callers */
extern const struct codec_object codec_filter_created; /* struct filter_created */
extern const struct codec_object codec_filter_query;   /* struct filter_query */
extern const struct codec_object codec_filter_list;    /* struct filter_list */

/* --- The service ------------------------------------------------------------------------------ */

struct service_index {
    const char *service;
    const char *version;
};

struct whoami {
    const struct auth_identity *identity;
    const char *principal;
    char fingerprint[65];
    int64_t not_before_ms;
    int64_t not_after_ms;
    struct ipsec_rights rights;
};

/* One row of the error catalogue. */
struct error_entry {
    const char *code;
    char value[11];
    const char *title;
    uint16_t http_status;
    uint16_t body_status; /* 0: the same */
    uint16_t path_status; /* 0: the same */
    bool retryable;
    const char *may_have_executed; /* null: known from the status */
    char ntstatus[11];             /* "": none */
    const char *returned_when;
};

struct error_list {
    struct error_entry *entries;
    size_t entry_count;
};

extern const struct codec_object codec_index;       /* struct service_index */
extern const struct codec_object codec_whoami;      /* struct whoami */
extern const struct codec_object codec_error_entry; /* struct error_entry */
extern const struct codec_object codec_error_list;  /* struct error_list */

/* --- Problems --------------------------------------------------------------------------------- */

/* RFC 9457, and the members this service adds. */
struct problem {
    char type[64]; /* "/errors/" and the code */
    const char *title;
    uint16_t http_status;
    const char *code;
    char value[11];
    const char *detail;  /* null: none */
    const char *pointer; /* null: none */
    bool retryable;
    const char *request_id;
};

extern const struct codec_object codec_problem; /* struct problem */
