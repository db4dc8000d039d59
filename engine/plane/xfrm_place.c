/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_place.c: which packets of which direction a policy is for.  The kernel has one policy for
 * them at a time: who has the place, who would get it, and who waits for it. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "engine/base/buffer.h"
#include "engine/hash_index.h"
#include "engine/plane/xfrm_owner.h"
#include "engine/plane/xfrm_plane.h"

void
xfrm_places_init(struct plane *plane)
{
    number_map_init(&plane->tried);
    number_map_init(&plane->blocked);
}

void
xfrm_places_clear(struct plane *plane)
{
    number_map_clear(&plane->tried);
    number_map_clear(&plane->blocked);
}

uint64_t
xfrm_place_key(const struct plane *plane, const struct kernel_policy *policy)
{
    const struct kernel_selector *selector = &policy->selector;
    const uint16_t ports[] = { selector->source_port, selector->source_port_mask,
                               selector->destination_port, selector->destination_port_mask };
    const uint8_t rest[] = {
        policy->direction,       selector->any_family,         selector->ip_version,
        selector->source_prefix, selector->destination_prefix, selector->ip_protocol
    };
    uint8_t bytes[2 * sizeof selector->source.bytes + sizeof ports + sizeof rest];
    uint8_t *end = bytes;

    end = mempcpy(end, selector->source.bytes, sizeof selector->source.bytes);
    end = mempcpy(end, selector->destination.bytes, sizeof selector->destination.bytes);
    end = mempcpy(end, ports, sizeof ports);
    (void)mempcpy(end, rest, sizeof rest);
    return hash_bytes(plane->tried.seed, bytes, sizeof bytes);
}

int
xfrm_place_check(const struct plane *plane,
                 const struct kernel_policy *there,
                 uint64_t id,
                 uint64_t *owner_out,
                 uint64_t *holder_out)
{
    uint64_t known = 0;

    *owner_out = *holder_out = 0;
    if (!xfrm_policies_own(plane, there, owner_out) || *owner_out == 0)
        return EEXIST;
    known = number_map_find(&plane->filters, *owner_out);
    if (*owner_out == id || known == 0 || (known & XFRM_FILTER_RELEASED) != 0)
        return 0;
    *holder_out = *owner_out;
    return EEXIST;
}

void
xfrm_place_refuse(struct plane *plane,
                  struct plane_action *action,
                  int error,
                  uint64_t holder,
                  const struct kernel_policy *there)
{
    AUTO(buffer) text = BUFFER(XFRM_OBSTACLE_SIZE - 1);
    uint64_t owner = 0;

    action->status = xfrm_policies_status(error, &action->reason);
    action->holder = holder;
    if (error != EEXIST)
        return;
    action->reason = holder != 0 ? "packets of just these conditions are spoken for"
                                 : "a policy of another owner is there for exactly these packets";
    if (holder != 0 || there == NULL)
        return;
    if (xfrm_policies_own(plane, there, &owner)) {
        action->reason = "the service's own packets are exempt under just these conditions";
        return;
    }
    buffer_append_text(&text, action->reason);
    buffer_append_text(&text, ": ");
    xfrm_place_describe(there, &text);
    if (!text.failed) {
        memcpy(plane->obstacle, text.data, text.size);
        plane->obstacle[text.size] = '\0';
        action->reason = plane->obstacle;
    }
}

void
xfrm_places_try(struct plane *plane,
                struct plane_action *action,
                const struct kernel_policy *policies,
                size_t count)
{
    uint64_t id = action->filter.filter->id;

    if (!number_map_reserve(&plane->tried, count)) {
        action->status = IPSEC_RPC_OUT_OF_RESOURCES;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t holder = number_map_find(&plane->tried, xfrm_place_key(plane, &policies[i]));
        uint64_t owner = 0;
        struct kernel_policy there = { .priority = 0 };
        int error = holder != 0 ? EEXIST : xfrm_policies_ask(plane, &policies[i], &there);

        if (error == 0)
            error = xfrm_place_check(plane, &there, id, &owner, &holder);
        if (error == 0 || error == ENOENT)
            continue;
        xfrm_place_refuse(plane, action, error, holder, &there);
        return;
    }
    for (size_t i = 0; i < count; i++)
        number_map_add(&plane->tried, xfrm_place_key(plane, &policies[i]), id);
}

/* Removes those of a filter, whichever there are. */
static void
forget(struct number_map *map, uint64_t key, uint64_t id)
{
    struct number_map_cursor cursor = number_map_seek(map, key);
    uint64_t value = 0;

    while ((value = number_map_next(map, key, &cursor)) != 0) {
        if (value == id) {
            number_map_remove(map, key, id);
            return;
        }
    }
}

void
xfrm_places_keep(struct plane *plane,
                 uint64_t id,
                 const struct kernel_policy *policies,
                 size_t count)
{
    for (size_t i = 0; i < count; i++)
        forget(&plane->tried, xfrm_place_key(plane, &policies[i]), id);
    number_map_tidy(&plane->tried);
}

void
xfrm_place_wait(struct plane *plane, uint64_t id, const struct kernel_policy *policy)
{
    number_map_add(&plane->blocked, xfrm_place_key(plane, policy), id);
}

void
xfrm_places_wait_no_more(struct plane *plane,
                         uint64_t id,
                         const struct kernel_policy *policies,
                         size_t count)
{
    for (size_t i = 0; i < count; i++)
        forget(&plane->blocked, xfrm_place_key(plane, &policies[i]), id);
}

/* --- In words --------------------------------------------------------------------------------- */

static void
describe_end(const char *name,
             uint8_t ip_version,
             const struct ipsec_address *address,
             uint8_t prefix,
             struct buffer *text)
{
    char digits[INET6_ADDRSTRLEN];
    int family = ip_version == IPSEC_IP_VERSION_V6 ? AF_INET6 : AF_INET;

    if (inet_ntop(family, address->bytes, digits, sizeof digits) != NULL)
        buffer_append_format(text, " %s %s/%u", name, digits, prefix);
}

static void
describe_port(const char *name, uint16_t port, uint16_t mask, struct buffer *text)
{
    if (mask == UINT16_MAX)
        buffer_append_format(text, " %s %u", name, port);
    else if (mask != 0)
        buffer_append_format(text, " %s %u/0x%x", name, port, mask);
}

void
xfrm_place_describe(const struct kernel_policy *policy, struct buffer *text)
{
    static const char *const directions[KERNEL_POLICY_DIRECTION_COUNT] = { "in", "out", "fwd" };
    const struct kernel_selector *selector = &policy->selector;
    struct xfrm_owner owner;

    if (xfrm_owner_read(policy->owner, &owner))
        buffer_append_format(text, "plane-instance %u, ", owner.instance);
    buffer_append_format(
        text, "dir %s action %s%s priority %u",
        policy->direction < KERNEL_POLICY_DIRECTION_COUNT ? directions[policy->direction] : "?",
        policy->is_block ? "block" : "allow", policy->template_count > 0 ? " through IPsec" : "",
        policy->priority);
    describe_end("src", selector->ip_version, &selector->source, selector->source_prefix, text);
    describe_end("dst", selector->ip_version, &selector->destination, selector->destination_prefix,
                 text);
    if (selector->ip_protocol != 0)
        buffer_append_format(text, " proto %u", selector->ip_protocol);
    describe_port("sport", selector->source_port, selector->source_port_mask, text);
    describe_port("dport", selector->destination_port, selector->destination_port_mask, text);
}
