/* SPDX-License-Identifier: Apache-2.0
 *
 * file.c: see file.h. */
#include "auth/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SHOWN_PATH_MAXIMUM = 64, CAUSE_SIZE = 200, CHUNK_SIZE = 16384 };

static enum ipsec_status
read_all(int fd, const char *file, struct ipsec_fault *fault, struct buffer *contents);

enum ipsec_status
auth_file_read(const char *file, struct ipsec_fault *fault, struct buffer *contents)
{
    /* Without O_NONBLOCK a FIFO in place of the file would hold the start for ever. */
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return auth_file_fault(fault, ipsec_status_of_errno(errno), file, NULL, "%s",
                               strerror(errno));

    struct stat properties;
    enum ipsec_status status;
    if (fstat(fd, &properties) != 0)
        status =
            auth_file_fault(fault, ipsec_status_of_errno(errno), file, NULL, "%s", strerror(errno));
    else if (!S_ISREG(properties.st_mode))
        status = auth_file_fault(fault, IPSEC_INVALID_PARAMETER, file, NULL, "not a regular file");
    else
        status = read_all(fd, file, fault, contents);
    (void)close(fd);
    return status;
}

enum ipsec_status
auth_file_fault(struct ipsec_fault *fault,
                enum ipsec_status status,
                const char *file,
                const char *pointer,
                const char *format,
                ...)
{
    char cause[CAUSE_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(cause, sizeof cause, format, arguments);
    va_end(arguments);

    size_t length = strlen(file);
    bool long_path = length > SHOWN_PATH_MAXIMUM;
    const char *shown = long_path ? file + (length - SHOWN_PATH_MAXIMUM) : file;
    bool has_pointer = pointer != NULL && pointer[0] != '\0';
    return ipsec_fault_set(fault, status, IPSEC_FAULT_SERVICE, pointer, "%s%s: %s%s%s",
                           long_path ? "..." : "", shown, has_pointer ? pointer : "",
                           has_pointer ? ": " : "", cause);
}

static enum ipsec_status
read_all(int fd, const char *file, struct ipsec_fault *fault, struct buffer *contents)
{
    char chunk[CHUNK_SIZE];

    for (;;) {
        ssize_t count = read(fd, chunk, sizeof chunk);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return auth_file_fault(fault, ipsec_status_of_errno(errno), file, NULL, "%s",
                                   strerror(errno));
        if (count == 0)
            break;
        buffer_append(contents, chunk, (size_t)count);
        if (contents->failed)
            break;
    }
    if (contents->failed || buffer_text(contents) == NULL)
        return auth_file_fault(fault, IPSEC_INVALID_PARAMETER, file, NULL,
                               "larger than %zu bytes, or no memory for it", contents->maximum);
    return IPSEC_OK;
}
