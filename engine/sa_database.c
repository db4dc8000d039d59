/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_database.c: see sa_database.h. */
#include "engine/sa_database.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/hash_index.h"
#include "engine/sa_labels.h"
#include "engine/sa_policy.h"
#include "engine/state.h"

/* A million of them are to fit. */
_Static_assert(sizeof(struct ipsec_sa_context) <= 144, "an SA context has grown");

enum { SWEEP_LEAST = 64 };

/* What stands in the batch for one change of a context. */
struct sa_change {
    struct ipsec_sa_context before; /* not of a new one */
    struct ipsec_sa_context stored; /* not of one that goes; as the store has it */
    struct store_quarantine quarantine;
    int64_t quarantine_before_ms; /* CLOCK_BOOTTIME; 0: the SPI did not rest */
};

static uint64_t hash_traffic(const struct sa_database *database,
                             const struct ipsec_traffic *traffic);
static bool reserve_indexes(struct sa_database *database);
static void move_indexes(struct engine_state *state,
                         const struct ipsec_sa_context *from,
                         const struct ipsec_sa_context *to);
static void index_context(struct engine_state *state, const struct ipsec_sa_context *context);
static void unindex_context(struct engine_state *state, const struct ipsec_sa_context *context);
static bool same_indexes(const struct ipsec_sa_context *from, const struct ipsec_sa_context *to);
static void count_active(struct engine_state *state,
                         const struct ipsec_sa_context *from,
                         const struct ipsec_sa_context *to,
                         uint32_t step);
static void move_timer(struct engine_state *state,
                       const struct ipsec_sa_context *from,
                       const struct ipsec_sa_context *to);
static bool timer_is_valid(const void *owner, struct timer_entry entry);
static bool add_event(struct engine_state *state,
                      const struct ipsec_sa_context *context,
                      enum ipsec_change_type type,
                      enum ipsec_change_reason reason);
static bool log_change(struct engine_state *state,
                       enum store_change_kind kind,
                       const struct undo_ops *ops,
                       struct sa_change *change,
                       uint64_t id);
static bool log_quarantine(struct engine_state *state, struct sa_change *change);
static void unref_parts(const struct ipsec_sa_context *context);
static void unref_other_parts(const struct ipsec_sa_context *context,
                              const struct ipsec_sa_context *kept);
static void undo_put(struct engine_state *state, void *object, uint64_t number);
static void undo_set(struct engine_state *state, void *object, uint64_t number);
static void settle_set(struct engine_state *state, void *object, uint64_t number);
static void undo_delete(struct engine_state *state, void *object, uint64_t number);
static void settle_delete(struct engine_state *state, void *object, uint64_t number);
static void undo_quarantine(struct engine_state *state, void *object, uint64_t number);
static void undo_reschedule(struct engine_state *state, void *object, uint64_t number);
static void undo_rekey(struct engine_state *state, void *object, uint64_t number);

static const struct undo_ops put_ops = { .undo = undo_put };
static const struct undo_ops set_ops = { .undo = undo_set, .settle = settle_set };
static const struct undo_ops delete_ops = { .undo = undo_delete, .settle = settle_delete };
static const struct undo_ops quarantine_ops = { .undo = undo_quarantine };
static const struct undo_ops reschedule_ops = { .undo = undo_reschedule };
static const struct undo_ops rekey_ops = { .undo = undo_rekey };

bool
sa_database_init(struct sa_database *database)
{
    *database = (struct sa_database){ .plane_ops = &plane_none };
    number_map_init(&database->traffics);
    random_bytes(&database->traffic_seed, sizeof database->traffic_seed);
    database->digester = sa_digester_new();
    return spi_table_init(&database->spis, SPI_FIRST, UINT32_MAX) && database->digester != NULL;
}

enum ipsec_status
sa_database_configure(struct sa_database *database,
                      const struct ipsec_engine_options *options,
                      const struct plane_ops *plane_ops,
                      struct ipsec_fault *fault)
{
    uint32_t minimum = options->spi_minimum == 0 ? SPI_FIRST : options->spi_minimum;
    uint32_t maximum = options->spi_maximum == 0 ? UINT32_MAX : options->spi_maximum;
    const char *uri = options->plane_uri == NULL ? "none" : options->plane_uri;
    const char *argument = "";

    if (minimum < SPI_FIRST)
        return ipsec_fault_set(fault, IPSEC_OUT_OF_BOUNDS, IPSEC_FAULT_SERVICE, "spi-minimum",
                               "SPIs below 256 are reserved");
    if (maximum < minimum)
        return ipsec_fault_set(fault, IPSEC_OUT_OF_BOUNDS, IPSEC_FAULT_SERVICE, "spi-maximum",
                               "the range of SPIs ends before it begins");
    database->settings = (struct sa_settings){
        .larval_timeout_ms = options->larval_timeout_ms,
        .quarantine_ms = options->quarantine_ms,
        .allow_weak_transforms = options->allow_weak_transforms,
    };
    spi_table_clear(&database->spis);
    if (!spi_table_init(&database->spis, minimum, maximum))
        return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                               "no memory for the range of SPIs");
    const struct plane_ops *ops = plane_ops != NULL ? plane_ops : plane_find(uri, &argument);
    if (ops == NULL)
        return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_SERVICE, "plane",
                               "\"%s\" names no data plane", uri);
    database->plane_ops = ops;
    database->resuming = ops->resume != NULL;
    return ops->open(argument, fault, &database->plane);
}

void
sa_database_clear(struct engine_state *state)
{
    struct sa_database *database = &state->sa;
    struct id_table_cursor cursor = id_table_seek(&state->contexts, 0);
    const struct ipsec_sa_context *context;

    while ((context = id_table_next(&state->contexts, &cursor)) != NULL)
        unref_parts(context);
    id_table_clear(&state->contexts);
    if (database->plane_ops != NULL)
        database->plane_ops->close(database->plane);
    spi_table_clear(&database->spis);
    number_map_clear(&database->traffics);
    timer_heap_clear(&database->timers);
    sa_digester_free(database->digester);
    database->digester = NULL;
    database->plane = NULL;
}

void
sa_database_settle(struct engine_state *state)
{
    struct sa_database *database = &state->sa;

    timer_settle(&database->timers);
    timer_sweep(&database->timers, SWEEP_LEAST + 4 * state->batch.undo_count, timer_is_valid,
                state);
    spi_table_tidy(&database->spis);
    number_map_tidy(&database->traffics);
}

bool
sa_timer_is_valid(const struct engine_state *state, struct timer_entry entry)
{
    return timer_is_valid(state, entry);
}

/* --- Changes --- */

bool
sa_put(struct engine_state *state, struct ipsec_sa_context *context)
{
    struct batch *batch = &state->batch;
    struct batch_mark mark = batch_mark(batch);
    struct ipsec_sa_context *stored;

    context->revision = state->revision + 1;
    stored = batch_copy(batch, context, sizeof *context);
    if (stored == NULL || !reserve_indexes(&state->sa) || !batch_reserve(batch, 1) ||
        !add_event(state, context, IPSEC_CHANGE_ADD, IPSEC_REASON_CALL) ||
        !id_table_insert(&state->contexts, context)) {
        batch_cut(batch, mark);
        return false;
    }
    stored->due_at_ms = sa_wall_ms(state, context->due_at_ms);
    if (!batch_change(batch, (struct store_change){ .kind = STORE_PUT_SA_CONTEXT,
                                                    .id = context->id,
                                                    .sa_context = stored }) ||
        !batch_undo(batch, &put_ops, NULL, context->id))
        abort(); /* there is room */
    state->revision++;
    move_indexes(state, NULL, context);
    count_active(state, NULL, context, 1);
    move_timer(state, NULL, context);
    return true;
}

const struct ipsec_sa_context *
sa_set(struct engine_state *state,
       struct ipsec_sa_context *changed,
       enum ipsec_change_reason reason)
{
    struct batch *batch = &state->batch;
    struct batch_mark mark = batch_mark(batch);
    struct ipsec_sa_context *row = id_table_find(&state->contexts, changed->id);
    struct sa_change change = { .before = *row };

    changed->revision = state->revision + 1;
    change.stored = *changed;
    change.stored.due_at_ms = sa_wall_ms(state, changed->due_at_ms);
    struct sa_change *copy = batch_copy(batch, &change, sizeof change);
    if (copy == NULL || !reserve_indexes(&state->sa) ||
        !add_event(state, changed, IPSEC_CHANGE_UPDATE, reason) ||
        !log_change(state, STORE_SET_SA_CONTEXT, &set_ops, copy, changed->id)) {
        batch_cut(batch, mark);
        return NULL;
    }
    state->revision++;
    move_indexes(state, &copy->before, changed);
    count_active(state, &copy->before, changed, 1);
    move_timer(state, &copy->before, changed);
    *row = *changed;
    return &copy->before;
}

const struct ipsec_sa_context *
sa_delete(struct engine_state *state,
          uint64_t id,
          enum ipsec_change_reason reason,
          bool no_quarantine)
{
    struct batch *batch = &state->batch;
    struct batch_mark mark = batch_mark(batch);
    const struct ipsec_sa_context *row = id_table_find(&state->contexts, id);
    bool rests = row->spi != 0 && !no_quarantine && state->sa.settings.quarantine_ms > 0;
    struct sa_change change = { .before = *row };

    if (rests)
        change.quarantine = (struct store_quarantine){
            .spi = row->spi,
            .until_ms = state->now_ms + state->sa.settings.quarantine_ms,
        };
    struct sa_change *copy = batch_copy(batch, &change, sizeof change);
    state->revision++;
    if (copy == NULL || !reserve_indexes(&state->sa) || !batch_reserve(batch, 2) ||
        !add_event(state, &copy->before, IPSEC_CHANGE_DELETE, reason) ||
        !log_change(state, STORE_DELETE_SA_CONTEXT, &delete_ops, copy, id) ||
        (rests && !log_quarantine(state, copy))) {
        state->revision--;
        batch_cut(batch, mark);
        return NULL;
    }
    id_table_remove(&state->contexts, id);
    move_indexes(state, &copy->before, NULL);
    count_active(state, &copy->before, NULL, 1);
    move_timer(state, &copy->before, NULL);
    if (rests) {
        int64_t until_ms = state->clock_ms + state->sa.settings.quarantine_ms;

        copy->quarantine_before_ms =
            spi_table_quarantine(&state->sa.spis, copy->before.spi, until_ms);
        timer_add(&state->sa.timers, until_ms, SA_TIMER_SPI | copy->before.spi);
        if (copy->quarantine_before_ms != 0)
            timer_forget(&state->sa.timers);
    }
    return &copy->before;
}

bool
sa_reschedule(struct engine_state *state, uint64_t id, int64_t due_ms)
{
    struct ipsec_sa_context *row = id_table_find(&state->contexts, id);
    struct batch_mark mark = batch_mark(&state->batch);
    int64_t *before = batch_copy(&state->batch, &row->due_at_ms, sizeof row->due_at_ms);

    if (before == NULL || !timer_reserve(&state->sa.timers, 1) ||
        !batch_undo(&state->batch, &reschedule_ops, before, id)) {
        batch_cut(&state->batch, mark);
        return false;
    }
    struct ipsec_sa_context changed = *row;
    changed.due_at_ms = due_ms;
    move_timer(state, row, &changed);
    row->due_at_ms = due_ms;
    return true;
}

bool
sa_count_rekey(struct engine_state *state)
{
    if (!batch_undo(&state->batch, &rekey_ops, NULL, 0))
        return false;
    state->sa.counters.rekeys++;
    return true;
}

bool
sa_load(struct engine_state *state, const struct ipsec_sa_context *context)
{
    if (!reserve_indexes(&state->sa) || !id_table_insert(&state->contexts, context))
        return false;
    move_indexes(state, NULL, context);
    move_timer(state, NULL, context);
    return true;
}

bool
sa_load_quarantine(struct engine_state *state, uint32_t spi, int64_t until_ms)
{
    if (!reserve_indexes(&state->sa))
        return false;
    (void)spi_table_quarantine(&state->sa.spis, spi, until_ms);
    timer_add(&state->sa.timers, until_ms, SA_TIMER_SPI | spi);
    return true;
}

/* --- Questions --- */

const struct ipsec_sa_context *
sa_find(const struct engine_state *state, uint64_t id)
{
    return id_table_find(&state->contexts, id);
}

struct number_map_cursor
sa_seek_traffic(const struct engine_state *state, const struct ipsec_traffic *traffic)
{
    return number_map_seek(&state->sa.traffics, hash_traffic(&state->sa, traffic));
}

uint64_t
sa_next_traffic(const struct engine_state *state,
                const struct ipsec_traffic *traffic,
                struct number_map_cursor *cursor)
{
    uint64_t hash = hash_traffic(&state->sa, traffic);
    uint64_t id;

    while ((id = number_map_next(&state->sa.traffics, hash, cursor)) != 0) {
        if (sa_traffic_equal(&sa_find(state, id)->outbound_traffic, traffic))
            return id;
    }
    return 0;
}

struct ipsec_sa_context
sa_copy(const struct engine_state *state, const struct ipsec_sa_context *context)
{
    struct ipsec_sa_context copy = *context;

    copy.due_at_ms = sa_wall_ms(state, context->due_at_ms);
    (void)sa_bundle_ref(copy.inbound);
    (void)sa_bundle_ref(copy.outbound);
    (void)sa_labels_ref(copy.labels);
    return copy;
}

void
ipsec_sa_context_unref(struct ipsec_sa_context *context)
{
    unref_parts(context);
    context->inbound = NULL;
    context->outbound = NULL;
    context->labels = NULL;
}

int64_t
sa_wall_ms(const struct engine_state *state, int64_t due_ms)
{
    return due_ms == 0 ? 0 : state->now_ms + (due_ms - state->clock_ms);
}

/* --- Indexes --- */

/* A digest of all members; the struct has no padding between them but at its end. */
static uint64_t
hash_traffic(const struct sa_database *database, const struct ipsec_traffic *traffic)
{
    uint64_t words[8] = {
        [4] = traffic->ipsec_filter_id,
        [5] = traffic->tunnel_policy_id,
        [6] = (uint64_t)traffic->local_port << 48 | (uint64_t)traffic->remote_port << 32 |
              (uint64_t)traffic->ip_protocol << 16 | (uint64_t)traffic->ip_version << 8 |
              traffic->type,
    };

    memcpy(&words[0], traffic->local_address.bytes, sizeof traffic->local_address.bytes);
    memcpy(&words[2], traffic->remote_address.bytes, sizeof traffic->remote_address.bytes);
    return hash_bytes(database->traffic_seed, words, sizeof words);
}

static bool
reserve_indexes(struct sa_database *database)
{
    return spi_table_reserve(&database->spis) && number_map_reserve(&database->traffics, 1) &&
           timer_reserve(&database->timers, 2);
}

static void
move_indexes(struct engine_state *state,
             const struct ipsec_sa_context *from,
             const struct ipsec_sa_context *to)
{
    if (from != NULL && to != NULL && same_indexes(from, to)) {
        state->contexts_by_state[from->state]--;
        state->contexts_by_state[to->state]++;
        return;
    }
    if (from != NULL)
        unindex_context(state, from);
    if (to != NULL)
        index_context(state, to);
}

static void
index_context(struct engine_state *state, const struct ipsec_sa_context *context)
{
    struct sa_database *database = &state->sa;

    state->contexts_by_state[context->state]++;
    sa_policy_ref(state, context);
    if (context->spi != 0)
        spi_table_take(&database->spis, context->spi, context->id);
    if (context->outbound != NULL)
        number_map_add(&database->traffics, hash_traffic(database, &context->outbound_traffic),
                       context->id);
    if (context->state == IPSEC_SA_CONTEXT_ACTIVE &&
        context->outbound_traffic.type == IPSEC_TRAFFIC_TYPE_TUNNEL)
        database->counters.active_tunnels++;
}

static void
unindex_context(struct engine_state *state, const struct ipsec_sa_context *context)
{
    struct sa_database *database = &state->sa;

    state->contexts_by_state[context->state]--;
    sa_policy_unref(state, context);
    if (context->spi != 0)
        spi_table_release(&database->spis, context->spi, context->id);
    if (context->outbound != NULL)
        number_map_remove(&database->traffics, hash_traffic(database, &context->outbound_traffic),
                          context->id);
    if (context->state == IPSEC_SA_CONTEXT_ACTIVE &&
        context->outbound_traffic.type == IPSEC_TRAFFIC_TYPE_TUNNEL)
        database->counters.active_tunnels--;
}

/* But for the numbers by state. */
static bool
same_indexes(const struct ipsec_sa_context *from, const struct ipsec_sa_context *to)
{
    return from->spi == to->spi && (from->outbound == NULL) == (to->outbound == NULL) &&
           (from->state == IPSEC_SA_CONTEXT_ACTIVE) == (to->state == IPSEC_SA_CONTEXT_ACTIVE) &&
           from->inbound_filter_id == to->inbound_filter_id &&
           sa_traffic_equal(&from->outbound_traffic, &to->outbound_traffic);
}

/* Contexts that become active, and that no longer are; 'step' is 1, or -1 when undone. */
static void
count_active(struct engine_state *state,
             const struct ipsec_sa_context *from,
             const struct ipsec_sa_context *to,
             uint32_t step)
{
    bool was = from != NULL && from->state == IPSEC_SA_CONTEXT_ACTIVE;
    bool is = to != NULL && to->state == IPSEC_SA_CONTEXT_ACTIVE;

    if (is && !was)
        state->sa.counters.added += step;
    if (was && !is)
        state->sa.counters.deleted += step;
}

/* An old timer stays where it is until it is due or swept out.  So undoing needs no timers: the old
 * one is still there. */
static void
move_timer(struct engine_state *state,
           const struct ipsec_sa_context *from,
           const struct ipsec_sa_context *to)
{
    int64_t before = from == NULL ? 0 : from->due_at_ms;
    int64_t after = to == NULL ? 0 : to->due_at_ms;

    if (before == after)
        return;
    if (before != 0)
        timer_forget(&state->sa.timers);
    if (after != 0)
        timer_add(&state->sa.timers, after, to->id);
}

static bool
timer_is_valid(const void *owner, struct timer_entry entry)
{
    const struct engine_state *state = owner;

    if ((entry.what & SA_TIMER_SPI) != 0)
        return spi_table_resting(&state->sa.spis, (uint32_t)entry.what) == entry.due_ms;
    const struct ipsec_sa_context *context = sa_find(state, entry.what);
    return context != NULL && context->due_at_ms == entry.due_ms;
}

/* --- What goes into the batch --- */

static bool
add_event(struct engine_state *state,
          const struct ipsec_sa_context *context,
          enum ipsec_change_type type,
          enum ipsec_change_reason reason)
{
    const struct ipsec_traffic *traffic = &context->outbound_traffic;
    const struct ipsec_event event = {
        .sequence = type == IPSEC_CHANGE_DELETE ? state->revision : context->revision,
        .id = context->id,
        .at_ms = state->now_ms,
        .type = (uint8_t)type,
        .state = context->state,
        .reason = (uint8_t)reason,
        .ip_version = traffic->ip_version,
        .traffic_type = traffic->type,
        .local_address = traffic->local_address,
        .remote_address = traffic->remote_address,
    };

    return batch_event(&state->batch, &event);
}

static bool
log_change(struct engine_state *state,
           enum store_change_kind kind,
           const struct undo_ops *ops,
           struct sa_change *change,
           uint64_t id)
{
    const struct store_change stored = {
        .kind = kind,
        .id = id,
        .sa_context = kind == STORE_DELETE_SA_CONTEXT ? &change->before : &change->stored,
    };

    return batch_reserve(&state->batch, 1) && batch_change(&state->batch, stored) &&
           batch_undo(&state->batch, ops, change, id);
}

static bool
log_quarantine(struct engine_state *state, struct sa_change *change)
{
    const struct store_change stored = {
        .kind = STORE_PUT_QUARANTINE,
        .id = change->quarantine.spi,
        .quarantine = &change->quarantine,
    };

    return batch_change(&state->batch, stored) &&
           batch_undo(&state->batch, &quarantine_ops, change, change->quarantine.spi);
}

static void
unref_parts(const struct ipsec_sa_context *context)
{
    sa_bundle_unref(context->inbound);
    sa_bundle_unref(context->outbound);
    sa_labels_unref(context->labels);
}

/* The parts of 'context' that 'kept' does not have too. */
static void
unref_other_parts(const struct ipsec_sa_context *context, const struct ipsec_sa_context *kept)
{
    if (context->inbound != kept->inbound)
        sa_bundle_unref(context->inbound);
    if (context->outbound != kept->outbound)
        sa_bundle_unref(context->outbound);
    if (context->labels != kept->labels)
        sa_labels_unref(context->labels);
}

/* --- Undoing --- */

static void
undo_put(struct engine_state *state, void *object, uint64_t number)
{
    struct ipsec_sa_context context = *sa_find(state, number);

    (void)object;
    move_indexes(state, &context, NULL);
    count_active(state, NULL, &context, UINT32_MAX);
    id_table_remove(&state->contexts, number);
    if (context.due_at_ms != 0)
        timer_forget(&state->sa.timers);
    unref_parts(&context);
}

static void
undo_set(struct engine_state *state, void *object, uint64_t number)
{
    const struct sa_change *change = object;
    struct ipsec_sa_context *row = id_table_find(&state->contexts, number);

    move_indexes(state, row, &change->before);
    count_active(state, &change->before, row, UINT32_MAX);
    unref_other_parts(row, &change->before);
    *row = change->before;
}

static void
settle_set(struct engine_state *state, void *object, uint64_t number)
{
    const struct sa_change *change = object;

    (void)state;
    (void)number;
    unref_other_parts(&change->before, &change->stored);
}

static void
undo_delete(struct engine_state *state, void *object, uint64_t number)
{
    const struct sa_change *change = object;

    (void)number;
    /* The place it was taken from is still there, see id_table.h. */
    if (!id_table_insert(&state->contexts, &change->before))
        abort();
    move_indexes(state, NULL, &change->before);
    count_active(state, &change->before, NULL, UINT32_MAX);
}

static void
settle_delete(struct engine_state *state, void *object, uint64_t number)
{
    const struct sa_change *change = object;

    unref_parts(&change->before);
    id_table_settle(&state->contexts, number);
}

static void
undo_quarantine(struct engine_state *state, void *object, uint64_t number)
{
    const struct sa_change *change = object;

    (void)spi_table_quarantine(&state->sa.spis, (uint32_t)number, change->quarantine_before_ms);
    timer_forget(&state->sa.timers);
}

static void
undo_reschedule(struct engine_state *state, void *object, uint64_t number)
{
    struct ipsec_sa_context *row = id_table_find(&state->contexts, number);

    row->due_at_ms = *(const int64_t *)object;
}

static void
undo_rekey(struct engine_state *state, void *object, uint64_t number)
{
    (void)object;
    (void)number;
    state->sa.counters.rekeys--;
}
