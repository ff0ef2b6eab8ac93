/* SPDX-License-Identifier: Apache-2.0
 *
 * The book of recipes: built-in ones, those of folders over them, and what is left out.
 */
#include "recipe_fixture.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct recipe_connection connections[] = {
    {STR_LIT("main"), NULL}, {STR_LIT("series"), NULL}, {STR_LIT("fleet"), NULL}};
static char folders[2][64];

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        connections[i].ops = source_kind_for_url(STR_LIT("sqlite:/x"));
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(folders[i], sizeof folders[i], "/tmp/precis-book-XXXXXX");
        if (!mkdtemp(folders[i]))
            return -1;
    }
    return 0;
}

static void path_of(size_t folder, const char *name, char *ret_path, size_t size)
{
    (void)snprintf(ret_path, size, "%s/%s", folders[folder], name);
}

static void put(size_t folder, const char *name, const char *text)
{
    char path[128];
    FILE *file;

    path_of(folder, name, path, sizeof path);
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

static int teardown(void **state)
{
    static const char *const names[] = {"a.yaml", "b.yaml", "c.yml", ".d.yaml", "notes.txt"};
    char path[128];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < sizeof names / sizeof names[0]; j++) {
            path_of(i, names[j], path, sizeof path);
            (void)unlink(path); /* most are not there */
        }
        (void)rmdir(folders[i]);
    }
    return 0;
}

static int load(size_t n_folders, size_t n_connections, struct recipe_book *book,
                struct recipe_report *report, struct err_info *err)
{
    const char *paths[] = {folders[0], folders[1]};

    return recipe_book_load(paths, n_folders, connections, n_connections, book, report, err);
}

static const char tiny[] = "sections: [{ name: s, from: text, text: hello }]\n";

static void put_recipe(size_t folder, const char *file, const char *name, const char *about)
{
    char text[256];

    (void)snprintf(text, sizeof text, "recipe: %s\nabout: %s\n%s", name, about, tiny);
    put(folder, file, text);
}

static void the_assistant_is_built_in(void **state)
{
    struct recipe_book book;
    struct err_info err = {0};
    const struct recipe *assistant;
    static const char *const titles[] = {"Recent Conversation", "User Profile",      "Relevant Knowledge",
                                         "Upcoming Events",     "Active Tasks",      "Current Weather",
                                         "Financial Watchlist", "Smart Home Devices"};

    (void)state;
    assert_int_equal(load(0, 3, &book, NULL, &err), 0);
    assert_int_equal(book.n_left_out, 0);
    assert_non_null(recipe_book_find(&book, STR_LIT("device")));
    assistant = recipe_book_find(&book, STR_LIT("assistant"));
    assert_non_null(assistant);
    assert_int_equal(assistant->n_sections, 8);
    for (size_t i = 0; i < 8; i++)
        assert_true(str_is(assistant->sections[i].title, titles[i]));
    /* Only the weather and the prices wait, for the resolves; nothing waits for another section. */
    for (size_t i = 0; i < 8; i++)
        assert_true(assistant->sections[i].step.needs >> assistant->n_resolves == 0);
    recipe_book_done(&book);
}

static void a_built_in_recipe_without_its_connection_is_left_out(void **state)
{
    struct recipe_book book;
    struct err_info err = {0};

    (void)state;
    assert_int_equal(load(0, 1, &book, NULL, &err), 0);
    assert_null(recipe_book_find(&book, STR_LIT("assistant")));
    assert_int_equal(book.n_left_out, 2);
    assert_true(str_is(book.left_out[0], "assistant.yaml: unknown connection 'series'"));
    assert_true(str_is(book.left_out[1], "device.yaml: unknown connection 'fleet'"));
    recipe_book_done(&book);
}

static void files_go_over_built_in_recipes_and_later_folders_over_earlier(void **state)
{
    struct recipe_book book;
    struct err_info err = {0};

    (void)state;
    put_recipe(0, "a.yaml", "assistant", "mine");
    put_recipe(0, "b.yaml", "zebra", "first");
    put_recipe(1, "a.yaml", "zebra", "second");
    put_recipe(1, "c.yml", "ignored", "x");
    put_recipe(1, ".d.yaml", "hidden", "x");
    put(1, "notes.txt", "no recipe");
    assert_int_equal(load(2, 2, &book, NULL, &err), 0);
    assert_int_equal(book.n, 3);
    assert_true(str_is(recipe_book_find(&book, STR_LIT("assistant"))->about, "mine"));
    assert_true(str_is(recipe_book_find(&book, STR_LIT("zebra"))->about, "second"));
    assert_null(recipe_book_find(&book, STR_LIT("ignored")));
    recipe_book_done(&book);
}

static void two_files_of_a_folder_cannot_share_a_name(void **state)
{
    struct recipe_book book;
    struct err_info err = {0};
    char expected[256];

    (void)state;
    put_recipe(0, "a.yaml", "same", "x");
    put_recipe(0, "b.yaml", "same", "x");
    assert_int_equal(load(1, 2, &book, NULL, &err), ERR_INVALID);
    (void)snprintf(expected, sizeof expected, "recipe 'same' stands in %s/a.yaml already", folders[0]);
    assert_string_equal(err.message, expected);
}

static void all_bad_files_are_reported_and_the_first_is_told(void **state)
{
    struct recipe_book book;
    struct recipe_report report = {0};
    struct err_info err = {0};
    char place[128];

    (void)state;
    put(0, "a.yaml", "recipe: a\nsections: []\n");
    put(0, "b.yaml", "recipe: b\nsectoins: []\n");
    assert_int_equal(load(1, 2, &book, &report, &err), ERR_INVALID);
    assert_int_equal(report.n, 3);
    (void)snprintf(place, sizeof place, "%s/a.yaml:2:11", folders[0]);
    assert_string_equal(err.field, place);
    assert_true(report.findings[1].file.len > 6 && report.findings[1].line == 1);
    assert_int_equal(report.findings[2].line, 2);
    recipe_report_done(&report);
}

static void a_folder_that_is_not_there_is_an_error(void **state)
{
    const char *const paths[] = {"/nonexistent/recipes"};
    struct recipe_book book;
    struct err_info err = {0};

    (void)state;
    assert_int_equal(recipe_book_load(paths, 1, connections, 2, &book, NULL, &err), ERR_IO);
    assert_string_equal(err.field, "/nonexistent/recipes");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_assistant_is_built_in),
        T(a_built_in_recipe_without_its_connection_is_left_out),
        T(files_go_over_built_in_recipes_and_later_folders_over_earlier),
        T(two_files_of_a_folder_cannot_share_a_name),
        T(all_bad_files_are_reported_and_the_first_is_told),
        T(a_folder_that_is_not_there_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
