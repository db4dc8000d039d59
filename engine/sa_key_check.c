/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_key_check.c: see sa_key_check.h. */
#include "engine/sa_key_check.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/base/secret.h"
#include "engine/sa_transform.h"

enum { GCM_SALT_SIZE = 4, DES_KEY_SIZE = 8 };

/* What a key of a transform has to be. */
struct key_row {
    uint8_t size;
    bool gcm; /* the last bytes are salt */
};

static const struct key_row auth_rows[IPSEC_AUTH_TRANSFORM_COUNT] = {
    [IPSEC_AUTH_HMAC_MD5_96] = { .size = 16 },
    [IPSEC_AUTH_HMAC_SHA_1_96] = { .size = 20 },
    [IPSEC_AUTH_HMAC_SHA_256_128] = { .size = 32 },
    [IPSEC_AUTH_GCM_AES_128] = { .size = 20, .gcm = true },
    [IPSEC_AUTH_GCM_AES_192] = { .size = 28, .gcm = true },
    [IPSEC_AUTH_GCM_AES_256] = { .size = 36, .gcm = true },
};

static const struct key_row cipher_rows[IPSEC_CIPHER_TRANSFORM_COUNT] = {
    [IPSEC_CIPHER_CBC_DES] = { .size = 8 },
    [IPSEC_CIPHER_CBC_3DES] = { .size = 24 },
    [IPSEC_CIPHER_AES_128] = { .size = 16 },
    [IPSEC_CIPHER_AES_192] = { .size = 24 },
    [IPSEC_CIPHER_AES_256] = { .size = 32 },
    [IPSEC_CIPHER_GCM_AES_128] = { .size = 20, .gcm = true },
    [IPSEC_CIPHER_GCM_AES_192] = { .size = 28, .gcm = true },
    [IPSEC_CIPHER_GCM_AES_256] = { .size = 36, .gcm = true },
};

/* The weak and semi-weak keys of DES without their parity bits (NIST SP 800-67, 3.3.2). */
static const uint8_t weak_des_keys[][DES_KEY_SIZE] = {
    { 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 },
    { 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe },
    { 0xe0, 0xe0, 0xe0, 0xe0, 0xf0, 0xf0, 0xf0, 0xf0 },
    { 0x1e, 0x1e, 0x1e, 0x1e, 0x0e, 0x0e, 0x0e, 0x0e },
    { 0x00, 0x1e, 0x00, 0x1e, 0x00, 0x0e, 0x00, 0x0e },
    { 0x1e, 0x00, 0x1e, 0x00, 0x0e, 0x00, 0x0e, 0x00 },
    { 0x00, 0xe0, 0x00, 0xe0, 0x00, 0xf0, 0x00, 0xf0 },
    { 0xe0, 0x00, 0xe0, 0x00, 0xf0, 0x00, 0xf0, 0x00 },
    { 0x00, 0xfe, 0x00, 0xfe, 0x00, 0xfe, 0x00, 0xfe },
    { 0xfe, 0x00, 0xfe, 0x00, 0xfe, 0x00, 0xfe, 0x00 },
    { 0x1e, 0xe0, 0x1e, 0xe0, 0x0e, 0xf0, 0x0e, 0xf0 },
    { 0xe0, 0x1e, 0xe0, 0x1e, 0xf0, 0x0e, 0xf0, 0x0e },
    { 0x1e, 0xfe, 0x1e, 0xfe, 0x0e, 0xfe, 0x0e, 0xfe },
    { 0xfe, 0x1e, 0xfe, 0x1e, 0xfe, 0x0e, 0xfe, 0x0e },
    { 0xe0, 0xfe, 0xe0, 0xfe, 0xf0, 0xfe, 0xf0, 0xfe },
    { 0xfe, 0xe0, 0xfe, 0xe0, 0xfe, 0xf0, 0xfe, 0xf0 },
};

static enum ipsec_status check_auth_key(const struct ipsec_sa_transform *transform,
                                        const struct ipsec_sa_keys *keys,
                                        struct ipsec_fault *fault);
static enum ipsec_status check_cipher_key(const struct ipsec_sa_transform *transform,
                                          const struct secret *key,
                                          struct ipsec_fault *fault);
static enum ipsec_status refuse_key(struct ipsec_fault *fault,
                                    enum ipsec_status status,
                                    const char *pointer,
                                    size_t size,
                                    const struct key_row *row);
static bool key_is_zero(const struct secret *key, bool has_salt);
static bool key_is_weak_des(const uint8_t *key);
static bool key_is_degenerate_3des(const uint8_t *key);
static bool des_keys_equal(const uint8_t *a, const uint8_t *b);
static enum ipsec_status refuse(struct ipsec_fault *fault,
                                enum ipsec_status status,
                                const char *pointer,
                                const char *detail);

enum ipsec_status
sa_key_check_values(const struct ipsec_sa_transform *transform,
                    const struct ipsec_sa_keys *keys,
                    struct ipsec_fault *fault)
{
    bool encrypts = sa_transform_encrypts(transform);

    if (encrypts && keys->cipher.size == 0)
        return refuse_key(fault, IPSEC_NULL_POINTER, "/cipherKey", 0,
                          &cipher_rows[transform->cipher]);
    /* With GCM the cipher's key is that of both halves. */
    if (sa_transform_authenticates(transform) && keys->auth.size == 0 &&
        !(encrypts && sa_transform_is_gcm(transform)))
        return refuse_key(fault, IPSEC_NULL_POINTER, "/authKey", 0, &auth_rows[transform->auth]);
    return IPSEC_OK;
}

enum ipsec_status
sa_key_check_meaning(const struct ipsec_sa_transform *transform,
                     const struct ipsec_sa_keys *keys,
                     struct ipsec_fault *fault)
{
    enum ipsec_status status = IPSEC_OK;

    if (!sa_transform_authenticates(transform) && keys->auth.size > 0)
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/authKey",
                      "this saTransformType does not authenticate: leave it out");
    if (!sa_transform_encrypts(transform) && keys->cipher.size > 0)
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/cipherKey",
                      "this saTransformType does not encrypt: leave it out");
    if (sa_transform_encrypts(transform))
        status = check_cipher_key(transform, &keys->cipher, fault);
    if (status == IPSEC_OK && sa_transform_authenticates(transform))
        status = check_auth_key(transform, keys, fault);
    return status;
}

static enum ipsec_status
check_auth_key(const struct ipsec_sa_transform *transform,
               const struct ipsec_sa_keys *keys,
               struct ipsec_fault *fault)
{
    const struct key_row *row = &auth_rows[transform->auth];

    if (sa_transform_encrypts(transform) && row->gcm) {
        if (keys->auth.size == 0 || secret_equal(&keys->auth, &keys->cipher))
            return IPSEC_OK;
        return refuse(fault, IPSEC_INVALID_AUTH_TRANSFORM, "/authKey",
                      "GCM has one key: leave it out or repeat cipherKey");
    }
    if (keys->auth.size != row->size)
        return refuse_key(fault, IPSEC_INVALID_AUTH_TRANSFORM, "/authKey", keys->auth.size, row);
    if (key_is_zero(&keys->auth, row->gcm))
        return refuse(fault, IPSEC_INVALID_AUTH_TRANSFORM, "/authKey", "is all zeros");
    return IPSEC_OK;
}

static enum ipsec_status
check_cipher_key(const struct ipsec_sa_transform *transform,
                 const struct secret *key,
                 struct ipsec_fault *fault)
{
    const struct key_row *row = &cipher_rows[transform->cipher];

    if (key->size != row->size)
        return refuse_key(fault, IPSEC_INVALID_CIPHER_TRANSFORM, "/cipherKey", key->size, row);
    if (key_is_zero(key, row->gcm))
        return refuse(fault, IPSEC_INVALID_CIPHER_TRANSFORM, "/cipherKey", "is all zeros");
    if ((transform->cipher == IPSEC_CIPHER_CBC_DES && key_is_weak_des(key->bytes)) ||
        (transform->cipher == IPSEC_CIPHER_CBC_3DES && key_is_degenerate_3des(key->bytes)))
        return refuse(fault, IPSEC_INVALID_CIPHER_TRANSFORM, "/cipherKey",
                      "is one of the weak keys of DES");
    return IPSEC_OK;
}

/* Says how long it has to be; 'size' is how long it is, 0: there is none. */
static enum ipsec_status
refuse_key(struct ipsec_fault *fault,
           enum ipsec_status status,
           const char *pointer,
           size_t size,
           const struct key_row *row)
{
    char detail[sizeof fault->detail];
    char parts[48] = "";
    /* Hexadecimal digits are base64, too, and then half as many bytes again. */
    const char *hint =
        2 * size == 3 * (size_t)row->size ? "; if it is hexadecimal, put hex: before it" : "";

    if (row->gcm)
        (void)snprintf(parts, sizeof parts, ": %d of key, then %d of salt",
                       row->size - GCM_SALT_SIZE, GCM_SALT_SIZE);
    if (size == 0)
        (void)snprintf(detail, sizeof detail, "the transform needs a key of %u bytes%s", row->size,
                       parts);
    else
        (void)snprintf(detail, sizeof detail, "is %zu byte%s long; the transform needs %u%s%s",
                       size, size == 1 ? "" : "s", row->size, parts, hint);
    return refuse(fault, status, pointer, detail);
}

static bool
key_is_zero(const struct secret *key, bool has_salt)
{
    const struct secret without_salt = { .bytes = key->bytes,
                                         .size = key->size - (has_salt ? GCM_SALT_SIZE : 0) };

    return secret_is_zero(&without_salt);
}

/* In a time that does not depend on the key. */
static bool
key_is_weak_des(const uint8_t *key)
{
    bool weak = false;

    for (size_t i = 0; i < sizeof weak_des_keys / sizeof *weak_des_keys; i++)
        weak |= des_keys_equal(key, weak_des_keys[i]);
    return weak;
}

/* Two equal neighbours leave single DES. */
static bool
key_is_degenerate_3des(const uint8_t *key)
{
    bool weak = des_keys_equal(key, key + DES_KEY_SIZE);

    weak |= des_keys_equal(key + DES_KEY_SIZE, key + (size_t)2 * DES_KEY_SIZE);
    for (size_t i = 0; i < 3; i++)
        weak |= key_is_weak_des(key + i * DES_KEY_SIZE);
    return weak;
}

/* But for the parity bits. */
static bool
des_keys_equal(const uint8_t *a, const uint8_t *b)
{
    uint8_t difference = 0;

    for (size_t i = 0; i < DES_KEY_SIZE; i++)
        difference |= (uint8_t)((a[i] ^ b[i]) & 0xfe);
    return difference == 0;
}

static enum ipsec_status
refuse(struct ipsec_fault *fault, enum ipsec_status status, const char *pointer, const char *detail)
{
    return ipsec_fault_set(fault, status, IPSEC_FAULT_BODY, pointer, "%s", detail);
}
