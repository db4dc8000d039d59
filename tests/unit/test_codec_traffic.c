/* SPDX-License-Identifier: Apache-2.0
 *
 * test_codec_traffic.c: what bodies of POST /sa-contexts are refused for, and what they become. */
#include "api/resource.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/refused_bodies.h"

#define GOOD                                                                                       \
    "\"localAddress\":\"192.0.2.1\",\"remoteAddress\":\"198.51.100.7\","                           \
    "\"trafficType\":\"transport\",\"ipsecFilterId\":1"
#define ADDRESSES(local, remote)                                                                   \
    "{\"trafficType\":\"transport\",\"localAddress\":" local ",\"remoteAddress\":" remote "}"

static const struct refused_case refused_cases[] = {
    /* The body as a whole. */
    { "", IPSEC_NULL_POINTER, 400, "" },
    { "   ", IPSEC_RPC_INVALID_DATA, 400, "" },
    { "{", IPSEC_RPC_INVALID_DATA, 400, "" },
    { "{}}", IPSEC_RPC_INVALID_DATA, 400, "" },
    { "{" GOOD ",}", IPSEC_RPC_INVALID_DATA, 400, "" },
    { "{'localAddress':1}", IPSEC_RPC_INVALID_DATA, 400, "" },
    { "\xef\xbb\xbf{}", IPSEC_RPC_INVALID_DATA, 400, "" },
    { "[]", IPSEC_TYPE_MISMATCH, 400, "" },
    { "\"text\"", IPSEC_TYPE_MISMATCH, 400, "" },
    { "7", IPSEC_TYPE_MISMATCH, 400, "" },
    { "null", IPSEC_TYPE_MISMATCH, 400, "" },
    { "{\"localAddress\":\"\xc3\"}", IPSEC_RPC_INVALID_PARAMETER, 400, "" },
    { "{\"localAddress\":\"a\\u0000b\"}", IPSEC_RPC_INVALID_PARAMETER, 400, "" },
    { "{\"a\\u0000b\":1}", IPSEC_RPC_INVALID_PARAMETER, 400, "" },
    { "{\"localAddress\":\"\\ud800\"}", IPSEC_RPC_INVALID_DATA, 400, "" },

    /* Unknown and duplicate members. */
    { "{" GOOD ",\"colour\":\"red\"}", IPSEC_INVALID_PARAMETER, 400, "/colour" },
    { "{" GOOD ",\"a/b~c\":1}", IPSEC_INVALID_PARAMETER, 400, "/a~1b~0c" },
    { "{" GOOD ",\"\":1}", IPSEC_INVALID_PARAMETER, 400, "/" },
    { "{" GOOD ",\"LocalAddress\":1}", IPSEC_INVALID_PARAMETER, 400, "/LocalAddress" },
    { "{" GOOD ",\"ipsecFilterId\":1}", IPSEC_INVALID_PARAMETER, 400, "/ipsecFilterId" },
    { "{" GOOD ",\"trafficTyp\\u0065\":\"tunnel\"}", IPSEC_INVALID_PARAMETER, 400, "/trafficType" },

    /* Missing. */
    { "{}", IPSEC_NULL_POINTER, 400, "/localAddress" },
    { "{\"remoteAddress\":\"192.0.2.1\",\"trafficType\":\"transport\"}", IPSEC_NULL_POINTER, 400,
      "/localAddress" },
    { "{\"localAddress\":\"192.0.2.1\",\"trafficType\":\"transport\"}", IPSEC_NULL_POINTER, 400,
      "/remoteAddress" },
    { "{\"localAddress\":\"192.0.2.1\",\"remoteAddress\":\"192.0.2.1\"}", IPSEC_NULL_POINTER, 400,
      "/trafficType" },
    { ADDRESSES("null", "\"192.0.2.1\""), IPSEC_NULL_POINTER, 400, "/localAddress" },

    /* Mistyped. */
    { ADDRESSES("1", "\"192.0.2.1\""), IPSEC_TYPE_MISMATCH, 400, "/localAddress" },
    { ADDRESSES("\"192.0.2.1\"", "[\"192.0.2.1\"]"), IPSEC_TYPE_MISMATCH, 400, "/remoteAddress" },
    { "{\"localAddress\":\"192.0.2.1\",\"remoteAddress\":\"192.0.2.1\",\"trafficType\":0}",
      IPSEC_TYPE_MISMATCH, 400, "/trafficType" },
    { "{" GOOD ",\"ipVersion\":4}", IPSEC_TYPE_MISMATCH, 400, "/ipVersion" },
    { "{" GOOD ",\"tunnelPolicyId\":\"1\"}", IPSEC_TYPE_MISMATCH, 400, "/tunnelPolicyId" },
    { "{" GOOD ",\"tunnelPolicyId\":true}", IPSEC_TYPE_MISMATCH, 400, "/tunnelPolicyId" },
    { "{" GOOD ",\"localPort\":80.0}", IPSEC_TYPE_MISMATCH, 400, "/localPort" },
    { "{" GOOD ",\"remotePort\":1e2}", IPSEC_TYPE_MISMATCH, 400, "/remotePort" },
    { "{" GOOD ",\"ipProtocol\":{}}", IPSEC_TYPE_MISMATCH, 400, "/ipProtocol" },

    /* Out of range. */
    { "{" GOOD ",\"tunnelPolicyId\":0}", IPSEC_OUT_OF_BOUNDS, 400, "/tunnelPolicyId" },
    { "{" GOOD ",\"tunnelPolicyId\":-1}", IPSEC_OUT_OF_BOUNDS, 400, "/tunnelPolicyId" },
    { "{" GOOD ",\"tunnelPolicyId\":9007199254740992}", IPSEC_OUT_OF_BOUNDS, 400,
      "/tunnelPolicyId" },
    { "{" GOOD ",\"tunnelPolicyId\":9223372036854775807}", IPSEC_OUT_OF_BOUNDS, 400,
      "/tunnelPolicyId" },
    { "{" GOOD ",\"tunnelPolicyId\":18446744073709551616}", IPSEC_RPC_INVALID_PARAMETER, 400,
      "/tunnelPolicyId" },
    { "{" GOOD ",\"localPort\":65536}", IPSEC_OUT_OF_BOUNDS, 400, "/localPort" },
    { "{" GOOD ",\"localPort\":-1}", IPSEC_OUT_OF_BOUNDS, 400, "/localPort" },
    { "{" GOOD ",\"remotePort\":65536}", IPSEC_OUT_OF_BOUNDS, 400, "/remotePort" },
    { "{" GOOD ",\"ipProtocol\":256}", IPSEC_OUT_OF_BOUNDS, 400, "/ipProtocol" },

    /* Names. */
    { "{" GOOD ",\"ipVersion\":\"v5\"}", IPSEC_INVALID_ENUMERATOR, 400, "/ipVersion" },
    { "{" GOOD ",\"ipVersion\":\"V4\"}", IPSEC_INVALID_ENUMERATOR, 400, "/ipVersion" },
    { "{\"localAddress\":\"192.0.2.1\",\"remoteAddress\":\"192.0.2.1\",\"trafficType\":\"max\"}",
      IPSEC_INVALID_ENUMERATOR, 400, "/trafficType" },

    /* Addresses. */
    { ADDRESSES("\"\"", "\"192.0.2.1\""), IPSEC_INVALID_PARAMETER, 400, "/localAddress" },
    { ADDRESSES("\"192.0.2\"", "\"192.0.2.1\""), IPSEC_INVALID_PARAMETER, 400, "/localAddress" },
    { ADDRESSES("\"192.0.2.256\"", "\"192.0.2.1\""), IPSEC_INVALID_PARAMETER, 400,
      "/localAddress" },
    { ADDRESSES("\"192.0.02.1\"", "\"192.0.2.1\""), IPSEC_INVALID_PARAMETER, 400, "/localAddress" },
    { ADDRESSES("\"192.0.2.1/32\"", "\"192.0.2.1\""), IPSEC_INVALID_PARAMETER, 400,
      "/localAddress" },
    { ADDRESSES("\" 192.0.2.1\"", "\"192.0.2.1\""), IPSEC_INVALID_PARAMETER, 400, "/localAddress" },
    { ADDRESSES("\"fe80::1%eth0\"", "\"fe80::2\""), IPSEC_INVALID_PARAMETER, 400, "/localAddress" },
    { ADDRESSES("\"[2001:db8::1]\"", "\"fe80::2\""), IPSEC_INVALID_PARAMETER, 400,
      "/localAddress" },
    { ADDRESSES("\"192.0.2.1\"", "\"2001:db8::1\""), IPSEC_TYPE_MISMATCH, 400, "/remoteAddress" },
    { ADDRESSES("\"2001:db8::1\"", "\"192.0.2.1\""), IPSEC_TYPE_MISMATCH, 400, "/remoteAddress" },
    { "{" GOOD ",\"ipVersion\":\"v6\"}", IPSEC_TYPE_MISMATCH, 400, "/localAddress" },
};

static enum ipsec_status
decode(const char *body, struct ipsec_traffic *traffic, struct ipsec_fault *fault)
{
    *traffic = (struct ipsec_traffic){ 0 };
    *fault = (struct ipsec_fault){ 0 };
    return codec_decode(&codec_traffic, body, strlen(body), traffic, fault);
}

static void
each_flaw_is_refused_by_code_status_and_pointer(void **state)
{
    (void)state;
    assert_refused_bodies(&codec_traffic, sizeof(struct ipsec_traffic), refused_cases,
                          CODEC_COUNT(refused_cases));
}

static void
details_name_what_would_have_been_accepted(void **state)
{
    static const struct {
        const char *body;
        const char *detail;
    } cases[] = {
        { "{\"colour\":1}",
          "unknown member; known are ipVersion, localAddress, remoteAddress, trafficType, "
          "ipsecFilterId, tunnelPolicyId, localPort, remotePort, ipProtocol" },
        { "{" GOOD ",\"ipVersion\":\"v5\"}", "must be one of v4, v6" },
        { "{" GOOD ",\"localPort\":65536}", "must be from 0 to 65535" },
        { "{" GOOD ",\"localPort\":\"1\"}", "expected an integer, got a string" },
        { "{\n\"localAddress\": 1,\n  oops}", "line 3, column 6: string or '}' expected" },
    };
    struct ipsec_traffic traffic;
    struct ipsec_fault fault;

    (void)state;
    for (size_t i = 0; i < CODEC_COUNT(cases); i++) {
        assert_int_not_equal(decode(cases[i].body, &traffic, &fault), IPSEC_OK);
        assert_string_equal(fault.detail, cases[i].detail);
    }
}

static void
a_body_of_100000_levels_is_refused(void **state)
{
    enum { DEPTH = 100000 };
    struct ipsec_traffic traffic = { 0 };
    struct ipsec_fault fault = { 0 };
    char *body = malloc(DEPTH);

    (void)state;
    assert_non_null(body);
    memset(body, '[', DEPTH);
    assert_int_equal(codec_decode(&codec_traffic, body, DEPTH, &traffic, &fault),
                     IPSEC_RPC_INVALID_DATA);
    free(body);
}

static void
a_pointer_that_does_not_fit_points_at_the_object_around(void **state)
{
    char body[512];
    char name[200];
    struct ipsec_traffic traffic;
    struct ipsec_fault fault;

    (void)state;
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    (void)snprintf(body, sizeof body, "{\"%s\":1}", name);
    assert_int_equal(decode(body, &traffic, &fault), IPSEC_INVALID_PARAMETER);
    assert_string_equal(fault.pointer, "");
}

static void
what_is_decoded_is_encoded_again(void **state)
{
    static const struct {
        const char *body;
        const char *again;
    } cases[] = {
        { "{" GOOD "}", "{\"ipVersion\":\"v4\"," GOOD "}" },
        { "{" GOOD ",\"ipVersion\":null,\"localPort\":null}", "{\"ipVersion\":\"v4\"," GOOD "}" },
        { "{\"ipVersion\":\"v4\"," GOOD
          ",\"localPort\":65535,\"remotePort\":443,\"ipProtocol\":255}",
          "{\"ipVersion\":\"v4\"," GOOD
          ",\"localPort\":65535,\"remotePort\":443,\"ipProtocol\":255}" },
        { "{" GOOD ",\"localPort\":0}", "{\"ipVersion\":\"v4\"," GOOD "}" },
        { "{\"trafficType\":\"tunnel\",\"tunnelPolicyId\":9007199254740991,"
          "\"remoteAddress\":\"2001:0DB8::1\",\"localAddress\":\"::2\"}",
          "{\"ipVersion\":\"v6\",\"localAddress\":\"::2\",\"remoteAddress\":\"2001:db8::1\","
          "\"trafficType\":\"tunnel\",\"tunnelPolicyId\":9007199254740991}" },
    };
    struct ipsec_traffic traffic;
    struct ipsec_fault fault;

    (void)state;
    for (size_t i = 0; i < CODEC_COUNT(cases); i++) {
        AUTO(buffer) out = BUFFER(1024);
        struct codec_encoder encoder = { .out = &out };
        assert_int_equal(decode(cases[i].body, &traffic, &fault), IPSEC_OK);
        codec_encode(&encoder, &codec_traffic, &traffic);
        assert_string_equal(buffer_text(&out), cases[i].again);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_flaw_is_refused_by_code_status_and_pointer),
        cmocka_unit_test(details_name_what_would_have_been_accepted),
        cmocka_unit_test(a_body_of_100000_levels_is_refused),
        cmocka_unit_test(a_pointer_that_does_not_fit_points_at_the_object_around),
        cmocka_unit_test(what_is_decoded_is_encoded_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
