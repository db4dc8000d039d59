/* SPDX-License-Identifier: Apache-2.0
 *
 * types.h: the objects of the filter engine as callers and stores see them.
 *
 * Plain values: no JSON, no strings where numbers do.  Enumerators have the values of fwpmtypes.h
 * and ipsectypes.h where WFP defines them.  Addresses are in network order; an IPv4 address stands
 * in the first 4 of the 16 bytes, the rest is zero, so equal addresses are equal bytes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Local identifiers: 1 to 2^53-1, one sequence for all kinds of objects, never reused, so that a
 * number in a log names one object for ever.  0 is "none". */
#define IPSEC_LUID_MAX ((UINT64_C(1) << 53) - 1)

enum ipsec_ip_version { IPSEC_IP_VERSION_V4 = 0, IPSEC_IP_VERSION_V6 = 1 };
enum ipsec_direction { IPSEC_DIRECTION_OUTBOUND = 0, IPSEC_DIRECTION_INBOUND = 1 };

struct ipsec_address {
    uint8_t bytes[16];
};

struct ipsec_guid {
    uint8_t bytes[16]; /* in the order the text shows them; all zero is "none" */
};

/* --- SA contexts ------------------------------------------------------------------------------ */

enum ipsec_traffic_type { IPSEC_TRAFFIC_TYPE_TRANSPORT = 0, IPSEC_TRAFFIC_TYPE_TUNNEL = 1 };

/* IPSEC_TRAFFIC1 without the interface members.  Always local and remote, in both directions. */
struct ipsec_traffic {
    struct ipsec_address local_address;
    struct ipsec_address remote_address;
    uint64_t ipsec_filter_id;  /* transport: LUID of the filter of this direction; else 0 */
    uint64_t tunnel_policy_id; /* tunnel: LUID of the quick-mode tunnel policy; else 0 */
    uint16_t local_port;       /* 0: the filter's */
    uint16_t remote_port;
    uint8_t ip_protocol;
    uint8_t ip_version; /* enum ipsec_ip_version */
    uint8_t type;       /* enum ipsec_traffic_type */
};

/* The life of a context: created, keyed step by step, ended (spec section 9). */
enum ipsec_sa_context_state {
    IPSEC_SA_CONTEXT_CREATED = 0,
    IPSEC_SA_CONTEXT_SPI_SET,
    IPSEC_SA_CONTEXT_INBOUND,
    IPSEC_SA_CONTEXT_ACTIVE,
    IPSEC_SA_CONTEXT_EXPIRING,
    IPSEC_SA_CONTEXT_EXPIRED,
    IPSEC_SA_CONTEXT_STATE_COUNT
};

/* One SA context, as memory and store hold it.  'id' comes first: tables order by it. */
struct ipsec_sa_context {
    uint64_t id;
    struct ipsec_traffic outbound_traffic;
    uint64_t inbound_filter_id; /* as answered at create, shown as 0 once deleted; 0: none */
    int64_t created_at_ms;      /* wall clock */
    uint64_t revision;          /* the engine's change number that last touched it */
    uint32_t created_by;        /* id of the principal, see ipsec_principal_name() */
    uint32_t spi;               /* inbound SPI, host order; 0 until one is set */
    uint8_t state;              /* enum ipsec_sa_context_state */
};

/* --- Filters ---------------------------------------------------------------------------------- */

/* Layers, callouts and condition fields that this engine carries.  GUIDs of the same names are in
 * filter_names.h of the API; inside there are only these numbers. */
enum ipsec_layer {
    IPSEC_LAYER_INBOUND_TRANSPORT_V4 = 0,
    IPSEC_LAYER_INBOUND_TRANSPORT_V6,
    IPSEC_LAYER_OUTBOUND_TRANSPORT_V4,
    IPSEC_LAYER_OUTBOUND_TRANSPORT_V6,
    IPSEC_LAYER_COUNT
};

enum ipsec_callout {
    IPSEC_CALLOUT_NONE = 0,
    IPSEC_CALLOUT_INBOUND_TRANSPORT_V4,
    IPSEC_CALLOUT_INBOUND_TRANSPORT_V6,
    IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V4,
    IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V6,
    IPSEC_CALLOUT_INBOUND_TUNNEL_V4,
    IPSEC_CALLOUT_INBOUND_TUNNEL_V6,
    IPSEC_CALLOUT_OUTBOUND_TUNNEL_V4,
    IPSEC_CALLOUT_OUTBOUND_TUNNEL_V6,
    IPSEC_CALLOUT_COUNT
};

enum ipsec_action_type {
    IPSEC_ACTION_BLOCK = 0x1001,
    IPSEC_ACTION_PERMIT = 0x1002,
    IPSEC_ACTION_CALLOUT_TERMINATING = 0x5003,
    IPSEC_ACTION_CALLOUT_INSPECTION = 0x6004,
    IPSEC_ACTION_CALLOUT_UNKNOWN = 0x4005,
};

enum ipsec_condition_field {
    IPSEC_CONDITION_IP_LOCAL_ADDRESS = 0,
    IPSEC_CONDITION_IP_REMOTE_ADDRESS,
    IPSEC_CONDITION_IP_PROTOCOL,
    IPSEC_CONDITION_IP_LOCAL_PORT,
    IPSEC_CONDITION_IP_REMOTE_PORT,
    IPSEC_CONDITION_FIELD_COUNT
};

enum ipsec_match_type { IPSEC_MATCH_EQUAL = 0 };

/* One condition.  Address fields: 'address' (host bits zero) and 'prefix_length' of the layer's IP
 * version; the others: 'number'. */
struct ipsec_condition {
    uint8_t field; /* enum ipsec_condition_field */
    uint8_t match; /* enum ipsec_match_type */
    uint8_t prefix_length;
    uint16_t number;
    struct ipsec_address address;
};

enum ipsec_weight_type {
    IPSEC_WEIGHT_AUTOMATIC = 0, /* FWP_EMPTY: [0, 2^60), the more specific the higher */
    IPSEC_WEIGHT_RANGE,         /* FWP_UINT8 0..15: the top four bits, the rest automatic */
    IPSEC_WEIGHT_EXPLICIT,      /* FWP_UINT64: taken as it is */
};

#define IPSEC_DISPLAY_NAME_MAX 256 /* bytes of UTF-8 without NUL */
#define IPSEC_DISPLAY_DESCRIPTION_MAX 1024
#define IPSEC_PROVIDER_DATA_MAX 4096

/* A filter: what the caller asked for and, in the first members, what the engine added.  Immutable
 * once added and shared by reference count (filter.h), so that a reader may hold one while the
 * engine goes on. */
struct ipsec_filter {
    uint64_t id;               /* LUID, by the engine; tables order by it */
    uint64_t effective_weight; /* by the engine */
    int64_t created_at_ms;     /* by the engine */
    uint64_t revision;         /* by the engine */
    uint32_t created_by;       /* by the engine */
    struct ipsec_guid key;     /* zero on input: the engine makes one */
    uint64_t weight;           /* range number or explicit weight */
    uint16_t weight_type;      /* enum ipsec_weight_type */
    uint16_t action;           /* enum ipsec_action_type */
    uint8_t layer;             /* enum ipsec_layer */
    uint8_t callout;           /* enum ipsec_callout; NONE with block and permit */
    uint8_t condition_count;
    struct ipsec_condition conditions[IPSEC_CONDITION_FIELD_COUNT];
    char *name;        /* UTF-8, owned; never null once added */
    char *description; /* UTF-8, owned; null: none */
};
