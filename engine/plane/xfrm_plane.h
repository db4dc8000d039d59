/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_plane.h: the insides of the plane "xfrm", for its files only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/number_map.h"
#include "engine/plane/netlink.h"
#include "engine/plane/plane.h"
#include "engine/plane/xfrm_msg.h"
#include "engine/plane/xfrm_stat.h"
#include "engine/plane/xfrm_udp.h"

#define XFRM_CAPABILITIES_MAX 32
#define XFRM_OBSTACLE_SIZE 304

/* What SAs of one direction carried, and what they refused of ESP and of AH. */
struct xfrm_sums {
    struct ipsec_traffic_statistics traffic;
    uint64_t integrity_failures[2]; /* of ESP, of AH */
    uint64_t replay_failures[2];
};

/* A state of ours that a look at the kernel found. */
struct xfrm_found {
    struct kernel_sa_id id;
    struct ipsec_address source;
    uint16_t encapsulation_source_port;
    uint16_t encapsulation_destination_port;
    uint64_t value; /* xfrm_state_value(); 0: asked for since, or gone */
};

/* A permit for the service's own packets. */
struct xfrm_exemption {
    struct kernel_selector selector;
    uint8_t direction; /* enum kernel_policy_direction */
    bool holds;   /* by the latest look at the kernel: these packets pass, whoever sees to it */
    bool is_told; /* that they do not */
};

/* What the plane knows of a filter: the number of its policies, and bits. */
#define XFRM_FILTER_COUNT UINT64_C(0xf)
#define XFRM_FILTER_ESP UINT64_C(0x10) /* its templates */
#define XFRM_FILTER_AH UINT64_C(0x20)
#define XFRM_FILTER_RELEASED UINT64_C(0x100) /* it is about to go */
#define XFRM_FILTER_UNSURE UINT64_C(0x200)   /* a change failed: the kernel may have either */

struct plane {
    struct netlink *requests;
    struct netlink *events;  /* ends of SAs */
    struct netlink *changes; /* what others delete and replace */
    enum plane_doubt doubt;
    uint32_t instance;
    int place_fd; /* nobody else has the instance in this namespace while it is open */
    /* What is installed: name of the state, hashed -> xfrm_state_value().  An expiry tells the name
     * only.  Between a look and resume_done() it has what was asked for or added since the look. */
    struct number_map installed;
    size_t unsure_moves; /* changes of SAs of which the kernel may have either */
    /* Filters of ours: XFRM_FILTER_*. */
    struct number_map filters;
    /* xfrm_place_key() -> filter: those that are tried, and those that should be there and are not,
     * for somebody else's policy is. */
    struct number_map tried;
    struct number_map blocked;
    char obstacle[XFRM_OBSTACLE_SIZE]; /* the reason why the last filter was refused */
    struct xfrm_exemption *exemptions;
    size_t exemption_count;
    struct xfrm_stat stat;
    char namespace[256]; /* "": the process's own */
    struct xfrm_udp udp;
    struct xfrm_sums ended[2]; /* by direction: of SAs that are gone */
    struct plane_capability capabilities[XFRM_CAPABILITIES_MAX];
    size_t capability_count;
    /* From the first resume() to resume_done(). */
    bool has_looked;
    bool look_failed; /* what is there is not known */
    struct xfrm_found *found;
    size_t found_count;
    size_t found_capacity;
    struct number_map found_places; /* hashed name -> place in 'found' + 1 */
};

/* A name of a state in the maps; of 64 seeded bits, so two never meet. */
uint64_t xfrm_state_key(const struct plane *plane, const struct kernel_sa_id *id);
/* Context and direction in one number, never 0. */
uint64_t xfrm_state_value(uint64_t context_id, uint8_t direction);
/* Whose a state is, as far as is known: its value, or 0. */
uint64_t xfrm_state_find(const struct plane *plane, uint64_t key);
/* It is gone. */
void xfrm_state_forget(struct plane *plane, uint64_t key);

/* --- xfrm_states.c, xfrm_move.c: bundles --- */
void xfrm_states_apply(struct plane *plane, struct plane_action *actions, size_t count);
/* For xfrm_states_apply(): one PLANE_UPDATE_BUNDLE. */
void xfrm_states_move(struct plane *plane, struct plane_action *action);
/* Gives a state of that name the source and the UDP ports that it should have. */
void xfrm_states_put_right(struct plane *plane, const struct kernel_sa *wanted);
/* Asks the kernel for one state: IPSEC_NOT_FOUND when there is none, or none of ours. */
NODISCARD enum ipsec_status
xfrm_states_ask(struct plane *plane, const struct kernel_sa_id *id, struct kernel_sa *state_out);
/* Opens the port of an inbound bundle that is encapsulated in UDP, until its states are there. */
NODISCARD enum ipsec_status
xfrm_states_listen(struct plane *plane, const struct plane_bundle *what, const char **reason_out);
/* Such a state is there. */
void xfrm_states_hear(struct plane *plane, uint64_t key, const struct kernel_sa *state);
struct plane_counters xfrm_states_counters(const struct kernel_sa *state);

/* --- xfrm_traffic.c: what SAs have carried --- */
void xfrm_traffic_add(struct xfrm_sums *sums, const struct kernel_sa *state);
/* Fills the sums of both directions, of what is there and of what has gone, and what SAs refused.
 */
void xfrm_traffic_read(struct plane *plane, struct plane_statistics *statistics);

/* --- xfrm_policies.c: filters --- */
void xfrm_policies_apply(struct plane *plane, struct plane_action *action);
/* A filter without a quick-mode policy does not say by what its packets are protected: its
 * templates follow its latest SAs.  By what they are now, as XFRM_FILTER_ESP and XFRM_FILTER_AH; 0:
 * the filter follows none, or has none yet. */
uint64_t xfrm_policies_protocols(const struct plane *plane, uint64_t filter_id);
uint64_t xfrm_policies_protocols_of(const struct ipsec_sa_bundle *bundle);
/* All of its policies follow, or they stay as they are. */
enum ipsec_status xfrm_policies_follow(struct plane *plane,
                                       uint64_t filter_id,
                                       uint64_t protocols,
                                       const char **reason_out);
/* Deletes the policies of filters that nobody asked for, and puts back the service's own; how many
 * it deleted.  0 also when the kernel does not list them. */
size_t xfrm_policies_sweep(struct plane *plane);
enum xfrm_policy_change { XFRM_POLICY_ADD, XFRM_POLICY_SET, XFRM_POLICY_REMOVE };
/* What the kernel has for exactly the packets of 'like', in its direction.  0 or an errno. */
int xfrm_policies_ask(struct plane *plane,
                      const struct kernel_policy *like,
                      struct kernel_policy *policy_out);
/* Whose one is: the filter's id; false: not of this service. */
bool xfrm_policies_own(const struct plane *plane,
                       const struct kernel_policy *policy,
                       uint64_t *filter_id_out);
enum ipsec_status xfrm_policies_status(int error, const char **reason_out);
/* One policy.  0, also when there is none to remove, an errno, or NETLINK_UNKNOWN: the kernel did
 * not say, not even when it was asked again. */
int xfrm_policies_change(struct plane *plane,
                         const struct kernel_policy *policy,
                         enum xfrm_policy_change kind);

/* --- xfrm_place.c: which packets of which direction a policy is for --- */
void xfrm_places_init(struct plane *plane);
void xfrm_places_clear(struct plane *plane);
/* Of 64 seeded bits: the same for policies of which the kernel has one at a time. */
uint64_t xfrm_place_key(const struct plane *plane, const struct kernel_policy *policy);
/* Whether what the kernel has in a place keeps filter 'id' out of it: EEXIST, else 0.
 * '*owner_out' is the filter that has it, 0 for somebody else's, '*holder_out' the one that keeps
 * it. */
int xfrm_place_check(const struct plane *plane,
                     const struct kernel_policy *there,
                     uint64_t id,
                     uint64_t *owner_out,
                     uint64_t *holder_out);
/* In the words of ip(8), so that whoever reads them can ask for it. */
void xfrm_place_describe(const struct kernel_policy *policy, struct buffer *text);
/* A filter is refused for 'error'.  With EEXIST 'holder' is the filter that has the place; 0:
 * 'there' is somebody else's policy; null: it is not known. */
void xfrm_place_refuse(struct plane *plane,
                       struct plane_action *action,
                       int error,
                       uint64_t holder,
                       const struct kernel_policy *there);
/* PLANE_TRY_FILTER and PLANE_KEEP_FILTER. */
void xfrm_places_try(struct plane *plane,
                     struct plane_action *action,
                     const struct kernel_policy *policies,
                     size_t count);
void xfrm_places_keep(struct plane *plane,
                      uint64_t id,
                      const struct kernel_policy *policies,
                      size_t count);
/* A filter that should be there waits for a place that somebody else has, for which there is room;
 * or waits no more. */
void xfrm_place_wait(struct plane *plane, uint64_t id, const struct kernel_policy *policy);
void xfrm_places_wait_no_more(struct plane *plane,
                              uint64_t id,
                              const struct kernel_policy *policies,
                              size_t count);

/* --- xfrm_exempt.c: what the service itself needs to go through, whatever filters say --- */
NODISCARD enum ipsec_status xfrm_exempt_neighbours(struct plane *plane, struct ipsec_fault *fault);
NODISCARD enum ipsec_status xfrm_exempt_service(struct plane *plane,
                                                uint8_t ip_version,
                                                const struct ipsec_address *address,
                                                uint16_t port);
/* Whether a policy, whoever's, has the place of a permit of now. */
bool xfrm_exemptions_have(const struct plane *plane, const struct kernel_policy *policy);
/* A look at the kernel begins; it sees a policy, whoever's: false when that is not in the place of
 * a permit of now; where none was seen that lets packets pass it is put there again, or is missing.
 */
void xfrm_exemptions_look(struct plane *plane);
bool xfrm_exemptions_see(struct plane *plane, const struct kernel_policy *policy);
void xfrm_exemptions_restore(struct plane *plane);
uint64_t xfrm_exemptions_missing(const struct plane *plane);

/* --- xfrm_resume.c: after a restart --- */
NODISCARD enum ipsec_status xfrm_resume(struct plane *plane, const struct plane_bundle *what);
void xfrm_resume_done(struct plane *plane);

/* --- xfrm_drift.c --- */
NODISCARD enum ipsec_status xfrm_find_drift(struct plane *plane, struct plane_drift *drift_out);

/* --- xfrm_watch.c: reasons to compare before it is time --- */
/* Listens to what others change; after the socket for requests, whose changes are no news. */
NODISCARD int
xfrm_watch_open(struct plane *plane, enum network_place place, const char *namespace_name);
NODISCARD enum plane_doubt xfrm_watch_take(struct plane *plane);
void xfrm_watch_doubt(struct plane *plane, enum plane_doubt doubt);

/* --- xfrm_flush.c --- */
/* Deletes what is of this service. */
NODISCARD enum ipsec_status xfrm_flush(struct plane *plane);
/* The same, counted instead of told; on failure, too. */
NODISCARD enum ipsec_status xfrm_take_away(struct plane *plane, struct plane_removed *removed_out);

/* --- xfrm_probe.c --- */
/* Makes and deletes one SA of each transform, in a network namespace of its own where that may be
 * made: what can't be made is remembered, and what can is loaded and tested by the kernel before
 * the first caller wants it. */
NODISCARD enum ipsec_status xfrm_probe(struct plane *plane, struct ipsec_fault *fault);

/* The status for what the kernel said to a request about an SA; '*reason_out' is static. */
enum ipsec_status xfrm_status_of(int error,
                                 const struct kernel_sa *sa,
                                 const char *kernel_reason,
                                 const char **reason_out);
