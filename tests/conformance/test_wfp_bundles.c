/* SPDX-License-Identifier: Apache-2.0
 *
 * test_wfp_bundles.c: SA bundles and their transforms (specification section 4), as AddInbound and
 * AddOutbound take them. */
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/wfp.h"

#define AH IPSEC_TRANSFORM_AH
#define ESP_AUTH IPSEC_TRANSFORM_ESP_AUTH
#define ESP_CIPHER IPSEC_TRANSFORM_ESP_CIPHER
#define ESP IPSEC_TRANSFORM_ESP_AUTH_AND_CIPHER
#define ESP_FW IPSEC_TRANSFORM_ESP_AUTH_FW
#define MD5 IPSEC_AUTH_HMAC_MD5_96
#define SHA1 IPSEC_AUTH_HMAC_SHA_1_96
#define SHA256 IPSEC_AUTH_HMAC_SHA_256_128
#define GMAC(bits) IPSEC_AUTH_GCM_AES_##bits
#define GCM(bits) IPSEC_CIPHER_GCM_AES_##bits
#define CBC(bits) IPSEC_CIPHER_AES_##bits
#define DES IPSEC_CIPHER_CBC_DES
#define DES3 IPSEC_CIPHER_CBC_3DES
#define BAD_AUTH IPSEC_INVALID_AUTH_TRANSFORM
#define BAD_CIPHER IPSEC_INVALID_CIPHER_TRANSFORM
#define PARAMETER IPSEC_INVALID_PARAMETER
#define MISSING IPSEC_NULL_POINTER

/* One SA: its transform and the sizes of its keys. */
struct sa_row {
    uint8_t type;
    uint8_t auth;
    uint8_t cipher;
    uint8_t auth_size;
    uint8_t cipher_size;
    uint8_t fill; /* of both keys; 0: some */
};
#define SA_GCM                                                                                     \
    {                                                                                              \
        .type = ESP, .auth = GMAC(128), .cipher = GCM(128), .cipher_size = 20                      \
    }
#define SA_AH                                                                                      \
    {                                                                                              \
        .type = AH, .auth = SHA256, .auth_size = 32                                                \
    }

static const struct ipsec_id full_id = {
    .mm_target_name = "host/b.example.org",
    .em_target_name = "user@example.org",
    .explicit_credentials = UINT64_MAX,
    .token_count = IPSEC_TOKENS_MAX,
    .tokens = { { UINT64_MAX, IPSEC_TOKEN_IMPERSONATION, IPSEC_TOKEN_PEER, IPSEC_TOKEN_EXTENDED } },
};
static const struct ipsec_id nine_tokens = { .token_count = IPSEC_TOKENS_MAX + 1 };
static const struct ipsec_id odd_type = { .token_count = 1,
                                          .tokens = { { .type = IPSEC_TOKEN_TYPE_COUNT } } };
static const struct ipsec_id odd_principal = {
    .token_count = 1, .tokens = { { .principal = IPSEC_TOKEN_PRINCIPAL_COUNT } }
};
static const struct ipsec_id odd_mode = {
    .token_count = 2, .tokens = { { .token = 1 }, { .mode = IPSEC_TOKEN_MODE_COUNT } }
};
static const struct ipsec_id odd_name = { .em_target_name = "two\nlines" };

struct row {
    const char *name;
    struct sa_row sas[3];
    uint8_t count; /* 0: one */
    bool no_sas;
    bool outbound;
    bool allow_weak;
    bool ipv6;
    uint32_t flags;
    struct ipsec_udp_encapsulation udp;
    uint8_t pfs_group;
    uint32_t qm_sa_id;
    uint32_t peer_spi;
    uint16_t state_size; /* of the key module */
    const struct ipsec_id *id;
    enum ipsec_status expected;
};

/* --- Key lengths: exactly that of the transform --- */

static const struct {
    uint8_t auth;
    const char *name;
    uint8_t size;
    bool for_ah;
} auths[] = {
    { MD5, "HMAC_MD5_96", 16, true },         { SHA1, "HMAC_SHA_1_96", 20, true },
    { SHA256, "HMAC_SHA_256_128", 32, true }, { GMAC(128), "GCM_AES_128", 20, false },
    { GMAC(192), "GCM_AES_192", 28, false },  { GMAC(256), "GCM_AES_256", 36, false },
};
static const struct {
    uint8_t cipher;
    uint8_t auth; /* that goes with it */
    const char *name;
    uint8_t size;
} ciphers[] = {
    { DES, SHA1, "CBC_DES", 8 },
    { DES3, SHA1, "CBC_3DES", 24 },
    { CBC(128), SHA1, "AES_128", 16 },
    { CBC(192), SHA1, "AES_192", 24 },
    { CBC(256), SHA1, "AES_256", 32 },
    { GCM(128), GMAC(128), "GCM_AES_128", 20 },
    { GCM(192), GMAC(192), "GCM_AES_192", 28 },
    { GCM(256), GMAC(256), "GCM_AES_256", 36 },
};

/* --- Everything else --- */

static const struct row rows[] = {
    /* Which types take which transforms. */
    { "ESP with HMAC and CBC", { { ESP, SHA256, CBC(128), 32, 16, 0 } }, .expected = IPSEC_OK },
    { "ESP_AUTH_AND_CIPHER of one GCM", { SA_GCM }, .expected = IPSEC_OK },
    { "GCM whose authentication has another strength",
      { { ESP, GMAC(256), GCM(128), 0, 20, 0 } },
      .expected = BAD_CIPHER },
    { "a GCM cipher with HMAC", { { ESP, SHA256, GCM(128), 32, 20, 0 } }, .expected = BAD_CIPHER },
    { "a CBC cipher with GCM authentication",
      { { ESP, GMAC(128), CBC(128), 20, 16, 0 } },
      .expected = BAD_CIPHER },
    { "GCM with the cipher's key repeated for authentication",
      { { ESP, GMAC(128), GCM(128), 20, 20, 5 } },
      .expected = IPSEC_OK },
    { "ESP_CIPHER with GCM",
      { { ESP_CIPHER, 0, GCM(128), 0, 20, 0 } },
      .allow_weak = true,
      .expected = BAD_CIPHER },
    { "AH with GCM", { { AH, GMAC(128), 0, 20, 0, 0 } }, .allow_weak = true, .expected = BAD_AUTH },
    { "ESP_AUTH with GCM (GMAC)",
      { { ESP_AUTH, GMAC(128), 0, 20, 0, 0 } },
      .allow_weak = true,
      .expected = IPSEC_OK },
    { "ESP_AUTH_FW, which Linux has no counterpart of",
      { { ESP_FW, SHA1, 0, 20, 0, 0 } },
      .allow_weak = true,
      .expected = BAD_AUTH },
    { "a transform type of 0",
      { { 0, SHA1, CBC(128), 20, 16, 0 } },
      .expected = IPSEC_INVALID_ENUMERATOR },
    { "a transform type of MAX",
      { { 6, SHA1, CBC(128), 20, 16, 0 } },
      .expected = IPSEC_INVALID_ENUMERATOR },
    { "ESP_AUTH with a cipher",
      { { ESP_AUTH, SHA1, CBC(128), 20, 0, 0 } },
      .allow_weak = true,
      .expected = PARAMETER },
    { "ESP_CIPHER with an authentication",
      { { ESP_CIPHER, SHA1, CBC(128), 0, 16, 0 } },
      .allow_weak = true,
      .expected = PARAMETER },
    { "a key that the type does not use",
      { { ESP_AUTH, SHA1, 0, 20, 16, 0 } },
      .allow_weak = true,
      .expected = PARAMETER },

    /* Required members. */
    { "no SA", .no_sas = true, .expected = IPSEC_ZERO_LENGTH_ARRAY },
    { "three SAs", { SA_GCM, SA_AH, SA_AH }, .count = 3, .expected = IPSEC_OUT_OF_BOUNDS },
    { "no authentication transform", { { ESP, 0, CBC(128), 20, 16, 0 } }, .expected = MISSING },
    { "no cipher transform", { { ESP, SHA1, 0, 20, 16, 0 } }, .expected = MISSING },
    { "no authentication key", { { ESP, SHA1, CBC(128), 0, 16, 0 } }, .expected = MISSING },
    { "no cipher key", { { ESP, SHA1, CBC(128), 20, 0, 0 } }, .expected = MISSING },

    /* Two SAs: index 0 is ESP, index 1 AH. */
    { "ESP then AH", { SA_GCM, SA_AH }, .count = 2, .expected = IPSEC_OK },
    { "AH then ESP", { SA_AH, SA_GCM }, .count = 2, .expected = PARAMETER },
    { "two of ESP", { SA_GCM, SA_GCM }, .count = 2, .expected = PARAMETER },
    { "two of AH", { SA_AH, SA_AH }, .count = 2, .expected = PARAMETER },

    /* What is weak has to be allowed. */
    { "MD5", { { ESP, MD5, CBC(128), 16, 16, 0 } }, .expected = BAD_AUTH },
    { "MD5, allowed",
      { { ESP, MD5, CBC(128), 16, 16, 0 } },
      .allow_weak = true,
      .expected = IPSEC_OK },
    { "DES", { { ESP, SHA1, DES, 20, 8, 0 } }, .expected = BAD_CIPHER },
    { "3DES", { { ESP, SHA1, DES3, 20, 24, 0 } }, .expected = BAD_CIPHER },
    { "AH alone: nothing encrypts", { SA_AH }, .expected = BAD_CIPHER },
    { "AH alone, allowed", { SA_AH }, .allow_weak = true, .expected = IPSEC_OK },
    { "ESP_CIPHER alone: nothing authenticates",
      { { ESP_CIPHER, 0, CBC(128), 0, 16, 0 } },
      .expected = BAD_AUTH },
    { "ESP_CIPHER and AH",
      { { ESP_CIPHER, 0, CBC(128), 0, 16, 0 }, SA_AH },
      .count = 2,
      .expected = IPSEC_OK },

    /* Flags. */
    { "all flags of version 1",
      { SA_GCM },
      .flags = 0x00007eff & ~(uint32_t)IPSEC_SA_BUNDLE_CLEAR_DF_ON_TUNNEL,
      .expected = IPSEC_OK },
    { "flags that are stored only", { SA_GCM }, .flags = 0xf0ff8000, .expected = IPSEC_OK },
    { "the unassigned flag 0x100", { SA_GCM }, .flags = 0x100, .expected = IPSEC_INVALID_FLAGS },
    { "the unassigned flag 0x01000000",
      { SA_GCM },
      .flags = 0x01000000,
      .expected = IPSEC_INVALID_FLAGS },
    { "CLEAR_DF_ON_TUNNEL in transport mode",
      { SA_GCM },
      .flags = IPSEC_SA_BUNDLE_CLEAR_DF_ON_TUNNEL,
      .expected = IPSEC_INVALID_FLAGS },
    { "GUARANTEE_ENCRYPTION with a cipher",
      { SA_GCM },
      .flags = IPSEC_SA_BUNDLE_GUARANTEE_ENCRYPTION,
      .expected = IPSEC_OK },
    { "GUARANTEE_ENCRYPTION without a cipher",
      { SA_AH },
      .allow_weak = true,
      .flags = IPSEC_SA_BUNDLE_GUARANTEE_ENCRYPTION,
      .expected = BAD_CIPHER },

    /* UDP encapsulation: IPv4 and ESP only, both ports. */
    { "UDP encapsulation of ESP", { SA_GCM }, .udp = { 4500, 4500 }, .expected = IPSEC_OK },
    { "UDP encapsulation of AH",
      { SA_GCM, SA_AH },
      .count = 2,
      .udp = { 4500, 4500 },
      .expected = PARAMETER },
    { "UDP encapsulation over IPv6",
      { SA_GCM },
      .ipv6 = true,
      .udp = { 4500, 4500 },
      .expected = PARAMETER },
    { "an encapsulation port of 0",
      { SA_GCM },
      .udp = { 4500, 0 },
      .expected = IPSEC_OUT_OF_BOUNDS },

    /* The members around. */
    { "the last PFS group", { SA_GCM }, .pfs_group = IPSEC_PFS_24, .expected = IPSEC_OK },
    { "a PFS group of MAX",
      { SA_GCM },
      .pfs_group = IPSEC_PFS_COUNT,
      .expected = IPSEC_INVALID_ENUMERATOR },
    { "zero lifetime and idle timeout: no limit", { SA_GCM }, .expected = IPSEC_OK },
    { "key module state of 1024 bytes", { SA_GCM }, .state_size = 1024, .expected = IPSEC_OK },
    { "key module state of 1025 bytes",
      { SA_GCM },
      .state_size = 1025,
      .expected = IPSEC_OUT_OF_BOUNDS },
    { "an ipsecId", { SA_GCM }, .id = &full_id, .expected = IPSEC_OK },
    { "nine tokens in ipsecId", { SA_GCM }, .id = &nine_tokens, .expected = IPSEC_OUT_OF_BOUNDS },
    { "a token of type MAX", { SA_GCM }, .id = &odd_type, .expected = IPSEC_INVALID_ENUMERATOR },
    { "a token of principal MAX",
      { SA_GCM },
      .id = &odd_principal,
      .expected = IPSEC_INVALID_ENUMERATOR },
    { "a token of mode MAX", { SA_GCM }, .id = &odd_mode, .expected = IPSEC_INVALID_ENUMERATOR },
    { "a target name of two lines", { SA_GCM }, .id = &odd_name, .expected = PARAMETER },

    /* Outbound: the peer's SPI, and a pair with the inbound SAs (one of GCM-128, qmSaId 7). */
    { "the peer's SPI 255",
      { SA_GCM },
      .outbound = true,
      .peer_spi = 255,
      .expected = IPSEC_OUT_OF_BOUNDS },
    { "the peer's SPI 256", { SA_GCM }, .outbound = true, .peer_spi = 256, .expected = IPSEC_OK },
    { "other algorithms than inbound",
      { { ESP, SHA256, CBC(256), 32, 32, 0 } },
      .outbound = true,
      .expected = IPSEC_OK },
    { "another number of SAs than inbound",
      { SA_GCM, SA_AH },
      .count = 2,
      .outbound = true,
      .expected = PARAMETER },
    { "another transform type than inbound",
      { SA_AH },
      .outbound = true,
      .allow_weak = true,
      .expected = PARAMETER },
    { "the same qmSaId as inbound",
      { SA_GCM },
      .outbound = true,
      .qm_sa_id = 7,
      .expected = IPSEC_OK },
    { "no qmSaId where inbound has one", { SA_GCM }, .outbound = true, .expected = IPSEC_OK },
    { "another qmSaId than inbound",
      { SA_GCM },
      .outbound = true,
      .qm_sa_id = 8,
      .expected = PARAMETER },
    { "the GCM key of the inbound SA: nonces would repeat",
      { { ESP, GMAC(128), GCM(128), 0, 20, 1 } },
      .outbound = true,
      .expected = BAD_CIPHER },
};

/* --- Running a row ---------------------------------------------------------------------------- */

static void
fill_bundle(struct ipsec_sa_bundle_input *input, const struct row *row, uint32_t spi)
{
    struct ipsec_sa_bundle *bundle = &input->bundle;

    *input = (struct ipsec_sa_bundle_input){
        .bundle = { .flags = row->flags,
                    .udp_encapsulation = row->udp,
                    .pfs_group = row->pfs_group,
                    .qm_sa_id = row->qm_sa_id },
    };
    bundle->sa_count = row->no_sas ? 0 : row->count == 0 ? 1 : row->count;
    for (size_t i = 0; i < bundle->sa_count && i < IPSEC_SA_MAX; i++) {
        const struct sa_row *sa = &row->sas[i];
        uint8_t fill = sa->fill == 0 ? (uint8_t)(151 + 40 * i) : sa->fill;

        bundle->sas[i] = (struct ipsec_sa){
            .spi = spi,
            .transform = { .type = sa->type, .auth = sa->auth, .cipher = sa->cipher },
        };
        if (sa->auth_size > 0)
            wfp_set_key(&input->keys[i].auth, sa->auth_size, fill);
        if (sa->cipher_size > 0)
            wfp_set_key(&input->keys[i].cipher, sa->cipher_size, fill);
    }
    if (row->id != NULL) {
        bundle->ipsec_id = malloc(sizeof *bundle->ipsec_id);
        assert_non_null(bundle->ipsec_id);
        *bundle->ipsec_id = *row->id;
    }
    if (row->state_size > 0) {
        bundle->key_module_key.bytes[0] = 1;
        bundle->key_module_state = calloc(1, row->state_size);
        bundle->key_module_state_size = row->state_size;
    }
}

/* A context that waits for the bundle of the row. */
static uint64_t
waiting_context(struct wfp *wfp, const struct row *row)
{
    struct ipsec_traffic traffic = wfp_traffic(wfp);
    uint64_t id = 0;

    if (row->ipv6) {
        const struct ipsec_filter out = wfp_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V6);
        const struct ipsec_filter in = wfp_filter(IPSEC_LAYER_INBOUND_TRANSPORT_V6);

        traffic.ipsec_filter_id = wfp_add_filter(wfp, &out);
        (void)wfp_add_filter(wfp, &in);
        traffic.local_address = wfp_address("2001:db8::1");
        traffic.remote_address = wfp_address("2001:db8::2");
        traffic.ip_version = IPSEC_IP_VERSION_V6;
    }
    WFP_ASSERT(wfp_create(wfp, &traffic, &id), IPSEC_OK);
    WFP_ASSERT(wfp_call(wfp, WFP_GET_SPI, id), IPSEC_OK);
    if (!row->outbound)
        return id;

    struct ipsec_sa_bundle_input inbound = wfp_bundle(wfp_spi(wfp, id), 1);
    inbound.bundle.qm_sa_id = 7;
    struct wfp_call call = { .operation = WFP_ADD_INBOUND, .id = id, .bundle = &inbound };
    WFP_ASSERT(wfp_run(wfp, &call), IPSEC_OK);
    wfp_clear(&call);
    wfp_clear_bundle(&inbound);
    return id;
}

static void
check_row(const struct row *row)
{
    struct ipsec_engine_options options = wfp_options();
    struct ipsec_sa_bundle_input bundle;
    struct wfp wfp;

    options.allow_weak_transforms = row->allow_weak;
    wfp_open(&wfp, &options);
    wfp_furnish(&wfp);
    uint64_t id = waiting_context(&wfp, row);
    uint32_t peer_spi = row->peer_spi == 0 ? 0xabcdef01 : row->peer_spi;
    enum ipsec_sa_context_state before = wfp_state(&wfp, id);

    fill_bundle(&bundle, row, row->outbound ? peer_spi : wfp_spi(&wfp, id));
    struct wfp_call call = {
        .operation = row->outbound ? WFP_ADD_OUTBOUND : WFP_ADD_INBOUND,
        .id = id,
        .bundle = &bundle,
    };
    WFP_ASSERT(wfp_run(&wfp, &call), row->expected);
    if (row->expected != IPSEC_OK)
        assert_int_equal(wfp_state(&wfp, id), before);
    wfp_clear(&call);
    wfp_clear_bundle(&bundle);
    free(bundle.bundle.key_module_state);
    free(bundle.bundle.ipsec_id);
    wfp_close(&wfp);
}

static void
run_row(void **state)
{
    check_row(*state);
}

static void
run_auth_length(void **state)
{
    const size_t index = (size_t)((const uint8_t *)*state - &auths[0].auth) / sizeof auths[0];
    const uint8_t size = auths[index].size;

    for (int difference = -1; difference <= 1; difference++) {
        const struct row row = {
            .sas = { { .type = ESP_AUTH,
                       .auth = auths[index].auth,
                       .auth_size = (uint8_t)(size + difference) } },
            .allow_weak = true,
            .expected = difference == 0 ? IPSEC_OK : BAD_AUTH,
        };

        check_row(&row);
    }
    if (!auths[index].for_ah)
        return;
    const struct row row = {
        .sas = { { .type = AH, .auth = auths[index].auth, .auth_size = size } },
        .allow_weak = true,
    };
    check_row(&row);
}

static void
run_cipher_length(void **state)
{
    const size_t index = (size_t)((const uint8_t *)*state - &ciphers[0].cipher) / sizeof ciphers[0];
    const bool gcm = ciphers[index].auth != SHA1;

    for (int difference = -1; difference <= 1; difference++) {
        const struct row row = {
            .sas = { { .type = ESP,
                       .auth = ciphers[index].auth,
                       .cipher = ciphers[index].cipher,
                       .auth_size = gcm ? 0 : 20,
                       .cipher_size = (uint8_t)(ciphers[index].size + difference) } },
            .allow_weak = true,
            .expected = difference == 0 ? IPSEC_OK : BAD_CIPHER,
        };

        check_row(&row);
    }
}

/* --- Keys that protect nothing --- */

static const struct {
    const char *name;
    uint8_t cipher;
    uint8_t size;
    const char *bytes;
    enum ipsec_status expected;
} weak_keys[] = {
    { "all zero", CBC(128), 16, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", BAD_CIPHER },
    { "of GCM all zero but for the salt", GCM(128), 20, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0abcd",
      BAD_CIPHER },
    { "of DES among its weak keys", DES, 8, "\x01\x01\x01\x01\x01\x01\x01\x01", BAD_CIPHER },
    { "of DES among its semi-weak keys", DES, 8, "\x01\xfe\x01\xfe\x01\xfe\x01\xfe", BAD_CIPHER },
    { "of 3DES with two equal thirds", DES3, 24, "abcdefghabcdefghijklmnop", BAD_CIPHER },
    { "of 3DES with three different thirds", DES3, 24, "abcdefghIJKLMNOPqrstuvwx", IPSEC_OK },
};

static void
run_weak_key(void **state)
{
    const size_t index = (size_t)((const char *const *)*state - &weak_keys[0].name) /
                         (sizeof weak_keys[0] / sizeof(const char *));
    struct ipsec_engine_options options = wfp_options();
    bool gcm = weak_keys[index].cipher == GCM(128);
    const struct row row = {
        .sas = { { .type = ESP,
                   .auth = gcm ? GMAC(128) : SHA1,
                   .cipher = weak_keys[index].cipher,
                   .auth_size = gcm ? 0 : 20,
                   .cipher_size = weak_keys[index].size } },
    };
    struct ipsec_sa_bundle_input bundle;
    struct wfp wfp;

    options.allow_weak_transforms = true;
    wfp_open(&wfp, &options);
    wfp_furnish(&wfp);
    uint64_t id = wfp.contexts[IPSEC_SA_CONTEXT_SPI_SET];
    fill_bundle(&bundle, &row, wfp_spi(&wfp, id));
    memcpy(bundle.keys[0].cipher.bytes, weak_keys[index].bytes, weak_keys[index].size);
    struct wfp_call call = { .operation = WFP_ADD_INBOUND, .id = id, .bundle = &bundle };
    WFP_ASSERT(wfp_run(&wfp, &call), weak_keys[index].expected);
    wfp_clear(&call);
    wfp_clear_bundle(&bundle);
    wfp_close(&wfp);
}

/* --- What reading shows (4.7) --- */

static void
keys_are_never_read(void **state)
{
    struct ipsec_engine_options options = wfp_options();
    struct wfp wfp;

    (void)state;
    wfp_open(&wfp, &options);
    wfp_furnish(&wfp);
    struct wfp_call call = {
        .operation = WFP_GET_BY_ID,
        .id = wfp.contexts[IPSEC_SA_CONTEXT_ACTIVE],
    };
    WFP_ASSERT(wfp_run(&wfp, &call), IPSEC_OK);
    const struct ipsec_sa *sa = &call.context.inbound->sas[0];
    assert_int_equal(sa->transform.cipher, GCM(128));
    assert_int_equal(sa->cipher_key_length, 20);
    assert_int_equal(sa->spi, call.context.spi);
    assert_int_equal(call.context.outbound->sas[0].spi, 0xabcdef01);
    wfp_clear(&call);
    wfp_close(&wfp);
}

/* 4.4: what a keying module says with its SAs is kept, read and never judged. */
static void
what_a_keying_module_says_is_read_again(void **state)
{
    struct ipsec_engine_options options = wfp_options();
    struct ipsec_id id = full_id;
    struct wfp wfp;

    (void)state;
    wfp_open(&wfp, &options);
    wfp_furnish(&wfp);
    uint64_t context = wfp.contexts[IPSEC_SA_CONTEXT_SPI_SET];
    struct ipsec_sa_bundle_input bundle = wfp_bundle(wfp_spi(&wfp, context), 1);
    bundle.bundle.ipsec_id = &id;
    bundle.bundle.mm_sa_id = 5;
    bundle.bundle.nap_context = 6;
    bundle.bundle.qm_filter_id = 7;
    bundle.bundle.pfs_group = IPSEC_PFS_ECP_384;
    bundle.bundle.sa_lookup_context.bytes[0] = 8;
    struct wfp_call add = { .operation = WFP_ADD_INBOUND, .id = context, .bundle = &bundle };
    WFP_ASSERT(wfp_run(&wfp, &add), IPSEC_OK);
    wfp_clear(&add);
    wfp_clear_bundle(&bundle);

    struct wfp_call get = { .operation = WFP_GET_BY_ID, .id = context };
    WFP_ASSERT(wfp_run(&wfp, &get), IPSEC_OK);
    const struct ipsec_sa_bundle *inbound = get.context.inbound;
    assert_memory_equal(inbound->ipsec_id, &full_id, sizeof full_id);
    assert_ptr_not_equal(inbound->ipsec_id, &id);
    assert_int_equal(inbound->mm_sa_id, 5);
    assert_int_equal(inbound->nap_context, 6);
    assert_int_equal(inbound->qm_filter_id, 7);
    assert_int_equal(inbound->pfs_group, IPSEC_PFS_ECP_384);
    assert_int_equal(inbound->sa_lookup_context.bytes[0], 8);
    wfp_clear(&get);
    wfp_close(&wfp);
}

static void
directions_are_absent_before_they_are_added(void **state)
{
    struct ipsec_engine_options options = wfp_options();
    struct wfp wfp;

    (void)state;
    wfp_open(&wfp, &options);
    wfp_furnish(&wfp);
    for (unsigned i = 0; i <= IPSEC_SA_CONTEXT_EXPIRING; i++) {
        struct wfp_call call = { .operation = WFP_GET_BY_ID, .id = wfp.contexts[i] };

        WFP_ASSERT(wfp_run(&wfp, &call), IPSEC_OK);
        assert_int_equal(call.context.inbound != NULL, i >= IPSEC_SA_CONTEXT_INBOUND);
        assert_int_equal(call.context.outbound != NULL, i == IPSEC_SA_CONTEXT_ACTIVE);
        wfp_clear(&call);
    }
    wfp_close(&wfp);
}

int
main(void)
{
    struct wfp_suite suite = { .count = 0 };

    for (size_t i = 0; i < sizeof auths / sizeof *auths; i++)
        wfp_case(&suite, run_auth_length, &auths[i],
                 "%s takes a key of exactly %u bytes; FWP_E_INVALID_AUTH_TRANSFORM", auths[i].name,
                 auths[i].size);
    for (size_t i = 0; i < sizeof ciphers / sizeof *ciphers; i++)
        wfp_case(&suite, run_cipher_length, &ciphers[i],
                 "cipher %s takes a key of exactly %u bytes; FWP_E_INVALID_CIPHER_TRANSFORM",
                 ciphers[i].name, ciphers[i].size);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        wfp_case(&suite, run_row, &rows[i], "%s with %s: %s",
                 wfp_name(rows[i].outbound ? WFP_ADD_OUTBOUND : WFP_ADD_INBOUND), rows[i].name,
                 ipsec_status_name(rows[i].expected));
    for (size_t i = 0; i < sizeof weak_keys / sizeof *weak_keys; i++)
        wfp_case(&suite, run_weak_key, &weak_keys[i], "a key %s: %s", weak_keys[i].name,
                 ipsec_status_name(weak_keys[i].expected));
    wfp_case(&suite, keys_are_never_read, NULL,
             "IPsecSaContextGetById1 shows algorithms, SPIs and key lengths, and no key");
    wfp_case(&suite, what_a_keying_module_says_is_read_again, NULL,
             "IPsecSaContextGetById1 shows ipsecId, mmSaId, napContext, qmFilterId, pfsGroup and "
             "saLookupContext as they were added");
    wfp_case(&suite, directions_are_absent_before_they_are_added, NULL,
             "IPsecSaContextGetById1 shows a direction from its Add to its end");
    return wfp_run_suite(&suite, "WFP bundles");
}
