/* SPDX-License-Identifier: Apache-2.0
 *
 * flush.h: --flush: takes out of the kernel what a service that does not run left there. */
#pragma once

struct options;

/* The exit code: 0 when nothing of the service is left, with a line that counts what was there; 1
 * when something may be, or it runs; 2 when the options are to blame. */
int flush_run(const struct options *options);
