/* SPDX-License-Identifier: Apache-2.0
 *
 * Kinds `files` and `folder`: a folder as a reader new to it wants to see it, its tree and the beginning of
 * its README. `files` has it from the recipe, `folder` is a connection, so that the configuration says where
 * it is. Bounded in depth, number, bytes and time; secrets, binaries and links are left out. Runs on a
 * worker.
 */
#include "source/files_priv.h"
#include "source/source_priv.h"

#include "core/mem.h"
#include "core/utf8.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <unistd.h>

#define MAX_PATH_BYTES 4095
#define MAX_NAME_BYTES 255

#define FILES_ITEM "{path}:\n{content}"

enum { SET_PATH, SET_DEPTH, SET_MAX_FILES, SET_MAX_BYTES, SET_TREE, SET_README };

static const struct source_setting settings[] = {
    [SET_PATH] = {"path", SETTING_TEXT, true, NULL, 0, 0,
                  "the folder; relative to where the program was started; '..' is refused"},
    [SET_DEPTH] = {"depth", SETTING_INT, false, "3", 1, 16, "levels of folders in the tree"},
    [SET_MAX_FILES] = {"max_files", SETTING_INT, false, "200", 1, 10000, "entries in the tree"},
    [SET_MAX_BYTES] = {"max_bytes", SETTING_INT, false, "65536", 256, 1024 * 1024,
                       "bytes of the tree, and of the README's beginning"},
    [SET_TREE] = {"tree", SETTING_BOOL, false, "true", 0, 0, "draw the tree"},
    [SET_README] = {"readme", SETTING_BOOL, false, "true", 0, 0, "give the README's beginning"},
    {NULL},
};

static const char *const columns[] = {"kind", "path", "content", "size"};
#define N_COLUMNS (sizeof columns / sizeof columns[0])

/* Best first. */
static const char *const readmes[] = {"README.md",  "README",      "README.txt",
                                      "README.rst", "README.adoc", "README.org"};
#define N_READMES (sizeof readmes / sizeof readmes[0])

struct look {
    struct files_limits limits;
    struct source_result *result;
    struct value *values; /* of the result's rows */
    size_t max_rows;
    int root_fd;
};

static int add_text(struct look *look, const char *kind, struct str path, const struct buf *text,
                    int64_t size, struct err_info *reterr)
{
    struct source_result *result = look->result;
    struct value *values = &look->values[result->n_rows * N_COLUMNS];

    if (result->n_rows == look->max_rows) {
        result->is_truncated = true;
        return 0;
    }
    values[0] = value_text(str_of(kind));
    values[1] = value_text(arena_copy(&result->arena, path));
    values[2] = value_text(arena_copy(&result->arena, buf_str(text)));
    values[3] = value_int(size);
    result->rows[result->n_rows].id = str_of(kind);
    if (buf_error(text) || arena_error(&result->arena))
        return result_error(result, reterr);
    result->n_rows++;
    return 0;
}

static int add_tree(struct look *look, struct str path, struct err_info *reterr)
{
    struct buf buf;

    buf_init(&buf, SOURCE_MAX_RESULT_BYTES);
    int res = files_draw_tree(look->root_fd, &look->limits, &buf, reterr);
    if (res == 0 && buf.len > 0)
        res = add_text(look, "tree", path, &buf, (int64_t)buf.len, reterr);
    buf_done(&buf);
    return res;
}

/* Finds the best README of the root, in any case of letters. 1 when there is none. */
static int find_readme(struct look *look, char ret_name[MAX_NAME_BYTES + 1], struct err_info *reterr)
{
    struct dirent *dirent;
    size_t best = N_READMES;
    int res = 0;

    int fd = openat(look->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        res = err_set(reterr, ERR_UNAVAILABLE, "cannot read the folder: %s", strerror(errno));
        if (fd >= 0)
            (void)close(fd); /* nothing was written */
        return res;
    }
    while (res == 0 && (dirent = readdir(dir))) {
        struct str name = str_of(dirent->d_name);
        res = files_check_time(&look->limits, reterr);
        for (size_t i = 0; i < N_READMES; i++) {
            /* Of spellings that differ in case alone the first in byte order, whatever order
             * the folder has. */
            bool is_better = i < best || (i == best && strcmp(dirent->d_name, ret_name) < 0);
            if (!str_eq_nocase(name, str_of(readmes[i])) || !is_better)
                continue;
            best = i;
            memcpy(ret_name, dirent->d_name, name.len + 1);
        }
    }
    (void)closedir(dir); /* nothing was written */
    if (res < 0)
        return res;
    return best < N_READMES ? 0 : 1;
}

/* The file's beginning as clean text, and how much is missing. 1 when it is a binary. */
static int read_beginning(struct look *look, int fd, int64_t size, struct buf *buf, struct err_info *reterr)
{
    size_t max = look->limits.max_bytes;
    char *bytes = mem_alloc(max + 1); /* one more tells whether that was all */
    int res = 0;

    if (!bytes)
        return err_set(reterr, ERR_NOMEM, "not enough memory to read the README");
    ssize_t n = files_read(fd, bytes, max + 1);
    if (n < 0) {
        res = err_set(reterr, ERR_IO, "cannot read the README: %s", strerror((int)-n));
        goto done;
    }
    size_t n_probe = n < FILES_PROBE_BYTES ? (size_t)n : FILES_PROBE_BYTES;
    if (memchr(bytes, '\0', n_probe)) {
        res = 1;
        goto done;
    }
    struct str text = utf8_prefix(str_make(bytes, (size_t)n), max);
    utf8_append_clean(buf, text);
    if ((size_t)n > max)
        buf_printf(buf, "\n… %lld more bytes\n", (long long)(size - (int64_t)text.len));
done:
    mem_free(bytes);
    return res;
}

static int add_readme(struct look *look, struct err_info *reterr)
{
    char name[MAX_NAME_BYTES + 1];
    struct stat stat;
    struct buf buf;

    int res = find_readme(look, name, reterr);
    if (res != 0)
        return res < 0 ? res : 0;
    int fd = files_open(look->root_fd, name, &stat);
    if (fd < 0) /* a link, or not for us to read: as if there were none */
        return 0;
    buf_init(&buf, SOURCE_MAX_RESULT_BYTES);
    res = read_beginning(look, fd, stat.st_size, &buf, reterr);
    if (res == 0)
        res = add_text(look, "readme", str_of(name), &buf, stat.st_size, reterr);
    buf_done(&buf);
    (void)close(fd); /* nothing was written */
    return res < 0 ? res : 0;
}

/* The path often has a parameter in it, and a parameter must not climb out of where the recipe points. */
static int open_root(struct str path, int *ret_fd, struct err_info *reterr)
{
    char text[MAX_PATH_BYTES + 1];
    struct str rest = path, part;

    if (str_is_empty(path) || path.len > MAX_PATH_BYTES || memchr(path.ptr, '\0', path.len))
        return err_set_field(reterr, ERR_INVALID, "path",
                             "path must be the name of a folder, at most %d bytes long", MAX_PATH_BYTES);
    while (str_next_part(&rest, '/', &part)) {
        if (str_is(part, ".."))
            return err_set_field(reterr, ERR_INVALID, "path", "path must not contain '..'");
    }
    memcpy(text, path.ptr, path.len);
    text[path.len] = '\0';
    int fd = open(text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set_field(reterr, ERR_UNAVAILABLE, "path", "cannot open the folder '%s': %s", text,
                             strerror(errno));
    *ret_fd = fd;
    return 0;
}

/* `values` is a row of settings as those of `files` are, whoever asks. */
static int look_at(const struct source_env *env, struct str path, const struct value *values,
                   const struct source_request *request, struct net_job *job, struct source_result *result,
                   struct err_info *reterr)
{
    struct look look = {
        .limits = {.max_depth = values[SET_DEPTH].integer,
                   .max_entries = (size_t)values[SET_MAX_FILES].integer,
                   .max_bytes = (size_t)values[SET_MAX_BYTES].integer,
                   .deadline_us = request->deadline_us,
                   .clock = env->clock,
                   .job = job},
        .result = result,
        .max_rows = request->max_rows,
        .root_fd = -1,
    };

    int res = open_root(path, &look.root_fd, reterr);
    if (res < 0)
        return res;
    res = result_set_columns(result, columns, N_COLUMNS, reterr);
    if (res == 0)
        res = result_make_rows(result, 2, &look.values, reterr);
    if (res == 0 && values[SET_TREE].boolean)
        res = add_tree(&look, path, reterr);
    if (res == 0 && values[SET_README].boolean)
        res = add_readme(&look, reterr);
    (void)close(look.root_fd); /* nothing was written */
    return res;
}

static int on_run(const struct source_env *env, void *state, const struct source_request *request,
                  struct net_job *job, struct source_result *result, struct err_info *reterr)
{
    (void)state;
    return look_at(env, setting_text(&request->settings[SET_PATH]), request->settings, request, job, result,
                   reterr);
}

const struct source_ops source_files = {
    .kind = "files",
    .settings = settings,
    .item = FILES_ITEM,
    .on_run = on_run,
};

/* ---- a folder of the configuration ---- */

static const char *const schemes[] = {"folder", NULL};

static int on_open_folder(const struct source_env *env, const struct source_options *options,
                          void **ret_state, struct err_info *reterr)
{
    (void)env;
    struct str path = str_slice(options->url, strlen("folder:"), SIZE_MAX);
    if (str_is_empty(path))
        return err_set(reterr, ERR_INVALID, "'folder:' must be followed by the path of a folder");
    struct buf copy;
    size_t len;
    buf_init(&copy, MAX_PATH_BYTES);
    buf_append_str(&copy, path);
    int res = buf_error(&copy);
    if (res == 0)
        *ret_state = buf_steal(&copy, &len);
    buf_done(&copy);
    return res < 0 ? err_set(reterr, res, "the folder's path is too long, or there is no memory for it") : 0;
}

static void on_close_folder(void *state)
{
    mem_free(state);
}

static int on_run_folder(const struct source_env *env, void *state, const struct source_request *request,
                         struct net_job *job, struct source_result *result, struct err_info *reterr)
{
    struct value values[sizeof settings / sizeof settings[0]] = {value_null()};
    for (size_t i = SET_PATH + 1; settings[i].name; i++)
        values[i] = request->settings[i - 1];
    return look_at(env, str_of(state), values, request, job, result, reterr);
}

static int on_check_folder(const struct source_env *env, void *state, int64_t deadline_us, struct buf *ret,
                           struct err_info *reterr)
{
    int fd;
    (void)env;
    (void)deadline_us;
    int res = open_root(str_of(state), &fd, reterr);
    if (res < 0)
        return res;
    (void)close(fd); /* nothing was written */
    buf_printf(ret, "folder %s", (const char *)state);
    return 0;
}

const struct source_ops source_folder = {
    .kind = "folder",
    .schemes = schemes,
    .settings = &settings[SET_PATH + 1],
    .item = FILES_ITEM,
    .on_open = on_open_folder,
    .on_close = on_close_folder,
    .on_run = on_run_folder,
    .on_check = on_check_folder,
};
