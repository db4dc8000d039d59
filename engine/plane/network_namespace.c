/* SPDX-License-Identifier: Apache-2.0
 *
 * network_namespace.c: doing something in another network namespace. */
#include "engine/plane/network_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
enter(const char *name)
{
    char path[PATH_MAX];
    int fd = -1;
    int error = 0;

    /* A name, not a path to somewhere else. */
    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL ||
        (size_t)snprintf(path, sizeof path, "/run/netns/%s", name) >= sizeof path)
        return EINVAL;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    if (setns(fd, CLONE_NEWNET) != 0)
        error = errno;
    close(fd);
    return error;
}

int
network_namespace_run(enum network_place place,
                      const char *name,
                      int (*work)(void *context),
                      void *context)
{
    int home = -1;
    int error = 0;

    if (place == NETWORK_HERE)
        return work(context);
    home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (home < 0)
        return errno;
    error = enter(name);
    if (error == 0) {
        error = work(context);
        /* Going on in the wrong network would be worse than ending. */
        if (setns(home, CLONE_NEWNET) != 0)
            abort();
    }
    close(home);
    return error;
}
