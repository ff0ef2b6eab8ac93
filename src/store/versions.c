/* SPDX-License-Identifier: Apache-2.0
 *
 * Versions: 65,536 counters in the file PATH.versions, mapped shared by every process that has the store
 * open. A slot belongs to all (tenant, user) pairs that hash to it: a foreign write may raise it, which costs
 * a needless rebuild and nothing else. A writer raises the slots it touched after its commit and before its
 * waiters wake. The numbers carry no data: a missing file, or one of another size, is made anew while nobody
 * can write.
 */
#include "store/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES ((off_t)(STORE_VERSION_SLOTS * sizeof(uint64_t)))
/* The same in every process, so that all agree on the slot. */
#define HASH_SEED UINT64_C(0x507265636973)

static int report(int error, const char *path, struct err_info *reterr)
{
    return err_set(reterr, ERR_IO, "cannot set up %s: %s", path, strerror(error));
}

/* Opens the file at its full size, with its blocks reserved: a hole would be filled by a write through the
 * mapping, where a full disk kills the process. */
static int open_file(const char *path, int *ret_fd, struct err_info *reterr)
{
    struct stat status;
    int error;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd >= 0 && fstat(fd, &status) == 0 && status.st_size != 0 && status.st_size != FILE_BYTES) {
        /* Others may have the odd file mapped: it keeps its name no longer, but stays as it is. */
        (void)close(fd);
        fd = unlink(path) == 0 ? open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    }
    if (fd < 0)
        return report(errno, path, reterr);
    if (fstat(fd, &status) != 0)
        error = errno;
    else
        error = status.st_size == 0 || status.st_blocks * 512 < FILE_BYTES
                    ? posix_fallocate(fd, 0, FILE_BYTES)
                    : 0;
    if (error != 0) {
        (void)close(fd);
        return report(error, path, reterr);
    }
    *ret_fd = fd;
    return 0;
}

int versions_open(const char *store_path, struct versions *ret_versions, struct err_info *reterr)
{
    struct buf path;
    void *map = MAP_FAILED;
    int fd = -1, r;

    buf_init(&path, STORE_MAX_PATH_BYTES);
    buf_printf(&path, "%s.versions", store_path);
    r = buf_error(&path);
    if (r < 0) {
        err_set(reterr, r, "the store's path is too long");
        goto done;
    }
    r = open_file(path.data, &fd, reterr);
    if (r < 0)
        goto done;
    map = mmap(NULL, (size_t)FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        r = report(errno, path.data, reterr);
        goto done;
    }
    ret_versions->slots = map;
done:
    if (fd >= 0)
        (void)close(fd);
    buf_done(&path);
    return r;
}

void versions_close(struct versions *versions)
{
    if (versions->slots)
        (void)munmap(versions->slots, (size_t)FILE_BYTES);
    versions->slots = NULL;
}

size_t versions_slot(struct str tenant, struct str user)
{
    return (size_t)(str_hash(user, str_hash(tenant, HASH_SEED)) % STORE_VERSION_SLOTS);
}

uint64_t versions_get(const struct versions *versions, size_t slot)
{
    return atomic_load_explicit(&versions->slots[slot], memory_order_acquire);
}

void versions_raise(struct versions *versions, size_t slot)
{
    (void)atomic_fetch_add_explicit(&versions->slots[slot], 1, memory_order_release);
}
