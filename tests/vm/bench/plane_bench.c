/* SPDX-License-Identifier: Apache-2.0
 *
 * plane_bench.c: how fast SAs get into the kernel, and whether that stays so while their number
 * grows.
 *
 *   plane_bench grow LAYOUT SIZE...
 *       fills the table to each SIZE through the data plane "xfrm", and there has netlink alone and
 *       the data plane add the same contexts in turns.  Prints "LAYOUT METHOD SIZE MICROSECONDS",
 *       what a context took.
 *   plane_bench fill LAYOUT COUNT
 *       only fills it, with netlink alone
 *   plane_bench ip LAYOUT FIRST END
 *       the states of these contexts as lines for "ip -batch"
 *
 * A context is two states, byte for byte the same whoever adds them.  Netlink alone has its
 * messages made before, and sends 64 with an ack for the last; the data plane has its actions made
 * before, and encodes, sends, remembers and wipes.  Layouts:
 * "peers": each context has a peer of its own, all under one filter each way;
 * "pair": all are between two hosts, under 1,000 filters each way that tell ports apart;
 * "filter": all are between two hosts under one filter each way, which is one chain of the kernel's
 * hash for each direction.
 *
 * The machine this runs in may get the processor for a few milliseconds at a time, and a second
 * after it was added every state has the kernel run a timer.  So the clock runs over short
 * stretches, none of them while such timers run, and of each the best of many rounds counts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "engine/base/clock.h"
#include "engine/plane/plane.h"
#include "engine/plane/xfrm_algorithm.h"
#include "engine/plane/xfrm_bundle.h"
#include "engine/plane/xfrm_msg.h"

enum { SEND = 64, APPLY = 4096, KEY_SIZE = 20, PAIR_FILTERS = 1000 };
/* In states: what the clock runs over, and what is added on top of a full table. */
enum { STRETCH = 64, SAMPLE = 1024, STRETCHES = SAMPLE / STRETCH, ROUNDS = 30 };

static enum layout { LAYOUT_PEERS, LAYOUT_PAIR, LAYOUT_FILTER, LAYOUT_COUNT } layout;
static const char *const layout_names[LAYOUT_COUNT] = { "peers", "pair", "filter" };

/* One direction of one context, with what it borrows. */
struct item {
    struct ipsec_sa_bundle bundle;
    struct plane_bundle what;
    struct secret key;
};

static uint8_t key_bytes[KEY_SIZE] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };
static const struct secret no_key;

static void
die(const char *what)
{
    fprintf(stderr, "plane_bench: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

/* Different numbers for different numbers, in no order. */
static uint32_t
mix(uint32_t number)
{
    number ^= number >> 16;
    number *= UINT32_C(0x7feb352d);
    number ^= number >> 15;
    number *= UINT32_C(0x846ca68b);
    return number ^ number >> 16;
}

static void
item_init(struct item *item, size_t index)
{
    uint32_t context = (uint32_t)(index / 2);
    uint32_t local = htonl(UINT32_C(0x0a000001));
    uint32_t remote = htonl(UINT32_C(0x0b000000) + (layout == LAYOUT_PEERS ? context : 0));
    uint32_t filter = layout == LAYOUT_PAIR ? context % PAIR_FILTERS : 0;

    *item = (struct item){
        .bundle = { .sa_count = 1,
                    .sas = { { .spi = mix((uint32_t)index + 1),
                               .transform = xfrm_algorithm_list(0)->transform,
                               .cipher_key_length = KEY_SIZE } } },
        .key = { .bytes = key_bytes, .size = KEY_SIZE },
        .what = { .context_id = context + 1, .direction = (uint8_t)(index % 2) },
    };
    item->what.filter_id = 1 + 2 * filter + index % 2;
    if (layout != LAYOUT_PEERS) {
        item->what.traffic.ip_protocol = IPPROTO_UDP;
        item->what.traffic.local_port = (uint16_t)(1000 + context / PAIR_FILTERS);
        item->what.traffic.remote_port = (uint16_t)(2000 + context % PAIR_FILTERS);
    }
    memcpy(item->what.traffic.local_address.bytes, &local, sizeof local);
    memcpy(item->what.traffic.remote_address.bytes, &remote, sizeof remote);
    item->what.bundle = &item->bundle;
    item->what.auth_keys = &no_key;
    item->what.cipher_keys = &item->key;
}

static struct kernel_sa
state_of(const struct item *item)
{
    struct kernel_sa states[IPSEC_SA_MAX];
    const char *reason = NULL;

    if (xfrm_bundle_states(&item->what, 0, true, states, &reason) != IPSEC_OK)
        die(reason);
    return states[0];
}

/* --- Netlink alone ---------------------------------------------------------------------------- */

/* Messages of one send. */
struct message_group {
    _Alignas(8) uint8_t bytes[SEND * XFRM_MSG_MAX_SIZE];
    size_t size;
};

static int
open_netlink(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM);

    if (fd < 0)
        die("netlink");
    return fd;
}

static void
send_and_wait(int fd, const struct message_group *group)
{
    static _Alignas(8) uint8_t answer[65536];
    const struct nlmsghdr *header = (const void *)answer;
    const struct nlmsgerr *error = (const void *)(answer + sizeof *header);

    if (send(fd, group->bytes, group->size, 0) != (ssize_t)group->size ||
        recv(fd, answer, sizeof answer, 0) <= 0)
        die("netlink");
    if (header->nlmsg_type != NLMSG_ERROR || error->error != 0) {
        errno = -error->error;
        die("the kernel refuses a state");
    }
}

/* Requests about 'count' states, at most SEND. */
static void
group_init(struct message_group *group, bool is_add, size_t first, size_t count)
{
    group->size = 0;
    for (size_t i = 0; i < count; i++) {
        struct item item;
        struct nlmsghdr *header = (void *)(group->bytes + group->size);

        item_init(&item, first + i);
        const struct kernel_sa state = state_of(&item);
        const struct kernel_sa_id id = xfrm_msg_id_of(&state);
        group->size += ((is_add ? xfrm_msg_add_sa(header, XFRM_MSG_MAX_SIZE, &state)
                                : xfrm_msg_delete_sa(header, XFRM_MSG_MAX_SIZE, &id)) +
                        3) /
                       4 * 4;
        if (i + 1 == count)
            header->nlmsg_flags |= NLM_F_ACK;
    }
}

static void
fill(size_t count)
{
    static struct message_group group;
    int fd = open_netlink();

    for (size_t i = 0; i < count; i += SEND) {
        group_init(&group, true, i, count - i < SEND ? count - i : SEND);
        send_and_wait(fd, &group);
    }
    close(fd);
}

/* --- The data plane --------------------------------------------------------------------------- */

/* What an apply works on. */
struct work {
    struct item items[APPLY];
    struct plane_action actions[APPLY];
};

static void
prepare(struct work *work, enum plane_action_kind kind, size_t first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        item_init(&work->items[i], first + i);
        work->actions[i] = (struct plane_action){ .kind = kind, .what = work->items[i].what };
        if (kind != PLANE_ADD_BUNDLE)
            work->actions[i].what.auth_keys = work->actions[i].what.cipher_keys = NULL;
    }
}

/* Applies what was prepared. */
static void
apply(struct plane *plane, struct work *work, size_t count)
{
    plane_xfrm.apply(plane, work->actions, count);
    for (size_t i = 0; i < count; i++) {
        if (work->actions[i].status != IPSEC_OK)
            die(ipsec_status_name(work->actions[i].status));
    }
}

/* --- Both in turns ---------------------------------------------------------------------------- */

/* The best times of each stretch, microseconds. */
struct best {
    int64_t raw[STRETCHES];
    int64_t plane[STRETCHES];
};

static void
keep_best(int64_t *best, int64_t started_us)
{
    int64_t took = clock_monotonic_us() - started_us;

    if (*best == 0 || took < *best)
        *best = took;
}

static void
sleep_ms(long ms)
{
    const struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    (void)nanosleep(&time, NULL);
}

/* What was deleted is given back a moment later. */
static void
settle(void)
{
    sleep_ms(80);
}

static void
round_of_raw(int fd, struct message_group *groups, size_t first, struct best *best)
{
    for (size_t i = 0; i < SAMPLE / SEND; i++)
        group_init(&groups[i], true, first + i * SEND, SEND);
    for (size_t i = 0; i < STRETCHES; i++) {
        int64_t started_us = clock_monotonic_us();

        for (size_t j = 0; j < STRETCH / SEND; j++)
            send_and_wait(fd, &groups[i * (STRETCH / SEND) + j]);
        keep_best(&best->raw[i], started_us);
    }
    for (size_t i = 0; i < SAMPLE / SEND; i++) {
        group_init(&groups[i], false, first + i * SEND, SEND);
        send_and_wait(fd, &groups[i]);
    }
    settle();
}

static void
round_of_plane(struct plane *plane, struct work *work, size_t first, struct best *best)
{
    for (size_t i = 0; i < STRETCHES; i++) {
        prepare(work, PLANE_ADD_BUNDLE, first + i * STRETCH, STRETCH);
        int64_t started_us = clock_monotonic_us();
        apply(plane, work, STRETCH);
        keep_best(&best->plane[i], started_us);
    }
    prepare(work, PLANE_DELETE_BUNDLE, first, SAMPLE);
    apply(plane, work, SAMPLE);
    settle();
}

static void
print_best(const char *method, size_t context_count, const int64_t best[STRETCHES])
{
    int64_t sum = 0;

    for (size_t i = 0; i < STRETCHES; i++)
        sum += best[i];
    printf("%s %s %zu %.2f\n", layout_names[layout], method, context_count,
           (double)sum / (SAMPLE / 2.0));
    (void)fflush(stdout);
}

static void
grow(char **sizes)
{
    struct ipsec_fault fault = { .status = IPSEC_OK };
    struct plane *plane = NULL;
    struct work *work = calloc(1, sizeof *work);
    struct message_group *groups = calloc(SAMPLE / SEND, sizeof *groups);
    int fd = open_netlink();
    size_t done = 0;

    if (work == NULL || groups == NULL)
        die("memory");
    if (plane_xfrm.open("", &fault, &plane) != IPSEC_OK) {
        fprintf(stderr, "plane_bench: %s\n", fault.detail);
        exit(EXIT_FAILURE);
    }
    for (; *sizes != NULL; sizes++) {
        size_t context_count = strtoul(*sizes, NULL, 10);
        struct best best = { .raw = { 0 } };

        while (done + SAMPLE < 2 * context_count) {
            size_t left = 2 * context_count - SAMPLE - done;
            size_t count = left < APPLY ? left : APPLY;

            prepare(work, PLANE_ADD_BUNDLE, done, count);
            apply(plane, work, count);
            done += count;
        }
        sleep_ms(1500);
        for (size_t i = 0; i < ROUNDS; i++) {
            round_of_raw(fd, groups, done, &best);
            round_of_plane(plane, work, done, &best);
        }
        print_best("raw", context_count, best.raw);
        print_best("plane", context_count, best.plane);
    }
    plane_xfrm.close(plane);
    free(work);
    free(groups);
    close(fd);
}

/* --- ip(8) ------------------------------------------------------------------------------------ */

static void
print_lines(size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        struct item item;
        char source[INET_ADDRSTRLEN];
        char destination[INET_ADDRSTRLEN];

        item_init(&item, i);
        const struct kernel_sa state = state_of(&item);
        (void)inet_ntop(AF_INET, state.source.bytes, source, sizeof source);
        (void)inet_ntop(AF_INET, state.destination.bytes, destination, sizeof destination);
        printf("xfrm state add src %s dst %s proto esp spi %u reqid %u mode transport "
               "replay-window %u sel src %s dst %s",
               source, destination, state.spi, state.reqid, state.replay_window, source,
               destination);
        if (layout != LAYOUT_PEERS)
            printf(" proto udp sport %u dport %u", state.selector.source_port,
                   state.selector.destination_port);
        fputs(" aead rfc4106(gcm(aes)) 0x", stdout);
        for (size_t j = 0; j < KEY_SIZE; j++)
            printf("%02x", key_bytes[j]);
        puts(" 128");
    }
}

int
main(int argc, char **argv)
{
    const char *command = argc > 3 ? argv[1] : "";

    while (argc > 3 && layout < LAYOUT_COUNT && strcmp(argv[2], layout_names[layout]) != 0)
        layout++;
    if (layout < LAYOUT_COUNT && strcmp(command, "grow") == 0) {
        grow(argv + 3);
    } else if (layout < LAYOUT_COUNT && strcmp(command, "fill") == 0 && argc == 4) {
        fill(2 * strtoul(argv[3], NULL, 10));
    } else if (layout < LAYOUT_COUNT && strcmp(command, "ip") == 0 && argc == 5) {
        print_lines(2 * strtoul(argv[3], NULL, 10), 2 * strtoul(argv[4], NULL, 10));
    } else {
        fputs("usage: plane_bench grow LAYOUT SIZE..., plane_bench fill LAYOUT COUNT,\n"
              "plane_bench ip LAYOUT FIRST END; LAYOUT is peers, pair or filter\n",
              stderr);
        return 2;
    }
    return EXIT_SUCCESS;
}
