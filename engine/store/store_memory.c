/* SPDX-License-Identifier: Apache-2.0
 *
 * store_memory.c: a store that forgets everything at close.
 *
 * The reference for the others: what a load hands over after commits is what they must hand over.
 * A commit applies its changes one by one and notes what each replaced; when one fails, the notes
 * are played back, so that the store is as before. */
#include "engine/store/store.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine/store/record_table.h"

/* In the order in which they are loaded. */
enum table {
    PRINCIPALS,
    PROVIDER_CONTEXTS,
    FILTERS,
    SA_CONTEXTS,
    SESSIONS,
    QUARANTINES, /* by SPI */
    DESCRIPTORS, /* by container, from 1 */
    REPLAYS,
    TABLE_COUNT,
};

struct store {
    struct record_table tables[TABLE_COUNT];
    struct store_marks marks;
};

/* What stood in a table before a change. */
struct note {
    struct record_table *table;
    uint64_t number;
    void *previous; /* owned until the commit is decided; null: nothing stood there */
};

struct notebook {
    struct note *notes;
    size_t count;
    size_t capacity;
};

static enum ipsec_status
load_record(const struct store_loader *loader, enum table table, const void *record);
static enum ipsec_status
apply(struct store *store, const struct store_change *change, struct notebook *notebook);
static enum ipsec_status
apply_delete_replays_below(struct store *store, uint64_t number, struct notebook *notebook);
static enum ipsec_status
add(struct notebook *notebook, struct record_table *table, uint64_t number, void *record);
static enum ipsec_status
replace(struct notebook *notebook, struct record_table *table, uint64_t number, void *record);
static enum ipsec_status
set(struct notebook *notebook, struct record_table *table, uint64_t number, void *record);
static bool notebook_reserve(struct notebook *notebook);
static void forget(struct notebook *notebook);
static void play_back(struct notebook *notebook);
static void *copy_bytes(const void *bytes, size_t size);
static void *copy_principal(const struct store_principal *principal);
static void *copy_filter(const struct ipsec_filter *filter);
static void *copy_provider_context(const struct ipsec_provider_context *source);
static void *copy_sa_context(const struct ipsec_sa_context *source);
static void *copy_descriptor(const struct store_descriptor *descriptor);
static void *copy_replay(const struct store_replay *replay);
static enum ipsec_status
set_fault(struct ipsec_fault *fault, enum ipsec_status status, const struct store_change *change);

static enum ipsec_status
memory_open(const char *path, struct ipsec_fault *fault, struct store **store_out)
{
    (void)path;
    *store_out = calloc(1, sizeof **store_out);
    if (*store_out == NULL)
        return set_fault(fault, IPSEC_RPC_OUT_OF_RESOURCES, NULL);
    return IPSEC_OK;
}

static void
memory_close(struct store *store)
{
    if (store == NULL)
        return;
    for (size_t i = 0; i < TABLE_COUNT; i++)
        record_table_clear(&store->tables[i]);
    free(store);
}

static enum ipsec_status
memory_load(struct store *store,
            const struct store_loader *loader,
            struct store_marks *marks_out,
            struct ipsec_fault *fault)
{
    enum ipsec_status status = IPSEC_OK;

    (void)fault;
    for (size_t i = 0; i < TABLE_COUNT && status == IPSEC_OK; i++) {
        const struct record_table *table = &store->tables[i];

        for (size_t j = 0; j < table->row_count && status == IPSEC_OK; j++) {
            if (table->rows[j].record != NULL)
                status = load_record(loader, (enum table)i, table->rows[j].record);
        }
    }
    *marks_out = store->marks;
    return status;
}

static enum ipsec_status
load_record(const struct store_loader *loader, enum table table, const void *record)
{
    struct store_replay replay;

    switch (table) {
    case PRINCIPALS:
        return loader->principal(loader->context, record);
    case PROVIDER_CONTEXTS:
        return loader->provider_context(loader->context, record);
    case FILTERS:
        return loader->filter(loader->context, record);
    case SA_CONTEXTS:
        return loader->sa_context(loader->context, record);
    case SESSIONS:
        return loader->session(loader->context, record);
    case QUARANTINES:
        return loader->quarantine(loader->context, record);
    case DESCRIPTORS:
        return loader->descriptor(loader->context, record);
    case REPLAYS: /* answers are read one by one */
        replay = *(const struct store_replay *)record;
        replay.answer = NULL;
        replay.answer_size = 0;
        return loader->replay(loader->context, &replay);
    case TABLE_COUNT:
        break;
    }
    abort();
}

static enum ipsec_status
memory_commit(struct store *store,
              const struct store_change *changes,
              size_t change_count,
              const struct store_marks *marks,
              struct ipsec_fault *fault)
{
    struct notebook notebook = { 0 };

    for (size_t i = 0; i < change_count; i++) {
        enum ipsec_status status = apply(store, &changes[i], &notebook);
        if (status != IPSEC_OK) {
            play_back(&notebook);
            return set_fault(fault, status, &changes[i]);
        }
    }
    forget(&notebook);
    store->marks = *marks;
    for (size_t i = 0; i < TABLE_COUNT; i++)
        record_table_tidy(&store->tables[i]);
    return IPSEC_OK;
}

static enum ipsec_status
memory_probe(struct store *store, struct ipsec_fault *fault)
{
    (void)store;
    (void)fault;
    return IPSEC_OK;
}

static enum ipsec_status
memory_read_replay(struct store *store,
                   uint64_t number,
                   struct ipsec_fault *fault,
                   void **answer_out,
                   size_t *answer_size_out)
{
    const struct store_replay *replay = record_table_find(&store->tables[REPLAYS], number);

    if (replay == NULL)
        return ipsec_fault_set(fault, IPSEC_NOT_FOUND, IPSEC_FAULT_SERVICE, NULL,
                               "no remembered answer has number %" PRIu64, number);
    *answer_out = copy_bytes(replay->answer, replay->answer_size);
    if (*answer_out == NULL)
        return set_fault(fault, IPSEC_RPC_OUT_OF_RESOURCES, NULL);
    *answer_size_out = replay->answer_size;
    return IPSEC_OK;
}

const struct store_ops store_memory = {
    .name = "memory",
    .open = memory_open,
    .close = memory_close,
    .load = memory_load,
    .commit = memory_commit,
    .probe = memory_probe,
    .read_replay = memory_read_replay,
};

static enum ipsec_status
apply(struct store *store, const struct store_change *change, struct notebook *notebook)
{
    switch (change->kind) {
    case STORE_PUT_PRINCIPAL:
        return add(notebook, &store->tables[PRINCIPALS], change->principal.id,
                   copy_principal(&change->principal));
    case STORE_PUT_FILTER:
        return add(notebook, &store->tables[FILTERS], change->filter->id,
                   copy_filter(change->filter));
    case STORE_DELETE_FILTER:
        return replace(notebook, &store->tables[FILTERS], change->id, NULL);
    case STORE_PUT_SA_CONTEXT:
        return add(notebook, &store->tables[SA_CONTEXTS], change->sa_context->id,
                   copy_sa_context(change->sa_context));
    case STORE_DELETE_SA_CONTEXT:
        return replace(notebook, &store->tables[SA_CONTEXTS], change->id, NULL);
    case STORE_PUT_REPLAY:
        return add(notebook, &store->tables[REPLAYS], change->replay->number,
                   copy_replay(change->replay));
    case STORE_DELETE_REPLAY:
        return replace(notebook, &store->tables[REPLAYS], change->id, NULL);
    case STORE_DELETE_REPLAYS_BELOW:
        return apply_delete_replays_below(store, change->id, notebook);
    case STORE_PUT_PROVIDER_CONTEXT:
        return add(notebook, &store->tables[PROVIDER_CONTEXTS], change->provider_context->id,
                   copy_provider_context(change->provider_context));
    case STORE_DELETE_PROVIDER_CONTEXT:
        return replace(notebook, &store->tables[PROVIDER_CONTEXTS], change->id, NULL);
    case STORE_SET_SA_CONTEXT:
        return set(notebook, &store->tables[SA_CONTEXTS], change->sa_context->id,
                   copy_sa_context(change->sa_context));
    case STORE_PUT_SESSION:
        return add(notebook, &store->tables[SESSIONS], change->session->number,
                   copy_bytes(change->session, sizeof *change->session));
    case STORE_DELETE_SESSION:
        return replace(notebook, &store->tables[SESSIONS], change->id, NULL);
    case STORE_PUT_QUARANTINE:
        return set(notebook, &store->tables[QUARANTINES], change->quarantine->spi,
                   copy_bytes(change->quarantine, sizeof *change->quarantine));
    case STORE_DELETE_QUARANTINE:
        return replace(notebook, &store->tables[QUARANTINES], change->id, NULL);
    case STORE_DELETE_DESCRIPTOR:
        return replace(notebook, &store->tables[DESCRIPTORS], change->id, NULL);
    case STORE_PUT_DESCRIPTOR:
        return set(notebook, &store->tables[DESCRIPTORS],
                   change->descriptor->container + UINT64_C(1),
                   copy_descriptor(change->descriptor));
    }
    abort();
}

static enum ipsec_status
apply_delete_replays_below(struct store *store, uint64_t number, struct notebook *notebook)
{
    size_t end = record_table_seek(&store->tables[REPLAYS], number);
    enum ipsec_status status = IPSEC_OK;

    for (size_t i = 0; i < end && status == IPSEC_OK; i++) {
        if (store->tables[REPLAYS].rows[i].record != NULL)
            status = replace(notebook, &store->tables[REPLAYS],
                             store->tables[REPLAYS].rows[i].number, NULL);
    }
    return status;
}

/* Takes 'record', which must be new to the table; null says that copying it failed. */
static enum ipsec_status
add(struct notebook *notebook, struct record_table *table, uint64_t number, void *record)
{
    if (record == NULL)
        return IPSEC_RPC_OUT_OF_RESOURCES;
    if (record_table_find(table, number) != NULL) {
        free(record);
        return IPSEC_RPC_INVALID_DATA;
    }
    return replace(notebook, table, number, record);
}

/* Takes 'record', in place of what the number has; null says that copying it failed. */
static enum ipsec_status
set(struct notebook *notebook, struct record_table *table, uint64_t number, void *record)
{
    return record == NULL ? IPSEC_RPC_OUT_OF_RESOURCES : replace(notebook, table, number, record);
}

/* Takes 'record'; null deletes. */
static enum ipsec_status
replace(struct notebook *notebook, struct record_table *table, uint64_t number, void *record)
{
    void *previous = NULL;

    if (!notebook_reserve(notebook) || !record_table_swap(table, number, record, &previous)) {
        free(record);
        return IPSEC_RPC_OUT_OF_RESOURCES;
    }
    notebook->notes[notebook->count++] =
        (struct note){ .table = table, .number = number, .previous = previous };
    return IPSEC_OK;
}

/* Makes room for one more note. */
static bool
notebook_reserve(struct notebook *notebook)
{
    if (notebook->count < notebook->capacity)
        return true;

    size_t capacity = notebook->capacity == 0 ? 64 : notebook->capacity * 2;
    struct note *notes = reallocarray(notebook->notes, capacity, sizeof *notes);
    if (notes == NULL)
        return false;
    notebook->notes = notes;
    notebook->capacity = capacity;
    return true;
}

/* The changes stand. */
static void
forget(struct notebook *notebook)
{
    for (size_t i = 0; i < notebook->count; i++)
        free(notebook->notes[i].previous);
    free(notebook->notes);
}

/* The changes are undone, the last one first.  Needs no memory: every number has its row. */
static void
play_back(struct notebook *notebook)
{
    while (notebook->count > 0) {
        const struct note *note = &notebook->notes[--notebook->count];
        void *undone = NULL;
        if (!record_table_swap(note->table, note->number, note->previous, &undone))
            abort();
        free(undone);
    }
    free(notebook->notes);
}

static void *
copy_bytes(const void *bytes, size_t size)
{
    void *copy = malloc(size == 0 ? 1 : size);

    if (copy != NULL && size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

/* Copies are one block each: the struct, then what it points to.  A packer hands out the room
 * behind the struct. */
struct packer {
    unsigned char *next;
};

static size_t
text_size(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

static size_t
aligned(size_t size)
{
    return (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
}

/* Null stays null. */
static void *
pack(struct packer *packer, const void *bytes, size_t size)
{
    if (bytes == NULL || size == 0)
        return NULL;
    void *copy = memcpy(packer->next, bytes, size);
    packer->next += size;
    return copy;
}

static void *
pack_aligned(struct packer *packer, const void *bytes, size_t size)
{
    void *copy = pack(packer, bytes, size);

    packer->next += copy == NULL ? 0 : aligned(size) - size;
    return copy;
}

static void *
copy_principal(const struct store_principal *principal)
{
    size_t name_size = text_size(principal->name);
    struct store_principal *copy = malloc(sizeof *copy + name_size);

    if (copy == NULL)
        return NULL;
    *copy = (struct store_principal){ .id = principal->id,
                                      .name = memcpy(copy + 1, principal->name, name_size) };
    return copy;
}

static void *
copy_filter(const struct ipsec_filter *filter)
{
    struct ipsec_filter *copy = malloc(sizeof *copy + text_size(filter->name) +
                                       text_size(filter->description) + filter->provider_data_size);

    if (copy == NULL)
        return NULL;
    struct packer packer = { .next = (unsigned char *)(copy + 1) };
    *copy = *filter;
    copy->name = pack(&packer, filter->name, text_size(filter->name));
    copy->description = pack(&packer, filter->description, text_size(filter->description));
    copy->provider_data = pack(&packer, filter->provider_data, filter->provider_data_size);
    return copy;
}

static void *
copy_provider_context(const struct ipsec_provider_context *source)
{
    struct ipsec_provider_context *copy =
        malloc(sizeof *copy + text_size(source->name) + text_size(source->description) +
               source->provider_data_size + text_size(source->policy));

    if (copy == NULL)
        return NULL;
    struct packer packer = { .next = (unsigned char *)(copy + 1) };
    *copy = *source;
    copy->name = pack(&packer, source->name, text_size(source->name));
    copy->description = pack(&packer, source->description, text_size(source->description));
    copy->provider_data = pack(&packer, source->provider_data, source->provider_data_size);
    copy->policy = pack(&packer, source->policy, text_size(source->policy));
    return copy;
}

static size_t
bundle_size(const struct ipsec_sa_bundle *bundle)
{
    if (bundle == NULL)
        return 0;
    return aligned(sizeof *bundle) + aligned(bundle->key_module_state_size) +
           (bundle->ipsec_id == NULL ? 0 : aligned(sizeof *bundle->ipsec_id));
}

static const struct ipsec_sa_bundle *
pack_bundle(struct packer *packer, const struct ipsec_sa_bundle *bundle)
{
    struct ipsec_sa_bundle *copy = pack_aligned(packer, bundle, sizeof *bundle);

    if (copy == NULL)
        return NULL;
    copy->key_module_state =
        pack_aligned(packer, bundle->key_module_state, bundle->key_module_state_size);
    copy->ipsec_id = pack_aligned(packer, bundle->ipsec_id, sizeof *bundle->ipsec_id);
    return copy;
}

static size_t
labels_size(const struct ipsec_labels *labels)
{
    size_t size = labels == NULL ? 0 : aligned(sizeof *labels);

    for (uint32_t i = 0; labels != NULL && i < labels->count; i++)
        size += text_size(labels->pairs[i].name) + text_size(labels->pairs[i].value);
    return size;
}

static const struct ipsec_labels *
pack_labels(struct packer *packer, const struct ipsec_labels *labels)
{
    struct ipsec_labels *copy = pack_aligned(packer, labels, sizeof *labels);

    for (uint32_t i = 0; copy != NULL && i < copy->count; i++) {
        struct ipsec_label *pair = &copy->pairs[i];

        pair->name = pack(packer, pair->name, text_size(pair->name));
        pair->value = pack(packer, pair->value, text_size(pair->value));
    }
    return copy;
}

static void *
copy_sa_context(const struct ipsec_sa_context *source)
{
    size_t head_size = aligned(sizeof *source);
    unsigned char *block = malloc(head_size + bundle_size(source->inbound) +
                                  bundle_size(source->outbound) + labels_size(source->labels));

    if (block == NULL)
        return NULL;
    struct packer packer = { .next = block + head_size };
    struct ipsec_sa_context *copy = memcpy(block, source, sizeof *source);
    copy->inbound = pack_bundle(&packer, source->inbound);
    copy->outbound = pack_bundle(&packer, source->outbound);
    copy->labels = pack_labels(&packer, source->labels);
    return copy;
}

static void *
copy_descriptor(const struct store_descriptor *descriptor)
{
    size_t size = text_size(descriptor->text);
    struct store_descriptor *copy = malloc(sizeof *copy + size);

    if (copy == NULL)
        return NULL;
    *copy = (struct store_descriptor){ .container = descriptor->container,
                                       .text = memcpy(copy + 1, descriptor->text, size) };
    return copy;
}

static void *
copy_replay(const struct store_replay *replay)
{
    struct store_replay *copy = malloc(sizeof *copy + replay->answer_size);

    if (copy == NULL)
        return NULL;
    *copy = *replay;
    copy->answer = copy + 1;
    if (replay->answer_size > 0)
        memcpy(copy + 1, replay->answer, replay->answer_size);
    return copy;
}

/* 'change' is the one that failed; null when none did. */
static enum ipsec_status
set_fault(struct ipsec_fault *fault, enum ipsec_status status, const struct store_change *change)
{
    if (status == IPSEC_RPC_OUT_OF_RESOURCES || change == NULL)
        return ipsec_fault_set(fault, status, IPSEC_FAULT_SERVICE, NULL,
                               "store in memory: out of memory");
    return ipsec_fault_set(fault, status, IPSEC_FAULT_SERVICE, NULL,
                           "store in memory: a new record of kind %d has a number that is taken",
                           (int)change->kind);
}
