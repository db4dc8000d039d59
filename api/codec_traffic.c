/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_traffic.c: IPSEC_TRAFFIC1 as JSON. */
#include "api/resource.h"
#include "api/traffic_fields.h"

static const struct codec_name type_rows[] = {
    { "transport", IPSEC_TRAFFIC_TYPE_TRANSPORT, NULL },
    { "tunnel", IPSEC_TRAFFIC_TYPE_TUNNEL, NULL },
};
const struct codec_names traffic_types = {
    .rows = type_rows,
    .count = CODEC_COUNT(type_rows),
};

static enum ipsec_status note_ip_version(struct codec_decoder *decoder, void *object);

static const struct codec_field traffic_fields[] = {
    TRAFFIC_FIELDS(ipsec_traffic, ),
};

const struct codec_object codec_traffic = {
    .name = "Traffic",
    .summary =
        "The outbound traffic that an SA context protects (IPSEC_TRAFFIC).  Always local and "
        "remote, in both directions.",
    .fields = traffic_fields,
    .field_count = CODEC_COUNT(traffic_fields),
    .closed = true,
    .check = note_ip_version,
};

/* Both addresses are required, so the version is known by now. */
static enum ipsec_status
note_ip_version(struct codec_decoder *decoder, void *object)
{
    struct ipsec_traffic *traffic = object;

    traffic->ip_version = (uint8_t)decoder->ip_version;
    return IPSEC_OK;
}
