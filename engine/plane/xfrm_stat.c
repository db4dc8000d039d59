/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_stat.c: /proc/net/xfrm_stat: what the kernel dropped and why. */
#include "engine/plane/xfrm_stat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Some thirty lines of a name and a number. */
#define TEXT_SIZE 4096

static const char *const names[XFRM_STAT_COUNT] = {
    [XFRM_STAT_IN_ERROR] = "XfrmInError",
    [XFRM_STAT_IN_BUFFER_ERROR] = "XfrmInBufferError",
    [XFRM_STAT_IN_HEADER_ERROR] = "XfrmInHdrError",
    [XFRM_STAT_IN_NO_STATES] = "XfrmInNoStates",
    [XFRM_STAT_IN_STATE_PROTO_ERROR] = "XfrmInStateProtoError",
    [XFRM_STAT_IN_STATE_MODE_ERROR] = "XfrmInStateModeError",
    [XFRM_STAT_IN_STATE_SEQUENCE_ERROR] = "XfrmInStateSeqError",
    [XFRM_STAT_IN_STATE_EXPIRED] = "XfrmInStateExpired",
    [XFRM_STAT_IN_STATE_MISMATCH] = "XfrmInStateMismatch",
    [XFRM_STAT_IN_STATE_INVALID] = "XfrmInStateInvalid",
    [XFRM_STAT_IN_TEMPLATE_MISMATCH] = "XfrmInTmplMismatch",
    [XFRM_STAT_IN_NO_POLICIES] = "XfrmInNoPols",
    [XFRM_STAT_IN_POLICY_BLOCK] = "XfrmInPolBlock",
    [XFRM_STAT_IN_POLICY_ERROR] = "XfrmInPolError",
    [XFRM_STAT_IN_STATE_DIRECTION_ERROR] = "XfrmInStateDirError",
    [XFRM_STAT_ACQUIRE_ERROR] = "XfrmAcquireError",
};

static void read_all(int fd, uint64_t counts_out[XFRM_STAT_COUNT]);

static int
open_here(void *context)
{
    struct xfrm_stat *stat = context;

    /* A thread's namespace may differ from its process's. */
    stat->fd = open("/proc/thread-self/net/xfrm_stat", O_RDONLY | O_CLOEXEC);
    if (stat->fd < 0)
        return errno;
    read_all(stat->fd, stat->first);
    return 0;
}

int
xfrm_stat_open(enum network_place place, const char *name, struct xfrm_stat *stat)
{
    *stat = (struct xfrm_stat){ .fd = -1 };
    return network_namespace_run(place, name, open_here, stat);
}

void
xfrm_stat_close(struct xfrm_stat *stat)
{
    if (stat->fd >= 0)
        close(stat->fd);
    stat->fd = -1;
}

void
xfrm_stat_read(const struct xfrm_stat *stat, uint64_t counts_out[XFRM_STAT_COUNT])
{
    memset(counts_out, 0, XFRM_STAT_COUNT * sizeof *counts_out);
    if (stat->fd < 0)
        return;
    read_all(stat->fd, counts_out);
    for (size_t i = 0; i < XFRM_STAT_COUNT; i++)
        counts_out[i] = counts_out[i] > stat->first[i] ? counts_out[i] - stat->first[i] : 0;
}

static void
read_line(const char *line, uint64_t counts_out[XFRM_STAT_COUNT])
{
    size_t length = strcspn(line, " \t");

    for (size_t i = 0; i < XFRM_STAT_COUNT; i++) {
        if (strlen(names[i]) == length && strncmp(names[i], line, length) == 0)
            counts_out[i] = strtoull(line + length, NULL, 10);
    }
}

static void
read_all(int fd, uint64_t counts_out[XFRM_STAT_COUNT])
{
    char text[TEXT_SIZE];
    ssize_t size = pread(fd, text, sizeof text - 1, 0);
    char *line = text;

    if (size <= 0)
        return;
    text[size] = '\0';
    while (*line != '\0') {
        char *end = strchr(line, '\n');

        /* A line without its end was cut off. */
        if (end == NULL)
            return;
        *end = '\0';
        read_line(line, counts_out);
        line = end + 1;
    }
}
