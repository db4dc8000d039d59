/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_text.h: values as the tables spell them, for an operator to read: names of enumerators,
 * addresses, prefixes, GUIDs, weights.  Parsers accept what the formatters write and little else.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/types.h"

/* The WFP names in lowerCamelCase; null when the value has none. */
struct sqlite_names;
extern const struct sqlite_names sqlite_state_names;
extern const struct sqlite_names sqlite_traffic_type_names;
extern const struct sqlite_names sqlite_layer_names;
extern const struct sqlite_names sqlite_callout_names;
extern const struct sqlite_names sqlite_action_names;
extern const struct sqlite_names sqlite_weight_type_names;
extern const struct sqlite_names sqlite_field_names;
extern const struct sqlite_names sqlite_match_names;
extern const struct sqlite_names sqlite_container_names;
extern const struct sqlite_names sqlite_direction_names;
extern const struct sqlite_names sqlite_lifetime_names;
extern const struct sqlite_names sqlite_sub_layer_names;
extern const struct sqlite_names sqlite_transform_type_names;
extern const struct sqlite_names sqlite_auth_transform_names;
extern const struct sqlite_names sqlite_cipher_transform_names;
extern const struct sqlite_names sqlite_pfs_group_names;
extern const struct sqlite_names sqlite_provider_context_type_names;
const char *sqlite_name(const struct sqlite_names *names, uint16_t value);
bool sqlite_name_parse(const struct sqlite_names *names, const char *text, uint16_t *value_out);

/* "192.0.2.1", "2001:db8::1". */
#define SQLITE_ADDRESS_SIZE 46
void sqlite_address_format(enum ipsec_ip_version version,
                           const struct ipsec_address *address,
                           char text[SQLITE_ADDRESS_SIZE]);
bool
sqlite_address_parse(const char *text, uint8_t *version_out, struct ipsec_address *address_out);

/* What a condition compares with: "192.0.2.0/24" for an address field of that IP version, "443" for
 * the others; a range is "192.0.2.1-192.0.2.9/32" or "1024-2047". */
#define SQLITE_CONDITION_SIZE (2 * SQLITE_ADDRESS_SIZE + 5)
void sqlite_condition_format(enum ipsec_ip_version version,
                             const struct ipsec_condition *condition,
                             char text[SQLITE_CONDITION_SIZE]);
/* Reads 'text' for the field that 'condition' already has. */
bool sqlite_condition_parse(enum ipsec_ip_version version,
                            const char *text,
                            struct ipsec_condition *condition);

/* "6f1c2d3e-0123-4567-89ab-0123456789ab". */
#define SQLITE_GUID_SIZE 37
void sqlite_guid_format(const struct ipsec_guid *guid, char text[SQLITE_GUID_SIZE]);
bool sqlite_guid_parse(const char *text, struct ipsec_guid *guid_out);

/* "0x00000000000000ff". */
#define SQLITE_WEIGHT_SIZE 19
void sqlite_weight_format(uint64_t weight, char text[SQLITE_WEIGHT_SIZE]);
bool sqlite_weight_parse(const char *text, uint64_t *weight_out);
