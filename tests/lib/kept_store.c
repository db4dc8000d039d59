/* SPDX-License-Identifier: Apache-2.0
 *
 * kept_store.c: a store in memory that outlives the engine, and fails when told to; see service.h.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "tests/lib/service.h"

enum { STORE_COUNT = 2 };

struct kept_state {
    struct store *stores[STORE_COUNT];
    struct kept_plan plan;
    uint64_t calls;
    bool failed;
};

/* The engine thread's and the test's in turn, never at the same time. */
static struct kept_state kept;

static bool
fails(struct ipsec_fault *fault)
{
    uint64_t number = ++kept.calls;

    if (kept.plan.first == 0 ||
        (kept.plan.lasting ? number < kept.plan.first : number != kept.plan.first))
        return false;
    kept.failed = true;
    (void)!ipsec_fault_set(fault, IPSEC_RPC_DISCONNECTED, IPSEC_FAULT_SERVICE, NULL,
                           "the test wants it");
    return true;
}

static enum ipsec_status
kept_open(const char *path, struct ipsec_fault *fault, struct store **store_out)
{
    size_t index = (size_t)(path[0] - '0');

    *store_out = NULL;
    if (index >= STORE_COUNT)
        abort();
    if (fails(fault))
        return fault->status;
    enum ipsec_status status = IPSEC_OK;
    if (kept.stores[index] == NULL)
        status = store_memory.open("", fault, &kept.stores[index]);
    *store_out = kept.stores[index];
    return status;
}

static void
kept_close(struct store *store)
{
    (void)store;
}

static enum ipsec_status
kept_load(struct store *store,
          const struct store_loader *loader,
          struct store_marks *marks_out,
          struct ipsec_fault *fault)
{
    return fails(fault) ? fault->status : store_memory.load(store, loader, marks_out, fault);
}

static enum ipsec_status
kept_commit(struct store *store,
            const struct store_change *changes,
            size_t change_count,
            const struct store_marks *marks,
            struct ipsec_fault *fault)
{
    return fails(fault) ? fault->status
                        : store_memory.commit(store, changes, change_count, marks, fault);
}

static enum ipsec_status
kept_probe(struct store *store, struct ipsec_fault *fault)
{
    return fails(fault) ? fault->status : store_memory.probe(store, fault);
}

static enum ipsec_status
kept_read_replay(struct store *store,
                 uint64_t number,
                 struct ipsec_fault *fault,
                 void **answer_out,
                 size_t *answer_size_out)
{
    return fails(fault)
               ? fault->status
               : store_memory.read_replay(store, number, fault, answer_out, answer_size_out);
}

const struct store_ops kept_store = {
    .name = "kept",
    .open = kept_open,
    .close = kept_close,
    .load = kept_load,
    .commit = kept_commit,
    .probe = kept_probe,
    .read_replay = kept_read_replay,
};

void
kept_store_plan(const struct kept_plan *plan)
{
    kept.plan = *plan;
    kept.calls = 0;
    kept.failed = false;
}

bool
kept_store_failed(void)
{
    return kept.failed;
}

void
kept_store_clear(void)
{
    for (size_t i = 0; i < STORE_COUNT; i++) {
        store_memory.close(kept.stores[i]);
        kept.stores[i] = NULL;
    }
}

/* Every record is committed to the other store as it is handed over. */
static enum ipsec_status
put(const struct store_change *change)
{
    const struct store_marks marks = { .last_luid = 0 };
    struct ipsec_fault fault;

    if (store_memory.commit(kept.stores[1], change, 1, &marks, &fault) != IPSEC_OK)
        abort();
    return IPSEC_OK;
}

static enum ipsec_status
put_principal(void *context, const struct store_principal *principal)
{
    (void)context;
    return put(&(struct store_change){ .kind = STORE_PUT_PRINCIPAL, .principal = *principal });
}

static enum ipsec_status
put_provider_context(void *context, const struct ipsec_provider_context *provider_context)
{
    (void)context;
    return put(&(struct store_change){ .kind = STORE_PUT_PROVIDER_CONTEXT,
                                       .provider_context = provider_context });
}

static enum ipsec_status
put_filter(void *context, const struct ipsec_filter *filter)
{
    (void)context;
    return put(&(struct store_change){ .kind = STORE_PUT_FILTER, .filter = filter });
}

static enum ipsec_status
put_sa_context(void *context, const struct ipsec_sa_context *sa_context)
{
    (void)context;
    return put(&(struct store_change){ .kind = STORE_PUT_SA_CONTEXT, .sa_context = sa_context });
}

static enum ipsec_status
put_session(void *context, const struct ipsec_session_record *session)
{
    (void)context;
    return put(&(struct store_change){ .kind = STORE_PUT_SESSION, .session = session });
}

static enum ipsec_status
put_quarantine(void *context, const struct store_quarantine *quarantine)
{
    (void)context;
    return put(&(struct store_change){ .kind = STORE_PUT_QUARANTINE, .quarantine = quarantine });
}

static enum ipsec_status
put_descriptor(void *context, const struct store_descriptor *descriptor)
{
    (void)context;
    return put(&(struct store_change){ .kind = STORE_PUT_DESCRIPTOR, .descriptor = descriptor });
}

static enum ipsec_status
put_replay(void *context, const struct store_replay *replay)
{
    struct store_replay whole = *replay;
    struct ipsec_fault fault;
    void *answer = NULL;

    (void)context;
    if (store_memory.read_replay(kept.stores[0], replay->number, &fault, &answer,
                                 &whole.answer_size) != IPSEC_OK)
        abort();
    whole.answer = answer;
    enum ipsec_status status = put(
        &(struct store_change){ .kind = STORE_PUT_REPLAY, .id = whole.number, .replay = &whole });
    free(answer);
    return status;
}

void
kept_store_copy(void)
{
    static const struct store_loader loader = {
        .principal = put_principal,
        .provider_context = put_provider_context,
        .filter = put_filter,
        .sa_context = put_sa_context,
        .session = put_session,
        .quarantine = put_quarantine,
        .descriptor = put_descriptor,
        .replay = put_replay,
    };
    struct store_marks marks;
    struct ipsec_fault fault;

    store_memory.close(kept.stores[1]);
    if (store_memory.open("", &fault, &kept.stores[1]) != IPSEC_OK ||
        store_memory.load(kept.stores[0], &loader, &marks, &fault) != IPSEC_OK ||
        store_memory.commit(kept.stores[1], NULL, 0, &marks, &fault) != IPSEC_OK)
        abort();
}
