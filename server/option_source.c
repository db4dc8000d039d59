/* SPDX-License-Identifier: Apache-2.0
 *
 * option_source.c: see option_source.h. */
#include "server/option_source.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "server/option_table.h"

static bool is_service_link(const char *name);
static bool has_type(enum option_type type, const json_t *value);
static const char *wanted_type(enum option_type type);
static const char *given_type(const json_t *value);
static char *write_value(const json_t *value);

void
option_source_read_flags(int argc,
                         char *const *argv,
                         struct option_source *flags,
                         struct options *options)
{
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];

        if (strcmp(argument, "-h") == 0)
            argument = "--help";
        if (strncmp(argument, "--", 2) != 0) {
            option_refuse(options, IPSEC_INVALID_PARAMETER, NULL, "'%s' is no option; see --help",
                          argument);
            continue;
        }
        const char *name = argument + 2;
        const char *equals = strchr(name, '=');
        size_t length = equals != NULL ? (size_t)(equals - name) : strlen(name);
        bool has_next = i + 1 < argc && strncmp(argv[i + 1], "--", 2) != 0;
        const struct option_row *row = option_row_find(name, length);
        if (row == NULL) {
            option_refuse(options, IPSEC_INVALID_PARAMETER, NULL,
                          "unknown option '--%.*s'; see --help", (int)length, name);
            if (equals == NULL && has_next) /* its value, for all we know */
                i++;
            continue;
        }
        const char *value = "true";
        if (row->type == OPTION_SWITCH && equals != NULL) {
            option_refuse(options, IPSEC_INVALID_PARAMETER, row->name,
                          "option '--%s' takes no value", row->name);
            continue;
        }
        if (row->type != OPTION_SWITCH && equals == NULL && i + 1 == argc) {
            option_refuse(options, IPSEC_INVALID_PARAMETER, row->name,
                          "option '--%s' needs a value", row->name);
            continue;
        }
        if (row->type != OPTION_SWITCH)
            value = equals != NULL ? equals + 1 : argv[++i];
        const char **slot = &flags->texts[row - option_rows];
        if (*slot == NULL)
            *slot = value;
        else
            option_refuse(options, IPSEC_INVALID_PARAMETER, row->name,
                          "option '--%s' is given twice", row->name);
    }
}

/* Reads the variable of each row, and refuses SA_CONTEXTD_* variables that are no row's: a
 * misspelt one would be ignored otherwise. */
void
option_source_read_environment(struct option_source *environment, struct options *options)
{
    static const char prefix[] = "SA_CONTEXTD_";

    for (char **entry = environ; *entry != NULL; entry++) {
        const char *equals = strchr(*entry, '=');
        char name[64];
        size_t length = 0;

        if (equals == NULL || strncmp(*entry, prefix, sizeof prefix - 1) != 0 ||
            is_service_link(*entry + sizeof prefix - 1))
            continue;
        for (const char *c = *entry + sizeof prefix - 1; c < equals && length < sizeof name; c++)
            name[length++] = *c == '_' ? '-' : (char)tolower((unsigned char)*c);
        const struct option_row *row = option_row_find(name, length);
        if (row == NULL || row->type == OPTION_SWITCH)
            option_refuse(options, IPSEC_INVALID_PARAMETER, NULL, "environment: %.*s is no option",
                          (int)(equals - *entry), *entry);
        else
            environment->texts[row - option_rows] = equals + 1;
    }
}

void
option_source_read_file(const char *file, struct option_source *members, struct options *options)
{
    json_error_t error;
    errno = 0;
    json_t *root = json_load_file(file, JSON_REJECT_DUPLICATES, &error);
    int failed = errno;
    size_t owned = 0;
    const char *name;
    json_t *value;

    options->has_unread_file = !json_is_object(root);
    if (root == NULL && error.line < 1) /* it was not read at all */
        option_refuse(options, ipsec_status_of_errno(failed), "config", "config %s: %s", file,
                      failed != 0 ? strerror(failed) : error.text);
    else if (root == NULL)
        option_refuse(options, IPSEC_INVALID_PARAMETER, "config", "config %s:%d: %s", file,
                      error.line, error.text);
    else if (!json_is_object(root))
        option_refuse(options, IPSEC_INVALID_PARAMETER, "config",
                      "%s: the top level must be an object", file);
    json_object_foreach(root, name, value)
    {
        const struct option_row *row = option_row_find(name, strlen(name));
        if (row == NULL || row->type == OPTION_SWITCH || strcmp(name, "config") == 0) {
            option_refuse(options, IPSEC_INVALID_PARAMETER, NULL, "%s: '%s' is no option", file,
                          name);
        } else if (!has_type(row->type, value)) {
            option_refuse(options, IPSEC_TYPE_MISMATCH, name, "%s: '%s' must be %s, not %s", file,
                          name, wanted_type(row->type), given_type(value));
        } else {
            char *text = write_value(value);
            if (text == NULL)
                option_refuse(options, IPSEC_RPC_OUT_OF_RESOURCES, name, "no memory");
            else /* once a row: the file has no member twice */
                members->texts[row - option_rows] = options->owned[owned++] = text;
        }
    }
    json_decref(root);
}

void
option_refuse(
    struct options *options, enum ipsec_status status, const char *name, const char *format, ...)
{
    const struct option_row *row = name == NULL ? NULL : option_row_find(name, strlen(name));
    struct ipsec_fault *problems =
        reallocarray(options->problems, options->problem_count + 1, sizeof *problems);
    char detail[sizeof problems->detail];
    va_list arguments;

    options->is_bad = true;
    if (row != NULL)
        options->stand_in[row - option_rows] = true;
    if (problems == NULL)
        return;
    options->problems = problems;
    problems += options->problem_count++;
    *problems = (struct ipsec_fault){ 0 };
    va_start(arguments, format);
    (void)vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    (void)!ipsec_fault_set(problems, status, IPSEC_FAULT_SERVICE, name, "%s", detail);
}

/* A Kubernetes service named sa-contextd puts SA_CONTEXTD_SERVICE_HOST, SA_CONTEXTD_PORT,
 * SA_CONTEXTD_PORT_8443_TCP_ADDR and the like into every container beside it. */
static bool
is_service_link(const char *name)
{
    return strncmp(name, "SERVICE_HOST=", 13) == 0 || strncmp(name, "SERVICE_PORT", 12) == 0 ||
           strncmp(name, "PORT=", 5) == 0 ||
           (strncmp(name, "PORT_", 5) == 0 && isdigit((unsigned char)name[5]));
}

static bool
has_type(enum option_type type, const json_t *value)
{
    switch (type) {
    case OPTION_TEXT:
        return json_is_string(value);
    case OPTION_NUMBER:
        return json_is_integer(value);
    case OPTION_BOOLEAN:
        return json_is_boolean(value);
    case OPTION_SWITCH:
        break;
    }
    return false;
}

static const char *
wanted_type(enum option_type type)
{
    return type == OPTION_TEXT     ? "a string"
           : type == OPTION_NUMBER ? "an integer"
                                   : "true or false";
}

static const char *
given_type(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a fraction";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        break;
    }
    return "null";
}

/* As the same option reads on the command line; the caller's.  Null: no memory. */
static char *
write_value(const json_t *value)
{
    char *text = NULL;

    if (json_is_string(value))
        return strdup(json_string_value(value));
    if (json_is_boolean(value))
        return strdup(json_is_true(value) ? "true" : "false");
    return asprintf(&text, "%lld", (long long)json_integer_value(value)) < 0 ? NULL : text;
}
