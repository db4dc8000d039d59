/* SPDX-License-Identifier: Apache-2.0
 *
 * check.h: --check: would the service start as it is configured? */
#pragma once

#include <stdbool.h>

struct options;

/* Tells what was wrong with the options already, goes the way of a start, in its order and with its
 * functions, tells everything that would end it there, and changes nothing: no file, nothing in the
 * kernel, an address is bound for a moment only. An address or a store that somebody has already is
 * no fault: the service itself may run. False: it would not start.  Only good for a process that
 * ends then, as it gives up its privileges. */
bool check_run(const struct options *options);
