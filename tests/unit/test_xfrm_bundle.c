/* SPDX-License-Identifier: Apache-2.0
 *
 * test_xfrm_bundle.c: which states of the kernel an SA bundle means. */
#include "engine/plane/xfrm_bundle.h"

#include <netinet/in.h>

#include <linux/xfrm.h>

#include "engine/plane/xfrm_owner.h"
#include "tests/conformance/plane_fixture.h"

static struct kernel_sa
only_state(const struct plane_sample *sample)
{
    struct kernel_sa states[IPSEC_SA_MAX];
    const char *reason = NULL;

    assert_int_equal(sample->bundle.sa_count, 1);
    assert_int_equal(xfrm_bundle_states(&sample->what, 5, true, states, &reason), IPSEC_OK);
    assert_null(reason);
    return states[0];
}

static void
directions_turn_addresses_and_windows(void **state)
{
    (void)state;
    struct plane_sample sample;
    struct kernel_sa sa;
    struct xfrm_owner owner;

    plane_sample_init(&sample, 7, IPSEC_DIRECTION_OUTBOUND, 0x1001);
    sa = only_state(&sample);
    assert_int_equal(sa.source.bytes[3], 1);
    assert_int_equal(sa.destination.bytes[3], 7);
    assert_int_equal(sa.replay_window, 0);
    assert_int_equal(sa.mode, XFRM_MODE_TRANSPORT);
    assert_int_equal(sa.reqid, xfrm_owner_reqid(11));
    assert_int_equal(sa.selector.source_prefix, 32);
    assert_int_equal(sa.selector.destination_prefix, 32);
    assert_true(xfrm_owner_read(sa.owner, &owner));
    assert_int_equal(owner.id, 7);
    assert_int_equal(owner.instance, 5);
    assert_int_equal(owner.direction, IPSEC_DIRECTION_OUTBOUND);
    assert_int_equal(sa.flags, 0);

    plane_sample_init(&sample, 7, IPSEC_DIRECTION_INBOUND, 0x1001);
    sa = only_state(&sample);
    assert_int_equal(sa.source.bytes[3], 7);
    assert_int_equal(sa.destination.bytes[3], 1);
    assert_int_equal(sa.replay_window, 32);
}

static void
ports_and_protocol_narrow_the_selector(void **state)
{
    (void)state;
    struct plane_sample sample;
    struct kernel_sa sa;

    plane_sample_init(&sample, 7, IPSEC_DIRECTION_INBOUND, 0x1001);
    sample.what.traffic.ip_protocol = IPPROTO_UDP;
    sample.what.traffic.remote_port = 53;
    sa = only_state(&sample);
    assert_int_equal(sa.selector.ip_protocol, IPPROTO_UDP);
    assert_int_equal(sa.selector.source_port, 53);
    assert_int_equal(sa.selector.source_port_mask, 0xffff);
    assert_int_equal(sa.selector.destination_port_mask, 0);
    sample.what.traffic.ip_protocol = IPPROTO_ICMP;
    sample.what.traffic.remote_port = 0;
    sample.what.traffic.local_port = 8;
    sa = only_state(&sample);
    assert_int_equal(sa.selector.source_port, 8);
}

static void
limits_are_bytes_packets_and_seconds(void **state)
{
    (void)state;
    struct plane_sample sample;
    struct kernel_sa sa;

    plane_sample_init(&sample, 7, IPSEC_DIRECTION_OUTBOUND, 0x1001);
    sample.bundle.lifetime =
        (struct ipsec_lifetime){ .seconds = 60, .kilobytes = UINT32_MAX, .packets = 9 };
    sa = only_state(&sample);
    assert_int_equal(sa.hard_seconds, 60);
    assert_true(sa.hard_bytes == UINT64_C(1024) * UINT32_MAX);
    assert_int_equal(sa.hard_packets, 9);
}

static void
a_tunnel_takes_both_families_and_ah_goes_around_it(void **state)
{
    (void)state;
    struct plane_sample sample;
    struct kernel_sa states[IPSEC_SA_MAX];
    const char *reason = NULL;

    plane_sample_init(&sample, 7, IPSEC_DIRECTION_OUTBOUND, 0x1001);
    plane_sample_add_ah(&sample, 0x1002);
    sample.what.traffic.type = IPSEC_TRAFFIC_TYPE_TUNNEL;
    sample.bundle.flags = IPSEC_SA_BUNDLE_CLEAR_DF_ON_TUNNEL;
    assert_int_equal(xfrm_bundle_states(&sample.what, 0, true, states, &reason), IPSEC_OK);
    assert_int_equal(states[0].mode, XFRM_MODE_TUNNEL);
    assert_int_equal(states[0].protocol, IPPROTO_ESP);
    assert_true(states[0].selector.any_family);
    assert_int_equal(states[0].flags, XFRM_STATE_AF_UNSPEC | XFRM_STATE_NOPMTUDISC);
    assert_int_equal(states[1].mode, XFRM_MODE_TRANSPORT);
    assert_int_equal(states[1].protocol, IPPROTO_AH);
    assert_false(states[1].selector.any_family);
    assert_int_equal(states[1].selector.source_prefix, 0);
    assert_int_equal(states[1].flags, XFRM_STATE_ALIGN4);
    assert_int_equal(states[0].reqid, states[1].reqid);
    /* Newer kernels refuse the flag inbound. */
    sample.what.direction = IPSEC_DIRECTION_INBOUND;
    assert_int_equal(xfrm_bundle_states(&sample.what, 0, true, states, &reason), IPSEC_OK);
    assert_int_equal(states[0].flags, XFRM_STATE_AF_UNSPEC);
}

static void
encapsulation_turns_its_ports_too(void **state)
{
    (void)state;
    struct plane_sample sample;
    struct kernel_sa sa;

    plane_sample_init(&sample, 7, IPSEC_DIRECTION_OUTBOUND, 0x1001);
    sample.bundle.udp_encapsulation =
        (struct ipsec_udp_encapsulation){ .local_port = 4500, .remote_port = 50000 };
    sa = only_state(&sample);
    assert_int_equal(sa.encapsulation_source_port, 4500);
    assert_int_equal(sa.encapsulation_destination_port, 50000);
    sample.what.direction = IPSEC_DIRECTION_INBOUND;
    sa = only_state(&sample);
    assert_int_equal(sa.encapsulation_source_port, 50000);
    assert_int_equal(sa.encapsulation_destination_port, 4500);
}

static void
transforms_have_the_names_of_the_kernel(void **state)
{
    (void)state;
    static const struct {
        const char *transform;
        const char *aead;
        const char *auth;
        const char *cipher;
        unsigned aead_bits;
        unsigned auth_bits;
        unsigned auth_cut;
        unsigned cipher_bits;
    } rows_expected[] = {
        { "ESP_AUTH_AND_CIPHER GCM_AES_128", "rfc4106(gcm(aes))", NULL, NULL, 160, 0, 0, 0 },
        { "ESP_AUTH_AND_CIPHER GCM_AES_192", "rfc4106(gcm(aes))", NULL, NULL, 224, 0, 0, 0 },
        { "ESP_AUTH_AND_CIPHER GCM_AES_256", "rfc4106(gcm(aes))", NULL, NULL, 288, 0, 0, 0 },
        { "ESP_AUTH_AND_CIPHER HMAC_SHA_256_128 AES_128", NULL, "hmac(sha256)", "cbc(aes)", 0, 256,
          128, 128 },
        { "ESP_AUTH_AND_CIPHER HMAC_SHA_256_128 AES_192", NULL, "hmac(sha256)", "cbc(aes)", 0, 256,
          128, 192 },
        { "ESP_AUTH_AND_CIPHER HMAC_SHA_256_128 AES_256", NULL, "hmac(sha256)", "cbc(aes)", 0, 256,
          128, 256 },
        { "ESP_AUTH HMAC_SHA_256_128", NULL, "hmac(sha256)", "ecb(cipher_null)", 0, 256, 128, 0 },
        { "ESP_AUTH HMAC_SHA_1_96", NULL, "hmac(sha1)", "ecb(cipher_null)", 0, 160, 96, 0 },
        { "ESP_AUTH GCM_AES_128", "rfc4543(gcm(aes))", NULL, NULL, 160, 0, 0, 0 },
        { "AH HMAC_SHA_256_128", NULL, "hmac(sha256)", NULL, 0, 256, 128, 0 },
        { "AH HMAC_MD5_96", NULL, "hmac(md5)", NULL, 0, 128, 96, 0 },
        { "ESP_AUTH_AND_CIPHER HMAC_MD5_96 CBC_DES", NULL, "hmac(md5)", "cbc(des)", 0, 128, 96,
          64 },
        { "ESP_AUTH_AND_CIPHER HMAC_SHA_1_96 CBC_3DES", NULL, "hmac(sha1)", "cbc(des3_ede)", 0, 160,
          96, 192 },
        { "ESP_CIPHER AES_128", NULL, NULL, "cbc(aes)", 0, 0, 0, 128 },
    };
    struct plane_sample sample;
    size_t met = 0;

    for (size_t i = 0; xfrm_algorithm_list(i) != NULL; i++) {
        const struct xfrm_transform *transform = xfrm_algorithm_list(i);

        plane_sample_init(&sample, 1, IPSEC_DIRECTION_OUTBOUND, 0x1001);
        plane_sample_set(&sample, 0, transform);
        const struct kernel_sa sa = only_state(&sample);

        for (size_t k = 0; k < sizeof rows_expected / sizeof *rows_expected; k++) {
            if (strcmp(rows_expected[k].transform, transform->name) != 0)
                continue;
            met++;
            assert_true((rows_expected[k].aead == NULL) == (sa.aead.name == NULL));
            assert_true((rows_expected[k].auth == NULL) == (sa.auth.name == NULL));
            assert_true((rows_expected[k].cipher == NULL) == (sa.cipher.name == NULL));
            if (sa.aead.name != NULL) {
                assert_string_equal(sa.aead.name, rows_expected[k].aead);
                assert_int_equal(sa.aead.icv_bits, 128);
            }
            if (sa.auth.name != NULL)
                assert_string_equal(sa.auth.name, rows_expected[k].auth);
            if (sa.cipher.name != NULL)
                assert_string_equal(sa.cipher.name, rows_expected[k].cipher);
            assert_int_equal(sa.aead.key_bits, rows_expected[k].aead_bits);
            assert_int_equal(sa.auth.key_bits, rows_expected[k].auth_bits);
            assert_int_equal(sa.auth.icv_bits, rows_expected[k].auth_cut);
            assert_int_equal(sa.cipher.key_bits, rows_expected[k].cipher_bits);
        }
    }
    assert_int_equal(met, sizeof rows_expected / sizeof *rows_expected);
}

static void
transforms_without_a_counterpart_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct ipsec_sa_transform transform;
        enum ipsec_status status;
    } rows_refused[] = {
        { { IPSEC_TRANSFORM_AH, IPSEC_AUTH_GCM_AES_128, 0 }, IPSEC_INVALID_AUTH_TRANSFORM },
        { { IPSEC_TRANSFORM_AH, IPSEC_AUTH_NONE, 0 }, IPSEC_INVALID_AUTH_TRANSFORM },
        { { IPSEC_TRANSFORM_ESP_AUTH_FW, IPSEC_AUTH_HMAC_SHA_256_128, 0 },
          IPSEC_INVALID_AUTH_TRANSFORM },
        { { IPSEC_TRANSFORM_ESP_CIPHER, 0, IPSEC_CIPHER_GCM_AES_128 },
          IPSEC_INVALID_CIPHER_TRANSFORM },
        { { IPSEC_TRANSFORM_ESP_AUTH_AND_CIPHER, IPSEC_AUTH_GCM_AES_256, IPSEC_CIPHER_GCM_AES_128 },
          IPSEC_INVALID_AUTH_TRANSFORM },
        { { IPSEC_TRANSFORM_ESP_AUTH_AND_CIPHER, IPSEC_AUTH_GCM_AES_128, IPSEC_CIPHER_AES_128 },
          IPSEC_INVALID_AUTH_TRANSFORM },
        { { IPSEC_TRANSFORM_ESP_AUTH_AND_CIPHER, 99, IPSEC_CIPHER_AES_128 },
          IPSEC_INVALID_AUTH_TRANSFORM },
        { { IPSEC_TRANSFORM_ESP_AUTH_AND_CIPHER, IPSEC_AUTH_HMAC_SHA_256_128, 99 },
          IPSEC_INVALID_CIPHER_TRANSFORM },
        /* The keys of the sample are those of AES-GCM. */
        { { IPSEC_TRANSFORM_ESP_AUTH, IPSEC_AUTH_HMAC_SHA_256_128, 0 }, IPSEC_INVALID_PARAMETER },
    };
    struct kernel_sa states[IPSEC_SA_MAX];
    struct plane_sample sample;

    for (size_t i = 0; i < sizeof rows_refused / sizeof *rows_refused; i++) {
        const char *reason = NULL;

        plane_sample_init(&sample, 1, IPSEC_DIRECTION_OUTBOUND, 0x1001);
        sample.bundle.sas[0].transform = rows_refused[i].transform;
        assert_int_equal(xfrm_bundle_states(&sample.what, 0, true, states, &reason),
                         rows_refused[i].status);
        assert_non_null(reason);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directions_turn_addresses_and_windows),
        cmocka_unit_test(ports_and_protocol_narrow_the_selector),
        cmocka_unit_test(limits_are_bytes_packets_and_seconds),
        cmocka_unit_test(a_tunnel_takes_both_families_and_ah_goes_around_it),
        cmocka_unit_test(encapsulation_turns_its_ports_too),
        cmocka_unit_test(transforms_have_the_names_of_the_kernel),
        cmocka_unit_test(transforms_without_a_counterpart_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
