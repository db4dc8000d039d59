/* SPDX-License-Identifier: Apache-2.0
 *
 * builtin.h: the objects that are always there: providers, layers, sublayers, callouts. */
#pragma once

#include "engine/engine.h"
#include "engine/types.h"

/* Null when there is none. */
const struct ipsec_builtin *builtin_find(enum ipsec_builtin_kind kind,
                                         const struct ipsec_guid *key);
