/* SPDX-License-Identifier: Apache-2.0
 *
 * layer.h: layers and the callouts that work at them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/types.h"

/* Of what passes it. */
uint8_t layer_ip_version(enum ipsec_layer layer);
/* The transport layer of a direction. */
enum ipsec_layer layer_transport(enum ipsec_direction direction, uint8_t ip_version);

/* The one layer at which a callout, not NONE, works. */
enum ipsec_layer callout_layer(enum ipsec_callout callout);
/* Whether it secures packets in transport or in tunnel mode; NONE does neither. */
bool callout_is_transport(enum ipsec_callout callout);
bool callout_is_tunnel(enum ipsec_callout callout);
