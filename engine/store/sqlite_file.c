/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_file.c: see sqlite_file.h. */
#include "engine/store/sqlite_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/file.h>

/* SQLite's own limit is 512 bytes with the ending of the longest file beside the database. */
enum { PATH_LENGTH_MAXIMUM = 480 };

static enum ipsec_status
find_place(const char *path, struct ipsec_fault *fault, struct sqlite_file *file);
static enum ipsec_status take_lock(struct sqlite_file *file, struct ipsec_fault *fault);
static enum ipsec_status try_lock(const struct sqlite_file *file, struct ipsec_fault *fault);
static enum ipsec_status
look_at(const struct sqlite_file *file, struct ipsec_fault *fault, bool *is_there_out);
static bool may_write_beside(const struct sqlite_file *file);
static bool may_write(const char *path);
static enum ipsec_status refuse_link(const struct sqlite_file *file, struct ipsec_fault *fault);
static enum ipsec_status
refuse_kind(const struct sqlite_file *file, const char *what, struct ipsec_fault *fault);
static enum ipsec_status refuse_second(const struct sqlite_file *file, struct ipsec_fault *fault);
static enum ipsec_status create(struct sqlite_file *file, struct ipsec_fault *fault);
static enum ipsec_status open_failed(struct ipsec_fault *fault, const char *what, const char *path);
static char *join(const char *start, const char *separator, const char *end);
static void make_label(const char *path, char *label, size_t size);
static bool is_same(const struct stat *left, const struct stat *right);

enum ipsec_status
sqlite_file_open(const char *path, struct ipsec_fault *fault, struct sqlite_file *file_out)
{
    struct sqlite_file file = { .lock_fd = -1 };
    enum ipsec_status status = find_place(path, fault, &file);

    if (status == IPSEC_OK)
        status = take_lock(&file, fault);
    if (status == IPSEC_OK)
        status = create(&file, fault);
    if (status != IPSEC_OK) {
        sqlite_file_clear(&file);
        return status;
    }
    *file_out = file;
    return IPSEC_OK;
}

enum ipsec_status
sqlite_file_look(const char *path,
                 struct ipsec_fault *fault,
                 struct sqlite_file *file_out,
                 bool *is_there_out)
{
    struct sqlite_file file = { .lock_fd = -1 };
    enum ipsec_status status = find_place(path, fault, &file);

    if (status == IPSEC_OK)
        status = try_lock(&file, fault);
    if (status == IPSEC_OK)
        status = look_at(&file, fault, is_there_out);
    if (status != IPSEC_OK) {
        sqlite_file_clear(&file);
        return status;
    }
    *file_out = file;
    return IPSEC_OK;
}

enum ipsec_status
sqlite_file_find(const char *path, struct ipsec_fault *fault, struct sqlite_file *file_out)
{
    *file_out = (struct sqlite_file){ .lock_fd = -1 };
    enum ipsec_status status = find_place(path, fault, file_out);
    if (status != IPSEC_OK)
        sqlite_file_clear(file_out);
    return status;
}

bool
sqlite_file_is_there(const char *path)
{
    struct stat properties;

    return lstat(path, &properties) == 0 || errno != ENOENT;
}

void
sqlite_file_clear(struct sqlite_file *file)
{
    /* The lock file stays: removing it would let two processes lock two files of one name. */
    if (file->path != NULL && file->lock_fd >= 0)
        (void)close(file->lock_fd);
    free(file->path);
    free(file->log_path);
    free(file->index_path);
    free(file->lock_path);
    *file = (struct sqlite_file){ .lock_fd = -1 };
}

enum ipsec_status
sqlite_file_sync_directory(const struct sqlite_file *file, struct ipsec_fault *fault)
{
    char *copy = strdup(file->path);
    int fd = copy == NULL ? -1 : open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    int error = errno;

    free(copy);
    if (fd >= 0)
        (void)close(fd);
    if (!synced)
        return ipsec_fault_set(fault, IPSEC_RPC_DISCONNECTED, IPSEC_FAULT_SERVICE, NULL,
                               "store %s: cannot sync its directory: %s", file->label,
                               strerror(error));
    return IPSEC_OK;
}

enum ipsec_status
sqlite_file_note_log(struct sqlite_file *file, struct ipsec_fault *fault)
{
    if (stat(file->log_path, &file->log_identity) != 0)
        return ipsec_fault_set(fault, IPSEC_RPC_DISCONNECTED, IPSEC_FAULT_SERVICE, NULL,
                               "store %s: cannot find its log: %s", file->label, strerror(errno));
    return IPSEC_OK;
}

enum ipsec_status
sqlite_file_check_place(const struct sqlite_file *file, struct ipsec_fault *fault)
{
    struct stat now;

    if (stat(file->path, &now) != 0 || !is_same(&now, &file->identity))
        return ipsec_fault_set(fault, IPSEC_RPC_DISCONNECTED, IPSEC_FAULT_SERVICE, NULL,
                               "store %s: the file was moved, replaced or deleted", file->label);
    if (stat(file->log_path, &now) != 0 || !is_same(&now, &file->log_identity))
        return ipsec_fault_set(fault, IPSEC_RPC_DISCONNECTED, IPSEC_FAULT_SERVICE, NULL,
                               "store %s: its log (-wal) was moved, replaced or deleted",
                               file->label);
    if (stat(file->lock_path, &now) != 0 || !is_same(&now, &file->lock_identity))
        return ipsec_fault_set(fault, IPSEC_RPC_DISCONNECTED, IPSEC_FAULT_SERVICE, NULL,
                               "store %s: its lock file (.lock) was moved, replaced or deleted",
                               file->label);
    return IPSEC_OK;
}

/* The absolute path: SQLite gives names such as ":memory:" and "file:x" a meaning of their own. */
static enum ipsec_status
find_place(const char *path, struct ipsec_fault *fault, struct sqlite_file *file)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    char *directory = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    char *real = directory == NULL ? NULL : realpath(directory, NULL);
    enum ipsec_status status = IPSEC_OK;

    make_label(path, file->label, sizeof file->label);
    if (real == NULL) {
        status = errno == ENOENT
                     ? ipsec_fault_set(fault, IPSEC_RPC_ACCESS_DENIED, IPSEC_FAULT_SERVICE, NULL,
                                       "store %s: its directory does not exist", file->label)
                     : open_failed(fault, "its directory", file->label);
    } else if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        status = ipsec_fault_set(fault, IPSEC_RPC_ACCESS_DENIED, IPSEC_FAULT_SERVICE, NULL,
                                 "store %s: the path is a directory, not a file", file->label);
    } else {
        file->path = join(strcmp(real, "/") == 0 ? "" : real, "/", name);
        file->log_path = file->path == NULL ? NULL : join(file->path, "-wal", "");
        file->index_path = file->path == NULL ? NULL : join(file->path, "-shm", "");
        file->lock_path = file->path == NULL ? NULL : join(file->path, ".lock", "");
        if (file->log_path == NULL || file->index_path == NULL || file->lock_path == NULL)
            status = open_failed(fault, "the file", file->label);
        else if (strlen(file->path) > PATH_LENGTH_MAXIMUM)
            status = ipsec_fault_set(fault, IPSEC_RPC_ACCESS_DENIED, IPSEC_FAULT_SERVICE, NULL,
                                     "store %s: the path is longer than %d bytes", file->label,
                                     (int)PATH_LENGTH_MAXIMUM);
    }
    free(directory);
    free(real);
    return status;
}

static enum ipsec_status
take_lock(struct sqlite_file *file, struct ipsec_fault *fault)
{
    struct stat named;
    int fd = open(file->lock_path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

    if (fd < 0)
        return open_failed(fault, "its lock file (.lock)", file->label);
    file->lock_fd = fd;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? refuse_second(file, fault)
                                    : open_failed(fault, "its lock", file->label);
    if (fstat(fd, &file->lock_identity) != 0)
        return open_failed(fault, "its lock", file->label);
    if (stat(file->lock_path, &named) != 0 || !is_same(&named, &file->lock_identity))
        return ipsec_fault_set(fault, IPSEC_RPC_CALL_REJECTED, IPSEC_FAULT_SERVICE, NULL,
                               "store %s: another process replaced its lock file (.lock)",
                               file->label);

    /* The process id is for people; a full disk that has no room for it is found out later. */
    char text[24];
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) == 0)
        (void)!pwrite(fd, text, (size_t)length, 0);
    return IPSEC_OK;
}

/* As take_lock(), and gives it back. */
static enum ipsec_status
try_lock(const struct sqlite_file *file, struct ipsec_fault *fault)
{
    struct sqlite_file locked = *file;
    enum ipsec_status status = IPSEC_OK;

    locked.lock_fd = open(file->lock_path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (locked.lock_fd < 0 && errno == ENOENT && may_write_beside(file))
        return IPSEC_OK;
    if (locked.lock_fd < 0)
        return open_failed(fault, "its lock file (.lock)", file->label);
    /* Shared, so that two that only look do not see each other. */
    if (flock(locked.lock_fd, LOCK_SH | LOCK_NB) != 0)
        status = errno == EWOULDBLOCK ? refuse_second(&locked, fault)
                                      : open_failed(fault, "its lock", file->label);
    (void)close(locked.lock_fd);
    return status;
}

static enum ipsec_status
look_at(const struct sqlite_file *file, struct ipsec_fault *fault, bool *is_there_out)
{
    const struct {
        const char *path;
        const char *what;
    } beside[] = {
        { file->log_path, "its log (-wal)" },
        { file->index_path, "its log's index (-shm)" },
        { file->lock_path, "its lock file (.lock)" },
    };
    struct stat properties;
    bool is_whole = true;

    *is_there_out = lstat(file->path, &properties) == 0;
    if (!*is_there_out && errno != ENOENT)
        return open_failed(fault, "the file", file->label);
    if (*is_there_out && S_ISLNK(properties.st_mode))
        return refuse_link(file, fault);
    if (*is_there_out && S_ISDIR(properties.st_mode)) {
        errno = EISDIR;
        return open_failed(fault, "the file", file->label);
    }
    if (*is_there_out && !S_ISREG(properties.st_mode))
        return refuse_kind(file, "the path", fault);
    if (*is_there_out && !may_write(file->path))
        return open_failed(fault, "the file", file->label);
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        bool is_missing = stat(beside[i].path, &properties) != 0;

        is_whole = is_whole && !is_missing;
        if (!is_missing && !S_ISREG(properties.st_mode))
            return refuse_kind(file, beside[i].what, fault);
        if (!is_missing && !may_write(beside[i].path))
            return open_failed(fault, beside[i].what, file->label);
    }
    if ((!*is_there_out || !is_whole) && !may_write_beside(file))
        return open_failed(fault, "a file in its directory", file->label);
    return IPSEC_OK;
}

/* Whether files can be made in its directory; else 'errno' says why. */
static bool
may_write_beside(const struct sqlite_file *file)
{
    char *copy = strdup(file->path);
    bool may = copy != NULL && faccessat(AT_FDCWD, dirname(copy), W_OK | X_OK, AT_EACCESS) == 0;
    int error = errno;

    free(copy);
    errno = error;
    return may;
}

static bool
may_write(const char *path)
{
    return faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) == 0;
}

static enum ipsec_status
refuse_link(const struct sqlite_file *file, struct ipsec_fault *fault)
{
    return ipsec_fault_set(fault, IPSEC_RPC_ACCESS_DENIED, IPSEC_FAULT_SERVICE, NULL,
                           "store %s: the path is a symbolic link", file->label);
}

static enum ipsec_status
refuse_kind(const struct sqlite_file *file, const char *what, struct ipsec_fault *fault)
{
    return ipsec_fault_set(fault, IPSEC_RPC_ACCESS_DENIED, IPSEC_FAULT_SERVICE, NULL,
                           "store %s: %s is not a regular file", file->label, what);
}

static enum ipsec_status
refuse_second(const struct sqlite_file *file, struct ipsec_fault *fault)
{
    char text[24] = "";
    ssize_t length = pread(file->lock_fd, text, sizeof text - 1, 0);
    long holder = length > 0 ? strtol(text, NULL, 10) : 0;

    if (holder > 0)
        return ipsec_fault_set(fault, IPSEC_RPC_CALL_REJECTED, IPSEC_FAULT_SERVICE, NULL,
                               "store %s: process %ld has it open", file->label, holder);
    return ipsec_fault_set(fault, IPSEC_RPC_CALL_REJECTED, IPSEC_FAULT_SERVICE, NULL,
                           "store %s: another process has it open", file->label);
}

/* A symbolic link is refused: two names would have two locks. */
static enum ipsec_status
create(struct sqlite_file *file, struct ipsec_fault *fault)
{
    int fd = open(file->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

    if (fd < 0 && errno == ELOOP)
        return refuse_link(file, fault);
    if (fd < 0)
        return open_failed(fault, "the file", file->label);

    /* Closing drops no lock of SQLite's, for none is held yet. */
    int error = fstat(fd, &file->identity) == 0 ? 0 : errno;
    (void)close(fd);
    if (error != 0) {
        errno = error;
        return open_failed(fault, "the file", file->label);
    }
    return S_ISREG(file->identity.st_mode) ? IPSEC_OK : refuse_kind(file, "the path", fault);
}

/* 'errno' tells the cause. */
static enum ipsec_status
open_failed(struct ipsec_fault *fault, const char *what, const char *label)
{
    int error = errno;
    enum ipsec_status status = IPSEC_RPC_ACCESS_DENIED;

    if (error == ENOMEM || error == ENOSPC || error == EDQUOT || error == EMFILE || error == ENFILE)
        status = IPSEC_RPC_OUT_OF_RESOURCES;
    else if (error == EIO)
        status = IPSEC_RPC_DISCONNECTED;
    return ipsec_fault_set(fault, status, IPSEC_FAULT_SERVICE, NULL,
                           "store %s: cannot open %s for reading and writing: %s", label, what,
                           strerror(error));
}

static char *
join(const char *start, const char *separator, const char *end)
{
    char *joined = NULL;

    return asprintf(&joined, "%s%s%s", start, separator, end) < 0 ? NULL : joined;
}

static void
make_label(const char *path, char *label, size_t size)
{
    size_t length = strlen(path);

    if (length < size)
        (void)snprintf(label, size, "%s", path);
    else
        (void)snprintf(label, size, "...%s", path + length - (size - sizeof "..."));
}

static bool
is_same(const struct stat *left, const struct stat *right)
{
    return left->st_dev == right->st_dev && left->st_ino == right->st_ino;
}
