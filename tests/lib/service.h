/* SPDX-License-Identifier: Apache-2.0
 *
 * service.h: the whole service but for the wire, in process: requests go in as method, path and
 * body, answers come out, on an engine with a store that outlives it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/api.h"
#include "auth/identity.h"
#include "engine/base/buffer.h"
#include "engine/engine.h"
#include "engine/plane/plane.h"
#include "engine/store/store.h"

/* --- A store in memory that keeps its contents over close and open -------------------------------
 *
 * There are two, named "0" and "1" as paths: so that one can be loaded to see what is in the other
 * while that is in use. */
extern const struct store_ops kept_store;

/* The n-th call of the backend fails, and, when 'lasting', all after it. */
struct kept_plan {
    uint64_t first; /* from 1; 0: none */
    bool lasting;
};
void kept_store_plan(const struct kept_plan *plan);
bool kept_store_failed(void); /* since the plan was made */
/* Makes the contents of "1" those of "0". */
void kept_store_copy(void);
/* Forgets both. */
void kept_store_clear(void);

/* --- The service --------------------------------------------------------------------------------
 */

struct service {
    struct api_service api;
    struct auth_identity identity;
    struct auth_name names[2];
    struct api_call call;
};

struct service_request {
    const char *method;
    const char *path;
    const char *query; /* null: none */
    const char *body;  /* null: none */
    size_t body_size;
    const char *headers[API_HEADER_COUNT]; /* the media type is added to a body without */
};

/* The options of tests: no timers, no limits in the way. */
struct ipsec_engine_options service_options(void);

/* Opens an engine on the kept store of that name; 'plane' may be null for none. */
NODISCARD enum ipsec_status service_open(struct service *service,
                                         const struct ipsec_engine_options *options,
                                         const char *store,
                                         const struct plane_ops *plane,
                                         struct ipsec_fault *fault);
/* The same without an engine thread, for many calls a second; no data plane. */
NODISCARD enum ipsec_status service_open_unthreaded(struct service *service,
                                                    const struct ipsec_engine_options *options,
                                                    const char *store,
                                                    struct ipsec_fault *fault);
void service_close(struct service *service);

/* Runs one request with all rights, as the wire does.  The answer stays in 'service->call' until
 * the next one. */
const struct api_answer *service_ask(struct service *service,
                                     const struct service_request *request);
/* The bytes of the answer's body; null when there are none. */
const char *service_body(const struct api_answer *answer, size_t *size_out);

/* Appends all that callers can see of the objects: every list, page by page.  False when a list is
 * refused, which is then all that was appended of it. */
NODISCARD bool service_render(struct service *service, struct buffer *text);
