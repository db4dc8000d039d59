/* SPDX-License-Identifier: Apache-2.0
 *
 * test_codec_filter.c: what bodies of POST /filters are refused for, and what they become. */
#include "api/resource.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/refused_bodies.h"

#define NAME "\"displayData\":{\"name\":\"db out\"}"
#define LAYER "\"layer\":\"outboundTransportV4\""
#define ACTION                                                                                     \
    "\"action\":{\"type\":\"calloutTerminating\",\"callout\":\"ipsecOutboundTransportV4\"}"
#define GOOD NAME "," LAYER "," ACTION
#define CONDITION(field, match, value)                                                             \
    "{" GOOD ",\"conditions\":[{\"field\":" field ",\"match\":" match ",\"value\":" value "}]}"
#define FORWARD(field, match, value)                                                               \
    "{" NAME ",\"layer\":\"ipforwardV4\",\"action\":{\"type\":\"permit\"},\"conditions\":[{"       \
    "\"field\":" field ",\"match\":" match ",\"value\":" value "}]}"

static const struct refused_case refused_cases[] = {
    { "{}", IPSEC_NULL_DISPLAY_NAME, 400, "/displayData" },
    { "{" LAYER "," ACTION "}", IPSEC_NULL_DISPLAY_NAME, 400, "/displayData" },
    { "{" NAME "," ACTION "}", IPSEC_NULL_POINTER, 400, "/layer" },
    { "{" NAME "," LAYER "}", IPSEC_NULL_POINTER, 400, "/action" },
    { "{" GOOD ",\"id\":1}", IPSEC_INVALID_PARAMETER, 400, "/id" },
    { "{" GOOD "," LAYER "}", IPSEC_INVALID_PARAMETER, 400, "/layer" },

    { "{\"displayData\":\"x\"," LAYER "," ACTION "}", IPSEC_TYPE_MISMATCH, 400, "/displayData" },
    { "{\"displayData\":{}," LAYER "," ACTION "}", IPSEC_NULL_DISPLAY_NAME, 400,
      "/displayData/name" },
    { "{\"displayData\":{\"name\":\"\"}," LAYER "," ACTION "}", IPSEC_NULL_DISPLAY_NAME, 400,
      "/displayData/name" },
    { "{\"displayData\":{\"name\":7}," LAYER "," ACTION "}", IPSEC_TYPE_MISMATCH, 400,
      "/displayData/name" },
    { "{\"displayData\":{\"name\":\"x\",\"description\":[]}," LAYER "," ACTION "}",
      IPSEC_TYPE_MISMATCH, 400, "/displayData/description" },
    { "{\"displayData\":{\"name\":\"x\",\"colour\":1}," LAYER "," ACTION "}",
      IPSEC_INVALID_PARAMETER, 400, "/displayData/colour" },
    { "{\"displayData\":{\"name\":\"x\",\"name\":\"y\"}," LAYER "," ACTION "}",
      IPSEC_INVALID_PARAMETER, 400, "/displayData/name" },

    { "{" NAME "," ACTION ",\"layer\":1}", IPSEC_TYPE_MISMATCH, 400, "/layer" },
    { "{" NAME "," ACTION ",\"layer\":\"streamV4\"}", IPSEC_LAYER_NOT_FOUND, 422, "/layer" },
    { "{" NAME "," ACTION ",\"layer\":\"\"}", IPSEC_LAYER_NOT_FOUND, 422, "/layer" },

    { "{" NAME "," LAYER ",\"action\":\"permit\"}", IPSEC_TYPE_MISMATCH, 400, "/action" },
    { "{" NAME "," LAYER ",\"action\":{}}", IPSEC_NULL_POINTER, 400, "/action/type" },
    { "{" NAME "," LAYER ",\"action\":{\"type\":\"continue\"}}", IPSEC_INVALID_ACTION_TYPE, 400,
      "/action/type" },
    { "{" NAME "," LAYER ",\"action\":{\"type\":\"permit\",\"callout\":\"mine\"}}",
      IPSEC_CALLOUT_NOT_FOUND, 422, "/action/callout" },
    { "{" NAME "," LAYER ",\"action\":{\"type\":\"permit\",\"callout\":0}}", IPSEC_TYPE_MISMATCH,
      400, "/action/callout" },

    { "{" GOOD ",\"conditions\":{}}", IPSEC_TYPE_MISMATCH, 400, "/conditions" },
    { "{" GOOD ",\"conditions\":[1]}", IPSEC_TYPE_MISMATCH, 400, "/conditions/0" },
    { "{" GOOD ",\"conditions\":[null]}", IPSEC_TYPE_MISMATCH, 400, "/conditions/0" },
    { "{" GOOD ",\"conditions\":[{}]}", IPSEC_NULL_POINTER, 400, "/conditions/0/field" },
    { "{" GOOD ",\"conditions\":[1,2,3,4,5,6,7,8,9,10]}", IPSEC_DUPLICATE_CONDITION, 422,
      "/conditions" },
    { "{" GOOD ",\"conditions\":[{\"field\":\"ipProtocol\",\"match\":\"equal\",\"value\":6},"
      "{\"field\":\"ipLocalPort\",\"match\":\"equal\",\"value\":1,\"value\":2}]}",
      IPSEC_INVALID_PARAMETER, 400, "/conditions/1/value" },
    { CONDITION("7", "\"equal\"", "1"), IPSEC_TYPE_MISMATCH, 400, "/conditions/0/field" },
    { CONDITION("\"ipSourceAddress\"", "\"equal\"", "\"192.0.2.1\""), IPSEC_CONDITION_NOT_FOUND,
      422, "/conditions/0/field" },
    { FORWARD("\"ipLocalAddress\"", "\"equal\"", "\"192.0.2.1\""), IPSEC_CONDITION_NOT_FOUND, 422,
      "/conditions/0/field" },
    { FORWARD("\"ipSourceAddress\"", "\"equal\"", "\"2001:db8::\""), IPSEC_TYPE_MISMATCH, 400,
      "/conditions/0/value" },
    { CONDITION("\"colour\"", "\"equal\"", "1"), IPSEC_CONDITION_NOT_FOUND, 422,
      "/conditions/0/field" },
    { CONDITION("\"ipLocalPort\"", "\"prefix\"", "1"), IPSEC_MATCH_TYPE_MISMATCH, 422,
      "/conditions/0/match" },
    { CONDITION("\"ipLocalPort\"", "\"notPrefix\"", "1"), IPSEC_MATCH_TYPE_MISMATCH, 422,
      "/conditions/0/match" },
    { CONDITION("\"ipLocalPort\"", "0", "1"), IPSEC_TYPE_MISMATCH, 400, "/conditions/0/match" },
    { CONDITION("\"ipLocalPort\"", "\"like\"", "1"), IPSEC_INVALID_ENUMERATOR, 400,
      "/conditions/0/match" },
    { CONDITION("\"ipLocalPort\"", "\"equal\"", "null"), IPSEC_NULL_POINTER, 400,
      "/conditions/0/value" },
    { CONDITION("\"ipLocalPort\"", "\"equal\"", "\"443\""), IPSEC_TYPE_MISMATCH, 400,
      "/conditions/0/value" },
    { CONDITION("\"ipLocalPort\"", "\"equal\"", "65536"), IPSEC_OUT_OF_BOUNDS, 400,
      "/conditions/0/value" },
    { CONDITION("\"ipRemotePort\"", "\"equal\"", "-1"), IPSEC_OUT_OF_BOUNDS, 400,
      "/conditions/0/value" },
    { CONDITION("\"ipProtocol\"", "\"equal\"", "256"), IPSEC_OUT_OF_BOUNDS, 400,
      "/conditions/0/value" },
    { CONDITION("\"ipLocalAddress\"", "\"equal\"", "1"), IPSEC_TYPE_MISMATCH, 400,
      "/conditions/0/value" },
    { CONDITION("\"ipLocalAddress\"", "\"equal\"", "\"2001:db8::1\""), IPSEC_TYPE_MISMATCH, 400,
      "/conditions/0/value" },
    { CONDITION("\"ipLocalAddress\"", "\"equal\"", "\"here\""), IPSEC_INVALID_PARAMETER, 400,
      "/conditions/0/value" },
    { CONDITION("\"ipRemoteAddress\"", "\"equal\"", "\"192.0.2.0/33\""), IPSEC_INVALID_NET_MASK,
      400, "/conditions/0/value" },
    { CONDITION("\"ipRemoteAddress\"", "\"equal\"", "\"192.0.2.0/\""), IPSEC_INVALID_NET_MASK, 400,
      "/conditions/0/value" },
    { CONDITION("\"ipRemoteAddress\"", "\"equal\"", "\"192.0.2.0/024\""), IPSEC_INVALID_NET_MASK,
      400, "/conditions/0/value" },
    { CONDITION("\"ipRemoteAddress\"", "\"equal\"", "\"192.0.2.1/24\""), IPSEC_INVALID_NET_MASK,
      400, "/conditions/0/value" },
    { CONDITION("\"ipLocalAddress\"", "\"equal\"", "{}"), IPSEC_TYPE_MISMATCH, 400,
      "/conditions/0/value" },
    { CONDITION("\"ipLocalAddressType\"", "\"equal\"", "1"), IPSEC_TYPE_MISMATCH, 400,
      "/conditions/0/value" },
    { CONDITION("\"ipLocalAddressType\"", "\"equal\"", "\"local\""), IPSEC_INVALID_ENUMERATOR, 400,
      "/conditions/0/value" },
    { CONDITION("\"ipDestinationAddressType\"", "\"equal\"", "\"\""), IPSEC_INVALID_ENUMERATOR, 400,
      "/conditions/0/value" },
    { CONDITION("\"ipLocalInterface\"", "\"equal\"", "-1"), IPSEC_OUT_OF_BOUNDS, 400,
      "/conditions/0/value" },
    { CONDITION("\"ipLocalInterface\"", "\"equal\"", "9007199254740992"), IPSEC_OUT_OF_BOUNDS, 400,
      "/conditions/0/value" },
    { CONDITION("\"ipLocalInterface\"", "\"equal\"", "\"eth0\""), IPSEC_OUT_OF_BOUNDS, 400,
      "/conditions/0/value" },
    { CONDITION("\"ipLocalInterface\"", "\"equal\"", "[]"), IPSEC_TYPE_MISMATCH, 400,
      "/conditions/0/value" },
    { CONDITION("\"flags\"", "\"flagsAllSet\"", "4294967296"), IPSEC_OUT_OF_BOUNDS, 400,
      "/conditions/0/value" },
    { CONDITION("\"flags\"", "\"flagsAllSet\"", "[\"x\"]"), IPSEC_TYPE_MISMATCH, 400,
      "/conditions/0/value" },

    { CONDITION("\"ipLocalPort\"", "\"range\"", "1"), IPSEC_TYPE_MISMATCH, 400,
      "/conditions/0/value" },
    { CONDITION("\"ipLocalPort\"", "\"range\"", "{}"), IPSEC_NULL_POINTER, 400,
      "/conditions/0/value/low" },
    { CONDITION("\"ipLocalPort\"", "\"range\"", "{\"low\":1}"), IPSEC_NULL_POINTER, 400,
      "/conditions/0/value/high" },
    { CONDITION("\"ipLocalPort\"", "\"range\"", "{\"low\":1,\"high\":2,\"step\":1}"),
      IPSEC_INVALID_PARAMETER, 400, "/conditions/0/value/step" },
    { CONDITION("\"ipLocalPort\"", "\"range\"", "{\"low\":1,\"low\":1,\"high\":2}"),
      IPSEC_INVALID_PARAMETER, 400, "/conditions/0/value/low" },
    { CONDITION("\"ipLocalPort\"", "\"range\"", "{\"low\":1,\"high\":65536}"), IPSEC_OUT_OF_BOUNDS,
      400, "/conditions/0/value/high" },
    { CONDITION("\"ipLocalPort\"", "\"range\"", "{\"low\":\"1\",\"high\":2}"), IPSEC_TYPE_MISMATCH,
      400, "/conditions/0/value/low" },
    { CONDITION(
          "\"ipLocalAddress\"", "\"range\"", "{\"low\":\"192.0.2.0/24\",\"high\":\"192.0.3.0\"}"),
      IPSEC_INVALID_PARAMETER, 400, "/conditions/0/value/low" },
    { CONDITION(
          "\"ipLocalAddress\"", "\"range\"", "{\"low\":\"192.0.2.0\",\"high\":\"2001:db8::1\"}"),
      IPSEC_TYPE_MISMATCH, 400, "/conditions/0/value/high" },

    { "{" GOOD ",\"weight\":true}", IPSEC_TYPE_MISMATCH, 400, "/weight" },
    { "{" GOOD ",\"weight\":1.5}", IPSEC_TYPE_MISMATCH, 400, "/weight" },
    { "{" GOOD ",\"weight\":[]}", IPSEC_TYPE_MISMATCH, 400, "/weight" },
    { "{" GOOD ",\"weight\":-1}", IPSEC_INVALID_WEIGHT, 400, "/weight" },
    { "{" GOOD ",\"weight\":9007199254740992}", IPSEC_INVALID_WEIGHT, 400, "/weight" },
    { "{" GOOD ",\"weight\":\"18446744073709551616\"}", IPSEC_INVALID_WEIGHT, 400, "/weight" },
    { "{" GOOD ",\"weight\":\"0x10\"}", IPSEC_INVALID_WEIGHT, 400, "/weight" },
    { "{" GOOD ",\"weight\":\"\"}", IPSEC_INVALID_WEIGHT, 400, "/weight" },
    { "{" GOOD ",\"weight\":{}}", IPSEC_NULL_POINTER, 400, "/weight/range" },
    { "{" GOOD ",\"weight\":{\"range\":16}}", IPSEC_INVALID_WEIGHT, 400, "/weight/range" },
    { "{" GOOD ",\"weight\":{\"range\":-1}}", IPSEC_INVALID_WEIGHT, 400, "/weight/range" },
    { "{" GOOD ",\"weight\":{\"range\":\"1\"}}", IPSEC_TYPE_MISMATCH, 400, "/weight/range" },
    { "{" GOOD ",\"weight\":{\"range\":1,\"x\":1}}", IPSEC_INVALID_PARAMETER, 400, "/weight/x" },

    { "{" GOOD ",\"key\":1}", IPSEC_TYPE_MISMATCH, 400, "/key" },
    { "{" GOOD ",\"key\":\"6f1c0a52\"}", IPSEC_INVALID_PARAMETER, 400, "/key" },
    { "{" GOOD ",\"key\":\"6f1c0a52-5f30-4c2e-9f43-0d7a5d2b8c1g\"}", IPSEC_INVALID_PARAMETER, 400,
      "/key" },
    { "{" GOOD ",\"flags\":1}", IPSEC_TYPE_MISMATCH, 400, "/flags" },
    { "{" GOOD ",\"flags\":[1]}", IPSEC_TYPE_MISMATCH, 400, "/flags/0" },
    { "{" GOOD ",\"flags\":[\"persistence\"]}", IPSEC_INVALID_FLAGS, 400, "/flags/0" },
    { "{" GOOD ",\"flags\":[\"persistent\",\"persistent\"]}", IPSEC_INVALID_FLAGS, 400,
      "/flags/1" },
    { "{" GOOD ",\"subLayer\":1}", IPSEC_TYPE_MISMATCH, 400, "/subLayer" },
    { "{" GOOD ",\"subLayer\":\"mine\"}", IPSEC_SUBLAYER_NOT_FOUND, 422, "/subLayer" },
    { "{" GOOD ",\"rawContext\":{}}", IPSEC_TYPE_MISMATCH, 400, "/rawContext" },
    { "{" GOOD ",\"rawContext\":-1}", IPSEC_OUT_OF_BOUNDS, 400, "/rawContext" },
    { "{" GOOD ",\"rawContext\":\"0x1\"}", IPSEC_OUT_OF_BOUNDS, 400, "/rawContext" },
    { "{" GOOD ",\"providerData\":1}", IPSEC_TYPE_MISMATCH, 400, "/providerData" },
    { "{" GOOD ",\"providerData\":\"AA\"}", IPSEC_INVALID_PARAMETER, 400, "/providerData" },
    { "{" GOOD ",\"lifetime\":\"static\"}", IPSEC_INVALID_PARAMETER, 400, "/lifetime" },
    { "{" GOOD ",\"tunnelId\":1}", IPSEC_INVALID_PARAMETER, 400, "/tunnelId" },
    { "{" GOOD ",\"providerKey\":\"no guid\"}", IPSEC_INVALID_PARAMETER, 400, "/providerKey" },
    { "{" GOOD ",\"providerContextKey\":7}", IPSEC_TYPE_MISMATCH, 400, "/providerContextKey" },
    { "{" GOOD ",\"providerContextKey\":\"x\"}", IPSEC_INVALID_PARAMETER, 400,
      "/providerContextKey" },
};

static enum ipsec_status
decode(const char *body, struct ipsec_filter *filter, struct ipsec_fault *fault)
{
    *filter = (struct ipsec_filter){ 0 };
    *fault = (struct ipsec_fault){ 0 };
    return codec_decode(&codec_new_filter, body, strlen(body), filter, fault);
}

static void
each_flaw_is_refused_by_code_status_and_pointer(void **state)
{
    (void)state;
    assert_refused_bodies(&codec_new_filter, sizeof(struct ipsec_filter), refused_cases,
                          CODEC_COUNT(refused_cases));
}

static void
a_name_of_the_full_length_is_taken_and_one_more_byte_is_not(void **state)
{
    char body[IPSEC_DISPLAY_NAME_MAX + 200];
    char name[IPSEC_DISPLAY_NAME_MAX + 2];
    struct ipsec_filter filter;
    struct ipsec_fault fault;

    (void)state;
    memset(name, 'n', sizeof name);
    name[IPSEC_DISPLAY_NAME_MAX] = '\0';
    (void)snprintf(body, sizeof body, "{\"displayData\":{\"name\":\"%s\"}," LAYER "," ACTION "}",
                   name);
    assert_int_equal(decode(body, &filter, &fault), IPSEC_OK);
    assert_string_equal(filter.name, name);
    codec_clear(&codec_new_filter, &filter);

    name[IPSEC_DISPLAY_NAME_MAX] = 'n';
    name[IPSEC_DISPLAY_NAME_MAX + 1] = '\0';
    (void)snprintf(body, sizeof body, "{\"displayData\":{\"name\":\"%s\"}," LAYER "," ACTION "}",
                   name);
    assert_int_equal(decode(body, &filter, &fault), IPSEC_INVALID_PARAMETER);
    assert_string_equal(fault.pointer, "/displayData/name");
    codec_clear(&codec_new_filter, &filter);
}

static void
names_may_be_given_as_guids(void **state)
{
    struct ipsec_filter filter;
    struct ipsec_fault fault;

    (void)state;
    assert_int_equal(
        decode("{" NAME ",\"layer\":\"E1735BDE-013F-4655-B351-A49E15762DF0\",\"action\":{"
               "\"type\":\"calloutTerminating\","
               "\"callout\":\"38d87722-ad83-4f11-a91f-df0fb077225b\"},"
               "\"subLayer\":\"83f299ed-9ff4-4967-aff4-c309f4dab827\",\"conditions\":[{"
               "\"field\":\"3971ef2b-623e-4f9a-8cb1-6e79b806b9a7\",\"match\":\"equal\","
               "\"value\":17}]}",
               &filter, &fault),
        IPSEC_OK);
    assert_int_equal(filter.layer, IPSEC_LAYER_OUTBOUND_TRANSPORT_V6);
    assert_int_equal(filter.callout, IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V6);
    assert_int_equal(filter.sub_layer, IPSEC_SUB_LAYER_IPSEC_TUNNEL);
    assert_int_equal(filter.conditions[0].field, IPSEC_CONDITION_IP_PROTOCOL);
    assert_int_equal(filter.conditions[0].number, 17);
    codec_clear(&codec_new_filter, &filter);
}

static void
what_is_decoded_is_encoded_again(void **state)
{
#define LAYERED(layer) NAME ",\"layer\":\"" layer "\",\"subLayer\":\"universal\",\"conditions\":["
#define V4 LAYERED("outboundTransportV4")
#define FLAGLESS ",\"flags\":[]}"
#define TAIL "]," ACTION
    static const struct {
        const char *body;
        const char *again; /* null: the same */
    } cases[] = {
        { "{" V4 TAIL FLAGLESS, NULL },
        { "{" GOOD ",\"providerKey\":null,\"weight\":null}", "{" V4 TAIL FLAGLESS },
        { "{" V4 "{\"field\":\"ipLocalAddress\",\"match\":\"equal\",\"value\":\"192.0.2.1\"},"
          "{\"field\":\"ipRemoteAddress\",\"match\":\"notEqual\",\"value\":\"198.51.100.0/24\"},"
          "{\"field\":\"ipProtocol\",\"match\":\"greater\",\"value\":6},"
          "{\"field\":\"ipLocalPort\",\"match\":\"less\",\"value\":0},"
          "{\"field\":\"ipRemotePort\",\"match\":\"range\",\"value\":{\"low\":1,\"high\":65535}},"
          "{\"field\":\"ipLocalAddressType\",\"match\":\"equal\",\"value\":\"unicast\"},"
          "{\"field\":\"ipDestinationAddressType\",\"match\":\"lessOrEqual\",\"value\":"
          "\"broadcast\"},"
          "{\"field\":\"ipLocalInterface\",\"match\":\"greaterOrEqual\",\"value\":"
          "\"18446744073709551615\"},"
          "{\"field\":\"flags\",\"match\":\"flagsAnySet\",\"value\":4294967295}" TAIL FLAGLESS,
          NULL },
        { "{" V4 "{\"field\":\"flags\",\"match\":\"flagsAllSet\",\"value\":1}" TAIL FLAGLESS,
          NULL },
        { "{" V4 "{\"field\":\"flags\",\"match\":\"flagsNoneSet\",\"value\":1}" TAIL FLAGLESS,
          NULL },
        { "{" V4
          "{\"field\":\"ipLocalAddress\",\"match\":\"equal\",\"value\":\"192.0.2.1/32\"}" TAIL
              FLAGLESS,
          "{" V4 "{\"field\":\"ipLocalAddress\",\"match\":\"equal\",\"value\":\"192.0.2.1\"}" TAIL
              FLAGLESS },
        { "{" V4 "{\"field\":\"ipLocalAddress\",\"match\":\"equal\",\"value\":\"0.0.0.0/0\"}" TAIL
              FLAGLESS,
          NULL },
        { "{" V4 "{\"field\":\"ipLocalAddress\",\"match\":\"range\",\"value\":{\"low\":"
          "\"192.0.2.0\",\"high\":\"192.0.2.9\"}}" TAIL FLAGLESS,
          NULL },
        { "{" LAYERED("ipforwardV6") "{\"field\":\"ipSourceAddress\",\"match\":\"equal\","
                                     "\"value\":\"2001:db8::/32\"},"
                                     "{\"field\":\"ipDestinationAddress\",\"match\":\"range\","
                                     "\"value\":{\"low\":\"::1\",\"high\":\"::2\"}}" TAIL FLAGLESS,
          NULL },
        { "{" V4 TAIL ",\"weight\":{\"range\":15}" FLAGLESS, NULL },
        { "{" V4 TAIL ",\"weight\":0" FLAGLESS, NULL },
        { "{" V4 TAIL ",\"weight\":9007199254740991" FLAGLESS, NULL },
        { "{" V4 TAIL ",\"weight\":\"7\"" FLAGLESS, "{" V4 TAIL ",\"weight\":7" FLAGLESS },
        { "{" V4 TAIL ",\"weight\":\"18446744073709551615\"" FLAGLESS, NULL },
        { "{" V4 TAIL ",\"rawContext\":\"18446744073709551615\"" FLAGLESS, NULL },
        { "{" V4 TAIL ",\"providerKey\":\"6f1c0a52-5f30-4c2e-9f43-0d7a5d2b8c11\","
          "\"providerData\":\"AAECAw==\","
          "\"providerContextKey\":\"6f1c0a52-5f30-4c2e-9f43-0d7a5d2b8c12\","
          "\"key\":\"6f1c0a52-5f30-4c2e-9f43-0d7a5d2b8c13\","
          "\"flags\":[\"persistent\",\"clearActionRight\",\"indexed\"]}",
          NULL },
        { "{" V4 TAIL ",\"key\":\"6F1C0A52-5f30-4c2e-9f43-0d7a5d2b8c11\"" FLAGLESS,
          "{" V4 TAIL ",\"key\":\"6f1c0a52-5f30-4c2e-9f43-0d7a5d2b8c11\"" FLAGLESS },
        { "{\"displayData\":{\"name\":\"\xc3\xa4\\\"\",\"description\":\"\"},"
          "\"layer\":\"inboundTransportV6\",\"subLayer\":\"inspection\",\"conditions\":["
          "{\"field\":\"ipRemoteAddress\",\"match\":\"equal\",\"value\":\"2001:db8::/32\"}],"
          "\"action\":{\"type\":\"permit\"}" FLAGLESS,
          NULL },
    };

    (void)state;
    for (size_t i = 0; i < CODEC_COUNT(cases); i++) {
        struct ipsec_filter filter;
        struct ipsec_fault fault;
        AUTO(buffer) out = BUFFER(4096);
        struct codec_encoder encoder = { .out = &out };

        print_message("%s\n", cases[i].body);
        assert_int_equal(decode(cases[i].body, &filter, &fault), IPSEC_OK);
        codec_encode(&encoder, &codec_new_filter, &filter);
        assert_string_equal(buffer_text(&out),
                            cases[i].again == NULL ? cases[i].body : cases[i].again);
        codec_clear(&codec_new_filter, &filter);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_flaw_is_refused_by_code_status_and_pointer),
        cmocka_unit_test(a_name_of_the_full_length_is_taken_and_one_more_byte_is_not),
        cmocka_unit_test(names_may_be_given_as_guids),
        cmocka_unit_test(what_is_decoded_is_encoded_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
