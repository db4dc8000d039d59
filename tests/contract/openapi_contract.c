/* SPDX-License-Identifier: Apache-2.0
 *
 * openapi_contract.c: holds openapi.json and the code together.
 *
 *   openapi_contract FILE            compares, says where they differ
 *   openapi_contract --update FILE   writes the file anew from the code
 *
 * Equal means: every route, member, schema and status of the code is in the document, and nothing
 * else is.  The bytes that the service hands out are compared, too.  And a code that the
 * description of an operation names is one of that operation's. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "api/describe.h"
#include "api/openapi.h"

static int update(const json_t *described, const char *file);
static void write_value(const json_t *value, int indent, FILE *stream);
static int compare(const json_t *described, const char *file);
static int report(const json_t *code, const json_t *document, const char *path);
static int report_object(const json_t *code, const json_t *document, const char *path);
static int report_array(const json_t *code, const json_t *document, const char *path);
static int check_descriptions(const json_t *described);
static int check_codes(const char *operation, const char *text, const json_t *responses);
static bool has_code(const json_t *responses, const char *name, size_t length);
static int differs(const char *path, const char *how);

int
main(int argument_count, char **arguments)
{
    json_t *described = describe_service(SAC_VERSION);
    int result = 2;

    if (described == NULL)
        fprintf(stderr, "the service cannot be described\n");
    else if (argument_count == 3 && strcmp(arguments[1], "--update") == 0)
        result = update(described, arguments[2]);
    else if (argument_count == 2)
        result = compare(described, arguments[1]);
    else
        fprintf(stderr, "usage: openapi_contract [--update] FILE\n");
    json_decref(described);
    return result;
}

static int
update(const json_t *described, const char *file)
{
    FILE *stream = fopen(file, "w");

    if (stream == NULL) {
        perror(file);
        return 2;
    }
    write_value(described, 0, stream);
    fputc('\n', stream);
    int failed = ferror(stream);
    failed |= fclose(stream);
    return failed == 0 ? 0 : 2;
}

/* What fits into a line stands in one. */
static void
write_value(const json_t *value, int indent, FILE *stream)
{
    enum { LINE_WIDTH = 100, KEY_WIDTH = 24 };
    char *line = json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    size_t index;
    const char *key;
    json_t *member;
    const char *separator = "";

    if (line == NULL || json_is_string(value) ||
        strlen(line) + (size_t)indent + KEY_WIDTH < LINE_WIDTH) {
        fputs(line == NULL ? "null" : line, stream);
    } else if (json_is_object(value)) {
        fputc('{', stream);
        json_object_foreach((json_t *)(size_t)value, key, member)
        {
            fprintf(stream, "%s\n%*s\"%s\": ", separator, indent + 2, "", key);
            write_value(member, indent + 2, stream);
            separator = ",";
        }
        fprintf(stream, "\n%*s}", indent, "");
    } else {
        fputc('[', stream);
        json_array_foreach((json_t *)(size_t)value, index, member)
        {
            fprintf(stream, "%s\n%*s", separator, indent + 2, "");
            write_value(member, indent + 2, stream);
            separator = ",";
        }
        fprintf(stream, "\n%*s]", indent, "");
    }
    free(line);
}

static int
compare(const json_t *described, const char *file)
{
    json_error_t error;
    json_t *document = json_load_file(file, JSON_REJECT_DUPLICATES, &error);
    json_t *embedded = json_loadb(openapi_document, openapi_document_size, 0, NULL);

    if (document == NULL)
        fprintf(stderr, "%s:%d: %s\n", file, error.line, error.text);
    int differences = document == NULL ? 1 : report(described, document, "");
    if (!json_equal(document, embedded))
        differences += differs("", "is not what the service hands out");
    differences += check_descriptions(described);
    json_decref(document);
    json_decref(embedded);
    return differences == 0 ? 0 : 1;
}

/* Returns how many differences there are below 'path'. */
static int
report(const json_t *code, const json_t *document, const char *path)
{
    if (json_is_object(code) && json_is_object(document))
        return report_object(code, document, path);
    if (json_is_array(code) && json_is_array(document))
        return report_array(code, document, path);
    return json_equal(code, document) ? 0 : differs(path, "has another value in the code");
}

static int
report_object(const json_t *code, const json_t *document, const char *path)
{
    const char *key;
    json_t *member;
    int differences = 0;
    char below[512];

    /* The iterating macro takes objects as not const and does not change them. */
    json_object_foreach((json_t *)(size_t)code, key, member)
    {
        const json_t *other = json_object_get(document, key);
        (void)snprintf(below, sizeof below, "%s/%s", path, key);
        differences += other == NULL ? differs(below, "is missing in the document")
                                     : report(member, other, below);
    }
    json_object_foreach((json_t *)(size_t)document, key, member)
    {
        (void)snprintf(below, sizeof below, "%s/%s", path, key);
        if (json_object_get(code, key) == NULL)
            differences += differs(below, "is only in the document");
    }
    return differences;
}

static int
report_array(const json_t *code, const json_t *document, const char *path)
{
    int differences = 0;
    char below[512];

    if (json_array_size(code) != json_array_size(document))
        return differs(path, "has another length in the code");
    for (size_t i = 0; i < json_array_size(code); i++) {
        (void)snprintf(below, sizeof below, "%s/%zu", path, i);
        differences += report(json_array_get(code, i), json_array_get(document, i), below);
    }
    return differences;
}

static int
check_descriptions(const json_t *described)
{
    json_t *paths = json_object_get(described, "paths");
    const char *path;
    const char *method;
    json_t *operations;
    json_t *operation;
    int differences = 0;

    json_object_foreach(paths, path, operations)
    {
        json_object_foreach(operations, method, operation)
        {
            const char *text = json_string_value(json_object_get(operation, "description"));

            if (text != NULL)
                differences +=
                    check_codes(json_string_value(json_object_get(operation, "operationId")), text,
                                json_object_get(operation, "responses"));
        }
    }
    return differences;
}

static int
check_codes(const char *operation, const char *text, const json_t *responses)
{
    int differences = 0;

    while (*text != '\0') {
        size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");

        if ((strncmp(text, "FWP_E_", 6) == 0 || strncmp(text, "RPC_E_", 6) == 0) &&
            !has_code(responses, text, length)) {
            fprintf(stderr, "%.*s: ", (int)length, text);
            differences += differs(operation, "describes a code that it does not have");
        }
        text += length > 0 ? length : 1;
    }
    return differences;
}

/* Each response is described by its codes, "A, B". */
static bool
has_code(const json_t *responses, const char *name, size_t length)
{
    const char *status;
    json_t *response;

    json_object_foreach((json_t *)(size_t)responses, status, response)
    {
        const char *codes = json_string_value(json_object_get(response, "description"));

        while (codes != NULL && *codes != '\0') {
            size_t size = strcspn(codes, ", ");

            if (size == length && strncmp(codes, name, length) == 0)
                return true;
            codes += size + strspn(codes + size, ", ");
        }
    }
    return false;
}

static int
differs(const char *path, const char *how)
{
    fprintf(stderr, "openapi.json: %s %s\n", path[0] == '\0' ? "the document" : path, how);
    return 1;
}
