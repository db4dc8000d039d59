/* SPDX-License-Identifier: Apache-2.0
 *
 * plane_mark.h: what a store remembers of the data plane that may have objects of it, so that
 * nobody leaves them behind by starting with another one. */
#pragma once

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/engine.h"
#include "engine/plane/plane.h"
#include "engine/store/store.h"

/* The mark of the plane that 'options' name; null 'plane_ops': theirs.  Its name is "" when it
 * leaves nothing behind. */
NODISCARD enum ipsec_status plane_mark_of(const struct ipsec_engine_options *options,
                                          const struct plane_ops *plane_ops,
                                          struct ipsec_fault *fault,
                                          struct store_plane *mark_out);
/* Refuses a plane beside which objects of another one would be left; the fault names the option. */
NODISCARD enum ipsec_status plane_mark_check(const struct store_plane *remembered,
                                             const struct store_plane *own,
                                             struct ipsec_fault *fault);
/* The store's; of none when it remembers none. */
NODISCARD enum ipsec_status plane_mark_read(const struct store_ops *ops,
                                            struct store *store,
                                            struct ipsec_fault *fault,
                                            struct store_plane *mark_out);
/* Checks, and has the store remember this one.  Durable on IPSEC_OK. */
NODISCARD enum ipsec_status plane_mark_put(const struct store_ops *ops,
                                           struct store *store,
                                           const struct store_plane *own,
                                           struct ipsec_fault *fault);
/* Nothing is left of the one that it remembers. */
NODISCARD enum ipsec_status
plane_mark_forget(const struct store_ops *ops, struct store *store, struct ipsec_fault *fault);
