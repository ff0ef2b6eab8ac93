/* SPDX-License-Identifier: Apache-2.0
 *
 * The versions that invalidate caches, within a process and between processes.
 */
#include "store_fixture.h"

#include <fcntl.h>
#include <sys/mman.h>

#define N_SLOTS 65536

static uint64_t version_of(struct store *store, const char *user)
{
    return store_version(store, STR_LIT("t"), str_of(user));
}

static void write_raises_the_version_it_touches_and_no_other(void **state)
{
    struct fixture *fixture = *state;
    uint64_t mine, other;

    fixture->store = fixture_open(fixture);
    mine = version_of(fixture->store, "u");
    other = version_of(fixture->store, "somebody else");
    assert_int_equal(put(fixture->store, "a"), 0);
    assert_true(version_of(fixture->store, "u") > mine);
    assert_int_equal(version_of(fixture->store, "somebody else"), other);
}

static int touch_only_fn(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    (void)arg;
    (void)reterr;
    return store_touch(txn, STR_LIT("t"), STR_LIT("u"));
}

static void write_of_another_process_raises_the_version(void **state)
{
    struct fixture *fixture = *state;
    uint64_t before;
    int status, go[2];
    char byte = 0;
    pid_t child;

    assert_int_equal(pipe(go), 0);
    child = fork(); /* before the store is open: a handle does not survive a fork */
    if (child == 0) {
        struct store *store;

        (void)!read(go[0], &byte, 1);
        store = fixture_open(fixture);
        status = put(store, "from the child");
        store_close(store);
        _exit(status == 0 ? 0 : 1);
    }
    fixture->store = fixture_open(fixture);
    before = version_of(fixture->store, "u");
    assert_int_equal(write(go[1], &byte, 1), 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(version_of(fixture->store, "u") > before);
    assert_true(is_there(fixture->store, "from the child"));
    (void)close(go[0]);
    (void)close(go[1]);
}

static void two_handles_in_one_process_share_rows_and_versions(void **state)
{
    struct fixture *fixture = *state;
    struct store *second;
    struct store_info info;
    uint64_t before;

    fixture->store = fixture_open(fixture);
    second = fixture_open(fixture);
    before = version_of(fixture->store, "u");
    assert_int_equal(put(second, "a"), 0);
    assert_true(version_of(fixture->store, "u") > before);
    assert_true(is_there(fixture->store, "a"));

    assert_int_equal(store_describe(fixture->store, &info, NULL), 0);
    assert_true(info.is_owner);
    assert_int_equal(store_describe(second, &info, NULL), 0);
    assert_false(info.is_owner);
    store_close(second);
    assert_int_equal(put(fixture->store, "b"), 0);
}

static int fill_fn(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    (void)arg;
    return store_exec(txn,
                      "INSERT INTO knowledge_history (replaced_at, tenant, user_id, id, importance, content)"
                      " VALUES (1, 't', 'u', 'x', 0, hex(zeroblob(2500000)))",
                      NULL, 0, reterr);
}

static void next_one_checkpoints_when_the_owner_has_gone(void **state)
{
    struct fixture *fixture = *state;
    struct store *first = fixture_open(fixture);
    struct store_info info;

    fixture->store = fixture_open(fixture);
    assert_int_equal(store_write(fixture->store, fill_fn, NULL, NULL),
                     0); /* more pages than a checkpoint waits for */
    assert_int_equal(store_describe(fixture->store, &info, NULL), 0);
    assert_false(info.is_owner);
    store_close(first);
    assert_int_equal(store_write(fixture->store, fill_fn, NULL, NULL), 0);
    /* A group's end comes after its waiter has been told: the second write is behind the end of the first. */
    assert_int_equal(put(fixture->store, "behind"), 0);
    assert_int_equal(store_describe(fixture->store, &info, NULL), 0);
    assert_true(info.is_owner);
    assert_true(info.size_bytes > 5000000); /* the log has been copied into the file */
}

static void file_of_another_size_is_made_anew(void **state)
{
    struct fixture *fixture = *state;
    struct stat status;
    char path[128];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s.versions", fixture->path);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("short", file) >= 0);
    assert_int_equal(fclose(file), 0);

    fixture->store = fixture_open(fixture);
    assert_int_equal(store_write(fixture->store, touch_only_fn, NULL, NULL), 0);
    assert_true(version_of(fixture->store, "u") > 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 65536 * 8 + 32);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static uint64_t *map_versions(const struct fixture *fixture)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s.versions", fixture->path);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    uint64_t *slots = mmap(NULL, N_SLOTS * sizeof *slots, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(slots, MAP_FAILED);
    (void)close(fd);
    return slots;
}

static void assert_version_stands(struct store *store, const char *user)
{
    assert_int_equal(version_of(store, user), version_of(store, user));
}

static void assert_version_is_never_the_same(struct store *store, const char *user)
{
    uint64_t first = version_of(store, user), second = version_of(store, user);
    assert_true(first < second && second < version_of(store, user));
}

/* As a writer leaves them that was killed between its commit and the second raise. */
static void make_odd(struct fixture *fixture)
{
    uint64_t *slots = map_versions(fixture);
    for (size_t i = 0; i < N_SLOTS; i++)
        slots[i] |= 1;
    (void)munmap(slots, N_SLOTS * sizeof *slots);
}

static void nothing_is_kept_behind_a_writer_that_was_killed_at_its_commit(void **state)
{
    struct fixture *fixture = *state;
    struct store *second;
    fixture->store = fixture_open(fixture);
    assert_version_stands(fixture->store, "u");
    make_odd(fixture);
    assert_version_is_never_the_same(fixture->store, "u");
    assert_version_is_never_the_same(fixture->store, "other");
    assert_int_equal(put(fixture->store, "a"), 0); /* it touches u */
    assert_version_stands(fixture->store, "u");
    assert_version_is_never_the_same(fixture->store, "other");
    second = fixture_open(fixture);
    assert_version_stands(fixture->store, "other");
    store_close(second);
}

static void commit_does_not_stand_before_its_version_has_risen(void **state)
{
    struct fixture *fixture = *state;
    fixture->store = fixture_open(fixture);
    for (int i = 0; i < 20; i++) {
        char key[16];
        uint64_t before = version_of(fixture->store, "u");
        (void)snprintf(key, sizeof key, "key %d", i);
        assert_int_equal(put(fixture->store, key), 0);
        uint64_t after = version_of(fixture->store, "u");
        assert_true(after > before && after % 2 == 0);
    }
}

static void flipped_bits_cost_a_rebuild_and_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    uint64_t *slots;
    fixture->store = fixture_open(fixture);
    assert_int_equal(put(fixture->store, "a"), 0);
    slots = map_versions(fixture);
    for (int bit = 0; bit < 64; bit++) {
        uint64_t kept = version_of(fixture->store, "u");
        for (size_t i = 0; i < N_SLOTS; i++)
            slots[i] ^= UINT64_C(1) << bit;
        uint64_t before = version_of(fixture->store, "u");
        assert_true(before != kept);
        char key[16];
        (void)snprintf(key, sizeof key, "key %d", bit);
        assert_int_equal(put(fixture->store, key), 0);
        assert_true(version_of(fixture->store, "u") != before && version_of(fixture->store, "u") != kept);
        assert_version_stands(fixture->store, "u");
    }
    (void)munmap(slots, N_SLOTS * sizeof *slots);
}

static void file_full_of_anything_is_as_good_as_a_new_one(void **state)
{
    struct fixture *fixture = *state;
    char path[128];
    (void)snprintf(path, sizeof path, "%s.versions", fixture->path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (size_t i = 0; i < N_SLOTS * sizeof(uint64_t) + 32; i++)
        (void)fputc((int)(i * 2654435761U >> 24 & 0xff), file);
    assert_int_equal(fclose(file), 0);
    fixture->store = fixture_open(fixture);
    assert_version_stands(fixture->store, "u");
    uint64_t before = version_of(fixture->store, "u"), other = version_of(fixture->store, "somebody else");
    assert_int_equal(put(fixture->store, "a"), 0);
    assert_true(version_of(fixture->store, "u") > before);
    assert_int_equal(version_of(fixture->store, "somebody else"), other);
}

static void assert_identity(const struct store *store, unsigned char identity[STORE_IDENTITY_BYTES],
                            bool is_same)
{
    unsigned char now[STORE_IDENTITY_BYTES];
    store_identity(store, now);
    assert_int_equal(memcmp(now, identity, sizeof now) == 0, is_same);
    memcpy(identity, now, sizeof now);
}

/* A number of one life may name other data than the same number of another. */
static void each_life_of_the_numbers_has_an_identity(void **state)
{
    struct fixture *fixture = *state;
    unsigned char identity[STORE_IDENTITY_BYTES];
    char path[160], aside[170], backup[160], url[160];

    (void)snprintf(path, sizeof path, "%s.versions", fixture->path);
    (void)snprintf(aside, sizeof aside, "%s.aside", path);
    (void)snprintf(backup, sizeof backup, "%s.backup", fixture->path);
    (void)snprintf(url, sizeof url, "sqlite:%s", fixture->path);
    fixture->store = fixture_open(fixture);
    store_identity(fixture->store, identity);
    struct store *second = fixture_open(fixture);
    assert_identity(second, identity, true);
    store_close(second);
    assert_int_equal(store_backup(fixture->store, backup, NULL, NULL, NULL), 0);
    fixture->store = store_close(fixture->store);

    fixture->store = fixture_open(fixture); /* a restart */
    assert_identity(fixture->store, identity, true);
    fixture->store = store_close(fixture->store);

    assert_int_equal(rename(path, aside), 0); /* a copy in its place */
    FILE *from = fopen(aside, "r"), *to = fopen(path, "w");
    assert_true(from && to);
    for (int c; (c = fgetc(from)) != EOF;)
        (void)fputc(c, to);
    (void)fclose(from);
    assert_int_equal(fclose(to), 0);
    fixture->store = fixture_open(fixture);
    assert_identity(fixture->store, identity, false);
    fixture->store = store_close(fixture->store);

    assert_int_equal(unlink(path), 0);
    fixture->store = fixture_open(fixture);
    assert_identity(fixture->store, identity, false);
    fixture->store = store_close(fixture->store);

    assert_int_equal(store_restore(url, backup, NULL), 0);
    fixture->store = fixture_open(fixture);
    assert_identity(fixture->store, identity, false);
    assert_int_equal(unlink(aside), 0);
    assert_int_equal(unlink(backup), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(write_raises_the_version_it_touches_and_no_other),
        FIXTURE_TEST(write_of_another_process_raises_the_version),
        FIXTURE_TEST(two_handles_in_one_process_share_rows_and_versions),
        FIXTURE_TEST(next_one_checkpoints_when_the_owner_has_gone),
        FIXTURE_TEST(file_of_another_size_is_made_anew),
        FIXTURE_TEST(nothing_is_kept_behind_a_writer_that_was_killed_at_its_commit),
        FIXTURE_TEST(commit_does_not_stand_before_its_version_has_risen),
        FIXTURE_TEST(flipped_bits_cost_a_rebuild_and_nothing_else),
        FIXTURE_TEST(each_life_of_the_numbers_has_an_identity),
        FIXTURE_TEST(file_full_of_anything_is_as_good_as_a_new_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
