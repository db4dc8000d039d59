/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_ipsec_id.c: the identities of a bundle as JSON.  A bundle points at them, and few have any.
 */
#include <stdlib.h>

#include "api/resource.h"
#include "api/sa_names.h"

static enum ipsec_status decode_id(struct codec_decoder *decoder,
                                   const struct codec_field *field,
                                   const json_t *value,
                                   void *object);
static void
encode_id(struct codec_encoder *encoder, const struct codec_field *field, const void *object);
static bool lacks_id(const void *object);
static json_t *describe_id(const struct codec_field *field);
static void clear_id(void *object);

static const struct codec_field token_fields[] = {
    CODEC_FIELD(ipsec_token,
                type,
                "type",
                .kind = CODEC_ENUM,
                .names = &sa_token_types,
                .flags = CODEC_REQUIRED,
                .summary = "Whose token it is: the machine's or a user's."),
    CODEC_FIELD(ipsec_token,
                principal,
                "principal",
                .kind = CODEC_ENUM,
                .names = &sa_token_principals,
                .flags = CODEC_REQUIRED,
                .summary = "Of which side."),
    CODEC_FIELD(ipsec_token,
                mode,
                "mode",
                .kind = CODEC_ENUM,
                .names = &sa_token_modes,
                .flags = CODEC_REQUIRED,
                .summary = "In which mode it was authenticated."),
    CODEC_FIELD(ipsec_token,
                token,
                "token",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_REQUIRED,
                .summary = "The keying module's number for it."),
};
static const struct codec_object codec_token = {
    .name = "IpsecToken",
    .summary = "An access token of the keying module (IPSEC_TOKEN0).",
    .fields = token_fields,
    .field_count = CODEC_COUNT(token_fields),
    .closed = true,
};

static const struct codec_field id_fields[] = {
    CODEC_FIELD(ipsec_id,
                mm_target_name,
                "mmTargetName",
                .kind = CODEC_CHARS,
                .maximum = IPSEC_TARGET_NAME_MAX,
                .summary = "The peer as main mode has authenticated it."),
    CODEC_FIELD(ipsec_id,
                em_target_name,
                "emTargetName",
                .kind = CODEC_CHARS,
                .maximum = IPSEC_TARGET_NAME_MAX,
                .summary = "The peer as extended mode has authenticated it."),
    CODEC_FIELD(ipsec_id,
                tokens,
                "tokens",
                .kind = CODEC_ARRAY,
                .object = &codec_token,
                .stride = sizeof(struct ipsec_token),
                .count_offset = offsetof(struct ipsec_id, token_count),
                .count_size = sizeof(uint8_t),
                .too_many = IPSEC_OUT_OF_BOUNDS,
                .summary = "Up to 8 access tokens."),
    CODEC_FIELD(ipsec_id,
                explicit_credentials,
                "explicitCredentials",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_OMIT_ZERO,
                .summary = "The keying module's number for the credentials used."),
};
const struct codec_object codec_ipsec_id = {
    .name = "IpsecId",
    .summary = "Whom a keying module has authenticated (IPSEC_ID0), kept and given back.  Readable "
               "by whoever may read the context.",
    .fields = id_fields,
    .field_count = CODEC_COUNT(id_fields),
    .closed = true,
};

const struct codec_custom codec_bundle_id = {
    .decode = decode_id,
    .encode = encode_id,
    .absent = lacks_id,
    .describe = describe_id,
    .clear = clear_id,
};

/* A bundle stands at the beginning of the object. */
static enum ipsec_status
decode_id(struct codec_decoder *decoder,
          const struct codec_field *field,
          const json_t *value,
          void *object)
{
    struct ipsec_sa_bundle *bundle = object;

    (void)field;
    bundle->ipsec_id = calloc(1, sizeof *bundle->ipsec_id);
    if (bundle->ipsec_id == NULL)
        return codec_refuse(decoder, IPSEC_RPC_OUT_OF_RESOURCES, "no memory");
    return codec_decode_object(decoder, &codec_ipsec_id, value, bundle->ipsec_id);
}

static void
encode_id(struct codec_encoder *encoder, const struct codec_field *field, const void *object)
{
    const struct ipsec_sa_bundle *bundle = object;

    (void)field;
    codec_encode(encoder, &codec_ipsec_id, bundle->ipsec_id);
}

static bool
lacks_id(const void *object)
{
    const struct ipsec_sa_bundle *bundle = object;

    return bundle->ipsec_id == NULL;
}

static json_t *
describe_id(const struct codec_field *field)
{
    (void)field;
    return json_pack("{s:s}", "$ref", "#/components/schemas/IpsecId");
}

static void
clear_id(void *object)
{
    struct ipsec_sa_bundle *bundle = object;

    free(bundle->ipsec_id);
    bundle->ipsec_id = NULL;
}
