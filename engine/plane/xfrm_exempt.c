/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_exempt.c: what the service itself needs to go through: permits above all policies of
 * filters, of filter 0. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>

#include "engine/base/buffer.h"
#include "engine/base/log.h"
#include "engine/plane/xfrm_filter.h"
#include "engine/plane/xfrm_owner.h"
#include "engine/plane/xfrm_plane.h"

static struct xfrm_exemption *find(const struct plane *plane, const struct kernel_policy *policy);
static bool is_same_selector(const struct kernel_selector *a, const struct kernel_selector *b);
static enum ipsec_status permit(struct plane *plane,
                                const struct kernel_selector *selectors,
                                const uint8_t *directions,
                                size_t count);
static int put(struct plane *plane, struct xfrm_exemption *exemption);
static void tell(struct xfrm_exemption *exemption, const struct kernel_policy *there);
static bool lets_pass(const struct kernel_policy *policy);

enum ipsec_status
xfrm_exempt_neighbours(struct plane *plane, struct ipsec_fault *fault)
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
xfrm_exempt_service(struct plane *plane,
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

void
xfrm_exemptions_look(struct plane *plane)
{
    for (size_t i = 0; i < plane->exemption_count; i++)
        plane->exemptions[i].holds = false;
}

bool
xfrm_exemptions_have(const struct plane *plane, const struct kernel_policy *policy)
{
    return find(plane, policy) != NULL;
}

bool
xfrm_exemptions_see(struct plane *plane, const struct kernel_policy *policy)
{
    struct xfrm_exemption *exemption = find(plane, policy);

    if (exemption == NULL)
        return false;
    exemption->holds |= lets_pass(policy);
    return true;
}

void
xfrm_exemptions_restore(struct plane *plane)
{
    for (size_t i = 0; i < plane->exemption_count; i++) {
        if (!plane->exemptions[i].holds)
            (void)put(plane, &plane->exemptions[i]);
    }
}

uint64_t
xfrm_exemptions_missing(const struct plane *plane)
{
    uint64_t missing = 0;

    for (size_t i = 0; i < plane->exemption_count; i++)
        missing += !plane->exemptions[i].holds;
    return missing;
}

/* Null: this service exempts nothing of the kind, or does no longer. */
static struct xfrm_exemption *
find(const struct plane *plane, const struct kernel_policy *policy)
{
    for (size_t i = 0; i < plane->exemption_count; i++) {
        struct xfrm_exemption *exemption = &plane->exemptions[i];

        if (exemption->direction == policy->direction &&
            is_same_selector(&exemption->selector, &policy->selector))
            return exemption;
    }
    return NULL;
}

static bool
is_same_selector(const struct kernel_selector *a, const struct kernel_selector *b)
{
    return a->any_family == b->any_family && a->ip_version == b->ip_version &&
           a->source_prefix == b->source_prefix && a->destination_prefix == b->destination_prefix &&
           a->ip_protocol == b->ip_protocol && a->source_port == b->source_port &&
           a->source_port_mask == b->source_port_mask &&
           a->destination_port == b->destination_port &&
           a->destination_port_mask == b->destination_port_mask &&
           memcmp(&a->source, &b->source, sizeof a->source) == 0 &&
           memcmp(&a->destination, &b->destination, sizeof a->destination) == 0;
}

static enum ipsec_status
permit(struct plane *plane,
       const struct kernel_selector *selectors,
       const uint8_t *directions,
       size_t count)
{
    struct xfrm_exemption *exemptions =
        reallocarray(plane->exemptions, plane->exemption_count + count, sizeof *plane->exemptions);
    const char *reason = NULL;

    if (exemptions == NULL)
        return IPSEC_RPC_OUT_OF_RESOURCES;
    plane->exemptions = exemptions;
    for (size_t i = 0; i < count; i++) {
        const struct kernel_policy like = { .selector = selectors[i], .direction = directions[i] };
        struct xfrm_exemption *exemption = find(plane, &like);

        if (exemption == NULL) {
            exemption = &plane->exemptions[plane->exemption_count++];
            *exemption = (struct xfrm_exemption){
                .selector = selectors[i],
                .direction = directions[i],
            };
        }
        int error = put(plane, exemption);
        if (error != 0)
            return xfrm_status_of(error, NULL, NULL, &reason);
    }
    return IPSEC_OK;
}

/* The permit is there afterwards, or a policy of somebody else for the same packets: 0, an errno,
 * or NETLINK_UNKNOWN. */
static int
put(struct plane *plane, struct xfrm_exemption *exemption)
{
    const struct xfrm_owner owner = {
        .instance = plane->instance,
        .direction = exemption->direction,
    };
    struct kernel_policy policy = {
        .selector = exemption->selector,
        .direction = exemption->direction,
        .priority = XFRM_PRIORITY_EXEMPT,
    };
    struct kernel_policy there;
    uint64_t id = 0;
    int error = 0;

    xfrm_owner_write(&owner, policy.owner);
    error = xfrm_policies_change(plane, &policy, XFRM_POLICY_ADD);
    if (error == EEXIST)
        error = xfrm_policies_ask(plane, &policy, &there);
    else
        there = policy;
    /* It may be of an earlier start, of another instance, or that of a filter. */
    if (error == 0 && !lets_pass(&there) && xfrm_policies_own(plane, &there, &id)) {
        error = xfrm_policies_change(plane, &policy, XFRM_POLICY_SET);
        there = policy;
    }
    if (error == 0)
        tell(exemption, &there);
    return error;
}

/* Once, and when it has changed. */
static void
tell(struct xfrm_exemption *exemption, const struct kernel_policy *there)
{
    const struct kernel_selector *selector = &exemption->selector;
    uint16_t port =
        selector->source_port_mask != 0 ? selector->source_port : selector->destination_port;
    AUTO(buffer) text = BUFFER(XFRM_OBSTACLE_SIZE);

    exemption->holds = lets_pass(there);
    if (exemption->holds != exemption->is_told)
        return;
    exemption->is_told = !exemption->holds;
    if (exemption->holds) {
        log_info("packets that the service needs pass again",
                 LOG_NUMBER("protocol", selector->ip_protocol), LOG_NUMBER("port", port));
        return;
    }
    xfrm_place_describe(there, &text);
    log_warning("another policy decides on packets that the service needs",
                LOG_NUMBER("protocol", selector->ip_protocol), LOG_NUMBER("port", port),
                LOG_TEXT("policy", buffer_text(&text)));
}

/* Above all policies of filters. */
static bool
lets_pass(const struct kernel_policy *policy)
{
    return !policy->is_block && policy->template_count == 0 &&
           policy->priority <= XFRM_PRIORITY_EXEMPT;
}
