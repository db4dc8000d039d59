/* SPDX-License-Identifier: Apache-2.0
 *
 * test_codec_plane.c: what differs in the data plane, as JSON. */
#include "api/resource.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
assert_drift(const struct drift_report *report, const char *expected)
{
    AUTO(buffer) out = BUFFER(65536);
    struct codec_encoder encoder = { .out = &out };

    codec_encode(&encoder, &codec_drift, report);
    assert_string_equal(buffer_text(&out), expected);
}

static void
without_a_difference_the_lists_are_empty(void **state)
{
    static struct drift_report report = { .drift = { .compared_at_ms = 1000 } };

    (void)state;
    assert_drift(&report, "{\"sasMissing\":0,\"sasLeftOver\":0,\"policiesMissing\":0,"
                          "\"policiesLeftOver\":0,\"foreign\":0,"
                          "\"comparedAt\":\"1970-01-01T00:00:01.000Z\","
                          "\"missingSaContextIds\":[],\"missingFilterIds\":[],"
                          "\"leftOverSas\":[],\"leftOverFilterIds\":[]}");
}

static void
what_differs_is_named(void **state)
{
    static struct drift_report report = {
        .drift = { .sas_missing = 3,
                   .sas_left_over = 2,
                   .policies_missing = 1,
                   .policies_left_over = 1,
                   .foreign = 9,
                   .compared_at_ms = 1000 },
        .names = {
            .contexts_missing = { .ids = { 7, 9 }, .count = 2 },
            .filters_missing = { .ids = { 11 }, .count = 1 },
            .filters_left_over = { .ids = { 12 }, .count = 1 },
            .sas_left_over = { { .sa_context_id = 5,
                                 .ip_version = IPSEC_IP_VERSION_V4,
                                 .destination = { .bytes = { 192, 0, 2, 1 } },
                                 .ip_protocol = 50,
                                 .spi = 4097 },
                               { .sa_context_id = 6,
                                 .ip_version = IPSEC_IP_VERSION_V6,
                                 .destination = { .bytes = { 0x20, 1, 0xd, 0xb8, [15] = 1 } },
                                 .ip_protocol = 51,
                                 .spi = 4294967295 } },
            .sa_left_over_count = 2,
        },
    };

    (void)state;
    assert_drift(&report,
                 "{\"sasMissing\":3,\"sasLeftOver\":2,\"policiesMissing\":1,\"policiesLeftOver\":1,"
                 "\"foreign\":9,\"comparedAt\":\"1970-01-01T00:00:01.000Z\","
                 "\"missingSaContextIds\":[7,9],\"missingFilterIds\":[11],\"leftOverSas\":["
                 "{\"saContextId\":5,\"ipVersion\":\"v4\",\"destinationAddress\":\"192.0.2.1\","
                 "\"ipProtocol\":50,\"spi\":4097},"
                 "{\"saContextId\":6,\"ipVersion\":\"v6\",\"destinationAddress\":\"2001:db8::1\","
                 "\"ipProtocol\":51,\"spi\":4294967295}],\"leftOverFilterIds\":[12]}");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_difference_the_lists_are_empty),
        cmocka_unit_test(what_differs_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
