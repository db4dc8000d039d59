/* SPDX-License-Identifier: Apache-2.0
 *
 * library_epoll.h: suspended connections stay in the HTTP library's epoll set.
 *
 * The library takes a connection out of its set when it is suspended and adds it again after the
 * answer, which makes two system calls a request, and a third one for an event that says it can be
 * written.  By the linker's --wrap on epoll_ctl and epoll_wait neither call is made: what happens
 * to a suspended connection is noted and told when it is back.  Edges are then never missed, so a
 * socket that was read empty need not be read again before the next one: 'drained'. */
#pragma once

#include <stdbool.h>

struct MHD_Connection;
struct MHD_Daemon;
struct connection;

/* Names the library's daemon of the calling worker thread. */
void library_epoll_attach(struct MHD_Daemon *daemon);

void library_suspend(struct MHD_Connection *native, struct connection *connection);
void library_resume(struct MHD_Connection *native, struct connection *connection);

/* Before the connection is closed: takes it out of the set if the library thinks that it is. */
void library_forget(struct connection *connection);

/* What the transport functions know: a read that got less than it could have left nothing. */
void library_note_read(struct connection *connection, bool short_read);
