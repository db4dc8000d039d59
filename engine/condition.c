/* SPDX-License-Identifier: Apache-2.0
 *
 * condition.c: see condition.h. */
#include "engine/condition.h"

#include <stdio.h>
#include <string.h>

#include "engine/layer.h"

/* NL_ADDRESS_TYPE */
enum { ADDRESS_TYPE_UNICAST = 1, ADDRESS_TYPE_ANYCAST = 2, ADDRESS_TYPE_LAST = 4 };

enum { POINTER_SIZE = 48 };

/* The layers of a field, one bit for each pair. */
#define AT(layer) (1u << (IPSEC_LAYER_##layer##_V4 / 2))
#define AT_TRANSPORT (AT(INBOUND_TRANSPORT) | AT(OUTBOUND_TRANSPORT))

static const struct field {
    uint8_t bits; /* of its numbers; 0: an address */
    uint8_t layers;
    const char *name;
} fields[IPSEC_CONDITION_FIELD_COUNT] = {
    [IPSEC_CONDITION_IP_LOCAL_ADDRESS] = { 0, AT_TRANSPORT | AT(IPFORWARD) | AT(IPSEC) | AT(IKEEXT),
                                           "an address" },
    [IPSEC_CONDITION_IP_REMOTE_ADDRESS] = { 0,
                                            AT_TRANSPORT | AT(IPFORWARD) | AT(IPSEC) | AT(IKEEXT),
                                            "an address" },
    [IPSEC_CONDITION_IP_PROTOCOL] = { 8, AT_TRANSPORT | AT(IPSEC), "an IP protocol" },
    [IPSEC_CONDITION_IP_LOCAL_PORT] = { 16, AT_TRANSPORT | AT(IPSEC), "a port" },
    [IPSEC_CONDITION_IP_REMOTE_PORT] = { 16, AT_TRANSPORT | AT(IPSEC), "a port" },
    [IPSEC_CONDITION_IP_LOCAL_ADDRESS_TYPE] = { 8, AT_TRANSPORT, "an address type" },
    [IPSEC_CONDITION_IP_DESTINATION_ADDRESS_TYPE] = { 8, AT(OUTBOUND_TRANSPORT),
                                                      "an address type" },
    [IPSEC_CONDITION_IP_LOCAL_INTERFACE] = { 64, AT_TRANSPORT | AT(IPSEC) | AT(IKEEXT),
                                             "an interface" },
    [IPSEC_CONDITION_FLAGS] = { 32, AT_TRANSPORT, "the flags" },
};

static enum ipsec_status
check_match(const struct ipsec_condition *condition, unsigned index, struct ipsec_fault *fault);
static enum ipsec_status check_addresses(const struct ipsec_condition *condition,
                                         unsigned index,
                                         uint8_t ip_version,
                                         struct ipsec_fault *fault);
static enum ipsec_status
check_numbers(const struct ipsec_condition *condition, unsigned index, struct ipsec_fault *fault);
static bool has_tail(const struct ipsec_address *address, uint8_t ip_version);
static bool is_flag_test(uint8_t match);
static enum condition_verdict judge_number(const struct ipsec_condition *condition,
                                           uint64_t number);
static bool number_meets(const struct ipsec_condition *condition, uint64_t number);
static bool address_meets(const struct ipsec_condition *condition,
                          const struct ipsec_address *address);
static bool order_meets(uint8_t match, int order);
static int compare(const struct ipsec_address *a, const struct ipsec_address *b);
static unsigned common_bits(const struct ipsec_address *a, const struct ipsec_address *b);
static unsigned bit_length(uint64_t number);
static enum ipsec_status refuse(struct ipsec_fault *fault,
                                enum ipsec_status status,
                                unsigned index,
                                const char *member,
                                const char *detail);

/* --- Validity --- */

enum ipsec_status
condition_check(const struct ipsec_condition *condition,
                unsigned index,
                enum ipsec_layer layer,
                struct ipsec_fault *fault)
{
    enum ipsec_status status;

    if (condition->field >= IPSEC_CONDITION_FIELD_COUNT ||
        (fields[condition->field].layers & 1u << (layer / 2)) == 0)
        return refuse(fault, IPSEC_CONDITION_NOT_FOUND, index, "field",
                      "the layer has no such field");
    status = check_match(condition, index, fault);
    if (status != IPSEC_OK)
        return status;
    return condition_is_on_address(condition)
               ? check_addresses(condition, index, layer_ip_version(layer), fault)
               : check_numbers(condition, index, fault);
}

/* Numbers can be compared and, all of them being unsigned, tested for flags; so can addresses be
 * compared, but no networks, and flags of an address mean nothing.  There are no strings. */
static enum ipsec_status
check_match(const struct ipsec_condition *condition, unsigned index, struct ipsec_fault *fault)
{
    if (condition->match >= IPSEC_MATCH_COUNT)
        return refuse(fault, IPSEC_INVALID_ENUMERATOR, index, "match", "is no match type");
    if (condition->match == IPSEC_MATCH_EQUAL_CASE_INSENSITIVE)
        return refuse(fault, IPSEC_MATCH_TYPE_MISMATCH, index, "match",
                      "is for text, and the field has none");
    if (is_flag_test(condition->match) && condition_is_on_address(condition))
        return refuse(fault, IPSEC_MATCH_TYPE_MISMATCH, index, "match",
                      "is for numbers, and the field has addresses");
    return IPSEC_OK;
}

static enum ipsec_status
check_addresses(const struct ipsec_condition *condition,
                unsigned index,
                uint8_t ip_version,
                struct ipsec_fault *fault)
{
    unsigned bits = ip_version == IPSEC_IP_VERSION_V4 ? 32 : 128;
    char pointer[POINTER_SIZE];

    (void)snprintf(pointer, sizeof pointer, "/conditions/%u/value", index);
    if (condition->prefix_length > bits)
        return ipsec_fault_set(fault, IPSEC_INVALID_NET_MASK, IPSEC_FAULT_BODY, pointer,
                               "the prefix is longer than %u bits", bits);
    if (has_tail(&condition->address, ip_version) ||
        (condition->match == IPSEC_MATCH_RANGE && has_tail(&condition->address_high, ip_version)))
        return refuse(fault, IPSEC_TYPE_MISMATCH, index, "value",
                      "is no address of the layer's IP version");
    if (condition->match == IPSEC_MATCH_RANGE) {
        if (compare(&condition->address, &condition->address_high) > 0)
            return refuse(fault, IPSEC_INVALID_RANGE, index, "value", "ends before it begins");
        return IPSEC_OK;
    }
    if (condition->match != IPSEC_MATCH_EQUAL && condition->prefix_length != bits)
        return refuse(fault, IPSEC_MATCH_TYPE_MISMATCH, index, "match",
                      "compares with one address; a prefix can only be equal");
    return IPSEC_OK;
}

static enum ipsec_status
check_numbers(const struct ipsec_condition *condition, unsigned index, struct ipsec_fault *fault)
{
    const struct field *field = &fields[condition->field];
    uint64_t maximum = UINT64_MAX >> (64 - field->bits);
    bool is_range = condition->match == IPSEC_MATCH_RANGE;
    char pointer[POINTER_SIZE];

    (void)snprintf(pointer, sizeof pointer, "/conditions/%u/value", index);
    if (condition->number > maximum || (is_range && condition->number_high > maximum))
        return ipsec_fault_set(fault, IPSEC_OUT_OF_BOUNDS, IPSEC_FAULT_BODY, pointer,
                               "%s is at most %llu", field->name, (unsigned long long)maximum);
    if (is_range && condition->number > condition->number_high)
        return refuse(fault, IPSEC_INVALID_RANGE, index, "value", "ends before it begins");
    if ((condition->field == IPSEC_CONDITION_IP_LOCAL_ADDRESS_TYPE ||
         condition->field == IPSEC_CONDITION_IP_DESTINATION_ADDRESS_TYPE) &&
        (condition->number > ADDRESS_TYPE_LAST ||
         (is_range && condition->number_high > ADDRESS_TYPE_LAST)))
        return refuse(fault, IPSEC_INVALID_ENUMERATOR, index, "value", "is no address type");
    return IPSEC_OK;
}

void
condition_normalise(struct ipsec_condition *condition, enum ipsec_layer layer)
{
    const struct ipsec_condition given = *condition;
    bool is_range = given.match == IPSEC_MATCH_RANGE;

    memset(condition, 0, sizeof *condition);
    condition->field = given.field;
    condition->match = given.match;
    if (!condition_is_on_address(&given)) {
        condition->number = given.number;
        condition->number_high = is_range ? given.number_high : 0;
        return;
    }
    condition->address = given.address;
    if (is_range) {
        condition->address_high = given.address_high;
        condition->prefix_length = layer_ip_version(layer) == IPSEC_IP_VERSION_V4 ? 32 : 128;
        return;
    }
    condition->prefix_length = given.prefix_length;
    address_mask(&condition->address, given.prefix_length);
}

static bool
has_tail(const struct ipsec_address *address, uint8_t ip_version)
{
    static const uint8_t zero[12];

    return ip_version == IPSEC_IP_VERSION_V4 && memcmp(address->bytes + 4, zero, sizeof zero) != 0;
}

static bool
is_flag_test(uint8_t match)
{
    return match == IPSEC_MATCH_FLAGS_ALL_SET || match == IPSEC_MATCH_FLAGS_ANY_SET ||
           match == IPSEC_MATCH_FLAGS_NONE_SET;
}

/* --- Meeting a flow --- */

enum condition_verdict
condition_judge(const struct ipsec_condition *condition, const struct classify_flow *flow)
{
    switch ((enum ipsec_condition_field)condition->field) {
    case IPSEC_CONDITION_IP_LOCAL_ADDRESS:
        return address_meets(condition, &flow->local_address) ? CONDITION_MET : CONDITION_FAILED;
    case IPSEC_CONDITION_IP_REMOTE_ADDRESS:
        return address_meets(condition, &flow->remote_address) ? CONDITION_MET : CONDITION_FAILED;
    case IPSEC_CONDITION_IP_PROTOCOL:
        return judge_number(condition, flow->ip_protocol);
    case IPSEC_CONDITION_IP_LOCAL_PORT:
        return judge_number(condition, flow->local_port);
    case IPSEC_CONDITION_IP_REMOTE_PORT:
        return judge_number(condition, flow->remote_port);
    case IPSEC_CONDITION_IP_LOCAL_ADDRESS_TYPE:
    case IPSEC_CONDITION_IP_DESTINATION_ADDRESS_TYPE:
        if (number_meets(condition, ADDRESS_TYPE_UNICAST))
            return CONDITION_MET;
        return number_meets(condition, ADDRESS_TYPE_ANYCAST) ? CONDITION_UNKNOWN : CONDITION_FAILED;
    case IPSEC_CONDITION_IP_LOCAL_INTERFACE:
    case IPSEC_CONDITION_FLAGS:
    case IPSEC_CONDITION_FIELD_COUNT:
        break;
    }
    return CONDITION_UNKNOWN;
}

static enum condition_verdict
judge_number(const struct ipsec_condition *condition, uint64_t number)
{
    if (number == 0)
        return CONDITION_UNKNOWN;
    return number_meets(condition, number) ? CONDITION_MET : CONDITION_FAILED;
}

static bool
number_meets(const struct ipsec_condition *condition, uint64_t number)
{
    switch (condition->match) {
    case IPSEC_MATCH_RANGE:
        return number >= condition->number && number <= condition->number_high;
    case IPSEC_MATCH_FLAGS_ALL_SET:
        return (number & condition->number) == condition->number;
    case IPSEC_MATCH_FLAGS_ANY_SET:
        return (number & condition->number) != 0;
    case IPSEC_MATCH_FLAGS_NONE_SET:
        return (number & condition->number) == 0;
    default:
        return order_meets(condition->match,
                           (number > condition->number) - (number < condition->number));
    }
}

static bool
address_meets(const struct ipsec_condition *condition, const struct ipsec_address *address)
{
    if (condition->match == IPSEC_MATCH_EQUAL)
        return address_matches(address, &condition->address, condition->prefix_length);
    if (condition->match == IPSEC_MATCH_RANGE)
        return compare(address, &condition->address) >= 0 &&
               compare(address, &condition->address_high) <= 0;
    return order_meets(condition->match, compare(address, &condition->address));
}

/* 'order' is that of the flow's value against the condition's. */
static bool
order_meets(uint8_t match, int order)
{
    switch (match) {
    case IPSEC_MATCH_EQUAL:
        return order == 0;
    case IPSEC_MATCH_GREATER:
        return order > 0;
    case IPSEC_MATCH_LESS:
        return order < 0;
    case IPSEC_MATCH_GREATER_OR_EQUAL:
        return order >= 0;
    case IPSEC_MATCH_LESS_OR_EQUAL:
        return order <= 0;
    case IPSEC_MATCH_NOT_EQUAL:
        return order != 0;
    default:
        return false;
    }
}

/* --- Measures --- */

unsigned
condition_common_prefix(const struct ipsec_condition *condition)
{
    if (condition->match == IPSEC_MATCH_EQUAL)
        return condition->prefix_length;
    if (condition->match != IPSEC_MATCH_RANGE)
        return 0;
    unsigned bits = common_bits(&condition->address, &condition->address_high);
    return bits < condition->prefix_length ? bits : condition->prefix_length;
}

bool
condition_is_exact(const struct ipsec_condition *condition)
{
    return condition->match == IPSEC_MATCH_EQUAL &&
           condition->field <= IPSEC_CONDITION_IP_REMOTE_PORT;
}

bool
condition_is_idle(const struct ipsec_condition *condition)
{
    return (condition->field == IPSEC_CONDITION_IP_LOCAL_ADDRESS_TYPE ||
            condition->field == IPSEC_CONDITION_IP_DESTINATION_ADDRESS_TYPE) &&
           number_meets(condition, ADDRESS_TYPE_UNICAST);
}

unsigned
condition_fixed_bits(const struct ipsec_condition *condition)
{
    if (condition_is_on_address(condition))
        return condition_common_prefix(condition);

    unsigned bits = fields[condition->field].bits;
    uint64_t maximum = UINT64_MAX >> (64 - bits);
    switch (condition->match) {
    case IPSEC_MATCH_EQUAL:
        return bits;
    case IPSEC_MATCH_RANGE:
        return bits - bit_length(condition->number_high - condition->number);
    case IPSEC_MATCH_GREATER:
    case IPSEC_MATCH_GREATER_OR_EQUAL:
        return bits - bit_length(maximum - condition->number);
    case IPSEC_MATCH_LESS:
    case IPSEC_MATCH_LESS_OR_EQUAL:
        return bits - bit_length(condition->number);
    case IPSEC_MATCH_FLAGS_ALL_SET:
    case IPSEC_MATCH_FLAGS_NONE_SET:
        return (unsigned)__builtin_popcountll(condition->number);
    default:
        return 0;
    }
}

bool
condition_is_on_address(const struct ipsec_condition *condition)
{
    return condition->field <= IPSEC_CONDITION_IP_REMOTE_ADDRESS;
}

static int
compare(const struct ipsec_address *a, const struct ipsec_address *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

static unsigned
common_bits(const struct ipsec_address *a, const struct ipsec_address *b)
{
    unsigned bits = 0;

    while (bits < 128 && ((a->bytes[bits / 8] ^ b->bytes[bits / 8]) & 0x80u >> bits % 8) == 0)
        bits++;
    return bits;
}

static unsigned
bit_length(uint64_t number)
{
    return number == 0 ? 0 : 64 - (unsigned)__builtin_clzll(number);
}

/* --- Prefixes --- */

void
address_mask(struct ipsec_address *address, unsigned prefix_length)
{
    unsigned whole = prefix_length / 8;

    if (whole >= sizeof address->bytes)
        return;
    address->bytes[whole] &= (uint8_t)(0xff00u >> (prefix_length % 8));
    memset(address->bytes + whole + 1, 0, sizeof address->bytes - whole - 1);
}

bool
address_matches(const struct ipsec_address *address,
                const struct ipsec_address *prefix,
                unsigned prefix_length)
{
    struct ipsec_address masked = *address;

    address_mask(&masked, prefix_length);
    return memcmp(&masked, prefix, sizeof masked) == 0;
}

static enum ipsec_status
refuse(struct ipsec_fault *fault,
       enum ipsec_status status,
       unsigned index,
       const char *member,
       const char *detail)
{
    char pointer[POINTER_SIZE];

    (void)snprintf(pointer, sizeof pointer, "/conditions/%u/%s", index, member);
    return ipsec_fault_set(fault, status, IPSEC_FAULT_BODY, pointer, "%s", detail);
}
