/* SPDX-License-Identifier: Apache-2.0
 *
 * plane_fixture.h: bundles and filters for tests of data planes, and a plane of each kind. */
#pragma once

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>

#include "engine/plane/netlink.h"
#include "engine/plane/plane.h"
#include "engine/plane/xfrm_algorithm.h"
#include "engine/plane/xfrm_msg.h"

/* A bundle with all that it borrows. */
struct plane_sample {
    struct ipsec_sa_bundle bundle;
    uint8_t bytes[IPSEC_SA_MAX][2][SECRET_MAX];
    struct secret auth_keys[IPSEC_SA_MAX];
    struct secret cipher_keys[IPSEC_SA_MAX];
    struct plane_bundle what;
};

/* An open plane, in a network namespace of the test's own. */
struct plane_under_test {
    const struct plane_ops *ops;
    struct plane *plane;
};

/* Gives one SA of the sample this transform and keys. */
static inline void
plane_sample_set(struct plane_sample *sample, size_t index, const struct xfrm_transform *transform)
{
    for (size_t i = 0; i < SECRET_MAX; i++) {
        sample->bytes[index][0][i] = (uint8_t)(i * 7 + index);
        sample->bytes[index][1][i] = (uint8_t)(i * 13 + 100 + index);
    }
    sample->bundle.sas[index].transform = transform->transform;
    sample->bundle.sas[index].auth_key_length = transform->auth_key_size;
    sample->bundle.sas[index].cipher_key_length = transform->cipher_key_size;
    sample->auth_keys[index] =
        (struct secret){ .bytes = sample->bytes[index][0], .size = transform->auth_key_size };
    sample->cipher_keys[index] =
        (struct secret){ .bytes = sample->bytes[index][1], .size = transform->cipher_key_size };
}

/* One SA with AES-GCM, between 192.0.2.1 (here) and 198.51.100.7. */
static inline void
plane_sample_init(struct plane_sample *sample, uint64_t context_id, uint8_t direction, uint32_t spi)
{
    *sample = (struct plane_sample){
        .bundle = { .sa_count = 1, .sas = { { .spi = spi } } },
        .what = { .context_id = context_id,
                  .direction = direction,
                  .filter_id = 11,
                  .traffic = { .local_address = { .bytes = { 192, 0, 2, 1 } },
                               .remote_address = { .bytes = { 198, 51, 100, 7 } },
                               .ipsec_filter_id = 11 } },
    };
    sample->what.bundle = &sample->bundle;
    sample->what.auth_keys = sample->auth_keys;
    sample->what.cipher_keys = sample->cipher_keys;
    plane_sample_set(sample, 0, xfrm_algorithm_list(0));
}

/* AH around it. */
static inline void
plane_sample_add_ah(struct plane_sample *sample, uint32_t spi)
{
    static const struct xfrm_transform ah = {
        .transform = { .type = IPSEC_TRANSFORM_AH, .auth = IPSEC_AUTH_HMAC_SHA_256_128 },
        .auth_key_size = 32,
    };

    sample->bundle.sa_count = 2;
    sample->bundle.sas[1].spi = spi;
    plane_sample_set(sample, 1, &ah);
}

static inline enum ipsec_status
plane_do(struct plane_under_test *test,
         enum plane_action_kind kind,
         const struct plane_bundle *what)
{
    struct plane_action action = { .kind = kind, .what = *what, .status = IPSEC_RPC_SERVERFAULT };

    test->ops->apply(test->plane, &action, 1);
    return action.status;
}

static inline enum ipsec_status
plane_do_filter(struct plane_under_test *test,
                enum plane_action_kind kind,
                const struct plane_filter *filter)
{
    struct plane_action action = { .kind = kind,
                                   .filter = *filter,
                                   .status = IPSEC_RPC_SERVERFAULT };

    test->ops->apply(test->plane, &action, 1);
    return action.status;
}

static inline void
plane_test_open(struct plane_under_test *test)
{
    struct ipsec_fault fault = { .status = IPSEC_OK };
    enum ipsec_status status = test->ops->open("", &fault, &test->plane);

    if (status == IPSEC_OK && test->ops->start != NULL)
        status = test->ops->start(test->plane, &fault);
    if (status != IPSEC_OK)
        print_message("%s\n", fault.detail);
    assert_int_equal(status, IPSEC_OK);
}

static inline void
plane_test_close(struct plane_under_test *test)
{
    test->ops->close(test->plane);
    test->plane = NULL;
}

/* A plane of its own for each test: the kernel's in an empty network namespace.  Skips the test
 * where the kernel makes no SAs or may not be asked. */
static inline void
plane_test_begin(struct plane_under_test *test, const struct plane_ops *ops)
{
    struct ipsec_fault fault = { .status = IPSEC_OK };
    enum ipsec_status status;

    *test = (struct plane_under_test){ .ops = ops };
    if (ops == &plane_xfrm && unshare(CLONE_NEWNET) != 0)
        skip();
    status = ops->open("", &fault, &test->plane);
    if (status == IPSEC_OK && ops->start != NULL)
        status = ops->start(test->plane, &fault);
    if (status != IPSEC_OK)
        print_message("%s\n", fault.detail);
    if (ops == &plane_xfrm &&
        (status == IPSEC_RPC_NOT_REGISTERED || status == IPSEC_RPC_ACCESS_DENIED))
        skip();
    assert_int_equal(status, IPSEC_OK);
}

/* Somebody else's state and policy, in the same place. */
static inline void
plane_test_add_foreign(struct netlink *netlink)
{
    static const uint8_t key[20] = { 9 };
    const struct kernel_sa sa = {
        .protocol = IPPROTO_ESP,
        .spi = 0x7777,
        .reqid = 1,
        .source = { .bytes = { 192, 0, 2, 1 } },
        .destination = { .bytes = { 198, 51, 100, 7 } },
        .aead = { .name = "rfc4106(gcm(aes))", .key = key, .key_bits = 160, .icv_bits = 128 },
    };
    const struct kernel_policy policy = {
        .selector = { .source_prefix = 32, .source = { .bytes = { 10, 0, 0, 1 } } },
        .direction = KERNEL_POLICY_OUT,
    };
    struct netlink_result results[2];

    assert_int_not_equal(xfrm_msg_add_sa(netlink_room(netlink), XFRM_MSG_MAX_SIZE, &sa), 0);
    netlink_add(netlink);
    assert_int_not_equal(xfrm_msg_add_policy(netlink_room(netlink), XFRM_MSG_MAX_SIZE, &policy), 0);
    netlink_add(netlink);
    netlink_send(netlink, results, NULL, NULL);
    assert_int_equal(results[0].error, 0);
    assert_int_equal(results[1].error, 0);
}
