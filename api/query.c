/* SPDX-License-Identifier: Apache-2.0
 *
 * query.c: see query.h.  Percent-encoding is RFC 3986's: '+' is a plus sign. */
#include "api/query.h"

#include <assert.h>
#include <string.h>

enum { NAME_SIZE = 64, VALUE_SIZE = 256, QUERY_PARTS_MAX = 2 };

/* The parts of a query and which of their members were there. */
struct query_reader {
    struct codec_decoder decoder;
    const struct query_part *parts;
    size_t part_count;
    uint64_t seen[QUERY_PARTS_MAX];
};

static enum ipsec_status
decode_member(struct query_reader *reader, const char *name, const char *raw, size_t size);
static enum ipsec_status decode_list(struct query_reader *reader,
                                     const struct codec_field *field,
                                     const char *raw,
                                     size_t size,
                                     char *texts);
static enum ipsec_status refuse_value(struct query_reader *reader);
static enum ipsec_status refuse_unknown(struct query_reader *reader, const char *name);
static bool percent_decode(const char *text, size_t size, char *decoded, size_t decoded_size);

enum ipsec_status
query_decode(const struct query_part *parts,
             size_t part_count,
             const char *query,
             struct ipsec_fault *fault)
{
    struct query_reader reader = {
        .decoder = { .fault = fault, .place = IPSEC_FAULT_QUERY, .ip_version = -1 },
        .parts = parts,
        .part_count = part_count,
    };
    struct codec_decoder *decoder = &reader.decoder;

    assert(part_count <= QUERY_PARTS_MAX);

    for (const char *next = query; next != NULL && *query != '\0';) {
        char name[NAME_SIZE];
        size_t size = strcspn(next, "&");
        const char *equals = memchr(next, '=', size);
        size_t name_size = equals == NULL ? size : (size_t)(equals - next);

        if (!percent_decode(next, name_size, name, sizeof name))
            return codec_refuse(decoder, IPSEC_INVALID_PARAMETER,
                                "a name in the query is too long or wrongly percent-encoded");
        struct codec_step step = { .member = name };
        decoder->step = &step;
        const char *raw = equals == NULL ? next + size : equals + 1;
        enum ipsec_status status = decode_member(&reader, name, raw, (size_t)(next + size - raw));
        decoder->step = NULL;
        if (status != IPSEC_OK)
            return status;
        next = next[size] == '&' ? next + size + 1 : NULL;
    }
    for (size_t i = 0; i < part_count; i++) {
        if (parts[i].object == NULL || parts[i].object->check == NULL)
            continue;
        enum ipsec_status status = parts[i].object->check(decoder, parts[i].out);
        if (status != IPSEC_OK)
            return status;
    }
    return IPSEC_OK;
}

/* 'raw' is still percent-encoded. */
static enum ipsec_status
decode_member(struct query_reader *reader, const char *name, const char *raw, size_t size)
{
    char value[VALUE_SIZE];

    for (size_t part = 0; part < reader->part_count; part++) {
        const struct codec_object *object = reader->parts[part].object;

        for (size_t i = 0; object != NULL && i < object->field_count; i++) {
            const struct codec_field *field = &object->fields[i];
            char *out = reader->parts[part].out;

            if (strcmp(field->name, name) != 0)
                continue;
            if ((field->flags & CODEC_LIST) != 0)
                return decode_list(reader, field, raw, size, out + field->offset);
            if ((reader->seen[part] & UINT64_C(1) << i) != 0)
                return codec_refuse(&reader->decoder, IPSEC_INVALID_PARAMETER, "%s is given twice",
                                    name);
            reader->seen[part] |= UINT64_C(1) << i;
            if (!percent_decode(raw, size, value, sizeof value))
                return refuse_value(reader);
            return codec_decode_text(&reader->decoder, field, value, out);
        }
    }
    return refuse_unknown(reader, name);
}

static enum ipsec_status
decode_list(struct query_reader *reader,
            const struct codec_field *field,
            const char *raw,
            size_t size,
            char *texts)
{
    size_t used = strlen(texts);

    for (const char *end = raw + size;;) {
        const char *comma = memchr(raw, ',', (size_t)(end - raw));
        size_t raw_size = (size_t)((comma == NULL ? end : comma) - raw);

        /* Behind it come the line's end and NUL. */
        if (used + 2 > field->size ||
            !percent_decode(raw, raw_size, texts + used, field->size - used - 1))
            return refuse_value(reader);
        used += strlen(texts + used);
        texts[used++] = '\n';
        texts[used] = '\0';
        if (comma == NULL)
            return IPSEC_OK;
        raw = comma + 1;
    }
}

static enum ipsec_status
refuse_value(struct query_reader *reader)
{
    return codec_refuse(&reader->decoder, IPSEC_INVALID_PARAMETER,
                        "the value is too long or wrongly percent-encoded");
}

/* Names the operation's own members; what all have is the last part. */
static enum ipsec_status
refuse_unknown(struct query_reader *reader, const char *name)
{
    const struct codec_object *object = NULL;

    for (size_t part = 0; part < reader->part_count && object == NULL; part++)
        object = reader->parts[part].object;
    reader->decoder.step = NULL;
    return codec_refuse_unknown(&reader->decoder, object, name);
}

/* Refuses what is no escape, encoded control bytes and NUL, and what does not fit. */
static bool
percent_decode(const char *text, size_t size, char *decoded, size_t decoded_size)
{
    size_t length = 0;

    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte == '%') {
            static const char digits[] = "0123456789abcdef0123456789ABCDEF";
            if (size - i < 3)
                return false;
            const char *high = memchr(digits, text[i + 1], sizeof digits - 1);
            const char *low = memchr(digits, text[i + 2], sizeof digits - 1);
            if (high == NULL || low == NULL)
                return false;
            byte = (unsigned char)((high - digits) % 16 << 4 | (low - digits) % 16);
            i += 2;
        }
        if (byte < 0x20 || byte == 0x7f || length + 1 >= decoded_size)
            return false;
        decoded[length++] = (char)byte;
    }
    decoded[length] = '\0';
    return true;
}
