/* SPDX-License-Identifier: Apache-2.0
 *
 * worker_library.h: the HTTP library's daemon of a worker: what it is started with, and what it
 * calls. */
#pragma once

struct MHD_Daemon;
struct worker;

/* Null when the library does not start.  Callers come from 'listen_fd_take'. */
struct MHD_Daemon *worker_library_start(struct worker *worker, int listen_fd_take);
