/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_move.c: SAs whose hosts have moved go on under other addresses or ports, with the keys and
 * the progress that they have.
 *
 * Their keys come from the kernel and go back to it: nobody else has them any more. */
#include <errno.h>
#include <string.h>

#include <linux/netlink.h>

#include "engine/base/log.h"
#include "engine/plane/xfrm_bundle.h"
#include "engine/plane/xfrm_plane.h"

/* A state as it is in the kernel, keys included: wiped by whoever has it. */
struct snapshot {
    _Alignas(8) uint8_t bytes[2 * XFRM_MSG_MAX_SIZE];
    size_t size;          /* 0: there is none, or none of 'owner' */
    const uint8_t *owner; /* whose it has to be: KERNEL_OWNER_SIZE bytes */
};

static void
keep(void *context, const struct nlmsghdr *message, size_t size)
{
    struct snapshot *snapshot = context;
    struct xfrm_msg read;

    /* Somebody else's may have the place of one that ended. */
    if (message->nlmsg_len > size || message->nlmsg_len > sizeof snapshot->bytes ||
        !xfrm_msg_read(message, size, &read) || read.kind != XFRM_MSG_KIND_SA ||
        memcmp(read.sa.owner, snapshot->owner, KERNEL_OWNER_SIZE) != 0)
        return;
    memcpy(snapshot->bytes, message, message->nlmsg_len);
    snapshot->size = message->nlmsg_len;
}

/* Whether the kernel has the state as 'like' says: when an answer got lost. */
static bool
is_there(struct plane *plane, const struct kernel_sa *like)
{
    const struct kernel_sa_id id = xfrm_msg_id_of(like);
    struct kernel_sa there;

    return xfrm_states_ask(plane, &id, &there) == IPSEC_OK &&
           memcmp(there.owner, like->owner, sizeof there.owner) == 0 &&
           memcmp(&there.source, &like->source, sizeof there.source) == 0 &&
           there.encapsulation_source_port == like->encapsulation_source_port &&
           there.encapsulation_destination_port == like->encapsulation_destination_port;
}

/* Replaces the state 'from' by 'to' with the keys and the progress of the snapshot. */
static int
replace(struct plane *plane,
        const struct snapshot *snapshot,
        const struct kernel_sa *from,
        const struct kernel_sa *to)
{
    const struct kernel_sa_id id = xfrm_msg_id_of(from);
    const struct kernel_sa_id new_id = xfrm_msg_id_of(to);
    struct netlink_result results[2];
    int deletion = 0;
    int addition = 0;

    (void)xfrm_msg_delete_sa(netlink_room(plane->requests), XFRM_MSG_MAX_SIZE, &id);
    netlink_add(plane->requests);
    if (xfrm_msg_readdress_sa(netlink_room(plane->requests), XFRM_MSG_MAX_SIZE,
                              (const void *)snapshot->bytes, snapshot->size, to, false) != 0)
        netlink_add(plane->requests);
    else
        results[1] = (struct netlink_result){ .error = EINVAL };
    netlink_send(plane->requests, results, NULL, NULL);
    deletion = results[0].error == ESRCH ? 0 : results[0].error;
    addition = results[1].error;
    if (deletion == NETLINK_UNKNOWN && !is_there(plane, from))
        deletion = 0;
    if (addition == NETLINK_UNKNOWN && is_there(plane, to))
        addition = 0;
    /* Both are there, which nobody asked for. */
    if (deletion != 0 && addition == 0) {
        (void)xfrm_msg_delete_sa(netlink_room(plane->requests), XFRM_MSG_MAX_SIZE, &new_id);
        netlink_add(plane->requests);
        netlink_send(plane->requests, results, NULL, NULL);
    }
    return deletion != 0 ? deletion : addition;
}

/* As it was, with what it had, if it is not there any more.  What is in the place that it was to
 * have is somebody else's and stays. */
static void
put_back(struct plane *plane, const struct snapshot *snapshot, const struct kernel_sa *from)
{
    struct netlink_result result;

    if (xfrm_msg_readdress_sa(netlink_room(plane->requests), XFRM_MSG_MAX_SIZE,
                              (const void *)snapshot->bytes, snapshot->size, from, false) == 0)
        return;
    netlink_add(plane->requests);
    netlink_send(plane->requests, &result, NULL, NULL);
    if (result.error != 0 && result.error != EEXIST)
        xfrm_watch_doubt(plane, PLANE_DOUBT_SURE);
}

/* New ports of an SA that has some: the only change that the kernel makes in place, without a
 * packet lost. */
static bool
changes_ports_only(const struct kernel_sa *from, const struct kernel_sa *to)
{
    return from->encapsulation_source_port != 0 && to->encapsulation_source_port != 0 &&
           memcmp(&from->source, &to->source, sizeof from->source) == 0 &&
           memcmp(&from->destination, &to->destination, sizeof from->destination) == 0;
}

static int
set_ports(struct plane *plane, const struct snapshot *snapshot, const struct kernel_sa *to)
{
    struct netlink_result result;

    if (xfrm_msg_readdress_sa(netlink_room(plane->requests), XFRM_MSG_MAX_SIZE,
                              (const void *)snapshot->bytes, snapshot->size, to, true) == 0)
        return EINVAL;
    netlink_add(plane->requests);
    netlink_send(plane->requests, &result, NULL, NULL);
    return result.error == NETLINK_UNKNOWN && is_there(plane, to) ? 0 : result.error;
}

/* The state with all that the kernel tells of it.  0, an errno, or NETLINK_UNKNOWN. */
static int
take_snapshot(struct plane *plane, const struct kernel_sa *from, struct snapshot *snapshot)
{
    const struct kernel_sa_id id = xfrm_msg_id_of(from);
    int error = 0;

    (void)xfrm_msg_get_sa(netlink_room(plane->requests), XFRM_MSG_MAX_SIZE, &id);
    netlink_add(plane->requests);
    error = netlink_ask(plane->requests, keep, snapshot);
    return error == 0 && snapshot->size == 0 ? ESRCH : error;
}

/* Nobody knows which of the two there is. */
static void
doubt_move(struct plane *plane)
{
    plane->unsure_moves++;
    xfrm_watch_doubt(plane, PLANE_DOUBT_SURE);
}

static int
move_one(struct plane *plane, const struct kernel_sa *from, const struct kernel_sa *to)
{
    struct snapshot snapshot = { .owner = from->owner };
    int error = take_snapshot(plane, from, &snapshot);

    if (error == 0 && changes_ports_only(from, to)) {
        error = set_ports(plane, &snapshot, to);
    } else if (error == 0) {
        error = replace(plane, &snapshot, from, to);
        if (error != 0)
            put_back(plane, &snapshot, from);
    }
    explicit_bzero(&snapshot, sizeof snapshot);
    if (error == NETLINK_UNKNOWN && !is_there(plane, from))
        doubt_move(plane);
    return error;
}

void
xfrm_states_put_right(struct plane *plane, const struct kernel_sa *wanted)
{
    const struct kernel_sa_id id = xfrm_msg_id_of(wanted);
    struct kernel_sa there;
    int error = ESRCH;

    if (xfrm_states_ask(plane, &id, &there) == IPSEC_OK)
        error = move_one(plane, &there, wanted);
    if (error == 0)
        return;
    doubt_move(plane);
    log_error("an SA can't be put where it was", LOG_NUMBER("spi", wanted->spi),
              LOG_NUMBER("errno", error));
}

static void
rename_in_map(struct plane *plane,
              const struct kernel_sa *from,
              const struct kernel_sa *to,
              uint64_t value)
{
    const struct kernel_sa_id old_id = xfrm_msg_id_of(from);
    const struct kernel_sa_id new_id = xfrm_msg_id_of(to);
    uint64_t old_key = xfrm_state_key(plane, &old_id);
    uint64_t key = xfrm_state_key(plane, &new_id);

    xfrm_state_forget(plane, old_key);
    if (key != old_key || to->encapsulation_destination_port == 0)
        xfrm_udp_leave(&plane->udp, old_key);
    number_map_add(&plane->installed, key, value);
    xfrm_states_hear(plane, key, to);
}

/* The gap between deletion and addition loses packets; there is no way to change addresses, or to
 * begin or end encapsulation, in place. */
void
xfrm_states_move(struct plane *plane, struct plane_action *action)
{
    struct kernel_sa from[IPSEC_SA_MAX];
    struct kernel_sa to[IPSEC_SA_MAX];
    size_t count = action->what.bundle->sa_count;
    uint64_t value = xfrm_state_value(action->what.context_id, action->what.direction);
    size_t moved = 0;
    int error = 0;

    action->status =
        xfrm_bundle_states(&action->was, plane->instance, false, from, &action->reason);
    if (action->status == IPSEC_OK)
        action->status =
            xfrm_bundle_states(&action->what, plane->instance, false, to, &action->reason);
    if (action->status == IPSEC_OK)
        action->status = xfrm_states_listen(plane, &action->what, &action->reason);
    if (action->status == IPSEC_OK && !number_map_reserve(&plane->installed, count))
        action->status = IPSEC_RPC_OUT_OF_RESOURCES;
    if (action->status != IPSEC_OK)
        return;
    for (; moved < count && error == 0; moved++)
        error = move_one(plane, &from[moved], &to[moved]);
    if (error != 0) {
        action->status = xfrm_status_of(error, NULL, NULL, &action->reason);
        /* The one that failed was put back; those before it go back too. */
        for (size_t i = 0; i + 1 < moved; i++) {
            if (move_one(plane, &to[i], &from[i]) != 0)
                doubt_move(plane);
        }
        return;
    }
    for (size_t i = 0; i < count; i++)
        rename_in_map(plane, &from[i], &to[i], value);
}
