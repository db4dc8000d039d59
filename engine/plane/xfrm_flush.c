/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_flush.c: takes away what is of this service, and nothing else. */
#include <errno.h>
#include <stdlib.h>

#include "engine/base/log.h"
#include "engine/plane/xfrm_owner.h"
#include "engine/plane/xfrm_plane.h"

#define TRIES 4

/* What names a state, or a policy. */
struct name {
    struct kernel_sa_id state;
    struct kernel_selector selector;
    uint8_t direction;
};

/* What to delete, gathered by a dump: nothing can be asked while one runs. */
struct names {
    const struct plane *plane;
    struct name *array;
    size_t count;
    size_t capacity;
    bool is_short; /* of memory */
};

static bool
make_room(struct names *names)
{
    size_t capacity = names->capacity == 0 ? 256 : names->capacity * 2;
    struct name *array = NULL;

    if (names->count < names->capacity)
        return true;
    array = reallocarray(names->array, capacity, sizeof *array);
    if (array == NULL) {
        names->is_short = true;
        return false;
    }
    names->array = array;
    names->capacity = capacity;
    return true;
}

static void
take_name(void *context, const struct nlmsghdr *message, size_t size)
{
    struct names *names = context;
    struct xfrm_msg read;
    struct xfrm_owner owner;
    bool is_policy = false;

    if (!xfrm_msg_read(message, size, &read) ||
        (read.kind != XFRM_MSG_KIND_SA && read.kind != XFRM_MSG_KIND_POLICY))
        return;
    is_policy = read.kind == XFRM_MSG_KIND_POLICY;
    if (!xfrm_owner_read(is_policy ? read.policy.owner : read.sa.owner, &owner) ||
        owner.instance != names->plane->instance || !make_room(names))
        return;
    names->array[names->count++] = (struct name){
        .state = read.id,
        .selector = is_policy ? read.policy.selector : read.sa.selector,
        .direction = is_policy ? read.policy.direction : 0,
    };
}

/* The deletes of the batch; how many were done.  '*error_out' is the first error that is one. */
static size_t
send_deletes(struct plane *plane, int *error_out)
{
    struct netlink_result results[NETLINK_BATCH_MAX];
    size_t count = netlink_batch_size(plane->requests);
    size_t done = 0;

    netlink_send(plane->requests, results, NULL, NULL);
    for (size_t i = 0; i < count; i++) {
        bool is_gone = results[i].error == ESRCH || results[i].error == ENOENT;

        done += results[i].error == 0;
        if (results[i].error != 0 && !is_gone && *error_out == 0)
            *error_out = results[i].error;
    }
    return done;
}

/* 0, an errno, or NETLINK_UNKNOWN; '*found_out' is how many there were, and '*count_out' grows by
 * how many it deleted in any case. */
static int
try_flush(struct plane *plane, bool is_policy, size_t *found_out, size_t *count_out)
{
    struct names names = { .plane = plane };
    void *room = netlink_room(plane->requests);
    int error = 0;

    (void)(is_policy ? xfrm_msg_dump_policies(room, XFRM_MSG_MAX_SIZE)
                     : xfrm_msg_dump_sas(room, XFRM_MSG_MAX_SIZE));
    netlink_add(plane->requests);
    error = netlink_ask(plane->requests, take_name, &names);
    if (error == 0 && names.is_short)
        error = ENOMEM;
    for (size_t i = 0; i < names.count; i++) {
        const struct name *name = &names.array[i];

        room = netlink_room(plane->requests);
        (void)(is_policy ? xfrm_msg_delete_policy(room, XFRM_MSG_MAX_SIZE, &name->selector,
                                                  (enum kernel_policy_direction)name->direction)
                         : xfrm_msg_delete_sa(room, XFRM_MSG_MAX_SIZE, &name->state));
        netlink_add(plane->requests);
        if (netlink_batch_size(plane->requests) == NETLINK_BATCH_MAX)
            *count_out += send_deletes(plane, &error);
    }
    *count_out += send_deletes(plane, &error);
    *found_out = names.count;
    free(names.array);
    return error;
}

/* It is done when a look finds nothing any more; that also tells what became of requests whose
 * answers got lost. */
static int
flush_kind(struct plane *plane, bool is_policy, size_t *count_out)
{
    int error = NETLINK_UNKNOWN;
    size_t found = 0;

    for (int i = 0; i < TRIES && (error == NETLINK_UNKNOWN || (error == 0 && found > 0)); i++)
        error = try_flush(plane, is_policy, &found, count_out);
    return error == 0 && found > 0 ? EBUSY : error;
}

enum ipsec_status
xfrm_flush(struct plane *plane)
{
    struct plane_removed removed;
    enum ipsec_status status = xfrm_take_away(plane, &removed);

    log_info("flushed what the kernel had of this service", LOG_NUMBER("removedSas", removed.sas),
             LOG_NUMBER("removedPolicies", removed.policies));
    return status;
}

enum ipsec_status
xfrm_take_away(struct plane *plane, struct plane_removed *removed_out)
{
    const char *reason = NULL;

    *removed_out = (struct plane_removed){ .sas = 0 };
    /* Policies last: if this is cut short, packets are held up rather than sent in the clear. */
    int error = flush_kind(plane, false, &removed_out->sas);
    if (error == 0)
        error = flush_kind(plane, true, &removed_out->policies);
    number_map_clear(&plane->installed);
    number_map_clear(&plane->filters);
    xfrm_udp_retain(&plane->udp, &plane->installed);
    xfrm_udp_tidy(&plane->udp);
    return xfrm_status_of(error, NULL, NULL, &reason);
}
