/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_store.h: a store for tests: keeps rows in memory over close and open, counts calls, and
 * fails when told to.  One per test program, for a path can't carry more. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "engine/store/store.h"

struct fake_row {
    enum store_change_kind kind; /* one of the STORE_PUT_ kinds */
    uint64_t id;
    struct ipsec_sa_context sa_context;
    struct ipsec_filter filter;
    struct ipsec_provider_context provider_context;
    struct store_replay replay;
    char *text; /* name, or the answer */
};

static struct {
    /* What the test sets.  IPSEC_OK: no failure. */
    _Atomic int commit_status;
    _Atomic int probe_status;
    _Atomic int load_status;
    /* What the test reads. */
    _Atomic unsigned commits; /* that worked */
    _Atomic unsigned failed_commits;
    _Atomic unsigned probes;
    _Atomic unsigned answers_read;
    /* The contents. */
    struct fake_row *rows;
    size_t row_count;
    struct store_marks marks;
} fake;

static inline void
fake_remove_row(size_t at)
{
    free(fake.rows[at].text);
    fake.row_count--;
    memmove(&fake.rows[at], &fake.rows[at + 1], (fake.row_count - at) * sizeof *fake.rows);
}

static inline void
fake_remove(enum store_change_kind kind, uint64_t id)
{
    for (size_t i = 0; i < fake.row_count; i++) {
        if (fake.rows[i].kind == kind && fake.rows[i].id == id) {
            fake_remove_row(i);
            return;
        }
    }
    abort(); /* the engine deletes only what it put */
}

static inline struct fake_row *
fake_find(enum store_change_kind kind, uint64_t id)
{
    for (size_t i = 0; i < fake.row_count; i++) {
        if (fake.rows[i].kind == kind && fake.rows[i].id == id)
            return &fake.rows[i];
    }
    return NULL;
}

/* The row must be there. */
static inline struct fake_row *
fake_get(enum store_change_kind kind, uint64_t id)
{
    struct fake_row *row = fake_find(kind, id);

    if (row == NULL)
        abort();
    return row;
}

static inline size_t
fake_count(enum store_change_kind kind)
{
    size_t count = 0;

    for (size_t i = 0; i < fake.row_count; i++)
        count += fake.rows[i].kind == kind;
    return count;
}

static inline struct fake_row *
fake_add(enum store_change_kind kind, uint64_t id, const void *text, size_t text_size)
{
    fake.rows = reallocarray(fake.rows, fake.row_count + 1, sizeof *fake.rows);
    if (fake.rows == NULL || fake_find(kind, id) != NULL)
        abort();
    struct fake_row *row = &fake.rows[fake.row_count++];
    memset(row, 0, sizeof *row);
    row->kind = kind;
    row->id = id;
    row->text = malloc(text_size + 1);
    if (row->text == NULL)
        abort();
    if (text_size > 0)
        memcpy(row->text, text, text_size);
    row->text[text_size] = '\0';
    return row;
}

static inline void
fake_apply(const struct store_change *change)
{
    const struct store_principal *principal = &change->principal;
    struct fake_row *row;

    switch (change->kind) {
    case STORE_PUT_PRINCIPAL:
        (void)fake_add(change->kind, principal->id, principal->name, strlen(principal->name));
        break;
    case STORE_PUT_FILTER:
        row = fake_add(change->kind, change->filter->id, change->filter->name,
                       strlen(change->filter->name));
        row->filter = *change->filter;
        break;
    case STORE_DELETE_FILTER:
        fake_remove(STORE_PUT_FILTER, change->id);
        break;
    case STORE_PUT_SA_CONTEXT:
        row = fake_add(change->kind, change->sa_context->id, NULL, 0);
        row->sa_context = *change->sa_context;
        break;
    case STORE_DELETE_SA_CONTEXT:
        fake_remove(STORE_PUT_SA_CONTEXT, change->id);
        break;
    case STORE_PUT_REPLAY:
        row = fake_add(change->kind, change->replay->number, change->replay->answer,
                       change->replay->answer_size);
        row->replay = *change->replay;
        break;
    case STORE_PUT_PROVIDER_CONTEXT:
        row = fake_add(change->kind, change->provider_context->id, change->provider_context->name,
                       strlen(change->provider_context->name));
        row->provider_context = *change->provider_context;
        break;
    case STORE_DELETE_PROVIDER_CONTEXT:
        fake_remove(STORE_PUT_PROVIDER_CONTEXT, change->id);
        break;
    case STORE_SET_SA_CONTEXT:
    case STORE_PUT_SESSION:
    case STORE_DELETE_SESSION:
    case STORE_PUT_QUARANTINE:
    case STORE_DELETE_QUARANTINE:
    case STORE_PUT_DESCRIPTOR:
    case STORE_DELETE_DESCRIPTOR:
        break;
    case STORE_DELETE_REPLAY:
        fake_remove(STORE_PUT_REPLAY, change->id);
        break;
    case STORE_DELETE_REPLAYS_BELOW:
        for (size_t i = fake.row_count; i > 0; i--) {
            if (fake.rows[i - 1].kind == STORE_PUT_REPLAY && fake.rows[i - 1].id < change->id)
                fake_remove_row(i - 1);
        }
        break;
    }
}

static inline enum ipsec_status
fake_fail(int status, struct ipsec_fault *fault)
{
    if (status == IPSEC_OK)
        return IPSEC_OK;
    return ipsec_fault_set(fault, (enum ipsec_status)status, IPSEC_FAULT_SERVICE, NULL,
                           "the test wants it");
}

static inline enum ipsec_status
fake_open(const char *path, struct ipsec_fault *fault, struct store **store_out)
{
    (void)path;
    (void)fault;
    *store_out = NULL; /* the contents are in 'fake' */
    return IPSEC_OK;
}

static inline void
fake_close(struct store *store)
{
    (void)store;
}

static inline enum ipsec_status
fake_load(struct store *store,
          const struct store_loader *loader,
          struct store_marks *marks_out,
          struct ipsec_fault *fault)
{
    static const enum store_change_kind order[] = {
        STORE_PUT_PRINCIPAL,  STORE_PUT_PROVIDER_CONTEXT, STORE_PUT_FILTER,
        STORE_PUT_SA_CONTEXT, STORE_PUT_REPLAY,
    };
    enum ipsec_status status = fake_fail(fake.load_status, fault);

    (void)store;
    for (size_t k = 0; k < sizeof order / sizeof *order; k++) {
        for (size_t i = 0; i < fake.row_count && status == IPSEC_OK; i++) {
            struct fake_row *row = &fake.rows[i];
            struct store_principal principal = { .id = (uint32_t)row->id, .name = row->text };

            if (row->kind != order[k])
                continue;
            row->filter.name = row->text;
            row->filter.description = NULL;
            row->provider_context.name = row->text;
            row->provider_context.description = NULL;
            row->replay.answer = NULL;
            row->replay.answer_size = 0;
            status = row->kind == STORE_PUT_PRINCIPAL
                         ? loader->principal(loader->context, &principal)
                     : row->kind == STORE_PUT_PROVIDER_CONTEXT
                         ? loader->provider_context(loader->context, &row->provider_context)
                     : row->kind == STORE_PUT_FILTER ? loader->filter(loader->context, &row->filter)
                     : row->kind == STORE_PUT_SA_CONTEXT
                         ? loader->sa_context(loader->context, &row->sa_context)
                         : loader->replay(loader->context, &row->replay);
        }
    }
    *marks_out = fake.marks;
    return status;
}

static inline enum ipsec_status
fake_commit(struct store *store,
            const struct store_change *changes,
            size_t change_count,
            const struct store_marks *marks,
            struct ipsec_fault *fault)
{
    enum ipsec_status status = fake_fail(fake.commit_status, fault);

    (void)store;
    if (status != IPSEC_OK) {
        fake.failed_commits++;
        return status;
    }
    for (size_t i = 0; i < change_count; i++)
        fake_apply(&changes[i]);
    fake.marks = *marks;
    fake.commits++;
    return IPSEC_OK;
}

static inline enum ipsec_status
fake_probe(struct store *store, struct ipsec_fault *fault)
{
    (void)store;
    fake.probes++;
    return fake_fail(fake.probe_status, fault);
}

static inline enum ipsec_status
fake_read_replay(struct store *store,
                 uint64_t number,
                 struct ipsec_fault *fault,
                 void **answer_out,
                 size_t *answer_size_out)
{
    const struct fake_row *row = fake_find(STORE_PUT_REPLAY, number);

    (void)store;
    fake.answers_read++;
    if (row == NULL)
        return fake_fail(IPSEC_NOT_FOUND, fault);
    *answer_out = strdup(row->text);
    *answer_size_out = strlen(row->text);
    return IPSEC_OK;
}

static inline void
fake_clear(void)
{
    while (fake.row_count > 0)
        fake_remove_row(fake.row_count - 1);
    free(fake.rows);
    memset(&fake, 0, sizeof fake);
}

static const struct store_ops fake_store = {
    .name = "fake",
    .open = fake_open,
    .close = fake_close,
    .load = fake_load,
    .commit = fake_commit,
    .probe = fake_probe,
    .read_replay = fake_read_replay,
};
