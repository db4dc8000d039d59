/* SPDX-License-Identifier: Apache-2.0
 *
 * classify.c: see classify.h. */
#include "engine/classify.h"

#include <stdlib.h>
#include <string.h>

#define SLOT_COUNT 4096 /* flows remembered, a power of two */

enum shape_part {
    SHAPE_IP_PROTOCOL = 1,
    SHAPE_LOCAL_PORT = 2,
    SHAPE_REMOTE_PORT = 4,
};

/* What conditions of one shape have in common. */
struct shape {
    uint8_t local_prefix_length;
    uint8_t remote_prefix_length;
    uint8_t parts; /* enum shape_part */
};

struct classify_tuple {
    struct classify_tuple *next;
    uint64_t cell_count;
    uint64_t highest_weight; /* no filter of the tuple weighs more */
    uint8_t layer;
    struct shape shape;
};

/* The conditions of a filter, or a flow cut to a shape.  No padding: it is hashed as bytes. */
struct cell_key {
    struct ipsec_address local_address;
    struct ipsec_address remote_address;
    uint64_t tuple;
    uint16_t local_port;
    uint16_t remote_port;
    uint32_t ip_protocol;
};

/* The filters with exactly the same conditions, best first. */
struct classify_cell {
    struct hash_link link;
    struct classify_tuple *tuple;
    struct classify_node *first;
    struct classify_node *last;
    uint64_t node_count;    /* also those removed and not yet released */
    uint64_t inexact_count; /* of these */
    struct cell_key key;
};

static struct classify_tuple *
find_tuple(const struct classify *classify, uint8_t layer, const struct shape *shape);
static struct classify_tuple *
find_or_add_tuple(struct classify *classify, uint8_t layer, const struct shape *shape);
static void link_tuple(struct classify *classify, struct classify_tuple *tuple);
static void unlink_tuple(struct classify *classify, struct classify_tuple *tuple);
static void drop_unused_tuple(struct classify *classify, struct classify_tuple *tuple);
static struct classify_cell *find_cell(const struct classify *classify, const struct cell_key *key);
static struct classify_cell *find_or_add_cell(struct classify *classify,
                                              struct classify_tuple *tuple,
                                              const struct cell_key *key);
static bool describe(const struct ipsec_filter *filter, struct shape *shape, struct cell_key *key);
static void describe_address(const struct ipsec_condition *condition,
                             struct shape *shape,
                             struct cell_key *key);
static void
describe_number(const struct ipsec_condition *condition, struct shape *shape, struct cell_key *key);
static const struct classify_node *best_of(const struct classify_cell *cell,
                                           const struct classify_flow *flow,
                                           const struct classify_node *best);
static bool meets_all(const struct ipsec_filter *filter, const struct classify_flow *flow);
static bool
cut(const struct classify_flow *flow, const struct classify_tuple *tuple, struct cell_key *key_out);
static bool better(const struct classify_node *a, const struct classify_node *b);
static uint64_t search(const struct classify *classify, const struct classify_flow *flow);

bool
classify_init(struct classify *classify)
{
    *classify = (struct classify){ .generation = 1 };
    classify->slots = calloc(SLOT_COUNT, sizeof *classify->slots);
    return hash_index_init(&classify->cells) && classify->slots != NULL;
}

void
classify_clear(struct classify *classify)
{
    for (size_t i = 0; i < classify->cells.bucket_count; i++) {
        struct hash_link *link = classify->cells.buckets[i];

        while (link != NULL) {
            struct hash_link *next = link->next;

            free(HASH_OBJECT(link, struct classify_cell, link));
            link = next;
        }
    }
    hash_index_clear(&classify->cells);
    for (size_t i = 0; i < IPSEC_LAYER_COUNT; i++) {
        while (classify->tuples[i] != NULL) {
            struct classify_tuple *tuple = classify->tuples[i];

            classify->tuples[i] = tuple->next;
            free(tuple);
        }
    }
    free(classify->slots);
    *classify = (struct classify){ .generation = 0 };
}

bool
classify_has_room(const struct classify *classify, const struct ipsec_filter *filter)
{
    struct shape shape;
    struct cell_key key;

    bool is_exact = describe(filter, &shape, &key);
    const struct classify_tuple *tuple = find_tuple(classify, filter->layer, &shape);
    if (tuple == NULL)
        return classify->tuple_counts[filter->layer] < CLASSIFY_SHAPES_MAXIMUM;
    if (is_exact)
        return true;
    key.tuple = (uintptr_t)tuple;
    const struct classify_cell *cell = find_cell(classify, &key);
    return cell == NULL || cell->inexact_count < CLASSIFY_INEXACT_MAXIMUM;
}

bool
classify_add(struct classify *classify,
             struct classify_node *node,
             const struct ipsec_filter *filter)
{
    struct shape shape;
    struct cell_key key;

    bool is_exact = describe(filter, &shape, &key);
    struct classify_tuple *tuple = find_or_add_tuple(classify, filter->layer, &shape);
    if (tuple == NULL)
        return false;
    key.tuple = (uintptr_t)tuple;
    struct classify_cell *cell = find_or_add_cell(classify, tuple, &key);
    if (cell == NULL) {
        drop_unused_tuple(classify, tuple);
        return false;
    }
    cell->node_count++;
    cell->inexact_count += !is_exact;
    *node = (struct classify_node){
        .cell = cell,
        .filter = filter,
        .is_inexact = !is_exact,
        .id = filter->id,
        .weight = filter->effective_weight,
    };
    classify_restore(classify, node);
    return true;
}

void
classify_remove(struct classify *classify, struct classify_node *node)
{
    struct classify_cell *cell = node->cell;

    *(node->previous == NULL ? &cell->first : &node->previous->next) = node->next;
    *(node->next == NULL ? &cell->last : &node->next->previous) = node->previous;
    node->previous = NULL;
    node->next = NULL;
    classify->generation++;
}

void
classify_restore(struct classify *classify, struct classify_node *node)
{
    struct classify_cell *cell = node->cell;
    struct classify_node *before = cell->last;

    /* From the end: a filter added last with the same conditions mostly stands last. */
    while (before != NULL && better(node, before))
        before = before->previous;
    node->previous = before;
    node->next = before == NULL ? cell->first : before->next;
    *(node->previous == NULL ? &cell->first : &node->previous->next) = node;
    *(node->next == NULL ? &cell->last : &node->next->previous) = node;

    if (cell->tuple->highest_weight < node->weight) {
        unlink_tuple(classify, cell->tuple);
        cell->tuple->highest_weight = node->weight;
        link_tuple(classify, cell->tuple);
    }
    classify->generation++;
}

void
classify_release(struct classify *classify, struct classify_node *node)
{
    struct classify_cell *cell = node->cell;
    struct classify_tuple *tuple = cell->tuple;

    cell->inexact_count -= node->is_inexact;
    node->cell = NULL;
    if (--cell->node_count > 0)
        return;
    hash_index_remove(&classify->cells, &cell->link);
    free(cell);
    tuple->cell_count--;
    drop_unused_tuple(classify, tuple);
}

uint64_t
classify_flow(struct classify *classify, const struct classify_flow *flow)
{
    uint64_t hash = hash_bytes(classify->cells.seed, &flow->local_address, 16) ^
                    hash_bytes(classify->cells.seed + 1, &flow->remote_address, 16) ^
                    ((uint64_t)flow->remote_port * 31 + flow->local_port);
    struct classify_slot *slot = &classify->slots[hash & (SLOT_COUNT - 1)];

    if (slot->generation == classify->generation &&
        memcmp(&slot->flow.local_address, &flow->local_address, 16) == 0 &&
        memcmp(&slot->flow.remote_address, &flow->remote_address, 16) == 0 &&
        slot->flow.local_port == flow->local_port && slot->flow.remote_port == flow->remote_port &&
        slot->flow.ip_protocol == flow->ip_protocol && slot->flow.ip_version == flow->ip_version)
        return slot->filter_id;

    uint64_t filter_id = search(classify, flow);
    *slot = (struct classify_slot){
        .generation = classify->generation,
        .filter_id = filter_id,
        .flow = *flow,
    };
    return filter_id;
}

static struct classify_tuple *
find_tuple(const struct classify *classify, uint8_t layer, const struct shape *shape)
{
    struct classify_tuple *tuple = classify->tuples[layer];

    while (tuple != NULL && (tuple->shape.local_prefix_length != shape->local_prefix_length ||
                             tuple->shape.remote_prefix_length != shape->remote_prefix_length ||
                             tuple->shape.parts != shape->parts))
        tuple = tuple->next;
    return tuple;
}

static struct classify_tuple *
find_or_add_tuple(struct classify *classify, uint8_t layer, const struct shape *shape)
{
    struct classify_tuple *tuple = find_tuple(classify, layer, shape);

    if (tuple != NULL)
        return tuple;

    tuple = malloc(sizeof *tuple);
    if (tuple == NULL)
        return NULL;
    *tuple = (struct classify_tuple){ .layer = layer, .shape = *shape };
    link_tuple(classify, tuple);
    classify->tuple_counts[layer]++;
    return tuple;
}

static void
link_tuple(struct classify *classify, struct classify_tuple *tuple)
{
    struct classify_tuple **place = &classify->tuples[tuple->layer];

    while (*place != NULL && (*place)->highest_weight >= tuple->highest_weight)
        place = &(*place)->next;
    tuple->next = *place;
    *place = tuple;
}

static void
unlink_tuple(struct classify *classify, struct classify_tuple *tuple)
{
    struct classify_tuple **place = &classify->tuples[tuple->layer];

    while (*place != tuple)
        place = &(*place)->next;
    *place = tuple->next;
}

static void
drop_unused_tuple(struct classify *classify, struct classify_tuple *tuple)
{
    if (tuple->cell_count > 0)
        return;
    unlink_tuple(classify, tuple);
    classify->tuple_counts[tuple->layer]--;
    free(tuple);
}

static struct classify_cell *
find_cell(const struct classify *classify, const struct cell_key *key)
{
    uint64_t hash = hash_bytes(classify->cells.seed, key, sizeof *key);
    struct hash_link *link = hash_index_first(&classify->cells, hash);

    while (link != NULL) {
        struct classify_cell *cell = HASH_OBJECT(link, struct classify_cell, link);

        if (memcmp(&cell->key, key, sizeof *key) == 0)
            return cell;
        link = hash_index_next(link);
    }
    return NULL;
}

static struct classify_cell *
find_or_add_cell(struct classify *classify,
                 struct classify_tuple *tuple,
                 const struct cell_key *key)
{
    struct classify_cell *cell = find_cell(classify, key);

    if (cell != NULL)
        return cell;
    cell = malloc(sizeof *cell);
    if (cell == NULL)
        return NULL;
    *cell = (struct classify_cell){ .tuple = tuple, .key = *key };
    hash_index_add(&classify->cells, &cell->link,
                   hash_bytes(classify->cells.seed, key, sizeof *key));
    tuple->cell_count++;
    return cell;
}

/* Brings the conditions of a filter into their shape and their values.  True: they say no more. */
static bool
describe(const struct ipsec_filter *filter, struct shape *shape, struct cell_key *key)
{
    bool is_exact = true;

    *shape = (struct shape){ .parts = 0 };
    *key = (struct cell_key){ .tuple = 0 };
    for (size_t i = 0; i < filter->condition_count; i++) {
        const struct ipsec_condition *condition = &filter->conditions[i];

        if (!condition_is_exact(condition) && !condition_is_idle(condition))
            is_exact = false;
        if (condition_is_on_address(condition))
            describe_address(condition, shape, key);
        else if (condition_is_exact(condition))
            describe_number(condition, shape, key);
    }
    return is_exact;
}

static void
describe_address(const struct ipsec_condition *condition, struct shape *shape, struct cell_key *key)
{
    bool is_local = condition->field == IPSEC_CONDITION_IP_LOCAL_ADDRESS;
    struct ipsec_address *address = is_local ? &key->local_address : &key->remote_address;
    unsigned prefix_length = condition_common_prefix(condition);

    *(is_local ? &shape->local_prefix_length : &shape->remote_prefix_length) =
        (uint8_t)prefix_length;
    *address = condition->address;
    address_mask(address, prefix_length);
}

static void
describe_number(const struct ipsec_condition *condition, struct shape *shape, struct cell_key *key)
{
    if (condition->field == IPSEC_CONDITION_IP_PROTOCOL) {
        shape->parts |= SHAPE_IP_PROTOCOL;
        key->ip_protocol = (uint8_t)condition->number;
    } else if (condition->field == IPSEC_CONDITION_IP_LOCAL_PORT) {
        shape->parts |= SHAPE_LOCAL_PORT;
        key->local_port = (uint16_t)condition->number;
    } else {
        shape->parts |= SHAPE_REMOTE_PORT;
        key->remote_port = (uint16_t)condition->number;
    }
}

/* What a filter of this tuple must ask for to match 'flow'.  False: none can, for the shape has a
 * condition on something that the flow does not tell. */
static bool
cut(const struct classify_flow *flow, const struct classify_tuple *tuple, struct cell_key *key_out)
{
    const struct shape *shape = &tuple->shape;

    if (((shape->parts & SHAPE_IP_PROTOCOL) != 0 && flow->ip_protocol == 0) ||
        ((shape->parts & SHAPE_LOCAL_PORT) != 0 && flow->local_port == 0) ||
        ((shape->parts & SHAPE_REMOTE_PORT) != 0 && flow->remote_port == 0))
        return false;

    *key_out = (struct cell_key){
        .local_address = flow->local_address,
        .remote_address = flow->remote_address,
        .tuple = (uintptr_t)tuple,
        .local_port = (shape->parts & SHAPE_LOCAL_PORT) != 0 ? flow->local_port : 0,
        .remote_port = (shape->parts & SHAPE_REMOTE_PORT) != 0 ? flow->remote_port : 0,
        .ip_protocol = (shape->parts & SHAPE_IP_PROTOCOL) != 0 ? flow->ip_protocol : 0,
    };
    address_mask(&key_out->local_address, shape->local_prefix_length);
    address_mask(&key_out->remote_address, shape->remote_prefix_length);
    return true;
}

static bool
better(const struct classify_node *a, const struct classify_node *b)
{
    return a->weight > b->weight || (a->weight == b->weight && a->id < b->id);
}

static uint64_t
search(const struct classify *classify, const struct classify_flow *flow)
{
    enum ipsec_layer layer = flow->ip_version == IPSEC_IP_VERSION_V4
                                 ? IPSEC_LAYER_INBOUND_TRANSPORT_V4
                                 : IPSEC_LAYER_INBOUND_TRANSPORT_V6;
    const struct classify_node *best = NULL;

    for (const struct classify_tuple *tuple = classify->tuples[layer]; tuple != NULL;
         tuple = tuple->next) {
        struct cell_key key;

        if (best != NULL && tuple->highest_weight < best->weight)
            break;
        if (!cut(flow, tuple, &key))
            continue;
        const struct classify_cell *cell = find_cell(classify, &key);
        if (cell != NULL)
            best = best_of(cell, flow, best);
    }
    return best == NULL ? 0 : best->id;
}

/* The first of the cell that the flow meets if it is better than 'best', which may be null. */
static const struct classify_node *
best_of(const struct classify_cell *cell,
        const struct classify_flow *flow,
        const struct classify_node *best)
{
    for (const struct classify_node *node = cell->first; node != NULL; node = node->next) {
        if (best != NULL && !better(node, best))
            return best;
        if (!node->is_inexact || meets_all(node->filter, flow))
            return node;
    }
    return best;
}

static bool
meets_all(const struct ipsec_filter *filter, const struct classify_flow *flow)
{
    for (size_t i = 0; i < filter->condition_count; i++) {
        if (condition_judge(&filter->conditions[i], flow) != CONDITION_MET)
            return false;
    }
    return true;
}
