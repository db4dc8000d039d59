/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_refuse.c: says what is wrong with a body or query, and where. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/codec.h"
#include "api/json_read.h"

static void write_pointer(const struct codec_step *step, char *pointer, size_t pointer_size);

enum ipsec_status
codec_refuse(struct codec_decoder *decoder, enum ipsec_status status, const char *format, ...)
{
    char detail[sizeof decoder->fault->detail * 2];
    char pointer[sizeof decoder->fault->pointer] = "";
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    if (decoder->place == IPSEC_FAULT_QUERY && decoder->step != NULL)
        (void)snprintf(pointer, sizeof pointer, "%s", decoder->step->member);
    else
        write_pointer(decoder->step, pointer, sizeof pointer);
    return ipsec_fault_set(decoder->fault, status, decoder->place, pointer, "%s", detail);
}

enum ipsec_status
codec_refuse_type(struct codec_decoder *decoder, const json_t *value, const char *expected)
{
    static const char *const type_names[] = {
        [JSON_OBJECT] = "an object",
        [JSON_ARRAY] = "an array",
        [JSON_STRING] = "a string",
        [JSON_INTEGER] = "an integer",
        [JSON_REAL] = "a number with a fraction or exponent",
        [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",
        [JSON_NULL] = "null",
    };

    return codec_refuse(decoder, IPSEC_TYPE_MISMATCH, "expected %s, got %s", expected,
                        type_names[json_typeof(value)]);
}

enum ipsec_status
codec_refuse_syntax(struct codec_decoder *decoder,
                    const struct json_problem *problem,
                    const char *body)
{
    char pointer[sizeof decoder->fault->pointer] = "";
    enum ipsec_status status = IPSEC_RPC_INVALID_DATA;
    const char *what = problem->text;
    size_t line = 1;
    size_t column = 1;

    switch (problem->flaw) {
    case JSON_FLAW_DUPLICATE:
        status = IPSEC_INVALID_PARAMETER;
        what = "the member is there twice";
        codec_locate(body, problem->position, pointer, sizeof pointer);
        break;
    case JSON_FLAW_RANGE:
        status = IPSEC_RPC_INVALID_PARAMETER;
        what = "the number is beyond 64 bits";
        codec_locate(body, problem->position, pointer, sizeof pointer);
        break;
    case JSON_FLAW_NUL:
        status = IPSEC_RPC_INVALID_PARAMETER;
        what = "NUL is not allowed in text";
        break;
    case JSON_FLAW_UTF8:
        status = IPSEC_RPC_INVALID_PARAMETER;
        what = "the body is not valid UTF-8";
        break;
    case JSON_FLAW_DEPTH:
        what = "the body is nested too deeply";
        break;
    case JSON_FLAW_MEMORY:
        return ipsec_fault_set(decoder->fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE,
                               NULL, "no memory to read the body");
    case JSON_FLAW_NONE:
    case JSON_FLAW_SYNTAX:
        break;
    }
    for (size_t i = 0; i < problem->position; i++) {
        bool ends_line = body[i] == '\n';

        line += ends_line;
        column = ends_line ? 1 : column + (((unsigned char)body[i] & 0xc0) != 0x80);
    }
    return ipsec_fault_set(decoder->fault, status, decoder->place, pointer,
                           "line %zu, column %zu: %s", line, column, what);
}

enum ipsec_status
codec_refuse_unknown(struct codec_decoder *decoder,
                     const struct codec_object *object,
                     const char *member)
{
    const struct codec_step *outer = decoder->step;
    char names[sizeof decoder->fault->detail] = "";
    size_t length = 0;

    for (size_t i = 0; object != NULL && i < object->field_count && length < sizeof names; i++) {
        int added = snprintf(names + length, sizeof names - length, "%s%s", i == 0 ? "" : ", ",
                             object->fields[i].name);
        length += added < 0 ? 0 : (size_t)added;
    }
    decoder->step = &(struct codec_step){ .parent = outer, .member = member };
    enum ipsec_status status =
        length == 0
            ? codec_refuse(decoder, IPSEC_INVALID_PARAMETER, "this operation takes no query")
            : codec_refuse(decoder, IPSEC_INVALID_PARAMETER, "unknown member; known are %s", names);
    decoder->step = outer;
    return status;
}

/* Outermost step first.  What does not fit is left out from the inside, so that the pointer always
 * points at something. */
static void
write_pointer(const struct codec_step *step, char *pointer, size_t pointer_size)
{
    enum { DEPTH_MAXIMUM = 8 };
    const struct codec_step *chain[DEPTH_MAXIMUM];
    size_t depth = 0;

    for (; step != NULL && depth < DEPTH_MAXIMUM; step = step->parent)
        chain[depth++] = step;
    pointer[0] = '\0';
    while (depth > 0) {
        const struct codec_step *next = chain[--depth];
        char index[24];
        (void)snprintf(index, sizeof index, "%zu", next->index);
        if (!codec_append_token(pointer, pointer_size, next->member != NULL ? next->member : index))
            return;
    }
}
