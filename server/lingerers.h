/* SPDX-License-Identifier: Apache-2.0
 *
 * lingerers.h: sockets that were answered while their caller was still sending.
 *
 * Closing a socket with unread bytes in it resets the connection, and the caller may lose an answer
 * that is under way (RFC 9112 section 9.6).  Such sockets are kept for a moment after the HTTP
 * library closed them, and what still comes is thrown away.  One list a worker; not shared. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { LINGER_MAX = 64 };

struct lingerers {
    size_t count;
    int fds[LINGER_MAX];
    int64_t deadlines_ms[LINGER_MAX]; /* monotonic */
};

/* Keeps a duplicate of 'fd', whose writing side is or will be shut down.  Does nothing when the
 * list is full: that caller takes his chance. */
void lingerers_add(struct lingerers *lingerers, int fd);

/* Reads away what has come; closes sockets whose caller has finished or whose time is over. */
void lingerers_run(struct lingerers *lingerers);
void lingerers_clear(struct lingerers *lingerers);
