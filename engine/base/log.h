/* SPDX-License-Identifier: Apache-2.0
 *
 * log.h: one event, one line, written with one write(2) to standard error.
 *
 * In the JSON format a line is {"time":…,"level":…,"event":…,"key":"value",…}; in the text format
 * it is "time level event key=value …" with values quoted and escaped where needed.  Thread-safe.
 * Never pass key material, tokens or credential headers. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"

enum log_level { LOG_LEVEL_ERROR = 0, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_JSON = 0, LOG_FORMAT_TEXT };

/* Called once, before threads start.  Before that: info, JSON. */
void log_configure(enum log_level level, enum log_format format);

/* One member of a line, its name in lowerCamelCase.  Strings are borrowed for the call and may hold
 * any bytes. */
struct log_field {
    const char *name;
    const char *text; /* null: 'number' is the value */
    int64_t number;
};
#define LOG_TEXT(field_name, value)                                                                \
    {                                                                                              \
        .name = (field_name), .text = log_text_(value)                                             \
    }
#define LOG_NUMBER(field_name, value)                                                              \
    {                                                                                              \
        .name = (field_name), .number = (int64_t)(value)                                           \
    }

static inline const char *
log_text_(const char *text)
{
    return text == NULL ? "" : text;
}

/* Writes one line: 'event' is a fixed short sentence ("listening", "client certificate refused").
 * Use the LOG_* macros: log_error("store failed", LOG_TEXT("path", path), LOG_NUMBER("errno", e)).
 */
void log_line(enum log_level level,
              const char *event,
              const struct log_field *fields,
              size_t field_count);

#define LOG_LINE_(level, event, ...)                                                               \
    do {                                                                                           \
        const struct log_field log_fields_[] = { { .name = NULL }, __VA_ARGS__ };                  \
        log_line(level, event, log_fields_ + 1, sizeof log_fields_ / sizeof *log_fields_ - 1);     \
    } while (0)
#define log_error(...) LOG_LINE_(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) LOG_LINE_(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) LOG_LINE_(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) LOG_LINE_(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* For events that a stranger can provoke: at most 'burst' lines a second from this place; the first
 * line after a silence tells how many were left out.  One static object per place; thread-safe. */
struct log_limit {
    _Atomic int64_t window_s;
    _Atomic uint32_t written;
    _Atomic uint32_t left_out;
};
/* Returns -1 when the line must be left out, else how many were left out before it. */
int64_t log_limit_pass(struct log_limit *limit, uint32_t burst);
