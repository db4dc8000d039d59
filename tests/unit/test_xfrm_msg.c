/* SPDX-License-Identifier: Apache-2.0
 *
 * test_xfrm_msg.c: requests to the kernel byte by byte, and answers that are not what they should
 * be. */
#include "engine/plane/xfrm_msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>

#include <linux/netlink.h>
#include <linux/xfrm.h>

#include <cmocka.h>

#include "engine/plane/xfrm_owner.h"

/* Aligned as a receive buffer is. */
struct room {
    _Alignas(8) uint8_t bytes[XFRM_MSG_MAX_SIZE];
};

static const uint8_t gcm_key[20] = { 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9,
                                     0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf, 0xb0, 0xb1, 0xb2, 0xb3 };

static const struct nlmsghdr *
header_of(const struct room *room)
{
    return (const void *)room->bytes;
}

/* 192.0.2.1 to 198.51.100.7, ESP in transport mode with AES-GCM, inbound. */
static struct kernel_sa
example_sa(void)
{
    struct kernel_sa sa = {
        .protocol = IPPROTO_ESP,
        .ip_version = IPSEC_IP_VERSION_V4,
        .mode = XFRM_MODE_TRANSPORT,
        .direction = IPSEC_DIRECTION_INBOUND,
        .has_direction = true,
        .replay_window = 32,
        .spi = 0xdeadbeef,
        .reqid = 0x80000007,
        .source = { .bytes = { 192, 0, 2, 1 } },
        .destination = { .bytes = { 198, 51, 100, 7 } },
        .aead = { .name = "rfc4106(gcm(aes))", .key = gcm_key, .key_bits = 160, .icv_bits = 128 },
        .hard_seconds = 3600,
        .hard_packets = 5,
    };
    const struct xfrm_owner owner = { .instance = 1, .direction = 1, .id = 0x0102030405 };

    sa.selector = (struct kernel_selector){
        .ip_version = IPSEC_IP_VERSION_V4,
        .source_prefix = 32,
        .destination_prefix = 32,
        .ip_protocol = IPPROTO_TCP,
        .source_port = 443,
        .source_port_mask = 0xffff,
        .source = sa.source,
        .destination = sa.destination,
    };
    xfrm_owner_write(&owner, sa.owner);
    return sa;
}

static struct kernel_policy
example_policy(void)
{
    struct kernel_policy policy = {
        .selector = { .ip_version = IPSEC_IP_VERSION_V6,
                      .source_prefix = 64,
                      .destination_prefix = 128,
                      .ip_protocol = IPPROTO_ICMPV6,
                      .source = { .bytes = { 0x20, 0x01, 0x0d, 0xb8 } },
                      .destination = { .bytes = { 0x20, 0x01, 0x0d, 0xb8, [15] = 2 } } },
        .direction = KERNEL_POLICY_OUT,
        .priority = 1000,
        .template_count = 2,
        .templates = { { .protocol = IPPROTO_ESP,
                         .mode = XFRM_MODE_TUNNEL,
                         .ip_version = IPSEC_IP_VERSION_V4,
                         .reqid = 9,
                         .source = { .bytes = { 192, 0, 2, 1 } },
                         .destination = { .bytes = { 192, 0, 2, 2 } } },
                       { .protocol = IPPROTO_AH,
                         .mode = XFRM_MODE_TRANSPORT,
                         .ip_version = IPSEC_IP_VERSION_V4,
                         .optional = true,
                         .reqid = 9 } },
    };
    const struct xfrm_owner owner = { .instance = 1, .direction = KERNEL_POLICY_OUT, .id = 77 };

    xfrm_owner_write(&owner, policy.owner);
    return policy;
}

/* --- Bytes ------------------------------------------------------------------------------------ */

/* What is at an offset, as hexadecimal digits; the rest of the message is zero. */
struct piece {
    size_t at;
    const char *hex;
};

static uint8_t
digit(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void
assert_pieces(const struct room *room, size_t size, const struct piece *pieces, size_t count)
{
    struct room expected;

    memset(&expected, 0, sizeof expected);
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(pieces[i].hex) / 2;

        for (size_t k = 0; k < length; k++)
            expected.bytes[pieces[i].at + k] =
                (uint8_t)(digit(pieces[i].hex[2 * k]) << 4 | digit(pieces[i].hex[2 * k + 1]));
    }
    assert_memory_equal(room->bytes, expected.bytes, size);
}

static void
a_state_is_written_byte_by_byte(void **state)
{
    (void)state;
    static const struct piece pieces[] = {
        /* header: length, NEWSA, REQUEST|EXCL|CREATE */
        { 0, "6c0100001000"
             "0106" },
        /* selector at 16: destination, source, ports, family, prefixes, protocol */
        { 16, "c6336407" },
        { 32, "c0000201" },
        { 48, "00000000"
              "01bb"
              "ffff"
              "0200"
              "20"
              "20"
              "06" },
        /* id at 72: destination, SPI, protocol; source at 96 */
        { 72, "c6336407" },
        { 88, "deadbeef"
              "32" },
        { 96, "c0000201" },
        /* limits at 112: soft and hard bytes, soft and hard packets, seconds since added */
        { 112, "ffffffffffffffff"
               "ffffffffffffffff"
               "ffffffffffffffff"
               "0500000000000000" },
        { 152, "100e000000000000" },
        /* reqid at 224, family, mode, window, flags */
        { 224, "07000080"
               "0200"
               "00"
               "20"
               "00" },
        /* AEAD: 4 + 72 + 20 bytes */
        { 240, "6000"
               "1200"
               "726663343130362867636d286165732929" },
        { 308, "a0000000"
               "80000000"
               "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3" },
        /* COADDR: the owner */
        { 336, "1400"
               "0e00"
               "53416378"
               "00000001"
               "01"
               "00000102030405" },
        /* SA_DIR: in */
        { 356, "0500"
               "2100"
               "01" },
    };
    struct kernel_sa sa = example_sa();
    struct room room;
    size_t size = xfrm_msg_add_sa(room.bytes, sizeof room.bytes, &sa);

    assert_int_equal(size, 364);
    assert_pieces(&room, size, pieces, sizeof pieces / sizeof *pieces);
}

static void
a_policy_is_written_byte_by_byte(void **state)
{
    (void)state;
    static const struct piece pieces[] = {
        /* header: NEWPOLICY */
        { 0, "3c0100001300"
             "0106" },
        { 16, "20010db8000000000000000000000002"
              "20010db8" },
        { 56, "0a00"
              "80"
              "40"
              "3a" },
        /* limits at 72: the owner in the soft ones, the hard ones unlimited */
        { 72, "5341637800000001"
              "ffffffffffffffff"
              "010000000000004d"
              "ffffffffffffffff" },
        /* priority at 168, direction at 176 */
        { 168, "e8030000" },
        { 176, "01" },
        /* two templates of 64 bytes */
        { 184, "8400"
               "0500"
               "c0000202" },
        { 204, "00000000"
               "32" },
        { 212, "0200"
               "0000"
               "c0000201" },
        { 232, "09000000"
               "01"
               "00"
               "00"
               "00" },
        { 240, "ffffffff"
               "ffffffff"
               "ffffffff" },
        { 272, "33" },
        { 276, "0200" },
        { 296, "09000000"
               "00"
               "00"
               "01"
               "00" },
        { 304, "ffffffff"
               "ffffffff"
               "ffffffff" },
    };
    struct kernel_policy policy = example_policy();
    struct room room;
    size_t size = xfrm_msg_add_policy(room.bytes, sizeof room.bytes, &policy);

    assert_int_equal(size, 316);
    assert_pieces(&room, size, pieces, sizeof pieces / sizeof *pieces);
    assert_int_equal(xfrm_msg_set_policy(room.bytes, sizeof room.bytes, &policy), 316);
    assert_int_equal(header_of(&room)->nlmsg_type, XFRM_MSG_UPDPOLICY);
}

static void
deleting_and_asking_name_the_state(void **state)
{
    (void)state;
    static const struct piece deleting[] = {
        { 0, "280000001100"
             "0100" },
        { 16, "c6336407" },
        { 32, "deadbeef"
              "0200"
              "32" },
    };
    static const struct piece asking[] = {
        { 0, "280000001200"
             "0100" },
        { 16, "c6336407" },
        { 32, "deadbeef"
              "0200"
              "32" },
    };
    static const struct piece dumping[] = { { 0, "280000001200"
                                                 "0103" } };
    static const struct piece counting[] = { { 0, "140000002300"
                                                  "0100" },
                                             { 16, "ffffffff" } };
    struct kernel_sa sa = example_sa();
    struct kernel_sa_id id = xfrm_msg_id_of(&sa);
    struct room room;

    assert_int_equal(xfrm_msg_delete_sa(room.bytes, sizeof room.bytes, &id), 40);
    assert_pieces(&room, 40, deleting, sizeof deleting / sizeof *deleting);
    assert_int_equal(xfrm_msg_get_sa(room.bytes, sizeof room.bytes, &id), 40);
    assert_pieces(&room, 40, asking, sizeof asking / sizeof *asking);
    assert_int_equal(xfrm_msg_dump_sas(room.bytes, sizeof room.bytes), 40);
    assert_pieces(&room, 40, dumping, sizeof dumping / sizeof *dumping);
    assert_int_equal(xfrm_msg_count_sas(room.bytes, sizeof room.bytes), 20);
    assert_pieces(&room, 20, counting, sizeof counting / sizeof *counting);
}

static void
deleting_a_policy_names_selector_and_direction(void **state)
{
    (void)state;
    static const struct piece pieces[] = {
        { 0, "500000001400"
             "0100" },
        { 16, "20010db8000000000000000000000002"
              "20010db8" },
        { 56, "0a00"
              "80"
              "40"
              "3a" },
        { 76, "02" },
    };
    struct kernel_policy policy = example_policy();
    struct room room;

    assert_int_equal(xfrm_msg_delete_policy(room.bytes, sizeof room.bytes, &policy.selector,
                                            KERNEL_POLICY_FORWARD),
                     80);
    assert_pieces(&room, 80, pieces, sizeof pieces / sizeof *pieces);
}

static void
no_limit_is_never_a_zero(void **state)
{
    (void)state;
    struct kernel_sa sa = example_sa();
    struct xfrm_usersa_info info;
    struct room room;

    sa.hard_seconds = sa.hard_bytes = sa.hard_packets = 0;
    assert_int_not_equal(xfrm_msg_add_sa(room.bytes, sizeof room.bytes, &sa), 0);
    memcpy(&info, room.bytes + NLMSG_HDRLEN, sizeof info);
    assert_true(info.lft.hard_byte_limit == XFRM_INF);
    assert_true(info.lft.hard_packet_limit == XFRM_INF);
    assert_true(info.lft.soft_byte_limit == XFRM_INF);
    assert_true(info.lft.soft_packet_limit == XFRM_INF);
    /* Of seconds 0 is none. */
    assert_int_equal(info.lft.hard_add_expires_seconds, 0);
}

static void
a_room_that_is_too_small_is_refused_whatever_its_size(void **state)
{
    (void)state;
    struct kernel_sa sa = example_sa();
    struct kernel_policy policy = example_policy();
    struct room room;
    size_t whole = 0;

    sa.encapsulation_source_port = 4500;
    sa.has_progress = true;
    whole = xfrm_msg_add_sa(room.bytes, sizeof room.bytes, &sa);
    assert_true(whole > 364);
    for (size_t size = 0; size < whole; size++) {
        uint8_t *exact = malloc(size + 1);

        assert_non_null(exact);
        assert_int_equal(xfrm_msg_add_sa(exact, size, &sa), 0);
        if (size < 316)
            assert_int_equal(xfrm_msg_add_policy(exact, size, &policy), 0);
        free(exact);
    }
}

/* --- There and back --------------------------------------------------------------------------- */

static void
a_state_comes_back_as_it_was_written(void **state)
{
    (void)state;
    struct kernel_sa sa = example_sa();
    struct xfrm_msg message;
    struct room room;
    size_t size = 0;

    sa.encapsulation_source_port = 4500;
    sa.encapsulation_destination_port = 50000;
    sa.flags = XFRM_STATE_NOPMTUDISC;
    sa.has_progress = true;
    sa.progress.outbound_sequence = 500;
    sa.progress.inbound_sequence = 7;
    sa.progress.inbound_bitmap = 0x7f;
    size = xfrm_msg_add_sa(room.bytes, sizeof room.bytes, &sa);
    assert_true(xfrm_msg_read(header_of(&room), size, &message));
    assert_int_equal(message.kind, XFRM_MSG_KIND_SA);
    assert_int_equal(message.sa.spi, sa.spi);
    assert_int_equal(message.sa.reqid, sa.reqid);
    assert_int_equal(message.sa.protocol, IPPROTO_ESP);
    assert_int_equal(message.sa.flags, XFRM_STATE_NOPMTUDISC);
    assert_int_equal(message.sa.replay_window, 32);
    assert_int_equal(message.sa.hard_seconds, 3600);
    assert_int_equal(message.sa.hard_bytes, 0);
    assert_int_equal(message.sa.hard_packets, 5);
    assert_int_equal(message.sa.encapsulation_source_port, 4500);
    assert_int_equal(message.sa.encapsulation_destination_port, 50000);
    assert_int_equal(message.sa.progress.outbound_sequence, 500);
    assert_int_equal(message.sa.progress.inbound_sequence, 7);
    assert_int_equal(message.sa.progress.inbound_bitmap, 0x7f);
    assert_memory_equal(message.sa.owner, sa.owner, sizeof sa.owner);
    assert_memory_equal(&message.sa.source, &sa.source, sizeof sa.source);
    assert_memory_equal(&message.id.destination, &sa.destination, sizeof sa.destination);
    assert_int_equal(message.id.spi, sa.spi);
    assert_string_equal(message.sa.aead.name, "rfc4106(gcm(aes))");
    assert_int_equal(message.sa.aead.key_bits, 160);
    assert_int_equal(message.sa.aead.icv_bits, 128);
    assert_null(message.sa.aead.key);
    assert_null(message.sa.auth.name);
    assert_int_equal(message.sa.selector.source_port, 443);
    assert_int_equal(message.sa.selector.source_port_mask, 0xffff);
    assert_int_equal(message.sa.selector.destination_port_mask, 0);
    assert_int_equal(message.sa.selector.ip_protocol, IPPROTO_TCP);
    assert_true(message.sa.has_direction);
    assert_int_equal(message.sa.direction, IPSEC_DIRECTION_INBOUND);
}

static void
a_policy_comes_back_as_it_was_written(void **state)
{
    (void)state;
    struct kernel_policy policy = example_policy();
    struct xfrm_msg message;
    struct room room;
    size_t size = xfrm_msg_add_policy(room.bytes, sizeof room.bytes, &policy);

    assert_true(xfrm_msg_read(header_of(&room), size, &message));
    assert_int_equal(message.kind, XFRM_MSG_KIND_POLICY);
    assert_int_equal(message.policy.priority, 1000);
    assert_int_equal(message.policy.direction, KERNEL_POLICY_OUT);
    assert_false(message.policy.is_block);
    assert_int_equal(message.policy.selector.source_prefix, 64);
    assert_memory_equal(message.policy.owner, policy.owner, sizeof policy.owner);
    assert_int_equal(message.policy.template_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct kernel_template *is = &message.policy.templates[i];
        const struct kernel_template *was = &policy.templates[i];

        assert_int_equal(is->protocol, was->protocol);
        assert_int_equal(is->mode, was->mode);
        assert_int_equal(is->reqid, was->reqid);
        assert_int_equal(is->optional, was->optional);
        assert_memory_equal(&is->source, &was->source, sizeof was->source);
        assert_memory_equal(&is->destination, &was->destination, sizeof was->destination);
    }
    policy.is_block = true;
    policy.template_count = 0;
    size = xfrm_msg_set_policy(room.bytes, sizeof room.bytes, &policy);
    assert_true(xfrm_msg_read(header_of(&room), size, &message));
    assert_true(message.policy.is_block);
    assert_int_equal(message.policy.template_count, 0);
}

static void
an_sa_made_anew_keeps_key_limits_and_progress(void **state)
{
    (void)state;
    struct kernel_sa was = example_sa();
    struct kernel_sa is = example_sa();
    struct xfrm_msg message;
    struct room answer;
    struct room request;
    size_t size = 0;

    was.has_progress = true;
    was.progress.outbound_sequence = 42;
    is.hard_seconds = 0;
    is.source.bytes[3] = 99;
    is.encapsulation_source_port = 4500;
    is.encapsulation_destination_port = 4500;
    is.aead = (struct kernel_algorithm){ .name = NULL };
    size = xfrm_msg_add_sa(answer.bytes, sizeof answer.bytes, &was);
    size = xfrm_msg_readdress_sa(request.bytes, sizeof request.bytes, header_of(&answer), size, &is,
                                 false);
    assert_true(xfrm_msg_read(header_of(&request), size, &message));
    assert_int_equal(header_of(&request)->nlmsg_type, XFRM_MSG_NEWSA);
    assert_int_equal(message.sa.source.bytes[3], 99);
    assert_int_equal(message.sa.hard_seconds, 3600);
    assert_int_equal(message.sa.progress.outbound_sequence, 42);
    assert_int_equal(message.sa.encapsulation_source_port, 4500);
    assert_string_equal(message.sa.aead.name, "rfc4106(gcm(aes))");
    /* The key stands behind the struct that holds the name. */
    assert_memory_equal(message.sa.aead.name + sizeof(struct xfrm_algo_aead), gcm_key,
                        sizeof gcm_key);
    for (size_t room = 0; room < size; room++)
        assert_int_equal(xfrm_msg_readdress_sa(request.bytes, room, header_of(&answer),
                                               header_of(&answer)->nlmsg_len, &is, false),
                         0);

    /* A try is the same SA, and only ever in the place of another. */
    size = xfrm_msg_try_sa(request.bytes, sizeof request.bytes, &was);
    assert_true(xfrm_msg_read(header_of(&request), size, &message));
    assert_int_equal(header_of(&request)->nlmsg_type, XFRM_MSG_UPDSA);
    assert_int_equal(header_of(&request)->nlmsg_flags & (NLM_F_CREATE | NLM_F_EXCL), 0);
    assert_string_equal(message.sa.aead.name, "rfc4106(gcm(aes))");

    /* In place the kernel's own count goes on. */
    size = xfrm_msg_readdress_sa(request.bytes, sizeof request.bytes, header_of(&answer),
                                 header_of(&answer)->nlmsg_len, &is, true);
    assert_true(xfrm_msg_read(header_of(&request), size, &message));
    assert_int_equal(header_of(&request)->nlmsg_type, XFRM_MSG_UPDSA);
    assert_int_equal(message.sa.hard_seconds, 3600);
    assert_int_equal(message.sa.progress.outbound_sequence, 0);
    assert_int_equal(message.sa.encapsulation_source_port, 4500);
    assert_memory_equal(message.sa.aead.name + sizeof(struct xfrm_algo_aead), gcm_key,
                        sizeof gcm_key);
}

/* --- Owners ----------------------------------------------------------------------------------- */

static void
an_owner_is_recognised_and_others_are_not(void **state)
{
    (void)state;
    const struct xfrm_owner owner = { .instance = 0xfedcba98,
                                      .direction = 2,
                                      .id = IPSEC_LUID_MAX };
    struct xfrm_owner read;
    uint8_t tag[KERNEL_OWNER_SIZE];

    xfrm_owner_write(&owner, tag);
    assert_true(xfrm_owner_read(tag, &read));
    assert_int_equal(read.instance, owner.instance);
    assert_int_equal(read.direction, 2);
    assert_true(read.id == IPSEC_LUID_MAX);
    for (size_t i = 0; i < 4; i++) {
        tag[i] ^= 1;
        assert_false(xfrm_owner_read(tag, &read));
        tag[i] ^= 1;
    }
    memset(tag, 0xff, sizeof tag);
    assert_false(xfrm_owner_read(tag, &read));
    memset(tag, 0, sizeof tag);
    assert_false(xfrm_owner_read(tag, &read));
}

static int
compare_numbers(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

static void
numbers_of_filters_differ_and_do_not_count_up(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    uint32_t *numbers = malloc(COUNT * sizeof *numbers);
    size_t steps = 0;

    assert_non_null(numbers);
    for (uint32_t i = 0; i < COUNT; i++) {
        numbers[i] = xfrm_owner_reqid(i + 1);
        assert_true(numbers[i] > 0x7fffffff);
        if (i > 0 && numbers[i] == numbers[i - 1] + 1)
            steps++;
    }
    assert_true(steps < 10);
    qsort(numbers, COUNT, sizeof *numbers, compare_numbers);
    for (size_t i = 1; i < COUNT; i++)
        assert_true(numbers[i] != numbers[i - 1]);
    free(numbers);
}

/* --- Answers ---------------------------------------------------------------------------------- */

static void
acknowledgements_tell_the_error_and_its_reason(void **state)
{
    (void)state;
    static const char reason[] = "Requested AEAD algorithm not found";
    struct nlmsgerr error = { .error = -38, .msg = { .nlmsg_len = 300, .nlmsg_seq = 5 } };
    struct nlmsghdr header = {
        .nlmsg_len = NLMSG_HDRLEN + sizeof error + 4 + sizeof reason,
        .nlmsg_type = NLMSG_ERROR,
        .nlmsg_flags = NLM_F_CAPPED | NLM_F_ACK_TLVS,
        .nlmsg_seq = 5,
    };
    const struct nlattr attribute = { .nla_len = 4 + sizeof reason, .nla_type = NLMSGERR_ATTR_MSG };
    struct xfrm_msg message;
    struct room room;

    memset(&room, 0, sizeof room);
    memcpy(room.bytes, &header, sizeof header);
    memcpy(room.bytes + 16, &error, sizeof error);
    memcpy(room.bytes + 36, &attribute, sizeof attribute);
    memcpy(room.bytes + 40, reason, sizeof reason);
    assert_true(xfrm_msg_read(header_of(&room), sizeof room, &message));
    assert_int_equal(message.kind, XFRM_MSG_KIND_ACK);
    assert_int_equal(message.error, 38);
    assert_int_equal(message.sequence, 5);
    assert_string_equal(message.reason, reason);

    /* Not cut off: the request of 300 bytes is said to be there and is not. */
    header.nlmsg_flags = NLM_F_ACK_TLVS;
    memcpy(room.bytes, &header, sizeof header);
    assert_false(xfrm_msg_read(header_of(&room), sizeof room, &message));

    header.nlmsg_flags = NLM_F_CAPPED | NLM_F_ACK_TLVS;
    memcpy(room.bytes, &header, sizeof header);
    room.bytes[40 + sizeof reason - 1] = 'x';
    assert_true(xfrm_msg_read(header_of(&room), sizeof room, &message));
    assert_null(message.reason);

    error.error = 1;
    memcpy(room.bytes + 16, &error, sizeof error);
    assert_false(xfrm_msg_read(header_of(&room), sizeof room, &message));
}

static void
expiries_are_soft_or_hard(void **state)
{
    (void)state;
    struct kernel_sa sa = example_sa();
    struct xfrm_msg message;
    struct room state_room;
    struct room room;
    const struct nlmsghdr header = { .nlmsg_len = NLMSG_HDRLEN + sizeof(struct xfrm_user_expire),
                                     .nlmsg_type = XFRM_MSG_EXPIRE };

    assert_int_not_equal(xfrm_msg_add_sa(state_room.bytes, sizeof state_room.bytes, &sa), 0);
    memset(&room, 0, sizeof room);
    memcpy(room.bytes, &header, sizeof header);
    memcpy(room.bytes + 16, state_room.bytes + 16, sizeof(struct xfrm_usersa_info));
    assert_true(xfrm_msg_read(header_of(&room), sizeof room, &message));
    assert_int_equal(message.kind, XFRM_MSG_KIND_EXPIRED);
    assert_false(message.is_hard);
    room.bytes[16 + sizeof(struct xfrm_usersa_info)] = 1;
    assert_true(xfrm_msg_read(header_of(&room), sizeof room, &message));
    assert_true(message.is_hard);
    assert_int_equal(message.id.spi, 0xdeadbeef);
    assert_int_equal(message.id.protocol, IPPROTO_ESP);
}

static void
what_was_deleted_is_named(void **state)
{
    (void)state;
    enum {
        HEAD = NLMSG_HDRLEN + sizeof(struct xfrm_userpolicy_id),
        SIZE = HEAD + 4 + sizeof(struct xfrm_userpolicy_info),
    };
    struct kernel_policy policy = example_policy();
    const struct nlmsghdr header = { .nlmsg_len = SIZE, .nlmsg_type = XFRM_MSG_DELPOLICY };
    const struct nlattr attribute = { .nla_len = 4 + sizeof(struct xfrm_userpolicy_info),
                                      .nla_type = XFRMA_POLICY };
    struct nlmsghdr flush = { .nlmsg_len = NLMSG_HDRLEN, .nlmsg_type = XFRM_MSG_FLUSHPOLICY };
    struct xfrm_msg message;
    struct room policy_room;
    struct room room;

    assert_int_not_equal(xfrm_msg_add_policy(policy_room.bytes, sizeof policy_room.bytes, &policy),
                         0);
    memset(&room, 0, sizeof room);
    memcpy(room.bytes, &header, sizeof header);
    memcpy(room.bytes + HEAD, &attribute, sizeof attribute);
    memcpy(room.bytes + HEAD + 4, policy_room.bytes + 16, sizeof(struct xfrm_userpolicy_info));
    assert_true(xfrm_msg_read(header_of(&room), sizeof room, &message));
    assert_int_equal(message.kind, XFRM_MSG_KIND_POLICY_DELETED);
    assert_memory_equal(message.policy.owner, policy.owner, sizeof policy.owner);
    assert_int_equal(message.policy.direction, policy.direction);

    /* Cut off in the attribute, without it, and in what stands before it. */
    for (uint32_t there = NLMSG_HDRLEN; there < SIZE; there++) {
        ((struct nlmsghdr *)(void *)room.bytes)->nlmsg_len = there;
        assert_false(xfrm_msg_read(header_of(&room), sizeof room, &message));
    }
    for (int i = 0; i < 2; i++) {
        memcpy(room.bytes, &flush, sizeof flush);
        assert_true(xfrm_msg_read(header_of(&room), sizeof room, &message));
        assert_int_equal(message.kind, XFRM_MSG_KIND_FLUSHED);
        flush.nlmsg_type = XFRM_MSG_FLUSHSA;
    }
}

static void
a_message_that_is_cut_off_is_malformed(void **state)
{
    (void)state;
    struct kernel_sa sa = example_sa();
    struct kernel_policy policy = example_policy();
    struct xfrm_msg message;
    struct room room;
    size_t size = xfrm_msg_add_sa(room.bytes, sizeof room.bytes, &sa);

    for (size_t there = 0; there < size; there++) {
        struct nlmsghdr *exact = malloc(there + 1);

        assert_non_null(exact);
        memcpy(exact, room.bytes, there);
        assert_false(xfrm_msg_read(exact, there, &message));
        free(exact);
    }
    /* The header owns up to it: then some attribute is not whole, or all that is left are. */
    for (size_t there = NLMSG_HDRLEN; there < NLMSG_HDRLEN + sizeof(struct xfrm_usersa_info);
         there++) {
        ((struct nlmsghdr *)(void *)room.bytes)->nlmsg_len = (uint32_t)there;
        assert_false(xfrm_msg_read(header_of(&room), sizeof room, &message));
    }
    assert_int_equal(xfrm_msg_add_policy(room.bytes, sizeof room.bytes, &policy), 316);
    for (size_t there = 188; there < 316; there++) {
        ((struct nlmsghdr *)(void *)room.bytes)->nlmsg_len = (uint32_t)there;
        assert_false(xfrm_msg_read(header_of(&room), sizeof room, &message));
    }
}

static void
what_is_out_of_bounds_is_malformed(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
    } changes[] = {
        { 228, 3 },                /* address family of the state */
        { 56, 77 },                /* and of its selector */
        { 58, 33 },                /* prefix longer than the address */
        { 59, 129 },  { 240, 3 },  /* attribute shorter than its header */
        { 240, 255 }, { 336, 19 }, /* owner of 15 bytes */
        { 356, 4 },                /* direction of none */
        { 310, 1 },                /* key of 65,696 bits */
    };
    struct kernel_sa sa = example_sa();
    struct xfrm_msg message;
    struct room room;
    size_t size = 0;

    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        size = xfrm_msg_add_sa(room.bytes, sizeof room.bytes, &sa);
        assert_true(xfrm_msg_read(header_of(&room), size, &message));
        room.bytes[changes[i].at] = changes[i].value;
        assert_false(xfrm_msg_read(header_of(&room), size, &message));
    }
    /* A name of an algorithm without an end. */
    size = xfrm_msg_add_sa(room.bytes, sizeof room.bytes, &sa);
    memset(room.bytes + 244, 'x', 64);
    assert_false(xfrm_msg_read(header_of(&room), size, &message));
}

static void
unknown_attributes_and_messages_are_passed_over(void **state)
{
    (void)state;
    struct kernel_sa sa = example_sa();
    struct xfrm_msg message;
    struct room room;
    size_t size = xfrm_msg_add_sa(room.bytes, sizeof room.bytes, &sa);

    room.bytes[358] = 200;
    assert_true(xfrm_msg_read(header_of(&room), size, &message));
    assert_false(message.sa.has_direction);
    ((struct nlmsghdr *)(void *)room.bytes)->nlmsg_type = XFRM_MSG_ACQUIRE;
    assert_true(xfrm_msg_read(header_of(&room), size, &message));
    assert_int_equal(message.kind, XFRM_MSG_KIND_OTHER);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_is_written_byte_by_byte),
        cmocka_unit_test(a_policy_is_written_byte_by_byte),
        cmocka_unit_test(deleting_and_asking_name_the_state),
        cmocka_unit_test(deleting_a_policy_names_selector_and_direction),
        cmocka_unit_test(no_limit_is_never_a_zero),
        cmocka_unit_test(a_room_that_is_too_small_is_refused_whatever_its_size),
        cmocka_unit_test(a_state_comes_back_as_it_was_written),
        cmocka_unit_test(a_policy_comes_back_as_it_was_written),
        cmocka_unit_test(an_sa_made_anew_keeps_key_limits_and_progress),
        cmocka_unit_test(an_owner_is_recognised_and_others_are_not),
        cmocka_unit_test(numbers_of_filters_differ_and_do_not_count_up),
        cmocka_unit_test(acknowledgements_tell_the_error_and_its_reason),
        cmocka_unit_test(expiries_are_soft_or_hard),
        cmocka_unit_test(what_was_deleted_is_named),
        cmocka_unit_test(a_message_that_is_cut_off_is_malformed),
        cmocka_unit_test(what_is_out_of_bounds_is_malformed),
        cmocka_unit_test(unknown_attributes_and_messages_are_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
