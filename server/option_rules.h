/* SPDX-License-Identifier: Apache-2.0
 *
 * option_rules.h: what must hold between options, each good by itself. */
#pragma once

#include <stdbool.h>

#include "server/problem.h"

struct options;

/* Tells 'sink' of every rule that is broken; true when there is none.  Addresses that do not parse
 * are told as well. */
bool option_rules_hold(const struct options *options, problem_sink *sink, void *context);
