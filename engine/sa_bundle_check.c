/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_bundle_check.c: what makes an SA bundle valid: the rules about what goes together. */
#include "engine/sa_bundle.h"

#include <stdio.h>

#include "engine/ipsec_id.h"
#include "engine/sa_key_check.h"
#include "engine/sa_transform.h"

enum { SPI_RESERVED = 256, POINTER_SIZE = 48 };

/* All flags of WFP, with an effect here or without; 0x100 and 0x01000000 to 0x08000000 are
 * unassigned. */
#define BUNDLE_FLAGS UINT32_C(0xf0fffeff)

static enum ipsec_status check_sa_values(const struct ipsec_sa_bundle_input *input,
                                         size_t index,
                                         enum ipsec_direction direction,
                                         struct ipsec_fault *fault);
static enum ipsec_status check_order(const struct ipsec_sa_bundle *bundle,
                                     struct ipsec_fault *fault);
static enum ipsec_status
check_transform(const struct ipsec_sa *sa, size_t index, struct ipsec_fault *fault);
static enum ipsec_status
check_keys(const struct ipsec_sa_bundle_input *input, size_t index, struct ipsec_fault *fault);
static enum ipsec_status check_strength(const struct ipsec_sa_bundle *bundle,
                                        struct ipsec_fault *fault);
static enum ipsec_status check_spis(const struct ipsec_sa_bundle *bundle,
                                    const struct sa_bundle_place *place,
                                    struct ipsec_fault *fault);
static enum ipsec_status check_pair(const struct ipsec_sa_bundle *bundle,
                                    const struct ipsec_sa_bundle *other,
                                    struct ipsec_fault *fault);
static enum ipsec_status check_flags_meaning(const struct ipsec_sa_bundle *bundle,
                                             const struct ipsec_traffic *traffic,
                                             struct ipsec_fault *fault);
static enum ipsec_status check_ports(const struct ipsec_udp_encapsulation *ports,
                                     struct ipsec_fault *fault);
static enum ipsec_status check_encapsulation(const struct ipsec_sa_bundle *bundle,
                                             const struct ipsec_traffic *traffic,
                                             struct ipsec_fault *fault);
static enum ipsec_status check_private_address(const struct ipsec_sa_bundle *bundle,
                                               const struct ipsec_traffic *traffic,
                                               struct ipsec_fault *fault);
static enum ipsec_status check_key_module_state(const struct ipsec_sa_bundle *bundle,
                                                struct ipsec_fault *fault);
static bool is_encrypted(const struct ipsec_sa_bundle *bundle);
static bool is_authenticated(const struct ipsec_sa_bundle *bundle);
static bool has_ah(const struct ipsec_sa_bundle *bundle);
static bool is_zero(const void *bytes, size_t size);
static enum ipsec_status refuse(struct ipsec_fault *fault,
                                enum ipsec_status status,
                                const char *pointer,
                                const char *detail);
static enum ipsec_status in_sa(struct ipsec_fault *fault, enum ipsec_status status, size_t index);
static enum ipsec_status refuse_sa(struct ipsec_fault *fault,
                                   enum ipsec_status status,
                                   size_t index,
                                   const char *member,
                                   const char *detail);

enum ipsec_status
sa_bundle_check_values(const struct ipsec_sa_bundle_input *input,
                       enum ipsec_direction direction,
                       struct ipsec_fault *fault)
{
    const struct ipsec_sa_bundle *bundle = &input->bundle;
    enum ipsec_status status;

    if (bundle->sa_count == 0)
        return refuse(fault, IPSEC_ZERO_LENGTH_ARRAY, "/saList",
                      "a bundle must have one or two SAs");
    if (bundle->sa_count > IPSEC_SA_MAX)
        return refuse(fault, IPSEC_OUT_OF_BOUNDS, "/saList", "a bundle must have one or two SAs");
    for (size_t i = 0; i < bundle->sa_count; i++) {
        status = check_sa_values(input, i, direction, fault);
        if (status != IPSEC_OK)
            return status;
    }
    return sa_bundle_check_update(
        bundle, IPSEC_UPDATE_FLAGS | IPSEC_UPDATE_UDP_ENCAPSULATION | IPSEC_UPDATE_KEY_MODULE_STATE,
        fault);
}

enum ipsec_status
sa_bundle_check_meaning(const struct ipsec_sa_bundle_input *input,
                        const struct sa_bundle_place *place,
                        struct ipsec_fault *fault)
{
    const struct ipsec_sa_bundle *bundle = &input->bundle;
    enum ipsec_status status;

    status = check_order(bundle, fault);
    for (size_t i = 0; i < bundle->sa_count && status == IPSEC_OK; i++)
        status = check_transform(&bundle->sas[i], i, fault);
    if (status == IPSEC_OK && !place->allow_weak)
        status = check_strength(bundle, fault);
    for (size_t i = 0; i < bundle->sa_count && status == IPSEC_OK; i++)
        status = check_keys(input, i, fault);
    if (status == IPSEC_OK)
        status = sa_bundle_check_changed(bundle, place->traffic, UINT32_MAX, fault);
    if (status == IPSEC_OK)
        status = check_spis(bundle, place, fault);
    if (status == IPSEC_OK && place->other != NULL)
        status = check_pair(bundle, place->other, fault);
    return status;
}

enum ipsec_status
sa_bundle_check_update(const struct ipsec_sa_bundle *bundle,
                       uint32_t parts,
                       struct ipsec_fault *fault)
{
    if ((parts & IPSEC_UPDATE_FLAGS) != 0 && (bundle->flags & ~BUNDLE_FLAGS) != 0)
        return refuse(fault, IPSEC_INVALID_FLAGS, "/flags", "has an unknown flag");
    if (bundle->pfs_group >= IPSEC_PFS_COUNT)
        return refuse(fault, IPSEC_INVALID_ENUMERATOR, "/pfsGroup", "is no group");
    if ((parts & IPSEC_UPDATE_UDP_ENCAPSULATION) != 0) {
        enum ipsec_status status = check_ports(&bundle->udp_encapsulation, fault);

        if (status != IPSEC_OK)
            return status;
    }
    if ((parts & IPSEC_UPDATE_KEY_MODULE_STATE) != 0) {
        enum ipsec_status status = check_key_module_state(bundle, fault);

        if (status != IPSEC_OK)
            return status;
    }
    return bundle->ipsec_id == NULL ? IPSEC_OK : ipsec_id_check(bundle->ipsec_id, fault);
}

enum ipsec_status
sa_bundle_check_changed(const struct ipsec_sa_bundle *changed,
                        const struct ipsec_traffic *traffic,
                        uint32_t parts,
                        struct ipsec_fault *fault)
{
    enum ipsec_status status = IPSEC_OK;

    if ((parts & IPSEC_UPDATE_FLAGS) != 0)
        status = check_flags_meaning(changed, traffic, fault);
    if (status == IPSEC_OK && (parts & IPSEC_UPDATE_UDP_ENCAPSULATION) != 0)
        status = check_encapsulation(changed, traffic, fault);
    if (status == IPSEC_OK && (parts & IPSEC_UPDATE_PEER_V4_PRIVATE_ADDRESS) != 0)
        status = check_private_address(changed, traffic, fault);
    return status;
}

bool
sa_bundle_is_plausible(const struct ipsec_sa_bundle *bundle,
                       enum ipsec_direction direction,
                       const struct ipsec_traffic *traffic)
{
    if (bundle->sa_count == 0 || bundle->sa_count > IPSEC_SA_MAX ||
        check_order(bundle, NULL) != IPSEC_OK ||
        sa_bundle_check_update(bundle, UINT32_MAX, NULL) != IPSEC_OK ||
        sa_bundle_check_changed(bundle, traffic, UINT32_MAX, NULL) != IPSEC_OK)
        return false;
    for (size_t i = 0; i < bundle->sa_count; i++) {
        const struct ipsec_sa *sa = &bundle->sas[i];

        if (sa->transform.auth >= IPSEC_AUTH_TRANSFORM_COUNT ||
            sa->transform.cipher >= IPSEC_CIPHER_TRANSFORM_COUNT ||
            check_transform(sa, i, NULL) != IPSEC_OK || sa->spi < SPI_RESERVED ||
            (direction == IPSEC_DIRECTION_INBOUND && sa->spi != bundle->sas[0].spi))
            return false;
    }
    return true;
}

bool
sa_uses_nonces(const struct ipsec_sa *sa)
{
    return sa_transform_is_gcm(&sa->transform);
}

bool
sa_is_encrypted(const struct ipsec_sa *sa)
{
    return sa_transform_encrypts(&sa->transform);
}

/* --- One SA --- */

static enum ipsec_status
check_sa_values(const struct ipsec_sa_bundle_input *input,
                size_t index,
                enum ipsec_direction direction,
                struct ipsec_fault *fault)
{
    const struct ipsec_sa *sa = &input->bundle.sas[index];
    enum ipsec_status status = sa_transform_check_values(&sa->transform, fault);

    if (status == IPSEC_OK)
        status = sa_key_check_values(&sa->transform, &input->keys[index], fault);
    if (status != IPSEC_OK)
        return in_sa(fault, status, index);
    if (direction == IPSEC_DIRECTION_OUTBOUND && sa->spi < SPI_RESERVED)
        return refuse_sa(fault, IPSEC_OUT_OF_BOUNDS, index, "spi",
                         "the peer's SPI is 256 or above; RFC 4303 reserves the others");
    return IPSEC_OK;
}

static enum ipsec_status
check_order(const struct ipsec_sa_bundle *bundle, struct ipsec_fault *fault)
{
    if (bundle->sa_count == 1)
        return IPSEC_OK;
    if (bundle->sas[0].transform.type == IPSEC_TRANSFORM_AH)
        return refuse_sa(fault, IPSEC_INVALID_PARAMETER, 0, "saTransformType",
                         "of two SAs the first must be ESP");
    if (bundle->sas[1].transform.type != IPSEC_TRANSFORM_AH)
        return refuse_sa(fault, IPSEC_INVALID_PARAMETER, 1, "saTransformType",
                         "of two SAs the second must be AH");
    return IPSEC_OK;
}

/* Whether the SA's type and algorithms go together. */
static enum ipsec_status
check_transform(const struct ipsec_sa *sa, size_t index, struct ipsec_fault *fault)
{
    enum ipsec_status status = sa_transform_check_meaning(&sa->transform, fault);

    return status == IPSEC_OK ? status : in_sa(fault, status, index);
}

static enum ipsec_status
check_keys(const struct ipsec_sa_bundle_input *input, size_t index, struct ipsec_fault *fault)
{
    enum ipsec_status status =
        sa_key_check_meaning(&input->bundle.sas[index].transform, &input->keys[index], fault);

    return status == IPSEC_OK ? status : in_sa(fault, status, index);
}

/* MD5, DES, 3DES, and what leaves either encryption or integrity out. */
static enum ipsec_status
check_strength(const struct ipsec_sa_bundle *bundle, struct ipsec_fault *fault)
{
    for (size_t i = 0; i < bundle->sa_count; i++) {
        if (sa_transform_has_weak_auth(&bundle->sas[i].transform))
            return refuse_sa(fault, IPSEC_INVALID_AUTH_TRANSFORM, i, "authTransform",
                             "is weak, and the option allow-weak-transforms is off");
        if (sa_transform_has_weak_cipher(&bundle->sas[i].transform))
            return refuse_sa(fault, IPSEC_INVALID_CIPHER_TRANSFORM, i, "cipherTransform",
                             "is weak, and the option allow-weak-transforms is off");
    }
    if (!is_encrypted(bundle))
        return refuse_sa(fault, IPSEC_INVALID_CIPHER_TRANSFORM, 0, "saTransformType",
                         "nothing encrypts, and the option allow-weak-transforms is off");
    if (!is_authenticated(bundle))
        return refuse_sa(fault, IPSEC_INVALID_AUTH_TRANSFORM, 0, "saTransformType",
                         "nothing authenticates, and the option allow-weak-transforms is off");
    return IPSEC_OK;
}

/* --- What goes together --- */

static enum ipsec_status
check_spis(const struct ipsec_sa_bundle *bundle,
           const struct sa_bundle_place *place,
           struct ipsec_fault *fault)
{
    if (place->direction == IPSEC_DIRECTION_OUTBOUND || place->spi == 0)
        return IPSEC_OK;
    for (size_t i = 0; i < bundle->sa_count; i++) {
        uint32_t spi = bundle->sas[i].spi;
        char detail[sizeof fault->detail];

        if (spi == 0 || spi == place->spi)
            continue;
        (void)snprintf(detail, sizeof detail, "must be the SPI of the context, %u, or left out",
                       place->spi);
        return refuse_sa(fault, IPSEC_INVALID_PARAMETER, i, "spi", detail);
    }
    return IPSEC_OK;
}

static enum ipsec_status
check_pair(const struct ipsec_sa_bundle *bundle,
           const struct ipsec_sa_bundle *other,
           struct ipsec_fault *fault)
{
    if (bundle->sa_count != other->sa_count)
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/saList",
                      "must have as many SAs as the other direction");
    for (size_t i = 0; i < bundle->sa_count; i++) {
        if (bundle->sas[i].transform.type != other->sas[i].transform.type)
            return refuse_sa(fault, IPSEC_INVALID_PARAMETER, i, "saTransformType",
                             "must be that of the other direction");
    }
    if (bundle->qm_sa_id != 0 && other->qm_sa_id != 0 && bundle->qm_sa_id != other->qm_sa_id)
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/qmSaId",
                      "must be that of the other direction");
    return IPSEC_OK;
}

static enum ipsec_status
check_flags_meaning(const struct ipsec_sa_bundle *bundle,
                    const struct ipsec_traffic *traffic,
                    struct ipsec_fault *fault)
{
    if ((bundle->flags & IPSEC_SA_BUNDLE_CLEAR_DF_ON_TUNNEL) != 0 &&
        traffic->type != IPSEC_TRAFFIC_TYPE_TUNNEL)
        return refuse(fault, IPSEC_INVALID_FLAGS, "/flags", "clearDfOnTunnel is for tunnels");
    if ((bundle->flags & IPSEC_SA_BUNDLE_GUARANTEE_ENCRYPTION) != 0 && !is_encrypted(bundle))
        return refuse(fault, IPSEC_INVALID_CIPHER_TRANSFORM, "/flags",
                      "guaranteeEncryption needs an SA that encrypts");
    return IPSEC_OK;
}

static enum ipsec_status
check_ports(const struct ipsec_udp_encapsulation *ports, struct ipsec_fault *fault)
{
    if ((ports->local_port == 0) == (ports->remote_port == 0))
        return IPSEC_OK;
    return refuse(fault, IPSEC_OUT_OF_BOUNDS,
                  ports->local_port == 0 ? "/udpEncapsulation/localPort"
                                         : "/udpEncapsulation/remotePort",
                  "must be from 1 to 65535");
}

static enum ipsec_status
check_encapsulation(const struct ipsec_sa_bundle *bundle,
                    const struct ipsec_traffic *traffic,
                    struct ipsec_fault *fault)
{
    if (bundle->udp_encapsulation.local_port == 0)
        return IPSEC_OK;
    if (traffic->ip_version != IPSEC_IP_VERSION_V4)
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/udpEncapsulation",
                      "UDP encapsulation is for IPv4");
    if (has_ah(bundle))
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/udpEncapsulation",
                      "AH can't be encapsulated in UDP");
    return IPSEC_OK;
}

static enum ipsec_status
check_private_address(const struct ipsec_sa_bundle *bundle,
                      const struct ipsec_traffic *traffic,
                      struct ipsec_fault *fault)
{
    const uint8_t *bytes = bundle->peer_v4_private_address.bytes;

    if (is_zero(bytes, sizeof bundle->peer_v4_private_address.bytes))
        return IPSEC_OK;
    if (traffic->ip_version != IPSEC_IP_VERSION_V4 || !is_zero(bytes + 4, 12))
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/peerV4PrivateAddress",
                      "must be an IPv4 address, of traffic of IPv4");
    return IPSEC_OK;
}

static enum ipsec_status
check_key_module_state(const struct ipsec_sa_bundle *bundle, struct ipsec_fault *fault)
{
    if (bundle->key_module_state_size > IPSEC_KEY_MODULE_STATE_MAX)
        return refuse(fault, IPSEC_OUT_OF_BOUNDS, "/keyModuleState/stateBlob",
                      "has more than 1024 bytes");
    if (bundle->key_module_state_size > 0 &&
        is_zero(bundle->key_module_key.bytes, sizeof bundle->key_module_key.bytes))
        return refuse(fault, IPSEC_NULL_POINTER, "/keyModuleState/keyModuleKey",
                      "the state belongs to a keying module");
    return IPSEC_OK;
}

/* --- Small questions --- */

static bool
is_encrypted(const struct ipsec_sa_bundle *bundle)
{
    return sa_transform_encrypts(&bundle->sas[0].transform) ||
           (bundle->sa_count > 1 && sa_transform_encrypts(&bundle->sas[1].transform));
}

static bool
is_authenticated(const struct ipsec_sa_bundle *bundle)
{
    return sa_transform_authenticates(&bundle->sas[0].transform) ||
           (bundle->sa_count > 1 && sa_transform_authenticates(&bundle->sas[1].transform));
}

static bool
has_ah(const struct ipsec_sa_bundle *bundle)
{
    return bundle->sas[0].transform.type == IPSEC_TRANSFORM_AH || bundle->sa_count > 1;
}

static bool
is_zero(const void *bytes, size_t size)
{
    const uint8_t *next = bytes;
    uint8_t bits = 0;

    for (size_t i = 0; i < size; i++)
        bits |= next[i];
    return bits == 0;
}

static enum ipsec_status
refuse(struct ipsec_fault *fault, enum ipsec_status status, const char *pointer, const char *detail)
{
    return ipsec_fault_set(fault, status, IPSEC_FAULT_BODY, pointer, "%s", detail);
}

/* A fault of one SA becomes one of the bundle; 'fault' may be null. */
static enum ipsec_status
in_sa(struct ipsec_fault *fault, enum ipsec_status status, size_t index)
{
    char prefix[POINTER_SIZE];

    if (fault == NULL)
        return status;
    (void)snprintf(prefix, sizeof prefix, "/saList/%zu", index);
    return ipsec_fault_prefix(fault, prefix);
}

static enum ipsec_status
refuse_sa(struct ipsec_fault *fault,
          enum ipsec_status status,
          size_t index,
          const char *member,
          const char *detail)
{
    char pointer[POINTER_SIZE];

    (void)snprintf(pointer, sizeof pointer, "/saList/%zu/%s", index, member);
    return ipsec_fault_set(fault, status, IPSEC_FAULT_BODY, pointer, "%s", detail);
}
