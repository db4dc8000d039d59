/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_msg_read.c: the kernel's answers and events as structs. */
#include "engine/plane/xfrm_msg.h"

#include <endian.h>
#include <string.h>

#include <linux/netlink.h>

#include "engine/plane/xfrm_attributes.h"
#include "engine/plane/xfrm_wire.h"

/* The key behind an algorithm is at most this long here; other people's may be longer. */
#define KEY_MAX 512

const struct xfrm_attribute_rule xfrm_state_rules[XFRM_ATTRIBUTE_END] = {
    [XFRMA_ALG_AEAD] = { sizeof(struct xfrm_algo_aead), sizeof(struct xfrm_algo_aead) + KEY_MAX },
    [XFRMA_ALG_AUTH_TRUNC] = { sizeof(struct xfrm_algo_auth),
                               sizeof(struct xfrm_algo_auth) + KEY_MAX },
    [XFRMA_ALG_CRYPT] = { sizeof(struct xfrm_algo), sizeof(struct xfrm_algo) + KEY_MAX },
    [XFRMA_ENCAP] = { sizeof(struct xfrm_encap_tmpl), sizeof(struct xfrm_encap_tmpl) },
    [XFRMA_COADDR] = { KERNEL_OWNER_SIZE, KERNEL_OWNER_SIZE },
    [XFRMA_LASTUSED] = { sizeof(uint64_t), sizeof(uint64_t) },
    [XFRMA_REPLAY_VAL] = { sizeof(struct xfrm_replay_state), sizeof(struct xfrm_replay_state) },
    [XFRM_WIRE_SA_DIRECTION] = { 1, 1 },
};
static const struct xfrm_attribute_rule deleted_rules[XFRM_ATTRIBUTE_END] = {
    [XFRMA_SA] = { sizeof(struct xfrm_usersa_info), sizeof(struct xfrm_usersa_info) },
};
static const struct xfrm_attribute_rule policy_rules[XFRM_ATTRIBUTE_END] = {
    [XFRMA_TMPL] = { sizeof(struct xfrm_user_tmpl),
                     KERNEL_TEMPLATES_READ_MAX * sizeof(struct xfrm_user_tmpl) },
};
static const struct xfrm_attribute_rule deleted_policy_rules[XFRM_ATTRIBUTE_END] = {
    [XFRMA_POLICY] = { sizeof(struct xfrm_userpolicy_info), sizeof(struct xfrm_userpolicy_info) },
};
static const struct xfrm_attribute_rule count_rules[XFRM_ATTRIBUTE_END] = {
    [XFRMA_SAD_CNT] = { sizeof(uint32_t), sizeof(uint32_t) },
};
static const struct xfrm_attribute_rule ack_rules[XFRM_ATTRIBUTE_END] = {
    [NLMSGERR_ATTR_MSG] = { 1, 1024 },
};
static const struct xfrm_attribute_rule no_rules[XFRM_ATTRIBUTE_END];

/* One message: its fixed part and the attributes behind it. */
struct view {
    const struct nlmsghdr *message;
    const uint8_t *payload;
    size_t payload_size;
    struct xfrm_attributes attributes;
};

static bool read_state(struct view *view, struct xfrm_msg *out);
static bool read_state_attributes(const struct view *view, struct kernel_sa *sa);
static bool read_expire(struct view *view, struct xfrm_msg *out);
static bool read_deleted(struct view *view, struct xfrm_msg *out);
static bool read_policy(struct view *view, struct xfrm_msg *out);
static bool read_deleted_policy(struct view *view, struct xfrm_msg *out);
static bool read_count(struct view *view, struct xfrm_msg *out);
static bool read_ack(struct view *view, struct xfrm_msg *out);
static bool read_end(struct view *view, struct xfrm_msg *out);

bool
xfrm_msg_read(const struct nlmsghdr *message, size_t size, struct xfrm_msg *message_out)
{
    struct view view = { .message = message };

    *message_out = (struct xfrm_msg){ .kind = XFRM_MSG_KIND_OTHER };
    if (size < sizeof *message || message->nlmsg_len < sizeof *message || message->nlmsg_len > size)
        return false;
    view.payload = (const uint8_t *)message + NLMSG_HDRLEN;
    view.payload_size = message->nlmsg_len - NLMSG_HDRLEN;
    message_out->sequence = message->nlmsg_seq;
    message_out->port_id = message->nlmsg_pid;

    switch (message->nlmsg_type) {
    case NLMSG_ERROR:
        return read_ack(&view, message_out);
    case NLMSG_DONE:
        return read_end(&view, message_out);
    case XFRM_MSG_NEWSA:
    case XFRM_MSG_UPDSA:
        return read_state(&view, message_out);
    case XFRM_MSG_DELSA:
        return read_deleted(&view, message_out);
    case XFRM_MSG_EXPIRE:
        return read_expire(&view, message_out);
    case XFRM_MSG_NEWPOLICY:
    case XFRM_MSG_UPDPOLICY:
        return read_policy(&view, message_out);
    case XFRM_MSG_DELPOLICY:
        return read_deleted_policy(&view, message_out);
    case XFRM_MSG_FLUSHSA:
    case XFRM_MSG_FLUSHPOLICY:
        message_out->kind = XFRM_MSG_KIND_FLUSHED;
        return true;
    case XFRM_MSG_NEWSADINFO:
        return read_count(&view, message_out);
    default:
        return true;
    }
}

static bool
parse(struct view *view, size_t head_size, const struct xfrm_attribute_rule *rules)
{
    return xfrm_attributes_read(view->payload, view->payload_size, head_size, rules,
                                &view->attributes);
}

/* The payload of an attribute, of which the rules hold; null when there is none. */
static const void *
payload_of(const struct view *view, uint16_t type)
{
    return view->attributes.by_type[type].payload;
}

static bool
read_state(struct view *view, struct xfrm_msg *out)
{
    struct xfrm_usersa_info info;

    if (!parse(view, sizeof info, xfrm_state_rules))
        return false;
    memcpy(&info, view->payload, sizeof info);
    out->kind = XFRM_MSG_KIND_SA;
    if (!xfrm_wire_read_sa(&info, &out->sa) || !read_state_attributes(view, &out->sa))
        return false;
    out->id = xfrm_msg_id_of(&out->sa);
    return true;
}

/* The name of an algorithm must end within its member, or its holder would read on into the key. */
static bool
read_algorithm(const struct view *view, uint16_t type, struct kernel_algorithm *algorithm_out)
{
    const uint8_t *wire = payload_of(view, type);
    struct xfrm_algo_aead head;
    uint32_t key_bits = 0;

    if (wire == NULL)
        return true;
    memset(&head, 0, sizeof head);
    /* Name and key length stand alike in all three kinds. */
    memcpy(&head, wire, type == XFRMA_ALG_CRYPT ? sizeof(struct xfrm_algo) : sizeof head);
    key_bits = head.alg_key_len;
    if (memchr(head.alg_name, '\0', sizeof head.alg_name) == NULL || key_bits > KEY_MAX * 8 ||
        head.alg_icv_len > UINT16_MAX)
        return false;
    algorithm_out->name = (const char *)wire;
    algorithm_out->key_bits = (uint16_t)key_bits;
    algorithm_out->icv_bits = (uint16_t)head.alg_icv_len;
    return true;
}

static bool
read_state_attributes(const struct view *view, struct kernel_sa *sa)
{
    const void *wire = NULL;

    if (!read_algorithm(view, XFRMA_ALG_AEAD, &sa->aead) ||
        !read_algorithm(view, XFRMA_ALG_AUTH_TRUNC, &sa->auth) ||
        !read_algorithm(view, XFRMA_ALG_CRYPT, &sa->cipher))
        return false;
    wire = payload_of(view, XFRMA_ENCAP);
    if (wire != NULL) {
        struct xfrm_encap_tmpl encapsulation;

        memcpy(&encapsulation, wire, sizeof encapsulation);
        sa->encapsulation_source_port = be16toh(encapsulation.encap_sport);
        sa->encapsulation_destination_port = be16toh(encapsulation.encap_dport);
    }
    wire = payload_of(view, XFRMA_COADDR);
    if (wire != NULL)
        memcpy(sa->owner, wire, sizeof sa->owner);
    wire = payload_of(view, XFRMA_LASTUSED);
    if (wire != NULL)
        memcpy(&sa->last_used_at_s, wire, sizeof sa->last_used_at_s);
    wire = payload_of(view, XFRMA_REPLAY_VAL);
    if (wire != NULL) {
        struct xfrm_replay_state replay;

        memcpy(&replay, wire, sizeof replay);
        sa->progress.outbound_sequence = replay.oseq;
        sa->progress.inbound_sequence = replay.seq;
        sa->progress.inbound_bitmap = replay.bitmap;
    }
    sa->has_progress = true;
    wire = payload_of(view, XFRM_WIRE_SA_DIRECTION);
    if (wire != NULL) {
        uint8_t direction = *(const uint8_t *)wire;

        sa->has_direction = true;
        sa->direction = direction == XFRM_WIRE_DIRECTION_IN ? IPSEC_DIRECTION_INBOUND
                                                            : IPSEC_DIRECTION_OUTBOUND;
    }
    return true;
}

static bool
read_expire(struct view *view, struct xfrm_msg *out)
{
    struct xfrm_user_expire expire;

    if (!parse(view, sizeof expire, no_rules))
        return false;
    memcpy(&expire, view->payload, sizeof expire);
    out->kind = XFRM_MSG_KIND_EXPIRED;
    out->is_hard = expire.hard != 0;
    if (!xfrm_wire_read_sa(&expire.state, &out->sa))
        return false;
    out->id = xfrm_msg_id_of(&out->sa);
    return true;
}

static bool
read_deleted(struct view *view, struct xfrm_msg *out)
{
    struct xfrm_usersa_id id;

    if (!parse(view, sizeof id, deleted_rules))
        return false;
    memcpy(&id, view->payload, sizeof id);
    out->kind = XFRM_MSG_KIND_SA_DELETED;
    if (!xfrm_wire_ip_version(id.family, &out->id.ip_version))
        return false;
    out->id.destination = xfrm_wire_read_address(&id.daddr, out->id.ip_version);
    out->id.spi = be32toh(id.spi);
    out->id.protocol = id.proto;
    return true;
}

static bool
read_policy(struct view *view, struct xfrm_msg *out)
{
    struct xfrm_userpolicy_info info;
    struct xfrm_user_tmpl wire;
    size_t count = 0;
    const uint8_t *templates = NULL;

    if (!parse(view, sizeof info, policy_rules))
        return false;
    memcpy(&info, view->payload, sizeof info);
    out->kind = XFRM_MSG_KIND_POLICY;
    if (!xfrm_wire_read_policy(&info, &out->policy))
        return false;
    templates = payload_of(view, XFRMA_TMPL);
    if (templates == NULL)
        return true;
    count = view->attributes.by_type[XFRMA_TMPL].size / sizeof wire;
    out->policy.template_count = (uint8_t)count;
    for (size_t i = 0; i < count && i < KERNEL_TEMPLATES_MAX; i++) {
        memcpy(&wire, templates + i * sizeof wire, sizeof wire);
        if (!xfrm_wire_read_template(&wire, &out->policy.templates[i]))
            return false;
    }
    return true;
}

/* What it was stands in an attribute, as a policy that was added has it at its beginning. */
static bool
read_deleted_policy(struct view *view, struct xfrm_msg *out)
{
    struct xfrm_userpolicy_info info;
    const void *wire = NULL;

    if (!parse(view, sizeof(struct xfrm_userpolicy_id), deleted_policy_rules))
        return false;
    wire = payload_of(view, XFRMA_POLICY);
    if (wire == NULL)
        return false;
    memcpy(&info, wire, sizeof info);
    out->kind = XFRM_MSG_KIND_POLICY_DELETED;
    return xfrm_wire_read_policy(&info, &out->policy);
}

static bool
read_count(struct view *view, struct xfrm_msg *out)
{
    const void *wire = NULL;

    if (!parse(view, sizeof(uint32_t), count_rules))
        return false;
    wire = payload_of(view, XFRMA_SAD_CNT);
    if (wire == NULL)
        return false;
    out->kind = XFRM_MSG_KIND_SA_COUNT;
    memcpy(&out->count, wire, sizeof out->count);
    return true;
}

/* The kernel was told to leave out the request that an error is about; one that has it all the same
 * is stepped over. */
static bool
read_ack(struct view *view, struct xfrm_msg *out)
{
    struct nlmsgerr error;
    size_t head_size = sizeof error;
    const char *text = NULL;

    if (view->payload_size < sizeof error)
        return false;
    memcpy(&error, view->payload, sizeof error);
    out->kind = XFRM_MSG_KIND_ACK;
    out->sequence = error.msg.nlmsg_seq;
    if (error.error > 0 || error.error < -4095)
        return false;
    out->error = -error.error;
    if ((view->message->nlmsg_flags & NLM_F_ACK_TLVS) == 0)
        return true;
    if ((view->message->nlmsg_flags & NLM_F_CAPPED) == 0) {
        if (error.msg.nlmsg_len < sizeof error.msg)
            return false;
        head_size += error.msg.nlmsg_len - sizeof error.msg;
    }
    if (!parse(view, head_size, ack_rules))
        return false;
    text = payload_of(view, NLMSGERR_ATTR_MSG);
    if (text != NULL && text[view->attributes.by_type[NLMSGERR_ATTR_MSG].size - 1] == '\0')
        out->reason = text;
    return true;
}

static bool
read_end(struct view *view, struct xfrm_msg *out)
{
    int32_t error = 0;

    out->kind = XFRM_MSG_KIND_ACK;
    out->is_end = true;
    if (view->payload_size < sizeof error)
        return true;
    memcpy(&error, view->payload, sizeof error);
    if (error > 0 || error < -4095)
        return false;
    out->error = -error;
    return true;
}
