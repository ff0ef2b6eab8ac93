/* SPDX-License-Identifier: Apache-2.0
 *
 * precis key: who may ask the server. A key's secret is printed once, when it is made.
 */
#include "cli/app.h"
#include "core/civil.h"
#include "core/json.h"

#include <stdio.h>

#define MAX_KEYS_BYTES (16 * 1024 * 1024)

struct key_arguments {
    const char *name, *tenant, *scopes, *expires;
    struct args_list words;
};

static const struct {
    const char *name;
    int bits;
} scope_names[] = {{"read", KEY_READ}, {"write", KEY_WRITE}, {"admin", KEY_ADMIN}};

#define N_SCOPES (sizeof scope_names / sizeof *scope_names)

static int read_scopes(const char *text, int *ret_scopes, struct err_info *reterr)
{
    struct str rest = str_of(text), part;
    int scopes = 0;
    while (rest.len > 0 && str_next_part(&rest, ',', &part)) {
        size_t i = 0;
        while (i < N_SCOPES && !str_is(str_trim(part), scope_names[i].name))
            i++;
        if (i == N_SCOPES)
            return err_set_field(reterr, ERR_INVALID, "--scopes", "'%.*s' is none of read, write, admin",
                                 STR_ARG(part));
        scopes |= scope_names[i].bits;
    }
    if (scopes == 0)
        return err_set_field(reterr, ERR_INVALID, "--scopes", "a key without a scope can do nothing");
    *ret_scopes = scopes;
    return 0;
}

/* "30d" from now, or a time. 0: never. */
static int read_expiry(const char *text, int64_t *ret_us, struct err_info *reterr)
{
    int64_t duration_us;
    *ret_us = 0;
    if (!text)
        return 0;
    if (str_to_duration_us(str_of(text), &duration_us) == 0) {
        *ret_us = clock_wall_us(&clock_system) + duration_us;
        return 0;
    }
    if (civil_parse(str_of(text), ret_us, NULL) == 0)
        return 0;
    return err_set_field(reterr, ERR_INVALID, "--expires",
                         "must be a duration such as 90d or a time, not '%s'", text);
}

static void write_time(struct buf *out, const char *what, int64_t time_us)
{
    if (time_us == 0)
        return;
    buf_printf(out, "  %s ", what);
    civil_print_iso(time_us, out);
}

static void write_scopes(struct buf *out, int scopes)
{
    const char *separator = "";
    for (size_t i = 0; i < N_SCOPES; i++) {
        if (!(scopes & scope_names[i].bits))
            continue;
        buf_printf(out, "%s%s", separator, scope_names[i].name);
        separator = ",";
    }
}

static void write_key_json(struct json_writer *json, const struct api_key *key)
{
    struct buf text;
    buf_init(&text, 256);
    json_open_object(json);
    json_put_member_text(json, "id", key->id);
    json_put_member_text(json, "name", key->name);
    json_put_member_text(json, "tenant", key->tenant);
    write_scopes(&text, key->scopes);
    json_put_member_text(json, "scopes", buf_str(&text));
    const struct {
        const char *name;
        int64_t time_us;
    } times[] = {
        {"created_at", key->created_us}, {"expires_at", key->expires_us}, {"revoked_at", key->revoked_us}};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        buf_clear(&text);
        json_put_name(json, times[i].name);
        if (times[i].time_us == 0) {
            json_put_null(json);
            continue;
        }
        civil_print_iso(times[i].time_us, &text);
        json_put_text(json, buf_str(&text));
    }
    json_close_object(json);
    buf_done(&text);
}

/* What the command line alone can have wrong; before there is a store. */
static int check_create(const struct key_arguments *args, struct err_info *reterr)
{
    int scopes;
    int64_t expires_us;
    if (!*args->name)
        return err_set_field(reterr, ERR_INVALID, "--name", "a key needs one, to be known by in the list");
    int r = read_scopes(args->scopes, &scopes, reterr);
    return r < 0 ? r : read_expiry(args->expires, &expires_us, reterr);
}

static int key_create(const struct cli *cli, struct memory *memory, const struct key_arguments *args,
                      struct arena *arena, struct buf *out, struct err_info *reterr)
{
    struct api_key key = {.name = str_of(args->name), .tenant = str_of(args->tenant)};
    struct str id, secret;
    int r = read_scopes(args->scopes, &key.scopes, reterr);
    if (r == 0)
        r = read_expiry(args->expires, &key.expires_us, reterr);
    if (r == 0)
        r = api_key_create(memory, &key, arena, &id, &secret, reterr);
    if (r < 0)
        return r;
    if (cli->is_json) {
        struct json_writer json;
        json_writer_init(&json, out);
        json_open_object(&json);
        json_put_member_text(&json, "id", id);
        json_put_member_text(&json, "key", secret);
        json_close_object(&json);
    } else {
        buf_append_str(out, secret);
        fprintf(stderr, "precis: this is key %.*s; it is shown only now\n", STR_ARG(id));
    }
    return 0;
}

static int key_list(const struct cli *cli, struct memory *memory, struct arena *arena, struct buf *out,
                    struct err_info *reterr)
{
    struct api_key *keys;
    size_t n;
    struct json_writer json;
    int r = api_key_list(memory, arena, &keys, &n, reterr);
    if (r < 0)
        return r;
    json_writer_init(&json, out);
    if (cli->is_json)
        json_open_array(&json);
    for (size_t i = 0; i < n; i++) {
        if (cli->is_json) {
            write_key_json(&json, &keys[i]);
            continue;
        }
        buf_printf(out, "%.*s  %.*s  tenant %.*s  ", STR_ARG(keys[i].id), STR_ARG(keys[i].name),
                   STR_ARG(keys[i].tenant));
        write_scopes(out, keys[i].scopes);
        write_time(out, "made", keys[i].created_us);
        write_time(out, "expires", keys[i].expires_us);
        write_time(out, "revoked", keys[i].revoked_us);
        buf_append_byte(out, '\n');
    }
    if (cli->is_json)
        json_close_array(&json);
    else if (n == 0)
        fprintf(stderr, "precis: there is no key\n");
    return 0;
}

static int key_revoke(struct memory *memory, const char *id, struct err_info *reterr)
{
    int r = api_key_revoke(memory, str_of(id), reterr);
    if (r > 0)
        return err_set_field(reterr, ERR_NOT_FOUND, id, "there is no such key");
    if (r == 0)
        fprintf(stderr, "precis: %s is revoked\n", id);
    return r;
}

static int key_call(const struct cli *cli, const struct key_arguments *args)
{
    struct app app = {.store = NULL};
    struct arena arena;
    struct buf out;
    struct err_info err;
    const char *verb = args->words.items[0];
    arena_init(&arena, MAX_KEYS_BYTES);
    buf_init(&out, MAX_KEYS_BYTES);
    int r = app_open_config(&app, cli, &err);
    if (r == 0)
        r = app_open_memory(&app, strcmp(verb, "create") == 0, &err);
    if (r == 0 && strcmp(verb, "create") == 0)
        r = key_create(cli, app.memory, args, &arena, &out, &err);
    else if (r == 0 && strcmp(verb, "list") == 0)
        r = key_list(cli, app.memory, &arena, &out, &err);
    else if (r == 0)
        r = key_revoke(app.memory, args->words.items[1], &err);
    int exit_code = EXIT_DONE;
    if (r < 0)
        exit_code = cli_fail(cli, &err);
    else if (out.len > 0 || buf_error(&out) < 0)
        exit_code = cli_print(cli, &out);
    app_close(&app);
    buf_done(&out);
    arena_done(&arena);
    return exit_code;
}

static int key_run(struct cli *cli, int argc, char **argv)
{
    struct key_arguments args = {.name = "", .tenant = CLI_TENANT, .scopes = "read,write"};
    const struct option options[] = {
        {"name", OPTION_TEXT, &args.name, "TEXT", "create: what the key is for"},
        {"tenant", OPTION_TEXT, &args.tenant, "NAME", "create: whose data it opens (default)"},
        {"scopes", OPTION_TEXT, &args.scopes, "A,B", "create: of read, write, admin (read,write)"},
        {"expires", OPTION_TEXT, &args.expires, "WHEN", "create: after 90d, or at a time; otherwise never"},
        OPTION_END,
    };
    int r = cli_parse(cli, &command_key, options, argc, argv, 1, 2, &args.words);
    if (r != 0)
        return cli_parse_exit(r);
    const char *verb = args.words.items[0];
    bool is_revoke = strcmp(verb, "revoke") == 0;
    if (!is_revoke && strcmp(verb, "create") != 0 && strcmp(verb, "list") != 0)
        return cli_wrong_use(&command_key, "there is no 'key %s'", verb);
    if (args.words.n != (is_revoke ? 2 : 1))
        return cli_wrong_use(&command_key,
                             is_revoke ? "which key? `precis key list` names them" : "one word too many");
    struct err_info err;
    if (strcmp(verb, "create") == 0 && check_create(&args, &err) < 0)
        return cli_wrong_use(&command_key, "%s: %s", err.field, err.message);
    return key_call(cli, &args);
}

const struct command command_key = {
    "key",
    "create --name TEXT [--scopes read,write,admin] [--expires WHEN] [--tenant NAME] | list | revoke ID",
    "makes, lists and revokes the keys of the server",
    key_run,
};
