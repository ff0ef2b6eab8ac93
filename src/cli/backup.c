/* SPDX-License-Identifier: Apache-2.0
 *
 * precis backup and precis restore: the embedded store to a file and back.
 */
#include "cli/app.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static void show_progress(int64_t n_done, int64_t n_all, void *arg)
{
    cli_progress(arg, n_done, n_all);
}

static int backup_to(const struct cli *cli, const char *path, struct err_info *reterr)
{
    struct app app = {.store = NULL};
    int r = app_open_config(&app, cli, reterr);
    if (r == 0)
        r = app_open_memory(&app, false, reterr);
    if (r == 0)
        r = store_backup(app.store, path, show_progress, (void *)"backup", reterr);
    app_close(&app);
    return r;
}

static int backup_run(struct cli *cli, int argc, char **argv)
{
    const struct option options[] = {OPTION_END};
    struct args_list words;
    struct err_info err;
    int r = cli_parse(cli, &command_backup, options, argc, argv, 1, 1, &words);
    if (r != 0)
        return cli_parse_exit(r);
    if (backup_to(cli, words.items[0], &err) < 0)
        return cli_fail(cli, &err);
    fprintf(stderr, "precis: the store was copied to %s\n", words.items[0]);
    return EXIT_DONE;
}

static int restore_from(const struct cli *cli, const char *path, struct err_info *reterr)
{
    struct app app = {.store = NULL};
    int r = app_open_config(&app, cli, reterr);
    if (r == 0 && access(path, R_OK) != 0) /* said before a folder is made for nothing */
        r = err_set(reterr, ERR_IO, "cannot read %s: %s", path, strerror(errno));
    if (r == 0)
        r = app_make_store_folder(&app, reterr);
    if (r == 0)
        r = store_restore(app.config.store_url, path, reterr);
    app_close(&app);
    return r;
}

static int restore_run(struct cli *cli, int argc, char **argv)
{
    const struct option options[] = {OPTION_END};
    struct args_list words;
    struct err_info err;
    int r = cli_parse(cli, &command_restore, options, argc, argv, 1, 1, &words);
    if (r != 0)
        return cli_parse_exit(r);
    if (restore_from(cli, words.items[0], &err) < 0)
        return cli_fail(cli, &err);
    fprintf(stderr, "precis: the store is now as in %s\n", words.items[0]);
    return EXIT_DONE;
}

const struct command command_backup = {"backup", "FILE",
                                       "copies the store to a file, also while it is in use", backup_run};
const struct command command_restore = {"restore", "FILE", "puts a backup in place of the store",
                                        restore_run};
