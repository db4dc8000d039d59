/* SPDX-License-Identifier: Apache-2.0
 *
 * wiping.h: memory is wiped when it is given back, for keys pass through much of it: request
 * bodies, the HTTP library's connections, TLS records.
 *
 * The linker's --wrap puts the two functions below in place of free and realloc in all that is
 * linked statically, the HTTP library included.  GnuTLS is not; it gives memory back through
 * pointers that it exports.  What is given back otherwise never held a key. */
#pragma once

/* Makes GnuTLS do the same.  Before it is used. */
void wiping_install(void);
