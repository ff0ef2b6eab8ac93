/* SPDX-License-Identifier: Apache-2.0
 *
 * The tree of a folder. Folders are read level by level, so that a limit on the number of entries costs the
 * depths, not the overview; each folder of a level gets its share of what is left, so that one huge folder
 * does not hide its neighbours. Then the whole is drawn from the top.
 *
 * Each folder is opened anew from the root, name by name, never through a link: what is swapped for a link
 * under us is not there any more.
 */
#include "source/files_priv.h"

#include "core/utf8.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_NAMES    10000              /* of one folder; more are counted, not sorted */
#define LEAST_SHARE  8                  /* entries every folder may show while there are any left */
#define MAX_WALK     (16 * 1024 * 1024) /* memory for all names of a walk */
#define ROOM_FOR_END 64                 /* kept free for the last line, "… 57 more" */

/* ---- what is never shown ---- */

enum { ANYWHERE, FOLDER, TOP_FOLDER };

static const struct {
    const char *pattern; /* of fnmatch(3), any case */
    int where;
} left_out[] = {
    {".git", ANYWHERE}, /* a file in work trees */
    {".hg", FOLDER},
    {".svn", FOLDER},
    {"node_modules", FOLDER},
    {"bower_components", FOLDER},
    {"__pycache__", FOLDER},
    {".venv", FOLDER},
    {"venv", FOLDER},
    {".tox", FOLDER},
    {".*cache", FOLDER},
    {".gradle", FOLDER},
    {".idea", FOLDER},
    {".next", FOLDER},
    {"dist", FOLDER},
    {"target", FOLDER},
    {"cmake-build*", FOLDER},
    {"build", TOP_FOLDER}, /* deeper down it is often a source folder */
    {"build-*", TOP_FOLDER},
    {"_build", TOP_FOLDER},
    {"out", TOP_FOLDER},
    {".ssh", ANYWHERE},
    {".aws", ANYWHERE},
    {".gnupg", ANYWHERE},
    {".env*", ANYWHERE},
    {"*.env", ANYWHERE},
    {"*.pem", ANYWHERE},
    {"*.key", ANYWHERE},
    {"*.p12", ANYWHERE},
    {"*.pfx", ANYWHERE},
    {"*.ppk", ANYWHERE},
    {"*.jks", ANYWHERE},
    {"*.keystore", ANYWHERE},
    {"*.kdb", ANYWHERE},
    {"*.kdbx", ANYWHERE},
    {"id_rsa*", ANYWHERE},
    {"id_dsa*", ANYWHERE},
    {"id_ecdsa*", ANYWHERE},
    {"id_ed25519*", ANYWHERE},
    {"secret*", ANYWHERE},
    {"*.secret", ANYWHERE},
    {"*.secrets", ANYWHERE},
    {"*secrets.*", ANYWHERE},
    {"credential*", ANYWHERE},
    {"*credentials*", ANYWHERE},
    {"service-account*.json", ANYWHERE},
    {".netrc", ANYWHERE},
    {".npmrc", ANYWHERE},
    {".pypirc", ANYWHERE},
    {".pgpass", ANYWHERE},
    {".htpasswd", ANYWHERE},
    {".dockercfg", ANYWHERE},
};

bool files_is_left_out(const char *name, bool is_folder, bool is_top)
{
    for (size_t i = 0; i < sizeof left_out / sizeof left_out[0]; i++) {
        if (left_out[i].where != ANYWHERE && !is_folder)
            continue;
        if (left_out[i].where == TOP_FOLDER && !is_top)
            continue;
        if (fnmatch(left_out[i].pattern, name, FNM_CASEFOLD) == 0)
            return true;
    }
    return false;
}

/* ---- reading folders ---- */

struct entry {
    const struct entry *parent; /* NULL: the root */
    const char *name;
    bool is_folder;
    struct entry *children;
    size_t n_children;
    size_t n_more;  /* not shown for a limit's sake */
    bool is_closed; /* not looked into: too deep, or not readable */
};

struct walk {
    const struct files_limits *limits;
    int root_fd;
    struct arena arena;
    size_t n_left; /* entries that may still be shown */
};

int files_check_time(const struct files_limits *limits, struct err_info *reterr)
{
    if (net_job_is_cancelled(limits->job))
        return err_set(reterr, ERR_CANCELLED, "nobody waits for the folder any more");
    if (clock_mono_us(limits->clock) >= limits->deadline_us)
        return err_set(reterr, ERR_TIMEOUT, "the folder could not be read within the deadline");
    return 0;
}

static int walk_error(const struct walk *walk, struct err_info *reterr)
{
    if (arena_error(&walk->arena) == ERR_LIMIT)
        return err_set(reterr, ERR_LIMIT, "the folder's names need more than %d MB", MAX_WALK / 1024 / 1024);
    return err_set(reterr, ERR_NOMEM, "not enough memory to read the folder");
}

/* A descriptor of the folder, or -1. */
static int open_folder(const struct walk *walk, const struct entry *folder)
{
    if (!folder->parent)
        return openat(walk->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    int parent_fd = open_folder(walk, folder->parent);
    if (parent_fd < 0)
        return -1;
    int fd = openat(parent_fd, folder->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    (void)close(parent_fd); /* nothing was written */
    return fd;
}

int files_open(int folder_fd, const char *name, struct stat *ret_stat)
{
    int fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, ret_stat) < 0 || !S_ISREG(ret_stat->st_mode)) {
        (void)close(fd); /* nothing was written */
        return -EINVAL;
    }
    return fd;
}

ssize_t files_read(int fd, char *bytes, size_t size)
{
    size_t n = 0;
    while (n < size) {
        ssize_t n_read = read(fd, bytes + n, size - n);
        if (n_read < 0 && errno == EINTR)
            continue;
        if (n_read < 0)
            return -errno;
        if (n_read == 0)
            break;
        n += (size_t)n_read;
    }
    return (ssize_t)n;
}

/* A file that cannot be read cannot be told, and only its name is shown. */
static bool is_binary(int folder_fd, const char *name)
{
    char bytes[FILES_PROBE_BYTES];
    struct stat stat;

    int fd = files_open(folder_fd, name, &stat);
    if (fd < 0)
        return fd == -ELOOP || fd == -EINVAL; /* it became something else: leave it out */
    ssize_t n = files_read(fd, bytes, sizeof bytes);
    (void)close(fd); /* nothing was written */
    return n > 0 && memchr(bytes, '\0', (size_t)n);
}

/* Folders and regular files are shown, everything else (links, pipes, devices) is not. */
static bool is_shown(int folder_fd, const struct dirent *dirent, bool is_top, bool *ret_is_folder)
{
    struct stat stat;
    bool is_folder = dirent->d_type == DT_DIR, is_file = dirent->d_type == DT_REG;

    if (strcmp(dirent->d_name, ".") == 0 || strcmp(dirent->d_name, "..") == 0)
        return false;
    if (dirent->d_type == DT_UNKNOWN) {
        if (fstatat(folder_fd, dirent->d_name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
            return false;
        is_folder = S_ISDIR(stat.st_mode);
        is_file = S_ISREG(stat.st_mode);
    }
    *ret_is_folder = is_folder;
    return (is_folder || is_file) && !files_is_left_out(dirent->d_name, is_folder, is_top);
}

static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    if (a->is_folder != b->is_folder)
        return a->is_folder ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* All that the folder shows, sorted, before any limit but MAX_NAMES. */
static int read_names(struct walk *walk, struct entry *folder, DIR *dir, struct err_info *reterr)
{
    struct dirent *dirent;
    size_t cap = 0;
    bool is_folder;

    while ((dirent = readdir(dir))) {
        int res = files_check_time(walk->limits, reterr);
        if (res < 0)
            return res;
        if (!is_shown(dirfd(dir), dirent, !folder->parent, &is_folder))
            continue;
        if (folder->n_children == MAX_NAMES) {
            folder->n_more++;
            continue;
        }
        struct entry *children =
            arena_grow(&walk->arena, folder->children, folder->n_children, &cap, sizeof *children);
        const char *name = arena_strdup(&walk->arena, str_of(dirent->d_name));
        if (!children || !name)
            return walk_error(walk, reterr);
        folder->children = children;
        children[folder->n_children++] =
            (struct entry){.parent = folder, .name = name, .is_folder = is_folder};
    }
    if (folder->n_children > 1)
        qsort(folder->children, folder->n_children, sizeof *folder->children, compare_entries);
    return 0;
}

/* Keeps the first `share` entries that are no binaries. */
static int keep_share(struct walk *walk, struct entry *folder, int folder_fd, size_t share,
                      struct err_info *reterr)
{
    size_t n_kept = 0, i = 0;

    for (; i < folder->n_children && n_kept < share; i++) {
        int res = files_check_time(walk->limits, reterr);
        if (res < 0)
            return res;
        struct entry *entry = &folder->children[i];
        if (entry->is_folder || !is_binary(folder_fd, entry->name))
            folder->children[n_kept++] = *entry;
    }
    folder->n_more += folder->n_children - i;
    folder->n_children = n_kept;
    walk->n_left -= n_kept;
    return 0;
}

static int read_folder(struct walk *walk, struct entry *folder, size_t share, struct err_info *reterr)
{
    int fd = open_folder(walk, folder);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        if (fd >= 0)
            (void)close(fd); /* nothing was written */
        folder->is_closed = true;
        return 0;
    }
    int res = read_names(walk, folder, dir, reterr);
    if (res == 0)
        res = keep_share(walk, folder, dirfd(dir), share, reterr);
    (void)closedir(dir); /* nothing was written */
    return res;
}

/* The folders among the children of `level`, in order. */
static int next_level(struct walk *walk, struct entry **level, size_t n, struct entry ***ret_level,
                      size_t *ret_n, struct err_info *reterr)
{
    struct entry **next = NULL;
    size_t n_next = 0, cap = 0;

    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < level[i]->n_children && level[i]->children[j].is_folder; j++) {
            next = arena_grow(&walk->arena, next, n_next, &cap, sizeof(*next));
            if (!next)
                return walk_error(walk, reterr);
            next[n_next++] = &level[i]->children[j];
        }
    }
    *ret_level = next;
    *ret_n = n_next;
    return 0;
}

static int read_tree(struct walk *walk, struct entry *root, struct err_info *reterr)
{
    struct entry **level = &root;
    size_t n = 1;

    for (int64_t depth = 1; n > 0; depth++) {
        for (size_t i = 0; i < n; i++) {
            if (depth > walk->limits->max_depth || walk->n_left == 0) {
                level[i]->is_closed = true;
                continue;
            }
            size_t share = walk->n_left / (n - i);
            if (share < LEAST_SHARE)
                share = walk->n_left < LEAST_SHARE ? walk->n_left : LEAST_SHARE;
            int res = read_folder(walk, level[i], share, reterr);
            if (res < 0)
                return res;
        }
        int res = next_level(walk, level, n, &level, &n, reterr);
        if (res < 0)
            return res;
    }
    return 0;
}

/* ---- drawing ---- */

struct drawing {
    struct buf *buf;
    size_t max_len;
    size_t n_undrawn; /* entries that had no room */
};

static void draw_line(struct drawing *drawing, int depth, const char *name, const char *end)
{
    struct buf *buf = drawing->buf;
    size_t start = buf->len;

    if (drawing->n_undrawn == 0) {
        for (int i = 0; i < depth; i++)
            buf_append_text(buf, "  ");
        size_t name_start = buf->len;
        utf8_append_clean(buf, str_of(name));
        for (size_t i = name_start; i < buf->len; i++) {
            if (buf->data[i] == '\n' || buf->data[i] == '\t')
                buf->data[i] = ' '; /* a name cannot draw lines of its own */
        }
        buf_append_text(buf, end);
        buf_append_byte(buf, '\n');
    }
    if (drawing->n_undrawn > 0 || buf->len > drawing->max_len) {
        buf_truncate(buf, start);
        drawing->n_undrawn++;
    }
}

/* No deeper than max_depth, which the setting bounds. */
static void draw_children(struct drawing *drawing, const struct entry *folder, int depth)
{
    char more[32];

    for (size_t i = 0; i < folder->n_children; i++) {
        const struct entry *entry = &folder->children[i];
        draw_line(drawing, depth, entry->name, !entry->is_folder ? "" : entry->is_closed ? "/ …" : "/");
        draw_children(drawing, entry, depth + 1);
    }
    if (folder->n_more > 0) {
        snprintf(more, sizeof more, "… %zu more", folder->n_more);
        draw_line(drawing, depth, more, "");
    }
}

int files_draw_tree(int root_fd, const struct files_limits *limits, struct buf *buf, struct err_info *reterr)
{
    struct walk walk = {.limits = limits, .root_fd = root_fd, .n_left = limits->max_entries};
    struct entry root = {0};
    struct drawing drawing = {
        .buf = buf,
        .max_len = limits->max_bytes > ROOM_FOR_END ? limits->max_bytes - ROOM_FOR_END : 0,
    };

    arena_init(&walk.arena, MAX_WALK);
    int res = read_tree(&walk, &root, reterr);
    if (res == 0) {
        draw_children(&drawing, &root, 0);
        if (drawing.n_undrawn > 0)
            buf_printf(buf, "… %zu more\n", drawing.n_undrawn);
        if (buf_error(buf))
            res = err_set(reterr, buf_error(buf), "not enough memory to draw the folder");
    }
    arena_done(&walk.arena);
    return res;
}
