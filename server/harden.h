/* SPDX-License-Identifier: Apache-2.0
 *
 * harden.h: gives up, step by step, what the process does not need. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"

/* Has the libraries' calls of each other resolved before anything runs.  When that is done at their
 * first call, the resolver saves the vector registers on the stack, and with them pieces of keys
 * that were just copied: nobody could wipe them there.  Executes the program again, once, with the
 * same arguments.  First of all. */
void harden_binding(char **arguments);

/* No core dumps, not traceable (their memory could hold keys), no-new-privileges, file modes 0077,
 * SIGPIPE and SIGXFSZ ignored.  First thing in the process that serves. */
NODISCARD enum ipsec_status harden_process(struct ipsec_fault *fault);

/* Raises the descriptor limit to what 'connections' and the rest of the process need.  Returns how
 * many connections fit: fewer, with a warning, when the hard limit is lower. */
unsigned int harden_descriptor_limit(unsigned int connections, size_t workers);

/* Switches to 'user' ("": stays) with its groups, then drops every capability, from the bounding
 * set too; 'keeps_net_admin' leaves CAP_NET_ADMIN, where it is there, for threads that are started
 * until harden_thread().  After the sockets are bound, before any file is opened, so that what
 * cannot be read later at a reload cannot be read now. */
NODISCARD enum ipsec_status
harden_privileges(const char *user, bool keeps_net_admin, struct ipsec_fault *fault);

/* Drops what this thread, and those that it will start, still have of capabilities. */
NODISCARD enum ipsec_status harden_thread(struct ipsec_fault *fault);

/* Whether harden_privileges() will know 'user'. */
NODISCARD enum ipsec_status harden_check_user(const char *user, struct ipsec_fault *fault);

/* Allows the system calls that serving needs and no others, for all threads: no exec, no new
 * processes, no ptrace, no mounts, no sockets but AF_UNIX ones and, with 'needs_udp', UDP ones that
 * ESP comes through.  Refused ones fail as if they did not exist. */
NODISCARD enum ipsec_status harden_system_calls(bool needs_udp, struct ipsec_fault *fault);
