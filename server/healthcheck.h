/* SPDX-License-Identifier: Apache-2.0
 *
 * healthcheck.h: the client behind --healthcheck, for containers without a shell or curl. */
#pragma once

/* Asks http://'ops_listen'/readyz within 3 seconds.  0: ready; 1: not, or no answer, with one line
 * on standard error. */
int healthcheck_run(const char *ops_listen);
