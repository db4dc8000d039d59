/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_index.c: see sa_index.h. */
#include "engine/sa_index.h"

#include <string.h>

#include "engine/hash_index.h"
#include "engine/sa_policy.h"
#include "engine/state.h"

static void index_context(struct engine_state *state, const struct ipsec_sa_context *context);
static void unindex_context(struct engine_state *state, const struct ipsec_sa_context *context);
static bool same_indexes(const struct ipsec_sa_context *from, const struct ipsec_sa_context *to);
static uint64_t hash_traffic(const struct sa_database *database,
                             const struct ipsec_traffic *traffic);

bool
sa_index_reserve(struct sa_database *database)
{
    return spi_table_reserve(&database->spis) && number_map_reserve(&database->traffics, 1) &&
           timer_reserve(&database->timers, 2);
}

void
sa_index_move(struct engine_state *state,
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

void
sa_index_move_timer(struct engine_state *state,
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
