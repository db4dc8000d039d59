/* SPDX-License-Identifier: Apache-2.0
 *
 * stream.h: the endless answer to one watcher.
 *
 * A stream belongs to its request, and with it to one worker.  It sends what there is, then its
 * connection is suspended until there is more, or a heartbeat is due; so a watcher costs nothing
 * meanwhile.  A reader that is slow holds one piece of text here, and what lies in the socket; what
 * it misses beyond that ends the stream.
 *
 * The library does not read a suspended connection, so it would learn of its end when the next
 * piece can't be sent.  An epoll set of the worker's own tells of that end at once.  Who closes
 * only the direction that requests come in has gone as well: a stream ends when its reader says so,
 * and most have no other way to say it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/buffer.h"

struct MHD_Response;
struct request;
struct worker;

struct stream {
    struct request *request;
    struct stream *next; /* of the worker */
    struct stream *previous;
    struct buffer text;   /* what is being sent, */
    size_t sent;          /* and how much of it is */
    int64_t heartbeat_ms; /* monotonic: when the next one is due */
    bool suspended;
    bool last; /* nothing comes after 'text' */
};

/* What the streams of a worker have in common. */
struct stream_pool {
    struct stream *first;
    struct stream *next; /* to look at; null: the first */
    uint32_t count;
    uint32_t suspended;   /* how many of them are */
    uint32_t unlooked;    /* how many are still to be looked at for what is new */
    uint64_t seen;        /* changes that had been published when that was said */
    int64_t heartbeat_ms; /* how often */
    int end_fd;           /* epoll set of their sockets: readable when a peer has closed its end */
};

/* Begins the stream of a request whose answer is one; null: no memory.  The response is the
 * caller's, the stream the request's. */
struct MHD_Response *stream_open(struct request *request);
void stream_close(struct stream *stream); /* accepts null */

/* Ends the streams whose readers have gone; before a run of the library, when 'end_fd' is readable.
 */
void stream_pool_end_gone(struct worker *worker);

/* Once a round of the worker: lets those go on that have something to send or whose end has come, a
 * few a round, so that callers do not wait for all watchers.  True: they want the next round at
 * once.  'look' makes it look at all of them, as is due a few times a second,
 * after a reload and while the service drains; otherwise only a new change does. */
bool stream_pool_run(struct worker *worker, bool look);
