/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_service.c: the index of the service and who the caller is, as JSON. */
#include <string.h>

#include "api/resource.h"
#include "api/router.h"
#include "auth/rights.h"

static void
encode_links(struct codec_encoder *encoder, const struct codec_field *field, const void *object);
static json_t *describe_links(const struct codec_field *field);
static void
encode_names(struct codec_encoder *encoder, const struct codec_field *field, const void *object);
static json_t *describe_names(const struct codec_field *field);
static void
encode_rights(struct codec_encoder *encoder, const struct codec_field *field, const void *object);
static json_t *describe_rights(const struct codec_field *field);

static const struct codec_custom links_codec = { .encode = encode_links,
                                                 .describe = describe_links };
static const struct codec_custom names_codec = { .encode = encode_names,
                                                 .describe = describe_names };
static const struct codec_custom rights_codec = { .encode = encode_rights,
                                                  .describe = describe_rights };

static const struct codec_field index_fields[] = {
    CODEC_FIELD(service_index,
                service,
                "service",
                .kind = CODEC_TEXT,
                .flags = CODEC_REQUIRED,
                .summary = "Name of the service."),
    CODEC_FIELD(service_index,
                version,
                "version",
                .kind = CODEC_TEXT,
                .flags = CODEC_REQUIRED,
                .summary = "Its version."),
    CODEC_GROUP("links",
                .kind = CODEC_CUSTOM,
                .custom = &links_codec,
                .flags = CODEC_REQUIRED,
                .summary = "Where reading can begin: operation and path."),
};

const struct codec_object codec_index = {
    .name = "Index",
    .summary = "What the service is and offers.",
    .fields = index_fields,
    .field_count = CODEC_COUNT(index_fields),
};

static const struct codec_field certificate_fields[] = {
    CODEC_FIELD(whoami,
                not_before_ms,
                "notBefore",
                .kind = CODEC_TIME,
                .flags = CODEC_REQUIRED,
                .summary = "Valid from."),
    CODEC_FIELD(whoami,
                not_after_ms,
                "notAfter",
                .kind = CODEC_TIME,
                .flags = CODEC_REQUIRED,
                .summary = "Valid until."),
};
static const struct codec_object certificate = {
    .name = "Certificate",
    .summary = "The dates of the caller's certificate.",
    .fields = certificate_fields,
    .field_count = CODEC_COUNT(certificate_fields),
};

static const struct codec_field whoami_fields[] = {
    CODEC_FIELD(whoami,
                principal,
                "principal",
                .kind = CODEC_TEXT,
                .flags = CODEC_REQUIRED,
                .summary = "The name under which the caller's objects are kept."),
    CODEC_FIELD(whoami,
                fingerprint,
                "fingerprint",
                .kind = CODEC_CHARS,
                .flags = CODEC_REQUIRED,
                .summary = "SHA-256 of the certificate, in hexadecimal."),
    CODEC_GROUP("names",
                .kind = CODEC_CUSTOM,
                .custom = &names_codec,
                .flags = CODEC_REQUIRED,
                .summary = "Every name that an access rule can match, with its prefix."),
    CODEC_GROUP("certificate",
                .kind = CODEC_OBJECT,
                .object = &certificate,
                .flags = CODEC_REQUIRED,
                .summary = "The dates of the certificate."),
    CODEC_GROUP("rights",
                .kind = CODEC_CUSTOM,
                .custom = &rights_codec,
                .flags = CODEC_REQUIRED,
                .summary = "The rights the caller has, by container."),
};

const struct codec_object codec_whoami = {
    .name = "Caller",
    .summary = "Who the service takes the caller for.",
    .fields = whoami_fields,
    .field_count = CODEC_COUNT(whoami_fields),
};

static void
encode_links(struct codec_encoder *encoder, const struct codec_field *field, const void *object)
{
    struct buffer *out = encoder->out;
    bool first = true;

    (void)field;
    (void)object;
    buffer_append_char(out, '{');
    for (size_t i = 0; i < router_route_count(); i++) {
        const struct api_route *route = router_route(i);
        if (strcmp(route->method, "GET") != 0 || strchr(route->path, '{') != NULL)
            continue;
        if (!first)
            buffer_append_char(out, ',');
        first = false;
        buffer_append_json_string(out, route->operation, strlen(route->operation));
        buffer_append_char(out, ':');
        buffer_append_json_string(out, route->path, strlen(route->path));
    }
    buffer_append_char(out, '}');
}

static json_t *
describe_links(const struct codec_field *field)
{
    (void)field;
    return json_pack("{s:s, s:{s:s}}", "type", "object", "additionalProperties", "type", "string");
}

static void
encode_names(struct codec_encoder *encoder, const struct codec_field *field, const void *object)
{
    static const char *const prefixes[AUTH_NAME_KIND_COUNT] = {
        [AUTH_NAME_URI] = "uri:",
        [AUTH_NAME_DNS] = "dns:",
        [AUTH_NAME_EMAIL] = "email:",
        [AUTH_NAME_DN] = "dn:",
        [AUTH_NAME_CN] = "cn:",
        [AUTH_NAME_SHA256] = "sha256:",
        [AUTH_NAME_EVERYONE] = "everyone",
    };
    const struct auth_identity *identity = ((const struct whoami *)object)->identity;
    AUTO(buffer) name = BUFFER(encoder->out->maximum);

    (void)field;
    buffer_append_char(encoder->out, '[');
    for (size_t i = 0; i < identity->name_count; i++) {
        if (i > 0)
            buffer_append_char(encoder->out, ',');
        buffer_reset(&name);
        buffer_append_text(&name, prefixes[identity->names[i].kind]);
        if (identity->names[i].text != NULL)
            buffer_append_text(&name, identity->names[i].text);
        buffer_append_json_string(encoder->out, name.data, name.size);
    }
    buffer_append_char(encoder->out, ']');
}

static json_t *
describe_names(const struct codec_field *field)
{
    (void)field;
    return json_pack("{s:s, s:{s:s}}", "type", "array", "items", "type", "string");
}

static void
encode_rights(struct codec_encoder *encoder, const struct codec_field *field, const void *object)
{
    const struct whoami *whoami = object;
    struct buffer *out = encoder->out;

    (void)field;
    for (int i = 0; i < IPSEC_CONTAINER_COUNT; i++) {
        const char *container = container_name((enum ipsec_container)i);
        size_t position = 0;
        bool first = true;
        const char *name;

        buffer_append_char(out, i == 0 ? '{' : ',');
        buffer_append_json_string(out, container, strlen(container));
        buffer_append_text(out, ":[");
        while ((name = rights_next_name(whoami->rights.granted[i], &position)) != NULL) {
            if (!first)
                buffer_append_char(out, ',');
            first = false;
            buffer_append_json_string(out, name, strlen(name));
        }
        buffer_append_char(out, ']');
    }
    buffer_append_char(out, '}');
}

static json_t *
describe_rights(const struct codec_field *field)
{
    json_t *properties = json_object();
    json_t *required = json_array();

    (void)field;
    for (int i = 0; i < IPSEC_CONTAINER_COUNT; i++) {
        const char *container = container_name((enum ipsec_container)i);
        json_object_set_new(
            properties, container,
            json_pack("{s:s, s:{s:s}}", "type", "array", "items", "type", "string"));
        json_array_append_new(required, json_string(container));
    }
    return json_pack("{s:s, s:o, s:o}", "type", "object", "required", required, "properties",
                     properties);
}

static const struct codec_field write_options_fields[] = {
    CODEC_FIELD(
        api_write_options,
        dry_run,
        "dryRun",
        .kind = CODEC_BOOLEAN,
        .summary = "true: all checks and the answer, but no effect.  Identifiers, keys and SPIs in "
                   "the answer are what the call would get at this moment; they are not reserved.  "
                   "An Idempotency-Key has no effect then.  Of filters and tunnels the data plane "
                   "is asked whether their conditions are taken there; of SAs it is not: what "
                   "only it would refuse, as an SPI that is taken in the kernel, is not found."),
};

const struct codec_object codec_write_options = {
    .fields = write_options_fields,
    .field_count = CODEC_COUNT(write_options_fields),
};
