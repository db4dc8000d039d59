/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_drift.c: what the kernel has against what was asked for, counted and named. */
#include <errno.h>
#include <stdlib.h>

#include "engine/plane/xfrm_owner.h"
#include "engine/plane/xfrm_plane.h"

struct comparison {
    struct plane *plane;
    struct plane_drift *drift;
    /* How many the kernel has for each place of 'plane->installed' and of 'plane->filters'. */
    uint8_t *seen_states;
    uint8_t *seen_policies;
};

static void see(void *context, const struct nlmsghdr *message, size_t size);
static void see_state(struct comparison *comparison, const struct xfrm_msg *read);
static void see_policy(struct comparison *comparison, const struct kernel_policy *policy);
static void find_missing(struct comparison *comparison);
static int look(struct comparison *comparison);

enum ipsec_status
xfrm_find_drift(struct plane *plane, struct plane_drift *drift_out)
{
    struct comparison comparison = {
        .plane = plane,
        .drift = drift_out,
        .seen_states = calloc(plane->installed.capacity + 1, 1),
        .seen_policies = calloc(plane->filters.capacity + 1, 1),
    };
    const char *reason = NULL;
    int error = ENOMEM;

    *drift_out = (struct plane_drift){ .foreign = 0 };
    if (comparison.seen_states != NULL && comparison.seen_policies != NULL)
        error = look(&comparison);
    if (error == 0)
        find_missing(&comparison);
    free(comparison.seen_states);
    free(comparison.seen_policies);
    return error == 0 ? IPSEC_OK : xfrm_status_of(error, NULL, NULL, &reason);
}

/* Walks all that the kernel has.  0 or an errno. */
static int
look(struct comparison *comparison)
{
    struct netlink *netlink = comparison->plane->requests;
    int error = 0;

    xfrm_exemptions_look(comparison->plane);
    (void)xfrm_msg_dump_sas(netlink_room(netlink), XFRM_MSG_MAX_SIZE);
    netlink_add(netlink);
    error = netlink_ask(netlink, see, comparison);
    if (error != 0)
        return error;
    (void)xfrm_msg_dump_policies(netlink_room(netlink), XFRM_MSG_MAX_SIZE);
    netlink_add(netlink);
    return netlink_ask(netlink, see, comparison);
}

static void
see(void *context, const struct nlmsghdr *message, size_t size)
{
    struct comparison *comparison = context;
    struct xfrm_msg read;

    if (!xfrm_msg_read(message, size, &read))
        return;
    if (read.kind == XFRM_MSG_KIND_SA)
        see_state(comparison, &read);
    if (read.kind == XFRM_MSG_KIND_POLICY)
        see_policy(comparison, &read.policy);
}

static void
see_state(struct comparison *comparison, const struct xfrm_msg *read)
{
    const struct plane *plane = comparison->plane;
    struct plane_drift *drift = comparison->drift;
    struct xfrm_owner owner;
    size_t place = 0;

    if (!xfrm_owner_read(read->sa.owner, &owner) || owner.instance != plane->instance) {
        drift->foreign++;
        return;
    }
    place = number_map_place(&plane->installed, xfrm_state_key(plane, &read->id));
    if (place < plane->installed.capacity &&
        plane->installed.entries[place].value == xfrm_state_value(owner.id, owner.direction) &&
        comparison->seen_states[place] == 0) {
        comparison->seen_states[place] = 1;
        return;
    }
    drift->bundles_left_over++;
    if (drift->names.sa_left_over_count < IPSEC_DRIFT_NAMES_MAX)
        drift->names.sas_left_over[drift->names.sa_left_over_count++] = (struct ipsec_left_over_sa){
            .sa_context_id = owner.id,
            .ip_version = read->id.ip_version,
            .destination = read->id.destination,
            .ip_protocol = read->id.protocol,
            .spi = read->id.spi,
        };
}

/* Each once. */
static void
name(struct ipsec_drift_ids *list, uint64_t id)
{
    if (list->count == IPSEC_DRIFT_NAMES_MAX)
        return;
    for (size_t i = 0; i < list->count; i++) {
        if (list->ids[i] == id)
            return;
    }
    list->ids[list->count++] = id;
}

static void
see_policy(struct comparison *comparison, const struct kernel_policy *policy)
{
    const struct plane *plane = comparison->plane;
    struct plane_drift *drift = comparison->drift;
    struct xfrm_owner owner;
    bool is_exemption = false;
    size_t place = 0;

    /* Of a single socket, like those that let the service's own packets pass: it decides on nobody
     * else's, and comes and goes with its socket. */
    if (policy->direction >= KERNEL_POLICY_DIRECTION_COUNT)
        return;
    is_exemption = xfrm_exemptions_see(comparison->plane, policy);
    if (!xfrm_owner_read(policy->owner, &owner) || owner.instance != plane->instance) {
        drift->foreign++;
        return;
    }
    if (owner.id == 0 && is_exemption)
        return;
    place = number_map_place(&plane->filters, owner.id);
    if (owner.id != 0 && place < plane->filters.capacity) {
        if (comparison->seen_policies[place] < UINT8_MAX)
            comparison->seen_policies[place]++;
        return;
    }
    drift->filters_left_over++;
    if (owner.id != 0)
        name(&drift->names.filters_left_over, owner.id);
}

/* A look at all that should be there, which is no more than the comparison did. */
static void
find_missing(struct comparison *comparison)
{
    const struct plane *plane = comparison->plane;
    struct plane_drift *drift = comparison->drift;

    drift->bundles_missing = plane->unsure_moves;
    for (size_t i = 0; i < plane->installed.capacity; i++) {
        uint64_t value = plane->installed.entries[i].value;

        if (value == 0 || comparison->seen_states[i] != 0)
            continue;
        drift->bundles_missing++;
        name(&drift->names.contexts_missing, value >> 1);
    }
    drift->filters_missing = xfrm_exemptions_missing(plane);
    for (size_t i = 0; i < plane->filters.capacity; i++) {
        uint64_t value = plane->filters.entries[i].value;
        uint64_t wanted = value & XFRM_FILTER_COUNT;
        uint64_t missing = 0;

        if (comparison->seen_policies[i] < wanted)
            missing = wanted - comparison->seen_policies[i];
        else if ((value & XFRM_FILTER_UNSURE) != 0)
            missing = 1;
        drift->filters_missing += missing;
        if (missing != 0)
            name(&drift->names.filters_missing, plane->filters.entries[i].key);
    }
}
