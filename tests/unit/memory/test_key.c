/* SPDX-License-Identifier: Apache-2.0
 *
 * API keys: what a secret looks like, when it is valid, and that nothing remembers it in clear.
 */
#include "memory_fixture.h"

#include <fcntl.h>
#include <string.h>

struct made {
    struct str id, secret;
};

static int create(struct fixture *fixture, struct api_key key, struct made *ret_made)
{
    return api_key_create(fixture->memory, &key, &fixture->arena, &ret_made->id, &ret_made->secret,
                          &fixture->err);
}

static struct made create_good(struct fixture *fixture, const char *name, int64_t expires_us)
{
    struct made made = {0};
    struct api_key key = {.name = str_of(name),
                          .tenant = STR_LIT("acme"),
                          .scopes = KEY_READ | KEY_WRITE,
                          .expires_us = expires_us};

    assert_int_equal(create(fixture, key, &made), 0);
    return made;
}

static int check(struct fixture *fixture, struct str secret, struct api_key *ret_key)
{
    fixture->err = (struct err_info){0};
    return api_key_check(fixture->memory, secret, &fixture->arena, ret_key, &fixture->err);
}

static void new_key_opens_its_tenant(void **state)
{
    struct fixture *fixture = *state;
    struct made made = create_good(fixture, "ci", 0);
    struct api_key key = {0};

    assert_true(str_starts_with(made.secret, STR_LIT("pk_")));
    assert_int_equal(made.secret.len, 3 + 43 + 6);
    for (int i = 0; i < 2; i++) { /* from the store, then from the cache */
        assert_int_equal(check(fixture, made.secret, &key), 0);
        assert_true(str_eq(key.id, made.id));
        assert_true(str_is(key.name, "ci"));
        assert_true(str_is(key.tenant, "acme"));
        assert_int_equal(key.scopes, KEY_READ | KEY_WRITE);
        assert_int_equal(key.created_us, START_US);
    }
}

static void secrets_differ(void **state)
{
    struct fixture *fixture = *state;
    struct made a = create_good(fixture, "a", 0), b = create_good(fixture, "a", 0);

    assert_false(str_eq(a.secret, b.secret));
    assert_false(str_eq(a.id, b.id));
}

static void every_wrong_secret_is_denied_in_the_same_words(void **state)
{
    struct fixture *fixture = *state;
    struct made made = create_good(fixture, "ci", 0), revoked = create_good(fixture, "old", 0),
                expired = create_good(fixture, "short", START_US + 1);
    char changed[64], words[ERR_MESSAGE_SIZE];
    struct api_key key;

    assert_int_equal(api_key_revoke(fixture->memory, revoked.id, NULL), 0);
    clock_manual_advance(&fixture->clock, US_PER_SEC);
    assert_int_equal(check(fixture, STR_LIT("pk_guess"), &key), ERR_DENIED);
    memcpy(words, fixture->err.message, sizeof words);

    assert_int_equal(check(fixture, (struct str){NULL, 0}, &key), ERR_DENIED);
    assert_string_equal(fixture->err.message, words);
    assert_int_equal(check(fixture, revoked.secret, &key), ERR_DENIED);
    assert_string_equal(fixture->err.message, words);
    assert_int_equal(check(fixture, expired.secret, &key), ERR_DENIED);
    assert_string_equal(fixture->err.message, words);
    assert_int_equal(check(fixture, str_slice(made.secret, 0, made.secret.len - 1), &key), ERR_DENIED);
    assert_string_equal(fixture->err.message, words);
    for (size_t i = 0; i < made.secret.len; i++) {
        memcpy(changed, made.secret.ptr, made.secret.len);
        changed[i] = changed[i] == 'x' ? 'y' : 'x';
        assert_int_equal(check(fixture, str_make(changed, made.secret.len), &key), ERR_DENIED);
        assert_string_equal(fixture->err.message, words);
    }
    assert_int_equal(check(fixture, made.secret, &key), 0);
}

static void revoked_key_ends_at_once_though_it_was_cached(void **state)
{
    struct fixture *fixture = *state;
    struct made made = create_good(fixture, "ci", 0), other = create_good(fixture, "stays", 0);
    uint64_t version = api_key_version(fixture->memory);
    struct api_key key;

    assert_int_equal(check(fixture, made.secret, &key), 0);
    assert_int_equal(api_key_revoke(fixture->memory, made.id, NULL), 0);
    assert_true(api_key_version(fixture->memory) > version);
    assert_int_equal(check(fixture, made.secret, &key), ERR_DENIED);
    assert_int_equal(check(fixture, other.secret, &key), 0);
}

static void peek_knows_what_was_checked_until_a_key_changes(void **state)
{
    struct fixture *fixture = *state;
    struct made made = create_good(fixture, "ci", START_US + 10 * US_PER_SEC);
    struct api_key key = {0};

    assert_int_equal(api_key_peek(fixture->memory, made.secret, &fixture->arena, &key, NULL), 1);
    assert_int_equal(check(fixture, made.secret, &key), 0);
    key = (struct api_key){0};
    assert_int_equal(api_key_peek(fixture->memory, made.secret, &fixture->arena, &key, NULL), 0);
    assert_true(str_is(key.tenant, "acme"));
    assert_int_equal(api_key_peek(fixture->memory, STR_LIT("pk_x"), &fixture->arena, &key, NULL), 1);
    create_good(fixture, "another", 0);
    assert_int_equal(api_key_peek(fixture->memory, made.secret, &fixture->arena, &key, NULL), 1);
    assert_int_equal(check(fixture, made.secret, &key), 0);
    clock_manual_advance(&fixture->clock, 10 * US_PER_SEC);
    assert_int_equal(api_key_peek(fixture->memory, made.secret, &fixture->arena, &key, NULL), ERR_DENIED);
}

static void cached_key_expires_at_its_hour(void **state)
{
    struct fixture *fixture = *state;
    struct made made = create_good(fixture, "short", START_US + 10 * US_PER_SEC);
    struct api_key key;

    assert_int_equal(check(fixture, made.secret, &key), 0);
    clock_manual_advance(&fixture->clock, 10 * US_PER_SEC - 1);
    assert_int_equal(check(fixture, made.secret, &key), 0);
    clock_manual_advance(&fixture->clock, 1);
    assert_int_equal(check(fixture, made.secret, &key), ERR_DENIED);
}

static void more_keys_than_the_cache_holds_all_work(void **state)
{
    struct fixture *fixture = *state;
    struct made made[600];
    struct api_key key;

    for (size_t i = 0; i < 600; i++)
        made[i] = create_good(fixture, "many", 0);
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < 600; i++) {
            assert_int_equal(check(fixture, made[i].secret, &key), 0);
            assert_true(str_eq(key.id, made[i].id));
        }
    }
}

static void revoking_again_keeps_the_first_hour(void **state)
{
    struct fixture *fixture = *state;
    struct made made = create_good(fixture, "ci", 0);
    struct api_key *keys;
    size_t n;

    assert_int_equal(api_key_revoke(fixture->memory, STR_LIT("key_unknown"), NULL), 1);
    assert_int_equal(api_key_revoke(fixture->memory, made.id, NULL), 0);
    clock_manual_advance(&fixture->clock, US_PER_SEC);
    assert_int_equal(api_key_revoke(fixture->memory, made.id, NULL), 0);
    assert_int_equal(api_key_list(fixture->memory, &fixture->arena, &keys, &n, NULL), 0);
    assert_int_equal(n, 1);
    assert_int_equal(keys[0].revoked_us, START_US);
}

static void keys_are_listed_in_order_without_secrets(void **state)
{
    struct fixture *fixture = *state;
    struct made first = create_good(fixture, "first", 0), second;
    struct api_key *keys;
    size_t n;

    clock_manual_advance(&fixture->clock, US_PER_SEC);
    second = create_good(fixture, "second", START_US + US_PER_SEC * 60);
    assert_int_equal(api_key_list(fixture->memory, &fixture->arena, &keys, &n, NULL), 0);
    assert_int_equal(n, 2);
    assert_true(str_eq(keys[0].id, first.id) && str_is(keys[0].name, "first"));
    assert_true(str_eq(keys[1].id, second.id) && keys[1].expires_us == START_US + US_PER_SEC * 60);
}

static void wrong_input_names_the_field(void **state)
{
    struct fixture *fixture = *state;
    struct api_key good = {.name = STR_LIT("n"), .tenant = STR_LIT("t"), .scopes = KEY_READ}, bad;
    struct made made;

    bad = good;
    bad.name = STR_LIT("");
    assert_int_equal(create(fixture, bad, &made), ERR_INVALID);
    assert_string_equal(fixture->err.field, "name");
    bad = good;
    bad.tenant = STR_LIT("");
    assert_int_equal(create(fixture, bad, &made), ERR_INVALID);
    assert_string_equal(fixture->err.field, "tenant");
    bad = good;
    bad.scopes = 0;
    assert_int_equal(create(fixture, bad, &made), ERR_INVALID);
    assert_string_equal(fixture->err.field, "scopes");
    bad.scopes = 8;
    assert_int_equal(create(fixture, bad, &made), ERR_INVALID);
    bad = good;
    bad.expires_us = START_US;
    assert_int_equal(create(fixture, bad, &made), ERR_INVALID);
    assert_string_equal(fixture->err.field, "expires");
}

/* Reads the file and its log whole. */
static bool is_in_file(const char *path, struct str text)
{
    int fd = open(path, O_RDONLY);
    off_t len = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    char *bytes = malloc((size_t)len + 1);
    bool is_found;

    assert_true(fd < 0 || pread(fd, bytes, (size_t)len, 0) == len);
    is_found = memmem(bytes, (size_t)len, text.ptr, text.len) != NULL;
    free(bytes);
    if (fd >= 0)
        (void)close(fd);
    return is_found;
}

static void secret_is_in_no_file(void **state)
{
    struct fixture *fixture = *state;
    struct made made = create_good(fixture, "a name to be found", 0);
    struct api_key key;
    char path[128];
    bool has_name = false;

    assert_int_equal(check(fixture, made.secret, &key), 0);
    for (int i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/precis.db%s", fixture->folder, i == 0 ? "" : "-wal");
        assert_false(is_in_file(path, made.secret));
        assert_false(is_in_file(path, str_slice(made.secret, 3, 20)));
        has_name |= is_in_file(path, STR_LIT("a name to be found"));
    }
    assert_true(has_name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(new_key_opens_its_tenant),
        FIXTURE_TEST(secrets_differ),
        FIXTURE_TEST(every_wrong_secret_is_denied_in_the_same_words),
        FIXTURE_TEST(revoked_key_ends_at_once_though_it_was_cached),
        FIXTURE_TEST(peek_knows_what_was_checked_until_a_key_changes),
        FIXTURE_TEST(cached_key_expires_at_its_hour),
        FIXTURE_TEST(more_keys_than_the_cache_holds_all_work),
        FIXTURE_TEST(revoking_again_keeps_the_first_hour),
        FIXTURE_TEST(keys_are_listed_in_order_without_secrets),
        FIXTURE_TEST(wrong_input_names_the_field),
        FIXTURE_TEST(secret_is_in_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
