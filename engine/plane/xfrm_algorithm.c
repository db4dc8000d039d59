/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_algorithm.c: which of the kernel's algorithms a WFP transform means. */
#include "engine/plane/xfrm_algorithm.h"

#include <netinet/in.h>

struct algorithm {
    const char *name; /* null: no counterpart */
    uint16_t key_bits;
    uint16_t icv_bits;
};

#define ICV_BITS 128
#define BITS(bytes) ((uint16_t)((bytes)*8))

static const struct algorithm auths[IPSEC_AUTH_TRANSFORM_COUNT] = {
    [IPSEC_AUTH_HMAC_MD5_96] = { "hmac(md5)", 128, 96 },
    [IPSEC_AUTH_HMAC_SHA_1_96] = { "hmac(sha1)", 160, 96 },
    [IPSEC_AUTH_HMAC_SHA_256_128] = { "hmac(sha256)", 256, 128 },
    /* GCM without encryption is GMAC, to the kernel an AEAD. */
    [IPSEC_AUTH_GCM_AES_128] = { "rfc4543(gcm(aes))", 160, ICV_BITS },
    [IPSEC_AUTH_GCM_AES_192] = { "rfc4543(gcm(aes))", 224, ICV_BITS },
    [IPSEC_AUTH_GCM_AES_256] = { "rfc4543(gcm(aes))", 288, ICV_BITS },
};

/* A GCM key is the AES key and 4 bytes of salt, in WFP as in RFC 4106. */
static const struct algorithm ciphers[IPSEC_CIPHER_TRANSFORM_COUNT] = {
    [IPSEC_CIPHER_CBC_DES] = { "cbc(des)", 64, 0 },
    [IPSEC_CIPHER_CBC_3DES] = { "cbc(des3_ede)", 192, 0 },
    [IPSEC_CIPHER_AES_128] = { "cbc(aes)", 128, 0 },
    [IPSEC_CIPHER_AES_192] = { "cbc(aes)", 192, 0 },
    [IPSEC_CIPHER_AES_256] = { "cbc(aes)", 256, 0 },
    [IPSEC_CIPHER_GCM_AES_128] = { "rfc4106(gcm(aes))", 160, ICV_BITS },
    [IPSEC_CIPHER_GCM_AES_192] = { "rfc4106(gcm(aes))", 224, ICV_BITS },
    [IPSEC_CIPHER_GCM_AES_256] = { "rfc4106(gcm(aes))", 288, ICV_BITS },
};

/* ESP wants a cipher even where nothing is to be encrypted. */
static const struct kernel_algorithm null_cipher = { .name = "ecb(cipher_null)" };

// clang-format off
#define ROW(type_name, auth_name, cipher_name, auth_size, cipher_size, text)                        \
    { text, { IPSEC_TRANSFORM_##type_name, IPSEC_AUTH_##auth_name, IPSEC_CIPHER_##cipher_name },    \
      auth_size, cipher_size }
static const struct xfrm_transform transforms[] = {
    ROW(ESP_AUTH_AND_CIPHER, GCM_AES_128, GCM_AES_128, 0, 20, "ESP_AUTH_AND_CIPHER GCM_AES_128"),
    ROW(ESP_AUTH_AND_CIPHER, GCM_AES_192, GCM_AES_192, 0, 28, "ESP_AUTH_AND_CIPHER GCM_AES_192"),
    ROW(ESP_AUTH_AND_CIPHER, GCM_AES_256, GCM_AES_256, 0, 36, "ESP_AUTH_AND_CIPHER GCM_AES_256"),
    ROW(ESP_AUTH_AND_CIPHER, HMAC_SHA_256_128, AES_128, 32, 16, "ESP_AUTH_AND_CIPHER HMAC_SHA_256_128 AES_128"),
    ROW(ESP_AUTH_AND_CIPHER, HMAC_SHA_256_128, AES_192, 32, 24, "ESP_AUTH_AND_CIPHER HMAC_SHA_256_128 AES_192"),
    ROW(ESP_AUTH_AND_CIPHER, HMAC_SHA_256_128, AES_256, 32, 32, "ESP_AUTH_AND_CIPHER HMAC_SHA_256_128 AES_256"),
    ROW(ESP_AUTH_AND_CIPHER, HMAC_SHA_1_96, AES_128, 20, 16, "ESP_AUTH_AND_CIPHER HMAC_SHA_1_96 AES_128"),
    ROW(ESP_AUTH_AND_CIPHER, HMAC_SHA_1_96, AES_192, 20, 24, "ESP_AUTH_AND_CIPHER HMAC_SHA_1_96 AES_192"),
    ROW(ESP_AUTH_AND_CIPHER, HMAC_SHA_1_96, AES_256, 20, 32, "ESP_AUTH_AND_CIPHER HMAC_SHA_1_96 AES_256"),
    ROW(ESP_AUTH, HMAC_SHA_256_128, NONE, 32, 0, "ESP_AUTH HMAC_SHA_256_128"),
    ROW(ESP_AUTH, HMAC_SHA_1_96, NONE, 20, 0, "ESP_AUTH HMAC_SHA_1_96"),
    ROW(ESP_AUTH, GCM_AES_128, NONE, 20, 0, "ESP_AUTH GCM_AES_128"),
    ROW(ESP_AUTH, GCM_AES_192, NONE, 28, 0, "ESP_AUTH GCM_AES_192"),
    ROW(ESP_AUTH, GCM_AES_256, NONE, 36, 0, "ESP_AUTH GCM_AES_256"),
    ROW(AH, HMAC_SHA_256_128, NONE, 32, 0, "AH HMAC_SHA_256_128"),
    ROW(AH, HMAC_SHA_1_96, NONE, 20, 0, "AH HMAC_SHA_1_96"),
    ROW(AH, HMAC_MD5_96, NONE, 16, 0, "AH HMAC_MD5_96"),
    ROW(ESP_AUTH, HMAC_MD5_96, NONE, 16, 0, "ESP_AUTH HMAC_MD5_96"),
    ROW(ESP_AUTH_AND_CIPHER, HMAC_MD5_96, CBC_DES, 16, 8, "ESP_AUTH_AND_CIPHER HMAC_MD5_96 CBC_DES"),
    ROW(ESP_AUTH_AND_CIPHER, HMAC_SHA_1_96, CBC_3DES, 20, 24, "ESP_AUTH_AND_CIPHER HMAC_SHA_1_96 CBC_3DES"),
    ROW(ESP_CIPHER, NONE, AES_128, 0, 16, "ESP_CIPHER AES_128"),
};
// clang-format on

static bool
take(const struct algorithm *algorithm, const struct secret *key, struct kernel_algorithm *out)
{
    if (key == NULL || BITS(key->size) != algorithm->key_bits)
        return false;
    *out = (struct kernel_algorithm){
        .name = algorithm->name,
        .key = key->bytes,
        .key_bits = algorithm->key_bits,
        .icv_bits = algorithm->icv_bits,
    };
    return true;
}

static bool
is_gcm_auth(uint8_t auth)
{
    return auth >= IPSEC_AUTH_GCM_AES_128 && auth <= IPSEC_AUTH_GCM_AES_256;
}

static bool
is_gcm_cipher(uint8_t cipher)
{
    return cipher >= IPSEC_CIPHER_GCM_AES_128 && cipher <= IPSEC_CIPHER_GCM_AES_256;
}

static enum ipsec_status
choose_both(const struct ipsec_sa_transform *transform,
            const struct secret *auth_key,
            const struct secret *cipher_key,
            struct kernel_sa *sa)
{
    const struct algorithm *cipher = &ciphers[transform->cipher];

    if (is_gcm_cipher(transform->cipher)) {
        /* One algorithm with one key does both; the authentication has to name the same. */
        if (!is_gcm_auth(transform->auth) || transform->auth - IPSEC_AUTH_GCM_AES_128 !=
                                                 transform->cipher - IPSEC_CIPHER_GCM_AES_128)
            return IPSEC_INVALID_AUTH_TRANSFORM;
        return take(cipher, cipher_key, &sa->aead) ? IPSEC_OK : IPSEC_INVALID_PARAMETER;
    }
    if (is_gcm_auth(transform->auth))
        return IPSEC_INVALID_AUTH_TRANSFORM;
    return take(&auths[transform->auth], auth_key, &sa->auth) &&
                   take(cipher, cipher_key, &sa->cipher)
               ? IPSEC_OK
               : IPSEC_INVALID_PARAMETER;
}

static enum ipsec_status
choose_auth(const struct ipsec_sa_transform *transform,
            const struct secret *auth_key,
            struct kernel_sa *sa)
{
    struct kernel_algorithm *room = is_gcm_auth(transform->auth) ? &sa->aead : &sa->auth;

    if (!take(&auths[transform->auth], auth_key, room))
        return IPSEC_INVALID_PARAMETER;
    if (room == &sa->auth && transform->type == IPSEC_TRANSFORM_ESP_AUTH)
        sa->cipher = null_cipher;
    return IPSEC_OK;
}

enum ipsec_status
xfrm_algorithm_choose(const struct ipsec_sa_transform *transform,
                      const struct secret *auth_key,
                      const struct secret *cipher_key,
                      struct kernel_sa *sa)
{
    bool has_auth =
        transform->auth < IPSEC_AUTH_TRANSFORM_COUNT && auths[transform->auth].name != NULL;
    bool has_cipher =
        transform->cipher < IPSEC_CIPHER_TRANSFORM_COUNT && ciphers[transform->cipher].name != NULL;

    sa->aead = sa->auth = sa->cipher = (struct kernel_algorithm){ .name = NULL };
    sa->protocol = xfrm_algorithm_protocol(transform->type);
    switch (transform->type) {
    case IPSEC_TRANSFORM_AH:
        if (!has_auth || is_gcm_auth(transform->auth))
            return IPSEC_INVALID_AUTH_TRANSFORM;
        return choose_auth(transform, auth_key, sa);
    case IPSEC_TRANSFORM_ESP_AUTH:
        if (!has_auth)
            return IPSEC_INVALID_AUTH_TRANSFORM;
        return choose_auth(transform, auth_key, sa);
    case IPSEC_TRANSFORM_ESP_CIPHER:
        if (!has_cipher || is_gcm_cipher(transform->cipher))
            return IPSEC_INVALID_CIPHER_TRANSFORM;
        return take(&ciphers[transform->cipher], cipher_key, &sa->cipher) ? IPSEC_OK
                                                                          : IPSEC_INVALID_PARAMETER;
    case IPSEC_TRANSFORM_ESP_AUTH_AND_CIPHER:
        if (!has_auth)
            return IPSEC_INVALID_AUTH_TRANSFORM;
        if (!has_cipher)
            return IPSEC_INVALID_CIPHER_TRANSFORM;
        return choose_both(transform, auth_key, cipher_key, sa);
    default:
        return IPSEC_INVALID_AUTH_TRANSFORM;
    }
}

uint8_t
xfrm_algorithm_protocol(uint8_t transform_type)
{
    return transform_type == IPSEC_TRANSFORM_AH ? IPPROTO_AH : IPPROTO_ESP;
}

const struct xfrm_transform *
xfrm_algorithm_list(size_t index)
{
    return index < sizeof transforms / sizeof *transforms ? &transforms[index] : NULL;
}
