/* SPDX-License-Identifier: Apache-2.0
 *
 * answer.c: see answer.h. */
#include "tests/bench/answer.h"

#include <string.h>
#include <strings.h>

static bool feed_line(struct answer *answer, const char *bytes, size_t size, size_t *taken);
static bool take_line(struct answer *answer, const char *line, size_t size);
static bool take_status_line(struct answer *answer, const char *line, size_t size);
static bool take_field(struct answer *answer, const char *line, size_t size);
static bool take_length(struct answer *answer, const char *value, size_t size);
static bool take_chunk_size(struct answer *answer, const char *line, size_t size);
static void end_of_fields(struct answer *answer);
static bool is_text(const char *bytes, size_t size, const char *text);

void
answer_begin(struct answer *answer)
{
    answer->state = ANSWER_STATUS_LINE;
    answer->status = 0;
    answer->closes = false;
    answer->chunked = false;
    answer->has_length = false;
    answer->remaining = 0;
    answer->line_size = 0;
}

enum answer_progress
answer_feed(struct answer *answer, const char *bytes, size_t size, size_t *taken_out)
{
    size_t taken = 0;

    *taken_out = 0;
    while (answer->state != ANSWER_COMPLETE && taken < size) {
        size_t left = size - taken;

        if (answer->state == ANSWER_BODY_TO_CLOSE) {
            taken = size;
        } else if (answer->state == ANSWER_BODY || answer->state == ANSWER_CHUNK_DATA) {
            size_t part = answer->remaining < left ? (size_t)answer->remaining : left;
            taken += part;
            answer->remaining -= part;
            if (answer->remaining == 0)
                answer->state = answer->state == ANSWER_BODY ? ANSWER_COMPLETE : ANSWER_CHUNK_END;
        } else if (!feed_line(answer, bytes, size, &taken)) {
            return ANSWER_MALFORMED;
        }
    }
    *taken_out = taken;
    return answer->state == ANSWER_COMPLETE ? ANSWER_DONE : ANSWER_MORE;
}

bool
answer_end_of_stream(struct answer *answer)
{
    if (answer->state != ANSWER_BODY_TO_CLOSE)
        return false;
    answer->state = ANSWER_COMPLETE;
    answer->closes = true;
    return true;
}

/* Takes one line, or what there is of it; a line that came in one piece is read where it lies. */
static bool
feed_line(struct answer *answer, const char *bytes, size_t size, size_t *taken)
{
    const char *start = bytes + *taken;
    size_t left = size - *taken;
    const char *newline = memchr(start, '\n', left);
    size_t part = newline == NULL ? left : (size_t)(newline - start);

    *taken += newline == NULL ? part : part + 1;
    if (newline != NULL && answer->line_size == 0)
        return part <= ANSWER_LINE_MAX && take_line(answer, start, part);

    if (part > ANSWER_LINE_MAX - answer->line_size)
        return false;
    memcpy(answer->line + answer->line_size, start, part);
    answer->line_size += part;
    if (newline == NULL)
        return true;

    size_t line_size = answer->line_size;
    answer->line_size = 0;
    return take_line(answer, answer->line, line_size);
}

static bool
take_line(struct answer *answer, const char *line, size_t size)
{
    if (size == 0 || line[size - 1] != '\r')
        return false;
    size--;

    if (answer->state == ANSWER_STATUS_LINE)
        return take_status_line(answer, line, size);
    if (answer->state == ANSWER_CHUNK_SIZE)
        return take_chunk_size(answer, line, size);
    if (answer->state == ANSWER_CHUNK_END) {
        answer->state = ANSWER_CHUNK_SIZE;
        return size == 0;
    }
    if (size != 0)
        return answer->state == ANSWER_TRAILERS || take_field(answer, line, size);
    if (answer->state == ANSWER_TRAILERS)
        answer->state = ANSWER_COMPLETE;
    else if (answer->chunked && answer->has_length)
        return false;
    else
        end_of_fields(answer);
    return true;
}

static bool
take_status_line(struct answer *answer, const char *line, size_t size)
{
    static const char version[] = "HTTP/1.1 ";
    const char *digits = line + sizeof version - 1;

    if (size < sizeof version + 2 || memcmp(line, version, sizeof version - 1) != 0)
        return false;
    if (size > sizeof version + 2 && digits[3] != ' ')
        return false;
    answer->status = 0;
    for (int i = 0; i < 3; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return false;
        answer->status = answer->status * 10 + (digits[i] - '0');
    }
    answer->state = ANSWER_FIELDS;
    return answer->status >= 100 && answer->status < 600;
}

static bool
take_field(struct answer *answer, const char *line, size_t size)
{
    const char *colon = memchr(line, ':', size);
    if (colon == NULL || colon == line)
        return false;

    size_t name_size = (size_t)(colon - line);
    const char *value = colon + 1;
    size_t value_size = size - name_size - 1;
    while (value_size > 0 && (*value == ' ' || *value == '\t')) {
        value++;
        value_size--;
    }
    while (value_size > 0 && (value[value_size - 1] == ' ' || value[value_size - 1] == '\t'))
        value_size--;

    if (is_text(line, name_size, "content-length"))
        return take_length(answer, value, value_size);
    if (is_text(line, name_size, "transfer-encoding")) {
        answer->chunked = true;
        return is_text(value, value_size, "chunked");
    }
    if (is_text(line, name_size, "connection"))
        answer->closes = is_text(value, value_size, "close");
    return true;
}

static bool
take_length(struct answer *answer, const char *value, size_t size)
{
    uint64_t length = 0;

    if (answer->has_length || size == 0 || size > 18)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (value[i] < '0' || value[i] > '9')
            return false;
        length = length * 10 + (uint64_t)(value[i] - '0');
    }
    answer->has_length = true;
    answer->remaining = length;
    return true;
}

static bool
take_chunk_size(struct answer *answer, const char *line, size_t size)
{
    size_t digits = 0;

    answer->remaining = 0;
    for (; digits < size && line[digits] != ';'; digits++) {
        static const char hex[] = "0123456789abcdef0123456789ABCDEF";
        const char *digit = line[digits] == '\0' ? NULL : strchr(hex, line[digits]);

        if (digit == NULL || digits == 15)
            return false;
        answer->remaining = answer->remaining << 4 | (uint64_t)((digit - hex) & 15);
    }
    answer->state = answer->remaining == 0 ? ANSWER_TRAILERS : ANSWER_CHUNK_DATA;
    return digits > 0;
}

static void
end_of_fields(struct answer *answer)
{
    if (answer->status < 200)
        answer_begin(answer);
    else if (answer->status == 204 || answer->status == 304)
        answer->state = ANSWER_COMPLETE;
    else if (answer->chunked)
        answer->state = ANSWER_CHUNK_SIZE;
    else if (!answer->has_length)
        answer->state = ANSWER_BODY_TO_CLOSE;
    else
        answer->state = answer->remaining == 0 ? ANSWER_COMPLETE : ANSWER_BODY;
}

static bool
is_text(const char *bytes, size_t size, const char *text)
{
    return strlen(text) == size && strncasecmp(bytes, text, size) == 0;
}
