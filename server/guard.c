/* SPDX-License-Identifier: Apache-2.0
 *
 * guard.c: see guard.h. */
#include "server/guard.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/text.h"

static void refuse(struct guard *guard, enum ipsec_status status, const char *detail);
static void refuse_second(struct guard *guard, const char *name);
static void join(struct guard *guard, enum api_header about, const char *value);
static bool is_name(const char *name, size_t length, const char *expected);
static bool is_token(const char *text, size_t length);
static bool parse_length(const char *text, size_t length, uint64_t *value_out);
static bool is_host(const char *host);

/* Those of them whose value is a list by its grammar, which may come on several lines. */
static const bool is_list[API_HEADER_COUNT] = {
    [API_HEADER_ACCEPT] = true,
    [API_HEADER_IF_MATCH] = true,
    [API_HEADER_IF_NONE_MATCH] = true,
};

void
guard_clear(struct guard *guard)
{
    for (size_t i = 0; i < API_HEADER_COUNT; i++)
        free(guard->joined[i]);
    *guard = (struct guard){ .status = IPSEC_OK };
}

void
guard_header(struct guard *guard,
             const char *name,
             size_t name_length,
             const char *value,
             size_t value_length)
{
    if (value == NULL) {
        value = "";
        value_length = 0;
    }
    if (!is_token(name, name_length)) {
        refuse(guard, IPSEC_HTTP_BAD_REQUEST, "a header field name is no token");
        return;
    }
    for (size_t i = 0; i < value_length; i++) {
        unsigned char c = (unsigned char)value[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            refuse(guard, IPSEC_HTTP_BAD_REQUEST, "a header field holds a control byte");
            return;
        }
    }

    if (is_name(name, name_length, "Host")) {
        if (guard->host != NULL)
            refuse_second(guard, "Host");
        guard->host = value;
        return;
    }
    if (is_name(name, name_length, "Content-Length")) {
        if (guard->content_length_given)
            refuse_second(guard, "Content-Length");
        guard->content_length_given = true;
        if (!parse_length(value, value_length, &guard->content_length))
            refuse(guard, IPSEC_HTTP_BAD_REQUEST, "Content-Length is not a number");
        return;
    }
    if (is_name(name, name_length, "Transfer-Encoding")) {
        if (guard->chunked || strcasecmp(value, "chunked") != 0)
            refuse(guard, IPSEC_HTTP_BAD_REQUEST, "Transfer-Encoding other than chunked");
        guard->chunked = true;
        return;
    }
    for (size_t i = 0; i < API_HEADER_COUNT; i++) {
        if (!is_name(name, name_length, api_header_names[i]))
            continue;
        if (guard->headers[i] == NULL)
            guard->headers[i] = value;
        else if (is_list[i])
            join(guard, (enum api_header)i, value);
        else
            refuse_second(guard, api_header_names[i]);
    }
}

enum ipsec_status
guard_finish(struct guard *guard)
{
    if (guard->chunked && guard->content_length_given)
        refuse(guard, IPSEC_HTTP_BAD_REQUEST, "Content-Length beside Transfer-Encoding");
    if (guard->host == NULL || !is_host(guard->host))
        refuse(guard, IPSEC_HTTP_BAD_REQUEST, "Host is missing or malformed");
    return guard->status;
}

bool
guard_has_body(const struct guard *guard)
{
    return guard->chunked || guard->content_length > 0;
}

bool
guard_target(char *target, const char **path_out, const char **query_out)
{
    static const char *const schemes[] = { "https://", "http://" };
    char *read = target;

    for (const char *c = target; *c != '\0'; c++) {
        if ((unsigned char)*c <= 0x20 || (unsigned char)*c == 0x7f || *c == '#')
            return false;
    }
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t length = strlen(schemes[i]);
        if (strncasecmp(target, schemes[i], length) != 0)
            continue;
        read = target + length;
        size_t authority = strcspn(read, "/?");
        if (authority == 0 || memchr(read, '@', authority) != NULL)
            return false;
        read += authority;
        break;
    }
    *query_out = NULL;
    char *question = strchr(read, '?');
    if (question != NULL) {
        *question = '\0';
        *query_out = question + 1;
    }
    if (read != target && *read == '\0') { /* "https://host" asks for the root */
        *path_out = "/";
        return true;
    }
    if (*read != '/')
        return false;

    char *write = target;
    while (*read != '\0') {
        if (*read != '%') {
            *write++ = *read++;
            continue;
        }
        int high = text_hex_digit(read[1]);
        int low = high < 0 ? -1 : text_hex_digit(read[2]);
        int byte = high * 16 + low;
        if (high < 0 || low < 0 || byte < 0x20 || byte == 0x7f)
            return false;
        *write++ = (char)byte;
        read += 3;
    }
    *write = '\0';
    *path_out = target;
    return true;
}

/* The first finding stays. */
static void
refuse(struct guard *guard, enum ipsec_status status, const char *detail)
{
    if (guard->status != IPSEC_OK)
        return;
    guard->status = status;
    (void)snprintf(guard->detail, sizeof guard->detail, "%s", detail);
}

/* 'name' is one of ours, not what the caller wrote. */
static void
refuse_second(struct guard *guard, const char *name)
{
    char detail[sizeof guard->detail];

    if (guard->status == IPSEC_OK)
        guard->header = name;
    (void)snprintf(detail, sizeof detail, "more than one %s", name);
    refuse(guard, IPSEC_HTTP_BAD_REQUEST, detail);
}

/* The library bounds what all lines together may have. */
static void
join(struct guard *guard, enum api_header about, const char *value)
{
    char *list;

    if (asprintf(&list, "%s, %s", guard->headers[about], value) < 0) {
        refuse(guard, IPSEC_RPC_OUT_OF_RESOURCES, "no memory for the request");
        return;
    }
    free(guard->joined[about]);
    guard->joined[about] = list;
    guard->headers[about] = list;
}

static bool
is_name(const char *name, size_t length, const char *expected)
{
    return strlen(expected) == length && strncasecmp(name, expected, length) == 0;
}

/* RFC 9110 section 5.6.2. */
static bool
is_token(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)text[i]) &&
            (text[i] == '\0' || strchr("!#$%&'*+-.^_`|~", text[i]) == NULL))
            return false;
    }
    return length > 0;
}

static bool
parse_length(const char *text, size_t length, uint64_t *value_out)
{
    uint64_t value = 0;

    if (length == 0 || length > 18) /* 18 digits fit 64 bits and exceed every limit */
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!isdigit((unsigned char)text[i]))
            return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *value_out = value;
    return true;
}

/* uri-host [ ":" port ]: a name or IPv4 address of unreserved characters, or an IP literal in
 * brackets; a port of 1 to 65535, or an empty one (RFC 3986 section 3.2.3). */
static bool
is_host(const char *host)
{
    const char *port;

    if (host[0] == '[') {
        size_t length = strspn(host + 1, "0123456789abcdefABCDEF:.");
        if (length == 0 || host[1 + length] != ']')
            return false;
        port = host + length + 2;
    } else {
        size_t length = strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789-._~");
        if (length == 0 || length > 255)
            return false;
        port = host + length;
    }
    if (*port == '\0')
        return true;
    if (*port != ':')
        return false;
    uint64_t number = 1;
    return port[1] == '\0' ||
           (strlen(port + 1) <= 5 && parse_length(port + 1, strlen(port + 1), &number) &&
            number >= 1 && number <= 65535);
}
