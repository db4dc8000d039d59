/* SPDX-License-Identifier: Apache-2.0
 *
 * ipsec_id.h: the identities that a keying module says it has authenticated. */
#pragma once

#include "engine/base/attributes.h"
#include "engine/base/status.h"

struct ipsec_fault;
struct ipsec_id;

/* The form of an identity, as a part of a bundle: IPSEC_OUT_OF_BOUNDS, IPSEC_INVALID_ENUMERATOR,
 * IPSEC_INVALID_PARAMETER. */
NODISCARD enum ipsec_status ipsec_id_check(const struct ipsec_id *id, struct ipsec_fault *fault);
