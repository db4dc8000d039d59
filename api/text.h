/* SPDX-License-Identifier: Apache-2.0
 *
 * text.h: numbers, addresses, prefixes and GUIDs as text, read strictly: one value has one spelling
 * that is accepted, but for letter case and the forms of an IPv6 address. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/buffer.h"
#include "engine/types.h"

/* "0" or digits without a leading zero, 'size' of them, up to 2^64-1. */
NODISCARD bool text_parse_unsigned(const char *text, size_t size, uint64_t *value_out);

/* "192.0.2.1" or "2001:db8::1": no zone, no leading zeros, nothing around it.  'version_out' is an
 * enum ipsec_ip_version. */
NODISCARD bool
text_parse_address(const char *text, struct ipsec_address *address_out, uint8_t *version_out);

/* "198.51.100.0/24"; a bare address is a prefix of full length. */
enum text_prefix {
    TEXT_PREFIX_GOOD = 0,
    TEXT_PREFIX_NO_ADDRESS, /* what stands before the slash is no address */
    TEXT_PREFIX_NO_LENGTH,  /* no number, or beyond the address */
    TEXT_PREFIX_HOST_BITS,  /* the address has bits set behind the prefix */
};
NODISCARD enum text_prefix text_parse_prefix(const char *text,
                                             struct ipsec_address *address_out,
                                             uint8_t *prefix_length_out,
                                             uint8_t *version_out);

/* Of either case; -1: it is none.  Not for keys: its time depends on the digit. */
int text_hex_digit(char c);

/* "6f1c0a52-5f30-4c2e-9f43-0d7a5d2b8c11", letters of either case. */
NODISCARD bool text_parse_guid(const char *text, struct ipsec_guid *guid_out);

/* Bytes of an address of that version, and how many bits it has. */
static inline unsigned
text_address_bits(uint8_t ip_version)
{
    return ip_version == IPSEC_IP_VERSION_V4 ? 32 : 128;
}

void text_append_unsigned(struct buffer *buffer, uint64_t value);
void
text_append_address(struct buffer *buffer, const struct ipsec_address *address, uint8_t ip_version);
void text_append_guid(struct buffer *buffer, const struct ipsec_guid *guid);
