/* SPDX-License-Identifier: Apache-2.0
 *
 * test_query.c: the queries of lists. */
#include "api/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/api.h"
#include "api/resource.h"

#define LONG_300                                                                                   \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
    "xxxxxxxx"                                                                                     \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
    "xxxxxxxx"                                                                                     \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
    "xxxxxxxx"

static enum ipsec_status
decode(const char *text, struct sa_context_query *query, struct ipsec_fault *fault)
{
    *query = (struct sa_context_query){ 0 };
    *fault = (struct ipsec_fault){ 0 };
    const struct query_part part = { &codec_sa_context_query, query };

    return query_decode(&part, 1, text, fault);
}

static void
each_flaw_is_refused_by_code_and_name(void **state)
{
    static const struct {
        const char *text;
        enum ipsec_status status;
        const char *pointer;
    } cases[] = {
        { "colour=red", IPSEC_INVALID_PARAMETER, "colour" },
        { "Limit=1", IPSEC_INVALID_PARAMETER, "Limit" },
        { "limit=1&limit=1", IPSEC_INVALID_PARAMETER, "limit" },
        { "limit=1&l%69mit=2", IPSEC_INVALID_PARAMETER, "limit" },
        { "limit=1&", IPSEC_INVALID_PARAMETER, "" },
        { "&", IPSEC_INVALID_PARAMETER, "" },
        { "=1", IPSEC_INVALID_PARAMETER, "" },
        { "limit", IPSEC_TYPE_MISMATCH, "limit" },
        { "limit=", IPSEC_TYPE_MISMATCH, "limit" },
        { "limit=x", IPSEC_TYPE_MISMATCH, "limit" },
        { "limit=1.5", IPSEC_TYPE_MISMATCH, "limit" },
        { "limit=+1", IPSEC_TYPE_MISMATCH, "limit" },
        { "limit=0", IPSEC_OUT_OF_BOUNDS, "limit" },
        { "limit=-1", IPSEC_OUT_OF_BOUNDS, "limit" },
        { "limit=1001", IPSEC_OUT_OF_BOUNDS, "limit" },
        { "limit=18446744073709551617", IPSEC_OUT_OF_BOUNDS, "limit" },
        { "limit=%3", IPSEC_INVALID_PARAMETER, "limit" },
        { "limit=%zz", IPSEC_INVALID_PARAMETER, "limit" },
        { "limit=1%00", IPSEC_INVALID_PARAMETER, "limit" },
        { "limit=1%0a", IPSEC_INVALID_PARAMETER, "limit" },
        { "%", IPSEC_INVALID_PARAMETER, "" },
        { "cursor=" LONG_300, IPSEC_INVALID_PARAMETER, "cursor" },
        { LONG_300 "=1", IPSEC_INVALID_PARAMETER, "" },
        { "cursor=AAAA", IPSEC_INVALID_PARAMETER, "cursor" },
        { "cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", IPSEC_INVALID_PARAMETER, "cursor" },
        { "state=on", IPSEC_INVALID_ENUMERATOR, "state" },
        { "label", IPSEC_INVALID_PARAMETER, "label" },
        { "label=", IPSEC_INVALID_PARAMETER, "label" },
        { "label=,", IPSEC_INVALID_PARAMETER, "label" },
        { "label=a,", IPSEC_INVALID_PARAMETER, "label" },
        { "label=a&label=", IPSEC_INVALID_PARAMETER, "label" },
        { "label=a%0ab", IPSEC_INVALID_PARAMETER, "label" },
        { "label=a,b%2", IPSEC_INVALID_PARAMETER, "label" },
        { "label=a%", IPSEC_INVALID_PARAMETER, "label" },
        { "label==", IPSEC_INVALID_PARAMETER, "label" },
        { "label=a,b,c,d,e,f,g,h,i&label=j,k,l,m,n,o,p,q", IPSEC_OUT_OF_BOUNDS, "label" },
        { "localAddress=", IPSEC_INVALID_PARAMETER, "localAddress" },
        { "localAddress=192.0.2.1/33", IPSEC_INVALID_NET_MASK, "localAddress" },
        { "remoteAddress=192.0.2.1/24", IPSEC_INVALID_NET_MASK, "remoteAddress" },
        { "remoteAddress=2001:db8::1%25eth0", IPSEC_INVALID_PARAMETER, "remoteAddress" },
    };

    (void)state;
    for (size_t i = 0; i < CODEC_COUNT(cases); i++) {
        struct sa_context_query query;
        struct ipsec_fault fault;
        enum ipsec_status status = decode(cases[i].text, &query, &fault);
        print_message("%s\n", cases[i].text);
        assert_string_equal(ipsec_status_name(status), ipsec_status_name(cases[i].status));
        assert_int_equal(fault.place, IPSEC_FAULT_QUERY);
        assert_string_equal(fault.pointer, cases[i].pointer);
    }
}

static void
members_arrive_in_the_struct(void **state)
{
    struct sa_context_query query;
    struct ipsec_fault fault;

    (void)state;
    assert_int_equal(decode(NULL, &query, &fault), IPSEC_OK);
    assert_int_equal(query.page.limit, LIST_LIMIT_DEFAULT);
    assert_false(query.match.local_subnet.given);
    assert_false(query.match.state_given);

    assert_int_equal(decode("state=created&limit=1000&localAddress=198.51.100.0%2f24&"
                            "remoteAddress=2001:db8::1",
                            &query, &fault),
                     IPSEC_OK);
    assert_int_equal(query.page.limit, 1000);
    assert_true(query.match.state_given);
    assert_int_equal(query.match.state, IPSEC_SA_CONTEXT_CREATED);
    assert_true(query.match.local_subnet.given);
    assert_int_equal(query.match.local_subnet.ip_version, IPSEC_IP_VERSION_V4);
    assert_int_equal(query.match.local_subnet.prefix_length, 24);
    assert_int_equal(query.match.remote_subnet.ip_version, IPSEC_IP_VERSION_V6);
    assert_int_equal(query.match.remote_subnet.prefix_length, 128);
}

static void
labels_are_cut_before_they_are_decoded(void **state)
{
    static const struct {
        const char *text;
        const char *expected; /* a slash after each; a name without a value has none */
    } cases[] = {
        { "label=a", "a/" },
        { "label=a=", "a=/" },
        { "label=a=b", "a=b/" },
        { "label=a=b,c", "a=b/c/" },
        { "label=a=b&limit=1&label=c", "a=b/c/" },
        { "label=a=b%2Cc", "a=b,c/" },
        { "label=a=b%2cc,d&label=e=%3D%26", "a=b,c/d/e==&/" },
        { "label=a%3Db=c", "a=b=c/" },
        { "label=a=" LONG_300, "a=" LONG_300 "/" },
    };

    (void)state;
    for (size_t i = 0; i < CODEC_COUNT(cases); i++) {
        struct sa_context_query query;
        struct ipsec_fault fault;
        char text[512] = "";
        size_t size = 0;

        print_message("%s\n", cases[i].text);
        assert_int_equal(decode(cases[i].text, &query, &fault), IPSEC_OK);
        for (uint32_t j = 0; j < query.labels.count; j++) {
            const struct ipsec_label *pair = &query.labels.pairs[j];

            size += (size_t)snprintf(text + size, sizeof text - size, "%s%s%s/", pair->name,
                                     pair->value == NULL ? "" : "=",
                                     pair->value == NULL ? "" : pair->value);
        }
        assert_string_equal(text, cases[i].expected);
    }
}

static void
labels_that_do_not_fit_are_refused(void **state)
{
    struct sa_context_query query;
    struct ipsec_fault fault;
    char text[sizeof query.label + 8];

    (void)state;
    memset(text, 'x', sizeof text);
    memcpy(text, "label=", 6);
    text[6 + sizeof query.label - 2] = '\0';
    assert_int_equal(decode(text, &query, &fault), IPSEC_OK);
    text[6 + sizeof query.label - 2] = 'x';
    text[6 + sizeof query.label - 1] = '\0';
    assert_int_equal(decode(text, &query, &fault), IPSEC_INVALID_PARAMETER);
    assert_string_equal(fault.pointer, "label");
}

static void
a_cursor_belongs_to_its_filters(void **state)
{
    struct sa_context_query query;
    struct ipsec_fault fault;
    char cursor[CURSOR_TEXT_SIZE];
    char text[128];

    (void)state;
    assert_int_equal(decode("state=active&limit=7", &query, &fault), IPSEC_OK);
    struct cursor_scope scope = sa_context_query_scope(&query);
    cursor_encode(42, &scope, cursor);

    (void)snprintf(text, sizeof text, "limit=9&cursor=%s&state=active", cursor);
    assert_int_equal(decode(text, &query, &fault), IPSEC_OK);
    assert_int_equal(query.page.after, 42);
    (void)snprintf(text, sizeof text, "cursor=%s&state=created", cursor);
    assert_int_equal(decode(text, &query, &fault), IPSEC_INVALID_PARAMETER);
    (void)snprintf(text, sizeof text, "cursor=%s&state=active&localAddress=192.0.2.1", cursor);
    assert_int_equal(decode(text, &query, &fault), IPSEC_INVALID_PARAMETER);
}

static void
operations_without_a_query_refuse_every_member(void **state)
{
    static const struct query_part none = { NULL, NULL };
    struct ipsec_fault fault;

    (void)state;
    assert_int_equal(query_decode(&none, 1, NULL, &fault), IPSEC_OK);
    assert_int_equal(query_decode(&none, 1, "", &fault), IPSEC_OK);
    assert_int_equal(query_decode(&none, 1, "x", &fault), IPSEC_INVALID_PARAMETER);
    assert_string_equal(fault.pointer, "x");
}

static void
members_go_to_the_part_that_has_them(void **state)
{
    struct ipsec_fault fault = { 0 };
    struct sa_context_query query = { 0 };
    struct api_write_options options = { 0 };
    const struct query_part parts[] = {
        { &codec_sa_context_query, &query },
        { &codec_write_options, &options },
    };

    (void)state;
    assert_int_equal(query_decode(parts, 2, "dryRun=true&limit=7", &fault), IPSEC_OK);
    assert_true(options.dry_run);
    assert_int_equal(query.page.limit, 7);
    assert_int_equal(query_decode(parts, 2, "dryRun=false", &fault), IPSEC_OK);
    assert_false(options.dry_run);
    assert_int_equal(query_decode(parts, 2, "dryRun=1", &fault), IPSEC_TYPE_MISMATCH);
    assert_string_equal(fault.pointer, "dryRun");
    assert_int_equal(query_decode(parts, 2, "dryRun", &fault), IPSEC_TYPE_MISMATCH);
    assert_int_equal(query_decode(parts, 2, "dryRun=true&dryRun=true", &fault),
                     IPSEC_INVALID_PARAMETER);
    assert_int_equal(query_decode(parts, 2, "limit=7&DryRun=true", &fault),
                     IPSEC_INVALID_PARAMETER);
    assert_string_equal(fault.pointer, "DryRun");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_flaw_is_refused_by_code_and_name),
        cmocka_unit_test(members_arrive_in_the_struct),
        cmocka_unit_test(labels_are_cut_before_they_are_decoded),
        cmocka_unit_test(labels_that_do_not_fit_are_refused),
        cmocka_unit_test(a_cursor_belongs_to_its_filters),
        cmocka_unit_test(members_go_to_the_part_that_has_them),
        cmocka_unit_test(operations_without_a_query_refuse_every_member),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
