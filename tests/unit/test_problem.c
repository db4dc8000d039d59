/* SPDX-License-Identifier: Apache-2.0
 *
 * test_problem.c: the error table says what tests/contract/{fwp,rpc}_errors.tsv say, row for row in
 * both directions, and problems are what RFC 9457 and the contract want. */
#include "api/problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "api/api.h"
#include "api/resource.h"

enum { COLUMN_MAXIMUM = 8 };

/* The columns that the two files have in another order; both begin with name, hex, meaning,
 * http_status, retryable. */
struct table {
    const char *file;
    const char *prefix;
    int when_column;
    int ntstatus_column;  /* -1: none */
    int execution_column; /* -1: none */
};

static const struct table tables[] = {
    { SAC_SOURCE_DIR "/tests/contract/fwp_errors.tsv", "FWP_E_", 5, 6, -1 },
    { SAC_SOURCE_DIR "/tests/contract/rpc_errors.tsv", "RPC_", 6, -1, 5 },
};

static void
check_row(const struct table *table, char *const *columns)
{
    enum ipsec_status status;
    struct error_entry entry;
    char value[16];

    print_message("%s\n", columns[0]);
    assert_true(ipsec_status_find(columns[0], &status));
    problem_describe(status, &entry);
    assert_string_equal(entry.code, columns[0]);
    (void)snprintf(value, sizeof value, "0x%08X", (unsigned)strtoul(columns[1], NULL, 16));
    assert_string_equal(entry.value, value);
    /* The titles are ours: short, and fit for problem_print(). */
    assert_in_range(strlen(entry.title), 8, 64);
    assert_null(strpbrk(entry.title, "\"\\"));
    assert_int_equal(entry.http_status, strtoul(columns[3], NULL, 10));
    assert_int_equal(entry.retryable, strcmp(columns[4], "yes") == 0);
    assert_string_equal(entry.returned_when, columns[table->when_column]);
    if (table->ntstatus_column >= 0)
        assert_string_equal(entry.ntstatus, columns[table->ntstatus_column]);
    else
        assert_string_equal(entry.ntstatus, "");
    if (table->execution_column >= 0)
        assert_string_equal(entry.may_have_executed, columns[table->execution_column]);
    else
        assert_null(entry.may_have_executed);
}

static void
code_and_tables_agree_in_both_directions(void **state)
{
    (void)state;
    for (size_t t = 0; t < CODEC_COUNT(tables); t++) {
        FILE *stream = fopen(tables[t].file, "r");
        char line[2048];
        size_t rows = 0;
        size_t codes = 0;
        bool heading = true;

        assert_non_null(stream);
        while (fgets(line, sizeof line, stream) != NULL) {
            char *columns[COLUMN_MAXIMUM] = { NULL };
            char *rest = line;
            line[strcspn(line, "\n")] = '\0';
            if (line[0] == '#')
                continue;
            for (int i = 0; i < COLUMN_MAXIMUM && rest != NULL; i++)
                columns[i] = strsep(&rest, "\t");
            if (!heading) {
                check_row(&tables[t], columns);
                rows++;
            }
            heading = false;
        }
        (void)fclose(stream);
        for (int i = IPSEC_OK + 1; i < IPSEC_STATUS_COUNT; i++)
            codes += strncmp(ipsec_status_name((enum ipsec_status)i), tables[t].prefix,
                             strlen(tables[t].prefix)) == 0;
        assert_int_equal(rows, codes);
    }
}

static void
every_status_has_a_complete_row(void **state)
{
    (void)state;
    for (int i = IPSEC_OK; i < IPSEC_STATUS_COUNT; i++) {
        const struct problem_row *row = &problem_rows[i];
        assert_in_range(row->http_status, 200, 599);
        assert_true(row->body_status == 0 || (row->body_status >= 400 && row->body_status < 500));
        assert_true(row->path_status == 0 || row->path_status == 404);
        assert_non_null(row->when);
    }
}

static void
the_place_of_a_fault_decides_between_404_422_400_and_500(void **state)
{
    static const struct {
        enum ipsec_status status;
        enum ipsec_fault_place place;
        int http_status;
    } cases[] = {
        { IPSEC_FILTER_NOT_FOUND, IPSEC_FAULT_PATH, 404 },
        { IPSEC_FILTER_NOT_FOUND, IPSEC_FAULT_BODY, 422 },
        { IPSEC_NOT_FOUND, IPSEC_FAULT_PATH, 404 },
        { IPSEC_NOT_FOUND, IPSEC_FAULT_BODY, 422 },
        { IPSEC_PROVIDER_CONTEXT_NOT_FOUND, IPSEC_FAULT_BODY, 422 },
        { IPSEC_LAYER_NOT_FOUND, IPSEC_FAULT_QUERY, 422 },
        { IPSEC_LAYER_NOT_FOUND, IPSEC_FAULT_PATH, 404 },
        { IPSEC_RPC_INVALID_DATA, IPSEC_FAULT_BODY, 400 },
        { IPSEC_RPC_INVALID_DATA, IPSEC_FAULT_SERVICE, 500 },
        { IPSEC_INVALID_HANDLE, IPSEC_FAULT_HEADER, 404 },
        { IPSEC_IN_USE, IPSEC_FAULT_PATH, 409 },
    };

    (void)state;
    for (size_t i = 0; i < CODEC_COUNT(cases); i++)
        assert_int_equal(problem_http_status(cases[i].status, cases[i].place),
                         cases[i].http_status);
}

static void
a_problem_has_the_members_of_the_contract(void **state)
{
    struct ipsec_fault fault = { .status = IPSEC_FILTER_NOT_FOUND };
    AUTO(buffer) body = BUFFER(1024);

    (void)state;
    (void)!ipsec_fault_set(&fault, IPSEC_FILTER_NOT_FOUND, IPSEC_FAULT_BODY, "/ipsecFilterId",
                           "no filter has id 99");
    problem_encode(&fault, 422, "r-1", &body);
    assert_string_equal(
        buffer_text(&body),
        "{\"type\":\"/errors/FWP_E_FILTER_NOT_FOUND\",\"title\":\"unknown filter\",\"status\":422,"
        "\"code\":\"FWP_E_FILTER_NOT_FOUND\",\"value\":\"0x80320003\","
        "\"detail\":\"no filter has id 99\",\"pointer\":\"/ipsecFilterId\",\"retryable\":false,"
        "\"requestId\":\"r-1\"}");

    buffer_reset(&body);
    fault = (struct ipsec_fault){ .status = IPSEC_RPC_RETRY };
    problem_encode(&fault, 503, "r-2", &body);
    assert_string_equal(buffer_text(&body),
                        "{\"type\":\"/errors/RPC_E_RETRY\",\"title\":\"object will not process the "
                        "call now\",\"status\":503,\"code\":\"RPC_E_RETRY\","
                        "\"value\":\"0x80010109\",\"retryable\":true,\"requestId\":\"r-2\"}");
}

static void
hostile_bytes_in_a_fault_stay_inside_their_string(void **state)
{
    struct ipsec_fault fault = { .status = IPSEC_INVALID_PARAMETER,
                                 .pointer = "/a\"b\\c\n",
                                 .detail = "\xff\x01\"}" };
    AUTO(buffer) body = BUFFER(1024);

    (void)state;
    problem_encode(&fault, 400, "r", &body);
    json_t *problem = json_loadb(body.data, body.size, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(problem);
    assert_string_equal(json_string_value(json_object_get(problem, "pointer")), "/a\"b\\c\n");
    json_decref(problem);
}

static void
errors_of_the_http_library_become_problems(void **state)
{
    static const struct {
        int http_status;
        const char *code;
    } cases[] = {
        { 400, "HTTP_E_STATUS_BAD_REQUEST" },
        { 408, "HTTP_E_STATUS_REQUEST_TIMEOUT" },
        { 413, "HTTP_E_STATUS_REQUEST_TOO_LARGE" },
        { 414, "HTTP_E_STATUS_URI_TOO_LONG" },
        { 417, "HTTP_E_STATUS_BAD_REQUEST" },
        { 431, "HTTP_E_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE" },
        { 500, "HTTP_E_STATUS_SERVER_ERROR" },
        { 501, "HTTP_E_STATUS_NOT_SUPP" },
        { 505, "HTTP_E_STATUS_VERSION_NOT_SUP" },
        { 599, "HTTP_E_STATUS_SERVER_ERROR" },
    };

    (void)state;
    for (size_t i = 0; i < CODEC_COUNT(cases); i++) {
        AUTO(buffer) body = BUFFER(4096);
        char request_id[API_REQUEST_ID_SIZE];
        api_problem_for_http_status(cases[i].http_status, "why", request_id, &body);
        json_t *problem = json_loadb(body.data, body.size, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(problem);
        assert_int_equal(json_integer_value(json_object_get(problem, "status")),
                         cases[i].http_status);
        assert_string_equal(json_string_value(json_object_get(problem, "code")), cases[i].code);
        assert_string_equal(json_string_value(json_object_get(problem, "detail")), "why");
        assert_int_equal(json_string_length(json_object_get(problem, "requestId")), 32);
        json_decref(problem);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_and_tables_agree_in_both_directions),
        cmocka_unit_test(every_status_has_a_complete_row),
        cmocka_unit_test(the_place_of_a_fault_decides_between_404_422_400_and_500),
        cmocka_unit_test(a_problem_has_the_members_of_the_contract),
        cmocka_unit_test(hostile_bytes_in_a_fault_stay_inside_their_string),
        cmocka_unit_test(errors_of_the_http_library_become_problems),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
