/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_plane.h: a data plane for tests: remembers which bundles it has and with which keys it got
 * them, refuses what it is told to, and reports what counters it is told to.  One per program. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/plane/plane.h"

enum { FAKE_PLANE_SAS = 4096, FAKE_PLANE_FILTERS = 256 };

struct fake_filter {
    uint64_t id;
    uint32_t rank;
    uint8_t layer;
    uint8_t condition_count;
    struct ipsec_condition conditions[IPSEC_CONDITION_FIELD_COUNT];
    bool is_released;
};

struct fake_sa {
    uint64_t context_id;
    uint8_t direction;
    uint32_t spi;
    uint64_t filter_id;
    uint16_t udp_port;
    struct ipsec_address remote_address;
    uint8_t first_key_byte;
    size_t key_size;
};

static struct {
    /* What the test sets. */
    enum ipsec_status refusal; /* of an add or update in ... */
    uint8_t refused_direction;
    uint64_t refused_context; /* 0: any */
    bool refuses;
    uint8_t blamed_sa;              /* of what is refused, from 1; 0: none in particular */
    bool loses;                     /* resume finds nothing */
    enum ipsec_status resume_fails; /* IPSEC_OK: it does not */
    struct plane_counters counters;
    enum ipsec_status counters_fail; /* IPSEC_OK: they do not */
    struct plane_event ended[8];     /* told once */
    size_t ended_count;
    bool has_lost_ends;
    enum plane_doubt doubt; /* told once */
    struct plane_drift drift;
    enum ipsec_status drift_status;
    int64_t drift_takes_us;
    bool lacks_gcm;                   /* as the start found */
    enum ipsec_status filter_refusal; /* of an added filter; IPSEC_OK: none is refused */
    /* What the test reads. */
    struct fake_sa sas[FAKE_PLANE_SAS];
    size_t sa_count;
    size_t applied; /* actions on SAs */
    struct fake_filter filters[FAKE_PLANE_FILTERS];
    size_t filter_count;
    size_t least_filters; /* after any action since the test set it */
    struct ipsec_filter tried[8];
    size_t tried_count;
    bool flushed;
    size_t resumed;
    bool resume_done;
} fake_plane_state;

static inline struct fake_sa *
fake_plane_find(uint64_t context_id, uint8_t direction)
{
    for (size_t i = 0; i < fake_plane_state.sa_count; i++) {
        struct fake_sa *sa = &fake_plane_state.sas[i];

        if (sa->context_id == context_id && sa->direction == direction)
            return sa;
    }
    return NULL;
}

/* One that must be there. */
static inline struct fake_sa *
fake_plane_get(uint64_t context_id, uint8_t direction)
{
    struct fake_sa *sa = fake_plane_find(context_id, direction);

    if (sa == NULL)
        abort();
    return sa;
}

static inline void
fake_plane_set(struct fake_sa *sa, const struct plane_bundle *what)
{
    sa->context_id = what->context_id;
    sa->direction = what->direction;
    sa->spi = what->bundle->sas[0].spi;
    sa->filter_id = what->filter_id;
    sa->udp_port = what->bundle->udp_encapsulation.local_port;
    sa->remote_address = what->traffic.remote_address;
}

static inline enum ipsec_status
fake_plane_do(const struct plane_action *action)
{
    const struct plane_bundle *what = &action->what;
    struct fake_sa *sa = fake_plane_find(what->context_id, what->direction);

    fake_plane_state.applied++;
    if (action->kind == PLANE_DELETE_BUNDLE) {
        if (what->auth_keys != NULL || what->cipher_keys != NULL)
            abort(); /* keys are for adding */
        if (sa != NULL)
            *sa = fake_plane_state.sas[--fake_plane_state.sa_count];
        return IPSEC_OK;
    }
    if (fake_plane_state.refuses && fake_plane_state.refused_direction == what->direction &&
        (fake_plane_state.refused_context == 0 ||
         fake_plane_state.refused_context == what->context_id))
        return fake_plane_state.refusal;
    if (action->kind == PLANE_UPDATE_BUNDLE) {
        if (sa == NULL || memcmp(&sa->remote_address, &action->was.traffic.remote_address, 16) != 0)
            abort();
        fake_plane_set(sa, what);
        return IPSEC_OK;
    }
    if (sa != NULL || fake_plane_state.sa_count == FAKE_PLANE_SAS)
        abort(); /* the engine adds a bundle once */
    sa = &fake_plane_state.sas[fake_plane_state.sa_count++];
    fake_plane_set(sa, what);
    sa->first_key_byte = what->cipher_keys[0].bytes[0];
    sa->key_size = what->cipher_keys[0].size;
    return IPSEC_OK;
}

static inline struct fake_filter *
fake_plane_filter(uint64_t id)
{
    for (size_t i = 0; i < fake_plane_state.filter_count; i++) {
        if (fake_plane_state.filters[i].id == id)
            return &fake_plane_state.filters[i];
    }
    return NULL;
}

/* The same, where there has to be one. */
static inline const struct fake_filter *
fake_plane_get_filter(uint64_t id)
{
    const struct fake_filter *filter = fake_plane_filter(id);

    if (filter == NULL)
        abort();
    return filter;
}

/* One with the same conditions, the filter itself first. */
static inline struct fake_filter *
fake_plane_alike(const struct ipsec_filter *filter)
{
    struct fake_filter *found = fake_plane_filter(filter->id);

    for (size_t i = 0; found == NULL && i < fake_plane_state.filter_count; i++) {
        struct fake_filter *there = &fake_plane_state.filters[i];

        if (there->layer == filter->layer && there->condition_count == filter->condition_count &&
            memcmp(there->conditions, filter->conditions, sizeof there->conditions) == 0)
            found = there;
    }
    return found;
}

static inline enum ipsec_status
fake_plane_try_filter(struct plane_action *action)
{
    const struct ipsec_filter *filter = action->filter.filter;
    const struct fake_filter *place = fake_plane_alike(filter);

    if (fake_plane_state.filter_refusal != IPSEC_OK)
        return fake_plane_state.filter_refusal;
    if (place != NULL && !place->is_released)
        action->holder = place->id;
    for (size_t i = 0; i < fake_plane_state.tried_count; i++) {
        const struct ipsec_filter *tried = &fake_plane_state.tried[i];

        if (tried->layer == filter->layer && tried->condition_count == filter->condition_count &&
            memcmp(tried->conditions, filter->conditions, sizeof tried->conditions) == 0)
            action->holder = tried->id;
    }
    if (action->holder != 0)
        return IPSEC_ALREADY_EXISTS;
    if (fake_plane_state.tried_count == sizeof fake_plane_state.tried / sizeof *filter)
        abort();
    fake_plane_state.tried[fake_plane_state.tried_count++] = *filter;
    return IPSEC_OK;
}

/* Trials are taken back in the reverse order. */
static inline void
fake_plane_keep_filter(uint64_t id)
{
    struct fake_filter *there = fake_plane_filter(id);

    if (there != NULL)
        there->is_released = false;
    else if (fake_plane_state.tried[--fake_plane_state.tried_count].id != id)
        abort();
}

static inline enum ipsec_status
fake_plane_add_filter(struct plane_action *action)
{
    const struct ipsec_filter *filter = action->filter.filter;
    struct fake_filter *place = fake_plane_alike(filter);

    if (fake_plane_state.filter_refusal != IPSEC_OK)
        return fake_plane_state.filter_refusal;
    if (place != NULL && place->id != filter->id) {
        if (!place->is_released) {
            action->holder = place->id;
            return IPSEC_ALREADY_EXISTS;
        }
        action->replaced[0] = place->id;
    }
    if (place == NULL) {
        if (fake_plane_state.filter_count == FAKE_PLANE_FILTERS)
            abort();
        place = &fake_plane_state.filters[fake_plane_state.filter_count++];
    }
    *place = (struct fake_filter){
        .id = filter->id,
        .rank = action->filter.rank,
        .layer = filter->layer,
        .condition_count = filter->condition_count,
    };
    memcpy(place->conditions, filter->conditions, sizeof place->conditions);
    return IPSEC_OK;
}

static inline enum ipsec_status
fake_plane_do_filter(struct plane_action *action)
{
    struct fake_filter *there = fake_plane_filter(action->filter.filter->id);

    if (action->kind == PLANE_ADD_FILTER)
        return fake_plane_add_filter(action);
    if (action->kind == PLANE_TRY_FILTER)
        return fake_plane_try_filter(action);
    if (action->kind == PLANE_KEEP_FILTER)
        fake_plane_keep_filter(action->filter.filter->id);
    if (action->kind == PLANE_KEEP_FILTER)
        return IPSEC_OK;
    if (there == NULL)
        return action->kind == PLANE_UPDATE_FILTER ? IPSEC_NOT_FOUND : IPSEC_OK;
    if (action->kind == PLANE_UPDATE_FILTER)
        there->rank = action->filter.rank;
    else if (action->kind == PLANE_RELEASE_FILTER)
        there->is_released = true;
    else
        *there = fake_plane_state.filters[--fake_plane_state.filter_count];
    if (fake_plane_state.filter_count < fake_plane_state.least_filters)
        fake_plane_state.least_filters = fake_plane_state.filter_count;
    return IPSEC_OK;
}

static inline enum ipsec_status
fake_plane_open(const char *argument, struct ipsec_fault *fault, struct plane **plane_out)
{
    (void)argument;
    (void)fault;
    *plane_out = NULL; /* all is in 'fake_plane_state' */
    return IPSEC_OK;
}

static inline void
fake_plane_close(struct plane *plane)
{
    (void)plane;
}

static inline void
fake_plane_apply(struct plane *plane, struct plane_action *actions, size_t action_count)
{
    (void)plane;
    for (size_t i = 0; i < action_count; i++) {
        actions[i].status = actions[i].kind >= PLANE_ADD_FILTER ? fake_plane_do_filter(&actions[i])
                                                                : fake_plane_do(&actions[i]);
        actions[i].reason = actions[i].status == IPSEC_OK ? NULL : "the test wants it";
        actions[i].refused_sa = actions[i].status == IPSEC_OK ? 0 : fake_plane_state.blamed_sa;
    }
}

static inline enum ipsec_status
fake_plane_read_counters(struct plane *plane,
                         const struct plane_bundle *what,
                         struct plane_counters *counters_out)
{
    (void)plane;
    *counters_out = fake_plane_state.counters;
    if (fake_plane_state.counters_fail != IPSEC_OK)
        return fake_plane_state.counters_fail;
    return fake_plane_find(what->context_id, what->direction) == NULL ? IPSEC_NOT_FOUND : IPSEC_OK;
}

static inline void
fake_plane_read_statistics(struct plane *plane, struct plane_statistics *statistics_out)
{
    (void)plane;
    *statistics_out = (struct plane_statistics){ .total_drop_packets_inbound = 17 };
}

static inline enum ipsec_status
fake_plane_resume(struct plane *plane, const struct plane_bundle *what)
{
    (void)plane;
    (void)what;
    fake_plane_state.resumed++;
    if (fake_plane_state.resume_fails != IPSEC_OK)
        return fake_plane_state.resume_fails;
    return fake_plane_state.loses ? IPSEC_NOT_FOUND : IPSEC_OK;
}

static inline void
fake_plane_resume_done(struct plane *plane)
{
    (void)plane;
    fake_plane_state.resume_done = true;
}

static inline enum ipsec_status
fake_plane_check_filter(struct plane *plane,
                        const struct plane_filter *filter,
                        struct ipsec_fault *fault)
{
    (void)plane;
    if (filter->filter->condition_count < 3)
        return IPSEC_OK;
    return ipsec_fault_set(fault, IPSEC_CALLOUT_NOTIFICATION_FAILED, IPSEC_FAULT_BODY,
                           "/conditions/2", "the fake plane knows two conditions");
}

static inline enum ipsec_status
fake_plane_find_drift(struct plane *plane, struct plane_drift *drift_out)
{
    (void)plane;
    int64_t end_us = clock_monotonic_us() + fake_plane_state.drift_takes_us;

    while (clock_monotonic_us() < end_us)
        continue;
    *drift_out = fake_plane_state.drift;
    return fake_plane_state.drift_status;
}

static inline const struct plane_capability *
fake_plane_capability(const struct plane *plane, size_t index)
{
    static const struct plane_capability lacking = {
        .name = "ESP_AUTH_AND_CIPHER GCM_AES_128",
        .transform = { .type = IPSEC_TRANSFORM_ESP_AUTH_AND_CIPHER,
                       .auth = IPSEC_AUTH_GCM_AES_128,
                       .cipher = IPSEC_CIPHER_GCM_AES_128 },
        .reason = "the test wants it",
    };

    (void)plane;
    return index == 0 && fake_plane_state.lacks_gcm ? &lacking : NULL;
}

static inline enum ipsec_status
fake_plane_flush(struct plane *plane)
{
    (void)plane;
    fake_plane_state.flushed = true;
    return IPSEC_OK;
}

static inline bool
fake_plane_read_events(struct plane *plane, plane_event_sink *sink, void *context)
{
    bool is_complete = !fake_plane_state.has_lost_ends;

    (void)plane;
    for (size_t i = 0; i < fake_plane_state.ended_count; i++)
        sink(context, &fake_plane_state.ended[i]);
    fake_plane_state.ended_count = 0;
    fake_plane_state.has_lost_ends = false;
    return is_complete;
}

static inline enum plane_doubt
fake_plane_take_doubt(struct plane *plane)
{
    enum plane_doubt doubt = fake_plane_state.doubt;

    (void)plane;
    fake_plane_state.doubt = PLANE_DOUBT_NONE;
    return doubt;
}

static const struct plane_ops fake_plane = {
    .name = "fake",
    .open = fake_plane_open,
    .close = fake_plane_close,
    .apply = fake_plane_apply,
    .read_counters = fake_plane_read_counters,
    .read_statistics = fake_plane_read_statistics,
    .resume = fake_plane_resume,
    .resume_done = fake_plane_resume_done,
    .read_events = fake_plane_read_events,
    .take_doubt = fake_plane_take_doubt,
    .check_filter = fake_plane_check_filter,
    .flush = fake_plane_flush,
    .find_drift = fake_plane_find_drift,
    .capability = fake_plane_capability,
};
