/* SPDX-License-Identifier: Apache-2.0
 *
 * option_source.h: where options come from: the command line, the environment, a file. */
#pragma once

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "server/options.h"

/* Where a value came from, for messages and for who wins. */
struct option_source {
    const char *texts[OPTIONS_TEXTS]; /* by row; null: not set here */
    const char *name;
};

/* Each notes what is wrong in 'options', and goes on. */
void option_source_read_flags(int argc,
                              char *const *argv,
                              struct option_source *flags,
                              struct options *options);
void option_source_read_environment(struct option_source *environment, struct options *options);
void
option_source_read_file(const char *file, struct option_source *members, struct options *options);

/* Notes a problem of the option 'name' (null: of none).  Reading goes on. */
void option_refuse(struct options *options,
                   enum ipsec_status status,
                   const char *name,
                   const char *format,
                   ...) PRINTF_FORMAT(4, 5);
