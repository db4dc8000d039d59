/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_policies.c: filters become policies of the kernel, and go. */
#include <errno.h>
#include <string.h>

#include <netinet/in.h>

#include "engine/plane/xfrm_filter.h"
#include "engine/plane/xfrm_owner.h"
#include "engine/plane/xfrm_plane.h"

enum policy_change { POLICY_ADD, POLICY_REPLACE, POLICY_REMOVE };

/* Sends one request for each policy; the first error that counts, or 0. */
static int
change(struct plane *plane,
       const struct kernel_policy *policies,
       size_t count,
       enum policy_change kind,
       struct netlink_result *results)
{
    for (size_t i = 0; i < count; i++) {
        void *room = netlink_room(plane->requests);

        switch (kind) {
        case POLICY_ADD:
            (void)xfrm_msg_add_policy(room, XFRM_MSG_MAX_SIZE, &policies[i]);
            break;
        case POLICY_REPLACE:
            (void)xfrm_msg_set_policy(room, XFRM_MSG_MAX_SIZE, &policies[i]);
            break;
        case POLICY_REMOVE:
            (void)xfrm_msg_delete_policy(room, XFRM_MSG_MAX_SIZE, &policies[i].selector,
                                         (enum kernel_policy_direction)policies[i].direction);
            break;
        }
        netlink_add(plane->requests);
    }
    netlink_send(plane->requests, results, NULL, NULL);
    for (size_t i = 0; i < count; i++) {
        if (results[i].error != 0 && !(kind == POLICY_REMOVE && results[i].error == ENOENT))
            return results[i].error;
    }
    return 0;
}

static enum ipsec_status
status_of(int error, const char **reason_out)
{
    enum ipsec_status status = xfrm_status_of(error, NULL, NULL, reason_out);

    if (error == EEXIST)
        *reason_out = "the kernel has a policy for exactly these packets";
    if (error == EINVAL)
        *reason_out = "the kernel refuses the policy as it is";
    return status;
}

static void
add(struct plane *plane,
    struct plane_action *action,
    const struct kernel_policy *policies,
    size_t count)
{
    struct netlink_result results[XFRM_FILTER_POLICIES_MAX];
    struct netlink_result ignored[XFRM_FILTER_POLICIES_MAX];
    int error = 0;

    if (!number_map_reserve(&plane->filters, 1)) {
        action->status = IPSEC_RPC_OUT_OF_RESOURCES;
        return;
    }
    error = change(plane, policies, count, POLICY_ADD, results);
    if (error == 0) {
        number_map_add(&plane->filters, action->filter.filter->id, count);
        return;
    }
    action->status = status_of(error, &action->reason);
    /* All or nothing; what was there before is not ours to remove. */
    for (size_t i = 0; i < count; i++) {
        if (results[i].error == 0)
            (void)change(plane, &policies[i], 1, POLICY_REMOVE, ignored);
    }
}

void
xfrm_policies_apply(struct plane *plane, struct plane_action *action)
{
    struct kernel_policy policies[XFRM_FILTER_POLICIES_MAX];
    struct netlink_result results[XFRM_FILTER_POLICIES_MAX];
    size_t count = 0;
    uint64_t id = action->filter.filter->id;
    uint64_t installed = number_map_find(&plane->filters, id);
    int error = 0;

    action->reason = NULL;
    action->status = xfrm_filter_policies(&action->filter, plane->instance, policies, &count, NULL);
    if (action->status != IPSEC_OK || count == 0)
        return;
    if (action->kind == PLANE_ADD_FILTER && installed == 0) {
        add(plane, action, policies, count);
        return;
    }
    /* What was never made there can't be changed; it may be somebody else's. */
    if (installed == 0) {
        action->status = action->kind == PLANE_DELETE_FILTER ? IPSEC_OK : IPSEC_NOT_FOUND;
        return;
    }
    error = change(plane, policies, count,
                   action->kind == PLANE_DELETE_FILTER ? POLICY_REMOVE : POLICY_REPLACE, results);
    if (error != 0)
        action->status = status_of(error, &action->reason);
    else if (action->kind == PLANE_DELETE_FILTER)
        number_map_remove(&plane->filters, id, installed);
}

/* --- What always passes ----------------------------------------------------------------------- */

/* Permits at the top, of filter 0.  One that is there already is of an earlier start, or somebody
 * had the same idea. */
static enum ipsec_status
permit(struct plane *plane,
       const struct kernel_selector *selectors,
       const uint8_t *directions,
       size_t count)
{
    struct kernel_policy policy = { .priority = XFRM_PRIORITY_EXEMPT };
    struct netlink_result result;
    const char *reason = NULL;

    for (size_t i = 0; i < count; i++) {
        const struct xfrm_owner owner = { .instance = plane->instance, .direction = directions[i] };
        int error = 0;

        policy.selector = selectors[i];
        policy.direction = directions[i];
        xfrm_owner_write(&owner, policy.owner);
        error = change(plane, &policy, 1, POLICY_ADD, &result);
        if (error != 0 && error != EEXIST)
            return status_of(error, &reason);
    }
    return IPSEC_OK;
}

enum ipsec_status
xfrm_policies_exempt(struct plane *plane, struct ipsec_fault *fault)
{
    /* Neighbour discovery: types 133 to 137 of ICMPv6, as numbers under masks.  Without it hosts on
     * one link lose each other before any SA could carry a packet. */
    static const struct {
        uint16_t type;
        uint16_t mask;
    } types[] = { { 133, 0xffff }, { 134, 0xfffe }, { 136, 0xfffe } };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const struct kernel_selector selector = {
            .ip_version = IPSEC_IP_VERSION_V6,
            .ip_protocol = IPPROTO_ICMPV6,
            .source_port = types[i].type,
            .source_port_mask = types[i].mask,
        };
        const struct kernel_selector selectors[] = { selector, selector };
        static const uint8_t directions[] = { KERNEL_POLICY_OUT, KERNEL_POLICY_IN };
        enum ipsec_status status = permit(plane, selectors, directions, 2);

        if (status != IPSEC_OK)
            return ipsec_fault_set(fault, status, IPSEC_FAULT_SERVICE, "plane",
                                   "the kernel takes no policy for neighbour discovery");
    }
    return IPSEC_OK;
}

enum ipsec_status
xfrm_policies_exempt_service(struct plane *plane,
                             uint8_t ip_version,
                             const struct ipsec_address *address,
                             uint16_t port)
{
    static const struct ipsec_address any;
    bool is_any = memcmp(address, &any, sizeof any) == 0;
    uint8_t whole = ip_version == IPSEC_IP_VERSION_V6 ? 128 : 32;
    const struct kernel_selector out = {
        .ip_version = ip_version,
        .ip_protocol = IPPROTO_TCP,
        .source = *address,
        .source_prefix = is_any ? 0 : whole,
        .source_port = port,
        .source_port_mask = UINT16_MAX,
    };
    const struct kernel_selector in = {
        .ip_version = ip_version,
        .ip_protocol = IPPROTO_TCP,
        .destination = *address,
        .destination_prefix = is_any ? 0 : whole,
        .destination_port = port,
        .destination_port_mask = UINT16_MAX,
    };
    const struct kernel_selector selectors[] = { out, in };
    static const uint8_t directions[] = { KERNEL_POLICY_OUT, KERNEL_POLICY_IN };

    return permit(plane, selectors, directions, 2);
}
