/* SPDX-License-Identifier: Apache-2.0
 *
 * plane.h: what the engine asks of the data plane: make SAs so, and no longer.
 *
 * Only the engine thread calls; calls never overlap; every one may block.  The engine commits a
 * batch first and then applies it; what the plane refuses is put right in the store before anybody
 * gets an answer. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/secret.h"
#include "engine/base/status.h"
#include "engine/engine.h"
#include "engine/types.h"

struct plane;      /* Opaque, a backend's own. */
struct plane_keys; /* See plane_queue.h. */

/* One unidirectional SA bundle: one or two SAs. */
struct plane_bundle {
    uint64_t context_id;
    uint8_t direction;            /* enum ipsec_direction */
    struct ipsec_traffic traffic; /* local and remote, as the context has them */
    uint64_t filter_id; /* whose packets it is for: the filter of its direction, or the tunnel
                           policy; 0: nobody's yet */
    const struct ipsec_sa_bundle *bundle; /* borrowed */
    const struct secret *auth_keys;       /* one for each SA; null: the action needs no keys */
    const struct secret *cipher_keys;
};

/* What a filter means for packets.  Callout filters send them through SAs, by the filter's own id
 * or by that of its tunnel policy; PERMIT and BLOCK do as they say. */
struct plane_filter {
    const struct ipsec_filter *filter;           /* borrowed */
    const struct ipsec_provider_context *policy; /* borrowed: the one it names; null: none */
    uint32_t rank;  /* among all filters of its layer: the lowest decides; see PLANE_RANK_MAX */
    bool is_stored; /* it is the engine's already: refused, it is missing until it was made so */
};
#define PLANE_RANK_MAX UINT32_C(0x7fffffff)

enum plane_action_kind {
    PLANE_ADD_BUNDLE,     /* install; keys are given this one time */
    PLANE_DELETE_BUNDLE,  /* remove; what is not there is no failure */
    PLANE_UPDATE_BUNDLE,  /* other addresses or UDP ports; the keys stay */
    PLANE_ADD_FILTER,     /* makes it so, also again after a loss.  IPSEC_ALREADY_EXISTS: packets of
                             just these conditions are spoken for */
    PLANE_UPDATE_FILTER,  /* another rank */
    PLANE_RELEASE_FILTER, /* it is about to go: a filter that is added may take its place, which
                             happens in one step.  Adding it again takes this back */
    PLANE_DELETE_FILTER,  /* what is not there is no failure */
    PLANE_TRY_FILTER,  /* what adding it would say; changes nothing.  Those that are tried after it
                          find it there */
    PLANE_KEEP_FILTER, /* takes back that it was released, or tried: it is as if nobody had said so
                        */
};

/* A filter means so many policies of a plane at most. */
#define PLANE_FILTER_POLICIES_MAX 2

struct plane_action {
    enum plane_action_kind kind;
    struct plane_filter filter; /* PLANE_*_FILTER only */
    struct plane_bundle what;   /* PLANE_*_BUNDLE only */
    struct plane_bundle was;    /* PLANE_UPDATE_BUNDLE only: how it is installed now */
    /* The plane's answer.  IPSEC_ALREADY_EXISTS, IPSEC_INVALID_AUTH_TRANSFORM,
     * IPSEC_INVALID_CIPHER_TRANSFORM, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_RPC_DISCONNECTED, ... */
    enum ipsec_status status;
    /* Static, or of a filter: the plane's until it is told the next thing; null: the status says
     * it. */
    const char *reason;
    /* PLANE_ADD_BUNDLE: which SA of the bundle is to blame, from 1; 0: none. */
    uint8_t refused_sa;
    /* PLANE_ADD_FILTER, PLANE_TRY_FILTER, IPSEC_ALREADY_EXISTS: whose the packets are; 0: no filter
     * of this service's. */
    uint64_t holder;
    /* PLANE_ADD_FILTER: the released filters whose place it took; 0: none. */
    uint64_t replaced[PLANE_FILTER_POLICIES_MAX];
    struct plane_keys *keys; /* what 'auth_keys' and 'cipher_keys' lie in, the queue's own */
};

/* What an SA bundle has carried so far. */
struct plane_counters {
    uint64_t bytes;
    uint64_t packets;
    int64_t last_used_ms; /* CLOCK_BOOTTIME; 0: never */
};

/* What the plane has counted and the engine can't know: what IPsecGetStatistics1 tells beside the
 * numbers of SAs.  Since the start of the plane. */
struct plane_statistics {
    struct ipsec_drop_statistics esp_drops;
    struct ipsec_drop_statistics ah_drops;
    struct ipsec_drop_statistics drops;
    uint32_t udp_esp_validation_failures_on_inbound;
    uint32_t invalid_clear_text_inbound;
    uint32_t receive_over_incorrect_sa_inbound;
    uint32_t secure_receives_not_matching_filters;
    uint32_t total_drop_packets_inbound;
    struct ipsec_traffic_statistics inbound_traffic;
    struct ipsec_traffic_statistics outbound_traffic;
};

/* An SA that ended by itself. */
struct plane_event {
    uint64_t context_id;
    uint8_t direction; /* enum ipsec_direction */
    struct plane_counters counters;
};
typedef void plane_event_sink(void *context, const struct plane_event *event);

/* A transform (or something else) that the plane can do or not. */
struct plane_capability {
    const char *name; /* static: "ESP_AUTH_AND_CIPHER GCM_AES_128" */
    struct ipsec_sa_transform transform;
    bool is_supported;
    const char *reason; /* static: why not; null when it is */
};

/* What is in the plane against what should be. */
struct plane_drift {
    uint64_t bundles_missing; /* SAs that ended without a word, counted one by one */
    uint64_t bundles_left_over;
    uint64_t filters_missing;
    uint64_t filters_left_over;
    uint64_t foreign; /* SAs and policies of others: never touched */
    struct ipsec_drift_names names;
};

/* Whether there is reason to compare before it is time. */
enum plane_doubt {
    PLANE_DOUBT_NONE = 0,
    PLANE_DOUBT_FAINT, /* somebody else changed what may have been of this service */
    PLANE_DOUBT_SURE,  /* somebody else took away what is of this service, or what stood in the way
                          of  a filter, or the plane did not say whether it did what it was asked for
                        */
};

/* What tells a plane's objects from those of other services with a plane of that name. */
struct plane_identity {
    uint32_t instance;
    char netns[256]; /* network namespace; "": the process's own */
};

/* What a plane took away. */
struct plane_removed {
    size_t sas;
    size_t policies;
};

struct plane_ops {
    const char *name; /* "none"; the URI is "none" or "none:ARGUMENT" */
    enum ipsec_status (*open)(const char *argument,
                              struct ipsec_fault *fault,
                              struct plane **plane_out);
    /* Makes what the service itself needs, and from here on objects of its may be there.  After
     * open, which makes none.  May be null. */
    enum ipsec_status (*start)(struct plane *plane, struct ipsec_fault *fault);
    /* Of the plane that open would open, without opening it.  Null: no object outlives the
     * process. */
    enum ipsec_status (*identify)(const char *argument,
                                  struct ipsec_fault *fault,
                                  struct plane_identity *identity_out);
    /* Takes away what a plane of that argument left behind, as flush does, without opening one:
     * what it could make does not matter, and counts it, on failure too.  IPSEC_RPC_CALL_REJECTED:
     * one is open.  Null: nothing is ever left. */
    enum ipsec_status (*clear)(const char *argument,
                               struct ipsec_fault *fault,
                               struct plane_removed *removed_out);
    /* Whether open would succeed; changes nothing.  Null: it would. */
    enum ipsec_status (*check)(const char *argument, struct ipsec_fault *fault);
    void (*close)(struct plane *plane); /* accepts null */
    /* Applies the actions in their order and leaves each one's status in it.  An add that fails
     * leaves nothing of its bundle behind, an update that fails leaves it as it was.  Keeps no copy
     * of a key. */
    void (*apply)(struct plane *plane, struct plane_action *actions, size_t action_count);
    /* IPSEC_NOT_FOUND when the plane does not have the bundle (any more). */
    enum ipsec_status (*read_counters)(struct plane *plane,
                                       const struct plane_bundle *what,
                                       struct plane_counters *counters_out);
    /* Null: no packets, nothing is counted. */
    void (*read_statistics)(struct plane *plane, struct plane_statistics *statistics_out);
    /* After a start of the engine, and when ends of SAs may have been missed: is a bundle that was
     * installed before still there?  Asked once for each; IPSEC_NOT_FOUND when not.  Null: all are,
     * nothing can get lost. */
    enum ipsec_status (*resume)(struct plane *plane, const struct plane_bundle *what);
    /* All bundles were asked for: what else there is of this service is left over and goes.  May be
     * null. */
    void (*resume_done)(struct plane *plane);
    /* Whether the filter can be made so, asked before anything changes: what the plane can't
     * express is IPSEC_CALLOUT_NOTIFICATION_FAILED.  Null: everything can. */
    enum ipsec_status (*check_filter)(struct plane *plane,
                                      const struct plane_filter *filter,
                                      struct ipsec_fault *fault);
    /* Traffic of this address and TCP port of this host passes whatever filters say.  An address of
     * zeros is any.  Null: nothing is ever cut off. */
    enum ipsec_status (*exempt)(struct plane *plane,
                                uint8_t ip_version,
                                const struct ipsec_address *address,
                                uint16_t port);
    /* So does that of this socket, of that IP version, whatever its address.  Null: nothing is
     * ever cut off. */
    enum ipsec_status (*bypass)(int fd, uint8_t ip_version);
    /* Takes away all that is of this service, says in the log how much that was, and looks whether
     * nothing of it is left: else it fails.  Null: there is nothing. */
    enum ipsec_status (*flush)(struct plane *plane);
    /* A descriptor that is readable when SAs have ended.  Null: none ever does by itself. */
    int (*event_fd)(const struct plane *plane);
    /* Hands out what has ended.  False: some ends got lost, so every bundle is to be asked for with
     * resume(). */
    bool (*read_events)(struct plane *plane, plane_event_sink *sink, void *context);
    /* The strongest that arose since it was asked last, which ends it.  Null: none ever does. */
    enum plane_doubt (*take_doubt)(struct plane *plane);
    /* The 'index'-th capability, as found at the start; null behind the last. */
    const struct plane_capability *(*capability)(const struct plane *plane, size_t index);
    /* Compares with what the engine asked for; changes nothing.  Null: there is never a
     * difference. */
    enum ipsec_status (*find_drift)(struct plane *plane, struct plane_drift *drift_out);
};

/* Keeps no packets: everything works, nothing is counted. */
extern const struct plane_ops plane_none;
/* The Linux kernel.  "xfrm:netns=NAME,instance=NUMBER": both may be left out; the network namespace
 * is the process's own then, the instance 0.  Two services in one namespace need different ones. */
extern const struct plane_ops plane_xfrm;

/* The backend for "none"; null when there is none of that name.  '*argument_out' is what follows a
 * colon, "" without one. */
const struct plane_ops *plane_find(const char *uri, const char **argument_out);
