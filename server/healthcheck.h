/* SPDX-License-Identifier: Apache-2.0
 *
 * healthcheck.h: the client behind --healthcheck, for containers without a shell or curl. */
#pragma once

/* Asks http://'ops_listen'/readyz within 3 seconds.  The exit code: 0 ready, 1 not or no
 * answer, 2 for an 'ops_listen' where nobody could be asked; with one line on standard error. */
int healthcheck_run(const char *ops_listen);
