/* SPDX-License-Identifier: Apache-2.0
 *
 * wfp.h: what the conformance suite of WFP's calls stands on: an engine with the store "memory" and
 * the data plane "none", calls as sentences, and cases that are rows of tables.
 *
 * A test_wfp_*.c program is one section of the specification.  Each row is a case of its own, whose
 * name says which call meets what and is answered how. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/engine.h"

/* The calls, under the names of WFP. */
enum wfp_operation {
    WFP_CREATE = 0,
    WFP_DELETE_BY_ID,
    WFP_GET_SPI,
    WFP_SET_SPI,
    WFP_ADD_INBOUND,
    WFP_ADD_OUTBOUND,
    WFP_UPDATE,
    WFP_EXPIRE,
    WFP_ROTATE,
    WFP_GET_BY_ID,
    WFP_ENUM,
    WFP_GET_STATISTICS,
    WFP_FILTER_ADD,
    WFP_FILTER_DELETE,
    WFP_FILTER_GET,
    WFP_FILTER_ENUM,
    WFP_ENGINE_OPEN,
    WFP_ENGINE_CLOSE,
    WFP_SESSION_GET,
    WFP_TRANSACTION_BEGIN,
    WFP_TRANSACTION_COMMIT,
    WFP_TRANSACTION_ABORT,
    WFP_SUBSCRIBE,
    WFP_SUBSCRIPTIONS_GET,
    WFP_CONTEXT_ADD,
    WFP_CONTEXT_DELETE,
    WFP_CONTEXT_GET,
    WFP_CONTEXT_ENUM,
    WFP_TUNNEL_ADD,
    WFP_TUNNEL_DELETE,
    WFP_TUNNEL_GET,
    WFP_SECURITY_GET,
    WFP_SECURITY_SET,
    WFP_BUILTIN_DELETE,
    WFP_RECONCILE,
    WFP_OPERATION_COUNT
};
const char *wfp_name(enum wfp_operation operation);

/* Inputs are borrowed; which are read depends on the operation. */
struct wfp_call {
    struct ipsec_call base;
    enum wfp_operation operation;
    uint64_t id;
    uint32_t spi;
    bool read_only;
    struct ipsec_guid key;
    const struct ipsec_traffic *traffic;
    const struct ipsec_sa_context_options *options; /* with a create; null: none */
    const struct ipsec_sa_bundle_input *bundle;
    const struct ipsec_sa_context_update *update;
    const struct ipsec_sa_context_template *match; /* null: all */
    const struct ipsec_filter *filter;
    const struct ipsec_session_record *session;
    const struct ipsec_provider_context *provider_context;
    const struct ipsec_tunnel *tunnel;
    const struct ipsec_subscription_options *watch; /* null: all, from now on */
    struct ipsec_completion *watcher;               /* whom a subscription wakes */
    enum ipsec_container container;                 /* whose security descriptor */
    const char *text;                               /* the new one; null: the operator's again */
    enum ipsec_builtin_kind kind;                   /* of what 'key' names */
    uint64_t after;                                 /* a page begins behind it */
    size_t limit;                                   /* of a page; 0: 100 */
    /* Outputs. */
    uint64_t id_out;
    uint64_t inbound_filter_id;
    uint32_t spi_out;
    size_t count;
    uint64_t next; /* where the next page begins; 0: nowhere */
    struct ipsec_guid key_out;
    struct ipsec_sa_context context; /* with references, see wfp_clear() */
    struct ipsec_session_record session_out;
    struct ipsec_statistics statistics;
    const struct ipsec_filter *filter_out; /* a reference */
    struct ipsec_tunnel_made tunnel_out;
    struct ipsec_subscription *subscription; /* to be ended by the caller */
    char *text_out;                          /* to be freed by the caller */
};
void wfp_clear(struct wfp_call *call);
/* What holds as long as no call has set a security descriptor. */
#define WFP_OPERATORS_DESCRIPTOR "{\"dacl\":[]}"

/* An engine, who calls it, and in which session. */
struct wfp {
    struct ipsec_engine *engine;
    const char *principal;
    struct ipsec_rights rights;
    struct ipsec_guid session;
    bool in_session;
    struct ipsec_fault fault; /* of the last call that failed */
    /* What wfp_furnish() made. */
    uint64_t outbound_filter;
    uint64_t inbound_filter;
    uint64_t contexts[IPSEC_SA_CONTEXT_STATE_COUNT]; /* one in each state up to EXPIRING */
};

/* Options for wfp_open(); the defaults have no time-outs. */
struct ipsec_engine_options wfp_options(void);
void wfp_open(struct wfp *wfp, const struct ipsec_engine_options *options);
void wfp_close(struct wfp *wfp);
/* As cmocka's set-up and tear-down: '*state' is a 'struct wfp *', furnished. */
int wfp_setup(void **state);
int wfp_teardown(void **state);

/* Makes it the call of the caller that 'wfp' has, for those who submit it themselves. */
void wfp_prepare(const struct wfp *wfp, struct wfp_call *call);
/* Runs the call as the caller that 'wfp' has. */
enum ipsec_status wfp_run(struct wfp *wfp, struct wfp_call *call);
/* The same, with nothing else to give or to get. */
enum ipsec_status wfp_call(struct wfp *wfp, enum wfp_operation operation, uint64_t id);

/* Sessions.  An explicit one is entered: the calls that follow run in it. */
enum wfp_session_kind { WFP_STATIC = 0, WFP_DYNAMIC };
struct ipsec_guid wfp_enter(struct wfp *wfp, enum wfp_session_kind kind);
void wfp_leave(struct wfp *wfp); /* back to implicit sessions; it stays open */
enum ipsec_status wfp_begin(struct wfp *wfp, bool read_only);
enum ipsec_status wfp_commit(struct wfp *wfp);
enum ipsec_status wfp_abort(struct wfp *wfp);

/* A quick-mode tunnel policy from 192.0.2.1 to 198.51.100.7 with one proposal. */
struct ipsec_provider_context wfp_tunnel_policy(void);
struct ipsec_traffic wfp_tunnel_traffic(uint64_t tunnel_policy_id);
uint64_t wfp_add_context(struct wfp *wfp, const struct ipsec_provider_context *provider_context);

/* The usual things: traffic 192.0.2.1 to 198.51.100.7 under the furnished filters. */
void wfp_furnish(struct wfp *wfp);
struct ipsec_traffic wfp_traffic(const struct wfp *wfp);
struct ipsec_address wfp_address(const char *text);
struct ipsec_filter wfp_filter(enum ipsec_layer layer);
uint64_t wfp_add_filter(struct wfp *wfp, const struct ipsec_filter *filter);
enum ipsec_status wfp_create(struct wfp *wfp, const struct ipsec_traffic *traffic, uint64_t *id);
uint64_t wfp_new_context(struct wfp *wfp, enum ipsec_sa_context_state state);
/* The state of a context, or IPSEC_SA_CONTEXT_STATE_COUNT when there is none of that id. */
enum ipsec_sa_context_state wfp_state(struct wfp *wfp, uint64_t id);
uint32_t wfp_spi(struct wfp *wfp, uint64_t id);

/* One SA of AES-GCM-128 with a key of the bytes 'fill', fill + 1, ….  To be cleared. */
struct ipsec_sa_bundle_input wfp_bundle(uint32_t spi, uint8_t fill);
void wfp_set_key(struct secret *key, size_t size, uint8_t fill);
void wfp_clear_bundle(struct ipsec_sa_bundle_input *bundle);
enum ipsec_status wfp_add_inbound(struct wfp *wfp, uint64_t id, uint8_t fill);
enum ipsec_status wfp_add_outbound(struct wfp *wfp, uint64_t id, uint8_t fill);

/* --- Cases that are rows ---------------------------------------------------------------------- */

/* The cases of a program, gathered from its tables.  'run' gets the row as '*state'. */
struct wfp_suite {
    struct CMUnitTest *cases;
    size_t count;
};
PRINTF_FORMAT(4, 5)
void
wfp_case(struct wfp_suite *suite, CMUnitTestFunction run, const void *row, const char *name, ...);
/* A case that stands alone, on what wfp_setup() furnishes. */
void wfp_sentence(struct wfp_suite *suite, CMUnitTestFunction run, const char *name);
/* Runs them and frees the suite. */
int wfp_run_suite(struct wfp_suite *suite, const char *name);

/* Status as its name, so that a failure can be read. */
#define WFP_ASSERT(status, expected)                                                               \
    assert_string_equal(ipsec_status_name(status), ipsec_status_name(expected))
