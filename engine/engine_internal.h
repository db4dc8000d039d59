/* SPDX-License-Identifier: Apache-2.0
 *
 * engine_internal.h: what the engine offers to its own tests. */
#pragma once

#include "engine/engine.h"
#include "engine/plane/plane.h"
#include "engine/store/store.h"

/* As ipsec_engine_open() with a given backend instead of the one that 'options->store_uri' names.
 */
NODISCARD enum ipsec_status ipsec_engine_open_with(const struct ipsec_engine_options *options,
                                                   const struct store_ops *ops,
                                                   const char *path,
                                                   struct ipsec_fault *fault,
                                                   struct ipsec_engine **engine_out);

/* The same with a given data plane; null: the one that 'options->plane_uri' names. */
NODISCARD enum ipsec_status ipsec_engine_open_on(const struct ipsec_engine_options *options,
                                                 const struct store_ops *ops,
                                                 const char *path,
                                                 const struct plane_ops *plane_ops,
                                                 struct ipsec_fault *fault,
                                                 struct ipsec_engine **engine_out);

/* An engine without a thread: ipsec_engine_call() and ipsec_engine_close() run it on that of their
 * caller, there is only one, and between calls nothing happens. */
NODISCARD enum ipsec_status ipsec_engine_open_unthreaded(const struct ipsec_engine_options *options,
                                                         const struct store_ops *ops,
                                                         const char *path,
                                                         struct ipsec_fault *fault,
                                                         struct ipsec_engine **engine_out);
