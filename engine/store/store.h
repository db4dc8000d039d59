/* SPDX-License-Identifier: Apache-2.0
 *
 * store.h: what the engine asks of durable storage.
 *
 * A store holds the same records as memory and is written once a batch: all changes of a commit are
 * there after a crash or none is, and after IPSEC_OK they are on the disk.  Only the engine thread
 * calls; calls never overlap; every one may block.  A store keeps no copy of what it is handed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/types.h"

struct store; /* Opaque, a backend's own. */

/* An answer that is given again to a repeated request.  Records are numbered in the order they were
 * made ('number' from 1, never reused), so that the oldest go first. */
struct store_replay {
    uint64_t number;
    int64_t created_at_ms;
    uint8_t key_digest[32];
    uint8_t request_digest[32];
    const void *answer; /* borrowed */
    size_t answer_size;
};

struct store_principal {
    uint32_t id; /* from 1 */
    const char *name;
};

/* An inbound SPI that is not handed out again before its time. */
struct store_quarantine {
    uint32_t spi;
    int64_t until_ms; /* wall clock */
};

/* A container's security descriptor that was changed through the API. */
struct store_descriptor {
    uint8_t container; /* enum ipsec_container */
    const char *text;  /* JSON, as in the access file */
};

/* Which data plane may have objects of this store, as it was opened last: it is written before the
 * first of them is made. */
#define STORE_PLANE_NAME_MAX 15
#define STORE_PLANE_NETNS_MAX 255
struct store_plane {
    char name[STORE_PLANE_NAME_MAX + 1];   /* "xfrm"; "": none may */
    char netns[STORE_PLANE_NETNS_MAX + 1]; /* network namespace; "": the one the process began in */
    uint32_t instance;
};

enum store_change_kind {
    STORE_PUT_PRINCIPAL,           /* principal: new, never changed */
    STORE_PUT_PROVIDER_CONTEXT,    /* provider_context: new */
    STORE_DELETE_PROVIDER_CONTEXT, /* id */
    STORE_PUT_FILTER,              /* filter: new */
    STORE_DELETE_FILTER,           /* id */
    STORE_PUT_SA_CONTEXT,          /* sa_context: new */
    STORE_SET_SA_CONTEXT,          /* sa_context: in place of the one with its id, parts and all */
    STORE_DELETE_SA_CONTEXT,       /* id */
    STORE_PUT_SESSION,             /* session: new */
    STORE_DELETE_SESSION,          /* id: its number */
    STORE_PUT_QUARANTINE,          /* quarantine: new, or in place of the SPI's */
    STORE_DELETE_QUARANTINE,       /* id: the SPI */
    STORE_PUT_DESCRIPTOR,          /* descriptor: new, or in place of the container's */
    STORE_DELETE_DESCRIPTOR,       /* id: the container's number, from 1 */
    STORE_PUT_REPLAY,              /* replay: new */
    STORE_DELETE_REPLAY,           /* id: its number */
    STORE_DELETE_REPLAYS_BELOW,    /* id: all numbers below it */
};

/* One change of a batch, in the order made.  Pointers are borrowed for the commit. */
struct store_change {
    enum store_change_kind kind;
    uint64_t id; /* of what a delete names, and of a replay: its number */
    union {
        const struct ipsec_sa_context *sa_context;
        const struct ipsec_filter *filter;
        const struct ipsec_provider_context *provider_context;
        const struct ipsec_session_record *session;
        const struct store_quarantine *quarantine;
        const struct store_descriptor *descriptor;
        struct store_principal principal;
        const struct store_replay *replay;
    };
};

/* Figures that are written with every commit. */
struct store_marks {
    uint64_t last_luid; /* the highest identifier ever given out */
    uint64_t revision;  /* the number of the last change */
    uint64_t last_replay_number;
};

/* Receives everything at start, in the order of the members below, each in ascending order of its
 * number.  What is handed over is borrowed for the call, the parts of an SA context too.  A status
 * other than IPSEC_OK ends the load and is returned by it. */
struct store_loader {
    void *context;
    enum ipsec_status (*principal)(void *context, const struct store_principal *principal);
    enum ipsec_status (*provider_context)(void *context,
                                          const struct ipsec_provider_context *provider_context);
    enum ipsec_status (*filter)(void *context, const struct ipsec_filter *filter);
    enum ipsec_status (*sa_context)(void *context, const struct ipsec_sa_context *sa_context);
    enum ipsec_status (*session)(void *context, const struct ipsec_session_record *session);
    enum ipsec_status (*quarantine)(void *context, const struct store_quarantine *quarantine);
    enum ipsec_status (*descriptor)(void *context, const struct store_descriptor *descriptor);
    /* 'answer' is null and 'answer_size' 0: answers stay in the store, see read_replay. */
    enum ipsec_status (*replay)(void *context, const struct store_replay *replay);
};

/* Statuses of a backend, with a sentence in 'fault' that names file and cause:
 *   IPSEC_RPC_OUT_OF_RESOURCES  the disk or the quota is full, no memory
 *   IPSEC_RPC_DISCONNECTED      input/output error, file system turned read-only, file gone
 *   IPSEC_RPC_INVALID_DATA      the contents are corrupt, another process wrote them, or a record
 *                               that must be new is there
 *   IPSEC_RPC_VERSION_MISMATCH  written by a newer version of this service (open only)
 *   IPSEC_RPC_CALL_REJECTED     another process has the store (open only)
 *   IPSEC_RPC_ACCESS_DENIED     the file may not be read and written (open only) */
struct store_ops {
    const char *name; /* "sqlite"; the URI is "sqlite:PATH" */
    /* Opens or creates the store at 'path' (what follows the colon).  Migrates an older schema, in
     * one transaction.  On success '*store_out' belongs to the caller. */
    enum ipsec_status (*open)(const char *path,
                              struct ipsec_fault *fault,
                              struct store **store_out);
    void (*close)(struct store *store); /* accepts null */
    /* Whether there is anything at 'path' for open; else it would create it.  Null: it always
     * creates. */
    bool (*is_there)(const char *path);
    enum ipsec_status (*load)(struct store *store,
                              const struct store_loader *loader,
                              struct store_marks *marks_out,
                              struct ipsec_fault *fault);
    /* All or nothing, durable on IPSEC_OK.  After a failure the store is as before the call and may
     * be tried again. */
    enum ipsec_status (*commit)(struct store *store,
                                const struct store_change *changes,
                                size_t change_count,
                                const struct store_marks *marks,
                                struct ipsec_fault *fault);
    /* A durable write that changes nothing: tells whether commits would work again. */
    enum ipsec_status (*probe)(struct store *store, struct ipsec_fault *fault);
    /* The answer of one record, on the heap, for the caller to free. IPSEC_NOT_FOUND if gone. */
    enum ipsec_status (*read_replay)(struct store *store,
                                     uint64_t number,
                                     struct ipsec_fault *fault,
                                     void **answer_out,
                                     size_t *answer_size_out);
    /* Which plane may have objects of this store.  Null, as the next: what the store holds ends
     * with the process, and nobody could come back to them. */
    enum ipsec_status (*read_plane)(struct store *store,
                                    struct store_plane *plane_out,
                                    struct ipsec_fault *fault);
    /* All or nothing, durable on IPSEC_OK, as a commit is.  Null, too, where it is only looked at.
     */
    enum ipsec_status (*write_plane)(struct store *store,
                                     const struct store_plane *plane,
                                     struct ipsec_fault *fault);
    /* The same store for looking at it: open creates, migrates and locks nothing, load and
     * read_plane work as ever, all else fails.  Null: open changes nothing by itself. */
    const struct store_ops *peek;
    /* What read_plane would tell of the store at 'path', which another process has open.  May be
     * null. */
    enum ipsec_status (*read_plane_beside)(const char *path,
                                           struct store_plane *plane_out,
                                           struct ipsec_fault *fault);
};

extern const struct store_ops store_memory;
extern const struct store_ops store_sqlite;
extern const struct store_ops store_sqlite_peek;

/* The backend for "memory:" or "sqlite:PATH" and where its path begins; null when the scheme is
 * unknown or the path is missing. */
const struct store_ops *store_find(const char *uri, const char **path_out);
