/* SPDX-License-Identifier: Apache-2.0
 *
 * condition_values.h: the conditions of filters and tunnels as JSON. */
#pragma once

#include "api/codec.h"

extern const struct codec_object codec_condition; /* struct ipsec_condition */
