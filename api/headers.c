/* SPDX-License-Identifier: Apache-2.0
 *
 * headers.c: see headers.h. */
#include "api/headers.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "engine/base/clock.h"

static const char *trim(const char *text, size_t *size);
static bool equals(const char *text, size_t size, const char *expected);
static bool is_utf8_charset(const char *parameter, size_t size, char refusal[HEADERS_REFUSAL_SIZE]);
static int range_precision(const char *range, size_t size, const char *type);
static bool quality_is_zero(const char *parameters, size_t size);
static bool is_lower_hex(const char *text, size_t size);
static bool is_all(const char *text, size_t size, char c);
static void make_request_id(char request_id[API_REQUEST_ID_SIZE]);

/* The most precise range that covers the type decides. */
int
headers_accept(const char *accept, const char *type)
{
    int best = -1;
    bool taken = false;

    if (accept == NULL || accept[strspn(accept, " \t,")] == '\0')
        return 0;
    for (const char *next = accept; next != NULL;) {
        size_t size = strcspn(next, ",");
        const char *element = next;
        next = next[size] == ',' ? next + size + 1 : NULL;
        element = trim(element, &size);
        const char *semicolon = memchr(element, ';', size);
        size_t range_size = semicolon == NULL ? size : (size_t)(semicolon - element);
        size_t rest = size - range_size;
        const char *range = trim(element, &range_size);
        int precision = range_precision(range, range_size, type);
        if (precision > best) {
            best = precision;
            taken = semicolon == NULL || !quality_is_zero(semicolon, rest);
        }
    }
    return taken ? best : -1;
}

/* Parameters may be empty (RFC 9110 section 5.6.6). */
bool
headers_is_json(const char *content_type, char refusal[HEADERS_REFUSAL_SIZE])
{
    if (content_type == NULL)
        content_type = "";

    size_t size = strcspn(content_type, ";");
    const char *next = content_type + size;
    const char *type = trim(content_type, &size);
    if (size == 0) {
        (void)snprintf(refusal, HEADERS_REFUSAL_SIZE, "a body needs a type: application/json");
        return false;
    }
    if (!equals(type, size, "application/json")) {
        (void)snprintf(refusal, HEADERS_REFUSAL_SIZE, "the body must be application/json, not %.*s",
                       (int)size, type);
        return false;
    }
    while (*next == ';') {
        size = strcspn(++next, ";");
        const char *parameter = trim(next, &size);
        next += strcspn(next, ";");
        if (size > 0 && !is_utf8_charset(parameter, size, refusal))
            return false;
    }
    return true;
}

bool
headers_is_plain(const char *content_encoding)
{
    return content_encoding == NULL || strcasecmp(content_encoding, "identity") == 0;
}

bool
headers_is_idempotency_key(const char *key)
{
    size_t size = strlen(key);

    for (size_t i = 0; i < size; i++) {
        if (key[i] <= ' ' || key[i] > '~')
            return false;
    }
    return size >= 1 && size <= 255;
}

void
headers_request_id(const char *given, char request_id[API_REQUEST_ID_SIZE])
{
    size_t size = 0;

    if (given != NULL)
        size = strspn(given, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    if (size == 0 || size >= API_REQUEST_ID_SIZE || given[size] != '\0') {
        make_request_id(request_id);
        return;
    }
    memcpy(request_id, given, size + 1);
}

/* version "-" trace-id "-" parent-id "-" flags; versions after 00 may go on behind a dash. */
void
headers_trace_id(const char *traceparent, char trace_id[TRACE_ID_SIZE])
{
    enum { VERSION = 0, TRACE = 3, PARENT = 36, FLAGS = 53, END = 55 };

    trace_id[0] = '\0';
    if (traceparent == NULL || strlen(traceparent) < END || traceparent[TRACE - 1] != '-' ||
        traceparent[PARENT - 1] != '-' || traceparent[FLAGS - 1] != '-')
        return;
    if (!is_lower_hex(traceparent, 2) || !is_lower_hex(traceparent + TRACE, 32) ||
        !is_lower_hex(traceparent + PARENT, 16) || !is_lower_hex(traceparent + FLAGS, 2))
        return;
    if (strncmp(traceparent, "ff", 2) == 0 || is_all(traceparent + TRACE, 32, '0') ||
        is_all(traceparent + PARENT, 16, '0'))
        return;
    bool first_version = strncmp(traceparent, "00", 2) == 0;
    if (traceparent[END] != '\0' && (first_version || traceparent[END] != '-'))
        return;
    memcpy(trace_id, traceparent + TRACE, TRACE_ID_SIZE - 1);
    trace_id[TRACE_ID_SIZE - 1] = '\0';
}

/* Drops white space at both ends. */
static const char *
trim(const char *text, size_t *size)
{
    while (*size > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        --*size;
    }
    while (*size > 0 && (text[*size - 1] == ' ' || text[*size - 1] == '\t'))
        --*size;
    return text;
}

static bool
equals(const char *text, size_t size, const char *expected)
{
    return size == strlen(expected) && strncasecmp(text, expected, size) == 0;
}

static bool
is_utf8_charset(const char *parameter, size_t size, char refusal[HEADERS_REFUSAL_SIZE])
{
    static const char name[] = "charset=";
    size_t name_size = sizeof name - 1;

    if (size < name_size || !equals(parameter, name_size, name)) {
        (void)snprintf(refusal, HEADERS_REFUSAL_SIZE,
                       "application/json takes no parameter but charset=utf-8");
        return false;
    }
    const char *charset = parameter + name_size;
    size -= name_size;
    if (equals(charset, size, "utf-8") || equals(charset, size, "\"utf-8\""))
        return true;
    (void)snprintf(refusal, HEADERS_REFUSAL_SIZE, "the charset must be utf-8, not %.*s", (int)size,
                   charset);
    return false;
}

static int
range_precision(const char *range, size_t size, const char *type)
{
    size_t major_size = strcspn(type, "/") + 1;

    if (equals(range, size, type))
        return 2;
    if (size == major_size + 1 && range[major_size] == '*' &&
        strncasecmp(range, type, major_size) == 0)
        return 1;
    return equals(range, size, "*/*") ? 0 : -1;
}

/* 'parameters' begins with a semicolon. */
static bool
quality_is_zero(const char *parameters, size_t size)
{
    while (size > 0) {
        const char *parameter = parameters + 1;
        const char *semicolon = memchr(parameter, ';', size - 1);
        size_t length = semicolon == NULL ? size - 1 : (size_t)(semicolon - parameter);
        size -= length + 1;
        parameters = semicolon;

        parameter = trim(parameter, &length);
        if (length >= 3 && (parameter[0] == 'q' || parameter[0] == 'Q') && parameter[1] == '=')
            return strspn(parameter + 2, "0.") >= length - 2;
    }
    return false;
}

static bool
is_lower_hex(const char *text, size_t size)
{
    return strspn(text, "0123456789abcdef") >= size;
}

static bool
is_all(const char *text, size_t size, char c)
{
    const char set[] = { c, '\0' };

    return strspn(text, set) >= size;
}

/* A random start for each thread and a counter that a mixing step (SplitMix64) makes look random:
 * unique without asking the kernel for every request. */
static void
make_request_id(char request_id[API_REQUEST_ID_SIZE])
{
    static _Thread_local uint64_t prefix;
    static _Thread_local uint64_t counter;
    static const char hex[] = "0123456789abcdef";

    if (prefix == 0) {
        random_bytes(&prefix, sizeof prefix);
        random_bytes(&counter, sizeof counter);
        prefix |= 1;
    }
    counter += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = counter;
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    mixed ^= mixed >> 31;
    for (size_t i = 0; i < 16; i++) {
        request_id[i] = hex[prefix >> (60 - 4 * i) & 15];
        request_id[16 + i] = hex[mixed >> (60 - 4 * i) & 15];
    }
    request_id[32] = '\0';
}
