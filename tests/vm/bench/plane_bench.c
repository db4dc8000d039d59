/* SPDX-License-Identifier: Apache-2.0
 *
 * plane_bench.c: how fast SAs get into the kernel.
 *
 *   plane_bench raw LAYOUT COUNT    netlink alone: messages made before, 64 a send, an ack for the
 * last plane_bench plane LAYOUT COUNT  the data plane "xfrm", 4096 bundles an apply plane_bench ip
 * LAYOUT FIRST END the states of these contexts as lines for "ip -batch"
 *
 * Two states for each of COUNT contexts.  With the layout "peers" each context has a peer of its
 * own under one filter; with "pair" all are between two hosts, 1,000 filters by port share them.
 * Prints a line "METHOD FIRST END MICROSECONDS" with the time a context took, while the table grows
 * to 1,000, 10,000 and COUNT contexts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static bool is_pair; /* the layout */

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
    uint32_t remote = htonl(UINT32_C(0x0b000000) + (is_pair ? 0 : context));

    *item = (struct item){
        .bundle = { .sa_count = 1,
                    .sas = { { .spi = mix((uint32_t)index + 1),
                               .transform = xfrm_algorithm_list(0)->transform,
                               .cipher_key_length = KEY_SIZE } } },
        .key = { .bytes = key_bytes, .size = KEY_SIZE },
        .what = { .context_id = context + 1, .direction = (uint8_t)(index % 2), .filter_id = 7 },
    };
    if (is_pair) {
        item->what.filter_id = 1 + context % PAIR_FILTERS;
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

/* The clock runs while states are added, and is read when so many contexts are there. */
struct watch {
    const char *method;
    size_t first;
    size_t next;
    int64_t started_us;
};

static struct watch
watch_start(const char *method)
{
    return (struct watch){ .method = method, .next = 1000, .started_us = clock_monotonic_us() };
}

/* So many of 'count' more states, that the clock is read where it should be. */
static size_t
until_report(size_t next, size_t done, size_t count)
{
    return done < 2 * next && count > 2 * next - done ? 2 * next - done : count;
}

static void
watch_report(struct watch *watch, size_t done, bool is_end)
{
    int64_t now_us = clock_monotonic_us();

    if (done < watch->next && !is_end)
        return;
    printf("%s %zu %zu %.2f\n", watch->method, watch->first, done,
           (double)(now_us - watch->started_us) / (double)(done - watch->first));
    (void)fflush(stdout);
    watch->first = done;
    watch->next *= 10;
    watch->started_us = clock_monotonic_us();
}

/* --- Netlink alone ---------------------------------------------------------------------------- */

static void
send_and_wait(int fd, const uint8_t *bytes, size_t size)
{
    static _Alignas(8) uint8_t answer[65536];
    const struct nlmsghdr *header = (const void *)answer;
    const struct nlmsgerr *error = (const void *)(answer + sizeof *header);

    if (send(fd, bytes, size, 0) != (ssize_t)size || recv(fd, answer, sizeof answer, 0) <= 0)
        die("netlink");
    if (header->nlmsg_type != NLMSG_ERROR || error->error != 0) {
        errno = -error->error;
        die("the kernel refuses a state");
    }
}

static void
run_raw(size_t state_count)
{
    /* All that is not netlink is done before. */
    struct sends {
        uint8_t *bytes;
        size_t size;
        size_t end;
    } *sends = calloc(state_count / SEND + 8, sizeof *sends);
    size_t next = 1000;
    size_t send_count = 0;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM);

    if (sends == NULL || fd < 0)
        die("setup");
    for (size_t i = 0, count = 0; i < state_count; i += count) {
        uint8_t *bytes = malloc(SEND * XFRM_MSG_MAX_SIZE);
        size_t size = 0;

        if (bytes == NULL)
            die("memory");
        count = until_report(next, i, state_count - i < SEND ? state_count - i : SEND);
        if (i + count == 2 * next)
            next *= 10;
        for (size_t j = 0; j < count; j++) {
            struct item item;
            struct nlmsghdr *header = (void *)(bytes + size);

            item_init(&item, i + j);
            const struct kernel_sa state = state_of(&item);
            size += (xfrm_msg_add_sa(header, XFRM_MSG_MAX_SIZE, &state) + 3) / 4 * 4;
            header->nlmsg_flags &= (uint16_t)~NLM_F_ACK;
            if (j + 1 == count)
                header->nlmsg_flags |= NLM_F_ACK;
        }
        sends[send_count].bytes = bytes;
        sends[send_count].end = i + count;
        sends[send_count++].size = size;
    }
    struct watch watch = watch_start("raw");
    for (size_t i = 0; i < send_count; i++) {
        send_and_wait(fd, sends[i].bytes, sends[i].size);
        watch_report(&watch, sends[i].end / 2, i + 1 == send_count);
    }
}

/* --- The data plane --------------------------------------------------------------------------- */

static void
apply(struct plane *plane,
      enum plane_action_kind kind,
      struct item *items,
      struct plane_action *actions,
      size_t first,
      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        item_init(&items[i], first + i);
        actions[i] = (struct plane_action){ .kind = kind, .what = items[i].what };
        if (kind != PLANE_ADD_BUNDLE)
            actions[i].what.auth_keys = actions[i].what.cipher_keys = NULL;
    }
    plane_xfrm.apply(plane, actions, count);
    for (size_t i = 0; i < count; i++) {
        if (actions[i].status != IPSEC_OK)
            die(ipsec_status_name(actions[i].status));
    }
}

/* All memory of a full round is there before the clock runs, as the daemon's is when it has run for
 * a while. */
static void
warm_up(struct plane *plane, struct item *items, struct plane_action *actions)
{
    apply(plane, PLANE_ADD_BUNDLE, items, actions, 0, APPLY);
    apply(plane, PLANE_DELETE_BUNDLE, items, actions, 0, APPLY);
}

static void
run_plane(size_t state_count)
{
    struct ipsec_fault fault = { .status = IPSEC_OK };
    struct plane *plane = NULL;
    struct item *items = calloc(APPLY, sizeof *items);
    struct plane_action *actions = calloc(APPLY, sizeof *actions);

    if (items == NULL || actions == NULL)
        die("memory");
    if (plane_xfrm.open("", &fault, &plane) != IPSEC_OK) {
        fprintf(stderr, "plane_bench: %s\n", fault.detail);
        exit(EXIT_FAILURE);
    }
    warm_up(plane, items, actions);
    struct watch watch = watch_start("plane");
    for (size_t done = 0; done < state_count;) {
        size_t count = state_count - done < APPLY ? state_count - done : APPLY;

        count = until_report(watch.next, done, count);
        apply(plane, PLANE_ADD_BUNDLE, items, actions, done, count);
        done += count;
        watch_report(&watch, done / 2, done == state_count);
    }
    plane_xfrm.close(plane);
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
        if (is_pair)
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
    size_t first = argc == 5 ? strtoul(argv[3], NULL, 10) : 0;
    size_t end = argc > 3 ? strtoul(argv[argc - 1], NULL, 10) : 0;

    if (end <= first || (strcmp(argv[2], "peers") != 0 && strcmp(argv[2], "pair") != 0))
        end = 0;
    else
        is_pair = strcmp(argv[2], "pair") == 0;
    if (end > 0 && argc == 4 && strcmp(argv[1], "raw") == 0) {
        run_raw(2 * end);
    } else if (end > 0 && argc == 4 && strcmp(argv[1], "plane") == 0) {
        run_plane(2 * end);
    } else if (end > 0 && argc == 5 && strcmp(argv[1], "ip") == 0) {
        print_lines(2 * first, 2 * end);
    } else {
        fputs("usage: plane_bench raw|plane LAYOUT COUNT, plane_bench ip LAYOUT FIRST END\n"
              "LAYOUT is peers or pair\n",
              stderr);
        return 2;
    }
    return EXIT_SUCCESS;
}
