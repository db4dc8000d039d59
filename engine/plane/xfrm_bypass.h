/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_bypass.h: a socket whose packets pass in the clear, whatever policies say. */
#pragma once

#include <stdint.h>

#include "engine/base/attributes.h"

/* Exempts the socket, of AF_INET or AF_INET6 ('ip_version'), and those that it accepts.  Takes
 * CAP_NET_ADMIN.  0 or an errno. */
NODISCARD int xfrm_bypass(int fd, uint8_t ip_version);
