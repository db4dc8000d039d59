/* SPDX-License-Identifier: Apache-2.0
 *
 * test_torture_plane.c: the plane "xfrm" with the n-th answer of the kernel lost, the n-th request
 * refused or the n-th send failing, for every n of every step of a scenario, alone and with all
 * that come after it.
 *
 * A step that says it worked has; one that says it did not has left what was there before, or there
 * is drift to be seen and the next comparison puts it so.  What somebody else has beside it is
 * never touched.  Where the kernel makes no ESP this is left out; tests/vm runs it in one that
 * does. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <netinet/in.h>

#include <linux/netlink.h>

#include <libmnl/libmnl.h>

#include "engine/plane/xfrm_owner.h"
#include "engine/plane/xfrm_plane.h"
#include "tests/conformance/plane_fixture.h"

/* --- A kernel that fails ---------------------------------------------------------------------- */

enum failure {
    FAILURE_LOST,    /* it does what it is asked for and its answer finds no room */
    FAILURE_REFUSED, /* it has no memory for it */
    FAILURE_UNSENT,  /* the send fails, so nothing of a batch gets there */
    FAILURE_COUNT,
};
static const char *const failure_names[FAILURE_COUNT] = { "answer lost", "request refused",
                                                          "send failed" };

static struct {
    int fd; /* of the socket whose requests fail */
    enum failure kind;
    size_t first; /* from 1; 0: none */
    bool lasting;
    size_t count;            /* of requests, or of sends */
    uint32_t failed_numbers; /* the sequence numbers of the requests from here ... */
    uint32_t failed_end;     /* ... to before here fail; equal: none */
    bool has_failed;
} kernel;

#define NO_SUCH_REQUEST 0xff

static void
kernel_plan(int fd, enum failure kind, size_t first, bool lasting)
{
    memset(&kernel, 0, sizeof kernel);
    kernel.fd = fd;
    kernel.kind = kind;
    kernel.first = first;
    kernel.lasting = lasting;
}

static void
kernel_heal(void)
{
    kernel.first = 0;
}

static bool
is_due(void)
{
    kernel.count++;
    return kernel.count == kernel.first || (kernel.lasting && kernel.count > kernel.first);
}

static bool
is_failed_number(uint32_t number)
{
    return number - kernel.failed_numbers < kernel.failed_end - kernel.failed_numbers;
}

/* The linker puts this before the library's. */
ssize_t __real_mnl_socket_sendto(const struct mnl_socket *socket, const void *bytes, size_t size);
ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *socket, const void *bytes, size_t size);
ssize_t
__wrap_mnl_socket_sendto(const struct mnl_socket *socket, const void *bytes, size_t size)
{
    const struct nlmsghdr *message = bytes;
    int left = (int)size;

    if (kernel.first == 0 || mnl_socket_get_fd(socket) != kernel.fd)
        return __real_mnl_socket_sendto(socket, bytes, size);
    if (kernel.kind == FAILURE_UNSENT) {
        if (!is_due())
            return __real_mnl_socket_sendto(socket, bytes, size);
        kernel.has_failed = true;
        errno = ENOBUFS;
        return -1;
    }
    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
        if (!is_due())
            continue;
        if (kernel.failed_end == kernel.failed_numbers)
            kernel.failed_numbers = message->nlmsg_seq;
        kernel.failed_end = message->nlmsg_seq + 1;
        if (kernel.kind == FAILURE_REFUSED) {
            kernel.has_failed = true;
            /* The buffer is the plane's own, which forgets it after the send. */
            ((struct nlmsghdr *)(uintptr_t)message)->nlmsg_type = NO_SUCH_REQUEST;
        }
    }
    return __real_mnl_socket_sendto(socket, bytes, size);
}

ssize_t __real_recv(int fd, void *bytes, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *bytes, size_t size, int flags);
ssize_t
__wrap_recv(int fd, void *bytes, size_t size, int flags)
{
    ssize_t received = __real_recv(fd, bytes, size, flags);
    struct nlmsghdr *message = bytes;
    int left = (int)received;

    if (kernel.first == 0 || fd != kernel.fd || received < 0 ||
        !is_failed_number(message->nlmsg_seq))
        return received;
    if (kernel.kind == FAILURE_LOST) {
        kernel.has_failed = true;
        errno = ENOBUFS;
        return -1;
    }
    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
        struct nlmsgerr *error = mnl_nlmsg_get_payload(message);

        if (message->nlmsg_type == NLMSG_ERROR && error->error == -EINVAL)
            error->error = -ENOMEM;
    }
    return received;
}

/* --- What the kernel has ---------------------------------------------------------------------- */

enum { LINES_MAX = 64, LINE_SIZE = 160 };

/* As text, sorted. */
struct picture {
    char lines[LINES_MAX][LINE_SIZE];
    size_t count;
};

static int
compare_lines(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void
write_line(void *context, const struct nlmsghdr *message, size_t size)
{
    struct picture *picture = context;
    char *line = picture->lines[picture->count];
    struct xfrm_msg read;
    struct xfrm_owner owner = { .id = 0 };

    assert_true(picture->count < LINES_MAX);
    assert_true(xfrm_msg_read(message, size, &read));
    if (read.kind == XFRM_MSG_KIND_SA) {
        bool is_ours = xfrm_owner_read(read.sa.owner, &owner);

        (void)snprintf(line, LINE_SIZE,
                       "state %s %u, direction %d: %u %08x from .%u:%u to .%u:%u, %08x",
                       is_ours ? "of context" : "of others", (unsigned)owner.id, owner.direction,
                       read.sa.protocol, read.sa.spi, read.sa.source.bytes[3],
                       read.sa.encapsulation_source_port, read.sa.destination.bytes[3],
                       read.sa.encapsulation_destination_port, read.sa.reqid);
        picture->count++;
    } else if (read.kind == XFRM_MSG_KIND_POLICY) {
        const struct kernel_policy *policy = &read.policy;
        bool is_ours = xfrm_owner_read(policy->owner, &owner);

        (void)snprintf(line, LINE_SIZE,
                       "policy %s %u, direction %d: %u.%u to %u.%u, %u/%u, priority %u, %u %u",
                       is_ours ? "of filter" : "of others", (unsigned)owner.id, policy->direction,
                       policy->selector.source.bytes[3], policy->selector.source_prefix,
                       policy->selector.destination.bytes[3], policy->selector.destination_prefix,
                       policy->selector.ip_protocol, policy->selector.source_port, policy->priority,
                       policy->templates[0].protocol, policy->templates[1].protocol);
        picture->count++;
    }
}

static void
take_picture(struct netlink *netlink, struct picture *picture)
{
    memset(picture, 0, sizeof *picture);
    assert_int_not_equal(xfrm_msg_dump_sas(netlink_room(netlink), XFRM_MSG_MAX_SIZE), 0);
    netlink_add(netlink);
    assert_int_equal(netlink_ask(netlink, write_line, picture), 0);
    assert_int_not_equal(xfrm_msg_dump_policies(netlink_room(netlink), XFRM_MSG_MAX_SIZE), 0);
    netlink_add(netlink);
    assert_int_equal(netlink_ask(netlink, write_line, picture), 0);
    qsort(picture->lines, picture->count, LINE_SIZE, compare_lines);
}

static bool
is_same(const struct picture *a, const struct picture *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static void
print_picture(const char *name, const struct picture *picture)
{
    print_message("%s:\n", name);
    for (size_t i = 0; i < picture->count; i++)
        print_message("  %s\n", picture->lines[i]);
}

/* --- The scenario ----------------------------------------------------------------------------- */

enum { OUTBOUND = 11, INBOUND = 12, SUCCESSOR = 13, FILTERS = 3, BUNDLES = 7 };

/* Bundles by what becomes of them when they move. */
enum { OWN_END = 3, IN_UDP = 5, BEFORE_UDP = 6 };

enum step_kind {
    STEP_APPLY,
    STEP_COUNTERS,
    STEP_DRIFT,
    STEP_COMPARE,
    STEP_FLUSH,
};

struct step {
    const char *name;
    enum step_kind kind;
    enum plane_action_kind action;
    size_t first; /* filter or bundle */
    size_t count;
};

static const struct step steps[] = {
    { "add the outbound filter", STEP_APPLY, PLANE_ADD_FILTER, 0, 1 },
    { "try the inbound filter", STEP_APPLY, PLANE_TRY_FILTER, 1, 1 },
    { "forget that", STEP_APPLY, PLANE_KEEP_FILTER, 1, 1 },
    { "add the inbound filter", STEP_APPLY, PLANE_ADD_FILTER, 1, 1 },
    { "add a bundle", STEP_APPLY, PLANE_ADD_BUNDLE, 0, 1 },
    { "add three more, two with AH", STEP_APPLY, PLANE_ADD_BUNDLE, 1, 3 },
    { "read what one carried", STEP_COUNTERS, PLANE_ADD_BUNDLE, 1, 1 },
    { "look for drift", STEP_DRIFT, PLANE_ADD_BUNDLE, 0, 0 },
    { "compare", STEP_COMPARE, PLANE_ADD_BUNDLE, 0, 0 },
    { "add an inbound one with AH", STEP_APPLY, PLANE_ADD_BUNDLE, 4, 1 },
    { "add one in UDP, and one not yet", STEP_APPLY, PLANE_ADD_BUNDLE, IN_UDP, 2 },
    { "give it other ports", STEP_APPLY, PLANE_UPDATE_BUNDLE, IN_UDP, 1 },
    { "move a bundle", STEP_APPLY, PLANE_UPDATE_BUNDLE, 1, 1 },
    { "move one's own end", STEP_APPLY, PLANE_UPDATE_BUNDLE, OWN_END, 1 },
    { "put one into UDP", STEP_APPLY, PLANE_UPDATE_BUNDLE, BEFORE_UDP, 1 },
    { "give a filter another rank", STEP_APPLY, PLANE_UPDATE_FILTER, 1, 1 },
    { "delete two bundles", STEP_APPLY, PLANE_DELETE_BUNDLE, 1, 2 },
    { "delete a filter", STEP_APPLY, PLANE_DELETE_FILTER, 1, 1 },
    { "release a filter", STEP_APPLY, PLANE_RELEASE_FILTER, 0, 1 },
    { "try to take its place", STEP_APPLY, PLANE_TRY_FILTER, 2, 1 },
    { "forget that too", STEP_APPLY, PLANE_KEEP_FILTER, 2, 1 },
    { "take its place", STEP_APPLY, PLANE_ADD_FILTER, 2, 1 },
    { "compare again", STEP_COMPARE, PLANE_ADD_BUNDLE, 0, 0 },
    { "flush", STEP_FLUSH, PLANE_ADD_BUNDLE, 0, 0 },
};
enum { STEPS = sizeof steps / sizeof *steps };

/* What the engine would have in its store. */
struct world {
    struct plane_under_test test;
    struct netlink *eyes;
    struct ipsec_filter filters[FILTERS];
    uint32_t ranks[FILTERS];
    bool has_filter[FILTERS];
    struct plane_sample bundles[BUNDLES];
    bool has_bundle[BUNDLES];
};

static void
init_bundles(struct world *world)
{
    for (size_t i = 0; i < BUNDLES; i++) {
        bool is_inbound = i == 0 || i == 4;
        uint8_t direction = is_inbound ? IPSEC_DIRECTION_INBOUND : IPSEC_DIRECTION_OUTBOUND;
        struct plane_sample *sample = &world->bundles[i];

        plane_sample_init(sample, 100 + i, direction, 0x1000 + (uint32_t)i);
        if (i >= 2 && i <= 4)
            plane_sample_add_ah(sample, 0x2000 + (uint32_t)i);
        if (i == IN_UDP)
            sample->bundle.udp_encapsulation =
                (struct ipsec_udp_encapsulation){ .local_port = 4500, .remote_port = 4500 };
        sample->what.filter_id = is_inbound ? INBOUND : OUTBOUND;
        sample->what.traffic.remote_address.bytes[3] = (uint8_t)(20 + i);
    }
}

static void
init_filters(struct world *world)
{
    for (size_t i = 0; i < FILTERS; i++)
        world->filters[i] = (struct ipsec_filter){
            .id = OUTBOUND + i,
            .layer = i == 1 ? IPSEC_LAYER_INBOUND_TRANSPORT_V4 : IPSEC_LAYER_OUTBOUND_TRANSPORT_V4,
            .action = IPSEC_ACTION_CALLOUT_TERMINATING,
            .callout =
                i == 1 ? IPSEC_CALLOUT_INBOUND_TRANSPORT_V4 : IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V4,
            .condition_count = 1,
            .conditions = { { .field = IPSEC_CONDITION_IP_REMOTE_ADDRESS,
                              .prefix_length = 24,
                              .address = { .bytes = { 198, 51, 100, 0 } } } },
        };
}

static void
open_world(struct world *world)
{
    struct netlink *eyes = world->eyes;
    const struct plane_under_test test = world->test;

    memset(world, 0, sizeof *world);
    world->test = test;
    world->eyes = eyes;
    init_filters(world);
    init_bundles(world);
    plane_test_open(&world->test);
}

/* Ends it with nothing left, so that the next one begins alike. */
static void
close_world(struct world *world)
{
    kernel_heal();
    assert_int_equal(world->test.ops->flush(world->test.plane), IPSEC_OK);
    plane_test_close(&world->test);
}

static void
fill_action(struct world *world,
            const struct step *step,
            size_t index,
            const struct plane_sample *moved,
            struct plane_action *action)
{
    *action = (struct plane_action){ .kind = step->action, .status = IPSEC_RPC_SERVERFAULT };
    switch (step->action) {
    case PLANE_ADD_FILTER:
    case PLANE_UPDATE_FILTER:
    case PLANE_RELEASE_FILTER:
    case PLANE_DELETE_FILTER:
    case PLANE_TRY_FILTER:
    case PLANE_KEEP_FILTER:
        action->filter = (struct plane_filter){
            .filter = &world->filters[index],
            .rank = world->ranks[index] + (step->action == PLANE_UPDATE_FILTER ? 5 : 0),
        };
        return;
    case PLANE_UPDATE_BUNDLE:
        action->was = world->bundles[index].what;
        action->what = moved->what;
        return;
    case PLANE_ADD_BUNDLE:
    case PLANE_DELETE_BUNDLE:
        action->what = world->bundles[index].what;
        return;
    }
}

/* What the store has after an action, whatever came of it: what could not be deleted is not there
 * for the engine any more. */
static void
note_action(struct world *world,
            const struct plane_action *action,
            size_t index,
            const struct plane_sample *moved)
{
    bool worked = action->status == IPSEC_OK;

    switch (action->kind) {
    case PLANE_ADD_FILTER:
        world->has_filter[index] = worked;
        for (size_t i = 0; i < FILTERS; i++) {
            const struct plane_filter replaced = { .filter = &world->filters[i] };

            if (!worked || action->replaced[0] != world->filters[i].id)
                continue;
            (void)plane_do_filter(&world->test, PLANE_DELETE_FILTER, &replaced);
            world->has_filter[i] = false;
        }
        return;
    case PLANE_UPDATE_FILTER:
        world->ranks[index] += worked ? 5 : 0;
        return;
    case PLANE_DELETE_FILTER:
        world->has_filter[index] = false;
        return;
    case PLANE_ADD_BUNDLE:
        world->has_bundle[index] = worked;
        return;
    case PLANE_UPDATE_BUNDLE:
        if (worked) {
            world->bundles[index].what.traffic = moved->what.traffic;
            world->bundles[index].bundle.udp_encapsulation = moved->bundle.udp_encapsulation;
        }
        return;
    case PLANE_DELETE_BUNDLE:
        world->has_bundle[index] = false;
        return;
    case PLANE_RELEASE_FILTER:
    case PLANE_TRY_FILTER:
    case PLANE_KEEP_FILTER:
        return;
    }
}

static enum ipsec_status
apply_step(struct world *world, const struct step *step)
{
    struct plane_action actions[BUNDLES];
    struct plane_sample moved = world->bundles[step->first];
    enum ipsec_status first = IPSEC_OK;

    moved.what.bundle = &moved.bundle;
    if (step->first == OWN_END)
        moved.what.traffic.local_address.bytes[3] = 77;
    else if (step->first == IN_UDP)
        moved.bundle.udp_encapsulation.remote_port = 4600;
    else if (step->first == BEFORE_UDP)
        moved.bundle.udp_encapsulation =
            (struct ipsec_udp_encapsulation){ .local_port = 4500, .remote_port = 4500 };
    else
        moved.what.traffic.remote_address.bytes[3] = 200;
    for (size_t i = 0; i < step->count; i++)
        fill_action(world, step, step->first + i, &moved, &actions[i]);
    world->test.ops->apply(world->test.plane, actions, step->count);
    for (size_t i = 0; i < step->count; i++) {
        note_action(world, &actions[i], step->first + i, &moved);
        if (first == IPSEC_OK)
            first = actions[i].status;
    }
    return first;
}

/* As the engine does: filters are made so again, and a bundle that is not there has ended. */
static enum ipsec_status
compare(struct world *world, bool may_be_gone)
{
    enum ipsec_status first = IPSEC_OK;

    for (size_t i = 0; i < FILTERS; i++) {
        const struct plane_filter what = { .filter = &world->filters[i], .rank = world->ranks[i] };
        enum ipsec_status status = IPSEC_OK;

        if (world->has_filter[i])
            status = plane_do_filter(&world->test, PLANE_ADD_FILTER, &what);
        if (first == IPSEC_OK)
            first = status;
    }
    for (size_t i = 0; i < BUNDLES; i++) {
        enum ipsec_status status = IPSEC_OK;

        if (!world->has_bundle[i])
            continue;
        status = world->test.ops->resume(world->test.plane, &world->bundles[i].what);
        if (may_be_gone)
            world->has_bundle[i] = status != IPSEC_NOT_FOUND;
        else
            assert_int_not_equal(status, IPSEC_NOT_FOUND);
    }
    world->test.ops->resume_done(world->test.plane);
    return first;
}

static enum ipsec_status
do_step(struct world *world, const struct step *step)
{
    const struct plane_ops *ops = world->test.ops;
    struct plane *plane = world->test.plane;
    struct plane_counters counters;
    struct plane_drift drift;

    switch (step->kind) {
    case STEP_APPLY:
        return apply_step(world, step);
    case STEP_COUNTERS:
        return ops->read_counters(plane, &world->bundles[step->first].what, &counters);
    case STEP_DRIFT:
        return ops->find_drift(plane, &drift);
    case STEP_COMPARE:
        return compare(world, false);
    case STEP_FLUSH:
        return ops->flush(plane);
    }
    return IPSEC_RPC_SERVERFAULT;
}

/* --- Every failure of every step -------------------------------------------------------------- */

/* What is there after each step when nothing fails; at 0 before the first. */
static struct picture pictures[STEPS + 1];

static void
begin_before(struct world *world, size_t step)
{
    struct picture now;

    open_world(world);
    for (size_t i = 0; i < step; i++)
        assert_int_equal(do_step(world, &steps[i]), IPSEC_OK);
    take_picture(world->eyes, &now);
    assert_true(is_same(&now, &pictures[step]));
}

/* As the engine looks, to compare only when there is a difference. */
static bool
has_drift(struct world *world)
{
    struct plane_drift drift;

    assert_int_equal(world->test.ops->find_drift(world->test.plane, &drift), IPSEC_OK);
    return drift.bundles_missing != 0 || drift.bundles_left_over != 0 ||
           drift.filters_missing != 0 || drift.filters_left_over != 0;
}

/* The picture of what the world has now, made by a plane that nothing happened to. */
static void
picture_anew(struct world *world, struct picture *picture)
{
    struct world fresh = { .test = { .ops = world->test.ops }, .eyes = world->eyes };

    assert_int_equal(world->test.ops->flush(world->test.plane), IPSEC_OK);
    plane_test_close(&world->test);
    open_world(&fresh);
    for (size_t i = 0; i < FILTERS; i++) {
        const struct plane_filter what = { .filter = &world->filters[i], .rank = world->ranks[i] };

        if (world->has_filter[i])
            assert_int_equal(plane_do_filter(&fresh.test, PLANE_ADD_FILTER, &what), IPSEC_OK);
    }
    for (size_t i = 0; i < BUNDLES; i++) {
        if (world->has_bundle[i])
            assert_int_equal(plane_do(&fresh.test, PLANE_ADD_BUNDLE, &world->bundles[i].what),
                             IPSEC_OK);
    }
    take_picture(world->eyes, picture);
    world->test = fresh.test;
}

static void
judge(struct world *world, size_t step, enum ipsec_status status, size_t n)
{
    /* One that could not be put back has ended. */
    bool may_be_gone = steps[step].action == PLANE_UPDATE_BUNDLE;
    struct picture now;
    struct picture wanted;

    if (steps[step].kind == STEP_FLUSH) {
        if (status != IPSEC_OK)
            assert_int_equal(world->test.ops->flush(world->test.plane), IPSEC_OK);
        wanted = pictures[STEPS];
    } else if (has_drift(world)) {
        assert_true(kernel.has_failed);
        assert_int_equal(compare(world, may_be_gone), IPSEC_OK);
        assert_false(has_drift(world));
    }
    take_picture(world->eyes, &now);
    if (steps[step].kind != STEP_FLUSH)
        picture_anew(world, &wanted);
    if (is_same(&now, &wanted))
        return;
    print_picture("is there", &now);
    print_picture("should be", &wanted);
    fail_msg("%s: %s at %zu%s: %s", steps[step].name, failure_names[kernel.kind], n,
             kernel.lasting ? " and all after it" : "", ipsec_status_name(status));
}

static size_t
torture_step(struct world *world, size_t step, enum failure kind, bool lasting)
{
    bool has_failed = true;
    size_t count = 0;
    size_t points = 0;

    for (size_t n = 1; n == 1 || count >= n - 1; n++) {
        begin_before(world, step);
        kernel_plan(netlink_fd(world->test.plane->requests), kind, n, lasting);
        enum ipsec_status status = do_step(world, &steps[step]);
        kernel_heal();
        has_failed = kernel.has_failed;
        count = kernel.count;
        assert_int_not_equal(status, IPSEC_RPC_SERVERFAULT);
        if (!has_failed)
            assert_int_equal(status, IPSEC_OK);
        judge(world, step, status, n);
        points += has_failed;
        close_world(world);
    }
    return points;
}

static void
torture(enum failure kind, bool lasting)
{
    struct world world = { .test = { .ops = &plane_xfrm } };
    size_t points = 0;

    plane_test_begin(&world.test, &plane_xfrm);
    plane_test_close(&world.test);
    assert_int_equal(netlink_open(NETWORK_HERE, NULL, &world.eyes), 0);
    plane_test_add_foreign(world.eyes);
    open_world(&world);
    take_picture(world.eyes, &pictures[0]);
    for (size_t i = 0; i < STEPS; i++) {
        assert_int_equal(do_step(&world, &steps[i]), IPSEC_OK);
        take_picture(world.eyes, &pictures[i + 1]);
    }
    close_world(&world);
    for (size_t i = 0; i < STEPS; i++)
        points += torture_step(&world, i, kind, lasting);
    netlink_close(world.eyes);
    assert_int_not_equal(points, 0);
    print_message("%zu points: %s %s\n", points, failure_names[kind],
                  lasting ? "and all after it" : "alone");
}

static void
every_answer_is_lost_once(void **state)
{
    (void)state;
    torture(FAILURE_LOST, false);
}

static void
from_every_answer_on_all_are_lost(void **state)
{
    (void)state;
    torture(FAILURE_LOST, true);
}

static void
every_request_is_refused_once(void **state)
{
    (void)state;
    torture(FAILURE_REFUSED, false);
}

static void
from_every_request_on_all_are_refused(void **state)
{
    (void)state;
    torture(FAILURE_REFUSED, true);
}

static void
every_send_fails_once(void **state)
{
    (void)state;
    torture(FAILURE_UNSENT, false);
}

static void
from_every_send_on_all_fail(void **state)
{
    (void)state;
    torture(FAILURE_UNSENT, true);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_is_lost_once),
        cmocka_unit_test(from_every_answer_on_all_are_lost),
        cmocka_unit_test(every_request_is_refused_once),
        cmocka_unit_test(from_every_request_on_all_are_refused),
        cmocka_unit_test(every_send_fails_once),
        cmocka_unit_test(from_every_send_on_all_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
