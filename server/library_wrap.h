/* SPDX-License-Identifier: Apache-2.0
 *
 * library_wrap.h: the four places where the HTTP library is made to do what its interface does not
 * offer, by the linker's --wrap on the static library (see server/CMakeLists.txt):
 *
 *   gnutls_handshake                      its result, which the library swallows, reaches us
 *   gnutls_record_recv                    finds out that nothing came without GnuTLS's buffers
 *   MHD_create_response_from_buffer_static  the library's own error pages become problem documents
 *   MHD_send_hdr_and_body_                headers and a small body leave in one TLS record
 *
 * A test provokes each effect, so that a library that changed under us is noticed. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>

#include <gnutls/gnutls.h>

/* Implemented by handshake.c: asked before every step of a handshake whether it could get any
 * further, and told after every one that was taken. */
bool library_handshake_may_step(gnutls_session_t session);
void library_handshake_stepped(gnutls_session_t session, int result);

/* Implemented by transport.c: whether reading a record could find anything, an end or an error. */
bool library_has_input(gnutls_session_t session);

struct metrics;

/* Names the counters of the calling worker thread: errors that the library answers by itself are
 * requests too. */
void library_attach(struct metrics *metrics);

/* The library's log callback (MHD_OPTION_EXTERNAL_LOGGER): debug lines, and the status of the error
 * page that the library makes next on this thread. */
void library_log(void *unused, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
