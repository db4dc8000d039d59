/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_names.h: names of what SAs and proposals are made of: transforms, groups, bundle flags. */
#pragma once

#include "api/codec.h"

extern const struct codec_names sa_transform_types;
extern const struct codec_names sa_auth_transforms;
extern const struct codec_names sa_cipher_transforms;
extern const struct codec_names sa_pfs_groups;
extern const struct codec_names sa_token_types;
extern const struct codec_names sa_token_principals;
extern const struct codec_names sa_token_modes;
extern const struct codec_names sa_bundle_flags; /* a bit each */
