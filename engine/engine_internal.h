/* SPDX-License-Identifier: Apache-2.0
 *
 * engine_internal.h: what the engine offers to its own tests and checks. */
#pragma once

#include "engine/engine.h"
#include "engine/plane/plane.h"
#include "engine/store/store.h"

/* The backend that 'options->store_uri' names, and what follows its scheme. */
NODISCARD enum ipsec_status ipsec_engine_find_store(const struct ipsec_engine_options *options,
                                                    struct ipsec_fault *fault,
                                                    const struct store_ops **ops_out,
                                                    const char **path_out);

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

/* Frees one of these without running it again: what is due is not done, nothing is committed. */
void ipsec_engine_discard(struct ipsec_engine *engine); /* accepts null */
