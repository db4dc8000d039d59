/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_msg.c: requests to the kernel's IPsec as bytes. */
#include "engine/plane/xfrm_msg.h"

#include <string.h>

#include <arpa/inet.h>

#include <linux/xfrm.h>

#include <libmnl/libmnl.h>

#include "engine/base/secret.h"
#include "engine/plane/xfrm_attributes.h"
#include "engine/plane/xfrm_wire.h"

/* The longest of the kernel's structs for an algorithm, and its key. */
union algorithm_room {
    struct xfrm_algo cipher;
    struct xfrm_algo_auth auth;
    struct xfrm_algo_aead aead;
    uint8_t bytes[sizeof(struct xfrm_algo_aead) + SECRET_MAX];
};

static struct nlmsghdr *
start(void *room, size_t size, uint16_t type, uint16_t flags, const void *body, size_t body_size);
static void sa_id_to_wire(const struct kernel_sa_id *id, struct xfrm_usersa_id *wire);
static void policy_id_to_wire(const struct kernel_selector *selector,
                              enum kernel_policy_direction direction,
                              struct xfrm_userpolicy_id *wire);
static bool put_attribute(
    struct nlmsghdr *message, size_t size, uint16_t type, size_t payload_size, const void *payload);
static size_t
put_sa(void *room, size_t size, uint16_t type, uint16_t flags, const struct kernel_sa *sa);
static bool put_algorithms(struct nlmsghdr *message, size_t size, const struct kernel_sa *sa);
static bool put_extras(struct nlmsghdr *message, size_t size, const struct kernel_sa *sa);
static bool put_progress(struct nlmsghdr *message, size_t size, const struct kernel_sa *sa);
static bool put_policy(void *room, size_t size, uint16_t type, const struct kernel_policy *policy);

size_t
xfrm_msg_add_sa(void *room, size_t size, const struct kernel_sa *sa)
{
    return put_sa(room, size, XFRM_MSG_NEWSA, NLM_F_CREATE | NLM_F_EXCL, sa);
}

size_t
xfrm_msg_try_sa(void *room, size_t size, const struct kernel_sa *sa)
{
    return put_sa(room, size, XFRM_MSG_UPDSA, NLM_F_REPLACE, sa);
}

size_t
xfrm_msg_delete_sa(void *room, size_t size, const struct kernel_sa_id *id)
{
    struct xfrm_usersa_id wire;
    const struct nlmsghdr *message = NULL;

    sa_id_to_wire(id, &wire);
    message = start(room, size, XFRM_MSG_DELSA, 0, &wire, sizeof wire);
    return message == NULL ? 0 : message->nlmsg_len;
}

size_t
xfrm_msg_get_sa(void *room, size_t size, const struct kernel_sa_id *id)
{
    struct xfrm_usersa_id wire;
    const struct nlmsghdr *message = NULL;

    sa_id_to_wire(id, &wire);
    message = start(room, size, XFRM_MSG_GETSA, 0, &wire, sizeof wire);
    return message == NULL ? 0 : message->nlmsg_len;
}

size_t
xfrm_msg_dump_sas(void *room, size_t size)
{
    const struct xfrm_usersa_id none = { .spi = 0 };
    const struct nlmsghdr *message =
        start(room, size, XFRM_MSG_GETSA, NLM_F_DUMP, &none, sizeof none);

    return message == NULL ? 0 : message->nlmsg_len;
}

size_t
xfrm_msg_count_sas(void *room, size_t size)
{
    const uint32_t flags = UINT32_MAX;
    const struct nlmsghdr *message =
        start(room, size, XFRM_MSG_GETSADINFO, 0, &flags, sizeof flags);

    return message == NULL ? 0 : message->nlmsg_len;
}

size_t
xfrm_msg_add_policy(void *room, size_t size, const struct kernel_policy *policy)
{
    return put_policy(room, size, XFRM_MSG_NEWPOLICY, policy)
               ? ((const struct nlmsghdr *)room)->nlmsg_len
               : 0;
}

size_t
xfrm_msg_set_policy(void *room, size_t size, const struct kernel_policy *policy)
{
    return put_policy(room, size, XFRM_MSG_UPDPOLICY, policy)
               ? ((const struct nlmsghdr *)room)->nlmsg_len
               : 0;
}

size_t
xfrm_msg_delete_policy(void *room,
                       size_t size,
                       const struct kernel_selector *selector,
                       enum kernel_policy_direction direction)
{
    struct xfrm_userpolicy_id wire;
    const struct nlmsghdr *message = NULL;

    policy_id_to_wire(selector, direction, &wire);
    message = start(room, size, XFRM_MSG_DELPOLICY, 0, &wire, sizeof wire);
    return message == NULL ? 0 : message->nlmsg_len;
}

size_t
xfrm_msg_get_policy(void *room,
                    size_t size,
                    const struct kernel_selector *selector,
                    enum kernel_policy_direction direction)
{
    struct xfrm_userpolicy_id wire;
    const struct nlmsghdr *message = NULL;

    policy_id_to_wire(selector, direction, &wire);
    message = start(room, size, XFRM_MSG_GETPOLICY, 0, &wire, sizeof wire);
    return message == NULL ? 0 : message->nlmsg_len;
}

size_t
xfrm_msg_dump_policies(void *room, size_t size)
{
    const struct xfrm_userpolicy_id none = { .dir = 0 };
    const struct nlmsghdr *message =
        start(room, size, XFRM_MSG_GETPOLICY, NLM_F_DUMP, &none, sizeof none);

    return message == NULL ? 0 : message->nlmsg_len;
}

size_t
xfrm_msg_readdress_sa(void *room,
                      size_t size,
                      const struct nlmsghdr *answer,
                      size_t answer_size,
                      const struct kernel_sa *to,
                      bool in_place)
{
    static const uint16_t kept[] = { XFRMA_ALG_AEAD, XFRMA_ALG_AUTH_TRUNC, XFRMA_ALG_CRYPT };
    struct xfrm_msg current;
    struct xfrm_usersa_info info;
    struct nlmsghdr *message = NULL;
    struct xfrm_attributes attributes;
    struct kernel_sa changed = { .spi = 0 };

    if (!xfrm_msg_read(answer, answer_size, &current) || current.kind != XFRM_MSG_KIND_SA ||
        !xfrm_attributes_read((const uint8_t *)answer + NLMSG_HDRLEN,
                              answer->nlmsg_len - NLMSG_HDRLEN, sizeof info, xfrm_state_rules,
                              &attributes))
        return 0;
    /* What it may do and how far it is stay; who and where it is for change. */
    changed = *to;
    changed.hard_seconds = current.sa.hard_seconds;
    changed.hard_bytes = current.sa.hard_bytes;
    changed.hard_packets = current.sa.hard_packets;
    changed.has_progress = !in_place;
    changed.progress = current.sa.progress;
    xfrm_wire_sa(&changed, &info);
    message =
        in_place ? start(room, size, XFRM_MSG_UPDSA, NLM_F_REPLACE, &info, sizeof info)
                 : start(room, size, XFRM_MSG_NEWSA, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof info);
    if (message == NULL)
        return 0;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        const struct xfrm_attribute *attribute = &attributes.by_type[kept[i]];

        if (attribute->payload != NULL &&
            !put_attribute(message, size, kept[i], attribute->size, attribute->payload))
            return 0;
    }
    return put_extras(message, size, &changed) ? message->nlmsg_len : 0;
}

struct kernel_sa_id
xfrm_msg_id_of(const struct kernel_sa *sa)
{
    return (struct kernel_sa_id){
        .destination = sa->destination,
        .spi = sa->spi,
        .ip_version = sa->ip_version,
        .protocol = sa->protocol,
    };
}

static size_t
put_sa(void *room, size_t size, uint16_t type, uint16_t flags, const struct kernel_sa *sa)
{
    struct xfrm_usersa_info info;
    struct nlmsghdr *message = NULL;

    xfrm_wire_sa(sa, &info);
    message = start(room, size, type, flags, &info, sizeof info);
    if (message == NULL || !put_algorithms(message, size, sa) || !put_extras(message, size, sa))
        return 0;
    return message->nlmsg_len;
}

static struct nlmsghdr *
start(void *room, size_t size, uint16_t type, uint16_t flags, const void *body, size_t body_size)
{
    struct nlmsghdr *message = NULL;

    if (size < mnl_nlmsg_size(xfrm_align(body_size)))
        return NULL;
    message = mnl_nlmsg_put_header(room);
    message->nlmsg_type = type;
    message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    memcpy(mnl_nlmsg_put_extra_header(message, body_size), body, body_size);
    return message;
}

static void
sa_id_to_wire(const struct kernel_sa_id *id, struct xfrm_usersa_id *wire)
{
    memset(wire, 0, sizeof *wire);
    wire->daddr = xfrm_wire_address(&id->destination);
    wire->spi = htonl(id->spi);
    wire->family = xfrm_wire_family(id->ip_version);
    wire->proto = id->protocol;
}

static void
policy_id_to_wire(const struct kernel_selector *selector,
                  enum kernel_policy_direction direction,
                  struct xfrm_userpolicy_id *wire)
{
    memset(wire, 0, sizeof *wire);
    xfrm_wire_selector(selector, &wire->sel);
    wire->dir = (uint8_t)direction;
}

/* libmnl leaves the padding behind the payload as it is. */
static bool
put_attribute(
    struct nlmsghdr *message, size_t size, uint16_t type, size_t payload_size, const void *payload)
{
    uint8_t *end = mnl_nlmsg_get_payload_tail(message);

    if (!mnl_attr_put_check(message, size, type, payload_size, payload))
        return false;
    memset(end + sizeof(struct nlattr) + payload_size, 0, xfrm_align(payload_size) - payload_size);
    return true;
}

static bool
put_algorithm(struct nlmsghdr *message,
              size_t size,
              uint16_t type,
              const struct kernel_algorithm *algorithm)
{
    union algorithm_room room;
    size_t key_size = (algorithm->key_bits + 7U) / 8U;
    size_t head_size = sizeof room.cipher;
    bool fits = false;

    if (algorithm->name == NULL)
        return true;
    if (key_size > SECRET_MAX || strlen(algorithm->name) >= sizeof room.aead.alg_name)
        return false;
    memset(&room, 0, sizeof room);
    /* Name and key length stand alike in all three. */
    memcpy(room.aead.alg_name, algorithm->name, strlen(algorithm->name));
    room.aead.alg_key_len = algorithm->key_bits;
    if (type != XFRMA_ALG_CRYPT) {
        room.aead.alg_icv_len = algorithm->icv_bits;
        head_size = sizeof room.aead;
    }
    if (key_size > 0)
        memcpy(room.bytes + head_size, algorithm->key, key_size);
    fits = put_attribute(message, size, type, head_size + key_size, &room);
    explicit_bzero(&room, sizeof room);
    return fits;
}

static bool
put_algorithms(struct nlmsghdr *message, size_t size, const struct kernel_sa *sa)
{
    /* SHA-256 only with its truncation: without, the kernel cuts it to the 96 bits of an old draft.
     */
    return put_algorithm(message, size, XFRMA_ALG_AEAD, &sa->aead) &&
           put_algorithm(message, size, XFRMA_ALG_AUTH_TRUNC, &sa->auth) &&
           put_algorithm(message, size, XFRMA_ALG_CRYPT, &sa->cipher);
}

static bool
put_extras(struct nlmsghdr *message, size_t size, const struct kernel_sa *sa)
{
    static const uint8_t nobody[KERNEL_OWNER_SIZE];
    const uint8_t direction =
        sa->direction == IPSEC_DIRECTION_INBOUND ? XFRM_WIRE_DIRECTION_IN : XFRM_WIRE_DIRECTION_OUT;

    if (sa->encapsulation_source_port != 0 || sa->encapsulation_destination_port != 0) {
        struct xfrm_encap_tmpl encapsulation;

        memset(&encapsulation, 0, sizeof encapsulation);
        encapsulation.encap_type = XFRM_WIRE_ESP_IN_UDP;
        encapsulation.encap_sport = htons(sa->encapsulation_source_port);
        encapsulation.encap_dport = htons(sa->encapsulation_destination_port);
        if (!put_attribute(message, size, XFRMA_ENCAP, sizeof encapsulation, &encapsulation))
            return false;
    }
    if (memcmp(sa->owner, nobody, sizeof nobody) != 0 &&
        !put_attribute(message, size, XFRMA_COADDR, sizeof sa->owner, sa->owner))
        return false;
    /* Kernels that do not know it pass over it. */
    if (sa->has_direction &&
        !put_attribute(message, size, XFRM_WIRE_SA_DIRECTION, sizeof direction, &direction))
        return false;
    return !sa->has_progress || put_progress(message, size, sa);
}

static bool
put_progress(struct nlmsghdr *message, size_t size, const struct kernel_sa *sa)
{
    const struct kernel_progress *progress = &sa->progress;
    const struct xfrm_replay_state replay = {
        .oseq = progress->outbound_sequence,
        .seq = progress->inbound_sequence,
        .bitmap = progress->inbound_bitmap,
    };
    const struct xfrm_lifetime_cur current = {
        .bytes = progress->bytes,
        .packets = progress->packets,
        .add_time = progress->added_at_s,
        .use_time = progress->first_used_at_s,
    };

    return put_attribute(message, size, XFRMA_REPLAY_VAL, sizeof replay, &replay) &&
           put_attribute(message, size, XFRMA_LTIME_VAL, sizeof current, &current);
}

static bool
put_policy(void *room, size_t size, uint16_t type, const struct kernel_policy *policy)
{
    struct xfrm_userpolicy_info info;
    struct xfrm_user_tmpl templates[KERNEL_TEMPLATES_MAX];
    struct nlmsghdr *message = NULL;

    xfrm_wire_policy(policy, &info);
    message = start(room, size, type, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof info);
    if (message == NULL || policy->template_count > KERNEL_TEMPLATES_MAX)
        return false;
    for (size_t i = 0; i < policy->template_count; i++)
        xfrm_wire_template(&policy->templates[i], &templates[i]);
    return policy->template_count == 0 ||
           put_attribute(message, size, XFRMA_TMPL,
                         policy->template_count * sizeof(struct xfrm_user_tmpl), templates);
}
