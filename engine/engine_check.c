/* SPDX-License-Identifier: Apache-2.0
 *
 * engine_check.c: would an engine open?  Asked of the store and the data plane without changing
 * either. */
#include "engine/engine.h"

#include "engine/engine_internal.h"
#include "engine/plane/plane.h"
#include "engine/plane_mark.h"
#include "engine/rounds.h"
#include "engine/store/store.h"

static enum ipsec_status check_mark(const struct ipsec_engine_options *options,
                                    const struct ipsec_engine *engine,
                                    struct ipsec_fault *fault);
static enum ipsec_status check_mark_beside(const struct ipsec_engine_options *options,
                                           const struct store_ops *ops,
                                           const char *path,
                                           struct ipsec_fault *fault);

enum ipsec_status
ipsec_engine_check_store(const struct ipsec_engine_options *options, struct ipsec_fault *fault)
{
    struct ipsec_engine_options looking = *options;
    struct ipsec_engine *engine = NULL;
    const char *path;
    const struct store_ops *ops;
    enum ipsec_status status = ipsec_engine_find_store(options, fault, &ops, &path);

    if (status != IPSEC_OK)
        return status;
    /* It is read by what the start reads it with, and then let go. */
    looking.plane_uri = NULL;
    looking.exempt_fd_count = 0;
    looking.flush_on_close = false;
    status = ipsec_engine_open_unthreaded(&looking, ops->peek != NULL ? ops->peek : ops, path,
                                          fault, &engine);
    if (status == IPSEC_OK)
        status = check_mark(options, engine, fault);
    else if (status == IPSEC_RPC_CALL_REJECTED && ops->peek != NULL &&
             ops->peek->read_plane_beside != NULL)
        status = check_mark_beside(options, ops->peek, path, fault);
    ipsec_engine_discard(engine);
    return status;
}

enum ipsec_status
ipsec_engine_check_plane(const struct ipsec_engine_options *options, struct ipsec_fault *fault)
{
    const char *argument;
    const struct plane_ops *ops = plane_find(options->plane_uri, &argument);

    if (ops == NULL)
        return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_SERVICE, "plane",
                               "\"%s\" names no data plane", options->plane_uri);
    return ops->check == NULL ? IPSEC_OK : ops->check(argument, fault);
}

/* A plane that the options don't name right, ipsec_engine_check_plane() tells. */
static enum ipsec_status
check_mark(const struct ipsec_engine_options *options,
           const struct ipsec_engine *engine,
           struct ipsec_fault *fault)
{
    struct store_plane own;
    struct store_plane remembered;

    if (plane_mark_of(options, NULL, NULL, &own) != IPSEC_OK)
        return IPSEC_OK;
    enum ipsec_status status =
        plane_mark_read(engine->runner.store_ops, engine->runner.store, fault, &remembered);
    return status == IPSEC_OK ? plane_mark_check(&remembered, &own, fault) : status;
}

/* Of the store that another process has open, which 'fault' tells.  A mark that can't be read is
 * for the start. */
static enum ipsec_status
check_mark_beside(const struct ipsec_engine_options *options,
                  const struct store_ops *ops,
                  const char *path,
                  struct ipsec_fault *fault)
{
    const struct ipsec_fault taken =
        fault != NULL ? *fault : (struct ipsec_fault){ .status = IPSEC_RPC_CALL_REJECTED };
    struct ipsec_fault problem = { 0 };
    struct store_plane own;
    struct store_plane remembered;

    if (plane_mark_of(options, NULL, NULL, &own) != IPSEC_OK ||
        ops->read_plane_beside(path, &remembered, NULL) != IPSEC_OK ||
        plane_mark_check(&remembered, &own, &problem) == IPSEC_OK)
        return taken.status;
    if (!options->flush_on_close) {
        if (fault != NULL)
            *fault = problem;
        return problem.status;
    }
    /* It may be what the running one will do when it stops, too. */
    return ipsec_fault_set(fault, taken.status, taken.place, "store",
                           "%.200s with another %s: this starts only when that one flushes at its "
                           "stop, or after --flush",
                           taken.detail, problem.pointer);
}
