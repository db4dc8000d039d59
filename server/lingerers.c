/* SPDX-License-Identifier: Apache-2.0
 *
 * lingerers.c: see lingerers.h. */
#include "server/lingerers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include <sys/socket.h>

#include "engine/base/clock.h"

enum { LINGER_MS = 2000, READS_A_RUN = 64, READ_SIZE = 65536 };

static bool is_finished(int fd);

void
lingerers_add(struct lingerers *lingerers, int fd)
{
    if (lingerers->count == LINGER_MAX)
        lingerers_run(lingerers); /* some have finished, most likely */
    if (lingerers->count == LINGER_MAX)
        return;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return;
    lingerers->fds[lingerers->count] = copy;
    lingerers->deadlines_ms[lingerers->count] = clock_monotonic_ms() + LINGER_MS;
    lingerers->count++;
}

void
lingerers_run(struct lingerers *lingerers)
{
    int64_t now_ms = lingerers->count > 0 ? clock_monotonic_ms() : 0;
    size_t kept = 0;

    for (size_t i = 0; i < lingerers->count; i++) {
        if (is_finished(lingerers->fds[i]) || now_ms >= lingerers->deadlines_ms[i]) {
            close(lingerers->fds[i]);
            continue;
        }
        lingerers->fds[kept] = lingerers->fds[i];
        lingerers->deadlines_ms[kept] = lingerers->deadlines_ms[i];
        kept++;
    }
    lingerers->count = kept;
}

void
lingerers_clear(struct lingerers *lingerers)
{
    for (size_t i = 0; i < lingerers->count; i++)
        close(lingerers->fds[i]);
    lingerers->count = 0;
}

/* Throws away what is there.  True: the caller has closed his side, or the connection broke. */
static bool
is_finished(int fd)
{
    char ignored[READ_SIZE];

    for (int i = 0; i < READS_A_RUN; i++) {
        ssize_t count = recv(fd, ignored, sizeof ignored, MSG_DONTWAIT);
        if (count == 0)
            return true;
        if (count < 0)
            return errno != EAGAIN && errno != EINTR;
    }
    return false;
}
