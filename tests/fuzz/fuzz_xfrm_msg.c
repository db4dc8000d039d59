/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_xfrm_msg.c: whatever bytes the kernel sends, they are read within their bounds, and what was
 * read as an SA or a policy can be written again and reads the same. */
#include <stdlib.h>
#include <string.h>

#include <linux/netlink.h>

#include "engine/plane/xfrm_msg.h"
#include "engine/plane/xfrm_owner.h"
#include "tests/fuzz/fuzz.h"

static void
check(bool holds)
{
    if (!holds)
        abort();
}

static void
read_names(const struct kernel_sa *sa)
{
    const struct kernel_algorithm *const algorithms[] = { &sa->aead, &sa->auth, &sa->cipher };

    for (size_t i = 0; i < 3; i++) {
        check(algorithms[i]->key == NULL);
        if (algorithms[i]->name != NULL)
            check(strlen(algorithms[i]->name) < 64);
    }
}

static void
write_sa_again(const struct xfrm_msg *message)
{
    _Alignas(8) uint8_t room[XFRM_MSG_MAX_SIZE];
    struct kernel_sa sa = message->sa;
    struct xfrm_msg again;
    size_t size = 0;

    read_names(&sa);
    /* Keys are not read, so they can't be written. */
    sa.aead = sa.auth = sa.cipher = (struct kernel_algorithm){ .name = NULL };
    size = xfrm_msg_add_sa(room, sizeof room, &sa);
    check(size > 0 && xfrm_msg_read((const void *)room, size, &again));
    check(again.sa.spi == sa.spi && again.sa.reqid == sa.reqid && again.sa.mode == sa.mode);
    check(memcmp(&again.id, &message->id, sizeof again.id) == 0);
    check(memcmp(again.sa.owner, sa.owner, sizeof sa.owner) == 0);
}

static void
write_policy_again(const struct xfrm_msg *message)
{
    _Alignas(8) uint8_t room[XFRM_MSG_MAX_SIZE];
    struct kernel_policy policy = message->policy;
    struct xfrm_msg again;
    size_t size = 0;

    check(policy.template_count <= KERNEL_TEMPLATES_READ_MAX);
    if (policy.template_count > KERNEL_TEMPLATES_MAX)
        return;
    size = xfrm_msg_add_policy(room, sizeof room, &policy);
    check(size > 0 && xfrm_msg_read((const void *)room, size, &again));
    check(again.policy.priority == policy.priority);
    check(again.policy.template_count == policy.template_count);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* As a receive buffer lies in memory, and not a byte longer. */
    struct nlmsghdr *message = malloc(size + 1);
    struct xfrm_msg read;
    struct xfrm_owner owner;

    if (message == NULL)
        return 0;
    if (size > 0)
        memcpy(message, data, size);
    if (xfrm_msg_read(message, size, &read)) {
        if (read.kind == XFRM_MSG_KIND_SA) {
            _Alignas(8) uint8_t room[XFRM_MSG_MAX_SIZE];

            write_sa_again(&read);
            (void)xfrm_msg_readdress_sa(room, sizeof room, message, size, &read.sa, size % 2 == 0);
            (void)xfrm_owner_read(read.sa.owner, &owner);
        }
        if (read.kind == XFRM_MSG_KIND_POLICY)
            write_policy_again(&read);
        if (read.kind == XFRM_MSG_KIND_EXPIRED)
            read_names(&read.sa);
        if (read.kind == XFRM_MSG_KIND_ACK && read.reason != NULL)
            check(strlen(read.reason) < size);
    }
    free(message);
    return 0;
}
