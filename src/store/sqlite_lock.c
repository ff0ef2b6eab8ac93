/* SPDX-License-Identifier: Apache-2.0
 *
 * Byte-range locks on PATH.lock. The file's bytes hold the number of the process that wrote last, for the
 * sentence a waiting one gives; nothing else depends on them.
 */
#include "store/sqlite_lock.h"

#include "core/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BYTE_PRESENCE, BYTE_WRITE, BYTE_TURN, BYTE_OWNER };

#define MAX_PATH_BYTES 1024
#define MAX_NAP_MS     10

/* 0, 1 when another holds it, negative errno otherwise. */
static int lock_try(int fd, int byte, short type)
{
    struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

    while (fcntl(fd, F_OFD_SETLK, &range) != 0) {
        if (errno == EAGAIN || errno == EACCES)
            return 1;
        if (errno != EINTR)
            return -errno;
    }
    return 0;
}

static void nap_ms(int ms)
{
    struct timespec rest = {.tv_nsec = ms * 1000000L};
    while (nanosleep(&rest, &rest) != 0 && errno == EINTR)
        ;
}

/* lock_try until it succeeds or *patience_ms has been slept away. Polling, because a blocking lock call knows
 * no deadline; the naps grow, so that short waits stay short. */
static int lock_wait(int fd, int byte, int *patience_ms)
{
    int nap = 1, r;

    while ((r = lock_try(fd, byte, F_WRLCK)) > 0 && *patience_ms > 0) {
        nap_ms(nap);
        *patience_ms -= nap;
        nap = nap * 2 > MAX_NAP_MS ? MAX_NAP_MS : nap * 2;
    }
    return r;
}

static int refuse(const struct sqlite_lock *lock, int r, struct err_info *reterr)
{
    int32_t pid = 0;

    if (r < 0)
        return err_set(reterr, ERR_IO, "cannot lock the store: %s", strerror(-r));
    if (pread(lock->fd, &pid, sizeof pid, 0) == sizeof pid && pid > 0)
        return err_set(reterr, ERR_UNAVAILABLE, "the store is in use by process %d", (int)pid);
    return err_set(reterr, ERR_UNAVAILABLE, "the store is in use by another process");
}

/* A refusal to note the number costs only the sentence's precision. */
static void note_process(const struct sqlite_lock *lock)
{
    int32_t pid = (int32_t)getpid();
    (void)!pwrite(lock->fd, &pid, sizeof pid, 0);
}

int sqlite_lock_open(const char *store_path, bool is_alone, struct sqlite_lock *ret_lock,
                     struct err_info *reterr)
{
    struct sqlite_lock lock = {.fd = -1};
    struct buf path;
    int r;

    buf_init(&path, MAX_PATH_BYTES);
    buf_printf(&path, "%s.lock", store_path);
    r = buf_error(&path);
    if (r < 0) {
        err_set(reterr, r, "the store's path is too long");
        goto done;
    }
    lock.fd = open(path.data, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock.fd < 0) {
        r = err_set(reterr, ERR_IO, "cannot open %s: %s", path.data, strerror(errno));
        goto done;
    }
    r = lock_try(lock.fd, BYTE_PRESENCE, is_alone ? F_WRLCK : F_RDLCK);
    if (r != 0) {
        r = refuse(&lock, r, reterr);
        goto done;
    }
    *ret_lock = lock;
    lock.fd = -1;
done:
    sqlite_lock_close(&lock);
    buf_done(&path);
    return r;
}

void sqlite_lock_close(struct sqlite_lock *lock)
{
    if (lock->fd >= 0)
        (void)close(lock->fd);
    *lock = (struct sqlite_lock){.fd = -1};
}

int sqlite_lock_write(struct sqlite_lock *lock, int max_wait_ms, struct err_info *reterr)
{
    int r = lock_wait(lock->fd, BYTE_TURN, &max_wait_ms);

    if (r != 0)
        return refuse(lock, r, reterr);
    r = lock_wait(lock->fd, BYTE_WRITE, &max_wait_ms);
    (void)lock_try(lock->fd, BYTE_TURN, F_UNLCK);
    if (r != 0)
        return refuse(lock, r, reterr);
    note_process(lock);
    return 0;
}

void sqlite_lock_write_end(struct sqlite_lock *lock)
{
    (void)lock_try(lock->fd, BYTE_WRITE, F_UNLCK);
}

bool sqlite_lock_own(struct sqlite_lock *lock)
{
    if (!lock->is_owner)
        lock->is_owner = lock_try(lock->fd, BYTE_OWNER, F_WRLCK) == 0;
    return lock->is_owner;
}
