/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_resume.c: after a restart the kernel still has the SAs of before: they are adopted as they
 * are, without a packet lost, and what nobody asks for is taken away. */
#include <stdlib.h>
#include <string.h>

#include "engine/base/log.h"
#include "engine/plane/xfrm_bundle.h"
#include "engine/plane/xfrm_owner.h"
#include "engine/plane/xfrm_plane.h"

static void look(struct plane *plane);
static void find_state(void *context, const struct nlmsghdr *message, size_t size);

/* The bundle is there, whether or not its filter can follow. */
static void
follow(struct plane *plane, const struct plane_bundle *what)
{
    uint64_t known = xfrm_policies_protocols(plane, what->filter_id);
    uint64_t wanted = xfrm_policies_protocols_of(what->bundle);
    const char *reason = NULL;

    if (known != 0 && known != wanted)
        (void)xfrm_policies_follow(plane, what->filter_id, wanted, &reason);
}

/* A move may have been done though nobody got to know: the name of a state leaves room for that. */
static void
put_right(struct plane *plane, const struct xfrm_found *found, const struct kernel_sa *wanted)
{
    if (memcmp(&found->source, &wanted->source, sizeof found->source) != 0 ||
        found->encapsulation_source_port != wanted->encapsulation_source_port ||
        found->encapsulation_destination_port != wanted->encapsulation_destination_port)
        xfrm_states_put_right(plane, wanted);
}

enum ipsec_status
xfrm_resume(struct plane *plane, const struct plane_bundle *what)
{
    struct kernel_sa states[IPSEC_SA_MAX];
    uint64_t keys[IPSEC_SA_MAX] = { 0 };
    uint64_t value = xfrm_state_value(what->context_id, what->direction);
    const char *reason = NULL;
    enum ipsec_status status = IPSEC_OK;
    bool hears = false;

    if (!plane->has_looked)
        look(plane);
    if (plane->look_failed)
        return IPSEC_RPC_DISCONNECTED;
    status = xfrm_bundle_states(what, plane->instance, false, states, &reason);
    if (status != IPSEC_OK)
        return status;
    for (size_t i = 0; i < what->bundle->sa_count; i++) {
        const struct kernel_sa_id id = xfrm_msg_id_of(&states[i]);

        keys[i] = xfrm_state_key(plane, &id);
        if (xfrm_state_find(plane, keys[i]) != value)
            return IPSEC_NOT_FOUND;
    }
    follow(plane, what);
    /* Its socket ended with the process; without one the SA stays, and is deaf. */
    hears = xfrm_states_listen(plane, what, &reason) == IPSEC_OK;
    if (!number_map_reserve(&plane->installed, what->bundle->sa_count))
        return IPSEC_RPC_OUT_OF_RESOURCES;
    for (size_t i = 0; i < what->bundle->sa_count; i++) {
        uint64_t place = number_map_find(&plane->found_places, keys[i]);

        /* What was added since the look is installed already. */
        if (number_map_find(&plane->installed, keys[i]) != 0)
            continue;
        number_map_add(&plane->installed, keys[i], value);
        put_right(plane, &plane->found[place - 1], &states[i]);
        plane->found[place - 1].value = 0;
        if (hears)
            xfrm_states_hear(plane, keys[i], &states[i]);
    }
    return IPSEC_OK;
}

void
xfrm_resume_done(struct plane *plane)
{
    struct netlink_result results[NETLINK_BATCH_MAX];
    size_t removed = 0;
    size_t policies = 0;

    if (!plane->has_looked)
        look(plane);
    for (size_t i = 0; i < plane->found_count; i++) {
        if (plane->found[i].value == 0 || plane->look_failed)
            continue;
        (void)xfrm_msg_delete_sa(netlink_room(plane->requests), XFRM_MSG_MAX_SIZE,
                                 &plane->found[i].id);
        netlink_add(plane->requests);
        removed++;
        if (netlink_batch_size(plane->requests) == NETLINK_BATCH_MAX)
            netlink_send(plane->requests, results, NULL, NULL);
    }
    netlink_send(plane->requests, results, NULL, NULL);
    xfrm_udp_retain(&plane->udp, &plane->installed);
    xfrm_udp_tidy(&plane->udp);
    policies = xfrm_policies_sweep(plane);
    if (plane->found_count > 0 || policies > 0)
        log_info("what the kernel has of this service",
                 LOG_NUMBER("adoptedSas", plane->found_count - removed),
                 LOG_NUMBER("removedSas", removed), LOG_NUMBER("removedPolicies", policies));
    free(plane->found);
    plane->found = NULL;
    plane->found_count = plane->found_capacity = 0;
    number_map_clear(&plane->found_places);
    number_map_init(&plane->found_places);
    plane->has_looked = plane->look_failed = false;
}

/* All that is installed has to be asked for again: what the kernel lacks is missed so.  When the
 * look fails nobody is told that nothing is there: the next comparison finds the difference. */
static void
look(struct plane *plane)
{
    int error = 0;

    plane->has_looked = true;
    /* Filters are there again before all contexts were asked for, which may take a while: what the
     * service itself needs to go through is not to wait for that. */
    xfrm_exemptions_restore(plane);
    (void)xfrm_msg_dump_sas(netlink_room(plane->requests), XFRM_MSG_MAX_SIZE);
    netlink_add(plane->requests);
    error = netlink_ask(plane->requests, find_state, plane);
    if (error != 0) {
        log_error("the kernel does not list its SAs", LOG_NUMBER("errno", error));
        plane->look_failed = true;
    }
    if (!plane->look_failed) {
        number_map_clear(&plane->installed);
        plane->unsure_moves = 0;
    }
}

static bool
grow(struct plane *plane)
{
    size_t capacity = plane->found_capacity == 0 ? 1024 : plane->found_capacity * 2;
    struct xfrm_found *found = NULL;

    if (plane->found_count < plane->found_capacity)
        return true;
    found = reallocarray(plane->found, capacity, sizeof *found);
    if (found == NULL)
        return false;
    plane->found = found;
    plane->found_capacity = capacity;
    return true;
}

static void
find_state(void *context, const struct nlmsghdr *message, size_t size)
{
    struct plane *plane = context;
    struct xfrm_msg read;
    struct xfrm_owner owner;

    if (!xfrm_msg_read(message, size, &read) || read.kind != XFRM_MSG_KIND_SA ||
        !xfrm_owner_read(read.sa.owner, &owner) || owner.instance != plane->instance)
        return;
    if (!grow(plane) || !number_map_reserve(&plane->found_places, 1)) {
        log_error("no memory for the SAs in the kernel", LOG_NUMBER("found", plane->found_count));
        plane->look_failed = true;
        return;
    }
    plane->found[plane->found_count++] = (struct xfrm_found){
        .id = read.id,
        .source = read.sa.source,
        .encapsulation_source_port = read.sa.encapsulation_source_port,
        .encapsulation_destination_port = read.sa.encapsulation_destination_port,
        .value = xfrm_state_value(owner.id, owner.direction),
    };
    number_map_add(&plane->found_places, xfrm_state_key(plane, &read.id), plane->found_count);
}
