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
#include "engine/base/secret.h"
#include "engine/base/status.h"
#include "engine/types.h"

struct ipsec_engine;     /* One per process.  Safe to share. */
struct ipsec_session;    /* The caller's handle.  Used on the engine thread only. */
struct ipsec_completion; /* Where finished calls of one thread arrive. */

/* --- The engine ------------------------------------------------------------------------------- */

/* Told of every security descriptor that was set: of those in the store while the engine opens,
 * which fails with what is returned; then on the engine thread after the commit and before the call
 * that set it is given back, where a failure ends the process.  A null 'text': what was set is
 * gone. */
struct ipsec_security_listener {
    enum ipsec_status (*changed)(void *context,
                                 enum ipsec_container container,
                                 const char *text,
                                 struct ipsec_fault *fault);
    void *context;
};

struct ipsec_engine_options {
    const char *store_uri;   /* "memory:" or "sqlite:PATH" */
    uint32_t queue_depth;    /* calls waiting at most; beyond it submit says so at once */
    uint32_t max_batch;      /* calls a commit */
    const char *plane_uri;   /* "none", "xfrm", "xfrm:instance=NUMBER"; null: none */
    const char *plane_netns; /* the network namespace that the process has entered, for the store to
                                remember; null: none */
    bool flush_on_close;     /* nothing of the service stays in the data plane */
    const int *exempt_fds;   /* listening TCP sockets: their traffic passes whatever filters say */
    size_t exempt_fd_count;
    uint32_t max_contexts;               /* 0: no limit but memory */
    uint32_t max_sessions;               /* explicit ones; 0: none may be opened */
    uint32_t max_sessions_per_principal; /* 0: no limit but that */
    uint32_t session_idle_ms;   /* an explicit session without a call for so long is cancelled */
    uint32_t txn_wait_ms;       /* how long a call waits for the policy lock unless its session says
                                   otherwise (WFP: 15 s) */
    uint32_t txn_hold_ms;       /* an explicit transaction older than this is rolled back (1 h) */
    uint32_t larval_timeout_ms; /* a context not keyed for so long is removed; 0: never */
    uint32_t quarantine_ms;     /* an ended context's SPI is not handed out for so long */
    uint32_t spi_minimum;       /* what GetSpi hands out; 0: 256 */
    uint32_t spi_maximum;       /* 0: 2^32-1 */
    uint32_t kept_events;       /* events that a watcher may go back; 0: 65536 */
    uint32_t max_watchers;      /* subscriptions at once; 0: no limit */
    bool allow_weak_transforms; /* MD5, SHA-1, DES, 3DES, encryption or integrity alone */
    uint32_t max_replay_records; /* remembered answers at most, see struct ipsec_replay */
    uint32_t probe_interval_ms;  /* read-only after a store failure: time between probe writes */
    uint32_t abandoned_after_ms; /* a call that waited longer is checked for a caller still there */
    struct ipsec_security_listener security;
};

/* Whether ipsec_engine_open() would succeed: the store is read as a start would, the data plane
 * asked what it can do.  Nothing is created, migrated, locked or installed.  With a store that
 * another process has open the status is IPSEC_RPC_CALL_REJECTED and the rest unknown, unless it
 * remembers another plane: that is refused as ever, but only told with 'flush_on_close'. */
NODISCARD enum ipsec_status ipsec_engine_check_store(const struct ipsec_engine_options *options,
                                                     struct ipsec_fault *fault);
/* Without an engine: takes away all that the data plane has of this service.  It is the plane that
 * the store remembers, else the one that 'options' name; on success the store remembers none.
 * Fails with IPSEC_RPC_CALL_REJECTED while somebody else has the store or the plane, with
 * IPSEC_INVALID_PARAMETER where there is no such store. */
NODISCARD enum ipsec_status ipsec_engine_flush_plane(const struct ipsec_engine_options *options,
                                                     struct ipsec_fault *fault);
NODISCARD enum ipsec_status ipsec_engine_check_plane(const struct ipsec_engine_options *options,
                                                     struct ipsec_fault *fault);

/* Opens the store, loads it and starts the engine thread.  On failure 'fault' says why in one
 * sentence fit for the operator and '*engine_out' is null. */
NODISCARD enum ipsec_status ipsec_engine_open(const struct ipsec_engine_options *options,
                                              struct ipsec_fault *fault,
                                              struct ipsec_engine **engine_out);

/* From now on no call waits for the lock on policy: those that do, and others that would have to,
 * fail with IPSEC_RPC_CANTTRANSMIT_CALL.  For a service that stops and answers what it has
 * begun.  Any thread; accepts null. */
void ipsec_engine_drain(struct ipsec_engine *engine);

/* Finishes what is in the queue, commits, ends the thread, closes the store.  Nobody may submit any
 * more.  Accepts null. */
void ipsec_engine_close(struct ipsec_engine *engine);

/* What the data plane has against what it should have. */
struct ipsec_drift {
    uint64_t sas_missing;
    uint64_t sas_left_over;
    uint64_t policies_missing;
    uint64_t policies_left_over;
    uint64_t foreign;       /* SAs and policies of others: never touched */
    int64_t compared_at_ms; /* wall clock */
};

/* Which they are: so many of each kind at most, and each once. */
#define IPSEC_DRIFT_NAMES_MAX 100
struct ipsec_drift_ids {
    uint64_t ids[IPSEC_DRIFT_NAMES_MAX];
    size_t count;
};
struct ipsec_left_over_sa {
    uint64_t sa_context_id; /* whose it was */
    uint8_t ip_version;
    struct ipsec_address destination;
    uint8_t ip_protocol; /* 50: ESP, 51: AH */
    uint32_t spi;
};
struct ipsec_drift_names {
    struct ipsec_drift_ids contexts_missing;  /* that have no SA, or not all of them */
    struct ipsec_drift_ids filters_missing;   /* that have not all of their policies */
    struct ipsec_drift_ids filters_left_over; /* that are no more, but have policies */
    struct ipsec_left_over_sa sas_left_over[IPSEC_DRIFT_NAMES_MAX];
    size_t sa_left_over_count;
};

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
    uint64_t filters_unenforced; /* of these, those that the data plane refuses or lost */
    uint64_t replay_records;
    uint64_t sessions; /* explicit and alive */
    uint64_t sessions_aborted;
    uint64_t sessions_cancelled; /* since the start, like the next ones */
    uint64_t transactions_begun;
    uint64_t transactions_rolled_back; /* for they were held too long */
    uint64_t transactions_reading;     /* now */
    uint64_t transactions_writing;
    uint64_t calls_waiting;         /* for the lock on policy */
    uint64_t subscriptions;         /* now */
    uint64_t subscriptions_dropped; /* for their readers fell behind; since the start */
    uint64_t events_published;
    uint64_t last_luid;
    uint64_t revision;
    uint64_t plane_failures; /* actions that the data plane refused or failed */
    uint64_t plane_checks;
    uint64_t plane_check_failures;
    uint64_t plane_repairs;
    uint64_t plane_overruns;  /* ends of SAs came too fast to be heard */
    struct ipsec_drift drift; /* as the last check found it */
    char store_name[16];      /* "memory", "sqlite" */
    char plane_name[16];      /* "none", "xfrm" */
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
 * A repeat is asked for its session and its right, and no more for the session's transaction, which
 * begin and commit have changed.  In a write transaction only its commit takes a key.
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

/* What a call asks of its session before its right is looked at (spec section 6.2). */
enum ipsec_session_rule {
    IPSEC_RULE_ANY = 0,        /* reads: allowed in any session */
    IPSEC_RULE_NO_TRANSACTION, /* IPSEC_TXN_IN_PROGRESS inside one */
    IPSEC_RULE_DIRECT,       /* that, and IPSEC_DYNAMIC_SESSION_IN_PROGRESS in a dynamic session */
    IPSEC_RULE_POLICY_WRITE, /* IPSEC_INCOMPATIBLE_TXN in a read-only transaction */
    IPSEC_RULE_TRANSACTION,  /* IPSEC_NO_TXN_IN_PROGRESS outside of one: commit and abort */
};

/* The engine's own, of a call that waits for the lock on policy. */
struct ipsec_wait {
    uint64_t ticket;  /* its place in the queue; 0: it never waited */
    uint64_t session; /* number of its explicit session; 0: none */
    int64_t deadline_ms;
    bool writes;
    bool wake;
};

struct ipsec_call {
    /* Set by the submitter. */
    struct ipsec_caller caller;
    bool has_session; /* false: the call runs in an implicit static session of its own */
    struct ipsec_guid session_key;
    enum ipsec_session_rule rule;
    bool dry_run; /* all checks and the answer, no effect */
    /* If-Match: the operation fails with IPSEC_HTTP_PRECONDITION_FAILED unless the object it
     * addresses is there in one of these revisions. */
    uint64_t if_match[4];
    uint8_t if_match_count;         /* 0: no condition */
    enum ipsec_container container; /* the right that even a replayed answer needs */
    uint32_t right;
    struct ipsec_completion *completion;
    /* The operation.  On failure all its changes are undone. */
    enum ipsec_status (*run)(struct ipsec_call *call, struct ipsec_session *session);
    /* See struct ipsec_replay; null unless 'replay.wanted'. */
    bool (*encode)(struct ipsec_call *call, struct buffer *answer);
    /* May be null: the data plane refused what the call did for one of its items (see
     * ipsec_session_savepoint()), and that was taken back after the commit; the call itself has
     * succeeded.  Null: one refusal undoes and fails the whole call. */
    void (*item_refused)(struct ipsec_call *call, uint32_t item, const struct ipsec_fault *fault);
    /* May be null: puts the place of an item before the pointer of a fault in the body, where one
     * refusal fails the whole call. */
    enum ipsec_status (*point_to_item)(struct ipsec_fault *fault, size_t item);
    /* May be null: asked of a call that waited long; true drops it (IPSEC_RPC_CALL_CANCELED). */
    bool (*abandoned)(const struct ipsec_call *call);
    struct ipsec_replay replay;
    /* Set by the engine. */
    enum ipsec_status status;
    struct ipsec_fault fault;
    int64_t queued_at_us;
    struct ipsec_wait wait;
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

/* Explicit sessions are named by a key and live from open to close, or until nobody used them for
 * 'session_idle_ms'.  What was not closed when the engine stopped, or was cancelled, answers
 * IPSEC_SESSION_ABORTED until it is closed.  A session belongs to the principal that opened it; for
 * others it does not exist (IPSEC_INVALID_HANDLE).
 *
 * Opens one.  'options': key (zero: the engine makes one; IPSEC_ALREADY_EXISTS), name, flags
 * (IPSEC_INVALID_FLAGS), txn_wait_timeout_ms (0: the engine's).  FWPM_ACTRL_OPEN on the engine.
 * IPSEC_RPC_OUT_OF_RESOURCES at the limit, IPSEC_RPC_SERVERCALL_RETRYLATER at that of the caller.
 * (FwpmEngineOpen0) */
NODISCARD enum ipsec_status ipsec_session_open(struct ipsec_session *session,
                                               const struct ipsec_session_record *options,
                                               struct ipsec_session_record *record_out);
/* Ends it: rolls its transaction back, deletes its dynamic objects, ends its subscriptions.
 * (FwpmEngineClose0) */
NODISCARD enum ipsec_status ipsec_session_close(struct ipsec_session *session,
                                                const struct ipsec_guid *key);
NODISCARD enum ipsec_status ipsec_session_get(struct ipsec_session *session,
                                              const struct ipsec_guid *key,
                                              struct ipsec_session_record *record_out);
/* The explicit session that the current call runs in; IPSEC_INVALID_HANDLE in an implicit one. */
NODISCARD enum ipsec_status ipsec_session_current(struct ipsec_session *session,
                                                  struct ipsec_session_record *record_out);
/* The caller's own, in the order opened; as ipsec_sa_context_enum. */
struct ipsec_session_page {
    struct ipsec_session_record *sessions;
    size_t session_count;
    uint64_t next; /* the number of the last one */
};
NODISCARD enum ipsec_status ipsec_session_enum(struct ipsec_session *session,
                                               uint64_t after,
                                               size_t limit,
                                               struct ipsec_session_page *page_out);
void ipsec_session_page_clear(struct ipsec_session_page *page);

/* What a call in the session 'key' will be told before its body is looked at: IPSEC_INVALID_HANDLE,
 * IPSEC_SESSION_ABORTED, IPSEC_TXN_ABORTED (which is told once: by this or by the call, whichever
 * comes first) and the codes of 'rule'.  Any thread; may be outdated when the call runs, which
 * checks again. */
NODISCARD enum ipsec_status ipsec_session_preview(const struct ipsec_engine *engine,
                                                  const struct ipsec_guid *key,
                                                  const char *principal,
                                                  enum ipsec_session_rule rule,
                                                  struct ipsec_fault *fault);

/* Begins the session's transaction on the policy objects: one writer or many readers, first come
 * first served; waits for the others up to the session's time, then IPSEC_TIMEOUT.
 * FWPM_ACTRL_BEGIN_READ_TXN or FWPM_ACTRL_BEGIN_WRITE_TXN on the engine.  IPSEC_TXN_IN_PROGRESS.
 * (FwpmTransactionBegin0) */
NODISCARD enum ipsec_status ipsec_transaction_begin(struct ipsec_session *session, bool read_only);
/* All changes at once, or none: when it fails for the store, the transaction is rolled back; when
 * objects it deletes came into use meanwhile (IPSEC_IN_USE), it stays open.  The right of begin.
 * (FwpmTransactionCommit0) */
NODISCARD enum ipsec_status ipsec_transaction_commit(struct ipsec_session *session);
/* (FwpmTransactionAbort0) */
NODISCARD enum ipsec_status ipsec_transaction_abort(struct ipsec_session *session);

/* For a call of many parts of which some may fail: what comes after the savepoint is undone by
 * going back to it.  'item' numbers the part that begins, for 'item_refused'. */
struct ipsec_savepoint {
    size_t marks[6];
    uint64_t last_luid;
    uint64_t revision;
};
struct ipsec_savepoint ipsec_session_savepoint(struct ipsec_session *session, uint32_t item);
void ipsec_session_rollback(struct ipsec_session *session, const struct ipsec_savepoint *savepoint);

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

/* What may come with a create besides the traffic; zeroed: nothing. */
struct ipsec_sa_bundle_input;
struct ipsec_sa_context_options {
    const struct ipsec_labels *labels; /* borrowed */
    uint64_t inbound_filter_id;        /* for the SPI, as GetSpi's; 0: the mirrored filter */
    uint32_t spi;                      /* SetSpi; 0: see 'wants_spi' */
    bool wants_spi;                    /* GetSpi */
    const struct ipsec_sa_bundle_input *inbound;  /* null: not now.  Needs an SPI */
    const struct ipsec_sa_bundle_input *outbound; /* null: not now.  Needs 'inbound' */
};
/* Creates, sets the SPI and keys in one step, or does nothing.  Order of checks and codes are those
 * of the single calls.  'context_out' receives the context, with references. */
NODISCARD enum ipsec_status
ipsec_sa_context_create_with(struct ipsec_session *session,
                             const struct ipsec_traffic *outbound_traffic,
                             const struct ipsec_sa_context_options *options,
                             struct ipsec_sa_context *context_out);

/* Makes the successor of the keyed context 'id': the same traffic and labels, a new SPI and the
 * inbound bundle 'inbound'.  Adding its outbound bundle ends the predecessor as duplicate deletion
 * does, whatever the flags say: its outbound SA at once, its inbound SA after a minute.
 * FWPM_ACTRL_ADD.  IPSEC_INCOMPATIBLE_SA_STATE unless the context is active. */
NODISCARD enum ipsec_status ipsec_sa_context_rotate(struct ipsec_session *session,
                                                    uint64_t id,
                                                    const struct ipsec_sa_context_options *options,
                                                    struct ipsec_sa_context *context_out);

/* Ends the references of a copy: 'inbound', 'outbound', 'labels'.  Any thread. */
void ipsec_sa_context_unref(struct ipsec_sa_context *context);

/* Copies the context.  FWPM_ACTRL_READ.  IPSEC_NOT_FOUND.  (IPsecSaContextGetById1) */
NODISCARD enum ipsec_status ipsec_sa_context_get_by_id(struct ipsec_session *session,
                                                       uint64_t id,
                                                       struct ipsec_sa_context *context_out);

/* Removes context and SAs at once, in any state.  DELETE.  IPSEC_NOT_FOUND, and the two session
 * rules of create.  (IPsecSaContextDeleteById0) */
NODISCARD enum ipsec_status ipsec_sa_context_delete_by_id(struct ipsec_session *session,
                                                          uint64_t id);

/* --- Keying.  All need FWPM_ACTRL_ADD on the SA database, expire needs DELETE; none is possible in
 * a transaction (IPSEC_TXN_IN_PROGRESS).  IPSEC_NOT_FOUND, and IPSEC_INCOMPATIBLE_SA_STATE for what
 * comes out of order: create, SPI, inbound, outbound. */

/* Hands out an inbound SPI: random, not below 256, unique on this host, and the same again for a
 * repeat with the same traffic; IPSEC_TRAFFIC_MISMATCH for another.  'inbound_traffic' has the
 * context's addresses, or none at all (zeroed), and in transport mode the *inbound* filter.
 * (IPsecSaContextGetSpi1) */
NODISCARD enum ipsec_status ipsec_sa_context_get_spi(struct ipsec_session *session,
                                                     uint64_t id,
                                                     const struct ipsec_traffic *inbound_traffic,
                                                     uint32_t *spi_out);
/* Takes an SPI agreed elsewhere.  IPSEC_OUT_OF_BOUNDS below 256, IPSEC_ALREADY_EXISTS when another
 * context has it.  The same one again is no change.  (IPsecSaContextSetSpi0) */
NODISCARD enum ipsec_status ipsec_sa_context_set_spi(struct ipsec_session *session,
                                                     uint64_t id,
                                                     const struct ipsec_traffic *inbound_traffic,
                                                     uint32_t spi);

/* A bundle with the keys of its SAs.  The keys belong to the caller, who wipes them; the engine
 * hands copies to the data plane after the commit and wipes these. */
struct ipsec_sa_keys {
    struct secret auth;
    struct secret cipher;
};
struct ipsec_sa_bundle_input {
    struct ipsec_sa_bundle bundle;
    struct ipsec_sa_keys keys[IPSEC_SA_MAX];
};
/* The SPI of an inbound SA is the context's, 0 stands for it, here and wherever a bundle is given;
 * that of an outbound one is the peer's.  Pointers of faults are relative to the bundle, behind the
 * prefix of ipsec_fault_prefix().  (IPsecSaContextAddInbound1, IPsecSaContextAddOutbound1) */
NODISCARD enum ipsec_status ipsec_sa_context_add_inbound(struct ipsec_session *session,
                                                         uint64_t id,
                                                         const struct ipsec_sa_bundle_input *bundle,
                                                         struct ipsec_sa_context *context_out);
NODISCARD enum ipsec_status
ipsec_sa_context_add_outbound(struct ipsec_session *session,
                              uint64_t id,
                              const struct ipsec_sa_bundle_input *bundle,
                              struct ipsec_sa_context *context_out);

/* IPSEC_SA_DETAILS_UPDATE_*, IPSEC_SA_BUNDLE_UPDATE_*, and labels, which are ours. */
enum ipsec_update_part {
    IPSEC_UPDATE_TRAFFIC = 0x01,
    IPSEC_UPDATE_UDP_ENCAPSULATION = 0x02,
    IPSEC_UPDATE_FLAGS = 0x04,
    IPSEC_UPDATE_NAP_CONTEXT = 0x08,
    IPSEC_UPDATE_KEY_MODULE_STATE = 0x10,
    IPSEC_UPDATE_PEER_V4_PRIVATE_ADDRESS = 0x20,
    IPSEC_UPDATE_MM_SA_ID = 0x40,
    IPSEC_UPDATE_LABELS = 0x10000,
};
/* Only what the parts name is read.  A direction without parts stays as it is. */
struct ipsec_sa_context_update {
    struct ipsec_traffic traffic; /* addresses only */
    uint32_t parts;               /* IPSEC_UPDATE_TRAFFIC, IPSEC_UPDATE_LABELS */
    uint32_t inbound_parts;
    uint32_t outbound_parts;
    struct ipsec_sa_bundle inbound;
    struct ipsec_sa_bundle outbound;
    const struct ipsec_labels *labels; /* null: none from now on */
};
/* IPSEC_INVALID_FLAGS when no part is named, IPSEC_TRAFFIC_MISMATCH for another IP version or
 * type.  Labels may change in any state.  (IPsecSaContextUpdate0) */
NODISCARD enum ipsec_status ipsec_sa_context_update(struct ipsec_session *session,
                                                    uint64_t id,
                                                    const struct ipsec_sa_context_update *update,
                                                    struct ipsec_sa_context *context_out);

/* The outbound SA goes at once, the inbound one after a minute and with it the context; without
 * SAs it goes at once.  Again: no change.  (IPsecSaContextExpire0) */
NODISCARD enum ipsec_status ipsec_sa_context_expire(struct ipsec_session *session, uint64_t id);

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
    bool traffic_type_given;
    uint8_t traffic_type;
    uint32_t spi;                      /* inbound; 0: any */
    const struct ipsec_labels *labels; /* all of them, a value of null: any value; null: any */
};

/* A page of an enumeration, freed whole.  'next' is the id to go on after, 0 at the end. */
struct ipsec_sa_context_page {
    struct ipsec_sa_context *contexts; /* with references */
    size_t context_count;
    uint64_t next;
    uint64_t sequence; /* from which to watch so as to miss nothing that this page does not show */
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

/* --- What is built in ------------------------------------------------------------------------- */

/* Providers, layers, sublayers and callouts are all built in: to be read and named, neither to be
 * added nor deleted.  They have no descriptors of their own here: whoever may read filters may read
 * what these name, so the filters' counts. */
enum ipsec_builtin_kind {
    IPSEC_BUILTIN_PROVIDER = 0,
    IPSEC_BUILTIN_LAYER,
    IPSEC_BUILTIN_SUB_LAYER,
    IPSEC_BUILTIN_CALLOUT,
    IPSEC_BUILTIN_KIND_COUNT
};
struct ipsec_builtin {
    struct ipsec_guid key;
    const char *name; /* of fwpmu.h: "FWPM_LAYER_INBOUND_TRANSPORT_V4" */
    const char *description;
    uint16_t number; /* enum ipsec_layer, ipsec_sub_layer, ipsec_callout */
    uint8_t layer;   /* of a callout: enum ipsec_layer, the one at which it works */
};
/* All of a kind, in a table that stays for ever.  FWPM_ACTRL_ENUM and FWPM_ACTRL_READ on filters.
 */
NODISCARD enum ipsec_status ipsec_builtin_enum(struct ipsec_session *session,
                                               enum ipsec_builtin_kind kind,
                                               const struct ipsec_builtin **objects_out,
                                               size_t *count_out);
/* FWPM_ACTRL_READ on filters.  IPSEC_PROVIDER_NOT_FOUND, IPSEC_LAYER_NOT_FOUND, …. */
NODISCARD enum ipsec_status ipsec_builtin_get_by_key(struct ipsec_session *session,
                                                     enum ipsec_builtin_kind kind,
                                                     const struct ipsec_guid *key,
                                                     const struct ipsec_builtin **object_out);
/* Never succeeds: IPSEC_BUILTIN_OBJECT, after the checks of a deletion.  DELETE on filters. */
NODISCARD enum ipsec_status ipsec_builtin_delete_by_key(struct ipsec_session *session,
                                                        enum ipsec_builtin_kind kind,
                                                        const struct ipsec_guid *key);

/* --- Filters ---------------------------------------------------------------------------------- */

/* Adds a filter: at once, or in the session's transaction, which alone sees it until it commits.
 * In a dynamic session the filter ends with it.  The engine's members of 'filter' are ignored, the
 * strings are borrowed.  What conditions there are, and what they mean for SA traffic, is in
 * condition.h; what goes with what, in filter_check.h.
 *
 * FWPM_ACTRL_ADD on filters, and FWPM_ACTRL_ADD_LINK there too: layers and callouts, which the
 * filter links to, have no descriptors of their own here; naming a provider context asks for
 * FWPM_ACTRL_ADD_LINK on those.  IPSEC_INCOMPATIBLE_TXN in a read-only transaction.
 * IPSEC_RPC_OUT_OF_RESOURCES when the inbound filters of a layer have too many shapes (classify.h),
 * which may also show when the transaction commits.  Other statuses: IPSEC_NULL_DISPLAY_NAME,
 * IPSEC_INVALID_FLAGS, IPSEC_INVALID_WEIGHT, IPSEC_PROVIDER_NOT_FOUND,
 * IPSEC_PROVIDER_CONTEXT_NOT_FOUND, IPSEC_LIFETIME_MISMATCH, IPSEC_ACTION_INCOMPATIBLE_WITH_LAYER
 * and _SUBLAYER, IPSEC_CONTEXT_INCOMPATIBLE_WITH_LAYER and _CALLOUT, IPSEC_ALREADY_EXISTS (key),
 * IPSEC_TIMEOUT (another session's transaction), ….  (FwpmFilterAdd0) */
NODISCARD enum ipsec_status ipsec_filter_add(struct ipsec_session *session,
                                             const struct ipsec_filter *filter,
                                             uint64_t *id_out,
                                             struct ipsec_guid *key_out);

/* A reference to the filter: the caller ends it with ipsec_filter_unref(), on any thread.
 * FWPM_ACTRL_READ.  IPSEC_FILTER_NOT_FOUND. */
NODISCARD enum ipsec_status ipsec_filter_get_by_id(struct ipsec_session *session,
                                                   uint64_t id,
                                                   const struct ipsec_filter **filter_out);
NODISCARD enum ipsec_status ipsec_filter_get_by_key(struct ipsec_session *session,
                                                    const struct ipsec_guid *key,
                                                    const struct ipsec_filter **filter_out);
void ipsec_filter_unref(const struct ipsec_filter *filter);

/* DELETE on filters.  IPSEC_FILTER_NOT_FOUND; IPSEC_IN_USE while an SA context refers to it as its
 * outbound or its inbound filter, asked again when a transaction commits, and for the filters of a
 * tunnel, which go with it.  A dynamic session deletes only what it added:
 * IPSEC_DYNAMIC_SESSION_IN_PROGRESS, IPSEC_WRONG_SESSION. (FwpmFilterDeleteById0) */
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

/* --- Provider contexts ------------------------------------------------------------------------ */

/* Adds a provider context; as ipsec_filter_add.  FWPM_ACTRL_ADD on provider contexts, and
 * FWPM_ACTRL_ADD_LINK when a provider is named.  IPSEC_ZERO_LENGTH_ARRAY without proposals,
 * IPSEC_INVALID_INTERVAL for a proposal without a lifetime, IPSEC_INVALID_FLAGS, ….
 * (FwpmProviderContextAdd0) */
NODISCARD enum ipsec_status
ipsec_provider_context_add(struct ipsec_session *session,
                           const struct ipsec_provider_context *provider_context,
                           uint64_t *id_out,
                           struct ipsec_guid *key_out);
/* A reference.  FWPM_ACTRL_READ.  IPSEC_PROVIDER_CONTEXT_NOT_FOUND. */
NODISCARD enum ipsec_status
ipsec_provider_context_get_by_id(struct ipsec_session *session,
                                 uint64_t id,
                                 const struct ipsec_provider_context **provider_context_out);
NODISCARD enum ipsec_status
ipsec_provider_context_get_by_key(struct ipsec_session *session,
                                  const struct ipsec_guid *key,
                                  const struct ipsec_provider_context **provider_context_out);
void ipsec_provider_context_unref(const struct ipsec_provider_context *provider_context);
/* DELETE.  IPSEC_IN_USE while a filter or an SA context refers to it. */
NODISCARD enum ipsec_status ipsec_provider_context_delete_by_id(struct ipsec_session *session,
                                                                uint64_t id);
struct ipsec_provider_context_page {
    const struct ipsec_provider_context **provider_contexts; /* references */
    size_t provider_context_count;
    uint64_t next;
};
/* 'type' below 0 means every type. */
NODISCARD enum ipsec_status
ipsec_provider_context_enum(struct ipsec_session *session,
                            int type,
                            uint64_t after,
                            size_t limit,
                            struct ipsec_provider_context_page *page_out);
void ipsec_provider_context_page_clear(struct ipsec_provider_context_page *page);

/* --- Tunnels ---------------------------------------------------------------------------------- */

#define IPSEC_TUNNEL_POINT_TO_POINT UINT32_C(0x1)
/* FwpmIPsecTunnelAdd0: the tunnel policy and the filters that use it, all or none. */
struct ipsec_tunnel {
    uint32_t flags;
    const struct ipsec_provider_context *main_mode_policy; /* stored, not executed; null: none */
    const struct ipsec_provider_context *tunnel_policy;
    uint8_t condition_count;
    uint8_t ip_version; /* of the conditions' addresses: what runs inside */
    struct ipsec_condition conditions[IPSEC_CONDITION_FIELD_COUNT];
};
#define IPSEC_TUNNEL_FILTERS_MAX 8
struct ipsec_tunnel_made {
    uint64_t id;           /* of the tunnel policy: the tunnelPolicyId of traffic */
    struct ipsec_guid key; /* of the tunnel policy: names the tunnel */
    uint64_t revision;     /* of the tunnel policy; its parts come and go with it */
    uint64_t main_mode_id; /* 0: none */
    uint64_t filter_ids[IPSEC_TUNNEL_FILTERS_MAX];
    uint8_t filter_count;
};
/* The rights are those of the objects made.  Without IPSEC_TUNNEL_POINT_TO_POINT only address
 * conditions (IPSEC_INVALID_PARAMETER). */
NODISCARD enum ipsec_status ipsec_tunnel_add(struct ipsec_session *session,
                                             const struct ipsec_tunnel *tunnel,
                                             struct ipsec_tunnel_made *made_out);
/* Removes all that the tunnel consists of.  IPSEC_PROVIDER_CONTEXT_NOT_FOUND unless 'id' is the
 * tunnel policy of a tunnel; IPSEC_IN_USE.  (FwpmIPsecTunnelDeleteByKey0) */
NODISCARD enum ipsec_status ipsec_tunnel_delete(struct ipsec_session *session, uint64_t id);
NODISCARD enum ipsec_status
ipsec_tunnel_get(struct ipsec_session *session, uint64_t id, struct ipsec_tunnel_made *made_out);
struct ipsec_tunnel_page {
    struct ipsec_tunnel_made *tunnels;
    size_t tunnel_count;
    uint64_t next;
};
/* In the order of their ids. */
NODISCARD enum ipsec_status ipsec_tunnel_enum(struct ipsec_session *session,
                                              uint64_t after,
                                              size_t limit,
                                              struct ipsec_tunnel_page *page_out);
void ipsec_tunnel_page_clear(struct ipsec_tunnel_page *page);

/* --- Events ----------------------------------------------------------------------------------- */

/* Which changes a watcher wants; zeroed: all. */
struct ipsec_subscription_options {
    struct ipsec_sa_context_template match; /* subnets and traffic type only */
    uint64_t since;                         /* the first event wanted has a higher sequence */
    bool since_given;                       /* false: from now on */
};
struct ipsec_subscription;

/* Begins to watch; an explicit session is in use as long as somebody does in it.
 * FWPM_ACTRL_SUBSCRIBE and FWPM_ACTRL_READ on the SA database, not in a transaction.
 * IPSEC_NOTIFICATION_DROPPED when 'since' lies before what is kept, or was never given out by this
 * store; the fault names the oldest sequence.  IPSEC_RPC_OUT_OF_RESOURCES at the limit.
 * 'completion''s eventfd becomes readable when events may have come.  The subscription is the
 * caller's also when the call fails later, with its batch.  (IPsecSaContextSubscribe0) */
NODISCARD enum ipsec_status
ipsec_sa_context_subscribe(struct ipsec_session *session,
                           const struct ipsec_subscription_options *options,
                           struct ipsec_completion *completion,
                           struct ipsec_subscription **subscription_out);
/* The next events, in order, each to be given up with ipsec_event_unref(); any thread, one at a
 * time for a subscription.  '*count_out' 0: none now.  IPSEC_NOTIFICATION_DROPPED: the reader fell
 * behind what is kept; IPSEC_SESSION_ABORTED: its session ended.  Never waits. */
NODISCARD enum ipsec_status ipsec_subscription_read(struct ipsec_subscription *subscription,
                                                    struct ipsec_event *events,
                                                    size_t capacity,
                                                    size_t *count_out,
                                                    struct ipsec_fault *fault);
void ipsec_event_unref(struct ipsec_event *event);
/* Whether reading may bring something: false is certain until the eventfd says more. */
bool ipsec_subscription_has_news(const struct ipsec_subscription *subscription);
/* How many events were published since the start: a look that spares looking at each subscription.
 * Any thread. */
uint64_t ipsec_engine_event_count(const struct ipsec_engine *engine);
/* The sequence up to which everything was read, also what did not match: whoever goes on from there
 * misses nothing. */
uint64_t ipsec_subscription_sequence(const struct ipsec_subscription *subscription);
/* Ends it, any thread: it is no longer listed and wakes nobody.  To be done before its completion
 * or the engine is closed.  Accepts null.  (IPsecSaContextUnsubscribe0) */
void ipsec_sa_context_unsubscribe(struct ipsec_subscription *subscription);

struct ipsec_subscription_info {
    uint64_t number;
    int64_t since_ms; /* wall clock */
    uint64_t sequence;
    uint32_t principal;
    struct ipsec_guid session_key; /* zero: an implicit session */
    struct ipsec_sa_context_template match;
};
struct ipsec_subscription_page {
    struct ipsec_subscription_info *subscriptions;
    size_t subscription_count;
};
/* All of them, the oldest first.  FWPM_ACTRL_READ on the SA database.
 * (IPsecSaContextSubscriptionsGet0) */
NODISCARD enum ipsec_status
ipsec_sa_context_subscriptions_get(struct ipsec_session *session,
                                   struct ipsec_subscription_page *page_out);
void ipsec_subscription_page_clear(struct ipsec_subscription_page *page);

/* --- Security descriptors --------------------------------------------------------------------- */

/* The container's, and what it is as long as nobody has set it ('otherwise', the operator's). */
struct ipsec_security {
    enum ipsec_container container;
    const char *otherwise;
};
/* What is in force, on the heap for the caller to free.  READ_CONTROL on the container.
 * (FwpmEngineGetSecurityInfo0, IPsecSaDbGetSecurityInfo0, FwpmFilterGetSecurityInfoByKey0 …) */
NODISCARD enum ipsec_status ipsec_security_get(struct ipsec_session *session,
                                               const struct ipsec_security *security,
                                               char **text_out);
/* Sets it to 'text', or back to what it is otherwise (null).  WRITE_DAC on the container; in no
 * transaction and no dynamic session.  (… SetSecurityInfo …) */
NODISCARD enum ipsec_status ipsec_security_set(struct ipsec_session *session,
                                               const struct ipsec_security *security,
                                               const char *text);
/* The number that 'if_match' is compared with, a digest of the text. */
uint64_t ipsec_security_revision(const char *text);

/* --- The data plane --------------------------------------------------------------------------- */

/* A transform of SAs that the data plane was tried for at the start. */
struct ipsec_capability {
    struct ipsec_sa_transform transform;
    bool is_supported;
    const char *reason; /* static: why not; null when it is */
};
/* The 'index'-th; false behind the last.  A plane that tries none takes all.  Any thread. */
bool ipsec_engine_capability(const struct ipsec_engine *engine,
                             size_t index,
                             struct ipsec_capability *capability_out);
/* "none", "xfrm".  Any thread. */
const char *ipsec_engine_plane_name(const struct ipsec_engine *engine);

/* Compares, or tells the last comparison for as long as a hundred times what it took.
 * FWPM_ACTRL_READ_STATS on the SA database.  IPSEC_RPC_SERVERCALL_RETRYLATER while the data plane
 * is asked for all contexts. */
NODISCARD enum ipsec_status ipsec_get_drift(struct ipsec_session *session,
                                            struct ipsec_drift *drift_out,
                                            struct ipsec_drift_names *names_out); /* or null */
/* Compares and mends: policies of filters are installed again, what is left over goes, and contexts
 * whose SAs are gone expire, the latter two right after this call.  '*found_out' is how it was.
 * FWPM_ACTRL_WRITE on the engine. */
NODISCARD enum ipsec_status ipsec_reconcile(struct ipsec_session *session,
                                            struct ipsec_drift *found_out,
                                            struct ipsec_drift_names *names_out); /* or null */

/* What the SAs of a direction carried. */
struct ipsec_sa_usage {
    bool is_known; /* false: there is no SA, or the data plane has lost it */
    uint64_t bytes;
    uint64_t packets;
    int64_t last_used_at_ms; /* wall clock; 0: never */
};
/* A context with what it carried, by direction.  As ipsec_sa_context_get_by_id. */
struct ipsec_sa_context_usage {
    struct ipsec_sa_context context;
    struct ipsec_sa_usage usage[2]; /* by enum ipsec_direction */
};
NODISCARD enum ipsec_status ipsec_sa_context_get_usage(struct ipsec_session *session,
                                                       uint64_t id,
                                                       struct ipsec_sa_context_usage *usage_out);

/* --- Statistics ------------------------------------------------------------------------------- */

/* IPSEC_STATISTICS1.  32-bit counters wrap. */
struct ipsec_drop_statistics {
    uint32_t invalid_spis_on_inbound;
    uint32_t decryption_failures_on_inbound; /* ESP only */
    uint32_t authentication_failures_on_inbound;
    uint32_t replay_check_failures_on_inbound;
    uint32_t sa_not_initialized_on_inbound;
};
struct ipsec_traffic_statistics {
    uint64_t encrypted_byte_count;
    uint64_t authenticated_ah_byte_count;
    uint64_t authenticated_esp_byte_count;
    uint64_t transport_byte_count;
    uint64_t tunnel_byte_count;
    uint64_t offload_byte_count;
    uint64_t total_successful_packets;
};
struct ipsec_statistics {
    uint32_t active_sas;
    uint32_t pending_sa_negotiations;
    uint32_t total_sas_added;
    uint32_t total_sas_deleted;
    uint32_t successful_rekeys;
    uint32_t active_tunnels;
    uint32_t offloaded_sas;
    struct ipsec_drop_statistics esp_drops;
    struct ipsec_drop_statistics ah_drops;
    struct ipsec_drop_statistics drops;
    uint32_t udp_esp_validation_failures_on_inbound;
    uint32_t invalid_clear_text_inbound;
    uint32_t receive_over_incorrect_sa_inbound;
    uint32_t secure_receives_not_matching_filters;
    uint32_t total_drop_packets_inbound;
    struct ipsec_traffic_statistics inbound_traffic;
    struct ipsec_traffic_statistics outbound_traffic;
};
/* FWPM_ACTRL_READ_STATS on the SA database, not in a transaction.  (IPsecGetStatistics1) */
NODISCARD enum ipsec_status ipsec_get_statistics(struct ipsec_session *session,
                                                 struct ipsec_statistics *statistics_out);
