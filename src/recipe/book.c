/* SPDX-License-Identifier: Apache-2.0
 *
 * The recipes a server knows: those built in, and over them those of the folders that the configuration
 * names.
 */
#include "recipe/recipe_priv.h"

#include "core/embed.h"
#include "core/mem.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define BOOK_MAX_ARENA_BYTES (4 * 1024 * 1024)

extern const struct embedded_file recipe_builtin_files[];

/* One run of recipe_book_load. */
struct binding {
    struct recipe_book book;
    size_t recipes_cap, left_out_cap;
    const struct recipe_connection *connections;
    size_t n_connections;
    struct recipe_report *report;
};

const struct recipe *recipe_book_find(const struct recipe_book *book, struct str name)
{
    size_t low = 0;
    size_t high = book->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_compare(book->recipes[middle]->name, name);

        if (order == 0)
            return book->recipes[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

void recipe_book_done(struct recipe_book *book)
{
    for (size_t i = 0; i < book->n; i++)
        recipe_unref(book->recipes[i]);
    arena_done(&book->arena);
    *book = (struct recipe_book){0};
}

/* Takes the recipe into its place by name. One that is there already goes, unless it is of the same folder
 * (`folder` "" for the built-in ones): then the two are an error. */
static int add_recipe(struct binding *binding, struct recipe *recipe, const char *folder,
                      struct err_info *reterr)
{
    struct recipe_book *book = &binding->book;
    struct recipe **recipes;
    size_t at = 0;
    size_t n_folder = strlen(folder);

    while (at < book->n && str_compare(book->recipes[at]->name, recipe->name) < 0)
        at++;
    if (at < book->n && str_eq(book->recipes[at]->name, recipe->name)) {
        struct recipe *old = book->recipes[at];

        if (n_folder > 0 && str_starts_with(old->file, str_make(folder, n_folder)) &&
            old->file.ptr[n_folder] == '/') {
            int r =
                err_set_field(reterr, ERR_INVALID, recipe->file.ptr, "recipe '%.*s' stands in %.*s already",
                              STR_ARG(recipe->name), STR_ARG(old->file));

            recipe_unref(recipe);
            return r;
        }
        recipe_unref(old);
        book->recipes[at] = recipe;
        return 0;
    }
    recipes = arena_grow(&book->arena, book->recipes, book->n, &binding->recipes_cap, sizeof *recipes);
    if (!recipes) {
        recipe_unref(recipe);
        return err_set(reterr, arena_error(&book->arena), "there are too many recipes in %s", folder);
    }
    memmove(recipes + at + 1, recipes + at, (book->n - at) * sizeof *recipes);
    recipes[at] = recipe;
    book->recipes = recipes;
    book->n++;
    return 0;
}

static int leave_out(struct binding *binding, const struct embedded_file *file, const struct err_info *why,
                     struct err_info *reterr)
{
    struct recipe_book *book = &binding->book;
    struct str *left_out =
        arena_grow(&book->arena, book->left_out, book->n_left_out, &binding->left_out_cap, sizeof *left_out);

    if (!left_out)
        return err_set(reterr, arena_error(&book->arena), "out of memory while reading the built-in recipes");
    book->left_out = left_out;
    left_out[book->n_left_out] = arena_printf(&book->arena, "%s: %s", file->name, why->message);
    if (arena_error(&book->arena))
        return err_set(reterr, arena_error(&book->arena), "out of memory while reading the built-in recipes");
    book->n_left_out++;
    return 0;
}

static int add_builtin(struct binding *binding, const struct embedded_file *file, struct err_info *reterr)
{
    struct recipe_report report = {0};
    struct recipe *recipe;
    struct err_info err = {0};
    bool only_connections;
    int r = recipe_load_counting(embedded_text(file), file->name, binding->connections,
                                 binding->n_connections, &recipe, &report, &only_connections, &err);

    recipe_report_done(&report);
    if (r == 0)
        return add_recipe(binding, recipe, "", reterr);
    if (only_connections)
        return leave_out(binding, file, &err, reterr);
    if (reterr)
        *reterr = err;
    return r;
}

static int read_file(const char *path, struct buf *buf, struct err_info *reterr)
{
    FILE *file = fopen(path, "rbe");
    char part[8192];
    size_t n;
    int r = 0;

    if (!file)
        return err_set_field(reterr, ERR_IO, path, "cannot open %s: %s", path, strerror(errno));
    while ((n = fread(part, 1, sizeof part, file)) > 0)
        buf_append(buf, part, n);
    if (ferror(file))
        r = err_set_field(reterr, ERR_IO, path, "cannot read %s", path);
    else if (buf_error(buf))
        r = err_set_field(reterr, buf_error(buf), path, "%s is too large for a recipe", path);
    (void)fclose(file);
    return r;
}

static int add_file(struct binding *binding, const char *folder, const char *name, struct err_info *reterr)
{
    struct recipe *recipe;
    struct buf path, text;
    int r;

    buf_init(&path, 4096);
    buf_init(&text, YAML_MAX_BYTES + 1);
    buf_printf(&path, "%s/%s", folder, name);
    r = buf_error(&path);
    if (r == 0)
        r = read_file(path.data, &text, reterr);
    else
        err_set(reterr, r, "the path of recipe %s is too long", name);
    if (r == 0)
        r = recipe_load(buf_str(&text), path.data, binding->connections, binding->n_connections, &recipe,
                        binding->report, reterr);
    if (r == 0)
        r = add_recipe(binding, recipe, folder, reterr);
    buf_done(&path);
    buf_done(&text);
    return r;
}

static bool is_recipe_file(const char *name)
{
    size_t n = strlen(name);

    return name[0] != '.' && n > 5 && strcmp(name + n - 5, ".yaml") == 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names of the folder's recipe files, sorted. */
static int list_folder(const char *folder, struct arena *arena, char ***ret_names, size_t *ret_n,
                       struct err_info *reterr)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    char **names = NULL;
    size_t n = 0;
    size_t cap = 0;

    if (!dir)
        return err_set_field(reterr, ERR_IO, folder, "cannot read the recipe folder %s: %s", folder,
                             strerror(errno));
    while (!arena_error(arena) && (entry = readdir(dir))) {
        if (!is_recipe_file(entry->d_name))
            continue;
        names = arena_grow(arena, names, n, &cap, sizeof *names);
        if (names)
            names[n++] = arena_strdup(arena, str_of(entry->d_name));
    }
    (void)closedir(dir);
    if (arena_error(arena))
        return err_set_field(reterr, arena_error(arena), folder, "there are too many files in %s", folder);
    if (n > 0)
        qsort(names, n, sizeof *names, compare_names);
    *ret_names = names;
    *ret_n = n;
    return 0;
}

/* All files are read even when one is bad, so that the report has them all; the first error is told. */
static int add_folder(struct binding *binding, const char *folder, struct err_info *reterr)
{
    struct arena arena;
    char **names = NULL;
    size_t n = 0;
    int first_error;

    arena_init(&arena, BOOK_MAX_ARENA_BYTES);
    first_error = list_folder(folder, &arena, &names, &n, reterr);
    for (size_t i = 0; i < n; i++) {
        struct err_info err = {0};
        int r = add_file(binding, folder, names[i], &err);

        if (r < 0 && first_error == 0) {
            first_error = r;
            if (reterr)
                *reterr = err;
        }
    }
    arena_done(&arena);
    return first_error;
}

int recipe_book_load(const char *const *folders, size_t n_folders,
                     const struct recipe_connection *connections, size_t n_connections,
                     struct recipe_book *ret_book, struct recipe_report *report, struct err_info *reterr)
{
    struct binding binding = {.connections = connections, .n_connections = n_connections, .report = report};
    int r = 0;

    arena_init(&binding.book.arena, BOOK_MAX_ARENA_BYTES);
    for (const struct embedded_file *file = recipe_builtin_files; r == 0 && file->name; file++)
        r = add_builtin(&binding, file, reterr);
    for (size_t i = 0; r == 0 && i < n_folders; i++)
        r = add_folder(&binding, folders[i], reterr);
    if (r < 0)
        recipe_book_done(&binding.book);
    else
        *ret_book = binding.book;
    return r;
}
