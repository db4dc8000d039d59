/* SPDX-License-Identifier: Apache-2.0
 *
 * log.c: see log.h.  The level and format are the only mutable file-scope state of the service. */
#include "engine/base/log.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/buffer.h"
#include "engine/base/clock.h"

enum { LINE_MAXIMUM = 8192 };

static const char *const level_names[] = { "error", "warning", "info", "debug" };
static _Atomic int current_level = LOG_LEVEL_INFO;
static _Atomic int current_format = LOG_FORMAT_JSON;

static void append_json(struct buffer *line, const struct log_field *field);
static void append_text(struct buffer *line, const struct log_field *field);

void
log_configure(enum log_level level, enum log_format format)
{
    atomic_store(&current_level, (int)level);
    atomic_store(&current_format, (int)format);
}

void
log_line(enum log_level level,
         const char *event,
         const struct log_field *fields,
         size_t field_count)
{
    if ((int)level > atomic_load_explicit(&current_level, memory_order_relaxed))
        return;

    AUTO(buffer) line = BUFFER(LINE_MAXIMUM);
    char now[CLOCK_TEXT_SIZE];
    bool json = atomic_load_explicit(&current_format, memory_order_relaxed) == LOG_FORMAT_JSON;
    clock_format(clock_wall_ms(), now);
    if (json) {
        buffer_append_format(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":", now,
                             level_names[level]);
        buffer_append_json_string(&line, event, strlen(event));
    } else {
        buffer_append_format(&line, "%s %s %s", now, level_names[level], event);
    }
    for (size_t i = 0; i < field_count; i++) {
        size_t before = line.size;
        if (json)
            append_json(&line, &fields[i]);
        else
            append_text(&line, &fields[i]);
        if (line.failed) {
            /* An oversize value is left out, so that the line stays whole. */
            line.failed = false;
            line.size = before;
        }
    }
    line.maximum += 2; /* room for the end is kept apart from the fields */
    buffer_append_text(&line, json ? "}\n" : "\n");
    if (!line.failed)
        (void)!write(STDERR_FILENO, line.data, line.size);
}

int64_t
log_limit_pass(struct log_limit *limit, uint32_t burst)
{
    int64_t now_s = clock_monotonic_ms() / 1000;
    int64_t window_s = atomic_load(&limit->window_s);

    if (window_s != now_s && atomic_compare_exchange_strong(&limit->window_s, &window_s, now_s))
        atomic_store(&limit->written, 0);
    if (atomic_fetch_add(&limit->written, 1) >= burst) {
        atomic_fetch_add(&limit->left_out, 1);
        return -1;
    }
    return (int64_t)atomic_exchange(&limit->left_out, 0);
}

static void
append_json(struct buffer *line, const struct log_field *field)
{
    buffer_append_char(line, ',');
    buffer_append_json_string(line, field->name, strlen(field->name));
    buffer_append_char(line, ':');
    if (field->text != NULL)
        buffer_append_json_string(line, field->text, strlen(field->text));
    else
        buffer_append_format(line, "%" PRId64, field->number);
}

static void
append_text(struct buffer *line, const struct log_field *field)
{
    buffer_append_format(line, " %s=", field->name);
    if (field->text == NULL)
        buffer_append_format(line, "%" PRId64, field->number);
    else if (field->text[0] != '\0' && strpbrk(field->text, " \"\\=\t") == NULL &&
             strspn(field->text, "!#$%&'()*+,-./0123456789:;<>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`"
                                 "abcdefghijklmnopqrstuvwxyz{|}~") == strlen(field->text))
        buffer_append_text(line, field->text);
    else
        buffer_append_json_string(line, field->text, strlen(field->text));
}
