/* SPDX-License-Identifier: Apache-2.0
 *
 * netns.c: see netns.h. */
#include "server/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum ipsec_status
netns_enter(const char *name, struct ipsec_fault *fault)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "/run/netns/%s", name);

    if (length < 0 || (size_t)length >= sizeof path || strchr(name, '/') != NULL ||
        strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_SERVICE, "netns",
                               "'%s' can't be the name of a network namespace", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_SERVICE, "netns",
                               "there is no network namespace '%s': %s: %s", name, path,
                               strerror(errno));
    int error = fd >= 0 && setns(fd, CLONE_NEWNET) == 0 ? 0 : errno;
    if (fd >= 0)
        close(fd);
    if (error == 0)
        return IPSEC_OK;
    return ipsec_fault_set(fault, ipsec_status_of_errno(error), IPSEC_FAULT_SERVICE, "netns",
                           "the network namespace '%s' can't be entered%s: %s", name,
                           error == EPERM ? ", which takes CAP_SYS_ADMIN" : "", strerror(error));
}
