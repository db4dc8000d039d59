/* SPDX-License-Identifier: Apache-2.0
 *
 * test_netlink.c: talking to the kernel that there is, in a network namespace of its own.
 *
 * What needs ESP is left out where the kernel has none; tests/vm runs this in one that has. */
#include "engine/plane/netlink.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <netinet/in.h>

#include <linux/netlink.h>
#include <linux/xfrm.h>

#include <cmocka.h>

#include "engine/plane/xfrm_msg.h"
#include "engine/plane/xfrm_owner.h"
#include "tests/unit/lost_answers.h"

static const uint8_t key[20] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18 };

static struct kernel_policy
policy_number(uint32_t number)
{
    struct kernel_policy policy = {
        .selector = { .ip_version = IPSEC_IP_VERSION_V4,
                      .source_prefix = 32,
                      .destination_prefix = 32,
                      .source = { .bytes = { 192, 0, 2, 1 } },
                      .destination = { .bytes = { 198, 51, (uint8_t)(number >> 8),
                                                  (uint8_t)number } } },
        .direction = KERNEL_POLICY_OUT,
        .priority = 1000 + number,
    };
    const struct xfrm_owner owner = { .instance = 3, .direction = 1, .id = number };

    xfrm_owner_write(&owner, policy.owner);
    return policy;
}

static struct kernel_sa
sa_number(uint32_t number)
{
    struct kernel_sa sa = {
        .protocol = IPPROTO_ESP,
        .ip_version = IPSEC_IP_VERSION_V4,
        .direction = IPSEC_DIRECTION_OUTBOUND,
        .has_direction = true,
        .spi = 0x1000 + number,
        .reqid = xfrm_owner_reqid(number),
        .source = { .bytes = { 192, 0, 2, 1 } },
        .destination = { .bytes = { 198, 51, 100, 7 } },
        .aead = { .name = "rfc4106(gcm(aes))", .key = key, .key_bits = 160, .icv_bits = 128 },
    };
    const struct xfrm_owner owner = { .instance = 3, .direction = 0, .id = number };

    xfrm_owner_write(&owner, sa.owner);
    return sa;
}

static void
add_policy(struct netlink *netlink, uint32_t number)
{
    struct kernel_policy policy = policy_number(number);

    assert_int_not_equal(xfrm_msg_add_policy(netlink_room(netlink), XFRM_MSG_MAX_SIZE, &policy), 0);
    netlink_add(netlink);
}

static void
add_sa(struct netlink *netlink, const struct kernel_sa *sa)
{
    assert_int_not_equal(xfrm_msg_add_sa(netlink_room(netlink), XFRM_MSG_MAX_SIZE, sa), 0);
    netlink_add(netlink);
}

static struct netlink *
open_scratch(void)
{
    struct netlink *netlink = NULL;

    if (unshare(CLONE_NEWNET) != 0)
        skip();
    int error = netlink_open(NETWORK_HERE, NULL, &netlink);
    if (error == EPROTONOSUPPORT)
        skip();
    assert_int_equal(error, 0);
    return netlink;
}

/* A socket in a namespace of a kernel that makes ESP. */
static struct netlink *
open_scratch_with_esp(void)
{
    struct netlink *netlink = open_scratch();
    struct kernel_sa sa = sa_number(999999);
    struct kernel_sa_id id = xfrm_msg_id_of(&sa);
    struct netlink_result results[2];

    add_sa(netlink, &sa);
    assert_int_not_equal(xfrm_msg_delete_sa(netlink_room(netlink), XFRM_MSG_MAX_SIZE, &id), 0);
    netlink_add(netlink);
    netlink_send(netlink, results, NULL, NULL);
    if (results[0].error == EPROTONOSUPPORT || results[0].error == ENOSYS) {
        netlink_close(netlink);
        skip();
    }
    assert_int_equal(results[0].error, 0);
    assert_int_equal(results[1].error, 0);
    return netlink;
}

static void
the_outcome_of_each_request_is_its_own(void **state)
{
    (void)state;
    struct netlink *netlink = open_scratch();
    struct netlink_result results[NETLINK_BATCH_MAX];

    for (uint32_t i = 0; i < NETLINK_BATCH_MAX; i++)
        add_policy(netlink, i % 60);
    assert_null(netlink_room(netlink));
    netlink_send(netlink, results, NULL, NULL);
    for (uint32_t i = 0; i < NETLINK_BATCH_MAX; i++)
        assert_int_equal(results[i].error, i < 60 ? 0 : EEXIST);
    assert_int_equal(netlink_batch_size(netlink), 0);

    /* An error in the middle, a success at the end. */
    add_policy(netlink, 100);
    add_policy(netlink, 5);
    add_policy(netlink, 101);
    netlink_send(netlink, results, NULL, NULL);
    assert_int_equal(results[0].error, 0);
    assert_int_equal(results[1].error, EEXIST);
    assert_int_equal(results[2].error, 0);

    for (int i = 0; i < 2; i++) {
        struct kernel_policy policy = policy_number(100);

        xfrm_msg_delete_policy(netlink_room(netlink), XFRM_MSG_MAX_SIZE, &policy.selector,
                               KERNEL_POLICY_OUT);
        netlink_add(netlink);
    }
    netlink_send(netlink, results, NULL, NULL);
    assert_int_equal(results[0].error, 0);
    assert_int_equal(results[1].error, ENOENT);
    netlink_close(netlink);
}

struct tally {
    size_t count;
    size_t own;
    uint64_t sum;
};

static void
count_policies(void *context, const struct nlmsghdr *header, size_t size)
{
    struct tally *tally = context;
    struct xfrm_msg message;
    struct xfrm_owner owner;

    assert_true(xfrm_msg_read(header, size, &message));
    assert_int_equal(message.kind, XFRM_MSG_KIND_POLICY);
    tally->count++;
    if (!xfrm_owner_read(message.policy.owner, &owner))
        return;
    tally->own++;
    tally->sum += owner.id;
    assert_int_equal(message.policy.priority, 1000 + owner.id);
    assert_int_equal(owner.instance, 3);
}

static void
a_dump_shows_policies_with_their_owner(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    struct netlink *netlink = open_scratch();
    struct netlink_result results[NETLINK_BATCH_MAX];
    struct kernel_policy foreign = policy_number(COUNT);
    struct tally tally = { .count = 0 };

    for (uint32_t i = 0; i < COUNT; i++) {
        add_policy(netlink, i);
        if (netlink_room(netlink) != NULL && i + 1 < COUNT)
            continue;
        memset(results, 0xff, sizeof results);
        netlink_send(netlink, results, NULL, NULL);
        assert_int_equal(results[0].error, 0);
    }
    memset(foreign.owner, 0, sizeof foreign.owner);
    xfrm_msg_add_policy(netlink_room(netlink), XFRM_MSG_MAX_SIZE, &foreign);
    netlink_add(netlink);
    netlink_send(netlink, results, NULL, NULL);
    assert_int_equal(results[0].error, 0);

    for (int round = 0; round < 2; round++) {
        tally = (struct tally){ .count = 0 };
        xfrm_msg_dump_policies(netlink_room(netlink), XFRM_MSG_MAX_SIZE);
        netlink_add(netlink);
        assert_int_equal(netlink_ask(netlink, count_policies, &tally), 0);
        assert_int_equal(tally.count, COUNT + 1);
        assert_int_equal(tally.own, COUNT);
        assert_int_equal(tally.sum, (uint64_t)COUNT * (COUNT - 1) / 2);
    }
    netlink_close(netlink);
}

/* 0, or ENOENT. */
static int
ask_policy(struct netlink *netlink, uint32_t number)
{
    const struct kernel_policy policy = policy_number(number);
    struct tally tally = { .count = 0 };

    xfrm_msg_get_policy(netlink_room(netlink), XFRM_MSG_MAX_SIZE, &policy.selector,
                        KERNEL_POLICY_OUT);
    netlink_add(netlink);
    return netlink_ask(netlink, count_policies, &tally);
}

static void
answers_that_found_no_room_leave_the_outcome_unknown(void **state)
{
    (void)state;
    struct netlink *netlink = open_scratch();
    struct netlink_result results[NETLINK_BATCH_MAX];
    size_t unknown = 0;

    for (uint32_t i = 0; i < 40; i++)
        add_policy(netlink, i);
    netlink_send(netlink, results, NULL, NULL);
    assert_int_equal(results[39].error, 0);

    /* 40 refusals, which are too many, and 24 that are done. */
    shrink_receive_buffer(netlink);
    for (uint32_t i = 0; i < NETLINK_BATCH_MAX; i++)
        add_policy(netlink, i);
    netlink_send(netlink, results, NULL, NULL);
    assert_int_not_equal(count_lost(netlink), 0);
    for (uint32_t i = 0; i < NETLINK_BATCH_MAX; i++) {
        /* Nobody is told of success who may have failed. */
        assert_true(results[i].error == NETLINK_UNKNOWN || (i < 40 && results[i].error == EEXIST));
        unknown += results[i].error == NETLINK_UNKNOWN;
    }
    assert_true(unknown > 24);

    /* The kernel knows, and what it answered before does not answer this. */
    for (uint32_t i = 0; i < NETLINK_BATCH_MAX; i++)
        assert_int_equal(ask_policy(netlink, i), 0);
    assert_int_equal(ask_policy(netlink, NETLINK_BATCH_MAX), ENOENT);
    add_policy(netlink, NETLINK_BATCH_MAX);
    netlink_send(netlink, results, NULL, NULL);
    assert_int_equal(results[0].error, 0);
    netlink_close(netlink);
}

static void
an_answer_that_never_comes_leaves_the_outcome_unknown(void **state)
{
    (void)state;
    struct netlink *netlink = open_scratch();
    struct netlink_result results[NETLINK_BATCH_MAX];
    struct tally tally = { .count = 0 };

    add_policy(netlink, 1);
    netlink_send(netlink, results, NULL, NULL);
    assert_int_equal(results[0].error, 0);

    /* A refusal comes; the acknowledgement behind it does not. */
    lose_answer(netlink, next_sequence(netlink) + 2);
    add_policy(netlink, 2);
    add_policy(netlink, 1);
    add_policy(netlink, 3);
    netlink_send(netlink, results, NULL, NULL);
    assert_int_equal(results[0].error, NETLINK_UNKNOWN);
    assert_int_equal(results[1].error, EEXIST);
    assert_int_equal(results[2].error, NETLINK_UNKNOWN);
    assert_int_equal(netlink_batch_size(netlink), 0);
    assert_int_equal(ask_policy(netlink, 2), 0);
    assert_int_equal(ask_policy(netlink, 3), 0);

    lose_all_answers(netlink);
    assert_int_equal(ask_policy(netlink, 3), NETLINK_UNKNOWN);
    xfrm_msg_dump_policies(netlink_room(netlink), XFRM_MSG_MAX_SIZE);
    netlink_add(netlink);
    assert_int_equal(netlink_ask(netlink, count_policies, &tally), NETLINK_UNKNOWN);
    assert_int_equal(tally.count, 0);
    lose_none(netlink);
    assert_int_equal(ask_policy(netlink, 4), ENOENT);
    netlink_close(netlink);
}

static void
a_named_namespace_must_be_a_name(void **state)
{
    (void)state;
    struct netlink *netlink = NULL;

    assert_int_equal(netlink_open(NETWORK_NAMED, "", &netlink), EINVAL);
    assert_null(netlink);
    assert_int_equal(netlink_open(NETWORK_NAMED, "../1/ns/net", &netlink), EINVAL);
    assert_int_equal(netlink_open(NETWORK_NAMED, "..", &netlink), EINVAL);
    assert_int_equal(netlink_open(NETWORK_NAMED, "surely-none-of-this-name", &netlink), ENOENT);
    netlink_close(netlink);
}

/* --- What a listener hears -------------------------------------------------------------------- */

struct heard {
    size_t count;
    uint16_t last_type;
};

static void
hear(void *context, const struct nlmsghdr *header, size_t size)
{
    struct heard *heard = context;

    (void)size;
    heard->count++;
    heard->last_type = header->nlmsg_type;
}

static void
do_policy(struct netlink *netlink, uint32_t number, bool deletes)
{
    struct kernel_policy policy = policy_number(number);
    struct netlink_result result;

    if (deletes)
        xfrm_msg_delete_policy(netlink_room(netlink), XFRM_MSG_MAX_SIZE, &policy.selector,
                               KERNEL_POLICY_OUT);
    else
        xfrm_msg_add_policy(netlink_room(netlink), XFRM_MSG_MAX_SIZE, &policy);
    netlink_add(netlink);
    netlink_send(netlink, &result, NULL, NULL);
    assert_int_equal(result.error, 0);
}

static void
a_listener_hears_what_it_wants_and_nothing_of_one_sender(void **state)
{
    (void)state;
    static const uint16_t types[] = { XFRM_MSG_FLUSHPOLICY, XFRM_MSG_DELPOLICY };
    static const uint16_t too_many[NETLINK_TYPES_MAX + 1];
    struct netlink *own = NULL;
    struct netlink *other = NULL;
    struct netlink *listener = NULL;
    struct heard heard = { .count = 0 };

    if (unshare(CLONE_NEWNET) != 0)
        skip();
    int error = netlink_open(NETWORK_HERE, NULL, &own);
    if (error == EPERM || error == EPROTONOSUPPORT)
        skip();
    assert_int_equal(error, 0);
    assert_int_equal(netlink_open(NETWORK_HERE, NULL, &other), 0);
    assert_int_equal(netlink_listen(NETWORK_HERE, NULL, 1U << (XFRMNLGRP_POLICY - 1), &listener),
                     0);
    do_policy(own, 1, false);
    assert_int_equal(netlink_receive(listener, hear, &heard), 0);
    assert_int_equal(heard.count, 1);

    assert_int_equal(
        netlink_hear_only(listener, too_many, NETLINK_TYPES_MAX + 1, netlink_port_id(own)), EINVAL);
    assert_int_equal(netlink_hear_only(listener, types, 2, netlink_port_id(own)), 0);
    do_policy(own, 2, false);
    do_policy(own, 2, true);
    do_policy(other, 3, false);
    assert_int_equal(netlink_receive(listener, hear, &heard), 0);
    assert_int_equal(heard.count, 1);
    do_policy(other, 3, true);
    assert_int_equal(netlink_receive(listener, hear, &heard), 0);
    assert_int_equal(heard.count, 2);
    assert_int_equal(heard.last_type, XFRM_MSG_DELPOLICY);

    /* What it does not hear takes no room. */
    shrink_receive_buffer(listener);
    for (uint32_t i = 10; i < 100; i++)
        do_policy(other, i, false);
    assert_int_equal(count_lost(listener), 0);
    netlink_close(listener);
    netlink_close(other);
    netlink_close(own);
}

struct seen_sa {
    size_t count;
    struct kernel_sa last;
};

static void
see_sa(void *context, const struct nlmsghdr *header, size_t size)
{
    struct seen_sa *seen = context;
    struct xfrm_msg message;

    assert_true(xfrm_msg_read(header, size, &message));
    assert_int_equal(message.kind, XFRM_MSG_KIND_SA);
    seen->count++;
    seen->last = message.sa;
}

static void
states_are_added_asked_for_and_deleted(void **state)
{
    (void)state;
    struct netlink *netlink = open_scratch_with_esp();
    struct netlink_result results[3];
    struct kernel_sa sa = sa_number(1);
    struct kernel_sa bad = sa_number(2);
    struct kernel_sa_id id = xfrm_msg_id_of(&sa);
    struct seen_sa seen = { .count = 0 };

    bad.aead.name = "rfc9999(gcm(aes))";
    sa.hard_seconds = 100;
    add_sa(netlink, &sa);
    add_sa(netlink, &sa);
    add_sa(netlink, &bad);
    netlink_send(netlink, results, NULL, NULL);
    assert_int_equal(results[0].error, 0);
    assert_int_equal(results[1].error, EEXIST);
    assert_int_equal(results[2].error, ENOSYS);
    assert_string_equal(results[2].reason, "Requested AEAD algorithm not found");

    xfrm_msg_get_sa(netlink_room(netlink), XFRM_MSG_MAX_SIZE, &id);
    netlink_add(netlink);
    assert_int_equal(netlink_ask(netlink, see_sa, &seen), 0);
    assert_int_equal(seen.count, 1);
    assert_memory_equal(seen.last.owner, sa.owner, sizeof sa.owner);
    assert_int_equal(seen.last.reqid, sa.reqid);
    assert_int_equal(seen.last.hard_seconds, 100);
    assert_int_equal(seen.last.hard_bytes, 0);
    assert_int_equal(seen.last.hard_packets, 0);

    for (int i = 0; i < 2; i++) {
        xfrm_msg_delete_sa(netlink_room(netlink), XFRM_MSG_MAX_SIZE, &id);
        netlink_add(netlink);
    }
    netlink_send(netlink, results, NULL, NULL);
    assert_int_equal(results[0].error, 0);
    assert_int_equal(results[1].error, ESRCH);
    xfrm_msg_get_sa(netlink_room(netlink), XFRM_MSG_MAX_SIZE, &id);
    netlink_add(netlink);
    assert_int_equal(netlink_ask(netlink, see_sa, &seen), ESRCH);
    netlink_close(netlink);
}

/* The answer to a question, kept for longer than the buffer it came in. */
struct kept_answer {
    _Alignas(8) uint8_t bytes[2048];
    size_t size;
};

static void
keep_answer(void *context, const struct nlmsghdr *header, size_t size)
{
    struct kept_answer *kept = context;

    assert_true(header->nlmsg_len <= size && header->nlmsg_len <= sizeof kept->bytes);
    memcpy(kept->bytes, header, header->nlmsg_len);
    kept->size = header->nlmsg_len;
}

static void
an_sa_is_made_anew_with_its_sequence_numbers(void **state)
{
    (void)state;
    struct netlink *netlink = open_scratch_with_esp();
    struct netlink_result results[2];
    struct kernel_sa sa = sa_number(1);
    struct kernel_sa moved = sa;
    struct kernel_sa_id id = xfrm_msg_id_of(&sa);
    struct kept_answer kept = { .size = 0 };
    struct seen_sa seen = { .count = 0 };

    sa.has_progress = true;
    sa.progress.outbound_sequence = 500;
    sa.progress.bytes = 1000;
    sa.progress.packets = 20;
    sa.progress.added_at_s = 1700000000;
    add_sa(netlink, &sa);
    netlink_send(netlink, results, NULL, NULL);
    assert_int_equal(results[0].error, 0);
    xfrm_msg_get_sa(netlink_room(netlink), XFRM_MSG_MAX_SIZE, &id);
    netlink_add(netlink);
    assert_int_equal(netlink_ask(netlink, keep_answer, &kept), 0);

    moved.source.bytes[3] = 9;
    moved.encapsulation_source_port = 4500;
    moved.encapsulation_destination_port = 4501;
    xfrm_msg_delete_sa(netlink_room(netlink), XFRM_MSG_MAX_SIZE, &id);
    netlink_add(netlink);
    assert_int_not_equal(xfrm_msg_readdress_sa(netlink_room(netlink), XFRM_MSG_MAX_SIZE,
                                               (const void *)kept.bytes, kept.size, &moved, false),
                         0);
    netlink_add(netlink);
    netlink_send(netlink, results, NULL, NULL);
    assert_int_equal(results[0].error, 0);
    assert_int_equal(results[1].error, 0);
    xfrm_msg_get_sa(netlink_room(netlink), XFRM_MSG_MAX_SIZE, &id);
    netlink_add(netlink);
    assert_int_equal(netlink_ask(netlink, see_sa, &seen), 0);
    assert_int_equal(seen.last.progress.outbound_sequence, 500);
    assert_int_equal(seen.last.progress.bytes, 1000);
    assert_int_equal(seen.last.progress.packets, 20);
    assert_int_equal(seen.last.progress.added_at_s, 1700000000);
    assert_int_equal(seen.last.source.bytes[3], 9);
    assert_int_equal(seen.last.encapsulation_source_port, 4500);
    netlink_close(netlink);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_outcome_of_each_request_is_its_own),
        cmocka_unit_test(a_dump_shows_policies_with_their_owner),
        cmocka_unit_test(answers_that_found_no_room_leave_the_outcome_unknown),
        cmocka_unit_test(an_answer_that_never_comes_leaves_the_outcome_unknown),
        cmocka_unit_test(a_named_namespace_must_be_a_name),
        cmocka_unit_test(a_listener_hears_what_it_wants_and_nothing_of_one_sender),
        cmocka_unit_test(states_are_added_asked_for_and_deleted),
        cmocka_unit_test(an_sa_is_made_anew_with_its_sequence_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
