/* SPDX-License-Identifier: Apache-2.0
 *
 * audit.c: see audit.h.
 *
 * A line is made on a worker for every request, so it is put together without printf. */
#include "auth/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/file.h"
#include "auth/rights.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/mutex.h"

enum { WARNING_INTERVAL_MS = 60000, STALL_MAXIMUM_MS = 100 };

struct audit {
    bool enabled;
    char *file; /* null: standard error */
    _Atomic uint64_t failures;
    struct mutex lock;
    GUARDED_VAR int fd;
    GUARDED_VAR bool torn; /* the last byte written does not end a line */
    GUARDED_VAR bool warned;
    GUARDED_VAR int64_t warned_at_ms;
};

static enum ipsec_status
open_file(const char *file, int create, struct ipsec_fault *fault, int *fd_out);
static enum ipsec_status check_folder(const char *file, struct ipsec_fault *fault);
static bool ends_inside_line(int fd);
static int write_lines(struct audit *audit, const struct buffer *lines) REQUIRES(audit->lock);
static int write_all(int fd, const char *data, size_t size, size_t *written_out);
static bool warning_due(struct audit *audit) REQUIRES(audit->lock);
static void append_time(struct buffer *lines, int64_t wall_ms);
static void append_member(struct buffer *lines, const char *name, const char *text);
static void append_rights(struct buffer *lines, uint32_t mask);
static void append_number(struct buffer *lines, const char *name, int64_t number);
static char *put_digits(char *end, uint64_t number, int width);

enum ipsec_status
audit_open(const char *destination, struct ipsec_fault *fault, struct audit **audit_out)
{
    *audit_out = NULL;
    struct audit *audit = calloc(1, sizeof *audit);
    if (audit == NULL)
        return auth_file_fault(fault, IPSEC_RPC_OUT_OF_RESOURCES, destination, NULL, "no memory");
    mutex_init(&audit->lock);
    audit->enabled = strcmp(destination, "off") != 0;

    enum ipsec_status status = IPSEC_OK;
    int fd = STDERR_FILENO;
    if (audit->enabled && strcmp(destination, "stderr") != 0) {
        fd = -1;
        audit->file = strdup(destination);
        if (audit->file == NULL)
            status =
                auth_file_fault(fault, IPSEC_RPC_OUT_OF_RESOURCES, destination, NULL, "no memory");
        else
            status = open_file(destination, O_CREAT, fault, &fd);
    }
    mutex_lock(&audit->lock);
    audit->fd = fd;
    audit->torn = audit->file != NULL && fd >= 0 && ends_inside_line(fd);
    mutex_unlock(&audit->lock);
    if (status != IPSEC_OK) {
        audit_close(audit);
        return status;
    }
    *audit_out = audit;
    return IPSEC_OK;
}

enum ipsec_status
audit_check(const char *destination, struct ipsec_fault *fault)
{
    struct stat properties;
    int fd = -1;

    if (strcmp(destination, "off") == 0 || strcmp(destination, "stderr") == 0)
        return IPSEC_OK;
    if (lstat(destination, &properties) != 0 && errno == ENOENT)
        return check_folder(destination, fault);
    enum ipsec_status status = open_file(destination, 0, fault, &fd);
    if (status == IPSEC_OK)
        (void)close(fd);
    return status;
}

void
audit_close(struct audit *audit)
{
    if (audit == NULL)
        return;
    mutex_lock(&audit->lock);
    if (audit->file != NULL && audit->fd >= 0)
        (void)close(audit->fd);
    mutex_unlock(&audit->lock);
    mutex_clear(&audit->lock);
    free(audit->file);
    free(audit);
}

enum ipsec_status
audit_reopen(struct audit *audit, struct ipsec_fault *fault)
{
    int fd = -1;

    if (audit->file == NULL)
        return IPSEC_OK;
    enum ipsec_status status = open_file(audit->file, O_CREAT, fault, &fd);
    if (status != IPSEC_OK)
        return status;

    mutex_lock(&audit->lock);
    int old_fd = audit->fd;
    audit->fd = fd;
    /* Under the lock: it may be the same file, and a line on its way looks like a torn one. */
    audit->torn = ends_inside_line(fd);
    mutex_unlock(&audit->lock);
    (void)close(old_fd);
    return IPSEC_OK;
}

bool
audit_enabled(const struct audit *audit)
{
    return audit != NULL && audit->enabled;
}

void
audit_append(struct buffer *lines, const struct audit_record *record)
{
    buffer_append_text(lines, "{\"time\":\"");
    append_time(lines, record->time_ms);
    buffer_append_char(lines, '"');
    append_member(lines, ",\"requestId\":", record->request_id);
    if (record->trace_id != NULL)
        append_member(lines, ",\"traceId\":", record->trace_id);
    append_member(lines, ",\"peer\":", record->peer);
    append_member(lines, ",\"principal\":", record->principal);
    append_member(lines, ",\"fingerprint\":", record->fingerprint);
    append_member(lines, ",\"method\":", record->method);
    append_member(lines, ",\"path\":", record->path);
    if (record->container != NULL) {
        append_member(lines, ",\"container\":", record->container);
        append_rights(lines, record->right);
    }
    append_member(lines, ",\"decision\":", record->granted ? "allow" : "deny");
    append_number(lines, ",\"status\":", record->http_status);
    append_member(lines, ",\"code\":", ipsec_status_name(record->status));
    if (record->object_id != 0)
        append_number(lines, ",\"objectId\":", (int64_t)record->object_id);
    if (record->replayed)
        buffer_append_text(lines, ",\"replayed\":true");
    if (record->dry_run)
        buffer_append_text(lines, ",\"dryRun\":true");
    append_number(lines, ",\"us\":", record->duration_us);
    if (record->left_out > 0)
        append_number(lines, ",\"leftOut\":", (int64_t)record->left_out);
    buffer_append_text(lines, "}\n");
}

void
audit_append_refusal(struct buffer *lines, const struct audit_refusal *refusal)
{
    buffer_append_text(lines, "{\"time\":\"");
    append_time(lines, refusal->time_ms);
    append_member(lines, "\",\"requestId\":", NULL);
    append_member(lines, ",\"peer\":", refusal->peer);
    append_member(lines, ",\"principal\":", refusal->principal);
    append_member(lines, ",\"subject\":", refusal->subject);
    append_member(lines, ",\"fingerprint\":", refusal->fingerprint);
    buffer_append_text(lines, ",\"decision\":\"deny\"");
    append_member(lines, ",\"code\":", ipsec_status_name(IPSEC_NOT_AUTHENTICATED));
    append_member(lines, ",\"reason\":", refusal->reason);
    if (refusal->detail != NULL)
        append_member(lines, ",\"detail\":", refusal->detail);
    if (refusal->left_out > 0)
        append_number(lines, ",\"leftOut\":", (int64_t)refusal->left_out);
    buffer_append_text(lines, "}\n");
}

void
audit_write(struct audit *audit, struct buffer *lines)
{
    int error = 0;
    bool warn = false;

    if (audit_enabled(audit) && (lines->size > 0 || lines->failed)) {
        mutex_lock(&audit->lock);
        error = write_lines(audit, lines);
        if (error != 0) {
            atomic_fetch_add(&audit->failures, 1);
            warn = warning_due(audit);
        }
        mutex_unlock(&audit->lock);
    }
    if (warn)
        log_warning("audit log not written, its lines are lost until it can be",
                    LOG_TEXT("file", audit->file == NULL ? "stderr" : audit->file),
                    LOG_TEXT("reason", strerror(error)),
                    LOG_NUMBER("failures", audit_failures(audit)));
    buffer_reset(lines);
}

uint64_t
audit_failures(const struct audit *audit)
{
    return atomic_load_explicit(&audit->failures, memory_order_relaxed);
}

static enum ipsec_status
open_file(const char *file, int create, struct ipsec_fault *fault, int *fd_out)
{
    struct stat properties;

    int fd = open(file, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | create, 0600);
    if (fd < 0)
        return auth_file_fault(fault, ipsec_status_of_errno(errno), file, NULL, "%s",
                               errno == ELOOP ? "is a symbolic link, which is not followed"
                                              : strerror(errno));
    if (fstat(fd, &properties) != 0 || !S_ISREG(properties.st_mode)) {
        (void)close(fd);
        return auth_file_fault(fault, IPSEC_INVALID_PARAMETER, file, NULL, "not a regular file");
    }
    *fd_out = fd;
    return IPSEC_OK;
}

/* The file will be made in it. */
static enum ipsec_status
check_folder(const char *file, struct ipsec_fault *fault)
{
    const char *slash = strrchr(file, '/');
    char *folder = slash == NULL ? strdup(".") : strndup(file, (size_t)(slash - file) + 1);
    bool may = folder != NULL && faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0;
    int error = errno;

    free(folder);
    if (may)
        return IPSEC_OK;
    return auth_file_fault(fault, ipsec_status_of_errno(error), file, NULL,
                           "cannot be made in its folder: %s", strerror(error));
}

/* So does the file of a process that ended in the middle of a write. */
static bool
ends_inside_line(int fd)
{
    struct stat properties;
    char last;

    return fstat(fd, &properties) == 0 && properties.st_size > 0 &&
           pread(fd, &last, 1, properties.st_size - 1) == 1 && last != '\n';
}

/* Returns 0 or an errno. */
static int
write_lines(struct audit *audit, const struct buffer *lines)
{
    size_t size = lines->size;
    size_t written = 0;
    int error = 0;

    if (lines->failed) { /* up to the last line that did fit */
        const char *end = size == 0 ? NULL : memrchr(lines->data, '\n', size);
        size = end == NULL ? 0 : (size_t)(end - lines->data) + 1;
    }
    /* The rest of a line that could not be written must not swallow the next one. */
    if (audit->torn)
        error = write_all(audit->fd, "\n", 1, &written);
    if (error == 0) {
        audit->torn = false;
        error = write_all(audit->fd, lines->data, size, &written);
        audit->torn = written > 0 && lines->data[written - 1] != '\n';
    }
    return error == 0 && lines->failed ? ENOBUFS : error;
}

static int
write_all(int fd, const char *data, size_t size, size_t *written_out)
{
    size_t written = 0;
    int error = 0;

    while (written < size && error == 0) {
        ssize_t count = write(fd, data + written, size - written);
        if (count >= 0) {
            written += (size_t)count;
            continue;
        }
        struct pollfd writable = { .fd = fd, .events = POLLOUT };
        if (errno == EAGAIN && poll(&writable, 1, STALL_MAXIMUM_MS) > 0)
            continue;
        if (errno != EINTR)
            error = errno;
    }
    *written_out = written;
    return error;
}

static bool
warning_due(struct audit *audit)
{
    int64_t now_ms = clock_monotonic_ms();

    if (audit->warned && now_ms - audit->warned_at_ms < WARNING_INTERVAL_MS)
        return false;
    audit->warned = true;
    audit->warned_at_ms = now_ms;
    return true;
}

/* RFC 3339 in UTC, as clock_format() writes it, but without a lock: the C library's broken-down
 * time takes one.  Days are turned into a date by counting years from March, so that the leap day
 * comes last: 400 years have 146097 days, 5 months from March on have 153. */
static void
append_time(struct buffer *lines, int64_t wall_ms)
{
    char text[] = "0000-00-00T00:00:00.000Z";
    uint64_t ms = wall_ms < 0 ? 0 : (uint64_t)wall_ms;
    uint64_t day_ms = ms % 86400000;
    uint64_t day = ms / 86400000 + 719468; /* since 0000-03-01 */
    uint64_t era = day / 146097;
    uint64_t day_of_era = day % 146097;
    uint64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t month = (5 * day_of_year + 2) / 153; /* 0 is March */
    uint64_t year = era * 400 + year_of_era + (month >= 10 ? 1 : 0);

    (void)put_digits(text + 4, year, 4);
    (void)put_digits(text + 7, month < 10 ? month + 3 : month - 9, 2);
    (void)put_digits(text + 10, day_of_year - (153 * month + 2) / 5 + 1, 2);
    (void)put_digits(text + 13, day_ms / 3600000, 2);
    (void)put_digits(text + 16, day_ms / 60000 % 60, 2);
    (void)put_digits(text + 19, day_ms / 1000 % 60, 2);
    (void)put_digits(text + 23, day_ms % 1000, 3);
    buffer_append(lines, text, sizeof text - 1);
}

/* 'name' with its punctuation; null is JSON's null. */
static void
append_member(struct buffer *lines, const char *name, const char *text)
{
    buffer_append_text(lines, name);
    if (text == NULL)
        buffer_append_text(lines, "null");
    else
        buffer_append_json_string(lines, text, strlen(text));
}

/* Several rights needed at once stand with '|' between them. */
static void
append_rights(struct buffer *lines, uint32_t mask)
{
    size_t position = 0;
    const char *separator = "";
    const char *name;

    buffer_append_text(lines, ",\"right\":\"");
    while ((name = rights_next_name(mask, &position)) != NULL) {
        buffer_append_text(lines, separator);
        buffer_append_text(lines, name);
        separator = "|";
    }
    buffer_append_char(lines, '"');
}

static void
append_number(struct buffer *lines, const char *name, int64_t number)
{
    char text[24];
    char *end = text + sizeof text;
    uint64_t magnitude = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    char *start = put_digits(end, magnitude, 1);

    if (number < 0)
        *--start = '-';
    buffer_append_text(lines, name);
    buffer_append(lines, start, (size_t)(end - start));
}

/* Writes 'number' in decimal so that it ends before 'end', with at least 'width' digits; returns
 * its start. */
static char *
put_digits(char *end, uint64_t number, int width)
{
    do {
        *--end = (char)('0' + number % 10);
        number /= 10;
    } while (--width > 0 || number > 0);
    return end;
}
