/* SPDX-License-Identifier: Apache-2.0
 *
 * option_table.h: THE table of options: it drives flags, environment, file, defaults and help. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type { OPTION_TEXT, OPTION_NUMBER, OPTION_BOOLEAN, OPTION_SWITCH };

struct option_row {
    const char *name;
    enum option_type type;
    size_t offset;
    const char *fallback; /* default as text; null: required */
    uint32_t minimum, maximum;
    const char *choices; /* "a|b": the only texts allowed; null: any */
    const char *argument;
    const char *help;
};

extern const struct option_row option_rows[];
extern const size_t option_row_count;

/* Null: there is none of that name. */
const struct option_row *option_row_find(const char *name, size_t length);
/* 'choices' as in a row. */
bool option_row_has_choice(const char *choices, const char *text);
