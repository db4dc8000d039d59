/* SPDX-License-Identifier: Apache-2.0
 *
 * worker_loop.h: what a worker's thread does. */
#pragma once

/* The thread; 'argument' is its worker.  Returns when a drain is done. */
void *worker_loop(void *argument);
