/* SPDX-License-Identifier: Apache-2.0
 *
 * fault_vfs.c: see fault_vfs.h. */
#include "tests/fault/fault_vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

enum { SECTOR = 512, CHAIN_COUNT = 4096 };

/* A sector as it was at the last sync of its file, or the size the file had. */
struct image {
    char *path;
    sqlite3_int64 offset; /* -1: 'size' is meant */
    sqlite3_int64 size;
    size_t next; /* in its chain, counted from 1 */
    bool lost;   /* a sync of it failed: the kernel will not write it again */
    unsigned char bytes[SECTOR];
};

struct fault_file {
    sqlite3_file base;
    char *path;
    sqlite3_file *real;
};

static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    struct fault_plan plan;
    uint64_t count;
    bool failed;
    bool stopped;
    uint64_t slept_us;
    struct image *images;
    size_t image_count;
    size_t image_capacity;
    size_t chains[CHAIN_COUNT]; /* by offset; the first image, counted from 1 */
} state;

static bool strikes(enum fault_operation operation);
static int io_error(int result);
static void keep_sectors(struct fault_file *file, sqlite3_int64 offset, sqlite3_int64 size);
static void keep_image(const struct image *image);
static void forget_images(const char *path, bool lost_too);
static void lose_images(const char *path);

static struct fault_file *
cast(sqlite3_file *file)
{
    return (struct fault_file *)file;
}

static int
fault_close(sqlite3_file *file)
{
    struct fault_file *self = cast(file);
    int result = self->real->pMethods->xClose(self->real);

    free(self->path);
    free(self->real);
    return result;
}

static int
fault_read(sqlite3_file *file, void *bytes, int size, sqlite3_int64 offset)
{
    sqlite3_file *real = cast(file)->real;

    if (strikes(FAULT_READ)) {
        memset(bytes, 0, (size_t)size);
        return io_error(SQLITE_IOERR_READ);
    }
    return real->pMethods->xRead(real, bytes, size, offset);
}

static int
fault_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 offset)
{
    sqlite3_file *real = cast(file)->real;
    bool struck = strikes(FAULT_WRITE);

    if (!struck || (state.plan.short_write && !state.stopped)) {
        int written = struck ? size / 2 : size;
        keep_sectors(cast(file), offset, written);
        int result = real->pMethods->xWrite(real, bytes, written, offset);
        if (result != SQLITE_OK || !struck)
            return result;
    }
    return state.plan.error == ENOSPC ? SQLITE_FULL : io_error(SQLITE_IOERR_WRITE);
}

static int
fault_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    sqlite3_file *real = cast(file)->real;
    sqlite3_int64 old_size = 0;

    if (strikes(FAULT_TRUNCATE))
        return io_error(SQLITE_IOERR_TRUNCATE);
    if (real->pMethods->xFileSize(real, &old_size) == SQLITE_OK && old_size > size)
        keep_sectors(cast(file), size, old_size - size);
    return real->pMethods->xTruncate(real, size);
}

static int
fault_sync(sqlite3_file *file, int flags)
{
    (void)flags;
    if (strikes(FAULT_SYNC)) {
        lose_images(cast(file)->path);
        return io_error(SQLITE_IOERR_FSYNC);
    }
    forget_images(cast(file)->path, false);
    return SQLITE_OK;
}

static int
fault_file_size(sqlite3_file *file, sqlite3_int64 *size_out)
{
    sqlite3_file *real = cast(file)->real;

    return real->pMethods->xFileSize(real, size_out);
}

static int
fault_lock(sqlite3_file *file, int level)
{
    sqlite3_file *real = cast(file)->real;

    return real->pMethods->xLock(real, level);
}

static int
fault_unlock(sqlite3_file *file, int level)
{
    sqlite3_file *real = cast(file)->real;

    return real->pMethods->xUnlock(real, level);
}

static int
fault_check_reserved_lock(sqlite3_file *file, int *locked_out)
{
    sqlite3_file *real = cast(file)->real;

    return real->pMethods->xCheckReservedLock(real, locked_out);
}

static int
fault_file_control(sqlite3_file *file, int operation, void *argument)
{
    sqlite3_file *real = cast(file)->real;

    if (operation == SQLITE_FCNTL_LAST_ERRNO && state.failed) {
        *(int *)argument = state.plan.error;
        return SQLITE_OK;
    }
    return real->pMethods->xFileControl(real, operation, argument);
}

static int
fault_sector_size(sqlite3_file *file)
{
    sqlite3_file *real = cast(file)->real;

    return real->pMethods->xSectorSize(real);
}

static int
fault_device_characteristics(sqlite3_file *file)
{
    sqlite3_file *real = cast(file)->real;

    return real->pMethods->xDeviceCharacteristics(real);
}

static int
fault_shm_map(sqlite3_file *file, int page, int page_size, int extend, void volatile **map_out)
{
    sqlite3_file *real = cast(file)->real;

    return real->pMethods->xShmMap(real, page, page_size, extend, map_out);
}

static int
fault_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    sqlite3_file *real = cast(file)->real;

    return real->pMethods->xShmLock(real, offset, count, flags);
}

static void
fault_shm_barrier(sqlite3_file *file)
{
    sqlite3_file *real = cast(file)->real;

    real->pMethods->xShmBarrier(real);
}

static int
fault_shm_unmap(sqlite3_file *file, int delete_file)
{
    sqlite3_file *real = cast(file)->real;

    return real->pMethods->xShmUnmap(real, delete_file);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = fault_close,
    .xRead = fault_read,
    .xWrite = fault_write,
    .xTruncate = fault_truncate,
    .xSync = fault_sync,
    .xFileSize = fault_file_size,
    .xLock = fault_lock,
    .xUnlock = fault_unlock,
    .xCheckReservedLock = fault_check_reserved_lock,
    .xFileControl = fault_file_control,
    .xSectorSize = fault_sector_size,
    .xDeviceCharacteristics = fault_device_characteristics,
    .xShmMap = fault_shm_map,
    .xShmLock = fault_shm_lock,
    .xShmBarrier = fault_shm_barrier,
    .xShmUnmap = fault_shm_unmap,
};

static int
fault_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *flags_out)
{
    struct fault_file *self = cast(file);

    (void)vfs;
    *self = (struct fault_file){ 0 };
    if (strikes(FAULT_OPEN)) {
        errno = state.plan.error;
        return SQLITE_CANTOPEN;
    }
    self->real = calloc(1, (size_t)state.real->szOsFile);
    if (self->real == NULL)
        return SQLITE_NOMEM;
    /* The real file keeps 'path', which carries the parameters of the name. */
    int result = state.real->xOpen(state.real, path, self->real, flags, flags_out);
    if (result != SQLITE_OK) {
        free(self->real);
        return result;
    }
    self->path = strdup(path == NULL ? "" : path);
    self->base.pMethods = &methods;
    return SQLITE_OK;
}

static int
fault_delete(sqlite3_vfs *vfs, const char *path, int sync_directory)
{
    (void)vfs;
    if (state.stopped)
        return SQLITE_IOERR_DELETE;
    forget_images(path, true);
    return state.real->xDelete(state.real, path, sync_directory);
}

static int
fault_sleep(sqlite3_vfs *vfs, int microseconds)
{
    (void)vfs;
    state.slept_us += (uint64_t)microseconds;
    return microseconds;
}

static int
fault_last_error(sqlite3_vfs *vfs, int size, char *text)
{
    (void)vfs;
    return state.failed ? state.plan.error : state.real->xGetLastError(state.real, size, text);
}

void
fault_vfs_install(void)
{
    state.real = sqlite3_vfs_find(NULL);
    state.vfs = *state.real;
    state.vfs.zName = "fault";
    state.vfs.pNext = NULL;
    state.vfs.szOsFile = (int)sizeof(struct fault_file);
    state.vfs.xOpen = fault_open;
    state.vfs.xDelete = fault_delete;
    state.vfs.xSleep = fault_sleep;
    state.vfs.xGetLastError = fault_last_error;
    if (sqlite3_vfs_register(&state.vfs, 1) != SQLITE_OK)
        abort();
}

void
fault_vfs_remove(void)
{
    (void)sqlite3_vfs_unregister(&state.vfs);
    (void)sqlite3_vfs_register(state.real, 1);
    forget_images(NULL, true);
    free(state.images);
    state.images = NULL;
    state.image_capacity = 0;
}

void
fault_vfs_plan(const struct fault_plan *plan)
{
    state.plan = *plan;
    state.count = 0;
    state.slept_us = 0;
    state.failed = false;
    state.stopped = false;
}

uint64_t
fault_vfs_count(void)
{
    return state.count;
}

uint64_t
fault_vfs_slept_us(void)
{
    return state.slept_us;
}

bool
fault_vfs_failed(void)
{
    return state.failed;
}

void
fault_vfs_stop(void)
{
    state.stopped = true;
    state.plan.error = EIO;
}

void
fault_vfs_restart(void)
{
    forget_images(NULL, true);
    state.stopped = false;
    state.plan = (struct fault_plan){ 0 };
}

void
fault_vfs_cut_power(uint64_t seed)
{
    /* The sectors first, then the sizes: an old size cuts off what came behind it. */
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < state.image_count; i++) {
            const struct image *image = &state.images[i];
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            if ((image->offset < 0) != (pass == 1) || (seed >> 33) % 2 == 0)
                continue;
            int fd = open(image->path, O_RDWR | O_CLOEXEC);
            if (fd < 0)
                continue;
            bool done = image->offset < 0
                            ? ftruncate(fd, image->size) == 0
                            : pwrite(fd, image->bytes, SECTOR, image->offset) == SECTOR;
            (void)close(fd);
            if (!done)
                abort();
        }
    }
    fault_vfs_restart();
}

static bool
strikes(enum fault_operation operation)
{
    if (state.stopped)
        return operation != FAULT_READ && operation != FAULT_OPEN;
    if ((state.plan.operations & (unsigned)operation) == 0)
        return false;
    state.count++;
    if (state.plan.first == 0 || state.count < state.plan.first ||
        (state.count > state.plan.first && !state.plan.lasting))
        return false;
    state.failed = true;
    return true;
}

static int
io_error(int result)
{
    errno = state.plan.error;
    return result;
}

/* Notes what is about to be written over, unless it is noted since the last sync. */
static void
keep_sectors(struct fault_file *file, sqlite3_int64 offset, sqlite3_int64 size)
{
    sqlite3_int64 file_size = 0;
    struct image image = { .path = file->path, .offset = -1 };

    if (file->real->pMethods->xFileSize(file->real, &file_size) != SQLITE_OK)
        abort();
    image.size = file_size;
    keep_image(&image);
    for (sqlite3_int64 at = offset / SECTOR * SECTOR; at < offset + size; at += SECTOR) {
        image.offset = at;
        memset(image.bytes, 0, SECTOR);
        if (at < file_size) {
            int result = file->real->pMethods->xRead(file->real, image.bytes, SECTOR, at);
            if (result != SQLITE_OK && result != SQLITE_IOERR_SHORT_READ)
                abort();
        }
        keep_image(&image);
    }
}

static void
keep_image(const struct image *image)
{
    size_t *chain = &state.chains[(size_t)(image->offset / SECTOR) % CHAIN_COUNT];

    for (size_t i = *chain; i != 0; i = state.images[i - 1].next) {
        if (state.images[i - 1].offset == image->offset &&
            strcmp(state.images[i - 1].path, image->path) == 0) {
            state.images[i - 1].lost = false;
            return;
        }
    }
    if (state.image_count == state.image_capacity) {
        size_t capacity = state.image_capacity == 0 ? 256 : state.image_capacity * 2;
        struct image *images = reallocarray(state.images, capacity, sizeof *images);
        if (images == NULL)
            abort();
        state.images = images;
        state.image_capacity = capacity;
    }
    struct image *kept = &state.images[state.image_count++];
    *kept = *image;
    kept->path = strdup(image->path);
    kept->next = *chain;
    *chain = state.image_count;
}

static void
lose_images(const char *path)
{
    for (size_t i = 0; i < state.image_count; i++) {
        if (strcmp(state.images[i].path, path) == 0)
            state.images[i].lost = true;
    }
}

/* What was noted of one file, or of all with null. */
static void
forget_images(const char *path, bool lost_too)
{
    size_t kept = 0;

    for (size_t i = 0; i < state.image_count; i++) {
        bool other = path != NULL && strcmp(state.images[i].path, path) != 0;
        if (other || (state.images[i].lost && !lost_too))
            state.images[kept++] = state.images[i];
        else
            free(state.images[i].path);
    }
    state.image_count = kept;
    memset(state.chains, 0, sizeof state.chains);
    for (size_t i = 0; i < kept; i++) {
        size_t *chain = &state.chains[(size_t)(state.images[i].offset / SECTOR) % CHAIN_COUNT];
        state.images[i].next = *chain;
        *chain = i + 1;
    }
}
