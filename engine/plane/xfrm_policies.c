/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_policies.c: filters become policies of the kernel, and go. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>

#include "engine/base/log.h"
#include "engine/plane/xfrm_filter.h"
#include "engine/plane/xfrm_owner.h"
#include "engine/plane/xfrm_plane.h"

static void
keep_policy(void *context, const struct nlmsghdr *message, size_t size)
{
    struct xfrm_msg read;

    if (xfrm_msg_read(message, size, &read) && read.kind == XFRM_MSG_KIND_POLICY)
        *(struct kernel_policy *)context = read.policy;
}

int
xfrm_policies_ask(struct plane *plane,
                  const struct kernel_policy *like,
                  struct kernel_policy *policy_out)
{
    *policy_out = (struct kernel_policy){ .priority = 0 };
    (void)xfrm_msg_get_policy(netlink_room(plane->requests), XFRM_MSG_MAX_SIZE, &like->selector,
                              (enum kernel_policy_direction)like->direction);
    netlink_add(plane->requests);
    return netlink_ask(plane->requests, keep_policy, policy_out);
}

static bool
is_same(const struct kernel_policy *a, const struct kernel_policy *b)
{
    return a->priority == b->priority && a->is_block == b->is_block &&
           a->template_count == b->template_count &&
           memcmp(a->owner, b->owner, sizeof a->owner) == 0 &&
           memcmp(a->templates, b->templates, sizeof a->templates) == 0;
}

/* An answer that got lost: the kernel knows whether it did it. */
static int
find_out(struct plane *plane, const struct kernel_policy *policy, enum xfrm_policy_change kind)
{
    struct kernel_policy there;
    int error = xfrm_policies_ask(plane, policy, &there);

    if (kind == XFRM_POLICY_REMOVE)
        return error == ENOENT ? 0 : NETLINK_UNKNOWN;
    if (error == 0 && is_same(policy, &there))
        return 0;
    return error == 0 && kind == XFRM_POLICY_ADD ? EEXIST : NETLINK_UNKNOWN;
}

int
xfrm_policies_change(struct plane *plane,
                     const struct kernel_policy *policy,
                     enum xfrm_policy_change kind)
{
    void *room = netlink_room(plane->requests);
    struct netlink_result result;

    switch (kind) {
    case XFRM_POLICY_ADD:
        (void)xfrm_msg_add_policy(room, XFRM_MSG_MAX_SIZE, policy);
        break;
    case XFRM_POLICY_SET:
        (void)xfrm_msg_set_policy(room, XFRM_MSG_MAX_SIZE, policy);
        break;
    case XFRM_POLICY_REMOVE:
        (void)xfrm_msg_delete_policy(room, XFRM_MSG_MAX_SIZE, &policy->selector,
                                     (enum kernel_policy_direction)policy->direction);
        break;
    }
    netlink_add(plane->requests);
    netlink_send(plane->requests, &result, NULL, NULL);
    if (result.error == NETLINK_UNKNOWN)
        result.error = find_out(plane, policy, kind);
    if (kind == XFRM_POLICY_REMOVE && result.error == ENOENT)
        return 0;
    /* Also one that could not be deleted: it is left over. */
    if (result.error == NETLINK_UNKNOWN || (kind == XFRM_POLICY_REMOVE && result.error != 0))
        xfrm_watch_doubt(plane, PLANE_DOUBT_SURE);
    return result.error;
}

enum ipsec_status
xfrm_policies_status(int error, const char **reason_out)
{
    enum ipsec_status status = xfrm_status_of(error, NULL, NULL, reason_out);

    if (error == EINVAL)
        *reason_out = "the kernel refuses the policy as it is";
    return status;
}

bool
xfrm_policies_own(const struct plane *plane,
                  const struct kernel_policy *policy,
                  uint64_t *filter_id_out)
{
    struct xfrm_owner owner;

    if (!xfrm_owner_read(policy->owner, &owner) || owner.instance != plane->instance)
        return false;
    *filter_id_out = owner.id;
    return true;
}

/* --- Filters ---------------------------------------------------------------------------------- */

/* What putting one policy did, to be taken back. */
struct put {
    bool has_added;
    bool has_replaced;
    bool is_known;        /* 'before' is what was there */
    bool keeps_templates; /* those of 'before' */
    struct kernel_policy before;
    uint64_t holder;      /* EEXIST: the filter of this service that is in the way; 0: none */
    uint64_t released_id; /* of whom 'before' was; 0: of the filter itself, or left over */
};

#define BOTH_PROTOCOLS (XFRM_FILTER_ESP | XFRM_FILTER_AH)

/* ESP inside, AH around it. */
static void
set_protocols(struct kernel_policy *policy, uint64_t protocols)
{
    policy->templates[1] = policy->templates[0];
    policy->templates[1].protocol = IPPROTO_AH;
    policy->templates[0].protocol =
        (protocols & BOTH_PROTOCOLS) == XFRM_FILTER_AH ? IPPROTO_AH : IPPROTO_ESP;
    policy->template_count = (protocols & BOTH_PROTOCOLS) == BOTH_PROTOCOLS ? 2 : 1;
    if (policy->template_count == 1)
        policy->templates[1] = (struct kernel_template){ .protocol = 0 };
}

/* The policy is there afterwards.  EEXIST: another filter's or somebody else's is. */
static int
put(struct plane *plane,
    const struct kernel_policy *policy,
    uint64_t id,
    bool follows,
    struct put *put_out)
{
    struct kernel_policy wanted;
    uint64_t owner = 0;
    uint64_t known = 0;
    int error = xfrm_policies_change(plane, policy, XFRM_POLICY_ADD);

    *put_out = (struct put){ .has_added = error == 0 };
    if (error != EEXIST)
        return error;
    put_out->is_known = xfrm_policies_ask(plane, policy, &put_out->before) == 0;
    if (!put_out->is_known ||
        xfrm_place_check(plane, &put_out->before, id, &owner, &put_out->holder) != 0)
        return EEXIST;
    if (is_same(policy, &put_out->before))
        return 0;
    known = number_map_find(&plane->filters, owner);
    wanted = *policy;
    if (owner == id && follows) {
        wanted.template_count = put_out->before.template_count;
        memcpy(wanted.templates, put_out->before.templates, sizeof wanted.templates);
        put_out->keeps_templates = true;
    }
    error = xfrm_policies_change(plane, &wanted, XFRM_POLICY_SET);
    put_out->has_replaced = error == 0;
    if (error == 0 && owner != id && known != 0)
        put_out->released_id = owner;
    return error;
}

static void
take_back(struct plane *plane, const struct kernel_policy *policy, const struct put *put)
{
    if (put->has_added)
        (void)xfrm_policies_change(plane, policy, XFRM_POLICY_REMOVE);
    else if (put->has_replaced)
        (void)xfrm_policies_change(plane, &put->before, XFRM_POLICY_SET);
}

static void
note(struct plane *plane, uint64_t id, uint64_t value)
{
    uint64_t before = number_map_find(&plane->filters, id);

    if (before != 0)
        number_map_remove(&plane->filters, id, before);
    if (value != 0)
        number_map_add(&plane->filters, id, value);
}

/* If it is there it counts as missing until it was made so again. */
static void
note_unsure(struct plane *plane, uint64_t id)
{
    uint64_t known = number_map_find(&plane->filters, id);

    if (known == 0)
        return;
    note(plane, id, known | XFRM_FILTER_UNSURE);
    xfrm_watch_doubt(plane, PLANE_DOUBT_FAINT);
}

/* All or nothing. */
static void
make(struct plane *plane, struct plane_action *action, struct kernel_policy *policies, size_t count)
{
    struct put puts[XFRM_FILTER_POLICIES_MAX];
    uint64_t id = action->filter.filter->id;
    bool follows = policies[0].template_count > 0 &&
                   (action->filter.policy == NULL || action->filter.policy->proposal_count == 0);
    const struct kernel_policy *there = &policies[0];
    uint64_t known = number_map_find(&plane->filters, id) & ~XFRM_FILTER_RELEASED;
    uint64_t protocols = follows ? known & BOTH_PROTOCOLS : 0;
    bool adopts = follows && protocols == 0;
    size_t done = 0;
    int error = 0;

    xfrm_places_wait_no_more(plane, id, policies, count);
    if (!number_map_reserve(&plane->filters, 1) || !number_map_reserve(&plane->blocked, 1)) {
        action->status = IPSEC_RPC_OUT_OF_RESOURCES;
        return;
    }
    note(plane, id, known); /* it stays, even if it can't be made */
    /* What it follows is known, unless it is from before the start: then the kernel knows. */
    for (size_t i = 0; i < count && protocols != 0; i++)
        set_protocols(&policies[i], protocols);
    for (; done < count && error == 0; done++)
        error = put(plane, &policies[done], id, adopts, &puts[done]);
    if (error != 0) {
        const struct put *last = &puts[done - 1];

        xfrm_place_refuse(plane, action, error, last->holder,
                          last->is_known ? &last->before : NULL);
        for (size_t i = 0; i + 1 < done; i++)
            take_back(plane, &policies[i], &puts[i]);
        if (action->filter.is_stored && number_map_find(&plane->filters, id) == 0)
            note(plane, id, XFRM_FILTER_UNSURE);
        if (error == EEXIST && number_map_find(&plane->filters, id) != 0)
            xfrm_place_wait(plane, id, &policies[done - 1]);
        note_unsure(plane, id);
        return;
    }
    for (size_t i = 0; i < count; i++)
        action->replaced[i] = puts[i].released_id;
    if (puts[0].keeps_templates)
        there = &puts[0].before;
    for (size_t i = 0; adopts && i < there->template_count; i++)
        protocols |= there->templates[i].protocol == IPPROTO_AH ? XFRM_FILTER_AH : XFRM_FILTER_ESP;
    note(plane, id, count | protocols);
}

/* Only what is still this filter's: another may have taken its place, or somebody else. */
static void
unmake(struct plane *plane,
       struct plane_action *action,
       const struct kernel_policy *policies,
       size_t count)
{
    uint64_t id = action->filter.filter->id;
    int first_error = 0;

    for (size_t i = 0; i < count; i++) {
        struct kernel_policy there;
        uint64_t owner = 0;
        int error = xfrm_policies_ask(plane, &policies[i], &there);

        if (error == 0 && xfrm_policies_own(plane, &there, &owner) && owner == id)
            error = xfrm_policies_change(plane, &policies[i], XFRM_POLICY_REMOVE);
        if (error != 0 && error != ENOENT && first_error == 0)
            first_error = error;
    }
    if (first_error != 0)
        action->status = xfrm_policies_status(first_error, &action->reason);
    /* Also then: what is still there is left over, and a comparison takes it away. */
    if (first_error != 0)
        xfrm_watch_doubt(plane, PLANE_DOUBT_SURE);
    xfrm_places_wait_no_more(plane, id, policies, count);
    note(plane, id, 0);
}

/* Of a filter that the kernel can't have, so nothing of it is there.  One that is stored all the
 * same, for another plane took it, is missing for as long as it stays. */
static void
leave_out(struct plane *plane, struct plane_action *action, uint64_t id)
{
    bool is_add = action->kind == PLANE_ADD_FILTER;

    if (is_add && action->filter.is_stored && number_map_reserve(&plane->filters, 1))
        note(plane, id, XFRM_FILTER_UNSURE);
    if (action->kind == PLANE_DELETE_FILTER)
        note(plane, id, 0);
    if (!is_add && action->kind != PLANE_UPDATE_FILTER && action->kind != PLANE_TRY_FILTER)
        action->status = IPSEC_OK; /* there is nothing to release, keep or delete */
}

void
xfrm_policies_apply(struct plane *plane, struct plane_action *action)
{
    struct kernel_policy policies[XFRM_FILTER_POLICIES_MAX];
    size_t count = 0;
    uint64_t id = action->filter.filter->id;
    uint64_t installed = number_map_find(&plane->filters, id);

    action->reason = NULL;
    action->holder = 0;
    memset(action->replaced, 0, sizeof action->replaced);
    action->status = xfrm_filter_policies(&action->filter, plane->instance, policies, &count, NULL);
    if (action->status != IPSEC_OK)
        leave_out(plane, action, id);
    if (count == 0)
        return;
    if (action->kind == PLANE_ADD_FILTER) {
        make(plane, action, policies, count);
        return;
    }
    if (action->kind == PLANE_TRY_FILTER) {
        xfrm_places_try(plane, action, policies, count);
        return;
    }
    if (action->kind == PLANE_KEEP_FILTER)
        xfrm_places_keep(plane, id, policies, count);
    /* What was never made there can't be changed; it may be somebody else's. */
    if (installed == 0) {
        action->status = action->kind == PLANE_UPDATE_FILTER ? IPSEC_NOT_FOUND : IPSEC_OK;
        return;
    }
    if (action->kind == PLANE_UPDATE_FILTER)
        make(plane, action, policies, count);
    else if (action->kind == PLANE_RELEASE_FILTER)
        note(plane, id, installed | XFRM_FILTER_RELEASED);
    else if (action->kind == PLANE_KEEP_FILTER)
        note(plane, id, installed & ~XFRM_FILTER_RELEASED);
    else
        unmake(plane, action, policies, count);
}

/* --- Following the SAs ------------------------------------------------------------------------ */

/* Policies of one filter, found by a look at all: a filter does not follow often. */
struct followed {
    const struct plane *plane;
    uint64_t filter_id;
    struct kernel_policy policies[XFRM_FILTER_POLICIES_MAX];
    size_t count;
};

uint64_t
xfrm_policies_protocols(const struct plane *plane, uint64_t filter_id)
{
    return number_map_find(&plane->filters, filter_id) & BOTH_PROTOCOLS;
}

uint64_t
xfrm_policies_protocols_of(const struct ipsec_sa_bundle *bundle)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < bundle->sa_count; i++)
        bits |=
            bundle->sas[i].transform.type == IPSEC_TRANSFORM_AH ? XFRM_FILTER_AH : XFRM_FILTER_ESP;
    return bits;
}

static void
find_followed(void *context, const struct nlmsghdr *message, size_t size)
{
    struct followed *followed = context;
    struct xfrm_msg read;
    uint64_t id = 0;

    if (xfrm_msg_read(message, size, &read) && read.kind == XFRM_MSG_KIND_POLICY &&
        xfrm_policies_own(followed->plane, &read.policy, &id) && id == followed->filter_id &&
        read.policy.template_count > 0 && followed->count < XFRM_FILTER_POLICIES_MAX)
        followed->policies[followed->count++] = read.policy;
}

enum ipsec_status
xfrm_policies_follow(struct plane *plane,
                     uint64_t filter_id,
                     uint64_t protocols,
                     const char **reason_out)
{
    struct followed followed = { .plane = plane, .filter_id = filter_id };
    uint64_t known = number_map_find(&plane->filters, filter_id);
    size_t done = 0;
    int error = 0;

    (void)xfrm_msg_dump_policies(netlink_room(plane->requests), XFRM_MSG_MAX_SIZE);
    netlink_add(plane->requests);
    error = netlink_ask(plane->requests, find_followed, &followed);
    for (; done < followed.count && error == 0; done++) {
        struct kernel_policy policy = followed.policies[done];

        set_protocols(&policy, protocols);
        error = xfrm_policies_change(plane, &policy, XFRM_POLICY_SET);
    }
    if (error != 0) {
        log_error("a filter's policy can't follow its SAs", LOG_NUMBER("filterId", filter_id),
                  LOG_NUMBER("errno", error));
        for (size_t i = 0; i < done; i++)
            (void)xfrm_policies_change(plane, &followed.policies[i], XFRM_POLICY_SET);
        note_unsure(plane, filter_id);
        return xfrm_policies_status(error, reason_out);
    }
    note(plane, filter_id, (known & ~BOTH_PROTOCOLS) | protocols);
    return IPSEC_OK;
}

/* --- What is left over ------------------------------------------------------------------------ */

struct left_over {
    struct plane *plane;
    struct kernel_policy *policies;
    size_t count;
    size_t capacity;
};

static void
find_left_over(void *context, const struct nlmsghdr *message, size_t size)
{
    struct left_over *left = context;
    struct xfrm_msg read;
    bool is_exemption = false;
    uint64_t id = 0;

    if (!xfrm_msg_read(message, size, &read) || read.kind != XFRM_MSG_KIND_POLICY)
        return;
    is_exemption = xfrm_exemptions_see(left->plane, &read.policy);
    if (!xfrm_policies_own(left->plane, &read.policy, &id) ||
        (id == 0 ? is_exemption : number_map_find(&left->plane->filters, id) != 0))
        return;
    if (left->count == left->capacity) {
        size_t capacity = left->capacity == 0 ? 16 : left->capacity * 2;
        struct kernel_policy *policies =
            reallocarray(left->policies, capacity, sizeof *left->policies);

        if (policies == NULL)
            return; /* the next look finds it again */
        left->policies = policies;
        left->capacity = capacity;
    }
    left->policies[left->count++] = read.policy;
}

size_t
xfrm_policies_sweep(struct plane *plane)
{
    struct left_over left = { .plane = plane };
    size_t removed = 0;
    int error = 0;

    xfrm_exemptions_look(plane);
    (void)xfrm_msg_dump_policies(netlink_room(plane->requests), XFRM_MSG_MAX_SIZE);
    netlink_add(plane->requests);
    error = netlink_ask(plane->requests, find_left_over, &left);
    if (error != 0)
        log_error("the kernel does not list its policies", LOG_NUMBER("errno", error));
    else
        xfrm_exemptions_restore(plane);
    for (size_t i = 0; i < left.count; i++)
        removed += xfrm_policies_change(plane, &left.policies[i], XFRM_POLICY_REMOVE) == 0;
    free(left.policies);
    return removed;
}
