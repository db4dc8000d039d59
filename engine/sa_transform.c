/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_transform.c: see sa_transform.h. */
#include "engine/sa_transform.h"

static unsigned strength_of_auth(uint8_t auth);
static unsigned strength_of_cipher(uint8_t cipher);
static enum ipsec_status refuse(struct ipsec_fault *fault,
                                enum ipsec_status status,
                                const char *pointer,
                                const char *detail);

enum ipsec_status
sa_transform_check_values(const struct ipsec_sa_transform *transform, struct ipsec_fault *fault)
{
    if (transform->type < IPSEC_TRANSFORM_AH || transform->type > IPSEC_TRANSFORM_ESP_AUTH_FW)
        return refuse(fault, IPSEC_INVALID_ENUMERATOR, "/saTransformType", "is no transform type");
    if (transform->auth >= IPSEC_AUTH_TRANSFORM_COUNT)
        return refuse(fault, IPSEC_INVALID_ENUMERATOR, "/authTransform",
                      "is no authentication transform");
    if (transform->cipher >= IPSEC_CIPHER_TRANSFORM_COUNT)
        return refuse(fault, IPSEC_INVALID_ENUMERATOR, "/cipherTransform",
                      "is no cipher transform");
    if (sa_transform_authenticates(transform) && transform->auth == IPSEC_AUTH_NONE)
        return refuse(fault, IPSEC_NULL_POINTER, "/authTransform",
                      "this saTransformType needs an authTransform");
    if (sa_transform_encrypts(transform) && transform->cipher == IPSEC_CIPHER_NONE)
        return refuse(fault, IPSEC_NULL_POINTER, "/cipherTransform",
                      "this saTransformType needs a cipherTransform");
    return IPSEC_OK;
}

enum ipsec_status
sa_transform_check_meaning(const struct ipsec_sa_transform *transform, struct ipsec_fault *fault)
{
    bool authenticates = sa_transform_authenticates(transform);
    bool encrypts = sa_transform_encrypts(transform);
    unsigned auth = strength_of_auth(transform->auth);
    unsigned cipher = strength_of_cipher(transform->cipher);

    if (transform->type == IPSEC_TRANSFORM_ESP_AUTH_FW)
        return refuse(fault, IPSEC_INVALID_AUTH_TRANSFORM, "/saTransformType",
                      "protecting the first packet only is not possible here");
    if (!authenticates && transform->auth != IPSEC_AUTH_NONE)
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/authTransform",
                      "this saTransformType does not authenticate: leave it out");
    if (!encrypts && transform->cipher != IPSEC_CIPHER_NONE)
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/cipherTransform",
                      "this saTransformType does not encrypt: leave it out");
    if (transform->type == IPSEC_TRANSFORM_AH && auth != 0)
        return refuse(fault, IPSEC_INVALID_AUTH_TRANSFORM, "/authTransform", "AH has no GCM");
    if (!authenticates && cipher != 0)
        return refuse(fault, IPSEC_INVALID_CIPHER_TRANSFORM, "/cipherTransform",
                      "GCM authenticates too: the type is espAuthAndCipher");
    if (authenticates && encrypts && auth != cipher)
        return refuse(fault, IPSEC_INVALID_CIPHER_TRANSFORM, "/cipherTransform",
                      "GCM is both authentication and cipher, of one strength");
    return IPSEC_OK;
}

bool
sa_transform_authenticates(const struct ipsec_sa_transform *transform)
{
    return transform->type != IPSEC_TRANSFORM_ESP_CIPHER;
}

bool
sa_transform_encrypts(const struct ipsec_sa_transform *transform)
{
    return transform->type == IPSEC_TRANSFORM_ESP_CIPHER ||
           transform->type == IPSEC_TRANSFORM_ESP_AUTH_AND_CIPHER;
}

bool
sa_transform_is_gcm(const struct ipsec_sa_transform *transform)
{
    return strength_of_auth(transform->auth) != 0 || strength_of_cipher(transform->cipher) != 0;
}

bool
sa_transform_has_weak_auth(const struct ipsec_sa_transform *transform)
{
    return transform->auth == IPSEC_AUTH_HMAC_MD5_96;
}

bool
sa_transform_has_weak_cipher(const struct ipsec_sa_transform *transform)
{
    return transform->cipher == IPSEC_CIPHER_CBC_DES || transform->cipher == IPSEC_CIPHER_CBC_3DES;
}

/* Bits of a GCM algorithm, 0 for the others. */
static unsigned
strength_of_auth(uint8_t auth)
{
    return auth == IPSEC_AUTH_GCM_AES_128   ? 128
           : auth == IPSEC_AUTH_GCM_AES_192 ? 192
           : auth == IPSEC_AUTH_GCM_AES_256 ? 256
                                            : 0;
}

static unsigned
strength_of_cipher(uint8_t cipher)
{
    return cipher == IPSEC_CIPHER_GCM_AES_128   ? 128
           : cipher == IPSEC_CIPHER_GCM_AES_192 ? 192
           : cipher == IPSEC_CIPHER_GCM_AES_256 ? 256
                                                : 0;
}

static enum ipsec_status
refuse(struct ipsec_fault *fault, enum ipsec_status status, const char *pointer, const char *detail)
{
    return ipsec_fault_set(fault, status, IPSEC_FAULT_BODY, pointer, "%s", detail);
}
