/* SPDX-License-Identifier: Apache-2.0
 *
 * precis version: which program this is.
 */
#include "cli/cli.h"
#include "core/json.h"

static int version_run(struct cli *cli, int argc, char **argv)
{
    const struct option options[] = {OPTION_END};
    struct args_list words;
    int r = cli_parse(cli, &command_version, options, argc, argv, 0, 0, &words);
    if (r != 0)
        return cli_parse_exit(r);
    struct buf buf;
    buf_init(&buf, 1024);
    if (cli->is_json) {
        struct json_writer json;
        json_writer_init(&json, &buf);
        json_open_object(&json);
        json_put_member_text(&json, "version", STR_LIT(PRECIS_VERSION));
        json_close_object(&json);
    } else {
        buf_append_text(&buf, "precis " PRECIS_VERSION);
    }
    int exit_code = cli_print(cli, &buf);
    buf_done(&buf);
    return exit_code;
}

const struct command command_version = {"version", "[--json]", "says which program this is", version_run};
