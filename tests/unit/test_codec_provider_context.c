/* SPDX-License-Identifier: Apache-2.0
 *
 * test_codec_provider_context.c: what bodies of POST /provider-contexts and POST /tunnels are
 * refused for, and what they become. */
#include "api/resource.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/refused_bodies.h"

#define NAME "\"displayData\":{\"name\":\"site b\"}"
#define TUNNEL_TYPE "\"type\":\"ipsecIkeQmTunnelContext\""
#define TRANSPORT_TYPE "\"type\":\"ipsecIkeQmTransportContext\""
#define MAIN_TYPE "\"type\":\"ipsecIkeMmContext\""
#define LIFETIME "\"lifetime\":{\"seconds\":3600,\"kilobytes\":0,\"packets\":0}"
#define TRANSFORM                                                                                  \
    "{\"saTransformType\":\"espAuthAndCipher\",\"authTransform\":\"GCM_AES_128\","                 \
    "\"cipherTransform\":\"GCM_AES_128\"}"
#define PROPOSAL "{" LIFETIME ",\"saTransforms\":[" TRANSFORM "],\"pfsGroup\":\"none\"}"
#define PROPOSALS "\"ipsecProposals\":[" PROPOSAL "]"
#define ENDPOINTS                                                                                  \
    "\"tunnelEndpoints\":{\"localAddress\":\"192.0.2.1\",\"remoteAddress\":\"198.51.100.7\"}"
#define POLICY "\"tunnelPolicy\":{" ENDPOINTS "," PROPOSALS "}"
#define GOOD NAME "," TUNNEL_TYPE "," POLICY
#define WITH_POLICY(policy) "{" NAME "," TUNNEL_TYPE ",\"tunnelPolicy\":" policy "}"
#define WITH_PROPOSAL(proposal) WITH_POLICY("{" ENDPOINTS ",\"ipsecProposals\":[" proposal "]}")
#define WITH_ENDPOINTS(endpoints) WITH_POLICY("{\"tunnelEndpoints\":" endpoints "," PROPOSALS "}")
#define WITH_TEXT(text) "{" NAME "," MAIN_TYPE ",\"policy\":" text "}"

/* clang-format off */
static const struct refused_case context_cases[] = {
    { "{}", IPSEC_NULL_DISPLAY_NAME, 400, "/displayData" },
    { "{" NAME "," POLICY "}", IPSEC_NULL_POINTER, 400, "/type" },
    { "{" NAME "," TUNNEL_TYPE "}", IPSEC_NULL_POINTER, 400, "/tunnelPolicy" },
    { "{" NAME "," TUNNEL_TYPE ",\"tunnelPolicy\":null}", IPSEC_NULL_POINTER, 400, "/tunnelPolicy" },
    { "{" NAME "," TRANSPORT_TYPE "}", IPSEC_NULL_POINTER, 400, "/transportPolicy" },
    { "{" NAME "," MAIN_TYPE "}", IPSEC_NULL_POINTER, 400, "/policy" },
    { "{" NAME "," TRANSPORT_TYPE "," POLICY "}", IPSEC_NULL_POINTER, 400, "/transportPolicy" },
    { "{" NAME "," TRANSPORT_TYPE ",\"transportPolicy\":{" PROPOSALS "}," POLICY "}",
      IPSEC_INVALID_PARAMETER, 400, "/tunnelPolicy" },
    { "{" GOOD ",\"policy\":{}}", IPSEC_INVALID_PARAMETER, 400, "/policy" },
    { "{" GOOD ",\"transportPolicy\":{" PROPOSALS "}}", IPSEC_INVALID_PARAMETER, 400, "/transportPolicy" },
    { "{" NAME ",\"type\":2," POLICY "}", IPSEC_TYPE_MISMATCH, 400, "/type" },
    { "{" NAME ",\"type\":\"tunnel\"," POLICY "}", IPSEC_INVALID_ENUMERATOR, 400, "/type" },
    { "{" GOOD ",\"id\":1}", IPSEC_INVALID_PARAMETER, 400, "/id" },
    { "{" GOOD "," TUNNEL_TYPE "}", IPSEC_INVALID_PARAMETER, 400, "/type" },
    { "{\"displayData\":{\"name\":\"\"}," TUNNEL_TYPE "," POLICY "}", IPSEC_NULL_DISPLAY_NAME, 400, "/displayData/name" },
    { "{\"displayData\":{\"name\":1}," TUNNEL_TYPE "," POLICY "}", IPSEC_TYPE_MISMATCH, 400, "/displayData/name" },
    { "{" GOOD ",\"key\":\"x\"}", IPSEC_INVALID_PARAMETER, 400, "/key" },
    { "{" GOOD ",\"key\":1}", IPSEC_TYPE_MISMATCH, 400, "/key" },
    { "{" GOOD ",\"providerKey\":\"x\"}", IPSEC_INVALID_PARAMETER, 400, "/providerKey" },
    { "{" GOOD ",\"providerData\":\"*\"}", IPSEC_INVALID_PARAMETER, 400, "/providerData" },
    { "{" GOOD ",\"flags\":1}", IPSEC_TYPE_MISMATCH, 400, "/flags" },
    { "{" GOOD ",\"flags\":[\"x\"]}", IPSEC_INVALID_FLAGS, 400, "/flags/0" },
    { "{" GOOD ",\"flags\":[\"downlevel\",\"downlevel\"]}", IPSEC_INVALID_FLAGS, 400, "/flags/1" },

    { WITH_POLICY("[]"), IPSEC_TYPE_MISMATCH, 400, "/tunnelPolicy" },
    { WITH_POLICY("{" PROPOSALS "}"), IPSEC_NULL_POINTER, 400, "/tunnelPolicy/tunnelEndpoints" },
    { WITH_POLICY("{" ENDPOINTS "}"), IPSEC_NULL_POINTER, 400, "/tunnelPolicy/ipsecProposals" },
    { WITH_POLICY("{" ENDPOINTS "," PROPOSALS ",\"x\":1}"), IPSEC_INVALID_PARAMETER, 400, "/tunnelPolicy/x" },
    { WITH_POLICY("{" ENDPOINTS "," PROPOSALS ",\"ndAllowClearTimeoutSeconds\":1}"), IPSEC_INVALID_PARAMETER, 400,
      "/tunnelPolicy/ndAllowClearTimeoutSeconds" },
    { WITH_POLICY("{" ENDPOINTS "," PROPOSALS "," PROPOSALS "}"), IPSEC_INVALID_PARAMETER, 400, "/tunnelPolicy/ipsecProposals" },
    { WITH_POLICY("{" ENDPOINTS "," PROPOSALS ",\"flags\":[\"ndSecure\",\"x\"]}"), IPSEC_INVALID_FLAGS, 400, "/tunnelPolicy/flags/1" },
    { WITH_POLICY("{" ENDPOINTS "," PROPOSALS ",\"saIdleTimeout\":5}"), IPSEC_TYPE_MISMATCH, 400, "/tunnelPolicy/saIdleTimeout" },
    { WITH_POLICY("{" ENDPOINTS "," PROPOSALS ",\"saIdleTimeout\":{\"idleTimeoutSeconds\":4294967296}}"),
      IPSEC_OUT_OF_BOUNDS, 400, "/tunnelPolicy/saIdleTimeout/idleTimeoutSeconds" },
    { WITH_POLICY("{" ENDPOINTS ",\"ipsecProposals\":{}}"), IPSEC_TYPE_MISMATCH, 400, "/tunnelPolicy/ipsecProposals" },
    { WITH_POLICY("{" ENDPOINTS ",\"ipsecProposals\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}"),
      IPSEC_OUT_OF_BOUNDS, 400, "/tunnelPolicy/ipsecProposals" },

    { WITH_ENDPOINTS("1"), IPSEC_TYPE_MISMATCH, 400, "/tunnelPolicy/tunnelEndpoints" },
    { WITH_ENDPOINTS("{\"localAddress\":\"192.0.2.1\"}"), IPSEC_NULL_POINTER, 400, "/tunnelPolicy/tunnelEndpoints/remoteAddress" },
    { WITH_ENDPOINTS("{\"remoteAddress\":\"192.0.2.1\"}"), IPSEC_NULL_POINTER, 400, "/tunnelPolicy/tunnelEndpoints/localAddress" },
    { WITH_ENDPOINTS("{\"localAddress\":\"192.0.2.1\",\"remoteAddress\":\"2001:db8::1\"}"), IPSEC_TYPE_MISMATCH, 400,
      "/tunnelPolicy/tunnelEndpoints/remoteAddress" },
    { WITH_ENDPOINTS("{\"ipVersion\":\"v6\",\"localAddress\":\"192.0.2.1\",\"remoteAddress\":\"192.0.2.2\"}"), IPSEC_TYPE_MISMATCH, 400,
      "/tunnelPolicy/tunnelEndpoints/localAddress" },
    { WITH_ENDPOINTS("{\"localAddress\":\"192.0.2.0/24\",\"remoteAddress\":\"192.0.2.2\"}"), IPSEC_INVALID_PARAMETER, 400,
      "/tunnelPolicy/tunnelEndpoints/localAddress" },

    { WITH_PROPOSAL("1"), IPSEC_TYPE_MISMATCH, 400, "/tunnelPolicy/ipsecProposals/0" },
    { WITH_PROPOSAL("{\"saTransforms\":[" TRANSFORM "]}"), IPSEC_NULL_POINTER, 400, "/tunnelPolicy/ipsecProposals/0/lifetime" },
    { WITH_PROPOSAL("{" LIFETIME "}"), IPSEC_NULL_POINTER, 400, "/tunnelPolicy/ipsecProposals/0/saTransforms" },
    { WITH_PROPOSAL(PROPOSAL ",{" LIFETIME ",\"saTransforms\":[1]}"), IPSEC_TYPE_MISMATCH, 400, "/tunnelPolicy/ipsecProposals/1/saTransforms/0" },
    { WITH_PROPOSAL("{\"lifetime\":{\"seconds\":-1},\"saTransforms\":[" TRANSFORM "]}"), IPSEC_OUT_OF_BOUNDS, 400,
      "/tunnelPolicy/ipsecProposals/0/lifetime/seconds" },
    { WITH_PROPOSAL("{" LIFETIME ",\"saTransforms\":[" TRANSFORM "],\"pfsGroup\":\"3\"}"), IPSEC_INVALID_ENUMERATOR, 400,
      "/tunnelPolicy/ipsecProposals/0/pfsGroup" },
    { WITH_PROPOSAL("{" LIFETIME ",\"saTransforms\":[{}]}"), IPSEC_NULL_POINTER, 400,
      "/tunnelPolicy/ipsecProposals/0/saTransforms/0/saTransformType" },
    { WITH_PROPOSAL("{" LIFETIME ",\"saTransforms\":[{\"saTransformType\":\"esp\"}]}"), IPSEC_INVALID_ENUMERATOR, 400,
      "/tunnelPolicy/ipsecProposals/0/saTransforms/0/saTransformType" },
    { WITH_PROPOSAL("{" LIFETIME ",\"saTransforms\":[{\"saTransformType\":\"ah\",\"authTransform\":\"SHA\"}]}"), IPSEC_INVALID_AUTH_TRANSFORM, 422,
      "/tunnelPolicy/ipsecProposals/0/saTransforms/0/authTransform" },
    { WITH_PROPOSAL("{" LIFETIME ",\"saTransforms\":[{\"saTransformType\":\"ah\",\"cipherTransform\":\"CBC\"}]}"), IPSEC_INVALID_CIPHER_TRANSFORM, 422,
      "/tunnelPolicy/ipsecProposals/0/saTransforms/0/cipherTransform" },
    { WITH_PROPOSAL("{" LIFETIME ",\"saTransforms\":[{\"saTransformType\":\"ah\",\"authKey\":\"AAAA\"}]}"), IPSEC_INVALID_PARAMETER, 400,
      "/tunnelPolicy/ipsecProposals/0/saTransforms/0/authKey" },
    { WITH_PROPOSAL("{" LIFETIME ",\"saTransforms\":[" TRANSFORM "," TRANSFORM "," TRANSFORM "]}"), IPSEC_OUT_OF_BOUNDS, 400,
      "/tunnelPolicy/ipsecProposals/0/saTransforms" },

    { WITH_TEXT("\"x\""), IPSEC_TYPE_MISMATCH, 400, "/policy" },
    { WITH_TEXT("[]"), IPSEC_TYPE_MISMATCH, 400, "/policy" },
    { WITH_TEXT("{\"a\":1,\"a\":2}"), IPSEC_INVALID_PARAMETER, 400, "/policy/a" },
    { WITH_TEXT("{\"presharedKey\":\"c2VjcmV0\"}"), IPSEC_INVALID_PARAMETER, 400, "/policy/presharedKey" },
    { WITH_TEXT("{\"methods\":[{},{\"x\":{\"PreSharedKey\":\"c2VjcmV0\"}}]}"), IPSEC_INVALID_PARAMETER, 400,
      "/policy/methods/1/x/PreSharedKey" },
};

#define TUNNEL(more) "{\"tunnelPolicy\":{" GOOD "}" more "}"
#define TUNNEL_CONDITION(field, value)                                                             \
    TUNNEL(",\"conditions\":[{\"field\":" field ",\"match\":\"equal\",\"value\":" value "}]")
static const struct refused_case tunnel_cases[] = {
    { "{}", IPSEC_NULL_POINTER, 400, "/tunnelPolicy" },
    { "{\"tunnelPolicy\":{}}", IPSEC_NULL_DISPLAY_NAME, 400, "/tunnelPolicy/displayData" },
    { "{\"tunnelPolicy\":{" NAME "," TUNNEL_TYPE "}}", IPSEC_NULL_POINTER, 400, "/tunnelPolicy/tunnelPolicy" },
    { "{\"tunnelPolicy\":{" GOOD ",\"x\":1}}", IPSEC_INVALID_PARAMETER, 400, "/tunnelPolicy/x" },
    { TUNNEL(",\"mainModePolicy\":7"), IPSEC_TYPE_MISMATCH, 400, "/mainModePolicy" },
    { TUNNEL(",\"mainModePolicy\":{" NAME "," MAIN_TYPE "}"), IPSEC_NULL_POINTER, 400, "/mainModePolicy/policy" },
    { TUNNEL(",\"flags\":7"), IPSEC_TYPE_MISMATCH, 400, "/flags" },
    { TUNNEL(",\"flags\":[\"enableVirtualIfTunneling\"]"), IPSEC_INVALID_FLAGS, 400, "/flags/0" },
    { TUNNEL(",\"ipVersion\":4"), IPSEC_TYPE_MISMATCH, 400, "/ipVersion" },
    { TUNNEL(",\"ipVersion\":\"ipv4\""), IPSEC_INVALID_ENUMERATOR, 400, "/ipVersion" },
    { TUNNEL(",\"layer\":1"), IPSEC_INVALID_PARAMETER, 400, "/layer" },
    { TUNNEL(",\"conditions\":{}"), IPSEC_TYPE_MISMATCH, 400, "/conditions" },
    { TUNNEL(",\"conditions\":[1,2,3,4,5,6,7,8,9,10]"), IPSEC_DUPLICATE_CONDITION, 422, "/conditions" },
    { TUNNEL_CONDITION("\"ipSourceAddress\"", "\"10.1.0.0/16\""), IPSEC_CONDITION_NOT_FOUND, 422, "/conditions/0/field" },
    { TUNNEL_CONDITION("\"ipLocalAddress\"", "\"10.1.0.1/16\""), IPSEC_INVALID_NET_MASK, 400, "/conditions/0/value" },
    { TUNNEL(",\"ipVersion\":\"v6\",\"conditions\":[{\"field\":\"ipLocalAddress\",\"match\":\"equal\","
      "\"value\":\"10.1.0.0/16\"}]"), IPSEC_TYPE_MISMATCH, 400, "/conditions/0/value" },
};
/* clang-format on */

union request {
    struct new_provider_context context;
    struct new_tunnel tunnel;
};

static enum ipsec_status
decode(const struct codec_object *object,
       const char *body,
       union request *request,
       struct ipsec_fault *fault)
{
    memset(request, 0, sizeof *request);
    *fault = (struct ipsec_fault){ 0 };
    return codec_decode(object, body, strlen(body), request, fault);
}

static void
each_flaw_of_a_provider_context_is_refused(void **state)
{
    (void)state;
    assert_refused_bodies(&codec_new_provider_context, sizeof(struct new_provider_context),
                          context_cases, CODEC_COUNT(context_cases));
}

static void
each_flaw_of_a_tunnel_is_refused(void **state)
{
    (void)state;
    assert_refused_bodies(&codec_new_tunnel, sizeof(struct new_tunnel), tunnel_cases,
                          CODEC_COUNT(tunnel_cases));
}

static void
a_policy_text_may_have_so_many_bytes_and_no_more(void **state)
{
    static char body[IPSEC_POLICY_DATA_MAX + 200];
    static char filler[IPSEC_POLICY_DATA_MAX + 1];
    union request request;
    struct ipsec_fault fault;

    (void)state;
    for (size_t more = 0; more < 2; more++) {
        size_t size = IPSEC_POLICY_DATA_MAX - strlen("{\"x\":\"\"}") + more;

        memset(filler, 'x', size);
        filler[size] = '\0';
        (void)snprintf(body, sizeof body, WITH_TEXT("{\"x\" : \"%s\"}"), filler);
        assert_int_equal(decode(&codec_new_provider_context, body, &request, &fault),
                         more == 0 ? IPSEC_OK : IPSEC_OUT_OF_BOUNDS);
        codec_clear(&codec_new_provider_context, &request);
    }
}

static void
what_is_decoded_is_encoded_again(void **state)
{
    static const struct {
        const char *body;
        const char *again; /* null: the same */
    } cases[] = {
        { "{" NAME "," TUNNEL_TYPE ",\"flags\":[],\"tunnelPolicy\":{\"tunnelEndpoints\":{"
          "\"ipVersion\":\"v4\",\"localAddress\":\"192.0.2.1\",\"remoteAddress\":\"198.51.100.7\"},"
          "\"flags\":[\"ndSecure\",\"bandwidth4\"]," PROPOSALS ",\"saIdleTimeout\":{"
          "\"idleTimeoutSeconds\":300,\"idleTimeoutSecondsFailOver\":60}}}",
          NULL },
        { "{" NAME ",\"type\":\"ipsecAuthipQmTunnelContext\",\"tunnelPolicy\":{"
          "\"tunnelEndpoints\":{\"localAddress\":\"2001:db8::1\",\"remoteAddress\":\"2001:db8::2\"}"
          ","
          "\"ipsecProposals\":[]}}",
          "{" NAME ",\"type\":\"ipsecAuthipQmTunnelContext\",\"flags\":[],\"tunnelPolicy\":{"
          "\"tunnelEndpoints\":{\"ipVersion\":\"v6\",\"localAddress\":\"2001:db8::1\","
          "\"remoteAddress\":\"2001:db8::2\"},\"flags\":[],\"ipsecProposals\":[],"
          "\"saIdleTimeout\":{\"idleTimeoutSeconds\":0,\"idleTimeoutSecondsFailOver\":0}}}" },
        { "{" NAME "," TRANSPORT_TYPE ",\"providerKey\":\"6f1c0a52-5f30-4c2e-9f43-0d7a5d2b8c11\","
          "\"providerData\":\"AAECAw==\",\"key\":\"6f1c0a52-5f30-4c2e-9f43-0d7a5d2b8c12\","
          "\"flags\":[\"persistent\"],\"transportPolicy\":{\"flags\":[],"
          "\"ipsecProposals\":[" PROPOSAL ",{" LIFETIME ",\"saTransforms\":["
          "{\"saTransformType\":\"espCipher\",\"cipherTransform\":\"AES_256\"},"
          "{\"saTransformType\":\"ah\",\"authTransform\":\"HMAC_SHA_256_128\"}],"
          "\"pfsGroup\":\"ecp384\"}],\"saIdleTimeout\":{\"idleTimeoutSeconds\":0,"
          "\"idleTimeoutSecondsFailOver\":0},\"ndAllowClearTimeoutSeconds\":10}}",
          NULL },
        { "{" NAME "," MAIN_TYPE ",\"flags\":[],\"policy\":{\"softExpirationTime\": 1,\"b\":[ {} ],"
          "\"a\":\"\xc3\xa4\"}}",
          "{" NAME "," MAIN_TYPE ",\"flags\":[],\"policy\":{\"softExpirationTime\":1,\"b\":[{}],"
          "\"a\":\"\\u00E4\"}}" },
    };

    (void)state;
    for (size_t i = 0; i < CODEC_COUNT(cases); i++) {
        union request request;
        struct ipsec_fault fault;
        AUTO(buffer) out = BUFFER(4096);
        struct codec_encoder encoder = { .out = &out };

        print_message("%s\n", cases[i].body);
        assert_int_equal(decode(&codec_new_provider_context, cases[i].body, &request, &fault),
                         IPSEC_OK);
        codec_encode(&encoder, &codec_new_provider_context, &request);
        assert_string_equal(buffer_text(&out),
                            cases[i].again == NULL ? cases[i].body : cases[i].again);
        codec_clear(&codec_new_provider_context, &request);
    }
}

/* The IP version inside: as said, as the conditions', or as outside. */
static void
a_tunnel_knows_the_version_of_what_runs_inside(void **state)
{
    static const struct {
        const char *body;
        uint8_t version;
    } cases[] = {
        { TUNNEL(""), IPSEC_IP_VERSION_V4 },
        { TUNNEL(",\"ipVersion\":\"v6\""), IPSEC_IP_VERSION_V6 },
        { TUNNEL_CONDITION("\"ipLocalAddress\"", "\"10.1.0.0/16\""), IPSEC_IP_VERSION_V4 },
        { TUNNEL_CONDITION("\"ipLocalAddress\"", "\"2001:db8::/32\""), IPSEC_IP_VERSION_V6 },
        { TUNNEL_CONDITION("\"ipProtocol\"", "17"), IPSEC_IP_VERSION_V4 },
    };

    (void)state;
    for (size_t i = 0; i < CODEC_COUNT(cases); i++) {
        union request request;
        struct ipsec_fault fault;

        print_message("%s\n", cases[i].body);
        assert_int_equal(decode(&codec_new_tunnel, cases[i].body, &request, &fault), IPSEC_OK);
        assert_int_equal(request.tunnel.ip_version, cases[i].version);
        assert_int_equal(request.tunnel.tunnel_policy.context.ip_version, IPSEC_IP_VERSION_V4);
        assert_false(request.tunnel.main_mode_policy_given);
        codec_clear(&codec_new_tunnel, &request);
    }
}

static void
a_tunnel_may_come_with_a_main_mode_policy(void **state)
{
    union request request;
    struct ipsec_fault fault;

    (void)state;
    assert_int_equal(decode(&codec_new_tunnel,
                            TUNNEL(",\"flags\":[\"pointToPoint\"],\"mainModePolicy\":{" NAME
                                   "," MAIN_TYPE ",\"policy\":{}}"),
                            &request, &fault),
                     IPSEC_OK);
    assert_int_equal(request.tunnel.flags, IPSEC_TUNNEL_POINT_TO_POINT);
    assert_true(request.tunnel.main_mode_policy_given);
    assert_string_equal(request.tunnel.main_mode_policy.context.policy, "{}");
    codec_clear(&codec_new_tunnel, &request);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_flaw_of_a_provider_context_is_refused),
        cmocka_unit_test(each_flaw_of_a_tunnel_is_refused),
        cmocka_unit_test(a_policy_text_may_have_so_many_bytes_and_no_more),
        cmocka_unit_test(what_is_decoded_is_encoded_again),
        cmocka_unit_test(a_tunnel_knows_the_version_of_what_runs_inside),
        cmocka_unit_test(a_tunnel_may_come_with_a_main_mode_policy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
