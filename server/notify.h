/* SPDX-License-Identifier: Apache-2.0
 *
 * notify.h: tells the service manager about our state (sd_notify(3)'s protocol, one datagram). */
#pragma once

/* Sends 'state' ("READY=1") when NOTIFY_SOCKET is set; silent otherwise and on failure. */
void notify_manager(const char *state);
/* "RELOADING=1" with the time that the protocol asks for. */
void notify_reloading(void);
