/* SPDX-License-Identifier: Apache-2.0
 *
 * engine_flush.c: takes out of the data plane what an engine left there that does not run. */
#include "engine/engine.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/log.h"
#include "engine/engine_internal.h"
#include "engine/plane/plane.h"
#include "engine/plane_mark.h"
#include "engine/store/store.h"

enum { URI_SIZE = 320 };

static enum ipsec_status flush_beside(const struct store_ops *ops,
                                      struct store *store,
                                      const struct ipsec_engine_options *options,
                                      struct ipsec_fault *fault);
static enum ipsec_status choose_plane(const struct store_plane *remembered,
                                      const struct ipsec_engine_options *options,
                                      struct ipsec_fault *fault,
                                      struct store_plane *mark_out);
static enum ipsec_status flush_plane(const struct store_plane *mark,
                                     const struct ipsec_engine_options *options,
                                     struct ipsec_fault *fault,
                                     struct plane_removed *removed_out);
static void tell(const struct store_plane *mark,
                 const struct ipsec_engine_options *options,
                 const struct plane_removed *removed);

enum ipsec_status
ipsec_engine_flush_plane(const struct ipsec_engine_options *options, struct ipsec_fault *fault)
{
    const char *path;
    const struct store_ops *ops;
    struct store *store = NULL;
    enum ipsec_status status = ipsec_engine_find_store(options, fault, &ops, &path);

    if (status != IPSEC_OK)
        return status;
    /* None is made where none is; one that remembers nothing by its nature is not opened. */
    if (ops->is_there != NULL && !ops->is_there(path))
        status = ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_SERVICE, "store",
                                 "there is no store %.160s: name the one that the service had, "
                                 "nothing was flushed",
                                 path);
    else if (ops->is_there != NULL)
        status = ops->open(path, fault, &store);
    if (status == IPSEC_OK)
        status = flush_beside(ops, store, options, fault);
    else if (fault != NULL)
        (void)snprintf(fault->pointer, sizeof fault->pointer, "store");
    ops->close(store);
    return status;
}

/* Nobody else can have 'store' open meanwhile; null: there is none. */
static enum ipsec_status
flush_beside(const struct store_ops *ops,
             struct store *store,
             const struct ipsec_engine_options *options,
             struct ipsec_fault *fault)
{
    struct store_plane remembered = { .name = "" };
    struct plane_removed removed = { .sas = 0 };
    struct store_plane mark;
    enum ipsec_status status = IPSEC_OK;

    if (store != NULL)
        status = plane_mark_read(ops, store, fault, &remembered);
    if (status == IPSEC_OK)
        status = choose_plane(&remembered, options, fault, &mark);
    if (status == IPSEC_OK)
        status = flush_plane(&mark, options, fault, &removed);
    if (status == IPSEC_OK && remembered.name[0] != '\0' && removed.sas + removed.policies == 0)
        log_warning("nothing was found in this network namespace: if the service ran in another "
                    "one (a container, systemd's NetworkNamespacePath), run --flush there",
                    LOG_TEXT("store", options->store_uri));
    if (status == IPSEC_OK && store != NULL)
        status = plane_mark_forget(ops, store, fault);
    return status;
}

static enum ipsec_status
choose_plane(const struct store_plane *remembered,
             const struct ipsec_engine_options *options,
             struct ipsec_fault *fault,
             struct store_plane *mark_out)
{
    const char *entered = options->plane_netns == NULL ? "" : options->plane_netns;
    struct store_plane own;
    enum ipsec_status status = plane_mark_of(options, NULL, fault, &own);

    if (status != IPSEC_OK)
        return status;
    *mark_out = remembered->name[0] == '\0' ? own : *remembered;
    if (remembered->name[0] == '\0' ||
        strcmp(remembered->netns, own.name[0] == '\0' ? entered : own.netns) == 0)
        return IPSEC_OK;
    if (remembered->netns[0] == '\0')
        return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_SERVICE, "netns",
                               "what the kernel may have of this store is not in a network "
                               "namespace of that name: leave netns out");
    return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_SERVICE, "netns",
                           "what the kernel may have of this store is in the network namespace "
                           "'%.100s': say so with --netns",
                           remembered->netns);
}

static enum ipsec_status
flush_plane(const struct store_plane *mark,
            const struct ipsec_engine_options *options,
            struct ipsec_fault *fault,
            struct plane_removed *removed_out)
{
    bool has_entered = options->plane_netns != NULL && options->plane_netns[0] != '\0';
    const char *netns = has_entered ? "" : mark->netns;
    char uri[URI_SIZE];
    const char *argument = "";

    if (mark->name[0] == '\0') {
        log_info("nothing to flush: this plane leaves nothing behind, and the store remembers none",
                 LOG_TEXT("store", options->store_uri));
        return IPSEC_OK;
    }
    (void)snprintf(uri, sizeof uri, "%s:instance=%u%s%s", mark->name, mark->instance,
                   netns[0] == '\0' ? "" : ",netns=", netns);
    const struct plane_ops *ops = plane_find(uri, &argument);
    if (ops == NULL || ops->clear == NULL)
        return ipsec_fault_set(
            fault, IPSEC_RPC_INVALID_DATA, IPSEC_FAULT_SERVICE, "store",
            "the store remembers a data plane \"%s\", which this program has not", mark->name);
    enum ipsec_status status = ops->clear(argument, fault, removed_out);
    if (status == IPSEC_OK || removed_out->sas + removed_out->policies > 0)
        tell(mark, options, removed_out);
    if (status == IPSEC_RPC_CALL_REJECTED)
        return ipsec_fault_set(fault, status, IPSEC_FAULT_SERVICE, "plane-instance",
                               "a service runs with plane-instance %u: stop it before",
                               mark->instance);
    return status;
}

static void
tell(const struct store_plane *mark,
     const struct ipsec_engine_options *options,
     const struct plane_removed *removed)
{
    const struct log_field fields[] = {
        LOG_NUMBER("removedSas", removed->sas), LOG_NUMBER("removedPolicies", removed->policies),
        LOG_TEXT("plane", mark->name),          LOG_NUMBER("planeInstance", mark->instance),
        LOG_TEXT("store", options->store_uri),  LOG_TEXT("netns", mark->netns),
    };
    size_t count = sizeof fields / sizeof *fields - (mark->netns[0] == '\0' ? 1 : 0);

    log_line(LOG_LEVEL_INFO, "flushed what the kernel had of this service", fields, count);
}
