/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_sa_bundle.c: SA bundles as JSON.  Keys come in and never go out: what is written has no
 * member for them. */
#include <string.h>

#include "api/resource.h"
#include "api/sa_names.h"
#include "api/text.h"

/* One SA as callers send it: what the engine has in two places. */
struct sa_input {
    struct ipsec_sa sa;
    struct ipsec_sa_keys keys;
};

static enum ipsec_status decode_sa_list(struct codec_decoder *decoder,
                                        const struct codec_field *field,
                                        const json_t *value,
                                        void *object);
static json_t *describe_sa_list(const struct codec_field *field);
static void clear_sa_list(void *object);
static bool lacks_auth_key_length(const void *object);
static bool lacks_cipher_key_length(const void *object);
static bool lacks_key_length(const void *object);
static void encode_auth_key_length(struct codec_encoder *encoder,
                                   const struct codec_field *field,
                                   const void *object);
static void encode_cipher_key_length(struct codec_encoder *encoder,
                                     const struct codec_field *field,
                                     const void *object);
static json_t *describe_key_length(const struct codec_field *field);

static const struct codec_custom sa_list_codec = {
    .decode = decode_sa_list,
    .describe = describe_sa_list,
    .clear = clear_sa_list,
};
static const struct codec_custom auth_key_length_codec = {
    .encode = encode_auth_key_length,
    .absent = lacks_auth_key_length,
    .describe = describe_key_length,
};
static const struct codec_custom cipher_key_length_codec = {
    .encode = encode_cipher_key_length,
    .absent = lacks_cipher_key_length,
    .describe = describe_key_length,
};
static const struct codec_custom key_length_codec = {
    .encode = encode_cipher_key_length,
    .absent = lacks_key_length,
    .describe = describe_key_length,
};

static const struct codec_field lifetime_fields[] = {
    CODEC_FIELD(ipsec_lifetime,
                seconds,
                "seconds",
                .kind = CODEC_UNSIGNED,
                .summary = "Seconds from when the SAs were added; 0: no limit."),
    CODEC_FIELD(ipsec_lifetime,
                kilobytes,
                "kilobytes",
                .kind = CODEC_UNSIGNED,
                .summary = "Units of 1024 bytes; 0: no limit."),
    CODEC_FIELD(ipsec_lifetime,
                packets,
                "packets",
                .kind = CODEC_UNSIGNED,
                .summary = "Packets; 0: no limit."),
};
const struct codec_object codec_lifetime = {
    .name = "Lifetime",
    .summary = "How long SAs last: whatever is reached first (IPSEC_SA_LIFETIME).",
    .fields = lifetime_fields,
    .field_count = CODEC_COUNT(lifetime_fields),
    .closed = true,
};

static const struct codec_field udp_fields[] = {
    CODEC_FIELD(ipsec_udp_encapsulation,
                local_port,
                "localPort",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_REQUIRED,
                .summary = "The UDP port here; 0 in both: none."),
    CODEC_FIELD(ipsec_udp_encapsulation,
                remote_port,
                "remotePort",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_REQUIRED,
                .summary = "The UDP port of the peer, or of the NAT before it."),
};
const struct codec_object codec_udp_encapsulation = {
    .name = "UdpEncapsulation",
    .summary = "Ports of ESP in UDP (IPSEC_V4_UDP_ENCAPSULATION).",
    .fields = udp_fields,
    .field_count = CODEC_COUNT(udp_fields),
    .closed = true,
};

#define KEY_MODULE_STATE_FIELDS                                                                    \
    CODEC_FIELD(ipsec_sa_bundle, key_module_key, "keyModuleKey", .kind = CODEC_GUID,               \
                .flags = CODEC_REQUIRED, .summary = "Whose state it is."),                         \
        CODEC_FIELD(ipsec_sa_bundle, key_module_state, "stateBlob", .kind = CODEC_BLOB,            \
                    .maximum = IPSEC_KEY_MODULE_STATE_MAX,                                         \
                    .count_offset = offsetof(struct ipsec_sa_bundle, key_module_state_size),       \
                    .count_size = sizeof(uint16_t), .summary = "Opaque, kept as it is.")
static const struct codec_field key_module_fields[] = { KEY_MODULE_STATE_FIELDS };
const struct codec_object codec_key_module_state = {
    .name = "KeyModuleState",
    .summary = "What a keying module keeps with its SAs (IPSEC_KEYMODULE_STATE).  Readable by "
               "whoever may read the context: nothing secret belongs here.",
    .fields = key_module_fields,
    .field_count = CODEC_COUNT(key_module_fields),
    .closed = true,
};

/* --- What callers send ------------------------------------------------------------------------ */

static const struct codec_field sa_input_fields[] = {
    CODEC_FIELD(sa_input,
                sa.spi,
                "spi",
                .kind = CODEC_UNSIGNED,
                .summary =
                    "Inbound: that of the context; left out, or 0, it stands for that.  Outbound: "
                    "the SPI that the peer chose, 256 or above."),
    CODEC_FIELD(sa_input,
                sa.transform.type,
                "saTransformType",
                .kind = CODEC_ENUM,
                .names = &sa_transform_types,
                .flags = CODEC_REQUIRED,
                .summary = "What the SA does."),
    CODEC_FIELD(sa_input,
                sa.transform.auth,
                "authTransform",
                .kind = CODEC_ENUM,
                .names = &sa_auth_transforms,
                .summary = "The integrity algorithm."),
    CODEC_FIELD(sa_input,
                keys.auth,
                "authKey",
                .kind = CODEC_SECRET,
                .summary =
                    "Its key: base64, or hexadecimal digits behind \"hex:\".  Bytes: 20 with "
                    "HMAC_SHA_1_96, 32 with HMAC_SHA_256_128, 16 with HMAC_MD5_96.  With "
                    "GCM the same as cipherKey, or left out."),
    CODEC_FIELD(sa_input,
                sa.transform.cipher,
                "cipherTransform",
                .kind = CODEC_ENUM,
                .names = &sa_cipher_transforms,
                .summary = "The encryption algorithm; AES_128, AES_192 and AES_256 are CBC."),
    CODEC_FIELD(sa_input,
                keys.cipher,
                "cipherKey",
                .kind = CODEC_SECRET,
                .summary =
                    "Its key, in the same forms.  Bytes: 16 with AES_128, 24 with AES_192 and "
                    "CBC_3DES, 32 with AES_256, 8 with CBC_DES.  GCM takes its key, then 4 "
                    "bytes of salt: 20, 28 or 36."),
};
static const struct codec_object codec_sa_input = {
    .name = "SaWithKeys",
    .summary = "One SA with its keys (IPSEC_SA).",
    .fields = sa_input_fields,
    .field_count = CODEC_COUNT(sa_input_fields),
    .closed = true,
};

/* The members that are read and written alike, of 'holder' at 'place'. */
#define BUNDLE_FIELDS(holder, place)                                                               \
    CODEC_FIELD(holder, place flags, "flags", .kind = CODEC_FLAGS, .names = &sa_bundle_flags,      \
                .summary = "IPSEC_SA_BUNDLE_FLAG_*."),                                             \
        CODEC_FIELD(holder, place lifetime, "lifetime", .kind = CODEC_OBJECT,                      \
                    .object = &codec_lifetime, .summary = "Left out: no limits."),                 \
        CODEC_FIELD(holder, place idle_timeout_seconds, "idleTimeoutSeconds",                      \
                    .kind = CODEC_UNSIGNED,                                                        \
                    .summary = "The SAs end after so long without traffic; 0: never."),            \
        CODEC_FIELD(holder, place nd_allow_clear_timeout_seconds, "ndAllowClearTimeoutSeconds",    \
                    .kind = CODEC_UNSIGNED,                                                        \
                    .summary = "Negotiation discovery: how long clear packets are accepted."),     \
        CODEC_FIELD(holder, place nap_context, "napContext", .kind = CODEC_UNSIGNED,               \
                    .flags = CODEC_OMIT_ZERO, .summary = "Kept and given back."),                  \
        CODEC_FIELD(holder, place qm_sa_id, "qmSaId", .kind = CODEC_UNSIGNED,                      \
                    .flags = CODEC_OMIT_ZERO,                                                      \
                    .summary = "The same in both directions and on both hosts."),                  \
        CODEC_FIELD(holder, place mm_sa_id, "mmSaId", .kind = CODEC_UNSIGNED,                      \
                    .flags = CODEC_OMIT_ZERO, .summary = "Id of the IKE SA; kept."),               \
        CODEC_FIELD(holder, place qm_filter_id, "qmFilterId", .kind = CODEC_UNSIGNED,              \
                    .flags = CODEC_OMIT_ZERO, .summary = "Kept and given back."),                  \
        CODEC_FIELD(holder, place sa_lookup_context, "saLookupContext", .kind = CODEC_GUID,        \
                    .flags = CODEC_OMIT_ZERO, .summary = "Kept and given back."),                  \
        CODEC_FIELD(holder, place pfs_group, "pfsGroup", .kind = CODEC_ENUM,                       \
                    .names = &sa_pfs_groups, .flags = CODEC_OMIT_ZERO,                             \
                    .summary = "Diffie-Hellman group of the quick mode; kept."),                   \
        CODEC_FIELD(holder, place udp_encapsulation, "udpEncapsulation", .kind = CODEC_OBJECT,     \
                    .object = &codec_udp_encapsulation, .flags = CODEC_OMIT_ZERO,                  \
                    .summary = "IPv4 and ESP only; left out: none.")

/* An address of its own: it is of IPv4 whatever the rest is of. */
static enum ipsec_status decode_private_address(struct codec_decoder *decoder,
                                                const struct codec_field *field,
                                                const json_t *value,
                                                void *object);
static void encode_private_address(struct codec_encoder *encoder,
                                   const struct codec_field *field,
                                   const void *object);
static bool lacks_private_address(const void *object);
static json_t *describe_private_address(const struct codec_field *field);
static bool lacks_key_module_state(const void *object);
static enum ipsec_status decode_key_module_state(struct codec_decoder *decoder,
                                                 const struct codec_field *field,
                                                 const json_t *value,
                                                 void *object);
static void encode_key_module_state(struct codec_encoder *encoder,
                                    const struct codec_field *field,
                                    const void *object);
static json_t *describe_key_module_state(const struct codec_field *field);
static void clear_key_module_state(void *object);

/* Both stand in a bundle at the beginning of the object. */
const struct codec_custom codec_private_address = {
    .decode = decode_private_address,
    .encode = encode_private_address,
    .absent = lacks_private_address,
    .describe = describe_private_address,
};
const struct codec_custom codec_key_module = {
    .decode = decode_key_module_state,
    .encode = encode_key_module_state,
    .absent = lacks_key_module_state,
    .describe = describe_key_module_state,
    .clear = clear_key_module_state,
};
#define OWN_FIELDS                                                                                 \
    CODEC_GROUP("peerV4PrivateAddress", .kind = CODEC_CUSTOM, .custom = &codec_private_address,    \
                .summary = "IPv4: the private address of a peer behind a NAT."),                   \
        CODEC_GROUP("keyModuleState", .kind = CODEC_CUSTOM, .custom = &codec_key_module,           \
                    .summary = "What a keying module keeps with the SAs."),                        \
        CODEC_GROUP("ipsecId", .kind = CODEC_CUSTOM, .custom = &codec_bundle_id,                   \
                    .object = &codec_ipsec_id,                                                     \
                    .summary = "Whom a keying module has authenticated.")

static const struct codec_field input_fields[] = {
    BUNDLE_FIELDS(ipsec_sa_bundle_input, bundle.),
    OWN_FIELDS,
    CODEC_GROUP("saList",
                .kind = CODEC_CUSTOM,
                .custom = &sa_list_codec,
                .object = &codec_sa_input,
                .flags = CODEC_REQUIRED,
                .summary = "One SA, or two: first ESP, then AH."),
};
const struct codec_object codec_sa_bundle_input = {
    .name = "SaBundleWithKeys",
    .summary = "The SAs of one direction with their keys and common lifetime (IPSEC_SA_BUNDLE).",
    .fields = input_fields,
    .field_count = CODEC_COUNT(input_fields),
    .closed = true,
};

/* --- What callers get ------------------------------------------------------------------------- */

static const struct codec_field sa_fields[] = {
    CODEC_FIELD(ipsec_sa,
                spi,
                "spi",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_REQUIRED,
                .summary = "The SPI."),
    CODEC_FIELD(ipsec_sa,
                transform.type,
                "saTransformType",
                .kind = CODEC_ENUM,
                .names = &sa_transform_types,
                .flags = CODEC_REQUIRED,
                .summary = "What the SA does."),
    CODEC_FIELD(ipsec_sa,
                transform.auth,
                "authTransform",
                .kind = CODEC_ENUM,
                .names = &sa_auth_transforms,
                .flags = CODEC_OMIT_ZERO,
                .summary = "The integrity algorithm."),
    CODEC_FIELD(ipsec_sa,
                transform.cipher,
                "cipherTransform",
                .kind = CODEC_ENUM,
                .names = &sa_cipher_transforms,
                .flags = CODEC_OMIT_ZERO,
                .summary = "The encryption algorithm."),
    CODEC_GROUP("keyLength",
                .kind = CODEC_CUSTOM,
                .custom = &key_length_codec,
                .summary = "GCM: bytes of the one key."),
    CODEC_GROUP("authKeyLength",
                .kind = CODEC_CUSTOM,
                .custom = &auth_key_length_codec,
                .summary = "Bytes of the integrity key."),
    CODEC_GROUP("cipherKeyLength",
                .kind = CODEC_CUSTOM,
                .custom = &cipher_key_length_codec,
                .summary = "Bytes of the encryption key."),
};
static const struct codec_object codec_sa = {
    .name = "Sa",
    .summary = "One SA; keys are never shown.",
    .fields = sa_fields,
    .field_count = CODEC_COUNT(sa_fields),
};

static const struct codec_field bundle_fields[] = {
    BUNDLE_FIELDS(ipsec_sa_bundle, ),
    OWN_FIELDS,
    CODEC_FIELD(ipsec_sa_bundle,
                sas,
                "saList",
                .kind = CODEC_ARRAY,
                .object = &codec_sa,
                .stride = sizeof(struct ipsec_sa),
                .count_offset = offsetof(struct ipsec_sa_bundle, sa_count),
                .count_size = sizeof(uint8_t),
                .flags = CODEC_REQUIRED,
                .summary = "One SA, or two: first ESP, then AH."),
    CODEC_FIELD(ipsec_sa_bundle,
                added_at_ms,
                "addedAt",
                .kind = CODEC_TIME,
                .flags = CODEC_REQUIRED,
                .summary = "From when its lifetime counts."),
    CODEC_FIELD(ipsec_sa_bundle,
                expires_at_ms,
                "expiresAt",
                .kind = CODEC_TIME,
                .flags = CODEC_OMIT_ZERO,
                .summary = "When its seconds are over; absent: never."),
};
const struct codec_object codec_sa_bundle = {
    .name = "SaBundle",
    .summary = "The SAs of one direction (IPSEC_SA_BUNDLE), without keys.",
    .fields = bundle_fields,
    .field_count = CODEC_COUNT(bundle_fields),
};

/* --- Helpers ---------------------------------------------------------------------------------- */

static enum ipsec_status
decode_sa_list(struct codec_decoder *decoder,
               const struct codec_field *field,
               const json_t *value,
               void *object)
{
    const struct codec_step *const outer = decoder->step;
    struct ipsec_sa_bundle_input *input = object;
    enum ipsec_status status = IPSEC_OK;

    if (!json_is_array(value))
        return codec_refuse_type(decoder, value, "an array");
    size_t count = json_array_size(value);
    if (count == 0)
        return codec_refuse(decoder, IPSEC_ZERO_LENGTH_ARRAY, "a bundle must have one or two SAs");
    if (count > IPSEC_SA_MAX)
        return codec_refuse(decoder, IPSEC_OUT_OF_BOUNDS, "a bundle must have one or two SAs");

    for (size_t i = 0; i < count && status == IPSEC_OK; i++) {
        struct sa_input sa = { .sa = { .spi = 0 } };

        decoder->step = &(struct codec_step){ .parent = outer, .index = i };
        status = codec_decode_object(decoder, field->object, json_array_get(value, i), &sa);
        decoder->step = outer;
        /* From here on they are the bundle's, whatever the status. */
        sa.sa.auth_key_length = (uint8_t)sa.keys.auth.size;
        sa.sa.cipher_key_length = (uint8_t)sa.keys.cipher.size;
        input->bundle.sas[i] = sa.sa;
        input->keys[i] = sa.keys;
    }
    input->bundle.sa_count = (uint8_t)count;
    return status;
}

static json_t *
describe_sa_list(const struct codec_field *field)
{
    return json_pack("{s:s, s:i, s:i, s:{s:o}}", "type", "array", "minItems", 1, "maxItems",
                     IPSEC_SA_MAX, "items", "$ref",
                     json_sprintf("#/components/schemas/%s", field->object->name));
}

static void
clear_sa_list(void *object)
{
    struct ipsec_sa_bundle_input *input = object;

    for (size_t i = 0; i < IPSEC_SA_MAX; i++) {
        secret_clear(&input->keys[i].auth);
        secret_clear(&input->keys[i].cipher);
    }
}

static bool
is_gcm(const struct ipsec_sa *sa)
{
    return sa->transform.cipher >= IPSEC_CIPHER_GCM_AES_128;
}

static bool
lacks_auth_key_length(const void *object)
{
    const struct ipsec_sa *sa = object;

    return is_gcm(sa) || sa->auth_key_length == 0;
}

static bool
lacks_cipher_key_length(const void *object)
{
    const struct ipsec_sa *sa = object;

    return is_gcm(sa) || sa->cipher_key_length == 0;
}

static bool
lacks_key_length(const void *object)
{
    return !is_gcm(object);
}

static void
encode_auth_key_length(struct codec_encoder *encoder,
                       const struct codec_field *field,
                       const void *object)
{
    const struct ipsec_sa *sa = object;

    (void)field;
    text_append_unsigned(encoder->out, sa->auth_key_length);
}

static void
encode_cipher_key_length(struct codec_encoder *encoder,
                         const struct codec_field *field,
                         const void *object)
{
    const struct ipsec_sa *sa = object;

    (void)field;
    text_append_unsigned(encoder->out, sa->cipher_key_length);
}

static json_t *
describe_key_length(const struct codec_field *field)
{
    (void)field;
    return json_pack("{s:s, s:i, s:i}", "type", "integer", "minimum", 1, "maximum", 64);
}

static enum ipsec_status
decode_private_address(struct codec_decoder *decoder,
                       const struct codec_field *field,
                       const json_t *value,
                       void *object)
{
    struct ipsec_sa_bundle *bundle = object;
    uint8_t version = IPSEC_IP_VERSION_V6;

    (void)field;
    if (!json_is_string(value))
        return codec_refuse_type(decoder, value, "a string");
    if (!text_parse_address(json_string_value(value), &bundle->peer_v4_private_address, &version) ||
        version != IPSEC_IP_VERSION_V4)
        return codec_refuse(decoder, IPSEC_INVALID_PARAMETER, "not an IPv4 address in text form");
    return IPSEC_OK;
}

static void
encode_private_address(struct codec_encoder *encoder,
                       const struct codec_field *field,
                       const void *object)
{
    const struct ipsec_sa_bundle *bundle = object;

    (void)field;
    buffer_append_char(encoder->out, '"');
    text_append_address(encoder->out, &bundle->peer_v4_private_address, IPSEC_IP_VERSION_V4);
    buffer_append_char(encoder->out, '"');
}

static bool
lacks_private_address(const void *object)
{
    static const struct ipsec_address none;
    const struct ipsec_sa_bundle *bundle = object;

    return memcmp(&bundle->peer_v4_private_address, &none, sizeof none) == 0;
}

static json_t *
describe_private_address(const struct codec_field *field)
{
    (void)field;
    return json_pack("{s:s, s:s}", "type", "string", "format", "ipv4");
}

static enum ipsec_status
decode_key_module_state(struct codec_decoder *decoder,
                        const struct codec_field *field,
                        const json_t *value,
                        void *object)
{
    (void)field;
    return codec_decode_object(decoder, &codec_key_module_state, value, object);
}

static void
encode_key_module_state(struct codec_encoder *encoder,
                        const struct codec_field *field,
                        const void *object)
{
    (void)field;
    codec_encode(encoder, &codec_key_module_state, object);
}

static bool
lacks_key_module_state(const void *object)
{
    static const struct ipsec_guid none;
    const struct ipsec_sa_bundle *bundle = object;

    return memcmp(&bundle->key_module_key, &none, sizeof none) == 0;
}

static json_t *
describe_key_module_state(const struct codec_field *field)
{
    (void)field;
    return codec_describe(&codec_key_module_state);
}

static void
clear_key_module_state(void *object)
{
    codec_clear(&codec_key_module_state, object);
}
