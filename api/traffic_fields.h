/* SPDX-License-Identifier: Apache-2.0
 *
 * traffic_fields.h: the members of IPSEC_TRAFFIC1, for every object that has them. */
#pragma once

#include "api/codec.h"
#include "engine/types.h"

extern const struct codec_names traffic_types;
extern const struct codec_names sa_context_states;

/* Of 'holder', whose struct ipsec_traffic is at 'place' ("traffic." or nothing). */
#define TRAFFIC_FIELDS(holder, place)                                                              \
    CODEC_FIELD(holder, place ip_version, "ipVersion", .kind = CODEC_IP_VERSION,                   \
                .summary = "IP version of both addresses; may be left out, the addresses tell."),  \
        CODEC_FIELD(holder, place local_address, "localAddress", .kind = CODEC_ADDRESS,            \
                    .flags = CODEC_REQUIRED,                                                       \
                    .summary = "Local address; in tunnel mode the local tunnel endpoint."),        \
        CODEC_FIELD(holder, place remote_address, "remoteAddress", .kind = CODEC_ADDRESS,          \
                    .flags = CODEC_REQUIRED,                                                       \
                    .summary = "Remote address; in tunnel mode the remote tunnel endpoint."),      \
        CODEC_FIELD(holder, place type, "trafficType", .kind = CODEC_ENUM,                         \
                    .names = &traffic_types, .flags = CODEC_REQUIRED,                              \
                    .summary = "Transport or tunnel mode."),                                       \
        CODEC_FIELD(holder, place ipsec_filter_id, "ipsecFilterId", .kind = CODEC_UNSIGNED,        \
                    .minimum = 1, .flags = CODEC_OMIT_ZERO,                                        \
                    .summary =                                                                     \
                        "Transport mode, required there: id of the outbound transport filter."),   \
        CODEC_FIELD(holder, place tunnel_policy_id, "tunnelPolicyId", .kind = CODEC_UNSIGNED,      \
                    .minimum = 1, .flags = CODEC_OMIT_ZERO,                                        \
                    .summary =                                                                     \
                        "Tunnel mode, required there: id of the quick-mode tunnel policy."),       \
        CODEC_FIELD(holder, place local_port, "localPort", .kind = CODEC_UNSIGNED,                 \
                    .flags = CODEC_OMIT_ZERO,                                                      \
                    .summary =                                                                     \
                        "Transport mode: the local port where the filter's condition is wider."),  \
        CODEC_FIELD(holder, place remote_port, "remotePort", .kind = CODEC_UNSIGNED,               \
                    .flags = CODEC_OMIT_ZERO,                                                      \
                    .summary =                                                                     \
                        "Transport mode: the remote port where the filter's condition is wider."), \
        CODEC_FIELD(holder, place ip_protocol, "ipProtocol", .kind = CODEC_UNSIGNED,               \
                    .flags = CODEC_OMIT_ZERO,                                                      \
                    .summary =                                                                     \
                        "Transport mode: the IP protocol where the filter's condition is wider.")
