/* SPDX-License-Identifier: Apache-2.0
 *
 * engine.h: the filter engine, usable as a library with no HTTP in sight.
 *
 * Threads.  One engine thread owns all state: the objects, the store, the data plane.  Other
 * threads hand it calls ('struct ipsec_call') through one bounded queue and get them back through a
 * completion list of their own.  The functions that take a 'struct ipsec_session' run on the engine
 * thread only, that is inside a call's 'run'.  A batch of calls is committed to the store once; a
 * call is given back only after the commit that holds its effect, and reads ride in the same batch,
 * so nobody sees what could still vanish.
 *
 * Errors.  Everything that can fail returns 'enum ipsec_status'; the field and the reason are then
 * in the session's fault.  A call that fails leaves no trace.  Sources: the reference pages of
 * fwpmu.h; where they are silent, the order of checks is: session, right, members, values,
 * references, meaning, state. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/access.h"
#include "engine/base/attributes.h"
#include "engine/base/buffer.h"
#include "engine/base/status.h"
#include "engine/types.h"

struct ipsec_engine;     /* One per process.  Safe to share. */
struct ipsec_session;    /* The caller's handle.  Used on the engine thread only. */
struct ipsec_completion; /* Where finished calls of one thread arrive. */

/* --- The engine ------------------------------------------------------------------------------- */

struct ipsec_engine_options {
    const char *store_uri;       /* "memory:" or "sqlite:PATH" */
    uint32_t queue_depth;        /* calls waiting at most; beyond it submit says so at once */
    uint32_t max_batch;          /* calls a commit */
    uint32_t max_contexts;       /* 0: no limit but memory */
    uint32_t max_replay_records; /* remembered answers at most, see struct ipsec_replay */
    uint32_t probe_interval_ms;  /* read-only after a store failure: time between probe writes */
    uint32_t abandoned_after_ms; /* a call that waited longer is checked for a caller still there */
};

/* Opens the store, loads it and starts the engine thread.  On failure 'fault' says why in one
 * sentence fit for the operator and '*engine_out' is null. */
NODISCARD enum ipsec_status ipsec_engine_open(const struct ipsec_engine_options *options,
                                              struct ipsec_fault *fault,
                                              struct ipsec_engine **engine_out);

/* Finishes what is in the queue, commits, ends the thread, closes the store.  Nobody may submit any
 * more.  Accepts null. */
void ipsec_engine_close(struct ipsec_engine *engine);

/* What metrics and readiness show.  Filled from atomics; may be called from any thread. */
#define IPSEC_BATCH_BUCKETS 14   /* batch sizes up to 1, 2, 4, … 4096, and all */
#define IPSEC_LATENCY_BUCKETS 16 /* commit times up to 50 us, 100 us, 200 us, … and all */
struct ipsec_engine_figures {
    bool writable; /* false: the last commit failed, writes are refused until a probe succeeds */
    enum ipsec_status store_status; /* why it is not writable */
    uint64_t queue_length;
    uint64_t batches;
    uint64_t calls;
    uint64_t calls_abandoned;
    uint64_t commits;
    uint64_t commit_failures;
    uint64_t commit_us_sum;
    uint64_t batch_size_buckets[IPSEC_BATCH_BUCKETS];  /* not cumulative */
    uint64_t commit_us_buckets[IPSEC_LATENCY_BUCKETS]; /* not cumulative */
    uint64_t contexts_by_state[IPSEC_SA_CONTEXT_STATE_COUNT];
    uint64_t filters;
    uint64_t replay_records;
    uint64_t last_luid;
    uint64_t revision;
    char store_name[16]; /* "memory", "sqlite" */
};
void ipsec_engine_read_figures(const struct ipsec_engine *engine,
                               struct ipsec_engine_figures *figures_out);

/* --- Calls ------------------------------------------------------------------------------------ */

/* Who calls.  'principal' is borrowed and must outlive the call; null stands for the process
 * itself (start-up, tests), which is not checked against 'rights' no more than WFP checks
 * kernel-mode callers -- no call from outside may carry null. */
struct ipsec_caller {
    const char *principal; /* "uri:spiffe://example.org/orchestrator/1" */
    struct ipsec_rights rights;
};

/* Makes a call repeatable: the first answer to a key is kept for 24 hours, committed together with
 * the change it answers, and given again instead of running the call a second time.  Only successes
 * are kept: a failure left no trace, so its repeat runs afresh.
 *
 * 'key_digest' covers principal, operation and key; 'request_digest' all of the request.  After a
 * successful run 'encode' appends the answer to 'answer', on the engine thread and before the
 * commit; these bytes are the record and the answer.  On a repeat the engine fills 'answer' from
 * the record and sets 'replayed'; with another 'request_digest' the call fails with
 * IPSEC_HTTP_KEY_REUSED. */
struct ipsec_replay {
    bool wanted;
    bool replayed;
    uint8_t key_digest[32];
    uint8_t request_digest[32];
    struct buffer answer;
};

struct ipsec_call {
    /* Set by the submitter. */
    struct ipsec_caller caller;
    enum ipsec_container container; /* the right that even a replayed answer needs */
    uint32_t right;
    struct ipsec_completion *completion;
    /* The operation.  On failure all its changes are undone. */
    enum ipsec_status (*run)(struct ipsec_call *call, struct ipsec_session *session);
    /* See struct ipsec_replay; null unless 'replay.wanted'. */
    bool (*encode)(struct ipsec_call *call, struct buffer *answer);
    /* May be null: asked of a call that waited long; true drops it (IPSEC_RPC_CALL_CANCELED). */
    bool (*abandoned)(const struct ipsec_call *call);
    struct ipsec_replay replay;
    /* Set by the engine. */
    enum ipsec_status status;
    struct ipsec_fault fault;
    int64_t queued_at_us;
    struct ipsec_call *next;
};

/* A list of finished calls and an eventfd that becomes readable when there are some: one per thread
 * that submits.  Must outlive its calls. */
NODISCARD enum ipsec_status ipsec_completion_open(struct ipsec_completion **completion_out);
void ipsec_completion_close(struct ipsec_completion *completion);
int ipsec_completion_fd(const struct ipsec_completion *completion);
/* Takes all finished calls, in the order they were run, linked by 'next'; null when there are none.
 * Clears the eventfd. */
struct ipsec_call *ipsec_completion_take(struct ipsec_completion *completion);

/* Reserves a place in the queue; false means full: answer RPC_E_CANTTRANSMIT_CALL at once. */
NODISCARD bool ipsec_engine_reserve(struct ipsec_engine *engine);
/* Gives a reserved place back unused. */
void ipsec_engine_unreserve(struct ipsec_engine *engine);
/* Hands over calls linked by 'next', a reserved place each, with one lock and at most one wake-up.
 * They belong to the engine until they come back through their completion. */
void ipsec_engine_submit(struct ipsec_engine *engine, struct ipsec_call *first);
/* Submits one call of a thread without a loop of its own and waits for it (start-up, tests).
 * 'call->completion' is set by this function. */
NODISCARD enum ipsec_status ipsec_engine_call(struct ipsec_engine *engine, struct ipsec_call *call);

/* --- Sessions --------------------------------------------------------------------------------- */

/* Where the current call's failure is described. */
struct ipsec_fault *ipsec_session_fault(struct ipsec_session *session);

/* The name behind a principal's number, for ever valid and immutable; any thread. */
const char *ipsec_principal_name(const struct ipsec_engine *engine, uint32_t principal);

/* --- SA contexts ------------------------------------------------------------------------------ */

/* Creates an SA context for 'outbound_traffic' and stores its LUID in '*id_out'.  If
 * 'inbound_filter_id_out' is not null it receives the cached inbound filter matching that traffic,
 * or 0 when there is none, which callers must handle.  Needs FWPM_ACTRL_ADD on the SA database, and
 * FWPM_ACTRL_READ on filters to name one (IPSEC_FILTER_NOT_FOUND without it).  Fails with
 * IPSEC_TXN_IN_PROGRESS inside a transaction, IPSEC_DYNAMIC_SESSION_IN_PROGRESS in a dynamic
 * session.  Failure stores nothing.  (IPsecSaContextCreate0) */
NODISCARD enum ipsec_status ipsec_sa_context_create(struct ipsec_session *session,
                                                    const struct ipsec_traffic *outbound_traffic,
                                                    uint64_t *inbound_filter_id_out,
                                                    uint64_t *id_out);

/* Copies the context.  'inbound_filter_id' is 0, here and in enumerations, once that filter was
 * deleted.  FWPM_ACTRL_READ.  IPSEC_NOT_FOUND.  (IPsecSaContextGetById1) */
NODISCARD enum ipsec_status ipsec_sa_context_get_by_id(struct ipsec_session *session,
                                                       uint64_t id,
                                                       struct ipsec_sa_context *context_out);

/* Removes context and SAs at once, in any state.  DELETE.  IPSEC_NOT_FOUND, and the two session
 * rules of create.  (IPsecSaContextDeleteById0) */
NODISCARD enum ipsec_status ipsec_sa_context_delete_by_id(struct ipsec_session *session,
                                                          uint64_t id);

/* Which contexts an enumeration shows; zeroed: all.  (IPSEC_SA_CONTEXT_ENUM_TEMPLATE0) */
struct ipsec_subnet {
    bool given;
    uint8_t ip_version;
    uint8_t prefix_length;
    struct ipsec_address address; /* host bits zero */
};
struct ipsec_sa_context_template {
    struct ipsec_subnet local_subnet;
    struct ipsec_subnet remote_subnet;
    bool state_given;
    uint8_t state;
};

/* A page of an enumeration, freed whole.  'next' is the id to go on after, 0 at the end. */
struct ipsec_sa_context_page {
    struct ipsec_sa_context *contexts;
    size_t context_count;
    uint64_t next;
};

/* Up to 'limit' contexts with ids above 'after', in id order.  A page may be short although more
 * follow: one call, and all of a batch together, look at a bounded number of contexts.
 * FWPM_ACTRL_ENUM and FWPM_ACTRL_READ. IPSEC_NEVER_MATCH when both subnets are given and differ in
 * IP version. */
NODISCARD enum ipsec_status ipsec_sa_context_enum(struct ipsec_session *session,
                                                  const struct ipsec_sa_context_template *match,
                                                  uint64_t after,
                                                  size_t limit,
                                                  struct ipsec_sa_context_page *page_out);
void ipsec_sa_context_page_clear(struct ipsec_sa_context_page *page);

/* --- Filters ---------------------------------------------------------------------------------- */

/* Adds a filter.  The engine's members of 'filter' are ignored, the strings are borrowed.
 * FWPM_ACTRL_ADD on filters, and FWPM_ACTRL_ADD_LINK there too: layers and callouts, which the
 * filter links to, have no descriptors of their own here.  IPSEC_RPC_OUT_OF_RESOURCES when the
 * inbound filters of a layer have too many shapes (classify.h).  Other statuses:
 * IPSEC_NULL_DISPLAY_NAME, IPSEC_ALREADY_EXISTS (key), IPSEC_DUPLICATE_CONDITION,
 * IPSEC_CALLOUT_NOT_FOUND, IPSEC_ACTION_INCOMPATIBLE_WITH_LAYER,
 * IPSEC_CONTEXT_INCOMPATIBLE_WITH_CALLOUT (a tunnel callout without a tunnel policy),
 * IPSEC_INVALID_WEIGHT, IPSEC_INVALID_NET_MASK, ….  (FwpmFilterAdd0) */
NODISCARD enum ipsec_status ipsec_filter_add(struct ipsec_session *session,
                                             const struct ipsec_filter *filter,
                                             uint64_t *id_out,
                                             struct ipsec_guid *key_out);

/* A reference to the filter: the caller ends it with ipsec_filter_unref(), on any thread.
 * FWPM_ACTRL_READ.  IPSEC_FILTER_NOT_FOUND. */
NODISCARD enum ipsec_status ipsec_filter_get_by_id(struct ipsec_session *session,
                                                   uint64_t id,
                                                   const struct ipsec_filter **filter_out);
void ipsec_filter_unref(const struct ipsec_filter *filter);

/* DELETE on filters.  IPSEC_FILTER_NOT_FOUND; IPSEC_IN_USE while an SA context refers to it. */
NODISCARD enum ipsec_status ipsec_filter_delete_by_id(struct ipsec_session *session, uint64_t id);

struct ipsec_filter_page {
    const struct ipsec_filter **filters; /* references */
    size_t filter_count;
    uint64_t next;
};
/* As ipsec_sa_context_enum; 'layer' below 0 means every layer. */
NODISCARD enum ipsec_status ipsec_filter_enum(struct ipsec_session *session,
                                              int layer,
                                              uint64_t after,
                                              size_t limit,
                                              struct ipsec_filter_page *page_out);
void ipsec_filter_page_clear(struct ipsec_filter_page *page);
