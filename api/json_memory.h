/* SPDX-License-Identifier: Apache-2.0
 *
 * json_memory.h: where the JSON parser's trees live.
 *
 * A body's tree is some thirty small objects that come and go together, in one thread and within
 * one call.  They are taken one behind the other from an arena of the thread and given back all at
 * once when the last one goes; what does not fit comes from the heap.  A body may hold keys: what
 * is given back is wiped.
 *
 * Without memory the process ends here: the parser goes on after a failed append and would hand
 * over a text cut short, which must not become an object.  What was acknowledged is stored. */
#pragma once

/* Sets the parser's allocator, for the process.  Before the first use of the parser.  From then on
 * a JSON value must be freed by the thread that made it. */
void json_memory_install(void);
