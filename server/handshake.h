/* SPDX-License-Identifier: Apache-2.0
 *
 * handshake.h: the unfinished handshakes of a worker: which get a step in a round of the library,
 * and what follows from one.  The functions the library calls are declared in library_wrap.h. */
#pragma once

#include <stdbool.h>

struct connection;
struct connection_pool;

/* The library steps every unfinished handshake in every round, whether bytes came or not.  An epoll
 * set of our own, edge-triggered, tells which of them have something to read. */
void handshake_watch(struct connection *connection, bool watch);

/* Notes which unfinished handshakes have bytes to read; before each run of the library. */
void handshake_look(struct connection_pool *pool);
