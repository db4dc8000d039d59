/* SPDX-License-Identifier: Apache-2.0
 *
 * access_policy.h: access.json, one security descriptor per container, and its evaluation.
 *
 * Evaluation is WFP's: a container's own entries first, then those inherited from the engine, each
 * list in canonical order (deny before allow, else as written); for each right the first entry that
 * matches the caller and names the right decides.  A right nobody decides is not granted.
 *
 * Doubt counts against the caller.  An entry that allows matches only a name that is fit for
 * comparison, "cn:" only a subject with exactly one common name, and a wildcard only a path without
 * empty, "." or ".." segments.  An entry that denies matches any common name of several, with a
 * wildcard every URI that begins so, and whoever has a name of its kind with NUL, control bytes or
 * invalid UTF-8, whatever that name may be. */
#pragma once

#include "auth/identity.h"
#include "engine/base/access.h"
#include "engine/base/attributes.h"
#include "engine/base/status.h"

/* Immutable, shared by reference count, any thread. */
struct access_policy;

/* Reads the file.  Unknown containers, members, rights or principal forms, a duplicate member, a
 * wildcard anywhere but at the end of a URI, a name that no certificate could have: each is an
 * error that names file, place and cause, never ignored.  A container that is absent has an empty
 * list of its own. */
NODISCARD enum ipsec_status
access_policy_load(const char *file, struct ipsec_fault *fault, struct access_policy **policy_out);
struct access_policy *access_policy_ref(struct access_policy *policy);
void access_policy_unref(struct access_policy *policy); /* accepts null */

/* A copy in which 'text', JSON like a container's member of the file, is in force for 'container'
 * instead of what the file says; null: the file's again. */
NODISCARD enum ipsec_status access_policy_replace(const struct access_policy *policy,
                                                  enum ipsec_container container,
                                                  const char *text,
                                                  struct ipsec_fault *fault,
                                                  struct access_policy **policy_out);

/* The container's own entries as the file has them, whether they are in force or not. */
struct descriptor;
const struct descriptor *access_policy_file_descriptor(const struct access_policy *policy,
                                                       enum ipsec_container container);

/* What 'identity' may do.  A null identity (no certificate) may do nothing. */
void access_policy_rights(const struct access_policy *policy,
                          const struct auth_identity *identity,
                          struct ipsec_rights *rights_out);
