/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_context.h: what the parts of the life of an SA context share: sa_context.c creates, reads and
 * deletes, sa_context_spi.c and sa_context_key.c key it, sa_context_update.c changes it,
 * sa_context_expire.c ends it, sa_context_enum.c lists it, sa_context_load.c takes it over from the
 * store. */
#pragma once

#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/due.h"
#include "engine/sa_database.h"
#include "engine/session.h"
#include "engine/types.h"

struct engine_state;

/* What each call on contexts is asked first: the rule of its session, then the rights. */
NODISCARD enum ipsec_status
sa_context_check_call(struct ipsec_session *session, enum ipsec_session_rule rule, uint32_t rights);
/* IPSEC_NOT_FOUND, and what the call's If-Match says.  The row is valid until the next change. */
NODISCARD enum ipsec_status sa_context_find(struct ipsec_session *session,
                                            uint64_t id,
                                            const struct ipsec_sa_context **context_out);
/* IPSEC_INCOMPATIBLE_SA_STATE: "the context is active", 'wanted' says what it should be. */
NODISCARD enum ipsec_status sa_context_wrong_state(struct ipsec_session *session,
                                                   const struct ipsec_sa_context *context,
                                                   const char *wanted);

/* Whether what an enumeration or a subscription asks for makes sense: IPSEC_NEVER_MATCH, …. */
NODISCARD enum ipsec_status
sa_context_check_template(struct ipsec_session *session,
                          const struct ipsec_sa_context_template *match);
/* One that is not given has all addresses. */
bool sa_context_in_subnet(const struct ipsec_subnet *subnet,
                          uint8_t ip_version,
                          const struct ipsec_address *address);

/* --- Keying; each step works on a copy that is not stored yet --------------------------------- */

/* Draws an SPI for the copy, or takes 'spi' when it is not 0.  'pointer' is where it stood. */
NODISCARD enum ipsec_status sa_context_assign_spi(struct ipsec_session *session,
                                                  struct ipsec_sa_context *context,
                                                  uint32_t spi,
                                                  const char *pointer);
/* The inbound filter that the caller named for the SPI, 0: the mirrored one, is that of the copy
 * from now on. */
NODISCARD enum ipsec_status sa_context_set_inbound_filter(struct ipsec_session *session,
                                                          struct ipsec_sa_context *context,
                                                          uint64_t filter_id,
                                                          const char *pointer);
/* Whether the bundle fits the copy, apart from the copy's state. */
NODISCARD enum ipsec_status sa_context_check_bundle(struct ipsec_session *session,
                                                    const struct ipsec_sa_context *context,
                                                    enum ipsec_direction direction,
                                                    const struct ipsec_sa_bundle_input *input);
/* Makes the checked bundle the copy's, with a reference that belongs to the copy, and moves its
 * state and its time on. */
NODISCARD enum ipsec_status sa_context_take_bundle(struct ipsec_session *session,
                                                   struct ipsec_sa_context *context,
                                                   enum ipsec_direction direction,
                                                   const struct ipsec_sa_bundle_input *input);
/* Before a context that just got its outbound bundle is stored: ends its predecessor and, unless
 * the bundle says otherwise, all others with its traffic.  Part of the group that is open. */
NODISCARD enum ipsec_status sa_context_replace_others(struct ipsec_session *session,
                                                      const struct ipsec_sa_context *context);
/* A bundle of the context as the data plane knows it, without keys. */
struct plane_bundle sa_context_plane_bundle(const struct ipsec_sa_context *context,
                                            enum ipsec_direction direction);
/* What the data plane is to do for a bundle of the context; 'input' has the keys of one to be
 * added, else null.  False: no memory. */
NODISCARD bool sa_context_ask_plane(struct engine_state *state,
                                    enum plane_action_kind kind,
                                    const struct ipsec_sa_context *context,
                                    enum ipsec_direction direction,
                                    const struct ipsec_sa_bundle_input *input);

/* --- Ending ----------------------------------------------------------------------------------- */

/* When the engine has to look at a keyed context next: the end of a bundle's lifetime, or the
 * moment at which it has been idle for too long if nothing used it since it was added; 0: never. */
int64_t sa_context_due(const struct ipsec_sa_context *context);
/* The outbound SA goes, the inbound one stays for the grace.  Part of the group that is open.
 * False: no memory. */
NODISCARD bool
sa_context_end_outbound(struct engine_state *state, uint64_t id, enum ipsec_change_reason reason);
/* The context goes with all it has, in a group of its own.  False: no memory. */
NODISCARD bool
sa_context_end(struct engine_state *state, uint64_t id, enum ipsec_change_reason reason);

/* A direction of the context is used up, be it that its time is over or that the data plane says
 * so: the inbound SA takes the context with it, the outbound one leaves the grace.  One that is
 * gone already is no change.  False: no memory; then what was done is to be undone. */
NODISCARD bool sa_context_end_direction(struct engine_state *state,
                                        uint64_t id,
                                        enum ipsec_direction direction,
                                        enum ipsec_change_reason reason);

/* Larval and idle timeouts, lifetimes, the grace, the quarantine of SPIs. */
extern const struct due_source sa_context_due_source;

/* What the data plane ended by itself. */
extern const struct due_source sa_plane_events_source;
/* From the next batch on the data plane is asked for all it should have, as after a start. */
void sa_plane_ask_for_all(struct engine_state *state);

/* --- The store -------------------------------------------------------------------------------- */

NODISCARD enum ipsec_status sa_context_load(struct engine_state *state,
                                            const struct ipsec_sa_context *context,
                                            struct ipsec_fault *fault);
NODISCARD enum ipsec_status sa_quarantine_load(struct engine_state *state,
                                               const struct store_quarantine *quarantine,
                                               struct ipsec_fault *fault);
