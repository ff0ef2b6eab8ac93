/* SPDX-License-Identifier: Apache-2.0
 *
 * A copy of the live store: taken page by page from one snapshot while writes go on, checked, sealed, made
 * durable and only then given its name.
 *
 * The seal is 32 bytes after the database's last page: a mark, the database's length and a checksum of it.
 * SQLite ignores them, so a backup opens as a database; restore refuses one whose bytes have changed, which
 * integrity_check would not notice inside a text.
 */
#include "store/sqlite_priv.h"

#include "core/mem.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGES_PER_STEP 1024 /* 4 MiB: often enough for a progress bar */
#define CHUNK_BYTES    65536

static const char seal_mark[16] = "Precis backup 1\n";

struct seal {
    char mark[16];
    uint64_t len_le, checksum_le;
};

/* ---- the checksum ---- */

/* Every step is one-to-one in the sum so far, so that a change of any one word changes the end. `len` is a
 * multiple of 8 but for the last call; what is missing counts as zero. */
static uint64_t checksum_add(uint64_t sum, const unsigned char *bytes, size_t len)
{
    for (size_t at = 0; at < len; at += sizeof(uint64_t)) {
        uint64_t word = 0;
        size_t n = len - at < sizeof word ? len - at : sizeof word;

        memcpy(&word, bytes + at, n);
        sum ^= le64toh(word);
        sum = (sum << 29 | sum >> 35) * UINT64_C(0x9e3779b97f4a7c15);
    }
    return sum;
}

/* Reads exactly len bytes; 0 or an errno. */
static int read_all(int fd, void *bytes, size_t len, int64_t offset)
{
    while (len > 0) {
        ssize_t n = pread(fd, bytes, len, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        bytes = (char *)bytes + n;
        offset += n;
        len -= (size_t)n;
    }
    return 0;
}

static int checksum_file(int fd, int64_t len, uint64_t *ret_sum, struct err_info *reterr)
{
    unsigned char *chunk = mem_alloc(CHUNK_BYTES);
    uint64_t sum = UINT64_C(0x507265636973);

    if (!chunk)
        return err_set(reterr, ERR_NOMEM, "out of memory checking the backup");
    for (int64_t at = 0; at < len; at += CHUNK_BYTES) {
        size_t n = len - at < CHUNK_BYTES ? (size_t)(len - at) : CHUNK_BYTES;
        int error = read_all(fd, chunk, n, at);

        if (error != 0) {
            mem_free(chunk);
            return err_set(reterr, ERR_IO, "cannot read the backup: %s", strerror(error));
        }
        sum = checksum_add(sum, chunk, n);
    }
    mem_free(chunk);
    *ret_sum = sum;
    return 0;
}

static int file_size(int fd, int64_t *ret_len, struct err_info *reterr)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return err_set(reterr, ERR_IO, "cannot read the backup: %s", strerror(errno));
    *ret_len = (int64_t)status.st_size;
    return 0;
}

int backup_check_seal(int fd, int64_t *ret_len, struct err_info *reterr)
{
    struct seal seal;
    uint64_t sum;
    int64_t len = 0;
    int error, r = file_size(fd, &len, reterr);

    if (r < 0)
        return r;
    /* A database is a whole number of 512-byte pages at least; without a seal it is somebody else's copy. */
    if (len > 0 && len % 512 == 0) {
        *ret_len = len;
        return 0;
    }
    if (len < (int64_t)sizeof seal)
        return err_set(reterr, ERR_CORRUPT, "the backup is empty or cut off");
    len -= (int64_t)sizeof seal;
    error = read_all(fd, &seal, sizeof seal, len);
    if (error != 0)
        return err_set(reterr, ERR_IO, "cannot read the backup: %s", strerror(error));
    if (memcmp(seal.mark, seal_mark, sizeof seal_mark) != 0 || (int64_t)le64toh(seal.len_le) != len)
        return err_set(reterr, ERR_CORRUPT, "the backup is cut off, or is no backup");
    r = checksum_file(fd, len, &sum, reterr);
    if (r < 0)
        return r;
    if (le64toh(seal.checksum_le) != sum)
        return err_set(reterr, ERR_CORRUPT, "the backup is damaged: its checksum does not match");
    *ret_len = len;
    return 0;
}

static int seal_file(const char *path, struct err_info *reterr)
{
    struct seal seal;
    uint64_t sum;
    int64_t len = 0;
    int fd = open(path, O_RDWR | O_CLOEXEC), r;

    if (fd < 0)
        return err_set(reterr, ERR_IO, "cannot open the backup: %s", strerror(errno));
    r = file_size(fd, &len, reterr);
    if (r == 0)
        r = checksum_file(fd, len, &sum, reterr);
    if (r < 0)
        goto done;
    memcpy(seal.mark, seal_mark, sizeof seal.mark);
    seal.len_le = htole64((uint64_t)len);
    seal.checksum_le = htole64(sum);
    if (pwrite(fd, &seal, sizeof seal, (off_t)len) != (ssize_t)sizeof seal || fsync(fd) != 0)
        r = err_set(reterr, ERR_IO, "cannot write the backup: %s", strerror(errno));
done:
    (void)close(fd);
    return r;
}

/* ---- checking a database ---- */

static int on_integrity_row(const struct value *columns, size_t n_columns, void *arg, struct err_info *reterr)
{
    (void)n_columns;
    (void)arg;
    if (columns[0].type == VALUE_TEXT && str_is(columns[0].text, "ok"))
        return 0;
    return err_set(reterr, ERR_CORRUPT, "the store is damaged: %.*s", STR_ARG(columns[0].text));
}

static int on_foreign_key_row(const struct value *columns, size_t n_columns, void *arg,
                              struct err_info *reterr)
{
    (void)n_columns;
    (void)arg;
    return err_set(reterr, ERR_CORRUPT, "the store is damaged: a row of %.*s points at nothing",
                   STR_ARG(columns[0].text));
}

int backup_verify(struct conn *conn, struct err_info *reterr)
{
    int r = conn_statement(conn, "PRAGMA integrity_check(1)", NULL, 0, on_integrity_row, NULL, NULL, reterr);

    if (r < 0)
        return r;
    return conn_statement(conn, "PRAGMA foreign_key_check", NULL, 0, on_foreign_key_row, NULL, NULL, reterr);
}

/* ---- copying ---- */

int backup_sync_folder(const char *path, struct err_info *reterr)
{
    const char *slash = strrchr(path, '/');
    char folder[STORE_MAX_PATH_BYTES * 2];
    int fd, error = 0;

    (void)snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path + 1) : 1, slash ? path : ".");
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        error = errno;
    if (fd >= 0)
        (void)close(fd);
    return error == 0 ? 0 : err_set(reterr, ERR_IO, "cannot make %s durable: %s", folder, strerror(error));
}

static int copy_pages(sqlite3_backup *copy, sqlite3 *to, store_progress_fn progress, void *arg,
                      struct err_info *reterr)
{
    int rc;

    do {
        rc = sqlite3_backup_step(copy, PAGES_PER_STEP);
        if (progress && (rc == SQLITE_OK || rc == SQLITE_DONE))
            progress(sqlite3_backup_pagecount(copy) - sqlite3_backup_remaining(copy),
                     sqlite3_backup_pagecount(copy), arg);
    } while (rc == SQLITE_OK);
    return sqlite_error(to, rc, "copy the store", reterr);
}

/* The open snapshot keeps the copy from starting over with every commit. */
static int copy_snapshot(struct conn *from, struct conn *to, store_progress_fn progress, void *arg,
                         struct err_info *reterr)
{
    sqlite3_backup *copy;
    int64_t ignored;
    int r = conn_get_int(from, "SELECT count(*) FROM precis_schema", &ignored, reterr);

    if (r < 0)
        return r;
    copy = sqlite3_backup_init(to->db, "main", from->db, "main");
    if (!copy)
        return sqlite_error(to->db, sqlite3_errcode(to->db), "copy the store", reterr);
    r = copy_pages(copy, to->db, progress, arg, reterr);
    (void)sqlite3_backup_finish(copy);
    return r;
}

/* Fills the empty file `path`. It becomes one file that needs no log, and is checked as the reader will find
 * it. */
static int fill(struct pool *pool, const char *path, store_progress_fn progress, void *arg,
                struct err_info *reterr)
{
    struct conn *from = NULL, *to = NULL;
    int r = conn_new(path, CONN_WRITER, &to, reterr);

    if (r == 0)
        r = pool_begin(pool, &from, reterr);
    if (r == 0)
        r = copy_snapshot(from, to, progress, arg, reterr);
    if (from)
        pool_end(pool, from);
    if (r == 0)
        r = sqlite_run(to->db, "PRAGMA journal_mode = DELETE", "finish the backup", reterr);
    if (r == 0)
        r = backup_verify(to, reterr);
    conn_free(to);
    return r;
}

/* Gives the finished file its name, which must be free. */
static int publish(const char *temporary, const char *path, struct err_info *reterr)
{
    int error = renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0 ? 0 : errno;

    /* Not every file system knows that call; a second name refuses to replace as well. */
    if (error == EINVAL || error == ENOSYS)
        error = link(temporary, path) == 0 ? 0 : errno;
    if (error == EEXIST)
        return err_set(reterr, ERR_CONFLICT, "%s exists already", path);
    if (error != 0)
        return err_set(reterr, ERR_IO, "cannot name the backup: %s", strerror(error));
    return backup_sync_folder(path, reterr);
}

static void remove_with_side_files(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    char name[STORE_MAX_PATH_BYTES + 32];

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        (void)snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        (void)unlink(name);
    }
}

int backup_make(struct pool *pool, const char *path, store_progress_fn progress, void *arg,
                struct err_info *reterr)
{
    char temporary[STORE_MAX_PATH_BYTES + 16];
    struct stat status;
    int fd, r;

    if (strlen(path) >= STORE_MAX_PATH_BYTES)
        return err_set(reterr, ERR_INVALID, "the backup's path is longer than %d bytes",
                       STORE_MAX_PATH_BYTES - 1);
    if (lstat(path, &status) == 0)
        return err_set(reterr, ERR_CONFLICT, "%s exists already", path);
    (void)snprintf(temporary, sizeof temporary, "%s.part-XXXXXX", path);
    fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return err_set(reterr, ERR_IO, "cannot create %s: %s", path, strerror(errno));
    (void)close(fd);

    r = fill(pool, temporary, progress, arg, reterr);
    if (r == 0)
        r = seal_file(temporary, reterr);
    if (r == 0)
        r = publish(temporary, path, reterr);
    remove_with_side_files(temporary);
    return r;
}
