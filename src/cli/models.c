/* SPDX-License-Identifier: Apache-2.0
 *
 * The folder of models. A model gets its name by a rename when all of it is on disk, and loses it by one
 * before its files go: whatever has a name is whole. What begins with a dot was left by a command that died.
 */
#include "cli/models.h"

#include "cli/app.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* All that embedder_open may read; the folder after what is in it. */
static const char *const model_files[] = {
    "config.json",           "tokenizer.json",        "vocab.txt",
    "tokenizer_config.json", "model.safetensors",     "sentence_bert_config.json",
    "modules.json",          "1_Pooling/config.json",
};
static const char pooling_folder[] = "1_Pooling";

#define N_FILES (sizeof model_files / sizeof *model_files)

struct path {
    char text[PATH_MAX];
};

static int fail_io(const char *path, const char *what, struct err_info *reterr)
{
    return err_set_field(reterr, ERR_IO, path, "cannot be %s: %s", what, strerror(errno));
}

/* folder/name; a path that is too long is empty, which nothing is called. */
static struct path join(const char *folder, const char *name)
{
    struct path path;
    int n = snprintf(path.text, sizeof path.text, "%s/%s", folder, name);
    if (n < 0 || (size_t)n >= sizeof path.text)
        path.text[0] = '\0';
    return path;
}

static struct path models_folder(const struct config *config)
{
    return join(config->data_dir, "models");
}

/* Where a model lies while it has no name: one for each process and name. */
static struct path nameless(const char *models, const char *name)
{
    char hidden[MODELS_MAX_NAME + 32];
    (void)snprintf(hidden, sizeof hidden, ".%s.%ld", name, (long)getpid());
    return join(models, hidden);
}

bool models_is_name(struct str text)
{
    if (text.len == 0 || text.len > MODELS_MAX_NAME || text.ptr[0] == '.' || str_is(text, MODELS_BUILTIN))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
              c == '_' || c == '-'))
            return false;
    }
    return true;
}

static int check_name(const char *name, struct err_info *reterr)
{
    if (models_is_name(str_of(name)))
        return 0;
    return err_set_field(reterr, ERR_INVALID, name,
                         "no name for a model: 1 to %d letters, digits, '.', '_' and '-', not '%s'",
                         MODELS_MAX_NAME, MODELS_BUILTIN);
}

static int no_such_model(const char *name, const char *models, struct err_info *reterr)
{
    return err_set_field(reterr, ERR_NOT_FOUND, name,
                         "there is no model '%s' in %s; `precis model add DIR` puts one there, and a folder "
                         "elsewhere is named with a slash (./%s)",
                         name, models, name);
}

int models_open(const struct config *config, const char *model, struct embedder **ret_embedder,
                struct err_info *reterr)
{
    if (strcmp(model, MODELS_BUILTIN) == 0)
        return embedder_builtin(ret_embedder, reterr);
    if (strchr(model, '/'))
        return embedder_open(model, ret_embedder, reterr);
    int r = check_name(model, reterr);
    if (r < 0)
        return r;
    struct path models = models_folder(config), path = join(models.text, model);
    if (access(path.text, F_OK) != 0)
        return no_such_model(model, models.text, reterr);
    return embedder_open(path.text, ret_embedder, reterr);
}

static int sync_folder(const char *path, struct err_info *reterr)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 || fsync(fd) != 0 ? fail_io(path, "written", reterr) : 0;
    if (fd >= 0)
        (void)close(fd); /* synced already */
    return r;
}

static int copy_bytes(int from, int to, const char *to_path, int64_t *size_bytes, struct err_info *reterr)
{
    char chunk[64 * 1024];
    for (;;) {
        ssize_t n = read(from, chunk, sizeof chunk);
        if (n == 0)
            return fsync(to) == 0 ? 0 : fail_io(to_path, "written", reterr);
        if (n < 0)
            return fail_io(to_path, "copied", reterr);
        for (ssize_t done = 0, wrote; done < n; done += wrote) {
            wrote = write(to, chunk + done, (size_t)(n - done));
            if (wrote < 0)
                return fail_io(to_path, "written", reterr);
        }
        *size_bytes += n;
    }
}

/* Copies a file that may be missing. */
static int copy_file(const char *from_folder, const char *to_folder, const char *name, int64_t *size_bytes,
                     struct err_info *reterr)
{
    struct path from_path = join(from_folder, name), to_path = join(to_folder, name);
    int from = open(from_path.text, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : fail_io(from_path.text, "read", reterr);
    int to = open(to_path.text, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int r = to < 0 ? fail_io(to_path.text, "made", reterr)
                   : copy_bytes(from, to, to_path.text, size_bytes, reterr);
    (void)close(from); /* read only */
    if (to >= 0 && close(to) != 0 && r == 0)
        r = fail_io(to_path.text, "written", reterr);
    return r;
}

static int copy_files(const char *from, const char *to, int64_t *size_bytes, struct err_info *reterr)
{
    struct path pooling = join(to, pooling_folder);
    if (mkdir(to, 0700) != 0 || mkdir(pooling.text, 0700) != 0)
        return fail_io(to, "made", reterr);
    for (size_t i = 0; i < N_FILES; i++) {
        int r = copy_file(from, to, model_files[i], size_bytes, reterr);
        if (r < 0)
            return r;
    }
    int r = rmdir(pooling.text) == 0 ? 0 : sync_folder(pooling.text, reterr); /* it goes if it is empty */
    return r < 0 ? r : sync_folder(to, reterr);
}

/* Removes a model's files and its folder, which is left when there is more in it. */
static int remove_files(const char *folder, struct err_info *reterr)
{
    for (size_t i = 0; i < N_FILES; i++)
        (void)unlink(join(folder, model_files[i]).text); /* if it stays, so does the folder */
    (void)rmdir(join(folder, pooling_folder).text);
    return rmdir(folder) == 0 || errno == ENOENT ? 0 : fail_io(folder, "removed", reterr);
}

int models_add(const struct config *config, const char *folder, const char *name, int64_t *ret_size_bytes,
               struct err_info *reterr)
{
    int r = check_name(name, reterr);
    if (r < 0)
        return r;
    struct path models = models_folder(config), path = join(models.text, name);
    struct path unfinished = nameless(models.text, name);
    int64_t size_bytes = 0;
    if (access(path.text, F_OK) == 0)
        return err_set_field(reterr, ERR_CONFLICT, name, "there is a model '%s' already", name);
    r = app_make_folder(models.text, reterr);
    if (r < 0)
        return r;
    r = copy_files(folder, unfinished.text, &size_bytes, reterr);
    if (r == 0 && rename(unfinished.text, path.text) != 0)
        r = fail_io(path.text, "made", reterr);
    if (r == 0)
        r = sync_folder(models.text, reterr);
    if (r < 0) {
        (void)remove_files(unfinished.text, NULL); /* the first failure is the one to tell */
        return r;
    }
    *ret_size_bytes = size_bytes;
    return 0;
}

int models_remove(const struct config *config, const char *name, struct err_info *reterr)
{
    int r = check_name(name, reterr);
    if (r < 0)
        return r;
    struct path models = models_folder(config), path = join(models.text, name);
    struct path hidden = nameless(models.text, name);
    if (access(path.text, F_OK) != 0)
        return no_such_model(name, models.text, reterr);
    if (strcmp(config->embedding_model, name) == 0)
        return err_set_field(reterr, ERR_CONFLICT, name, "the configuration names '%s' as its model", name);
    if (rename(path.text, hidden.text) != 0)
        return fail_io(path.text, "removed", reterr);
    r = sync_folder(models.text, reterr);
    return r < 0 ? r : remove_files(hidden.text, reterr);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

int models_list(const struct config *config, models_found_fn found, void *arg, struct err_info *reterr)
{
    char names[MODELS_MAX_LISTED][MODELS_MAX_NAME + 1];
    size_t n = 0;
    struct path models = models_folder(config);
    DIR *dir = opendir(models.text);
    if (!dir)
        return errno == ENOENT ? 0 : fail_io(models.text, "read", reterr);
    for (struct dirent *entry; n < MODELS_MAX_LISTED && (entry = readdir(dir));) {
        if (models_is_name(str_of(entry->d_name)))
            memcpy(names[n++], entry->d_name, strlen(entry->d_name) + 1);
    }
    (void)closedir(dir);
    qsort(names, n, sizeof *names, compare_names);
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = found(names[i], arg);
    return r;
}
