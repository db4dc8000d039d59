/* SPDX-License-Identifier: Apache-2.0
 *
 * options.c: see options.h.  Chooses for each option the source that wins. */
#include "server/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/option_source.h"
#include "server/option_table.h"

enum { SOURCE_COUNT = 3 };

static void choose(struct options *options,
                   const struct option_row *row,
                   const struct option_source *const *sources);
static bool has_one_task(struct options *options);
static void require(struct options *options, const struct option_row *row);
static bool set_row(struct options *options,
                    const struct option_row *row,
                    const char *text,
                    const char *source);

bool
options_read(int argc, char *const *argv, struct options *options)
{
    struct option_source flags = { .name = "command line" };
    struct option_source environment = { .name = "environment" };
    struct option_source file = { .name = "" };
    const struct option_source *const sources[SOURCE_COUNT] = { &flags, &environment, &file };

    *options = (struct options){ 0 };
    option_source_read_flags(argc, argv, &flags, options);
    option_source_read_environment(&environment, options);

    size_t config_row = (size_t)(option_row_find("config", strlen("config")) - option_rows);
    const char *config =
        flags.texts[config_row] != NULL ? flags.texts[config_row] : environment.texts[config_row];
    if (config != NULL) {
        file.name = config;
        option_source_read_file(config, &file, options);
    }
    for (size_t row = 0; row < option_row_count; row++)
        choose(options, &option_rows[row], sources);
    if (options->help || options->version)
        options->check = options->flush = options->healthcheck = false;
    bool is_one = has_one_task(options);
    for (size_t row = 0; row < option_row_count && is_one; row++)
        require(options, &option_rows[row]);
    return !options->is_bad;
}

bool
options_is_stand_in(const struct options *options, const char *name)
{
    const struct option_row *row = option_row_find(name, strlen(name));

    return row != NULL && options->stand_in[row - option_rows];
}

void
options_clear(struct options *options)
{
    for (size_t i = 0; i < OPTIONS_TEXTS; i++)
        free(options->owned[i]);
    free(options->problems);
    *options = (struct options){ 0 };
}

/* Sets a row from the first source that has it; where that is no good, to its default. */
static void
choose(struct options *options,
       const struct option_row *row,
       const struct option_source *const *sources)
{
    bool *is_stand_in = &options->stand_in[row - option_rows];

    for (size_t i = 0; i < SOURCE_COUNT; i++) {
        const char *text = sources[i]->texts[row - option_rows];

        if (text == NULL)
            continue;
        *is_stand_in = !set_row(options, row, text, sources[i]->name);
        if (!*is_stand_in)
            return;
        break;
    }
    if (row->type != OPTION_SWITCH)
        (void)set_row(options, row, row->fallback != NULL ? row->fallback : "", "default");
}

/* Or none, which is to serve.  Whoever wants two gets none. */
static bool
has_one_task(struct options *options)
{
    const char *first = options->check ? "check" : "flush";
    const char *second = options->healthcheck ? "healthcheck" : "flush";

    if (options->check + options->flush + options->healthcheck < 2)
        return true;
    option_refuse(options, IPSEC_INVALID_PARAMETER, second,
                  "--%s and --%s exclude each other: give one of them", first, second);
    options->check = options->flush = options->healthcheck = false;
    return false;
}

static void
require(struct options *options, const struct option_row *row)
{
    const char *const *text =
        (const char *const *)(const void *)((const char *)options + row->offset);

    /* What else would be in a file that could not be read, nobody knows. */
    if (row->fallback != NULL || (*text)[0] != '\0' || options->stand_in[row - option_rows] ||
        options->has_unread_file || options->help || options->version || options->healthcheck ||
        options->flush)
        return;
    option_refuse(options, IPSEC_INVALID_PARAMETER, row->name, "option '%s' is required",
                  row->name);
}

static bool
set_row(struct options *options, const struct option_row *row, const char *text, const char *source)
{
    void *member = (char *)options + row->offset;

    if (row->type == OPTION_SWITCH) {
        *(bool *)member = true;
        return true;
    }
    if (row->type == OPTION_TEXT) {
        if (row->choices != NULL && !option_row_has_choice(row->choices, text)) {
            option_refuse(options, IPSEC_INVALID_ENUMERATOR, row->name,
                          "%s: '%s' is '%s' but must be %s", source, row->name, text, row->choices);
            return false;
        }
        *(const char **)member = text;
        return true;
    }
    if (row->type == OPTION_BOOLEAN) {
        *(bool *)member = strcmp(text, "true") == 0;
        if (*(bool *)member || strcmp(text, "false") == 0)
            return true;
        option_refuse(options, IPSEC_INVALID_ENUMERATOR, row->name,
                      "%s: '%s' is '%s' but must be true or false", source, row->name, text);
        return false;
    }

    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || !isdigit((unsigned char)text[0]) ||
        number < row->minimum || number > row->maximum) {
        option_refuse(options, IPSEC_OUT_OF_BOUNDS, row->name,
                      "%s: '%s' is '%s' but must be a number from %u to %u", source, row->name,
                      text, row->minimum, row->maximum);
        return false;
    }
    *(uint32_t *)member = (uint32_t)number;
    return true;
}
