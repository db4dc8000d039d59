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
#include "api/page.h"
#include "auth/descriptor.h"
#include "auth/identity.h"
#include "engine/base/access.h"
#include "engine/engine.h"
#include "engine/types.h"

/* --- SA contexts ------------------------------------------------------------------------------ */

struct sa_context_created {
    uint64_t id;
    uint64_t inbound_filter_id;
    uint32_t spi;
    uint8_t state; /* enum ipsec_sa_context_state */
};

/* A bundle that may be there. */
struct optional_sa_bundle {
    struct ipsec_sa_bundle_input input;
    bool given;
};

struct new_sa_context {
    struct ipsec_traffic traffic;
    struct ipsec_labels labels;
    bool labels_given;
    uint64_t inbound_filter_id;
    uint32_t spi;
    bool get_spi;
    struct optional_sa_bundle inbound;
    struct optional_sa_bundle outbound;
};

enum { BATCH_ITEMS_MAXIMUM = 1000 };

struct new_sa_contexts {
    struct new_sa_context *items;
    size_t item_count;
    bool atomic;
    bool atomic_given;
};

/* One result: what was created, or why not. */
struct sa_context_result {
    struct sa_context_created created;
    struct ipsec_fault *fault; /* owned; null: created */
};

struct sa_context_results {
    struct sa_context_result *results;
    size_t result_count;
};

struct spi_request {
    struct ipsec_traffic traffic;
    uint32_t spi;
};

struct spi_reply {
    uint32_t spi;
};

struct sa_rotation {
    struct ipsec_sa_bundle_input inbound;
    struct optional_sa_bundle outbound;
    uint64_t inbound_filter_id;
    uint32_t spi;
};

/* Labels are part of it: what the update points to. */
struct sa_context_patch {
    struct ipsec_sa_context_update update;
    struct ipsec_labels labels;
};

struct sa_context_query {
    struct page_query page;
    struct ipsec_sa_context_template match;
    char label[4096]; /* no target is longer */
    char label_texts[4096];
    struct ipsec_labels labels; /* of 'label_texts'; 'match' points to them */
};

struct sa_context_list {
    struct ipsec_sa_context_page page;
    char next_cursor[CURSOR_TEXT_SIZE];
};

/* What a cursor of the list stands for besides its place. */
struct cursor_scope sa_context_query_scope(const struct sa_context_query *query);

extern const struct codec_object codec_traffic;            /* struct ipsec_traffic */
extern const struct codec_object codec_new_sa_context;     /* struct new_sa_context */
extern const struct codec_object codec_new_sa_contexts;    /* struct new_sa_contexts */
extern const struct codec_object codec_sa_context_results; /* struct sa_context_results */
extern const struct codec_object codec_spi_request;        /* struct spi_request, for GetSpi */
extern const struct codec_object codec_spi_assignment;     /* struct spi_request, for SetSpi */
extern const struct codec_object codec_spi_reply;          /* struct spi_reply */
extern const struct codec_object codec_sa_rotation;        /* struct sa_rotation */
extern const struct codec_object codec_sa_context_patch;   /* struct sa_context_patch */
extern const struct codec_object codec_lifetime;           /* struct ipsec_lifetime */
extern const struct codec_object codec_udp_encapsulation;  /* struct ipsec_udp_encapsulation */
extern const struct codec_object codec_ipsec_id;           /* struct ipsec_id */
extern const struct codec_custom codec_bundle_id;          /* of a struct ipsec_sa_bundle */
extern const struct codec_object codec_key_module_state; /* struct ipsec_sa_bundle, a part of it */
extern const struct codec_object codec_sa_bundle;        /* struct ipsec_sa_bundle */
extern const struct codec_object codec_sa_bundle_input;  /* struct ipsec_sa_bundle_input */
extern const struct codec_custom codec_private_address;  /* in a struct ipsec_sa_bundle */
extern const struct codec_custom codec_key_module;       /* in a struct ipsec_sa_bundle */
extern const struct codec_object codec_statistics;       /* struct ipsec_statistics */
extern const struct codec_object codec_sa_context;       /* struct ipsec_sa_context */
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
    struct page_query page;
    uint8_t layer; /* enum ipsec_layer */
    bool layer_given;
    struct ipsec_guid key;
    bool key_given;
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

/* --- What is built in ------------------------------------------------------------------------- */

struct builtin_list {
    const struct ipsec_builtin *objects; /* borrowed, for ever */
    size_t count;
};

/* struct ipsec_builtin and struct builtin_list */
extern const struct codec_object codec_provider;
extern const struct codec_object codec_provider_list;
extern const struct codec_object codec_layer;
extern const struct codec_object codec_layer_list;
extern const struct codec_object codec_sub_layer;
extern const struct codec_object codec_sub_layer_list;
extern const struct codec_object codec_callout;
extern const struct codec_object codec_callout_list;

/* --- Provider contexts ------------------------------------------------------------------------ */

struct new_provider_context {
    struct ipsec_provider_context context; /* first, see codec_provider_context.c */
    bool transport_given;
    bool tunnel_given;
    bool policy_given;
};

struct provider_context_created {
    uint64_t id;
    struct ipsec_guid key;
};

/* As struct filter_reply. */
struct provider_context_reply {
    struct ipsec_provider_context context;
    const struct ipsec_provider_context *reference;
};

struct provider_context_query {
    struct page_query page;
    uint8_t type; /* enum ipsec_provider_context_type */
    bool type_given;
    struct ipsec_guid key;
    bool key_given;
};

struct provider_context_list {
    struct ipsec_provider_context_page page;
    char next_cursor[CURSOR_TEXT_SIZE];
};

struct cursor_scope provider_context_query_scope(const struct provider_context_query *query);

extern const struct codec_object codec_new_provider_context; /* struct new_provider_context */
extern const struct codec_object codec_provider_context;     /* struct ipsec_provider_context */
extern const struct codec_object
    codec_provider_context_created;                            /* struct provider_context_created */
extern const struct codec_object codec_provider_context_query; /* struct provider_context_query */
extern const struct codec_object codec_provider_context_list;  /* struct provider_context_list */

/* --- Tunnels ---------------------------------------------------------------------------------- */

struct new_tunnel {
    struct new_provider_context tunnel_policy;
    struct new_provider_context main_mode_policy;
    bool main_mode_policy_given;
    uint32_t flags;
    uint8_t ip_version; /* of what runs inside */
    uint8_t condition_count;
    struct ipsec_condition conditions[IPSEC_CONDITION_FIELD_COUNT];
};

struct tunnel_query {
    struct page_query page;
};
struct tunnel_list {
    struct ipsec_tunnel_page page;
    char next_cursor[CURSOR_TEXT_SIZE];
};
struct cursor_scope tunnel_query_scope(void);

extern const struct codec_object codec_tunnel_query; /* struct tunnel_query */
extern const struct codec_object codec_tunnel_list;  /* struct tunnel_list */
extern const struct codec_object codec_new_tunnel;   /* struct new_tunnel */
extern const struct codec_object codec_tunnel;       /* struct ipsec_tunnel_made */

/* --- Sessions --------------------------------------------------------------------------------- */

struct begin_transaction {
    uint8_t flags; /* 0x1 read-only */
};

struct session_query {
    struct page_query page;
};

struct session_list {
    struct ipsec_session_page page;
    char next_cursor[CURSOR_TEXT_SIZE];
};

struct cursor_scope session_query_scope(void);

extern const struct codec_object codec_new_session;       /* struct ipsec_session_record */
extern const struct codec_object codec_session;           /* struct ipsec_session_record */
extern const struct codec_object codec_session_query;     /* struct session_query */
extern const struct codec_object codec_session_list;      /* struct session_list */
extern const struct codec_object codec_begin_transaction; /* struct begin_transaction */

/* --- Watching --------------------------------------------------------------------------------- */

struct watch_query {
    struct ipsec_subscription_options options;
};

struct sa_context_watch {
    struct ipsec_subscription *subscription;
};

extern const struct codec_object codec_watch_query;       /* struct watch_query */
extern const struct codec_object codec_sa_context_change; /* struct ipsec_event */
extern const struct codec_object codec_subscription_list; /* struct ipsec_subscription_page */
/* --- Security descriptors --------------------------------------------------------------------- */

struct security_reply {
    struct descriptor descriptor; /* first: the codec's object */
    uint64_t revision;
};

extern const struct codec_object codec_security_descriptor; /* struct descriptor */

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

/* --- The data plane ----------------------------------------------------------------------------
 */

#define CAPABILITIES_MAXIMUM 32
struct capability_list {
    const char *plane;
    struct ipsec_capability items[CAPABILITIES_MAXIMUM];
    size_t count;
};

struct drift_report {
    struct ipsec_drift drift;
    struct ipsec_drift_names names;
};

extern const struct codec_object codec_capability_list;  /* struct capability_list */
extern const struct codec_object codec_drift;            /* struct drift_report */
extern const struct codec_object codec_sa_context_usage; /* struct ipsec_sa_context_usage */

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
    uint64_t oldest_sequence; /* 0: none */
    const char *request_id;
};

extern const struct codec_object codec_problem;         /* struct problem */
extern const struct codec_object codec_problem_of_item; /* the same without a request id */

/* --- What all writes have --------------------------------------------------------------------- */

extern const struct codec_object codec_write_options; /* struct api_write_options, of the query */
