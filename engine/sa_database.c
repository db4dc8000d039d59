/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_database.c: see sa_database.h. */
#include "engine/sa_database.h"

#include "engine/base/clock.h"
#include "engine/sa_index.h"
#include "engine/sa_labels.h"
#include "engine/state.h"

/* A million of them are to fit. */
_Static_assert(sizeof(struct ipsec_sa_context) <= 144, "an SA context has grown");

enum { SWEEP_LEAST = 64 };

static bool timer_is_valid(const void *owner, struct timer_entry entry);
static int64_t end_of(const struct ipsec_sa_context *context);
static void unref_parts(const struct ipsec_sa_context *context);

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
sa_load(struct engine_state *state, const struct ipsec_sa_context *context)
{
    if (!sa_index_reserve(&state->sa) || !id_table_insert(&state->contexts, context))
        return false;
    sa_index_move(state, NULL, context);
    sa_index_move_timer(state, NULL, context);
    return true;
}

bool
sa_load_quarantine(struct engine_state *state, uint32_t spi, int64_t until_ms)
{
    if (!sa_index_reserve(&state->sa))
        return false;
    (void)spi_table_quarantine(&state->sa.spis, spi, until_ms);
    timer_add(&state->sa.timers, until_ms, SA_TIMER_SPI | spi);
    return true;
}

const struct ipsec_sa_context *
sa_find(const struct engine_state *state, uint64_t id)
{
    return id_table_find(&state->contexts, id);
}

struct ipsec_sa_context
sa_copy(const struct engine_state *state, const struct ipsec_sa_context *context)
{
    struct ipsec_sa_context copy = *context;

    copy.due_at_ms = sa_wall_ms(state, end_of(context));
    (void)sa_bundle_ref(copy.inbound);
    (void)sa_bundle_ref(copy.outbound);
    (void)sa_labels_ref(copy.labels);
    return copy;
}

/* With an idle timeout the engine looks at a keyed context before. */
static int64_t
end_of(const struct ipsec_sa_context *context)
{
    int64_t end_ms;

    if (context->state != IPSEC_SA_CONTEXT_INBOUND && context->state != IPSEC_SA_CONTEXT_ACTIVE)
        return context->due_at_ms;
    end_ms = sa_bundle_private(context->inbound)->end_ms;
    if (context->outbound != NULL &&
        sa_bundle_private(context->outbound)->end_ms < end_ms - SA_GRACE_MS)
        end_ms = sa_bundle_private(context->outbound)->end_ms + SA_GRACE_MS;
    return end_ms == INT64_MAX ? 0 : end_ms;
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

bool
sa_timer_is_valid(const struct engine_state *state, struct timer_entry entry)
{
    return timer_is_valid(state, entry);
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

static void
unref_parts(const struct ipsec_sa_context *context)
{
    sa_bundle_unref(context->inbound);
    sa_bundle_unref(context->outbound);
    sa_labels_unref(context->labels);
}
