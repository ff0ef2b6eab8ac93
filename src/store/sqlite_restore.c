/* SPDX-License-Identifier: Apache-2.0
 *
 * Puts a backup in a store's place while nobody has the store open. The old file keeps its name until the new
 * one is whole, checked and on the disk; then one rename changes them over. The old log goes first, because
 * SQLite would take it for the new file's: what it holds is copied into the old file before.
 */
#include "store/sqlite_priv.h"

#include "core/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES 65536
#define NAME_BYTES  (STORE_MAX_PATH_BYTES + 32)

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Copies the first len bytes and makes them durable. */
static int copy_bytes(int from, int to, int64_t len, struct err_info *reterr)
{
    char *chunk = mem_alloc(CHUNK_BYTES);
    int error = 0;

    if (!chunk)
        return err_set(reterr, ERR_NOMEM, "out of memory restoring the store");
    if (lseek(from, 0, SEEK_SET) < 0)
        error = errno;
    while (len > 0 && error == 0) {
        ssize_t n = read(from, chunk, len < CHUNK_BYTES ? (size_t)len : CHUNK_BYTES);

        if (n < 0 && errno == EINTR)
            continue;
        error = n < 0 ? errno : n == 0 ? EIO : write_all(to, chunk, (size_t)n);
        len -= n;
    }
    mem_free(chunk);
    if (error == 0 && fsync(to) != 0)
        error = errno;
    return error == 0 ? 0 : err_set(reterr, ERR_IO, "cannot copy the backup: %s", strerror(error));
}

/* Copies a backup whose seal holds into a new file, named in `temporary`. */
static int fetch(const char *backup_path, char *temporary, struct err_info *reterr)
{
    int64_t len;
    int to = -1, r, from = open(backup_path, O_RDONLY | O_CLOEXEC);

    if (from < 0)
        return err_set(reterr, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot open %s: %s", backup_path,
                       strerror(errno));
    r = backup_check_seal(from, &len, reterr);
    if (r < 0)
        goto done;
    to = mkostemp(temporary, O_CLOEXEC);
    if (to < 0) {
        r = err_set(reterr, ERR_IO, "cannot create a file beside the store: %s", strerror(errno));
        goto done;
    }
    r = copy_bytes(from, to, len, reterr);
done:
    if (to >= 0)
        (void)close(to);
    (void)close(from);
    return r;
}

/* Is it a whole store of ours, of a version we know? */
static int inspect(const char *path, struct err_info *reterr)
{
    struct conn *conn;
    int version, r = conn_new(path, CONN_READER, &conn, reterr);

    if (r < 0)
        return r;
    r = schema_read_version(conn, &version, reterr);
    if (r == 0 && version == 0)
        r = err_set(reterr, ERR_CORRUPT, "the backup holds no store");
    if (r == 0)
        r = backup_verify(conn, reterr);
    conn_free(conn);
    return r;
}

/* Moves what the old log holds into the old file. A store too damaged for that is being replaced anyway. */
static void settle_old(const char *path)
{
    struct stat status;
    struct conn *conn;

    if (stat(path, &status) != 0 || conn_new(path, CONN_WRITER, &conn, NULL) < 0)
        return;
    (void)sqlite3_wal_checkpoint_v2(conn->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    conn_free(conn);
}

static int replace(const char *temporary, const char *path, struct err_info *reterr)
{
    char log[NAME_BYTES], aside[NAME_BYTES], index[NAME_BYTES];
    int error;

    (void)snprintf(log, sizeof log, "%s-wal", path);
    (void)snprintf(aside, sizeof aside, "%s-wal.old", path);
    (void)snprintf(index, sizeof index, "%s-shm", path);
    settle_old(path);
    if (rename(log, aside) != 0 && errno != ENOENT)
        return err_set(reterr, ERR_IO, "cannot set the old log aside: %s", strerror(errno));
    if (rename(temporary, path) != 0) {
        error = errno;
        (void)rename(aside, log);
        return err_set(reterr, ERR_IO, "cannot put the backup in place: %s", strerror(error));
    }
    (void)unlink(index);
    versions_forget(path); /* the numbers of what is gone mean other data from here on */
    error = backup_sync_folder(path, reterr);
    (void)unlink(aside);
    return error;
}

int sqlite_restore(const char *path, const char *backup_path, struct err_info *reterr)
{
    char temporary[NAME_BYTES], name[NAME_BYTES + 8];
    struct sqlite_lock lock = {.fd = -1};
    int r = sqlite_setup(reterr);

    if (r < 0)
        return r;
    if (strlen(path) >= STORE_MAX_PATH_BYTES)
        return err_set(reterr, ERR_INVALID, "the store's path is longer than %d bytes",
                       STORE_MAX_PATH_BYTES - 1);
    (void)snprintf(temporary, sizeof temporary, "%s.new-XXXXXX", path);
    r = sqlite_lock_open(path, true, &lock, reterr);
    if (r < 0)
        return r;
    r = fetch(backup_path, temporary, reterr);
    if (r == 0)
        r = inspect(temporary, reterr);
    if (r == 0)
        r = replace(temporary, path, reterr);
    (void)unlink(temporary);
    (void)snprintf(name, sizeof name, "%s-wal", temporary);
    (void)unlink(name);
    (void)snprintf(name, sizeof name, "%s-shm", temporary);
    (void)unlink(name);
    sqlite_lock_close(&lock);
    return r;
}
