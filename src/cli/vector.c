/* SPDX-License-Identifier: Apache-2.0
 *
 * precis vector load: lines of JSON as points of a Qdrant or Chroma collection, embedded by the configured
 * model. The same file again changes nothing: an item's id names its point. A line that cannot be used is
 * told with its place and left out; the others are loaded, and the command fails at its end.
 */
#include "cli/app.h"

#include "core/json.h"
#include "core/mem.h"
#include "source/vector_load.h"

#include <stdio.h>

#define MAX_FILE_BYTES    ((size_t)1 << 30)
#define MAX_LINE_DEPTH    32
#define BATCH_ITEMS       256
#define BATCH_BYTES       (8 * 1024 * 1024) /* of lines; as sent they are some times larger */
#define BATCH_DEADLINE_US (120 * US_PER_SEC)
#define MAX_ID_BYTES      1024

struct filling {
    const struct cli *cli;
    struct app app;
    struct source *source;
    struct vector_load load;
    const char *file;
    struct vector_filter filters[VECTOR_MAX_FILTERS];
    float *vectors; /* of a batch */
    struct vector_point points[BATCH_ITEMS];
    struct json *items[BATCH_ITEMS];
    struct arena arena; /* of a batch */
    size_t n_points, n_bytes;
    int64_t line;
    int64_t n_loaded, n_bad;
};

static void tell_bad(struct filling *filling, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void tell_bad(struct filling *filling, const char *format, ...)
{
    va_list args;
    filling->n_bad++;
    fprintf(stderr, "precis: %s:%lld: ", filling->file, (long long)filling->line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

/* ---- a line ---- */

static struct str read_id(struct filling *filling, const struct json *item)
{
    const struct json *id = json_member(item, "id");
    if (json_kind_of(id) == JSON_KIND_INT)
        return arena_printf(&filling->arena, "%lld", (long long)json_int_of(id));
    return json_text_of(id);
}

/* True when the item can be a point. */
static bool check_item(struct filling *filling, const struct json *item, struct vector_point *point)
{
    if (json_kind_of(item) != JSON_KIND_OBJECT) {
        tell_bad(filling, "a line must be an object, not %s", json_kind_name(json_kind_of(item)));
        return false;
    }
    point->id = read_id(filling, item);
    point->text = json_text_of(json_member(item, filling->load.text_field.ptr));
    if (point->id.len == 0 || point->id.len > MAX_ID_BYTES) {
        tell_bad(filling, "'id' must be a text of up to %d bytes, or a whole number", MAX_ID_BYTES);
        return false;
    }
    if (str_is_empty(str_trim(point->text))) {
        tell_bad(filling, "'%s' must be a text; --text names another field", filling->load.text_field.ptr);
        return false;
    }
    return true;
}

static bool is_zero(const float *vector, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (vector[i] != 0)
            return false;
    return true;
}

/* Takes the line into the batch, or tells what is wrong with it. Negative only for what ends the command. */
static int add_line(struct filling *filling, struct str line, struct err_info *reterr)
{
    struct vector_point *point = &filling->points[filling->n_points];
    float *vector = filling->vectors + filling->n_points * filling->load.n_dims;
    struct json *item = NULL;
    struct err_info err = {0};
    int r = json_parse(line, MAX_LINE_DEPTH, &item, &err);
    if (r == ERR_NOMEM)
        return err_set(reterr, r, "out of memory");
    if (r < 0) {
        const char *column = strchr(err.field, ':'); /* of "1:7": the line is the file's */
        tell_bad(filling, "column %s: %s", column ? column + 1 : "1", err.message);
        return 0;
    }
    if (!check_item(filling, item, point)) {
        json_free(item);
        return 0;
    }
    r = embed_text(filling->app.embedder, point->text, vector, reterr);
    if (r == 0 && is_zero(vector, filling->load.n_dims)) {
        tell_bad(filling, "the model knows no word of '%s'", filling->load.text_field.ptr);
        json_free(item);
        return 0;
    }
    point->vector = vector;
    point->item = item;
    filling->items[filling->n_points++] = item;
    filling->n_bytes += line.len;
    return r;
}

/* ---- batches ---- */

static void clear_batch(struct filling *filling)
{
    for (size_t i = 0; i < filling->n_points; i++)
        json_free(filling->items[i]);
    filling->n_points = filling->n_bytes = 0;
    arena_reset(&filling->arena);
}

static int send_batch(struct filling *filling, struct err_info *reterr)
{
    filling->load.deadline_us = clock_mono_us(&clock_system) + BATCH_DEADLINE_US;
    int r = arena_error(&filling->arena);
    if (r < 0)
        r = err_set(reterr, r, "out of memory");
    else if (filling->n_points > 0)
        r = vector_load_points(filling->source, &filling->load, filling->points, filling->n_points, reterr);
    if (r == 0)
        filling->n_loaded += (int64_t)filling->n_points;
    clear_batch(filling);
    return r;
}

static int load_lines(struct filling *filling, struct str text, struct err_info *reterr)
{
    struct str rest = text, line;
    int r = 0;
    while (r == 0 && rest.len > 0 && str_next_part(&rest, '\n', &line)) {
        filling->line++;
        line = str_trim(line);
        if (line.len > 0)
            r = add_line(filling, line, reterr);
        if (r == 0 && (filling->n_points == BATCH_ITEMS || filling->n_bytes > BATCH_BYTES)) {
            r = send_batch(filling, reterr);
            cli_progress("loading", (int64_t)(text.len - rest.len), (int64_t)text.len);
        }
    }
    if (r == 0)
        r = send_batch(filling, reterr);
    if (r == 0)
        cli_progress("loading", (int64_t)text.len, (int64_t)text.len);
    return r;
}

/* ---- the command ---- */

static int find_source(struct filling *filling, const char *name, struct err_info *reterr)
{
    const char *names[CONFIG_MAX_CONNECTIONS];
    const struct app *app = &filling->app;
    for (size_t i = 0; i < app->n_connections; i++) {
        names[i] = source_name(app->connections[i]);
        if (strcmp(names[i], name) == 0) {
            filling->source = app->connections[i];
            return 0;
        }
    }
    const char *nearest = str_nearest(str_of(name), names, app->n_connections);
    return err_set(reterr, ERR_NOT_FOUND, "the configuration has no connection '%s'%s%s%s", name,
                   nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

static int open_all(struct filling *filling, const char *connection, struct err_info *reterr)
{
    struct app *app = &filling->app;
    int r = app_open_config(app, filling->cli, reterr);
    if (r == 0)
        r = app_open_kinds(app, reterr);
    if (r == 0)
        r = app_open_embedder(app, reterr);
    if (r == 0)
        r = app_open_sources(app, reterr);
    if (r == 0)
        r = find_source(filling, connection, reterr);
    if (r < 0)
        return r;
    filling->load.n_dims = embedder_dims(app->embedder);
    filling->vectors = mem_calloc(BATCH_ITEMS * filling->load.n_dims, sizeof *filling->vectors);
    return filling->vectors ? 0 : err_set(reterr, ERR_NOMEM, "out of memory");
}

static int fill(struct filling *filling, const char *connection, struct err_info *reterr)
{
    struct buf text;
    buf_init(&text, MAX_FILE_BYTES);
    int r = cli_read_file(filling->file, &text, reterr);
    if (r == 0)
        r = open_all(filling, connection, reterr);
    filling->load.deadline_us = clock_mono_us(&clock_system) + BATCH_DEADLINE_US;
    if (r == 0)
        r = vector_load_prepare(filling->source, &filling->load, reterr);
    if (r == 0)
        r = load_lines(filling, buf_str(&text), reterr);
    buf_done(&text);
    return r;
}

static int report(const struct filling *filling)
{
    struct buf out;
    struct json_writer json;
    buf_init(&out, 4096);
    json_writer_init(&json, &out);
    if (filling->cli->is_json) {
        json_open_object(&json);
        json_put_member_int(&json, "loaded", filling->n_loaded);
        json_put_member_int(&json, "left_out", filling->n_bad);
        json_close_object(&json);
    } else {
        buf_printf(&out, "%lld items loaded, %lld lines left out", (long long)filling->n_loaded,
                   (long long)filling->n_bad);
    }
    int exit_code = cli_print(filling->cli, &out);
    buf_done(&out);
    return filling->n_bad > 0 ? EXIT_FAILED : exit_code;
}

/* "user_id,year:integer". False when it is no such list. */
static bool read_filters(struct filling *filling, const char *list)
{
    static const char *const types[] = {"keyword", "integer", "bool"};
    struct str rest = str_of(list), field, type;
    size_t n = 0;
    while (rest.len > 0 && str_next_part(&rest, ',', &type)) {
        size_t kind = 0;
        if (n == VECTOR_MAX_FILTERS || !str_next_part(&type, ':', &field) || str_is_empty(field))
            return false;
        while (type.len > 0 && kind < 3 && !str_is(type, types[kind]))
            kind++;
        if (kind == 3)
            return false;
        filling->filters[n++] = (struct vector_filter){field, types[kind]};
    }
    filling->load.filters = filling->filters;
    filling->load.n_filters = n;
    return true;
}

static int vector_run(struct cli *cli, int argc, char **argv)
{
    bool may_create = false;
    const char *text_field = "content", *filters = "user_id,tenant";
    const struct option options[] = {
        {"create", OPTION_FLAG, &may_create, NULL,
         "make the collection, with cosine distance, if it is not there"},
        {"text", OPTION_TEXT, &text_field, "FIELD", "the field whose text is embedded (content)"},
        {"filter", OPTION_TEXT, &filters, "FIELDS",
         "with --create: the fields of filters, for an index each (user_id,tenant); year:integer, done:bool"},
        OPTION_END,
    };
    struct args_list words;
    int r = cli_parse(cli, &command_vector, options, argc, argv, 4, 4, &words);
    if (r != 0)
        return cli_parse_exit(r);
    if (strcmp(words.items[0], "load") != 0)
        return cli_wrong_use(&command_vector, "'%s' is none of its subcommands", words.items[0]);
    if (!*text_field || !*words.items[2])
        return cli_wrong_use(&command_vector, "a name is empty");
    struct filling *filling = mem_calloc(1, sizeof *filling);
    struct err_info err = {0};
    if (!filling) {
        (void)err_set(&err, ERR_NOMEM, "out of memory");
        return cli_fail(cli, &err);
    }
    filling->cli = cli;
    filling->file = words.items[3];
    filling->load.collection = str_of(words.items[2]);
    filling->load.text_field = str_of(text_field);
    filling->load.may_create = may_create;
    arena_init(&filling->arena, MAX_FILE_BYTES);
    if (!read_filters(filling, filters)) {
        mem_free(filling);
        return cli_wrong_use(
            &command_vector,
            "--filter must be up to %d names, each with :integer, :bool or nothing behind it, "
            "with commas between them",
            VECTOR_MAX_FILTERS);
    }
    r = fill(filling, words.items[1], &err);
    int exit_code = r < 0 ? cli_fail(cli, &err) : report(filling);
    clear_batch(filling);
    mem_free(filling->vectors);
    app_close(&filling->app);
    mem_free(filling);
    return exit_code;
}

const struct command command_vector = {
    "vector", "load CONNECTION COLLECTION FILE.jsonl [--create] [--text FIELD] [--filter FIELDS]",
    "fills a collection of Qdrant or Chroma with embedded lines", vector_run};
