/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_transform.h: the algorithms of one SA: of a bundle with its keys, or proposed by a policy. */
#pragma once

#include <stdbool.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/types.h"

/* Required members and enumerators.  Pointers are relative to the SA: "/authTransform". */
NODISCARD enum ipsec_status sa_transform_check_values(const struct ipsec_sa_transform *transform,
                                                      struct ipsec_fault *fault);
/* Whether type and algorithms, of valid values, go together. */
NODISCARD enum ipsec_status sa_transform_check_meaning(const struct ipsec_sa_transform *transform,
                                                       struct ipsec_fault *fault);

bool sa_transform_authenticates(const struct ipsec_sa_transform *transform);
bool sa_transform_encrypts(const struct ipsec_sa_transform *transform);
bool sa_transform_is_gcm(const struct ipsec_sa_transform *transform);
/* MD5; DES and 3DES: for engines that are told to allow them. */
bool sa_transform_has_weak_auth(const struct ipsec_sa_transform *transform);
bool sa_transform_has_weak_cipher(const struct ipsec_sa_transform *transform);
