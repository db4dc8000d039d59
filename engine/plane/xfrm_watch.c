/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_watch.c: somebody else deletes SAs or policies, or the kernel does not say what came of a
 * request: then a comparison is wanted at once, not when it is time.
 *
 * The groups that tell of changes tell of those of this service too, and SAs that are added come
 * with their keys: the kernel is told to leave out all but what somebody else takes away or
 * replaces.  That fills a socket of its own, so that however much it is, no end of an SA gets
 * lost. */
#include <errno.h>

#include <linux/xfrm.h>

#include "engine/base/log.h"
#include "engine/plane/xfrm_owner.h"
#include "engine/plane/xfrm_plane.h"

#define CHANGE_GROUPS (1U << (XFRMNLGRP_SA - 1) | 1U << (XFRMNLGRP_POLICY - 1))

/* A state can't be replaced, only its limits and ports changed; adding takes nobody's place. */
static const uint16_t types[] = {
    XFRM_MSG_DELSA, XFRM_MSG_FLUSHSA, XFRM_MSG_DELPOLICY, XFRM_MSG_FLUSHPOLICY, XFRM_MSG_UPDPOLICY,
};

static void read_change(void *context, const struct nlmsghdr *message, size_t size);

int
xfrm_watch_open(struct plane *plane, enum network_place place, const char *namespace_name)
{
    int error = netlink_listen(place, namespace_name, CHANGE_GROUPS, &plane->changes);

    if (error == 0)
        error = netlink_hear_only(plane->changes, types, sizeof types / sizeof *types,
                                  netlink_port_id(plane->requests));
    return error;
}

enum plane_doubt
xfrm_watch_take(struct plane *plane)
{
    int error = netlink_receive(plane->changes, read_change, plane);
    enum plane_doubt doubt = PLANE_DOUBT_NONE;

    /* What got lost may have been ours. */
    if (error != 0)
        xfrm_watch_doubt(plane, PLANE_DOUBT_SURE);
    if (error != 0 && error != ENOBUFS)
        log_error("changes by others can't be heard", LOG_NUMBER("errno", error));
    doubt = plane->doubt;
    plane->doubt = PLANE_DOUBT_NONE;
    return doubt;
}

void
xfrm_watch_doubt(struct plane *plane, enum plane_doubt doubt)
{
    if (doubt > plane->doubt)
        plane->doubt = doubt;
}

/* Of a policy that somebody else deleted, or put into a place of which nobody tells what was there.
 * One that is deleted was this service's, or stood in the way of a filter that can be made now, or
 * did for this service what another instance needs, too.
 * Services of another instance replace nothing but what is theirs. */
static enum plane_doubt
doubt_of(const struct plane *plane, const struct kernel_policy *policy, bool is_deleted)
{
    struct xfrm_owner owner;
    bool is_tagged = xfrm_owner_read(policy->owner, &owner);

    if (is_deleted && is_tagged && owner.instance == plane->instance)
        return PLANE_DOUBT_SURE;
    if (is_deleted)
        return number_map_find(&plane->blocked, xfrm_place_key(plane, policy)) != 0 ||
                       xfrm_exemptions_have(plane, policy)
                   ? PLANE_DOUBT_SURE
                   : PLANE_DOUBT_NONE;
    return is_tagged && owner.instance != plane->instance ? PLANE_DOUBT_NONE : PLANE_DOUBT_FAINT;
}

static void
read_change(void *context, const struct nlmsghdr *message, size_t size)
{
    struct plane *plane = context;
    struct xfrm_msg read;

    if (!xfrm_msg_read(message, size, &read) || read.port_id == netlink_port_id(plane->requests))
        return;
    switch (read.kind) {
    case XFRM_MSG_KIND_SA_DELETED:
        if (xfrm_state_find(plane, xfrm_state_key(plane, &read.id)) != 0)
            xfrm_watch_doubt(plane, PLANE_DOUBT_SURE);
        break;
    case XFRM_MSG_KIND_POLICY_DELETED:
        xfrm_watch_doubt(plane, doubt_of(plane, &read.policy, true));
        break;
    case XFRM_MSG_KIND_FLUSHED:
        xfrm_watch_doubt(plane, PLANE_DOUBT_SURE);
        break;
    case XFRM_MSG_KIND_POLICY:
        xfrm_watch_doubt(plane, doubt_of(plane, &read.policy, false));
        break;
    case XFRM_MSG_KIND_OTHER:
    case XFRM_MSG_KIND_SA:
    case XFRM_MSG_KIND_EXPIRED:
    case XFRM_MSG_KIND_SA_COUNT:
    case XFRM_MSG_KIND_ACK:
        break;
    }
}
