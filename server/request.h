/* SPDX-License-Identifier: Apache-2.0
 *
 * request.h: one HTTP request on its way from the HTTP library through the API and back.
 *
 * A request belongs to its connection's worker.  While the engine has its call the connection is
 * suspended; everything else happens inside the library's callbacks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/api.h"
#include "engine/base/buffer.h"
#include "server/guard.h"
#include "server/turns.h"

struct MHD_Connection;
struct connection;
struct stream;
struct worker;

enum request_stage {
    REQUEST_NEW = 0,  /* the target is known, the headers are not */
    REQUEST_BODY,     /* body bytes are arriving */
    REQUEST_READY,    /* no body: waiting for the library to say that the request is whole */
    REQUEST_ENGINE,   /* the engine has the call */
    REQUEST_ANSWERED, /* the answer is complete, not yet handed to the library */
    REQUEST_SENDING,
};

struct request {
    struct api_call call; /* first: the engine gives its 'base' back */
    struct worker *worker;
    struct connection *connection;
    struct MHD_Connection *native;
    struct guard guard;
    struct buffer body;
    char *target;
    int64_t started_us;
    struct stream *stream; /* null: an ordinary answer */
    enum request_stage stage;
    struct turn turn;
    struct request *next_free;
};

/* The request that 'turn' is part of. */
struct request *request_of_turn(struct turn *turn);

/* The library's callbacks; the closure is the worker. */
void *request_target_seen(void *worker, const char *target, struct MHD_Connection *native);
int request_handle(const char *method,
                   const char *upload,
                   size_t *upload_size,
                   struct request *request);
void request_completed(struct request *request);

/* After the engine gave the call back: completes the answer, and appends its audit line. */
void request_finish(struct request *request);
