/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_key_check.h: whether the keys of an SA fit its algorithms: their lengths, and which no one may
 * use.  Pointers in faults are relative to the SA: "/authKey". */
#pragma once

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/engine.h"
#include "engine/types.h"

/* That the keys are there which a transform of valid values needs. */
NODISCARD enum ipsec_status sa_key_check_values(const struct ipsec_sa_transform *transform,
                                                const struct ipsec_sa_keys *keys,
                                                struct ipsec_fault *fault);

/* Lengths, keys that are all zeros, and the weak ones of DES. */
NODISCARD enum ipsec_status sa_key_check_meaning(const struct ipsec_sa_transform *transform,
                                                 const struct ipsec_sa_keys *keys,
                                                 struct ipsec_fault *fault);
