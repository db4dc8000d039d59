/* SPDX-License-Identifier: Apache-2.0
 *
 * test_sa_bundle.c: which bundles are valid: transforms and key lengths, weak ones, what goes
 * together, and the members around the SAs; and labels. */
#include "engine/sa_bundle.h"

#include <stdio.h>

#include "engine/sa_labels.h"
#include "tests/unit/sa_fixture.h"

#define AH IPSEC_TRANSFORM_AH
#define ESP_AUTH IPSEC_TRANSFORM_ESP_AUTH
#define ESP_CIPHER IPSEC_TRANSFORM_ESP_CIPHER
#define ESP_BOTH IPSEC_TRANSFORM_ESP_AUTH_AND_CIPHER
#define ESP_FW IPSEC_TRANSFORM_ESP_AUTH_FW
#define BAD_AUTH IPSEC_INVALID_AUTH_TRANSFORM
#define BAD_CIPHER IPSEC_INVALID_CIPHER_TRANSFORM

static struct ipsec_traffic v4_traffic;
static struct ipsec_traffic v6_traffic;
static struct ipsec_traffic tunnel_traffic;

static int
prepare(void **state)
{
    (void)state;
    v4_traffic = transport_traffic(1);
    v6_traffic = (struct ipsec_traffic){ .local_address = address("2001:db8::1"),
                                         .remote_address = address("2001:db8::2"),
                                         .ipsec_filter_id = 1,
                                         .ip_version = IPSEC_IP_VERSION_V6 };
    tunnel_traffic = v4_traffic;
    tunnel_traffic.type = IPSEC_TRAFFIC_TYPE_TUNNEL;
    tunnel_traffic.ipsec_filter_id = 0;
    tunnel_traffic.tunnel_policy_id = 1;
    return 0;
}

/* Both rounds of checks, in their order. */
static enum ipsec_status
check(const struct ipsec_sa_bundle_input *input,
      const struct sa_bundle_place *place,
      struct ipsec_fault *fault)
{
    *fault = (struct ipsec_fault){ .status = IPSEC_OK };
    enum ipsec_status status = sa_bundle_check_values(input, place->direction, fault);

    if (status == IPSEC_OK)
        status = sa_bundle_check_meaning(input, place, fault);
    assert_int_equal(status, fault->status);
    assert_true(status == IPSEC_OK || fault->place == IPSEC_FAULT_BODY);
    return status;
}

/* One SA; a size of 0 leaves the key out. */
static struct ipsec_sa_bundle_input
one_sa(int type, int auth, size_t auth_size, int cipher, size_t cipher_size)
{
    struct ipsec_sa_bundle_input input = {
        .bundle = { .sa_count = 1,
                    .sas = { { .spi = 1000,
                               .transform = { .type = (uint8_t)type,
                                              .auth = (uint8_t)auth,
                                              .cipher = (uint8_t)cipher } } } },
    };

    if (auth_size > 0)
        set_key(&input.keys[0].auth, auth_size, 1);
    if (cipher_size > 0)
        set_key(&input.keys[0].cipher, cipher_size, 1);
    return input;
}

static void
assert_says_length(const struct ipsec_fault *fault, size_t given, size_t wanted, bool has_salt)
{
    char expected[sizeof fault->detail];
    char parts[48] = "";

    if (has_salt)
        (void)snprintf(parts, sizeof parts, ": %zu of key, then 4 of salt", wanted - 4);
    (void)snprintf(expected, sizeof expected, "is %zu bytes long; the transform needs %zu%s", given,
                   wanted, parts);
    assert_string_equal(fault->detail, expected);
}

static void
each_transform_has_its_key_length(void **state)
{
    static const struct {
        int auth, cipher;
        size_t auth_size, cipher_size;
        bool weak;
    } cases[] = {
        { IPSEC_AUTH_HMAC_MD5_96, IPSEC_CIPHER_AES_128, 16, 16, true },
        { IPSEC_AUTH_HMAC_SHA_1_96, IPSEC_CIPHER_AES_128, 20, 16, false },
        { IPSEC_AUTH_HMAC_SHA_256_128, IPSEC_CIPHER_AES_128, 32, 16, false },
        { IPSEC_AUTH_HMAC_SHA_256_128, IPSEC_CIPHER_AES_192, 32, 24, false },
        { IPSEC_AUTH_HMAC_SHA_256_128, IPSEC_CIPHER_AES_256, 32, 32, false },
        { IPSEC_AUTH_HMAC_SHA_256_128, IPSEC_CIPHER_CBC_DES, 32, 8, true },
        { IPSEC_AUTH_HMAC_SHA_256_128, IPSEC_CIPHER_CBC_3DES, 32, 24, true },
        { IPSEC_AUTH_GCM_AES_128, IPSEC_CIPHER_GCM_AES_128, 20, 20, false },
        { IPSEC_AUTH_GCM_AES_192, IPSEC_CIPHER_GCM_AES_192, 28, 28, false },
        { IPSEC_AUTH_GCM_AES_256, IPSEC_CIPHER_GCM_AES_256, 36, 36, false },
    };
    struct ipsec_fault fault;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int off = -1; off <= 1; off++) {
            size_t auth_size = cases[i].auth_size + (size_t)off;
            size_t cipher_size = cases[i].cipher_size + (size_t)off;
            bool is_gcm = cases[i].auth >= IPSEC_AUTH_GCM_AES_128;
            struct sa_bundle_place place = { .traffic = &v4_traffic, .allow_weak = true };
            struct ipsec_sa_bundle_input wrong_auth =
                one_sa(ESP_BOTH, cases[i].auth, auth_size, cases[i].cipher, cases[i].cipher_size);
            struct ipsec_sa_bundle_input wrong_cipher =
                one_sa(ESP_BOTH, cases[i].auth, cases[i].auth_size, cases[i].cipher, cipher_size);

            assert_int_equal(check(&wrong_auth, &place, &fault), off == 0 ? IPSEC_OK : BAD_AUTH);
            if (off != 0)
                assert_string_equal(fault.pointer, "/saList/0/authKey");
            if (off != 0 && !is_gcm) /* with GCM it is the two that differ */
                assert_says_length(&fault, auth_size, cases[i].auth_size, is_gcm);
            assert_int_equal(check(&wrong_cipher, &place, &fault),
                             off == 0 ? IPSEC_OK : BAD_CIPHER);
            if (off != 0) {
                assert_string_equal(fault.pointer, "/saList/0/cipherKey");
                assert_says_length(&fault, cipher_size, cases[i].cipher_size, is_gcm);
            }
            place.allow_weak = false;
            if (off == 0)
                assert_int_equal(check(&wrong_auth, &place, &fault) == IPSEC_OK, !cases[i].weak);
            /* With GCM the one key may stand once. */
            secret_clear(&wrong_auth.keys[0].auth);
            place.allow_weak = true;
            assert_int_equal(check(&wrong_auth, &place, &fault),
                             is_gcm ? IPSEC_OK : IPSEC_NULL_POINTER);
            bundle_clear(&wrong_auth);
            bundle_clear(&wrong_cipher);
        }
    }
}

static void
type_and_transforms_go_together(void **state)
{
    static const struct {
        int type, auth, cipher;
        size_t auth_size, cipher_size;
        enum ipsec_status strict, weak_allowed;
        const char *pointer;
    } cases[] = {
        /* Alone these leave something out. */
        { AH, IPSEC_AUTH_HMAC_SHA_256_128, 0, 32, 0, BAD_CIPHER, IPSEC_OK,
          "/saList/0/saTransformType" },
        { ESP_AUTH, IPSEC_AUTH_HMAC_SHA_1_96, 0, 20, 0, BAD_CIPHER, IPSEC_OK,
          "/saList/0/saTransformType" },
        { ESP_AUTH, IPSEC_AUTH_GCM_AES_256, 0, 36, 0, BAD_CIPHER, IPSEC_OK,
          "/saList/0/saTransformType" },
        { ESP_CIPHER, 0, IPSEC_CIPHER_AES_256, 0, 32, BAD_AUTH, IPSEC_OK,
          "/saList/0/saTransformType" },
        /* These never fit. */
        { AH, IPSEC_AUTH_GCM_AES_128, 0, 20, 0, BAD_AUTH, BAD_AUTH, "/saList/0/authTransform" },
        { ESP_FW, IPSEC_AUTH_HMAC_SHA_256_128, 0, 32, 0, BAD_AUTH, BAD_AUTH,
          "/saList/0/saTransformType" },
        { ESP_CIPHER, 0, IPSEC_CIPHER_GCM_AES_128, 0, 20, BAD_CIPHER, BAD_CIPHER,
          "/saList/0/cipherTransform" },
        { ESP_BOTH, IPSEC_AUTH_GCM_AES_128, IPSEC_CIPHER_AES_128, 20, 16, BAD_CIPHER, BAD_CIPHER,
          "/saList/0/cipherTransform" },
        { ESP_BOTH, IPSEC_AUTH_HMAC_SHA_256_128, IPSEC_CIPHER_GCM_AES_128, 32, 20, BAD_CIPHER,
          BAD_CIPHER, "/saList/0/cipherTransform" },
        { ESP_BOTH, IPSEC_AUTH_GCM_AES_128, IPSEC_CIPHER_GCM_AES_256, 20, 36, BAD_CIPHER,
          BAD_CIPHER, "/saList/0/cipherTransform" },
        { AH, IPSEC_AUTH_HMAC_SHA_256_128, IPSEC_CIPHER_AES_128, 32, 16, IPSEC_INVALID_PARAMETER,
          IPSEC_INVALID_PARAMETER, "/saList/0/cipherTransform" },
        { ESP_CIPHER, IPSEC_AUTH_HMAC_SHA_256_128, IPSEC_CIPHER_AES_128, 32, 16,
          IPSEC_INVALID_PARAMETER, IPSEC_INVALID_PARAMETER, "/saList/0/authTransform" },
        { AH, IPSEC_AUTH_HMAC_SHA_256_128, 0, 32, 16, BAD_CIPHER, IPSEC_INVALID_PARAMETER, NULL },
        { ESP_CIPHER, 0, IPSEC_CIPHER_AES_128, 32, 16, BAD_AUTH, IPSEC_INVALID_PARAMETER, NULL },
        /* What is missing, and what there is not. */
        { AH, 0, 0, 32, 0, IPSEC_NULL_POINTER, IPSEC_NULL_POINTER, "/saList/0/authTransform" },
        { ESP_BOTH, IPSEC_AUTH_HMAC_SHA_256_128, 0, 32, 16, IPSEC_NULL_POINTER, IPSEC_NULL_POINTER,
          "/saList/0/cipherTransform" },
        { ESP_BOTH, IPSEC_AUTH_HMAC_SHA_256_128, IPSEC_CIPHER_AES_128, 32, 0, IPSEC_NULL_POINTER,
          IPSEC_NULL_POINTER, "/saList/0/cipherKey" },
        { ESP_BOTH, IPSEC_AUTH_GCM_AES_128, IPSEC_CIPHER_GCM_AES_128, 20, 0, IPSEC_NULL_POINTER,
          IPSEC_NULL_POINTER, "/saList/0/cipherKey" },
        { 0, IPSEC_AUTH_HMAC_SHA_256_128, 0, 32, 0, IPSEC_INVALID_ENUMERATOR,
          IPSEC_INVALID_ENUMERATOR, "/saList/0/saTransformType" },
        { 6, IPSEC_AUTH_HMAC_SHA_256_128, 0, 32, 0, IPSEC_INVALID_ENUMERATOR,
          IPSEC_INVALID_ENUMERATOR, "/saList/0/saTransformType" },
        { AH, IPSEC_AUTH_TRANSFORM_COUNT, 0, 32, 0, IPSEC_INVALID_ENUMERATOR,
          IPSEC_INVALID_ENUMERATOR, "/saList/0/authTransform" },
        { ESP_CIPHER, 0, IPSEC_CIPHER_TRANSFORM_COUNT, 0, 32, IPSEC_INVALID_ENUMERATOR,
          IPSEC_INVALID_ENUMERATOR, "/saList/0/cipherTransform" },
    };
    struct ipsec_fault fault;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sa_bundle_place place = { .traffic = &v4_traffic };
        struct ipsec_sa_bundle_input input =
            one_sa(cases[i].type, cases[i].auth, cases[i].auth_size, cases[i].cipher,
                   cases[i].cipher_size);

        assert_int_equal(check(&input, &place, &fault), cases[i].strict);
        if (cases[i].pointer != NULL)
            assert_string_equal(fault.pointer, cases[i].pointer);
        place.allow_weak = true;
        assert_int_equal(check(&input, &place, &fault), cases[i].weak_allowed);
        bundle_clear(&input);
    }
}

static void
of_two_sas_esp_comes_first_and_ah_second(void **state)
{
    const struct sa_bundle_place place = { .traffic = &v4_traffic };
    struct ipsec_sa_bundle_input input =
        one_sa(ESP_CIPHER, 0, 0, IPSEC_CIPHER_AES_128, 16); /* AH authenticates for it */
    struct ipsec_fault fault;

    (void)state;
    input.bundle.sas[1] = (struct ipsec_sa){
        .spi = 1000,
        .transform = { .type = AH, .auth = IPSEC_AUTH_HMAC_SHA_256_128 },
    };
    set_key(&input.keys[1].auth, 32, 9);
    input.bundle.sa_count = 2;
    assert_int_equal(check(&input, &place, &fault), IPSEC_OK);
    input.bundle.sas[1].transform.type = ESP_AUTH;
    assert_int_equal(check(&input, &place, &fault), IPSEC_INVALID_PARAMETER);
    assert_string_equal(fault.pointer, "/saList/1/saTransformType");
    input.bundle.sas[1].transform.type = AH;
    secret_clear(&input.keys[1].auth);
    assert_int_equal(check(&input, &place, &fault), IPSEC_NULL_POINTER);
    assert_string_equal(fault.pointer, "/saList/1/authKey");
    set_key(&input.keys[1].auth, 20, 9);
    assert_int_equal(check(&input, &place, &fault), BAD_AUTH);
    input.bundle.sa_count = 0;
    assert_int_equal(check(&input, &place, &fault), IPSEC_ZERO_LENGTH_ARRAY);
    input.bundle.sa_count = 3;
    assert_int_equal(check(&input, &place, &fault), IPSEC_OUT_OF_BOUNDS);
    bundle_clear(&input);

    input = one_sa(AH, IPSEC_AUTH_HMAC_SHA_256_128, 32, 0, 0);
    input.bundle.sas[1] = input.bundle.sas[0];
    set_key(&input.keys[1].auth, 32, 9);
    input.bundle.sa_count = 2;
    assert_int_equal(check(&input, &place, &fault), IPSEC_INVALID_PARAMETER);
    assert_string_equal(fault.pointer, "/saList/0/saTransformType");
    bundle_clear(&input);
}

static void
keys_that_protect_nothing_are_refused(void **state)
{
    static const uint8_t weak_des[][8] = {
        { 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01 },
        { 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe },
        { 0x1f, 0x1f, 0x1f, 0x1f, 0x0e, 0x0e, 0x0e, 0x0e },
        { 0x01, 0xfe, 0x01, 0xfe, 0x01, 0xfe, 0x01, 0xfe },
        { 0xe0, 0x01, 0xe0, 0x01, 0xf1, 0x01, 0xf1, 0x01 },
    };
    const struct sa_bundle_place place = { .traffic = &v4_traffic, .allow_weak = true };
    struct ipsec_sa_bundle_input input;
    struct ipsec_fault fault;

    (void)state;
    for (size_t i = 0; i < sizeof weak_des / sizeof *weak_des; i++) {
        input = one_sa(ESP_BOTH, IPSEC_AUTH_HMAC_SHA_256_128, 32, IPSEC_CIPHER_CBC_DES, 8);
        assert_int_equal(check(&input, &place, &fault), IPSEC_OK);
        memcpy(input.keys[0].cipher.bytes, weak_des[i], 8);
        assert_int_equal(check(&input, &place, &fault), BAD_CIPHER);
        input.keys[0].cipher.bytes[3] ^= 1; /* parity makes no difference */
        assert_int_equal(check(&input, &place, &fault), BAD_CIPHER);
        input.keys[0].cipher.bytes[3] ^= 2;
        assert_int_equal(check(&input, &place, &fault), IPSEC_OK);
        bundle_clear(&input);
    }
    /* 3DES with two equal neighbours is DES. */
    for (size_t i = 0; i < 2; i++) {
        input = one_sa(ESP_BOTH, IPSEC_AUTH_HMAC_SHA_256_128, 32, IPSEC_CIPHER_CBC_3DES, 24);
        assert_int_equal(check(&input, &place, &fault), IPSEC_OK);
        memcpy(input.keys[0].cipher.bytes + 8 * i, input.keys[0].cipher.bytes + 8 * (i + 1), 8);
        assert_int_equal(check(&input, &place, &fault), BAD_CIPHER);
        bundle_clear(&input);
    }
    input = one_sa(ESP_BOTH, IPSEC_AUTH_HMAC_SHA_256_128, 32, IPSEC_CIPHER_AES_128, 16);
    explicit_bzero(input.keys[0].auth.bytes, 32);
    assert_int_equal(check(&input, &place, &fault), BAD_AUTH);
    assert_string_equal(fault.pointer, "/saList/0/authKey");
    bundle_clear(&input);
    input = gcm_bundle(1000, 1);
    explicit_bzero(input.keys[0].cipher.bytes, 16); /* but for the salt */
    assert_int_equal(check(&input, &place, &fault), BAD_CIPHER);
    bundle_clear(&input);
}

static void
members_around_the_sas_have_their_rules(void **state)
{
    static uint8_t blob[IPSEC_KEY_MODULE_STATE_MAX + 1];
    const struct ipsec_guid guid = { .bytes = { 1 } };
    const struct {
        const struct ipsec_traffic *traffic;
        bool with_ah; /* AH alone, else GCM */
        struct ipsec_sa_bundle values;
        enum ipsec_status status;
        const char *pointer;
    } cases[] = {
        { &v4_traffic, false, { .flags = 0x100 }, IPSEC_INVALID_FLAGS, "/flags" },
        { &v4_traffic, false, { .flags = 0x01000000 }, IPSEC_INVALID_FLAGS, "/flags" },
        { &v4_traffic, false, { .flags = 0xf0fffaff }, IPSEC_OK, "" },
        { &v4_traffic, false, { .flags = 0x400 }, IPSEC_INVALID_FLAGS, "/flags" },
        { &tunnel_traffic, false, { .flags = 0x400 }, IPSEC_OK, "" },
        { &v4_traffic, true, { .flags = 0x8 }, IPSEC_INVALID_CIPHER_TRANSFORM, "/flags" },
        { &v4_traffic, false, { .flags = 0x8 }, IPSEC_OK, "" },
        { &v4_traffic,
          false,
          { .pfs_group = IPSEC_PFS_COUNT },
          IPSEC_INVALID_ENUMERATOR,
          "/pfsGroup" },
        { &v4_traffic, false, { .pfs_group = IPSEC_PFS_24 }, IPSEC_OK, "" },
        { &v4_traffic,
          false,
          { .udp_encapsulation = { 4500, 0 } },
          IPSEC_OUT_OF_BOUNDS,
          "/udpEncapsulation/remotePort" },
        { &v4_traffic,
          false,
          { .udp_encapsulation = { 0, 4500 } },
          IPSEC_OUT_OF_BOUNDS,
          "/udpEncapsulation/localPort" },
        { &v4_traffic, false, { .udp_encapsulation = { 4500, 4500 } }, IPSEC_OK, "" },
        { &v6_traffic,
          false,
          { .udp_encapsulation = { 4500, 4500 } },
          IPSEC_INVALID_PARAMETER,
          "/udpEncapsulation" },
        { &v4_traffic,
          true,
          { .udp_encapsulation = { 4500, 4500 } },
          IPSEC_INVALID_PARAMETER,
          "/udpEncapsulation" },
        { &v4_traffic, false, { .peer_v4_private_address = { { 10, 0, 0, 1 } } }, IPSEC_OK, "" },
        { &v6_traffic,
          false,
          { .peer_v4_private_address = { { 10, 0, 0, 1 } } },
          IPSEC_INVALID_PARAMETER,
          "/peerV4PrivateAddress" },
        { &v4_traffic,
          false,
          { .key_module_state = blob, .key_module_state_size = 9 },
          IPSEC_NULL_POINTER,
          "/keyModuleState/keyModuleKey" },
        { &v4_traffic,
          false,
          { .key_module_key = guid,
            .key_module_state = blob,
            .key_module_state_size = IPSEC_KEY_MODULE_STATE_MAX },
          IPSEC_OK,
          "" },
        { &v4_traffic,
          false,
          { .key_module_key = guid,
            .key_module_state = blob,
            .key_module_state_size = IPSEC_KEY_MODULE_STATE_MAX + 1 },
          IPSEC_OUT_OF_BOUNDS,
          "/keyModuleState/stateBlob" },
        { &v4_traffic,
          false,
          { .lifetime = { UINT32_MAX, UINT32_MAX, UINT32_MAX },
            .idle_timeout_seconds = UINT32_MAX },
          IPSEC_OK,
          "" },
    };
    struct ipsec_fault fault;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct sa_bundle_place place = { .traffic = cases[i].traffic, .allow_weak = true };
        struct ipsec_sa_bundle_input input = cases[i].with_ah
                                                 ? one_sa(AH, IPSEC_AUTH_HMAC_SHA_256_128, 32, 0, 0)
                                                 : gcm_bundle(1000, 1);
        struct ipsec_sa sa = input.bundle.sas[0];

        input.bundle = cases[i].values;
        input.bundle.sa_count = 1;
        input.bundle.sas[0] = sa;
        assert_int_equal(check(&input, &place, &fault), cases[i].status);
        assert_string_equal(fault.pointer, cases[i].pointer);
        bundle_clear(&input);
    }
}

static void
spis_belong_to_their_direction(void **state)
{
    struct sa_bundle_place place = { .direction = IPSEC_DIRECTION_INBOUND,
                                     .traffic = &v4_traffic,
                                     .spi = 1000 };
    struct ipsec_sa_bundle_input input = gcm_bundle(1000, 1);
    struct ipsec_fault fault;

    (void)state;
    assert_int_equal(check(&input, &place, &fault), IPSEC_OK);
    input.bundle.sas[0].spi = 1001;
    assert_int_equal(check(&input, &place, &fault), IPSEC_INVALID_PARAMETER);
    assert_string_equal(fault.pointer, "/saList/0/spi");
    assert_string_equal(fault.detail, "must be the SPI of the context, 1000, or left out");
    input.bundle.sas[0].spi = 0;
    assert_int_equal(check(&input, &place, &fault), IPSEC_OK);
    place.direction = IPSEC_DIRECTION_OUTBOUND;
    assert_int_equal(check(&input, &place, &fault), IPSEC_OUT_OF_BOUNDS);
    input.bundle.sas[0].spi = 255;
    assert_int_equal(check(&input, &place, &fault), IPSEC_OUT_OF_BOUNDS);
    input.bundle.sas[0].spi = 256;
    assert_int_equal(check(&input, &place, &fault), IPSEC_OK);
    bundle_clear(&input);
}

static void
both_directions_are_alike(void **state)
{
    struct ipsec_sa_bundle_input input = gcm_bundle(1000, 1);
    struct ipsec_sa_bundle other = input.bundle;
    const struct sa_bundle_place place = { .traffic = &v4_traffic, .other = &other };
    struct ipsec_fault fault;

    (void)state;
    other.qm_sa_id = 5;
    assert_int_equal(check(&input, &place, &fault), IPSEC_OK);
    input.bundle.qm_sa_id = 5;
    assert_int_equal(check(&input, &place, &fault), IPSEC_OK);
    input.bundle.qm_sa_id = 6;
    assert_int_equal(check(&input, &place, &fault), IPSEC_INVALID_PARAMETER);
    assert_string_equal(fault.pointer, "/qmSaId");
    other.qm_sa_id = 0;
    assert_int_equal(check(&input, &place, &fault), IPSEC_OK);
    other.sas[0].transform.cipher = IPSEC_CIPHER_GCM_AES_256; /* algorithms may differ */
    assert_int_equal(check(&input, &place, &fault), IPSEC_OK);
    other.sas[0].transform.type = ESP_AUTH;
    assert_int_equal(check(&input, &place, &fault), IPSEC_INVALID_PARAMETER);
    assert_string_equal(fault.pointer, "/saList/0/saTransformType");
    other.sa_count = 2;
    assert_int_equal(check(&input, &place, &fault), IPSEC_INVALID_PARAMETER);
    assert_string_equal(fault.pointer, "/saList");
    bundle_clear(&input);
}

static void
one_gcm_key_is_not_used_in_both_directions(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);
    uint64_t id = context_in(&sa, IPSEC_SA_CONTEXT_SPI_SET);
    struct ipsec_sa_bundle_input inbound = gcm_bundle(spi_of(&sa, id), 50);
    struct ipsec_sa_bundle_input outbound = gcm_bundle(PEER_SPI, 50);

    assert_int_equal(try_inbound(&sa, id, &inbound), IPSEC_OK);
    assert_int_equal(try_outbound(&sa, id, &outbound), BAD_CIPHER);
    assert_string_equal(sa.base->fault.pointer, "/saList/0/cipherKey");
    outbound.keys[0].cipher.bytes[19] ^= 1;
    assert_int_equal(try_outbound(&sa, id, &outbound), IPSEC_OK);
    bundle_clear(&inbound);
    bundle_clear(&outbound);

    /* GMAC counts too. */
    sa.state->sa.settings.allow_weak_transforms = true;
    id = context_in(&sa, IPSEC_SA_CONTEXT_SPI_SET);
    inbound = one_sa(ESP_AUTH, IPSEC_AUTH_GCM_AES_128, 20, 0, 0);
    inbound.bundle.sas[0].spi = spi_of(&sa, id);
    outbound = one_sa(ESP_AUTH, IPSEC_AUTH_GCM_AES_128, 20, 0, 0);
    assert_int_equal(try_inbound(&sa, id, &inbound), IPSEC_OK);
    assert_int_equal(sa_find(sa.state, id)->inbound->sas[0].auth_key_length, 20);
    assert_int_equal(try_outbound(&sa, id, &outbound), BAD_AUTH);
    assert_string_equal(sa.base->fault.pointer, "/saList/0/authKey");
    bundle_clear(&inbound);
    bundle_clear(&outbound);

    /* A cipher with an IV of its own does not. */
    id = context_in(&sa, IPSEC_SA_CONTEXT_SPI_SET);
    inbound = one_sa(ESP_BOTH, IPSEC_AUTH_HMAC_SHA_256_128, 32, IPSEC_CIPHER_AES_128, 16);
    inbound.bundle.sas[0].spi = spi_of(&sa, id);
    assert_int_equal(try_inbound(&sa, id, &inbound), IPSEC_OK);
    assert_int_equal(sa_find(sa.state, id)->inbound->sas[0].auth_key_length, 32);
    inbound.bundle.sas[0].spi = PEER_SPI;
    assert_int_equal(try_outbound(&sa, id, &inbound), IPSEC_OK);
    bundle_clear(&inbound);
}

static void
the_digest_is_not_the_key_and_another_in_each_process(void **state)
{
    struct sa_digester *digester = sa_digester_new();
    struct sa_digester *other = sa_digester_new();
    struct ipsec_sa_bundle_input input = gcm_bundle(1000, 1);
    struct sa_key_digest a;
    struct sa_key_digest b;

    (void)state;
    assert_true(digester != NULL && other != NULL);
    sa_bundle_digest(digester, &input, &a);
    sa_bundle_digest(digester, &input, &b);
    assert_true(sa_key_digest_equal(&a, &b));
    assert_memory_not_equal(a.bytes, input.keys[0].cipher.bytes, SA_KEY_DIGEST_SIZE);
    sa_bundle_digest(other, &input, &b);
    assert_false(sa_key_digest_equal(&a, &b));
    b = (struct sa_key_digest){ .given = false };
    assert_false(sa_key_digest_equal(&b, &b));
    sa_digester_free(digester);
    sa_digester_free(other);
    bundle_clear(&input);
}

static void
labels_have_names_and_values_of_their_kind(void **state)
{
    static const struct {
        const char *name, *value;
        enum ipsec_status status;
        const char *pointer;
    } cases[] = {
        { "a", "", IPSEC_OK, "" },
        { "a.b-c_d/e9", "\xc3\xa4", IPSEC_OK, "" },
        { "", "x", IPSEC_INVALID_PARAMETER, "/labels" },
        { "-a", "x", IPSEC_INVALID_PARAMETER, "/labels/-a" },
        { "a/", "x", IPSEC_INVALID_PARAMETER, "/labels/a~1" },
        { "a b", "x", IPSEC_INVALID_PARAMETER, "/labels/a b" },
        { "\xc3\xa4", "x", IPSEC_INVALID_PARAMETER, "/labels/\xc3\xa4" },
        { "a", "x\ny", IPSEC_INVALID_PARAMETER, "/labels/a" },
        { "a", "\xff", IPSEC_INVALID_PARAMETER, "/labels/a" },
    };
    char name[IPSEC_LABEL_NAME_MAX + 2];
    char value[IPSEC_LABEL_VALUE_MAX + 2];
    struct ipsec_labels labels = { .count = 1, .pairs = { { .name = name, .value = value } } };
    struct ipsec_fault fault = { .status = IPSEC_OK };

    (void)state;
    assert_int_equal(sa_labels_check(NULL, &fault), IPSEC_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)snprintf(name, sizeof name, "%s", cases[i].name);
        (void)snprintf(value, sizeof value, "%s", cases[i].value);
        assert_int_equal(sa_labels_check(&labels, &fault), cases[i].status);
        if (cases[i].status != IPSEC_OK)
            assert_string_equal(fault.pointer, cases[i].pointer);
    }
    for (size_t off = 0; off < 2; off++) {
        memset(name, 'n', sizeof name);
        name[IPSEC_LABEL_NAME_MAX + off] = '\0';
        value[0] = '\0';
        assert_int_equal(sa_labels_check(&labels, &fault),
                         off == 0 ? IPSEC_OK : IPSEC_INVALID_PARAMETER);
        memset(value, 'v', sizeof value);
        value[IPSEC_LABEL_VALUE_MAX + off] = '\0';
        name[1] = '\0';
        assert_int_equal(sa_labels_check(&labels, &fault),
                         off == 0 ? IPSEC_OK : IPSEC_OUT_OF_BOUNDS);
    }
    value[1] = '\0';
    labels.count = 2;
    labels.pairs[1] = labels.pairs[0];
    assert_int_equal(sa_labels_check(&labels, &fault), IPSEC_INVALID_PARAMETER);
    labels.count = IPSEC_LABELS_MAX + 1;
    assert_int_equal(sa_labels_check(&labels, &fault), IPSEC_OUT_OF_BOUNDS);
    assert_string_equal(fault.pointer, "/labels");
}

static void
labels_are_kept_in_order_and_matched(void **state)
{
    char names[3][2] = { "c", "a", "b" };
    char values[3][2] = { "3", "1", "2" };
    struct ipsec_labels labels = { .count = 3 };
    struct ipsec_labels wanted = { .count = 1 };
    const struct ipsec_labels *made;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        labels.pairs[i] = (struct ipsec_label){ .name = names[i], .value = values[i] };
    assert_true(sa_labels_new(&labels, &made));
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(made->pairs[i].name[0], 'a' + (char)i);
    assert_true(sa_labels_match(made, NULL));
    assert_true(sa_labels_match(NULL, NULL));
    wanted.pairs[0] = (struct ipsec_label){ .name = names[1], .value = NULL };
    assert_true(sa_labels_match(made, &wanted));
    assert_false(sa_labels_match(NULL, &wanted));
    wanted.pairs[0].value = values[0];
    assert_false(sa_labels_match(made, &wanted));
    wanted.pairs[0].value = values[1];
    assert_true(sa_labels_match(made, &wanted));
    wanted.count = 2;
    wanted.pairs[1] = (struct ipsec_label){ .name = names[0], .value = values[1] };
    assert_false(sa_labels_match(made, &wanted));
    sa_labels_unref(made);
    labels.count = 0;
    assert_true(sa_labels_new(&labels, &made));
    assert_null(made);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_transform_has_its_key_length),
        cmocka_unit_test(type_and_transforms_go_together),
        cmocka_unit_test(of_two_sas_esp_comes_first_and_ah_second),
        cmocka_unit_test(keys_that_protect_nothing_are_refused),
        cmocka_unit_test(members_around_the_sas_have_their_rules),
        cmocka_unit_test(spis_belong_to_their_direction),
        cmocka_unit_test(both_directions_are_alike),
        FIXTURE_TEST(one_gcm_key_is_not_used_in_both_directions),
        cmocka_unit_test(the_digest_is_not_the_key_and_another_in_each_process),
        cmocka_unit_test(labels_have_names_and_values_of_their_kind),
        cmocka_unit_test(labels_are_kept_in_order_and_matched),
    };

    return cmocka_run_group_tests(tests, prepare, NULL);
}
