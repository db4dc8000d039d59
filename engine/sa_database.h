/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_database.h: SA contexts in memory: the table, its indexes, and how a context changes.
 *
 * A row of the table holds one reference to each of its parts (bundles, labels).  Each change is
 * complete in itself: row, indexes, store change, undo entry and event, or nothing.  What a row
 * refers to no longer lives until the change is final, for the store and the data plane may still
 * need it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/engine.h"
#include "engine/number_map.h"
#include "engine/plane/plane.h"
#include "engine/sa_bundle.h"
#include "engine/spi_table.h"
#include "engine/timer.h"
#include "engine/types.h"

struct engine_state;

/* After the outbound SA is gone packets under way still arrive for so long. */
#define SA_GRACE_MS 60000

struct sa_settings {
    int64_t larval_timeout_ms; /* 0: never */
    int64_t quarantine_ms;     /* 0: none */
    bool allow_weak_transforms;
};

/* Since the start of the engine. */
struct sa_counters {
    uint32_t added;   /* contexts that became active */
    uint32_t deleted; /* and those that are no longer */
    uint32_t rekeys;  /* became active while another had the same outbound traffic */
    uint64_t active_tunnels;
};

struct sa_database {
    struct sa_settings settings;
    struct sa_counters counters;
    struct spi_table spis;
    struct number_map traffics; /* hash of the outbound traffic: context with an outbound SA */
    uint64_t traffic_seed;
    struct timer_heap timers; /* context ids, and SPIs with SA_TIMER_SPI */
    struct sa_digester *digester;
    const struct plane_ops *plane_ops;
    struct plane *plane;
    /* After a start, and when ends in the plane may have been missed, it is asked what it still
     * has, a few contexts a batch. */
    bool resuming;
    uint64_t resumed;     /* contexts up to this one were asked for */
    int64_t next_look_ms; /* at what the plane ended by itself */
    int64_t retry_ms;     /* nothing becomes due before: memory was short */
};

/* A timer of an SPI in quarantine rather than of a context. */
#define SA_TIMER_SPI (UINT64_C(1) << 63)

/* The data plane "none", all SPIs, no larval timeout, no quarantine.  False: no memory. */
NODISCARD bool sa_database_init(struct sa_database *database);
/* As the operator wants it; opens the data plane, 'plane_ops' or (null) the one that the options
 * name.  Before anything is loaded. */
NODISCARD enum ipsec_status sa_database_configure(struct sa_database *database,
                                                  const struct ipsec_engine_options *options,
                                                  const struct plane_ops *plane_ops,
                                                  struct ipsec_fault *fault);
/* The contexts too. */
void sa_database_clear(struct engine_state *state);
/* The batch is final. */
void sa_database_settle(struct engine_state *state);

/* --- Changes (sa_change.c) ---------------------------------------------------------------------
 */

/* A new context; on success the table has the references of its parts.  Sets the revision.  False:
 * no memory, nothing has changed. */
NODISCARD bool sa_put(struct engine_state *state, struct ipsec_sa_context *context);

/* 'changed' in place of the row with its id: where its parts differ from the row's, the table takes
 * their references.  Sets the revision.  Returns what the row was before, good for the batch; null:
 * no memory, nothing has changed. */
NODISCARD const struct ipsec_sa_context *sa_set(struct engine_state *state,
                                                struct ipsec_sa_context *changed,
                                                enum ipsec_change_reason reason);

/* The row goes; its SPI rests unless 'no_quarantine'.  Returns what it was. */
NODISCARD const struct ipsec_sa_context *sa_delete(struct engine_state *state,
                                                   uint64_t id,
                                                   enum ipsec_change_reason reason,
                                                   bool no_quarantine);

/* The engine looks at the context at another time; memory only.  False: no memory. */
NODISCARD bool sa_reschedule(struct engine_state *state, uint64_t id, int64_t due_ms);

/* A context has become active while another with its traffic was. */
NODISCARD bool sa_count_rekey(struct engine_state *state);

/* Of a store: the row as it is to be, with its references.  False: no memory. */
NODISCARD bool sa_load(struct engine_state *state, const struct ipsec_sa_context *context);
NODISCARD bool sa_load_quarantine(struct engine_state *state, uint32_t spi, int64_t until_ms);

/* --- Questions -------------------------------------------------------------------------------- */

/* Null when there is none.  Valid until the next change. */
const struct ipsec_sa_context *sa_find(const struct engine_state *state, uint64_t id);

/* Contexts with an outbound SA for the same traffic, all its members equal; 0 at the end.
 * In sa_index.c. */
struct number_map_cursor sa_seek_traffic(const struct engine_state *state,
                                         const struct ipsec_traffic *traffic);
uint64_t sa_next_traffic(const struct engine_state *state,
                         const struct ipsec_traffic *traffic,
                         struct number_map_cursor *cursor);

/* A copy for a reader, with references of its own. */
struct ipsec_sa_context sa_copy(const struct engine_state *state,
                                const struct ipsec_sa_context *context);

/* Whether a timer is still that of its context or SPI. */
bool sa_timer_is_valid(const struct engine_state *state, struct timer_entry entry);

/* The time of the wall clock at a time of CLOCK_BOOTTIME, both around now; 0 stays 0. */
int64_t sa_wall_ms(const struct engine_state *state, int64_t due_ms);
