/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_wire.c: single structs of <linux/xfrm.h> from ours and back. */
#include "engine/plane/xfrm_wire.h"

#include <string.h>

#include <arpa/inet.h>
#include <sys/socket.h>

static void
lifetime_to_wire(const struct kernel_sa *sa, struct xfrm_lifetime_cfg *wire)
{
    /* A limit of 0 bytes or packets would end the SA at its first packet: none is XFRM_INF. */
    wire->soft_byte_limit = XFRM_INF;
    wire->hard_byte_limit = sa->hard_bytes == 0 ? XFRM_INF : sa->hard_bytes;
    wire->soft_packet_limit = XFRM_INF;
    wire->hard_packet_limit = sa->hard_packets == 0 ? XFRM_INF : sa->hard_packets;
    wire->hard_add_expires_seconds = sa->hard_seconds;
}

uint16_t
xfrm_wire_family(uint8_t ip_version)
{
    return ip_version == IPSEC_IP_VERSION_V6 ? AF_INET6 : AF_INET;
}

bool
xfrm_wire_ip_version(uint16_t family, uint8_t *ip_version_out)
{
    *ip_version_out = family == AF_INET6 ? IPSEC_IP_VERSION_V6 : IPSEC_IP_VERSION_V4;
    return family == AF_INET || family == AF_INET6;
}

xfrm_address_t
xfrm_wire_address(const struct ipsec_address *address)
{
    xfrm_address_t wire;

    _Static_assert(sizeof wire == sizeof address->bytes, "an address has 16 bytes");
    memcpy(&wire, address->bytes, sizeof wire);
    return wire;
}

struct ipsec_address
xfrm_wire_read_address(const xfrm_address_t *wire, uint8_t ip_version)
{
    struct ipsec_address address = { .bytes = { 0 } };

    memcpy(address.bytes, wire, ip_version == IPSEC_IP_VERSION_V6 ? 16 : 4);
    return address;
}

void
xfrm_wire_selector(const struct kernel_selector *selector, struct xfrm_selector *wire)
{
    memset(wire, 0, sizeof *wire);
    wire->daddr = xfrm_wire_address(&selector->destination);
    wire->saddr = xfrm_wire_address(&selector->source);
    wire->dport = htons(selector->destination_port);
    wire->dport_mask = htons(selector->destination_port_mask);
    wire->sport = htons(selector->source_port);
    wire->sport_mask = htons(selector->source_port_mask);
    wire->family = selector->any_family ? AF_UNSPEC : xfrm_wire_family(selector->ip_version);
    wire->prefixlen_d = selector->destination_prefix;
    wire->prefixlen_s = selector->source_prefix;
    wire->proto = selector->ip_protocol;
}

bool
xfrm_wire_read_selector(const struct xfrm_selector *wire, struct kernel_selector *selector_out)
{
    uint8_t ip_version = IPSEC_IP_VERSION_V4;
    unsigned longest = 0;

    *selector_out = (struct kernel_selector){
        .any_family = wire->family == AF_UNSPEC,
        .source_prefix = wire->prefixlen_s,
        .destination_prefix = wire->prefixlen_d,
        .ip_protocol = wire->proto,
        .source_port = ntohs(wire->sport),
        .source_port_mask = ntohs(wire->sport_mask),
        .destination_port = ntohs(wire->dport),
        .destination_port_mask = ntohs(wire->dport_mask),
    };
    if (wire->family == AF_UNSPEC)
        return wire->prefixlen_s == 0 && wire->prefixlen_d == 0;
    if (!xfrm_wire_ip_version(wire->family, &ip_version))
        return false;
    selector_out->ip_version = ip_version;
    selector_out->source = xfrm_wire_read_address(&wire->saddr, ip_version);
    selector_out->destination = xfrm_wire_read_address(&wire->daddr, ip_version);
    longest = ip_version == IPSEC_IP_VERSION_V6 ? 128 : 32;
    return wire->prefixlen_s <= longest && wire->prefixlen_d <= longest;
}

void
xfrm_wire_sa(const struct kernel_sa *sa, struct xfrm_usersa_info *wire)
{
    memset(wire, 0, sizeof *wire);
    xfrm_wire_selector(&sa->selector, &wire->sel);
    wire->id.daddr = xfrm_wire_address(&sa->destination);
    wire->id.spi = htonl(sa->spi);
    wire->id.proto = sa->protocol;
    wire->saddr = xfrm_wire_address(&sa->source);
    lifetime_to_wire(sa, &wire->lft);
    wire->reqid = sa->reqid;
    wire->family = xfrm_wire_family(sa->ip_version);
    wire->mode = sa->mode;
    wire->replay_window = sa->replay_window;
    wire->flags = sa->flags;
}

bool
xfrm_wire_read_sa(const struct xfrm_usersa_info *wire, struct kernel_sa *sa)
{
    const struct xfrm_lifetime_cfg *limits = &wire->lft;

    if (!xfrm_wire_ip_version(wire->family, &sa->ip_version) ||
        !xfrm_wire_read_selector(&wire->sel, &sa->selector))
        return false;
    sa->protocol = wire->id.proto;
    sa->mode = wire->mode;
    sa->flags = wire->flags;
    sa->replay_window = wire->replay_window;
    sa->spi = ntohl(wire->id.spi);
    sa->reqid = wire->reqid;
    sa->source = xfrm_wire_read_address(&wire->saddr, sa->ip_version);
    sa->destination = xfrm_wire_read_address(&wire->id.daddr, sa->ip_version);
    sa->hard_seconds = limits->hard_add_expires_seconds;
    sa->hard_bytes = limits->hard_byte_limit == XFRM_INF ? 0 : limits->hard_byte_limit;
    sa->hard_packets = limits->hard_packet_limit == XFRM_INF ? 0 : limits->hard_packet_limit;
    sa->progress.bytes = wire->curlft.bytes;
    sa->progress.packets = wire->curlft.packets;
    sa->progress.added_at_s = wire->curlft.add_time;
    sa->progress.first_used_at_s = wire->curlft.use_time;
    sa->window_failures = wire->stats.replay_window;
    sa->replay_failures = wire->stats.replay;
    sa->integrity_failures = wire->stats.integrity_failed;
    return true;
}

void
xfrm_wire_template(const struct kernel_template *template, struct xfrm_user_tmpl *wire)
{
    memset(wire, 0, sizeof *wire);
    wire->id.daddr = xfrm_wire_address(&template->destination);
    wire->id.proto = template->protocol;
    wire->family = xfrm_wire_family(template->ip_version);
    wire->saddr = xfrm_wire_address(&template->source);
    wire->reqid = template->reqid;
    wire->mode = template->mode;
    wire->optional = template->optional ? 1 : 0;
    wire->aalgos = UINT32_MAX;
    wire->ealgos = UINT32_MAX;
    wire->calgos = UINT32_MAX;
}

bool
xfrm_wire_read_template(const struct xfrm_user_tmpl *wire, struct kernel_template *template_out)
{
    uint8_t ip_version = IPSEC_IP_VERSION_V4;

    if (!xfrm_wire_ip_version(wire->family, &ip_version))
        return false;
    *template_out = (struct kernel_template){
        .protocol = wire->id.proto,
        .mode = wire->mode,
        .ip_version = ip_version,
        .optional = wire->optional != 0,
        .reqid = wire->reqid,
        .source = xfrm_wire_read_address(&wire->saddr, ip_version),
        .destination = xfrm_wire_read_address(&wire->id.daddr, ip_version),
    };
    return true;
}

void
xfrm_wire_policy(const struct kernel_policy *policy, struct xfrm_userpolicy_info *wire)
{
    _Static_assert(sizeof wire->lft.soft_byte_limit + sizeof wire->lft.soft_packet_limit ==
                       KERNEL_OWNER_SIZE,
                   "the owner's tag fills both limits");
    memset(wire, 0, sizeof *wire);
    xfrm_wire_selector(&policy->selector, &wire->sel);
    wire->lft.hard_byte_limit = XFRM_INF;
    wire->lft.hard_packet_limit = XFRM_INF;
    memcpy(&wire->lft.soft_byte_limit, policy->owner, 8);
    memcpy(&wire->lft.soft_packet_limit, policy->owner + 8, 8);
    wire->priority = policy->priority;
    wire->index = policy->index;
    wire->dir = policy->direction;
    wire->action = policy->is_block ? XFRM_POLICY_BLOCK : XFRM_POLICY_ALLOW;
}

bool
xfrm_wire_read_policy(const struct xfrm_userpolicy_info *wire, struct kernel_policy *policy)
{
    if (!xfrm_wire_read_selector(&wire->sel, &policy->selector))
        return false;
    policy->direction = wire->dir;
    policy->is_block = wire->action == XFRM_POLICY_BLOCK;
    policy->priority = wire->priority;
    policy->index = wire->index;
    memcpy(policy->owner, &wire->lft.soft_byte_limit, 8);
    memcpy(policy->owner + 8, &wire->lft.soft_packet_limit, 8);
    return true;
}
