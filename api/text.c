/* SPDX-License-Identifier: Apache-2.0
 *
 * text.c: see text.h. */
#include "api/text.h"

#include <string.h>

#include <arpa/inet.h>

static bool host_bits_are_zero(const struct ipsec_address *address, unsigned prefix, unsigned bits);

bool
text_parse_unsigned(const char *text, size_t size, uint64_t *value_out)
{
    uint64_t value = 0;

    if (size == 0 || (text[0] == '0' && size > 1))
        return false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
            return false;
    }
    *value_out = value;
    return true;
}

bool
text_parse_address(const char *text, struct ipsec_address *address_out, uint8_t *version_out)
{
    struct ipsec_address address = { 0 };
    bool v6 = strchr(text, ':') != NULL;

    if (inet_pton(v6 ? AF_INET6 : AF_INET, text, address.bytes) != 1)
        return false;
    *address_out = address;
    *version_out = v6 ? IPSEC_IP_VERSION_V6 : IPSEC_IP_VERSION_V4;
    return true;
}

enum text_prefix
text_parse_prefix(const char *text,
                  struct ipsec_address *address_out,
                  uint8_t *prefix_length_out,
                  uint8_t *version_out)
{
    char address_text[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t address_size = slash == NULL ? strlen(text) : (size_t)(slash - text);
    uint64_t length;

    if (address_size >= sizeof address_text)
        return TEXT_PREFIX_NO_ADDRESS;
    memcpy(address_text, text, address_size);
    address_text[address_size] = '\0';
    if (!text_parse_address(address_text, address_out, version_out))
        return TEXT_PREFIX_NO_ADDRESS;

    unsigned bits = text_address_bits(*version_out);
    if (slash == NULL)
        length = bits;
    else if (!text_parse_unsigned(slash + 1, strlen(slash + 1), &length) || length > bits)
        return TEXT_PREFIX_NO_LENGTH;
    if (!host_bits_are_zero(address_out, (unsigned)length, bits))
        return TEXT_PREFIX_HOST_BITS;
    *prefix_length_out = (uint8_t)length;
    return TEXT_PREFIX_GOOD;
}

int
text_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool
text_parse_guid(const char *text, struct ipsec_guid *guid_out)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    struct ipsec_guid guid = { 0 };
    size_t digits = 0;

    for (size_t i = 0; i < sizeof form - 1; i++) {
        if (form[i] == '-') {
            if (text[i] != '-')
                return false;
            continue;
        }
        int digit = text_hex_digit(text[i]); /* -1 for the NUL of a short text, too */
        if (digit < 0)
            return false;
        guid.bytes[digits / 2] = (uint8_t)(guid.bytes[digits / 2] << 4 | digit);
        digits++;
    }
    if (text[sizeof form - 1] != '\0')
        return false;
    *guid_out = guid;
    return true;
}

void
text_append_unsigned(struct buffer *buffer, uint64_t value)
{
    char digits[20];
    size_t start = sizeof digits;

    do {
        digits[--start] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    buffer_append(buffer, digits + start, sizeof digits - start);
}

void
text_append_address(struct buffer *buffer, const struct ipsec_address *address, uint8_t ip_version)
{
    char text[INET6_ADDRSTRLEN];

    if (ip_version == IPSEC_IP_VERSION_V4) {
        for (size_t i = 0; i < 4; i++) {
            if (i > 0)
                buffer_append_char(buffer, '.');
            text_append_unsigned(buffer, address->bytes[i]);
        }
        return;
    }
    if (inet_ntop(AF_INET6, address->bytes, text, sizeof text) != NULL)
        buffer_append_text(buffer, text);
}

void
text_append_guid(struct buffer *buffer, const struct ipsec_guid *guid)
{
    static const char hex[] = "0123456789abcdef";
    char text[36];
    size_t next = 0;

    for (size_t i = 0; i < sizeof guid->bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[next++] = '-';
        text[next++] = hex[guid->bytes[i] >> 4];
        text[next++] = hex[guid->bytes[i] & 15];
    }
    buffer_append(buffer, text, next);
}

static bool
host_bits_are_zero(const struct ipsec_address *address, unsigned prefix, unsigned bits)
{
    for (unsigned bit = prefix; bit < bits; bit++) {
        if ((address->bytes[bit / 8] & (0x80u >> (bit % 8))) != 0)
            return false;
    }
    return true;
}
