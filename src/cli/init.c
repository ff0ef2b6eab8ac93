/* SPDX-License-Identifier: Apache-2.0
 *
 * precis init: makes the store, and with --demo loads the sample data of the shipped recipes. Running it
 * again renews the sample's rows, so that its "today" is today, and touches no others.
 */
#include "cli/app.h"
#include "cli/demo.h"

#include <stdio.h>

static int init_store(const struct cli *cli, bool with_demo, struct app *app, struct err_info *reterr)
{
    int r = app_open_config(app, cli, reterr);
    if (r == 0)
        r = app_open_memory(app, true, reterr);
    if (r == 0 && with_demo)
        r = demo_load(app, reterr);
    return r;
}

static int init_run(struct cli *cli, int argc, char **argv)
{
    bool with_demo = false;
    const struct option options[] = {
        {"demo", OPTION_FLAG, &with_demo, NULL, "load the sample data, with the sample user `demo`"},
        OPTION_END,
    };
    struct args_list words;
    struct err_info err;
    int r = cli_parse(cli, &command_init, options, argc, argv, 0, 0, &words);
    if (r != 0)
        return cli_parse_exit(r);
    struct app app = {.store = NULL};
    r = init_store(cli, with_demo, &app, &err);
    if (r == 0)
        fprintf(stderr, "precis: %s is ready%s\n", app.config.store_url,
                with_demo ? ", with the sample data of the user 'demo' and the device '" DEMO_DEVICE_ID "'"
                          : "");
    app_close(&app);
    return r == 0 ? EXIT_DONE : cli_fail(cli, &err);
}

const struct command command_init = {"init", "[--demo]", "makes the store; --demo also loads sample data",
                                     init_run};
