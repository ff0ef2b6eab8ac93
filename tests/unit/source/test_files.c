/* SPDX-License-Identifier: Apache-2.0
 *
 * Kind `files`: what is shown of a folder, what never is, and that every limit says what it cost.
 */
#include "source/source.h"

#include "../fail_mem.h"
#include "world.h"

#include <sys/stat.h>

struct folder {
    struct world *world;
    struct source *source;
};

static int folder_open(void **state)
{
    struct folder *folder = calloc(1, sizeof *folder);
    world_open((void **)&folder->world);
    assert_int_equal(
        source_open_builtin(&folder->world->env, source_kind_find(STR_LIT("files")), &folder->source, NULL),
        0);
    *state = folder;
    return 0;
}

static int folder_close(void **state)
{
    struct folder *folder = *state;
    folder->world->loop = net_loop_free(folder->world->loop);
    source_close(folder->source);
    world_close((void **)&folder->world);
    free(folder);
    return 0;
}

static void make_folder(struct folder *folder, const char *name)
{
    assert_int_equal(mkdir(world_path(folder->world, name), 0755), 0);
}

static void make_file(struct folder *folder, const char *name, const char *bytes, size_t size)
{
    FILE *file = fopen(world_path(folder->world, name), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void make_text(struct folder *folder, const char *name)
{
    make_file(folder, name, "text\n", 5);
}

struct wish {
    const char *path; /* NULL: the world's folder */
    int64_t depth, max_files, max_bytes;
    bool without_tree, without_readme;
    int64_t deadline_us;
    size_t max_rows;
};

static int ask(struct folder *folder, struct wish wish, struct source_result **ret_result,
               struct err_info *reterr)
{
    struct value settings[] = {
        value_text(str_of(wish.path ? wish.path : folder->world->folder)),
        value_int(wish.depth ? wish.depth : 3),
        value_int(wish.max_files ? wish.max_files : 200),
        value_int(wish.max_bytes ? wish.max_bytes : 65536),
        value_bool(!wish.without_tree),
        value_bool(!wish.without_readme),
    };
    struct source_request request = {.settings = settings,
                                     .deadline_us = wish.deadline_us ? wish.deadline_us : INT64_MAX,
                                     .max_rows = wish.max_rows ? wish.max_rows : 10};
    return world_fetch(folder->world, folder->source, &request, ret_result, reterr);
}

static struct source_result *must_ask(struct folder *folder, struct wish wish)
{
    struct source_result *result = NULL;
    struct err_info err = {0};
    if (ask(folder, wish, &result, &err) < 0)
        fail_msg("%s", err.message);
    return result;
}

static void assert_tree(struct folder *folder, struct wish wish, const char *tree)
{
    wish.without_readme = true;
    struct source_result *result = must_ask(folder, wish);
    if (*tree) {
        assert_int_equal(result->n_rows, 1);
        assert_cell(result, 0, "kind", VALUE_TEXT, "tree");
        assert_cell(result, 0, "content", VALUE_TEXT, tree);
    } else {
        assert_int_equal(result->n_rows, 0);
    }
    source_result_free(result);
}

static void tree_is_sorted_folders_first(void **state)
{
    struct folder *folder = *state;
    make_folder(folder, "src");
    make_folder(folder, "src/core");
    make_text(folder, "src/core/arena.c");
    make_text(folder, "src/zlib.c");
    make_folder(folder, "docs");
    make_text(folder, "Makefile");
    make_text(folder, "LICENSE");
    assert_tree(folder, (struct wish){0}, "docs/\nsrc/\n  core/\n    arena.c\n  zlib.c\nLICENSE\nMakefile\n");
}

static void a_folder_of_the_configuration_is_shown_alike(void **state)
{
    struct folder *folder = *state;
    char url[300];
    struct source *source = NULL;
    struct source_result *result = NULL;
    struct buf said;
    struct value settings[] = {value_int(1), value_int(200), value_int(65536), value_bool(true),
                               value_bool(false)};
    struct source_request request = {.settings = settings, .deadline_us = INT64_MAX, .max_rows = 10};
    struct source_options options = {.name = "project", .url = STR_LIT("folder:")};

    make_folder(folder, "src");
    make_text(folder, "src/zlib.c");
    make_text(folder, ".env");
    make_text(folder, "README.md");
    assert_int_equal(source_open(&folder->world->env, &options, &source, NULL), ERR_INVALID);
    (void)snprintf(url, sizeof url, "folder:%s", folder->world->folder);
    options.url = str_of(url);
    assert_int_equal(source_open(&folder->world->env, &options, &source, NULL), 0);
    assert_int_equal(world_fetch(folder->world, source, &request, &result, NULL), 0);
    assert_int_equal(result->n_rows, 1);
    assert_cell(result, 0, "path", VALUE_TEXT, folder->world->folder);
    assert_cell(result, 0, "content", VALUE_TEXT, "src/ …\nREADME.md\n");
    source_result_free(result);
    buf_init(&said, 1024);
    assert_int_equal(source_check(source, INT64_MAX, &said, NULL), 0);
    assert_true(str_starts_with(buf_str(&said), STR_LIT("folder /")));
    buf_done(&said);
    folder->world->loop = net_loop_free(folder->world->loop);
    source_close(source);
}

static void tree_and_readme_are_two_rows(void **state)
{
    struct folder *folder = *state;
    make_file(folder, "README.md", "# Hello\n", 8);
    make_text(folder, "README.txt");
    struct source_result *result = must_ask(folder, (struct wish){0});
    assert_int_equal(result->n_rows, 2);
    assert_cell(result, 0, "kind", VALUE_TEXT, "tree");
    assert_cell(result, 0, "path", VALUE_TEXT, folder->world->folder);
    assert_cell(result, 1, "kind", VALUE_TEXT, "readme");
    assert_cell(result, 1, "path", VALUE_TEXT, "README.md");
    assert_cell(result, 1, "content", VALUE_TEXT, "# Hello\n");
    assert_cell(result, 1, "size", VALUE_INT, "8");
    assert_true(str_is(result->rows[1].id, "readme"));
    assert_false(result->is_truncated);
    source_result_free(result);

    result = must_ask(folder, (struct wish){.without_tree = true});
    assert_int_equal(result->n_rows, 1);
    assert_cell(result, 0, "kind", VALUE_TEXT, "readme");
    source_result_free(result);

    result = must_ask(folder, (struct wish){.max_rows = 1});
    assert_int_equal(result->n_rows, 1);
    assert_true(result->is_truncated);
    source_result_free(result);
}

static void secrets_binaries_and_build_outputs_are_left_out(void **state)
{
    struct folder *folder = *state;
    const char *const folders[] = {".git",   "node_modules", "build", "build-dev", "dist",
                                   "target", "__pycache__",  ".ssh",  ".venv"};
    const char *const files[] = {
        ".env",         ".env.local",       ".ENV",        "server.pem", "tls.key",
        "id_rsa",       "id_rsa.pub",       "a.p12",       "a.pfx",      "a.kdbx",
        "secrets.yaml", "Secret.txt",       "credentials", ".netrc",     ".git-credentials",
        "id_ed25519",   "credentials.json", ".npmrc"};
    char name[128];
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        make_folder(folder, folders[i]);
        snprintf(name, sizeof name, "%s/inside.txt", folders[i]);
        make_text(folder, name);
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        make_text(folder, files[i]);
    make_file(folder, "program",
              "\x7f"
              "ELF\0\0\0",
              7);
    make_folder(folder, "src");
    make_folder(folder, "src/build"); /* a folder of sources by that name */
    make_text(folder, "src/build/build.c");
    make_text(folder, "src/.env");
    make_text(folder, "main.c");
    make_file(folder, "late.bin", "", 0);
    assert_tree(folder, (struct wish){0}, "src/\n  build/\n    build.c\nlate.bin\nmain.c\n");
}

static void links_are_not_followed(void **state)
{
    struct folder *folder = *state;
    make_text(folder, "real.txt");
    assert_int_equal(symlink("/etc", world_path(folder->world, "etc")), 0);
    assert_int_equal(symlink("/etc/passwd", world_path(folder->world, "README.md")), 0);
    assert_int_equal(symlink("..", world_path(folder->world, "up")), 0);
    assert_int_equal(mkfifo(world_path(folder->world, "README"), 0644), 0); /* reading it would never end */
    struct source_result *result = must_ask(folder, (struct wish){0});
    assert_int_equal(result->n_rows, 1);
    assert_cell(result, 0, "content", VALUE_TEXT, "real.txt\n");
    source_result_free(result);
}

static void depth_is_bounded_and_said(void **state)
{
    struct folder *folder = *state;
    make_folder(folder, "a");
    make_folder(folder, "a/b");
    make_folder(folder, "a/b/c");
    make_text(folder, "a/b/c/d.txt");
    assert_tree(folder, (struct wish){.depth = 1}, "a/ …\n");
    assert_tree(folder, (struct wish){.depth = 2}, "a/\n  b/ …\n");
    assert_tree(folder, (struct wish){.depth = 4}, "a/\n  b/\n    c/\n      d.txt\n");
}

static void number_of_entries_is_bounded_and_said(void **state)
{
    struct folder *folder = *state;
    char name[64];
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "f%02d", i);
        make_text(folder, name);
    }
    assert_tree(folder, (struct wish){.max_files = 3}, "f00\nf01\nf02\n… 57 more\n");
}

static void one_large_folder_does_not_hide_its_neighbours(void **state)
{
    struct folder *folder = *state;
    char name[64];
    make_folder(folder, "assets");
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "assets/%02d.svg", i);
        make_text(folder, name);
    }
    make_folder(folder, "src");
    make_text(folder, "src/main.c");
    make_text(folder, "top.txt");
    struct source_result *result = must_ask(folder, (struct wish){.max_files = 23, .without_readme = true});
    struct str text = result->rows[0].values[2].text;
    assert_true(str_find(text, STR_LIT("assets/\n  00.svg\n")) == 0);
    assert_true(str_find(text, STR_LIT("  09.svg\n  … 90 more\nsrc/\n  main.c\ntop.txt\n")) > 0);
    source_result_free(result);
}

static void bytes_are_bounded_and_said(void **state)
{
    struct folder *folder = *state;
    char name[64], text[2000];
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "a-file-with-a-long-name-%02d", i);
        make_text(folder, name);
    }
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 2); /* é: a cut must not fall inside it */
    make_file(folder, "README.md", text, 1999);
    struct source_result *result = must_ask(folder, (struct wish){.max_bytes = 257});
    struct str tree = result->rows[0].values[2].text, readme = result->rows[1].values[2].text;
    assert_true(tree.len <= 257);
    assert_true(str_find(tree, STR_LIT("\n… ")) > 0);
    assert_true(str_find(readme, STR_LIT("\n… 1743 more bytes\n")) == 256);
    assert_cell(result, 1, "size", VALUE_INT, "1999");
    source_result_free(result);
}

static void hostile_names_cannot_draw_lines(void **state)
{
    struct folder *folder = *state;
    make_text(folder, "a\nsrc");
    make_text(folder, "b\xff\x1b[2J");
    make_text(folder, "c\xe2\x80\xae"
                      "d");
    struct source_result *result = must_ask(folder, (struct wish){.without_readme = true});
    assert_cell(result, 0, "content", VALUE_TEXT, "a src\nb\xef\xbf\xbd[2J\ncd\n");
    source_result_free(result);
}

static void binary_readme_is_left_out(void **state)
{
    struct folder *folder = *state;
    make_file(folder, "README.md", "text\0more", 9);
    struct source_result *result = must_ask(folder, (struct wish){0});
    assert_int_equal(result->n_rows, 0);
    source_result_free(result);
}

static void must_refuse(struct folder *folder, struct wish wish, int code, const char *words)
{
    struct source_result *result = NULL;
    struct err_info err = {0};
    assert_int_equal(ask(folder, wish, &result, &err), code);
    assert_non_null(strstr(err.message, words));
}

static void wrong_paths_are_refused(void **state)
{
    struct folder *folder = *state;
    char path[600], *long_path = calloc(1, 5001);
    memset(long_path, 'x', 5000);
    snprintf(path, sizeof path, "%s/../../etc", folder->world->folder);
    must_refuse(folder, (struct wish){.path = path}, ERR_INVALID, "'..'");
    must_refuse(folder, (struct wish){.path = ".."}, ERR_INVALID, "'..'");
    must_refuse(folder, (struct wish){.path = ""}, ERR_INVALID, "path");
    must_refuse(folder, (struct wish){.path = long_path}, ERR_INVALID, "path");
    must_refuse(folder, (struct wish){.path = "/no/such/folder"}, ERR_UNAVAILABLE, "/no/such/folder");
    must_refuse(folder, (struct wish){.path = "/etc/passwd"}, ERR_UNAVAILABLE, "/etc/passwd");
    free(long_path);
}

static void every_failed_allocation_is_survived(void **state)
{
    struct folder *folder = *state;
    bool is_pending = false;
    long n_failed = 0;
    make_folder(folder, "src");
    make_text(folder, "src/main.c");
    make_text(folder, "README");
    for (long n = 1; !is_pending; n++) {
        struct source_result *result = NULL;
        struct err_info err = {0};
        fail_mem_at(n);
        int res = ask(folder, (struct wish){0}, &result, &err);
        is_pending = fail_mem_is_pending();
        fail_mem_at(0);
        assert_true(res == 0 || (res == ERR_NOMEM && err.message[0]));
        n_failed += res < 0;
        if (res == 0)
            assert_int_equal(result->n_rows, 2);
        source_result_free(result);
    }
    assert_true(n_failed > 5);
}

int main(void)
{
#define FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_open, folder_close)
    const struct CMUnitTest tests[] = {
        FOLDER(tree_is_sorted_folders_first),
        FOLDER(tree_and_readme_are_two_rows),
        FOLDER(a_folder_of_the_configuration_is_shown_alike),
        FOLDER(secrets_binaries_and_build_outputs_are_left_out),
        FOLDER(links_are_not_followed),
        FOLDER(depth_is_bounded_and_said),
        FOLDER(number_of_entries_is_bounded_and_said),
        FOLDER(one_large_folder_does_not_hide_its_neighbours),
        FOLDER(bytes_are_bounded_and_said),
        FOLDER(hostile_names_cannot_draw_lines),
        FOLDER(binary_readme_is_left_out),
        FOLDER(wrong_paths_are_refused),
        FOLDER(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
