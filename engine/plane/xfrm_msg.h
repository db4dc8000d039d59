/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_msg.h: the kernel's IPsec messages (NETLINK_XFRM) as plain structs, and back.
 *
 * Pure functions: structs in, bytes out.  A writer makes one netlink message, header included, in
 * the room it is given; sequence number, port id and the flags for acknowledgement are put in by
 * whoever sends it.  A reader checks every length before it touches a byte; what it hands out
 * points into the message or is a copy.  Numbers are in host order here and in the kernel's order
 * in the bytes; addresses are in network order in both. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/types.h"

struct nlmsghdr;

/* No message written here is longer. */
#define XFRM_MSG_MAX_SIZE 1024

/* Which packets.  In 'any_family' addresses and prefixes are zero. */
struct kernel_selector {
    bool any_family;    /* IPv4 and IPv6 alike */
    uint8_t ip_version; /* enum ipsec_ip_version */
    uint8_t source_prefix;
    uint8_t destination_prefix;
    uint8_t ip_protocol;  /* 0: any */
    uint16_t source_port; /* with ICMP the type */
    uint16_t source_port_mask;
    uint16_t destination_port; /* with ICMP the code */
    uint16_t destination_port_mask;
    struct ipsec_address source;
    struct ipsec_address destination;
};

/* Name as the kernel's crypto API has it; null: none of that kind. */
struct kernel_algorithm {
    const char *name;
    const uint8_t *key; /* written, never read: a key stays in the message it came in */
    uint16_t key_bits;  /* at most SECRET_MAX bytes */
    uint16_t icv_bits;  /* AEAD: of the check value; authentication: what it is cut to */
};

/* How far an SA is: to be put back when it is made anew. */
struct kernel_progress {
    uint64_t bytes;
    uint64_t packets;
    uint64_t added_at_s;      /* the kernel's wall clock */
    uint64_t first_used_at_s; /* 0: never */
    uint32_t outbound_sequence;
    uint32_t inbound_sequence;
    uint32_t inbound_bitmap;
};

#define KERNEL_OWNER_SIZE 16

/* One state of the kernel: an SA of one protocol in one direction. */
struct kernel_sa {
    uint8_t protocol;   /* IPPROTO_ESP or IPPROTO_AH */
    uint8_t ip_version; /* of the packets on the wire */
    uint8_t mode;       /* enum ipsec_traffic_type has the kernel's values */
    uint8_t direction;  /* enum ipsec_direction; written only where 'has_direction' */
    bool has_direction;
    uint8_t flags; /* XFRM_STATE_* */
    uint8_t replay_window;
    uint32_t spi;
    uint32_t reqid;
    struct ipsec_address source;
    struct ipsec_address destination;
    struct kernel_selector selector;
    struct kernel_algorithm aead;
    struct kernel_algorithm auth;
    struct kernel_algorithm cipher;
    uint64_t hard_seconds; /* limits; 0: none */
    uint64_t hard_bytes;
    uint64_t hard_packets;
    uint16_t encapsulation_source_port; /* both 0: none */
    uint16_t encapsulation_destination_port;
    uint8_t owner[KERNEL_OWNER_SIZE]; /* zero: nobody's; see xfrm_owner.h */
    bool has_progress;                /* when written: put it back */
    struct kernel_progress progress;
    /* Read only. */
    uint64_t last_used_at_s; /* wall clock; 0: never, or a kernel that does not tell */
    uint32_t replay_failures;
    uint32_t integrity_failures;
    uint32_t window_failures;
};

/* What names a state. */
struct kernel_sa_id {
    struct ipsec_address destination;
    uint32_t spi;
    uint8_t ip_version;
    uint8_t protocol;
};

enum kernel_policy_direction {
    KERNEL_POLICY_IN = 0,
    KERNEL_POLICY_OUT = 1,
    KERNEL_POLICY_FORWARD = 2,
};
#define KERNEL_POLICY_DIRECTION_COUNT 3

struct kernel_template {
    uint8_t protocol;
    uint8_t mode;
    uint8_t ip_version;          /* of the packets on the wire */
    bool optional;               /* inbound: clear text passes too */
    uint32_t reqid;              /* 0: any */
    struct ipsec_address source; /* tunnel mode: the ends; else zero */
    struct ipsec_address destination;
};

#define KERNEL_TEMPLATES_MAX 2
#define KERNEL_TEMPLATES_READ_MAX 6 /* the kernel's own limit */

/* One policy: what becomes of packets. */
struct kernel_policy {
    struct kernel_selector selector;
    uint8_t direction; /* enum kernel_policy_direction */
    bool is_block;     /* else they pass, through the templates if there are any */
    uint8_t template_count;
    uint32_t priority; /* the lowest wins */
    uint32_t index;    /* the kernel's handle; 0 when it is to choose */
    struct kernel_template templates[KERNEL_TEMPLATES_MAX];
    uint8_t owner[KERNEL_OWNER_SIZE];
};

/* --- Requests --------------------------------------------------------------------------------- */

/* Each writes into 'room' and returns the size, 0 when 'size' is too small.  A caller who wrote a
 * key wipes the room. */
size_t xfrm_msg_add_sa(void *room, size_t size, const struct kernel_sa *sa);
/* Puts it in the place of an SA that is there already.  Where none is, as for an SPI that nobody
 * has, the kernel makes the SA, algorithms and all, and throws it away again: ESRCH says that it
 * can. */
size_t xfrm_msg_try_sa(void *room, size_t size, const struct kernel_sa *sa);
size_t xfrm_msg_delete_sa(void *room, size_t size, const struct kernel_sa_id *id);
size_t xfrm_msg_get_sa(void *room, size_t size, const struct kernel_sa_id *id);
size_t xfrm_msg_dump_sas(void *room, size_t size);
/* XFRM_MSG_GETSADINFO: how many there are. */
size_t xfrm_msg_count_sas(void *room, size_t size);

/* Adds a policy; IPSEC's EEXIST when there is one with that selector and direction. */
size_t xfrm_msg_add_policy(void *room, size_t size, const struct kernel_policy *policy);
/* Adds it or takes the place of the one with that selector and direction, in one step. */
size_t xfrm_msg_set_policy(void *room, size_t size, const struct kernel_policy *policy);
size_t xfrm_msg_delete_policy(void *room,
                              size_t size,
                              const struct kernel_selector *selector,
                              enum kernel_policy_direction direction);
size_t xfrm_msg_get_policy(void *room,
                           size_t size,
                           const struct kernel_selector *selector,
                           enum kernel_policy_direction direction);
size_t xfrm_msg_dump_policies(void *room, size_t size);

/* Makes an SA anew with what may change without a new key: addresses, selector, UDP ports.  In
 * place, only the ports of an SA that has some change.  'answer' is the kernel's to
 * xfrm_msg_get_sa(); keys and progress go from there into the request and nowhere else.  Returns 0
 * when the answer is no SA or 'size' is too small. */
size_t xfrm_msg_readdress_sa(void *room,
                             size_t size,
                             const struct nlmsghdr *answer,
                             size_t answer_size,
                             const struct kernel_sa *to,
                             bool in_place);

struct kernel_sa_id xfrm_msg_id_of(const struct kernel_sa *sa);

/* --- Answers and events ----------------------------------------------------------------------- */

enum xfrm_msg_kind {
    XFRM_MSG_KIND_OTHER = 0, /* well-formed, of no interest */
    XFRM_MSG_KIND_SA,        /* an answer, an entry of a dump, or a state that was added */
    XFRM_MSG_KIND_SA_DELETED,
    XFRM_MSG_KIND_EXPIRED,
    XFRM_MSG_KIND_POLICY, /* an answer, an entry of a dump, or one that was added or replaced */
    XFRM_MSG_KIND_POLICY_DELETED,
    XFRM_MSG_KIND_FLUSHED, /* all SAs, or all policies */
    XFRM_MSG_KIND_SA_COUNT,
    XFRM_MSG_KIND_ACK, /* of one request, or the end of a dump: 'error' 0 is success */
};

struct xfrm_msg {
    enum xfrm_msg_kind kind;
    uint32_t sequence;      /* of the request that it answers or came of */
    uint32_t port_id;       /* in an event: of whoever asked */
    bool is_hard;           /* EXPIRED: the SA is gone */
    bool is_end;            /* ACK: of a dump */
    int error;              /* ACK: an errno */
    const char *reason;     /* ACK: the kernel's own words, in the message; null: none */
    uint32_t count;         /* SA_COUNT */
    struct kernel_sa_id id; /* SA, SA_DELETED, EXPIRED */
    union {
        struct kernel_sa sa;         /* SA, EXPIRED: its last state */
        struct kernel_policy policy; /* POLICY, POLICY_DELETED: without templates */
    };
};

/* Reads the message at 'message', of which 'size' bytes are there.  False: malformed. */
NODISCARD bool
xfrm_msg_read(const struct nlmsghdr *message, size_t size, struct xfrm_msg *message_out);
