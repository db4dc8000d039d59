/* SPDX-License-Identifier: Apache-2.0
 *
 * wide_number.c: see wide_number.h. */
#include "api/wide_number.h"

#include <stdio.h>
#include <string.h>

#include "api/text.h"
#include "engine/types.h"

#define EXACT_INTEGER_MAXIMUM IPSEC_LUID_MAX

enum ipsec_status
wide_number_decode(struct codec_decoder *decoder,
                   const json_t *value,
                   enum ipsec_status refused,
                   const char *others,
                   uint64_t *number_out)
{
    const char *digits = json_string_value(value);
    char expected[96];

    if (digits != NULL) {
        if (text_parse_unsigned(digits, strlen(digits), number_out))
            return IPSEC_OK;
        return codec_refuse(decoder, refused, "must be decimal digits of at most 2^64-1");
    }
    (void)snprintf(expected, sizeof expected, "an integer or decimal digits in a string%s", others);
    if (!json_is_integer(value))
        return codec_refuse_type(decoder, value, expected);
    if (json_integer_value(value) < 0 ||
        (uint64_t)json_integer_value(value) > EXACT_INTEGER_MAXIMUM)
        return codec_refuse(decoder, refused,
                            "must be from 0 to 2^53-1; write more as decimal digits in a string");
    *number_out = (uint64_t)json_integer_value(value);
    return IPSEC_OK;
}

void
wide_number_append(struct buffer *out, uint64_t number)
{
    const char *quote = number > EXACT_INTEGER_MAXIMUM ? "\"" : "";

    buffer_append_text(out, quote);
    text_append_unsigned(out, number);
    buffer_append_text(out, quote);
}

json_t *
wide_number_describe(void)
{
    return json_pack("{s:[{s:s, s:i, s:I},{s:s, s:s}]}", "oneOf", "type", "integer", "minimum", 0,
                     "maximum", (json_int_t)EXACT_INTEGER_MAXIMUM, "type", "string", "pattern",
                     "^(0|[1-9][0-9]{0,19})$");
}
