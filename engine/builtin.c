/* SPDX-License-Identifier: Apache-2.0
 *
 * builtin.c: see builtin.h.  Keys and names are those of fwpmu.h. */
#include "engine/builtin.h"

#include "engine/guid.h"
#include "engine/layer.h"
#include "engine/session.h"

#define BYTE(number, shift) (uint8_t)((number) >> (shift)&0xff)
#define KEY(a, b, c, d, e)                                                                         \
    {                                                                                              \
        {                                                                                          \
            BYTE(a, 24), BYTE(a, 16), BYTE(a, 8), BYTE(a, 0), BYTE(b, 8), BYTE(b, 0), BYTE(c, 8),  \
                BYTE(c, 0), BYTE(d, 8), BYTE(d, 0), BYTE(UINT64_C(e), 40), BYTE(UINT64_C(e), 32),  \
                BYTE(UINT64_C(e), 24), BYTE(UINT64_C(e), 16), BYTE(UINT64_C(e), 8),                \
                BYTE(UINT64_C(e), 0)                                                               \
        }                                                                                          \
    }

/* clang-format off */
static const struct ipsec_builtin providers[] = {
    { KEY(0x10ad9216, 0xccde, 0x456c, 0x8b16, 0xe9f04e60a90b), "FWPM_PROVIDER_IKEEXT",
      "owns what IKE and AuthIP add", 0, 0 },
    { KEY(0x3c6c05a9, 0xc05c, 0x4bb9, 0x8338, 0x2327814ce8bf), "FWPM_PROVIDER_IPSEC_DOSP_CONFIG",
      "owns what IPsec denial-of-service protection adds", 1, 0 },
    { KEY(0x896aa19e, 0x9a34, 0x4bcb, 0xae79, 0xbeb9127c84b9), "FWPM_PROVIDER_TCP_CHIMNEY_OFFLOAD",
      "owns what TCP chimney offload adds", 2, 0 },
    { KEY(0x76cfcd30, 0x3394, 0x432d, 0xbed3, 0x441ae50e63c3), "FWPM_PROVIDER_TCP_TEMPLATES",
      "owns what TCP templates add", 3, 0 },
};

static const struct ipsec_builtin layers[] = {
    { KEY(0x5926dfc8, 0xe3cf, 0x4426, 0xa283, 0xdc393f5d0f9d), "FWPM_LAYER_INBOUND_TRANSPORT_V4",
      "packets for this host, their transport header just read", IPSEC_LAYER_INBOUND_TRANSPORT_V4, IPSEC_LAYER_INBOUND_TRANSPORT_V4 },
    { KEY(0x634a869f, 0xfc23, 0x4b90, 0xb0c1, 0xbf620a36ae6f), "FWPM_LAYER_INBOUND_TRANSPORT_V6",
      "packets for this host, their transport header just read", IPSEC_LAYER_INBOUND_TRANSPORT_V6, IPSEC_LAYER_INBOUND_TRANSPORT_V6 },
    { KEY(0x09e61aea, 0xd214, 0x46e2, 0x9b21, 0xb26b0b2f28c8), "FWPM_LAYER_OUTBOUND_TRANSPORT_V4",
      "packets of this host, before their network header is made", IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, IPSEC_LAYER_OUTBOUND_TRANSPORT_V4 },
    { KEY(0xe1735bde, 0x013f, 0x4655, 0xb351, 0xa49e15762df0), "FWPM_LAYER_OUTBOUND_TRANSPORT_V6",
      "packets of this host, before their network header is made", IPSEC_LAYER_OUTBOUND_TRANSPORT_V6, IPSEC_LAYER_OUTBOUND_TRANSPORT_V6 },
    { KEY(0xa82acc24, 0x4ee1, 0x4ee1, 0xb465, 0xfd1d25cb10a4), "FWPM_LAYER_IPFORWARD_V4",
      "packets that this host forwards", IPSEC_LAYER_IPFORWARD_V4, IPSEC_LAYER_IPFORWARD_V4 },
    { KEY(0x7b964818, 0x19c7, 0x493a, 0xb71f, 0x832c3684d28c), "FWPM_LAYER_IPFORWARD_V6",
      "packets that this host forwards", IPSEC_LAYER_IPFORWARD_V6, IPSEC_LAYER_IPFORWARD_V6 },
    { KEY(0xeda65c74, 0x610d, 0x4bc5, 0x948f, 0x3c4f89556867), "FWPM_LAYER_IPSEC_V4",
      "where quick-mode policy is looked up", IPSEC_LAYER_IPSEC_V4, IPSEC_LAYER_IPSEC_V4 },
    { KEY(0x13c48442, 0x8d87, 0x4261, 0x9a29, 0x59d2abc348b4), "FWPM_LAYER_IPSEC_V6",
      "where quick-mode policy is looked up", IPSEC_LAYER_IPSEC_V6, IPSEC_LAYER_IPSEC_V6 },
    { KEY(0xb14b7bdb, 0xdbbd, 0x473e, 0xbed4, 0x8b4708d4f270), "FWPM_LAYER_IKEEXT_V4",
      "where main-mode policy is looked up", IPSEC_LAYER_IKEEXT_V4, IPSEC_LAYER_IKEEXT_V4 },
    { KEY(0xb64786b3, 0xf687, 0x4eb9, 0x89d2, 0x8ef32acdabe2), "FWPM_LAYER_IKEEXT_V6",
      "where main-mode policy is looked up", IPSEC_LAYER_IKEEXT_V6, IPSEC_LAYER_IKEEXT_V6 },
};

static const struct ipsec_builtin sub_layers[] = {
    { KEY(0xeebecc03, 0xced4, 0x4380, 0x819a, 0x2734397b2b74), "FWPM_SUBLAYER_UNIVERSAL",
      "what names no sublayer", IPSEC_SUB_LAYER_UNIVERSAL, 0 },
    { KEY(0x83f299ed, 0x9ff4, 0x4967, 0xaff4, 0xc309f4dab827), "FWPM_SUBLAYER_IPSEC_TUNNEL",
      "filters of IPsec tunnels", IPSEC_SUB_LAYER_IPSEC_TUNNEL, 0 },
    { KEY(0xa5082e73, 0x8f71, 0x4559, 0x8a9a, 0x101cea04ef87), "FWPM_SUBLAYER_IPSEC_FORWARD_OUTBOUND_TUNNEL",
      "filters of what is forwarded into IPsec tunnels", IPSEC_SUB_LAYER_IPSEC_FORWARD_OUTBOUND_TUNNEL, 0 },
    { KEY(0x1b75c0ce, 0xff60, 0x4711, 0xa70f, 0xb4958cc3b2d0), "FWPM_SUBLAYER_LIPS",
      "legacy IPsec policy", IPSEC_SUB_LAYER_LIPS, 0 },
    { KEY(0x877519e1, 0xe6a9, 0x41a5, 0x81b4, 0x8c4f118e4a60), "FWPM_SUBLAYER_INSPECTION",
      "filters that only inspect", IPSEC_SUB_LAYER_INSPECTION, 0 },
};

static const struct ipsec_builtin callouts[] = {
    { KEY(0x5132900d, 0x5e84, 0x4b5f, 0x80e4, 0x01741e81ff10), "FWPM_CALLOUT_IPSEC_INBOUND_TRANSPORT_V4",
      "packets must have come over a transport SA", IPSEC_CALLOUT_INBOUND_TRANSPORT_V4, IPSEC_LAYER_INBOUND_TRANSPORT_V4 },
    { KEY(0x49d3ac92, 0x2a6c, 0x4dcf, 0x955f, 0x1c3be009dd99), "FWPM_CALLOUT_IPSEC_INBOUND_TRANSPORT_V6",
      "packets must have come over a transport SA", IPSEC_CALLOUT_INBOUND_TRANSPORT_V6, IPSEC_LAYER_INBOUND_TRANSPORT_V6 },
    { KEY(0x4b46bf0a, 0x4523, 0x4e57, 0xaa38, 0xa87987c910d9), "FWPM_CALLOUT_IPSEC_OUTBOUND_TRANSPORT_V4",
      "packets leave over a transport SA", IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V4, IPSEC_LAYER_OUTBOUND_TRANSPORT_V4 },
    { KEY(0x38d87722, 0xad83, 0x4f11, 0xa91f, 0xdf0fb077225b), "FWPM_CALLOUT_IPSEC_OUTBOUND_TRANSPORT_V6",
      "packets leave over a transport SA", IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V6, IPSEC_LAYER_OUTBOUND_TRANSPORT_V6 },
    { KEY(0x191a8a46, 0x0bf8, 0x46cf, 0xb045, 0x4b45dfa6a324), "FWPM_CALLOUT_IPSEC_INBOUND_TUNNEL_V4",
      "packets must have come over a tunnel SA", IPSEC_CALLOUT_INBOUND_TUNNEL_V4, IPSEC_LAYER_INBOUND_TRANSPORT_V4 },
    { KEY(0x80c342e3, 0x1e53, 0x4d6f, 0x9b44, 0x03df5aeee154), "FWPM_CALLOUT_IPSEC_INBOUND_TUNNEL_V6",
      "packets must have come over a tunnel SA", IPSEC_CALLOUT_INBOUND_TUNNEL_V6, IPSEC_LAYER_INBOUND_TRANSPORT_V6 },
    { KEY(0x70a4196c, 0x835b, 0x4fb0, 0x98e8, 0x075f4d977d46), "FWPM_CALLOUT_IPSEC_OUTBOUND_TUNNEL_V4",
      "packets leave over a tunnel SA", IPSEC_CALLOUT_OUTBOUND_TUNNEL_V4, IPSEC_LAYER_OUTBOUND_TRANSPORT_V4 },
    { KEY(0xf1835363, 0xa6a5, 0x4e62, 0xb180, 0x23db789d8da6), "FWPM_CALLOUT_IPSEC_OUTBOUND_TUNNEL_V6",
      "packets leave over a tunnel SA", IPSEC_CALLOUT_OUTBOUND_TUNNEL_V6, IPSEC_LAYER_OUTBOUND_TRANSPORT_V6 },
    { KEY(0x28829633, 0xc4f0, 0x4e66, 0x873f, 0x844db2a899c7), "FWPM_CALLOUT_IPSEC_FORWARD_INBOUND_TUNNEL_V4",
      "what is forwarded must have come over a tunnel SA", IPSEC_CALLOUT_FORWARD_INBOUND_TUNNEL_V4, IPSEC_LAYER_IPFORWARD_V4 },
    { KEY(0xaf50bec2, 0xc686, 0x429a, 0x884d, 0xb74443e7b0b4), "FWPM_CALLOUT_IPSEC_FORWARD_INBOUND_TUNNEL_V6",
      "what is forwarded must have come over a tunnel SA", IPSEC_CALLOUT_FORWARD_INBOUND_TUNNEL_V6, IPSEC_LAYER_IPFORWARD_V6 },
    { KEY(0xfb532136, 0x15cb, 0x440b, 0x937c, 0x1717ca320c40), "FWPM_CALLOUT_IPSEC_FORWARD_OUTBOUND_TUNNEL_V4",
      "what is forwarded leaves over a tunnel SA", IPSEC_CALLOUT_FORWARD_OUTBOUND_TUNNEL_V4, IPSEC_LAYER_IPFORWARD_V4 },
    { KEY(0xdae640cc, 0xe021, 0x4bee, 0x9eb6, 0xa48b275c8c1d), "FWPM_CALLOUT_IPSEC_FORWARD_OUTBOUND_TUNNEL_V6",
      "what is forwarded leaves over a tunnel SA", IPSEC_CALLOUT_FORWARD_OUTBOUND_TUNNEL_V6, IPSEC_LAYER_IPFORWARD_V6 },
};

#define ROWS(table) (table), sizeof(table) / sizeof *(table)
static const struct {
    const struct ipsec_builtin *objects;
    size_t count;
    enum ipsec_status not_found;
    const char *what;
} kinds[IPSEC_BUILTIN_KIND_COUNT] = {
    [IPSEC_BUILTIN_PROVIDER] = { ROWS(providers), IPSEC_PROVIDER_NOT_FOUND, "provider" },
    [IPSEC_BUILTIN_LAYER] = { ROWS(layers), IPSEC_LAYER_NOT_FOUND, "layer" },
    [IPSEC_BUILTIN_SUB_LAYER] = { ROWS(sub_layers), IPSEC_SUBLAYER_NOT_FOUND, "sublayer" },
    [IPSEC_BUILTIN_CALLOUT] = { ROWS(callouts), IPSEC_CALLOUT_NOT_FOUND, "callout" },
};
/* clang-format on */

static enum ipsec_status find(struct ipsec_session *session,
                              enum ipsec_builtin_kind kind,
                              const struct ipsec_guid *key,
                              const struct ipsec_builtin **object_out);

enum ipsec_status
ipsec_builtin_enum(struct ipsec_session *session,
                   enum ipsec_builtin_kind kind,
                   const struct ipsec_builtin **objects_out,
                   size_t *count_out)
{
    enum ipsec_status status =
        session_check_right(session, IPSEC_CONTAINER_FILTERS, FWPM_ACTRL_ENUM | FWPM_ACTRL_READ);

    if (status != IPSEC_OK)
        return status;
    *objects_out = kinds[kind].objects;
    *count_out = kinds[kind].count;
    return IPSEC_OK;
}

enum ipsec_status
ipsec_builtin_get_by_key(struct ipsec_session *session,
                         enum ipsec_builtin_kind kind,
                         const struct ipsec_guid *key,
                         const struct ipsec_builtin **object_out)
{
    enum ipsec_status status =
        session_check_right(session, IPSEC_CONTAINER_FILTERS, FWPM_ACTRL_READ);

    return status == IPSEC_OK ? find(session, kind, key, object_out) : status;
}

enum ipsec_status
ipsec_builtin_delete_by_key(struct ipsec_session *session,
                            enum ipsec_builtin_kind kind,
                            const struct ipsec_guid *key)
{
    const struct ipsec_builtin *object = NULL;
    enum ipsec_status status;

    status = session_check_writable(session);
    if (status != IPSEC_OK)
        return status;
    status = session_check_right(session, IPSEC_CONTAINER_FILTERS, RIGHT_DELETE);
    if (status != IPSEC_OK)
        return status;
    status = find(session, kind, key, &object);
    if (object == NULL)
        return status;
    return ipsec_fault_set(session->fault, IPSEC_BUILTIN_OBJECT, IPSEC_FAULT_PATH, NULL,
                           "%s is built in and can't be deleted", object->name);
}

const struct ipsec_builtin *
builtin_find(enum ipsec_builtin_kind kind, const struct ipsec_guid *key)
{
    for (size_t i = 0; i < kinds[kind].count; i++) {
        if (guid_equal(&kinds[kind].objects[i].key, key))
            return &kinds[kind].objects[i];
    }
    return NULL;
}

static enum ipsec_status
find(struct ipsec_session *session,
     enum ipsec_builtin_kind kind,
     const struct ipsec_guid *key,
     const struct ipsec_builtin **object_out)
{
    *object_out = builtin_find(kind, key);
    if (*object_out != NULL)
        return IPSEC_OK;
    return ipsec_fault_set(session->fault, kinds[kind].not_found, IPSEC_FAULT_PATH, NULL,
                           "no %s has this key", kinds[kind].what);
}
