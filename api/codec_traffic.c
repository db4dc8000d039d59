/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_traffic.c: IPSEC_TRAFFIC1 as JSON. */
#include "api/resource.h"

static const struct codec_name type_rows[] = {
    { "transport", IPSEC_TRAFFIC_TYPE_TRANSPORT, NULL },
    { "tunnel", IPSEC_TRAFFIC_TYPE_TUNNEL, NULL },
};
static const struct codec_names type_names = {
    .rows = type_rows,
    .count = CODEC_COUNT(type_rows),
};

static enum ipsec_status note_ip_version(struct codec_decoder *decoder, void *object);

static const struct codec_field traffic_fields[] = {
    CODEC_FIELD(ipsec_traffic,
                ip_version,
                "ipVersion",
                .kind = CODEC_IP_VERSION,
                .summary = "IP version of both addresses; may be left out, the addresses tell."),
    CODEC_FIELD(ipsec_traffic,
                local_address,
                "localAddress",
                .kind = CODEC_ADDRESS,
                .flags = CODEC_REQUIRED,
                .summary = "Local address; in tunnel mode the local tunnel endpoint."),
    CODEC_FIELD(ipsec_traffic,
                remote_address,
                "remoteAddress",
                .kind = CODEC_ADDRESS,
                .flags = CODEC_REQUIRED,
                .summary = "Remote address; in tunnel mode the remote tunnel endpoint."),
    CODEC_FIELD(ipsec_traffic,
                type,
                "trafficType",
                .kind = CODEC_ENUM,
                .names = &type_names,
                .flags = CODEC_REQUIRED,
                .summary = "Transport or tunnel mode."),
    CODEC_FIELD(ipsec_traffic,
                ipsec_filter_id,
                "ipsecFilterId",
                .kind = CODEC_UNSIGNED,
                .minimum = 1,
                .flags = CODEC_OMIT_ZERO,
                .summary = "Transport mode, required there: id of the outbound transport filter."),
    CODEC_FIELD(ipsec_traffic,
                tunnel_policy_id,
                "tunnelPolicyId",
                .kind = CODEC_UNSIGNED,
                .minimum = 1,
                .flags = CODEC_OMIT_ZERO,
                .summary = "Tunnel mode, required there: id of the quick-mode tunnel policy."),
    CODEC_FIELD(ipsec_traffic,
                local_port,
                "localPort",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_OMIT_ZERO,
                .summary = "Transport mode: the local port where the filter's condition is wider."),
    CODEC_FIELD(ipsec_traffic,
                remote_port,
                "remotePort",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_OMIT_ZERO,
                .summary =
                    "Transport mode: the remote port where the filter's condition is wider."),
    CODEC_FIELD(ipsec_traffic,
                ip_protocol,
                "ipProtocol",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_OMIT_ZERO,
                .summary =
                    "Transport mode: the IP protocol where the filter's condition is wider."),
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
