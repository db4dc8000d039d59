/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_states.c: SA bundles become states of the kernel, and go.
 *
 * Requests of many actions ride in one send.  Each remembers what it was for; when the answers are
 * there, what came of each action is put together, and what is left of a bundle that failed is
 * deleted. */
#include <errno.h>
#include <string.h>

#include <linux/netlink.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/hash_index.h"
#include "engine/plane/xfrm_bundle.h"
#include "engine/plane/xfrm_owner.h"
#include "engine/plane/xfrm_plane.h"

enum step_kind {
    STEP_ADD = 0,
    STEP_ASK, /* what it carried, before it is deleted */
    STEP_DELETE,
};

/* One request of the batch. */
struct step {
    struct plane_action *action;
    struct kernel_sa state; /* without keys */
    uint8_t index;          /* of the SA in its bundle */
    enum step_kind kind;
};

struct round {
    struct step steps[NETLINK_BATCH_MAX];
    struct netlink_result results[NETLINK_BATCH_MAX];
    /* The filter that follows the bundles of this round, and what it followed before; 0: none. */
    uint64_t follower_id;
    uint64_t followed_before;
};

static void enqueue(struct plane *plane, struct round *round, struct plane_action *action);
static void follow(struct plane *plane, struct round *round, struct plane_action *action);
static void take_step(struct plane *plane,
                      struct round *round,
                      struct plane_action *action,
                      const struct kernel_sa *states,
                      size_t index,
                      enum step_kind kind);
static void remember_traffic(void *context, const struct nlmsghdr *message, size_t size);
static void flush(struct plane *plane, struct round *round);
static void conclude(struct plane *plane, struct step *step, const struct netlink_result *result);
static void take_back(struct plane *plane, const struct round *round, size_t count);
static void stop_following(struct plane *plane, struct round *round, size_t count);

uint64_t
xfrm_state_key(const struct plane *plane, const struct kernel_sa_id *id)
{
    uint8_t bytes[sizeof id->destination + sizeof id->spi + 2];

    memcpy(bytes, id->destination.bytes, sizeof id->destination);
    memcpy(bytes + sizeof id->destination, &id->spi, sizeof id->spi);
    bytes[sizeof bytes - 2] = id->ip_version;
    bytes[sizeof bytes - 1] = id->protocol;
    return hash_bytes(plane->installed.seed, bytes, sizeof bytes);
}

uint64_t
xfrm_state_value(uint64_t context_id, uint8_t direction)
{
    return context_id << 1 | direction;
}

uint64_t
xfrm_state_find(const struct plane *plane, uint64_t key)
{
    uint64_t value = number_map_find(&plane->installed, key);
    uint64_t place = value != 0 ? 0 : number_map_find(&plane->found_places, key);

    return place == 0 ? value : plane->found[place - 1].value;
}

void
xfrm_state_forget(struct plane *plane, uint64_t key)
{
    uint64_t value = number_map_find(&plane->installed, key);
    uint64_t place = number_map_find(&plane->found_places, key);

    if (value != 0)
        number_map_remove(&plane->installed, key, value);
    if (place != 0)
        plane->found[place - 1].value = 0;
}

/* A state is asked for what it carried before it is deleted. */
static size_t
requests_of(const struct plane_action *action)
{
    const size_t states = action->what.bundle->sa_count;

    return action->kind == PLANE_ADD_BUNDLE ? states : 2 * states;
}

void
xfrm_states_apply(struct plane *plane, struct plane_action *actions, size_t count)
{
    struct round round;

    round.follower_id = 0;
    for (size_t i = 0; i < count; i++) {
        struct plane_action *action = &actions[i];

        action->status = IPSEC_OK;
        action->reason = NULL;
        action->refused_sa = 0;
        if (action->kind == PLANE_UPDATE_BUNDLE) {
            flush(plane, &round);
            xfrm_udp_tidy(&plane->udp);
            xfrm_states_move(plane, action);
            continue;
        }
        if (netlink_batch_size(plane->requests) + requests_of(action) > NETLINK_BATCH_MAX)
            flush(plane, &round);
        enqueue(plane, &round, action);
    }
    flush(plane, &round);
    xfrm_udp_tidy(&plane->udp);
}

struct answer {
    struct kernel_sa state;
    bool is_there;
};

static void
keep_state(void *context, const struct nlmsghdr *message, size_t size)
{
    struct answer *answer = context;
    struct xfrm_msg read;

    if (!xfrm_msg_read(message, size, &read) || read.kind != XFRM_MSG_KIND_SA)
        return;
    answer->state = read.sa;
    /* Their names lie in a buffer that is wiped. */
    answer->state.aead = answer->state.auth = answer->state.cipher =
        (struct kernel_algorithm){ .name = NULL };
    answer->is_there = true;
}

/* Whosever it is.  0 or an errno. */
static int
ask(struct plane *plane, const struct kernel_sa_id *id, struct answer *answer_out)
{
    *answer_out = (struct answer){ .is_there = false };
    (void)xfrm_msg_get_sa(netlink_room(plane->requests), XFRM_MSG_MAX_SIZE, id);
    netlink_add(plane->requests);
    return netlink_ask(plane->requests, keep_state, answer_out);
}

enum ipsec_status
xfrm_states_ask(struct plane *plane, const struct kernel_sa_id *id, struct kernel_sa *state_out)
{
    struct answer answer;
    struct xfrm_owner owner;
    const char *reason = NULL;
    int error = ask(plane, id, &answer);

    if (error != 0)
        return xfrm_status_of(error, NULL, NULL, &reason);
    if (!answer.is_there || !xfrm_owner_read(answer.state.owner, &owner) ||
        owner.instance != plane->instance)
        return IPSEC_NOT_FOUND;
    *state_out = answer.state;
    return IPSEC_OK;
}

struct plane_counters
xfrm_states_counters(const struct kernel_sa *state)
{
    struct plane_counters counters = {
        .bytes = state->progress.bytes,
        .packets = state->progress.packets,
    };

    /* The kernel tells seconds of the wall clock; what counts is how long ago. */
    if (state->last_used_at_s != 0) {
        int64_t age_ms = clock_wall_ms() - (int64_t)state->last_used_at_s * 1000;

        counters.last_used_ms = clock_monotonic_ms() - (age_ms > 0 ? age_ms : 0);
        if (counters.last_used_ms < 1)
            counters.last_used_ms = 1;
    }
    return counters;
}

enum ipsec_status
xfrm_states_listen(struct plane *plane, const struct plane_bundle *what, const char **reason_out)
{
    uint16_t port = what->bundle->udp_encapsulation.local_port;
    int error = 0;

    if (what->direction != IPSEC_DIRECTION_INBOUND || port == 0)
        return IPSEC_OK;
    error = xfrm_udp_open(&plane->udp, port, NETLINK_BATCH_MAX);
    if (error == 0)
        return IPSEC_OK;
    log_warning("no socket for ESP in UDP", LOG_NUMBER("port", port), LOG_NUMBER("errno", error));
    *reason_out = "the port of the UDP encapsulation can't be had";
    return IPSEC_RPC_OUT_OF_RESOURCES;
}

void
xfrm_states_hear(struct plane *plane, uint64_t key, const struct kernel_sa *state)
{
    if (state->direction == IPSEC_DIRECTION_INBOUND && state->encapsulation_destination_port != 0)
        xfrm_udp_use(&plane->udp, key, state->encapsulation_destination_port);
}

/* --- Adding and deleting ---------------------------------------------------------------------- */

static void
enqueue(struct plane *plane, struct round *round, struct plane_action *action)
{
    struct kernel_sa states[IPSEC_SA_MAX];
    bool is_add = action->kind == PLANE_ADD_BUNDLE;
    uint64_t value = xfrm_state_value(action->what.context_id, action->what.direction);

    action->status =
        xfrm_bundle_states(&action->what, plane->instance, is_add, states, &action->reason);
    if (action->status == IPSEC_OK && is_add) {
        /* Ports of what is about to go may make room. */
        if (plane->udp.count == XFRM_UDP_PORTS_MAX) {
            flush(plane, round);
            xfrm_udp_tidy(&plane->udp);
        }
        action->status = xfrm_states_listen(plane, &action->what, &action->reason);
    }
    if (action->status == IPSEC_OK && is_add &&
        !number_map_reserve(&plane->installed, NETLINK_BATCH_MAX))
        action->status = IPSEC_RPC_OUT_OF_RESOURCES;
    if (action->status == IPSEC_OK && is_add)
        follow(plane, round, action);
    if (action->status != IPSEC_OK)
        return;
    for (size_t i = 0; i < action->what.bundle->sa_count; i++) {
        const struct kernel_sa_id id = xfrm_msg_id_of(&states[i]);

        /* What is not there as ours may be there as somebody else's. */
        if (!is_add && xfrm_state_find(plane, xfrm_state_key(plane, &id)) != value)
            continue;
        if (is_add) {
            (void)xfrm_msg_add_sa(netlink_room(plane->requests), XFRM_MSG_MAX_SIZE, &states[i]);
            take_step(plane, round, action, states, i, STEP_ADD);
            continue;
        }
        (void)xfrm_msg_get_sa(netlink_room(plane->requests), XFRM_MSG_MAX_SIZE, &id);
        take_step(plane, round, action, states, i, STEP_ASK);
        (void)xfrm_msg_delete_sa(netlink_room(plane->requests), XFRM_MSG_MAX_SIZE, &id);
        take_step(plane, round, action, states, i, STEP_DELETE);
    }
}

/* The bundle's filter sends packets as this bundle protects them.  Before the bundle is there: they
 * are held up for that moment, and would else go out as the filter wants no more. */
static void
follow(struct plane *plane, struct round *round, struct plane_action *action)
{
    uint64_t id = action->what.filter_id;
    uint64_t wanted = xfrm_policies_protocols_of(action->what.bundle);
    uint64_t known = xfrm_policies_protocols(plane, id);

    if (known == 0 || known == wanted)
        return;
    flush(plane, round);
    known = xfrm_policies_protocols(plane, id);
    action->status = xfrm_policies_follow(plane, id, wanted, &action->reason);
    if (action->status == IPSEC_OK) {
        round->follower_id = id;
        round->followed_before = known;
    }
}

/* Takes the request that was just written, and remembers what it is for. */
static void
take_step(struct plane *plane,
          struct round *round,
          struct plane_action *action,
          const struct kernel_sa *states,
          size_t index,
          enum step_kind kind)
{
    struct step *step = &round->steps[netlink_batch_size(plane->requests)];

    *step = (struct step){
        .action = action,
        .state = states[index],
        .index = (uint8_t)index,
        .kind = kind,
    };
    step->state.aead.key = step->state.auth.key = step->state.cipher.key = NULL;
    netlink_add(plane->requests);
}

/* The counters of an SA that is about to be deleted; keys beside them stay where they are. */
static void
remember_traffic(void *context, const struct nlmsghdr *message, size_t size)
{
    struct plane *plane = context;
    struct xfrm_msg read;
    struct xfrm_owner owner;

    if (xfrm_msg_read(message, size, &read) && read.kind == XFRM_MSG_KIND_SA &&
        xfrm_owner_read(read.sa.owner, &owner) && owner.direction <= IPSEC_DIRECTION_INBOUND)
        xfrm_traffic_add(&plane->ended[owner.direction], &read.sa);
}

static void
flush(struct plane *plane, struct round *round)
{
    size_t count = netlink_batch_size(plane->requests);

    if (count == 0)
        return;
    netlink_send(plane->requests, round->results, remember_traffic, plane);
    for (size_t i = 0; i < count; i++)
        conclude(plane, &round->steps[i], &round->results[i]);
    take_back(plane, round, count);
    stop_following(plane, round, count);
}

/* An answer that got lost: the kernel knows whether it did it. */
static int
find_out(struct plane *plane, const struct step *step)
{
    const struct kernel_sa_id id = xfrm_msg_id_of(&step->state);
    struct answer answer;
    int error = ask(plane, &id, &answer);
    bool is_ours = answer.is_there &&
                   memcmp(answer.state.owner, step->state.owner, sizeof step->state.owner) == 0;

    if (error != 0 && error != ESRCH)
        return NETLINK_UNKNOWN;
    if (step->kind != STEP_ADD)
        return is_ours ? NETLINK_UNKNOWN : 0;
    if (is_ours)
        return 0;
    return answer.is_there ? EEXIST : NETLINK_UNKNOWN;
}

/* Whose SA is there already. */
static const char *
who_has(struct plane *plane, const struct step *step, const char *reason)
{
    const struct kernel_sa_id id = xfrm_msg_id_of(&step->state);
    struct answer answer;
    struct xfrm_owner owner;

    if (ask(plane, &id, &answer) != 0 || !answer.is_there)
        return reason;
    return xfrm_owner_read(answer.state.owner, &owner) && owner.instance == plane->instance
               ? "an SA of this service has this destination, SPI and protocol already"
               : "a state of another owner has this destination, SPI and protocol in the kernel";
}

/* The first of a bundle that failed tells why; the others that were made have to go. */
static void
blame(struct plane *plane, const struct step *step, enum ipsec_status status, const char *reason)
{
    struct plane_action *action = step->action;

    if (action->status != IPSEC_OK)
        return;
    action->status = status;
    action->reason = reason;
    if (step->kind != STEP_ADD)
        return;
    if (status == IPSEC_ALREADY_EXISTS)
        action->reason = who_has(plane, step, reason);
    if (status == IPSEC_ALREADY_EXISTS || status == IPSEC_INVALID_PARAMETER ||
        status == IPSEC_INVALID_AUTH_TRANSFORM || status == IPSEC_INVALID_CIPHER_TRANSFORM)
        action->refused_sa = (uint8_t)(step->index + 1);
}

static void
conclude(struct plane *plane, struct step *step, const struct netlink_result *result)
{
    const struct kernel_sa_id id = xfrm_msg_id_of(&step->state);
    uint64_t key = xfrm_state_key(plane, &id);
    const struct plane_bundle *what = &step->action->what;
    uint64_t value = xfrm_state_value(what->context_id, what->direction);
    const char *reason = NULL;
    enum ipsec_status status = IPSEC_OK;
    int error = 0;

    if (step->kind == STEP_ASK)
        return;
    error = result->error == NETLINK_UNKNOWN ? find_out(plane, step) : result->error;
    if (error == NETLINK_UNKNOWN)
        xfrm_watch_doubt(plane, PLANE_DOUBT_SURE);
    status = xfrm_status_of(error, &step->state, result->reason, &reason);
    if (step->kind != STEP_ADD && status == IPSEC_NOT_FOUND)
        status = IPSEC_OK;
    if (status == IPSEC_OK && step->kind == STEP_ADD) {
        number_map_add(&plane->installed, key, value);
        xfrm_states_hear(plane, key, &step->state);
    }
    /* Also one that could not be deleted: it is left over, and a comparison takes it away. */
    if (step->kind != STEP_ADD) {
        if (status != IPSEC_OK)
            xfrm_watch_doubt(plane, PLANE_DOUBT_SURE);
        xfrm_state_forget(plane, key);
        xfrm_udp_leave(&plane->udp, key);
    }
    if (status != IPSEC_OK) {
        blame(plane, step, status, reason);
        step->action = NULL;
    }
}

/* Of bundles that failed, what was made is deleted. */
static void
take_back(struct plane *plane, const struct round *round, size_t count)
{
    struct netlink_result results[NETLINK_BATCH_MAX];

    for (size_t i = 0; i < count; i++) {
        const struct step *step = &round->steps[i];
        struct kernel_sa_id id;
        uint64_t key = 0;

        if (step->kind != STEP_ADD || step->action == NULL || step->action->status == IPSEC_OK)
            continue;
        id = xfrm_msg_id_of(&step->state);
        key = xfrm_state_key(plane, &id);
        number_map_remove(
            &plane->installed, key,
            xfrm_state_value(step->action->what.context_id, step->action->what.direction));
        xfrm_udp_leave(&plane->udp, key);
        (void)xfrm_msg_delete_sa(netlink_room(plane->requests), XFRM_MSG_MAX_SIZE, &id);
        netlink_add(plane->requests);
    }
    count = netlink_batch_size(plane->requests);
    netlink_send(plane->requests, results, NULL, NULL);
    for (size_t i = 0; i < count; i++) {
        if (results[i].error != 0 && results[i].error != ESRCH)
            xfrm_watch_doubt(plane, PLANE_DOUBT_SURE);
    }
}

/* When none of the bundles that a filter followed came to be, the SAs of before are its latest. */
static void
stop_following(struct plane *plane, struct round *round, size_t count)
{
    uint64_t id = round->follower_id;
    const char *reason = NULL;

    round->follower_id = 0;
    for (size_t i = 0; i < count && id != 0; i++) {
        const struct step *step = &round->steps[i];

        if (step->kind == STEP_ADD && step->action != NULL && step->action->status == IPSEC_OK &&
            step->action->what.filter_id == id)
            id = 0;
    }
    if (id != 0)
        (void)xfrm_policies_follow(plane, id, round->followed_before, &reason);
}
