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

/* Identifiers of transforms (IPSEC_AUTH_TRANSFORM_ID_*, IPSEC_CIPHER_TRANSFORM_ID_*). */
enum ipsec_auth_transform {
    IPSEC_AUTH_NONE = 0,
    IPSEC_AUTH_HMAC_MD5_96,
    IPSEC_AUTH_HMAC_SHA_1_96,
    IPSEC_AUTH_HMAC_SHA_256_128,
    IPSEC_AUTH_GCM_AES_128,
    IPSEC_AUTH_GCM_AES_192,
    IPSEC_AUTH_GCM_AES_256,
    IPSEC_AUTH_TRANSFORM_COUNT
};
enum ipsec_cipher_transform {
    IPSEC_CIPHER_NONE = 0,
    IPSEC_CIPHER_CBC_DES,
    IPSEC_CIPHER_CBC_3DES,
    IPSEC_CIPHER_AES_128,
    IPSEC_CIPHER_AES_192,
    IPSEC_CIPHER_AES_256,
    IPSEC_CIPHER_GCM_AES_128,
    IPSEC_CIPHER_GCM_AES_192,
    IPSEC_CIPHER_GCM_AES_256,
    IPSEC_CIPHER_TRANSFORM_COUNT
};
enum ipsec_transform_type {
    IPSEC_TRANSFORM_AH = 1,
    IPSEC_TRANSFORM_ESP_AUTH = 2,
    IPSEC_TRANSFORM_ESP_CIPHER = 3,
    IPSEC_TRANSFORM_ESP_AUTH_AND_CIPHER = 4,
    IPSEC_TRANSFORM_ESP_AUTH_FW = 5,
};
enum ipsec_pfs_group {
    IPSEC_PFS_NONE = 0,
    IPSEC_PFS_1,
    IPSEC_PFS_2,
    IPSEC_PFS_2048,
    IPSEC_PFS_ECP_256,
    IPSEC_PFS_ECP_384,
    IPSEC_PFS_MM,
    IPSEC_PFS_24,
    IPSEC_PFS_COUNT
};

/* IPSEC_SA_TRANSFORM0: algorithms without keys. */
struct ipsec_sa_transform {
    uint8_t type;   /* enum ipsec_transform_type */
    uint8_t auth;   /* enum ipsec_auth_transform */
    uint8_t cipher; /* enum ipsec_cipher_transform */
};

/* IPSEC_SA_LIFETIME0.  0: no limit of that kind.  A kilobyte has 1024 bytes. */
struct ipsec_lifetime {
    uint32_t seconds;
    uint32_t kilobytes;
    uint32_t packets;
};

/* IPSEC_SA_BUNDLE_FLAG_*: those with an effect here; the others are stored and returned. */
enum ipsec_sa_bundle_flag {
    IPSEC_SA_BUNDLE_ND_SECURE = 0x1,
    IPSEC_SA_BUNDLE_ND_BOUNDARY = 0x2,
    IPSEC_SA_BUNDLE_ND_PEER_NAT_BOUNDARY = 0x4,
    IPSEC_SA_BUNDLE_GUARANTEE_ENCRYPTION = 0x8,
    IPSEC_SA_BUNDLE_NLB = 0x10,
    IPSEC_SA_BUNDLE_NO_MACHINE_LUID_VERIFY = 0x20,
    IPSEC_SA_BUNDLE_NO_IMPERSONATION_LUID_VERIFY = 0x40,
    IPSEC_SA_BUNDLE_NO_EXPLICIT_CRED_MATCH = 0x80,
    IPSEC_SA_BUNDLE_ALLOW_NULL_TARGET_NAME_MATCH = 0x200,
    IPSEC_SA_BUNDLE_CLEAR_DF_ON_TUNNEL = 0x400,
    IPSEC_SA_BUNDLE_ASSUME_UDP_CONTEXT_OUTBOUND = 0x800,
    IPSEC_SA_BUNDLE_ND_PEER_BOUNDARY = 0x1000,
    IPSEC_SA_BUNDLE_SUPPRESS_DUPLICATE_DELETION = 0x2000,
    IPSEC_SA_BUNDLE_PEER_SUPPORTS_GUARANTEE_ENCRYPTION = 0x4000,
};

/* One SA as it may be read and stored: there is no member for a key. */
struct ipsec_sa {
    uint32_t spi; /* host order */
    struct ipsec_sa_transform transform;
    uint8_t auth_key_length; /* bytes; 0: no key of that kind */
    uint8_t cipher_key_length;
};

#define IPSEC_SA_MAX 2
#define IPSEC_KEY_MODULE_STATE_MAX 1024

/* IPSEC_V4_UDP_ENCAPSULATION0.  Both 0: none. */
struct ipsec_udp_encapsulation {
    uint16_t local_port;
    uint16_t remote_port;
};

/* IPSEC_TOKEN0: names an access token of the keying module's by number. */
enum ipsec_token_type {
    IPSEC_TOKEN_MACHINE = 0,
    IPSEC_TOKEN_IMPERSONATION,
    IPSEC_TOKEN_TYPE_COUNT
};
enum ipsec_token_principal { IPSEC_TOKEN_LOCAL = 0, IPSEC_TOKEN_PEER, IPSEC_TOKEN_PRINCIPAL_COUNT };
enum ipsec_token_mode { IPSEC_TOKEN_MAIN = 0, IPSEC_TOKEN_EXTENDED, IPSEC_TOKEN_MODE_COUNT };
struct ipsec_token {
    uint64_t token;
    uint8_t type;      /* enum ipsec_token_type */
    uint8_t principal; /* enum ipsec_token_principal */
    uint8_t mode;      /* enum ipsec_token_mode */
};

/* IPSEC_ID0: whom the keying module has authenticated, for who reads the context.  The engine
 * checks its form, keeps it with the bundle and goes by none of it.  There is no member logonId,
 * which must be 0. */
#define IPSEC_TARGET_NAME_MAX 255 /* bytes of UTF-8 without NUL */
#define IPSEC_TOKENS_MAX 8
struct ipsec_id {
    char mm_target_name[IPSEC_TARGET_NAME_MAX + 1]; /* of the peer in main mode; "": none */
    char em_target_name[IPSEC_TARGET_NAME_MAX + 1]; /* of the peer in extended mode; "": none */
    uint64_t explicit_credentials;
    uint8_t token_count;
    struct ipsec_token tokens[IPSEC_TOKENS_MAX];
};

/* IPSEC_SA_BUNDLE1 without keys: one or two SAs of one direction with a common lifetime.  Immutable
 * once it is part of a context, and shared by reference count. */
struct ipsec_sa_bundle {
    uint32_t flags; /* enum ipsec_sa_bundle_flag and bits that are only stored */
    struct ipsec_lifetime lifetime;
    uint32_t idle_timeout_seconds; /* 0: none */
    uint32_t nd_allow_clear_timeout_seconds;
    uint32_t nap_context;
    uint32_t qm_sa_id;
    uint64_t mm_sa_id;
    uint64_t qm_filter_id;
    struct ipsec_guid sa_lookup_context;
    struct ipsec_address peer_v4_private_address;
    struct ipsec_udp_encapsulation udp_encapsulation;
    uint8_t pfs_group; /* enum ipsec_pfs_group */
    uint8_t sa_count;  /* 1, or 2: index 0 ESP, index 1 AH */
    struct ipsec_sa sas[IPSEC_SA_MAX];
    struct ipsec_guid key_module_key; /* zero: no state */
    uint16_t key_module_state_size;
    uint8_t *key_module_state; /* owned; null when the size is 0 */
    struct ipsec_id *ipsec_id; /* owned; null: none */
    /* By the engine. */
    int64_t added_at_ms;   /* wall clock */
    int64_t expires_at_ms; /* wall clock, of 'lifetime.seconds'; 0: never */
};

/* What a caller tells apart contexts by: up to 16 pairs, ascending by name.  Immutable once part of
 * a context, and shared by reference count. */
#define IPSEC_LABELS_MAX 16
#define IPSEC_LABEL_NAME_MAX 63
#define IPSEC_LABEL_VALUE_MAX 255
struct ipsec_label {
    char *name;  /* [A-Za-z0-9] and inside also [-_./] */
    char *value; /* UTF-8 without control characters; may be "" */
};
struct ipsec_labels {
    uint32_t count;
    struct ipsec_label pairs[IPSEC_LABELS_MAX]; /* texts owned */
};

/* One SA context, as memory and store hold it.  'id' comes first: tables order by it.  A copy
 * handed to a reader holds references to its parts, see ipsec_sa_context_unref(). */
struct ipsec_sa_context {
    uint64_t id;
    struct ipsec_traffic outbound_traffic;
    uint64_t inbound_filter_id; /* as answered at create, or as GetSpi named it; 0: none */
    uint64_t predecessor_id;    /* the context that this one replaces; 0: none */
    int64_t created_at_ms;      /* wall clock */
    int64_t due_at_ms; /* wall clock in the store, CLOCK_BOOTTIME in memory: when the engine
                          has to look at the context next; 0: never.  In a reader's copy: wall
                          clock, when the context ends at the latest */
    uint64_t revision; /* the engine's change number that last touched it */
    const struct ipsec_sa_bundle *inbound;  /* null: not added yet, or gone */
    const struct ipsec_sa_bundle *outbound; /* null: not added yet, or gone */
    const struct ipsec_labels *labels;      /* null: none */
    uint32_t created_by;                    /* id of the principal, see ipsec_principal_name() */
    uint32_t spi;                           /* inbound SPI, host order; 0 until one is set */
    uint8_t state;                          /* enum ipsec_sa_context_state */
};

/* --- Filters ---------------------------------------------------------------------------------- */

/* Layers, callouts and condition fields that this engine carries.  GUIDs of the same names are in
 * filter_names.h of the API; inside there are only these numbers. */
enum ipsec_layer {
    IPSEC_LAYER_INBOUND_TRANSPORT_V4 = 0,
    IPSEC_LAYER_INBOUND_TRANSPORT_V6,
    IPSEC_LAYER_OUTBOUND_TRANSPORT_V4,
    IPSEC_LAYER_OUTBOUND_TRANSPORT_V6,
    IPSEC_LAYER_IPFORWARD_V4,
    IPSEC_LAYER_IPFORWARD_V6,
    IPSEC_LAYER_IPSEC_V4, /* quick-mode policy look-up */
    IPSEC_LAYER_IPSEC_V6,
    IPSEC_LAYER_IKEEXT_V4, /* main-mode policy look-up */
    IPSEC_LAYER_IKEEXT_V6,
    IPSEC_LAYER_COUNT
};

enum ipsec_sub_layer {
    IPSEC_SUB_LAYER_UNIVERSAL = 0, /* the default */
    IPSEC_SUB_LAYER_IPSEC_TUNNEL,
    IPSEC_SUB_LAYER_IPSEC_FORWARD_OUTBOUND_TUNNEL,
    IPSEC_SUB_LAYER_LIPS,
    IPSEC_SUB_LAYER_INSPECTION,
    IPSEC_SUB_LAYER_COUNT
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
    IPSEC_CALLOUT_FORWARD_INBOUND_TUNNEL_V4,
    IPSEC_CALLOUT_FORWARD_INBOUND_TUNNEL_V6,
    IPSEC_CALLOUT_FORWARD_OUTBOUND_TUNNEL_V4,
    IPSEC_CALLOUT_FORWARD_OUTBOUND_TUNNEL_V6,
    IPSEC_CALLOUT_COUNT
};

enum ipsec_action_type {
    IPSEC_ACTION_BLOCK = 0x1001,
    IPSEC_ACTION_PERMIT = 0x1002,
    IPSEC_ACTION_CALLOUT_TERMINATING = 0x5003,
    IPSEC_ACTION_CALLOUT_INSPECTION = 0x6004,
    IPSEC_ACTION_CALLOUT_UNKNOWN = 0x4005,
};

/* The first five are those that SA traffic is checked against and that the classifier knows. */
enum ipsec_condition_field {
    IPSEC_CONDITION_IP_LOCAL_ADDRESS = 0, /* at the forward layers: IP_SOURCE_ADDRESS */
    IPSEC_CONDITION_IP_REMOTE_ADDRESS,    /* at the forward layers: IP_DESTINATION_ADDRESS */
    IPSEC_CONDITION_IP_PROTOCOL,
    IPSEC_CONDITION_IP_LOCAL_PORT,  /* with ICMP the type */
    IPSEC_CONDITION_IP_REMOTE_PORT, /* with ICMP the code */
    IPSEC_CONDITION_IP_LOCAL_ADDRESS_TYPE,
    IPSEC_CONDITION_IP_DESTINATION_ADDRESS_TYPE,
    IPSEC_CONDITION_IP_LOCAL_INTERFACE,
    IPSEC_CONDITION_FLAGS,
    IPSEC_CONDITION_FIELD_COUNT
};

enum ipsec_match_type {
    IPSEC_MATCH_EQUAL = 0,
    IPSEC_MATCH_GREATER,
    IPSEC_MATCH_LESS,
    IPSEC_MATCH_GREATER_OR_EQUAL,
    IPSEC_MATCH_LESS_OR_EQUAL,
    IPSEC_MATCH_RANGE,
    IPSEC_MATCH_FLAGS_ALL_SET,
    IPSEC_MATCH_FLAGS_ANY_SET,
    IPSEC_MATCH_FLAGS_NONE_SET,
    IPSEC_MATCH_EQUAL_CASE_INSENSITIVE,
    IPSEC_MATCH_NOT_EQUAL,
    IPSEC_MATCH_COUNT
};

/* One condition.  Address fields: 'address' (host bits zero) and 'prefix_length' of the layer's IP
 * version, with 'range' 'address' to 'address_high'; the others: 'number', with 'range' 'number' to
 * 'number_high'. */
struct ipsec_condition {
    uint8_t field; /* enum ipsec_condition_field */
    uint8_t match; /* enum ipsec_match_type */
    uint8_t prefix_length;
    uint64_t number;
    uint64_t number_high;
    struct ipsec_address address;
    struct ipsec_address address_high;
};

enum ipsec_weight_type {
    IPSEC_WEIGHT_AUTOMATIC = 0, /* FWP_EMPTY: [0, 2^60), the more specific the higher */
    IPSEC_WEIGHT_RANGE,         /* FWP_UINT8 0..15: the top four bits, the rest automatic */
    IPSEC_WEIGHT_EXPLICIT,      /* FWP_UINT64: taken as it is */
};

/* FWPM_FILTER_FLAG_*.  What has providerContextKey has HAS_PROVIDER_CONTEXT. */
enum ipsec_filter_flag {
    IPSEC_FILTER_PERSISTENT = 0x1,
    IPSEC_FILTER_BOOTTIME = 0x2,
    IPSEC_FILTER_HAS_PROVIDER_CONTEXT = 0x4,
    IPSEC_FILTER_CLEAR_ACTION_RIGHT = 0x8,
    IPSEC_FILTER_PERMIT_IF_CALLOUT_UNREGISTERED = 0x10,
    IPSEC_FILTER_DISABLED = 0x20, /* output only */
    IPSEC_FILTER_INDEXED = 0x40,
};

/* How long a policy object lives. */
enum ipsec_lifetime_kind {
    IPSEC_LIFETIME_STATIC = 0, /* until deleted */
    IPSEC_LIFETIME_PERSISTENT, /* the same here; may not refer to what lives shorter */
    IPSEC_LIFETIME_DYNAMIC,    /* until its session ends; never in the store */
};

#define IPSEC_DISPLAY_NAME_MAX 256 /* bytes of UTF-8 without NUL */
#define IPSEC_DISPLAY_DESCRIPTION_MAX 1024
#define IPSEC_PROVIDER_DATA_MAX 4096

/* A filter: what the caller asked for and, in the first members, what the engine added.  Immutable
 * once added and shared by reference count (filter.h), so that a reader may hold one while the
 * engine goes on. */
struct ipsec_filter {
    uint64_t id;                  /* LUID, by the engine; tables order by it */
    uint64_t effective_weight;    /* by the engine */
    int64_t created_at_ms;        /* by the engine */
    uint64_t revision;            /* by the engine */
    uint64_t provider_context_id; /* by the engine: the one that the key names; 0: none */
    uint64_t tunnel_id;  /* by the engine: the tunnel policy whose tunnel it is part of; 0: none */
    uint32_t created_by; /* by the engine */
    uint8_t lifetime;    /* by the engine: enum ipsec_lifetime_kind */
    struct ipsec_guid key;                  /* zero on input: the engine makes one */
    struct ipsec_guid provider_key;         /* zero: none */
    struct ipsec_guid provider_context_key; /* zero: none */
    uint64_t raw_context;                   /* without a provider context */
    uint64_t weight;                        /* range number or explicit weight */
    uint32_t flags;                         /* enum ipsec_filter_flag */
    uint16_t weight_type;                   /* enum ipsec_weight_type */
    uint16_t action;                        /* enum ipsec_action_type */
    uint8_t layer;                          /* enum ipsec_layer */
    uint8_t sub_layer;                      /* enum ipsec_sub_layer */
    uint8_t callout;                        /* enum ipsec_callout; NONE with block and permit */
    uint8_t condition_count;
    struct ipsec_condition conditions[IPSEC_CONDITION_FIELD_COUNT];
    char *name;             /* UTF-8, owned; never null once added */
    char *description;      /* UTF-8, owned; null: none */
    uint8_t *provider_data; /* owned; null when the size is 0 */
    uint16_t provider_data_size;
};

/* --- Provider contexts ------------------------------------------------------------------------ */

enum ipsec_provider_context_type {
    IPSEC_CONTEXT_KEYING = 0,
    IPSEC_CONTEXT_IKE_QM_TRANSPORT,
    IPSEC_CONTEXT_IKE_QM_TUNNEL,
    IPSEC_CONTEXT_AUTHIP_QM_TRANSPORT,
    IPSEC_CONTEXT_AUTHIP_QM_TUNNEL,
    IPSEC_CONTEXT_IKE_MM,
    IPSEC_CONTEXT_AUTHIP_MM,
    IPSEC_CONTEXT_CLASSIFY_OPTIONS,
    IPSEC_CONTEXT_GENERAL,
    IPSEC_CONTEXT_IKEV2_QM_TUNNEL,
    IPSEC_CONTEXT_IKEV2_MM,
    IPSEC_CONTEXT_DOSP,
    IPSEC_CONTEXT_IKEV2_QM_TRANSPORT,
    IPSEC_CONTEXT_NETWORK_CONNECTION_POLICY,
    IPSEC_CONTEXT_TYPE_COUNT
};

/* IPSEC_PROPOSAL0 */
struct ipsec_proposal {
    struct ipsec_lifetime lifetime; /* at least one member not 0 */
    uint8_t transform_count;        /* 1, or 2: ESP and AH */
    struct ipsec_sa_transform transforms[IPSEC_SA_MAX];
    uint8_t pfs_group;
};

#define IPSEC_PROPOSALS_MAX 16
#define IPSEC_POLICY_DATA_MAX 16384

/* A provider context.  Immutable once added and shared by reference count.  Transport and tunnel
 * policies are understood; a keying, main-mode or general context is kept as the JSON text that it
 * came as, and not executed. */
struct ipsec_provider_context {
    uint64_t id;           /* LUID, by the engine; tables order by it */
    int64_t created_at_ms; /* by the engine */
    uint64_t revision;     /* by the engine */
    uint32_t created_by;   /* by the engine */
    uint8_t lifetime;      /* by the engine: enum ipsec_lifetime_kind */
    bool is_tunnel;        /* by the engine: made by, and deleted with, a tunnel */
    struct ipsec_guid key; /* zero on input: the engine makes one */
    struct ipsec_guid provider_key;
    uint32_t flags; /* 0x1 persistent, 0x2 down-level */
    uint8_t type;   /* enum ipsec_provider_context_type */
    char *name;
    char *description;
    uint8_t *provider_data;
    uint16_t provider_data_size;
    /* Transport and tunnel policies. */
    uint32_t policy_flags; /* IPSEC_POLICY_FLAG_* */
    uint32_t nd_allow_clear_timeout_seconds;
    uint32_t idle_timeout_seconds;
    uint32_t idle_timeout_fail_over_seconds;
    uint8_t proposal_count;
    struct ipsec_proposal proposals[IPSEC_PROPOSALS_MAX];
    uint8_t ip_version; /* of the tunnel's endpoints */
    struct ipsec_address local_endpoint;
    struct ipsec_address remote_endpoint;
    /* The other types. */
    char *policy; /* compact JSON, owned; null: none */
};

/* --- Sessions --------------------------------------------------------------------------------- */

/* FWPM_SESSION_FLAG_DYNAMIC: what it adds ends with it. */
#define IPSEC_SESSION_DYNAMIC UINT32_C(0x1)

enum ipsec_transaction_kind {
    IPSEC_NO_TRANSACTION = 0,
    IPSEC_READ_TRANSACTION,
    IPSEC_WRITE_TRANSACTION,
};

/* A session as memory shows it and as the store remembers that there was one. */
struct ipsec_session_record {
    struct ipsec_guid key;
    int64_t opened_at_ms; /* wall clock */
    uint64_t number;      /* LUID of the session */
    uint32_t opened_by;   /* id of the principal */
    uint32_t flags;
    uint32_t txn_wait_timeout_ms;
    uint8_t transaction;                   /* enum ipsec_transaction_kind */
    bool aborted;                          /* it answers FWP_E_SESSION_ABORTED until it is closed */
    char name[IPSEC_DISPLAY_NAME_MAX + 1]; /* "" none */
};

/* --- Events ----------------------------------------------------------------------------------- */

enum ipsec_change_type { IPSEC_CHANGE_ADD = 1, IPSEC_CHANGE_DELETE = 2, IPSEC_CHANGE_UPDATE = 3 };

/* Why a context changed, for events. */
enum ipsec_change_reason {
    IPSEC_REASON_CALL = 0,  /* a call did it */
    IPSEC_REASON_LIFETIME,  /* seconds, bytes or packets are used up */
    IPSEC_REASON_IDLE,      /* no traffic for the idle timeout */
    IPSEC_REASON_LARVAL,    /* nobody keyed it in time */
    IPSEC_REASON_GRACE,     /* the minute after the outbound SA is over */
    IPSEC_REASON_DUPLICATE, /* a newer context has the same outbound traffic */
    IPSEC_REASON_PLANE,     /* the data plane no longer has its SAs */
};

/* One change of an SA context (IPSEC_SA_CONTEXT_CHANGE0, and what REST callers want beside): what
 * the context was after it, at delete before.  A reader's holds a reference to its labels, see
 * ipsec_event_unref(). */
struct ipsec_event {
    uint64_t sequence; /* the engine's change number: ascending, with gaps, for ever */
    uint64_t id;
    int64_t at_ms;  /* wall clock */
    uint8_t type;   /* enum ipsec_change_type */
    uint8_t state;  /* enum ipsec_sa_context_state after it; the last one at delete */
    uint8_t reason; /* enum ipsec_change_reason */
    uint8_t ip_version;
    uint8_t traffic_type;
    uint32_t spi; /* inbound SPI; 0: none yet */
    struct ipsec_address local_address;
    struct ipsec_address remote_address;
    uint64_t predecessor_id;           /* the context that it replaces; 0: none */
    const struct ipsec_labels *labels; /* null: none */
};
