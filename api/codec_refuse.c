/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_refuse.c: says what is wrong with a body or query, and where. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/codec_decode.h"

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
                    const json_error_t *error,
                    const char *body,
                    size_t size)
{
    char pointer[sizeof decoder->fault->pointer] = "";
    size_t position = error->position < 0              ? 0
                      : (size_t)error->position > size ? size
                                                       : (size_t)error->position;
    enum ipsec_status status = IPSEC_RPC_INVALID_DATA;
    const char *what = error->text;
    /* The parser goes on with " near " and bytes of the body, which may be secret. */
    const char *near = strstr(error->text, " near ");
    int what_size = near == NULL ? (int)strlen(what) : (int)(near - what);

    switch (json_error_code(error)) {
    case json_error_duplicate_key:
        status = IPSEC_INVALID_PARAMETER;
        what = "the member is given twice";
        codec_locate(body, position, pointer, sizeof pointer);
        break;
    case json_error_numeric_overflow:
        status = IPSEC_RPC_INVALID_PARAMETER;
        what = "the number is beyond 64 bits";
        codec_locate(body, position, pointer, sizeof pointer);
        break;
    case json_error_null_character:
    case json_error_null_byte_in_key:
        status = IPSEC_RPC_INVALID_PARAMETER;
        what = "NUL is not allowed in text";
        break;
    case json_error_invalid_utf8:
        status = IPSEC_RPC_INVALID_PARAMETER;
        what = "the body is not valid UTF-8";
        break;
    case json_error_stack_overflow:
        what = "the body is nested too deeply";
        break;
    case json_error_out_of_memory:
        return codec_refuse_memory(decoder);
    case json_error_unknown:
    case json_error_cannot_open_file:
    case json_error_invalid_argument:
    case json_error_premature_end_of_input:
    case json_error_end_of_input_expected:
    case json_error_invalid_syntax:
    case json_error_invalid_format:
    case json_error_wrong_type:
    case json_error_null_value:
    case json_error_item_not_found:
    case json_error_index_out_of_range:
        break;
    }
    if (what != error->text)
        what_size = (int)strlen(what);
    return ipsec_fault_set(decoder->fault, status, decoder->place, pointer,
                           "line %d, column %d: %.*s", error->line, error->column, what_size, what);
}

enum ipsec_status
codec_refuse_unknown(struct codec_decoder *decoder,
                     const struct codec_object *object,
                     const char *member)
{
    const struct codec_step *outer = decoder->step;
    const bool is_query = decoder->place == IPSEC_FAULT_QUERY;
    const size_t count = object == NULL ? 0 : object->field_count;
    struct codec_list list = { .length = 0 };
    enum ipsec_status status;

    for (size_t i = 0; i < count; i++)
        codec_list_name(&list, object->fields[i].name);
    decoder->step = &(struct codec_step){ .parent = outer, .member = member };
    if (count == 0)
        status = codec_refuse(decoder, IPSEC_INVALID_PARAMETER,
                              is_query ? "this operation takes no query"
                                       : "unknown member; this operation takes none");
    else
        status = codec_refuse(decoder, IPSEC_INVALID_PARAMETER, "unknown %s; known are %s",
                              is_query ? "parameter" : "member", list.text);
    decoder->step = outer;
    return status;
}

enum ipsec_status
codec_refuse_memory(struct codec_decoder *decoder)
{
    return ipsec_fault_set(decoder->fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                           "no memory to read the body");
}

void
codec_list_name(struct codec_list *list, const char *name)
{
    static const char rest[] = ", … (/openapi.json has all)";
    const size_t needed = strlen(name) + (list->length == 0 ? 0 : 2);

    if (list->is_full)
        return;
    /* While more may come there is room for saying that. */
    list->is_full = list->length + needed + sizeof rest > sizeof list->text;
    int added = list->is_full
                    ? snprintf(list->text + list->length, sizeof list->text - list->length, "%s",
                               rest + (list->length == 0 ? 2 : 0))
                    : snprintf(list->text + list->length, sizeof list->text - list->length, "%s%s",
                               list->length == 0 ? "" : ", ", name);
    list->length += added < 0 ? 0 : (size_t)added;
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
