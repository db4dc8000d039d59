/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_wire.h: single structs of <linux/xfrm.h> from ours and back, for xfrm_msg.c and
 * xfrm_msg_read.c only. */
#pragma once

#include <linux/xfrm.h>

#include "engine/base/attributes.h"
#include "engine/plane/xfrm_msg.h"

/* Newer than the headers that this builds with. */
#define XFRM_WIRE_SA_DIRECTION 33 /* XFRMA_SA_DIR */
#define XFRM_WIRE_DIRECTION_IN 1
#define XFRM_WIRE_DIRECTION_OUT 2
#define XFRM_WIRE_ESP_IN_UDP 2 /* UDP_ENCAP_ESPINUDP */

/* A kernel built for 64 bits; on 32 bits the paddings differ, and the kernel would misread us. */
_Static_assert(sizeof(struct xfrm_usersa_info) == 224 &&
                   sizeof(struct xfrm_userpolicy_info) == 168 &&
                   sizeof(struct xfrm_usersa_id) == 24 && sizeof(struct xfrm_user_expire) == 232,
               "netlink structs must be those of a 64-bit kernel");

uint16_t xfrm_wire_family(uint8_t ip_version);
NODISCARD bool xfrm_wire_ip_version(uint16_t family, uint8_t *ip_version_out);
xfrm_address_t xfrm_wire_address(const struct ipsec_address *address);
/* Of an IPv4 address the first 4 bytes only. */
struct ipsec_address xfrm_wire_read_address(const xfrm_address_t *wire, uint8_t ip_version);

/* What fills a struct of the kernel's fills its paddings too, with zeros. */
void xfrm_wire_selector(const struct kernel_selector *selector, struct xfrm_selector *wire);
/* The readers fail on an address family that is neither IPv4 nor IPv6, and on prefixes that are too
 * long for it. */
NODISCARD bool xfrm_wire_read_selector(const struct xfrm_selector *wire,
                                       struct kernel_selector *selector_out);

void xfrm_wire_sa(const struct kernel_sa *sa, struct xfrm_usersa_info *wire);
/* Fills what 'wire' tells and leaves the rest alone. */
NODISCARD bool xfrm_wire_read_sa(const struct xfrm_usersa_info *wire, struct kernel_sa *sa);

void xfrm_wire_template(const struct kernel_template *template, struct xfrm_user_tmpl *wire);
NODISCARD bool xfrm_wire_read_template(const struct xfrm_user_tmpl *wire,
                                       struct kernel_template *template_out);

void xfrm_wire_policy(const struct kernel_policy *policy, struct xfrm_userpolicy_info *wire);
NODISCARD bool xfrm_wire_read_policy(const struct xfrm_userpolicy_info *wire,
                                     struct kernel_policy *policy);
