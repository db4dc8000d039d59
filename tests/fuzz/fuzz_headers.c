/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_headers.c: the values of request headers. */
#include <ctype.h>

#include "api/headers.h"
#include "api/text.h"
#include "tests/fuzz/fuzz.h"

static void
check_characters(const char *text, const char *more)
{
    for (const char *c = text; *c != '\0'; c++)
        fuzz_check(isalnum((unsigned char)*c) || strchr(more, *c) != NULL);
}

static void
check_guid(const char *text)
{
    AUTO(buffer) again = BUFFER(64);
    struct ipsec_guid guid;

    if (!text_parse_guid(text, &guid))
        return;
    text_append_guid(&again, &guid);
    fuzz_check(again.size == strlen(text) && strncasecmp(again.data, text, again.size) == 0);
}

static void
check_prefix(const char *text)
{
    AUTO(buffer) again = BUFFER(64);
    struct ipsec_address address;
    uint8_t length = 0;
    uint8_t version = 0;

    if (text_parse_prefix(text, &address, &length, &version) != TEXT_PREFIX_GOOD)
        return;
    fuzz_check(length <= text_address_bits(version));
    text_append_address(&again, &address, version);
    struct ipsec_address read;
    fuzz_check(text_parse_address(buffer_text(&again), &read, &version));
    fuzz_check(memcmp(&read, &address, sizeof read) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    char request_id[API_REQUEST_ID_SIZE];
    char trace_id[TRACE_ID_SIZE];

    (void)headers_accept(text, "application/json");
    char refusal[HEADERS_REFUSAL_SIZE] = "";
    fuzz_check(headers_is_json(text, refusal) == (refusal[0] == '\0'));
    (void)headers_is_plain(text);
    if (headers_is_idempotency_key(text)) {
        fuzz_check(strlen(text) >= 1 && strlen(text) <= 255);
        for (const char *c = text; *c != '\0'; c++)
            fuzz_check(*c > 0x20 && *c < 0x7f);
    }
    headers_request_id(text, request_id);
    fuzz_check(strlen(request_id) >= 1 && strlen(request_id) < sizeof request_id);
    check_characters(request_id, "._-");
    headers_trace_id(text, trace_id);
    fuzz_check(trace_id[0] == '\0' || strlen(trace_id) == 32);
    check_characters(trace_id, "");
    check_guid(text);
    check_prefix(text);
    free(text);
    return 0;
}
