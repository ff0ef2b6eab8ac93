/* SPDX-License-Identifier: Apache-2.0
 *
 * Versions: 65,536 counters in the file PATH.versions, mapped shared by every process that has the store
 * open. A slot belongs to all (tenant, user) pairs that hash to it: a foreign write may raise it, which costs
 * a needless rebuild and nothing else. Behind the counters stand random bytes, by which this life of the
 * numbers is told from every other (versions_identify). The numbers carry no data: a missing file, or one of
 * another size, is made anew while nobody can write, and a wrong number is as good as a right one.
 *
 * A writer, who holds the lock `write`, makes the slots it touched odd before its commit and even behind it,
 * before its waiters wake. Whoever asks while a number is odd gets one that nobody gets again: what he reads
 * is kept by no cache. So a writer that is killed between its commit and the second raise leaves nothing
 * stale; the next one to write there, or to open the store, makes the number even.
 */
#include "store/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOTS_BYTES (STORE_VERSION_SLOTS * sizeof(uint64_t))
#define NAME_BYTES  ((size_t)32) /* random, behind the slots */
#define FILE_BYTES  ((off_t)(SLOTS_BYTES + NAME_BYTES))
/* Even, and twice a prime: no number of raises takes back what the flip of a bit has done. */
#define STEP (UINT64_C(2) * 1000003)
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

/* What is odd while nobody can write, a killed writer has left. */
static void settle(struct versions *versions)
{
    for (size_t slot = 0; slot < STORE_VERSION_SLOTS; slot++)
        if (atomic_load_explicit(&versions->slots[slot], memory_order_relaxed) & 1)
            versions_end(versions, slot);
}

/* Gives a new file its random bytes. */
static int give_name(unsigned char *name, struct err_info *reterr)
{
    if (!sodium_is_zero(name, NAME_BYTES))
        return 0;
    if (sodium_init() < 0)
        return err_set(reterr, ERR_INTERNAL, "the system gives no random numbers");
    randombytes_buf(name, NAME_BYTES);
    return 0;
}

/* A copy of the file elsewhere, or what a crash of the machine left of it, is another life: its numbers may
 * have been given to other data before. */
static void identify(int fd, const unsigned char *name, unsigned char ret_identity[STORE_IDENTITY_BYTES])
{
    crypto_generichash_state state;
    struct stat status = {0};
    char boot[64] = "";
    int boot_fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    (void)fstat(fd, &status); /* of a file that is open and mapped */
    if (boot_fd >= 0) {       /* without it, file and bytes have to do */
        (void)!read(boot_fd, boot, sizeof boot);
        (void)close(boot_fd);
    }
    uint64_t place[2] = {status.st_dev, status.st_ino};
    (void)crypto_generichash_init(&state, name, NAME_BYTES, STORE_IDENTITY_BYTES);
    (void)crypto_generichash_update(&state, (const unsigned char *)place, sizeof place);
    (void)crypto_generichash_update(&state, (const unsigned char *)boot, sizeof boot);
    (void)crypto_generichash_final(&state, ret_identity, STORE_IDENTITY_BYTES);
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
    r = give_name((unsigned char *)map + SLOTS_BYTES, reterr);
    if (r < 0) {
        (void)munmap(map, (size_t)FILE_BYTES);
        goto done;
    }
    ret_versions->slots = map;
    identify(fd, (unsigned char *)map + SLOTS_BYTES, ret_versions->identity);
    settle(ret_versions);
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

void versions_forget(const char *store_path)
{
    char path[STORE_MAX_PATH_BYTES + 16];
    int len = snprintf(path, sizeof path, "%s.versions", store_path);
    if (len > 0 && (size_t)len < sizeof path)
        (void)unlink(path); /* there may be none */
}

size_t versions_slot(struct str tenant, struct str user)
{
    return (size_t)(str_hash(user, str_hash(tenant, HASH_SEED)) % STORE_VERSION_SLOTS);
}

uint64_t versions_get(const struct versions *versions, size_t slot)
{
    uint64_t version = atomic_load_explicit(&versions->slots[slot], memory_order_acquire);
    /* Odd stays odd; and should it have become even just now it only rises once more. */
    return version & 1 ? atomic_fetch_add(&versions->slots[slot], STEP) + STEP : version;
}

void versions_begin(struct versions *versions, size_t slot)
{
    bool was_left = atomic_load(&versions->slots[slot]) & 1;
    (void)atomic_fetch_add(&versions->slots[slot], was_left ? STEP : 1);
}

void versions_end(struct versions *versions, size_t slot)
{
    (void)atomic_fetch_add(&versions->slots[slot], STEP - 1);
}
