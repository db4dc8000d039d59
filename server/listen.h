/* SPDX-License-Identifier: Apache-2.0
 *
 * listen.h: the sockets that callers connect to. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/socket.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"

/* Parses "127.0.0.1:8443" or "[::]:8443": numeric addresses, port 0 lets the kernel choose.
 * 'option' is where it was set, for 'fault', which may be null. */
NODISCARD enum ipsec_status listen_parse(const char *option,
                                         const char *text,
                                         struct sockaddr_storage *address_out,
                                         socklen_t *size_out,
                                         struct ipsec_fault *fault);

/* Opens 'count' non-blocking listening sockets on one address, which share its connections
 * (SO_REUSEPORT); with 'take_passed' takes the socket that systemd passed (LISTEN_FDS) instead,
 * once for each.  Refuses an address that somebody else listens on.  All or none.  A text that is
 * no address is IPSEC_INVALID_PARAMETER, what the system refuses IPSEC_RPC_SYS_CALL_FAILED. */
NODISCARD enum ipsec_status listen_open(const char *option,
                                        const char *text,
                                        size_t count,
                                        bool take_passed,
                                        int *fds_out,
                                        struct ipsec_fault *fault);

/* Whether that would work: binds the address for a moment and does not listen.  '*is_taken_out'
 * with a failure: the only thing wrong is that somebody listens there. */
NODISCARD enum ipsec_status
listen_probe(const char *option, const char *text, bool *is_taken_out, struct ipsec_fault *fault);

/* "127.0.0.1:40123": where a socket really listens. */
#define LISTEN_TEXT_SIZE 64
void listen_describe(int fd, char text[LISTEN_TEXT_SIZE]);
