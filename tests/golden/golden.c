/* SPDX-License-Identifier: Apache-2.0
 *
 * Golden cases: what comes of a recipe, rows and a request, to the letter. A file is a topic; README.md here
 * says how one is written. The text a run would write is compared with the text of the file, so that checking
 * and rewriting (GOLDEN_UPDATE=1, for people) are one and the same. A rewritten file fails its run.
 *
 * With --postgres the rows of `sql` blocks lie in schemas of a real server instead of SQLite files, and the
 * same text must come of them.
 */
#include "../unit/backend.h"
#include "../unit/temp_folder.h"
#include "build/build.h"
#include "core/embed.h"
#include "core/reach.h"
#include "text/embed.h"

#include <ctype.h>
#include <errno.h>
#include <libpq-fe.h>
#include <math.h>
#include <unistd.h>

#define MAX_SOURCES     8
#define MAX_FILE_BYTES  (4 * 1024 * 1024)
#define MAX_ARENA_BYTES (64 * 1024 * 1024)
#define DEADLINE_MS     30000 /* nothing here is about speed */

extern const struct embedded_file demo_files[]; /* the schemas of the shipped recipes among them */

/* "=== head" and the lines up to the next one. */
struct block {
    struct str head, body;
};

struct world {
    const char *postgres_url; /* NULL: SQLite */
    PGconn *postgres;         /* which fills the schemas, and drops them */
    const char *schemas[MAX_SOURCES];
    struct arena arena; /* of the topic */
    char folder[TEMP_FOLDER_SIZE];
    struct clock_manual clock;
    struct store *store;
    struct memory *memory;
    struct workers *workers, *connectors;
    struct embedder *embedder;
    struct source_env env;
    struct source *sources[MAX_SOURCES];
    struct recipe_connection connections[MAX_SOURCES];
    size_t n_sources, n_recipes;
    struct recipe_book book;
    struct build_engine *engine;
};

static void must(int rc, const struct err_info *err)
{
    if (rc < 0)
        fail_msg("%s %s: %s", err_name(rc), err->field, err->message);
}

/* ---- reading a topic ---- */

static struct str next_line(struct str *rest)
{
    struct str line = {NULL, 0};
    (void)str_next_part(rest, '\n', &line);
    return line;
}

static struct str next_word(struct str *rest)
{
    struct str word = {NULL, 0};
    (void)str_next_part(rest, ' ', &word);
    return word;
}

static bool is_head(struct str line)
{
    return str_starts_with(line, STR_LIT("=== "));
}

/* Reads up to the next head; the body without the empty lines at its end. */
static struct str next_body(struct str *rest)
{
    const char *start = rest->ptr, *end = start;
    while (rest->ptr && !is_head(*rest)) {
        struct str line = next_line(rest);
        if (line.len)
            end = line.ptr + line.len;
    }
    return str_make(start, (size_t)(end - start));
}

static bool next_block(struct str *rest, struct block *ret_block)
{
    if (!rest->ptr || !is_head(*rest))
        return false;
    ret_block->head = str_slice(next_line(rest), strlen("=== "), SIZE_MAX);
    ret_block->body = next_body(rest);
    return true;
}

static bool is_expectation(struct str head)
{
    static const char *const kinds[] = {"context",  "stable", "volatile", "tokens",
                                        "sections", "items",  "error"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (str_is(head, kinds[i]))
            return true;
    return false;
}

/* ---- the world of a topic ---- */

static void read_file(const char *path, struct buf *buf)
{
    char part[4096];
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s: %s", path, strerror(errno));
    for (size_t n; (n = fread(part, 1, sizeof part, file)) > 0;)
        buf_append(buf, part, n);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(buf_error(buf), 0);
}

static int64_t time_of(struct str word)
{
    int64_t time_us = 0;
    if (civil_parse(word, &time_us, NULL) < 0)
        fail_msg("'%.*s' is no time", STR_ARG(word));
    return time_us;
}

/* === recipe */
static void add_recipe(struct world *world, struct str text)
{
    const char *path = arena_printf(&world->arena, "%s/%zu.yaml", world->folder, world->n_recipes++).ptr;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text.ptr, 1, text.len, file), text.len);
    assert_int_equal(fclose(file), 0);
}

/* Text of a shipped file. */
static const char *shipped_file(struct str name)
{
    const struct embedded_file *file = demo_files;
    while (file->name && !str_is(name, file->name))
        file++;
    if (!file->name)
        fail_msg("no file '%.*s' is shipped", STR_ARG(name));
    return embedded_text(file).ptr;
}

static const char *sqlite_url(struct world *world, struct str name, struct str shipped, struct str sql)
{
    struct err_info err = {0};
    const char *path = arena_printf(&world->arena, "%s/%.*s.db", world->folder, STR_ARG(name)).ptr;
    const char *scripts[] = {shipped.len ? shipped_file(shipped) : "", arena_strdup(&world->arena, sql)};
    must(store_run_scripts(path, scripts, 2, &err), &err);
    return arena_printf(&world->arena, "sqlite:%s", path).ptr;
}

static void run_on_postgres(struct world *world, const char *sql)
{
    PGresult *result = PQexec(world->postgres, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY)
        fail_msg("%s", PQresultErrorMessage(result));
    PQclear(result);
}

/* The file's counterpart for PostgreSQL, from the folder that holds both. */
static const char *postgres_schema(struct world *world, struct str shipped)
{
    static const char *const folders[] = {"assistant", "device"};
    struct buf text;
    char path[512];
    buf_init(&text, MAX_FILE_BYTES);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        (void)snprintf(path, sizeof path, DATA_FOLDER "/%s/postgres/%.*s", folders[i], STR_ARG(shipped));
        if (access(path, R_OK) == 0)
            read_file(path, &text);
    }
    if (text.len == 0)
        fail_msg("no file '%.*s' is shipped for PostgreSQL", STR_ARG(shipped));
    return buf_into_arena(&text, &world->arena).ptr;
}

/* A schema of the connection's own on the server that all tests share. */
static const char *postgres_url(struct world *world, struct str name, struct str shipped, struct str sql)
{
    const char *schema = arena_printf(&world->arena, "golden_%d_%.*s", (int)getpid(), STR_ARG(name)).ptr;
    const char *begin =
        arena_printf(&world->arena,
                     "DROP SCHEMA IF EXISTS %s CASCADE; CREATE SCHEMA %s; SET search_path TO %s, public",
                     schema, schema, schema)
            .ptr;
    if (!world->postgres) {
        world->postgres = PQconnectdb(world->postgres_url);
        if (PQstatus(world->postgres) != CONNECTION_OK)
            fail_msg("%s", PQerrorMessage(world->postgres));
        run_on_postgres(world, "SET timezone TO 'UTC'; SET client_min_messages TO warning");
    }
    world->schemas[world->n_sources] = schema;
    run_on_postgres(world, begin);
    run_on_postgres(world, shipped.len ? postgres_schema(world, shipped) : "");
    run_on_postgres(world, arena_strdup(&world->arena, sql));
    return arena_printf(&world->arena, "%s%coptions=-csearch_path%%3D%s%%2Cpublic", world->postgres_url,
                        strchr(world->postgres_url, '?') ? '&' : '?', schema)
        .ptr;
}

/* === sql NAME [SHIPPED FILE] */
static void add_database(struct world *world, struct str name, struct str shipped, struct str sql)
{
    struct err_info err = {0};
    assert_true(world->n_sources < MAX_SOURCES);
    const char *url =
        world->postgres_url ? postgres_url(world, name, shipped, sql) : sqlite_url(world, name, shipped, sql);
    struct source **source = &world->sources[world->n_sources];
    struct source_options options = {.name = arena_strdup(&world->arena, name), .url = str_of(url)};
    must(source_open(&world->env, &options, source, &err), &err);
    world->connections[world->n_sources++] = (struct recipe_connection){name, source_ops_of(*source)};
}

/* === memory USER [TAG]: lines of TIME TEXT */
static void add_memory(struct world *world, struct str user, struct str tag, struct str lines)
{
    const struct scope scope = {STR_LIT("golden"), user};
    struct err_info err = {0};
    for (struct str line; (line = next_line(&lines)).len;) {
        struct knowledge item = {
            .created_us = time_of(next_word(&line)), .importance = NAN, .tags = &tag, .n_tags = tag.len > 0};
        struct str id;
        item.content = line;
        must(knowledge_add(world->memory, &scope, &item, 1, &world->arena, &id, &err), &err);
    }
}

/* === conversation USER SESSION: lines of TIME ROLE TEXT */
static void add_turns(struct world *world, struct str user, struct str session, struct str lines)
{
    const struct scope scope = {STR_LIT("golden"), user};
    struct err_info err = {0};
    for (struct str line; (line = next_line(&lines)).len;) {
        struct turn turn = {.session = session, .created_us = time_of(next_word(&line))};
        struct str id;
        turn.role = next_word(&line);
        turn.content = line;
        must(conversation_add(world->memory, &scope, &turn, &world->arena, &id, &err), &err);
    }
}

/* === preferences USER: lines of KEY JSON */
static void add_preferences(struct world *world, struct str user, struct str lines)
{
    const struct scope scope = {STR_LIT("golden"), user};
    struct err_info err = {0};
    for (struct str line; (line = next_line(&lines)).len;) {
        struct preference preference = {.key = next_word(&line)};
        preference.value = line;
        must(preference_set(world->memory, &scope, &preference, &err), &err);
    }
}

static void add_material(struct world *world, struct block block)
{
    struct str rest = block.head, kind = next_word(&rest);
    if (str_is(kind, "now")) {
        world->clock.wall_us = time_of(next_word(&rest));
    } else if (str_is(kind, "recipe")) {
        add_recipe(world, block.body);
    } else if (str_is(kind, "sql") || str_is(kind, "sqlite")) {
        struct str name = next_word(&rest);
        add_database(world, name, next_word(&rest), block.body);
    } else if (str_is(kind, "memory")) {
        struct str user = next_word(&rest);
        add_memory(world, user, next_word(&rest), block.body);
    } else if (str_is(kind, "conversation")) {
        struct str user = next_word(&rest);
        add_turns(world, user, next_word(&rest), block.body);
    } else if (str_is(kind, "preferences")) {
        add_preferences(world, next_word(&rest), block.body);
    } else if (!str_is(kind, "request") && !is_expectation(block.head)) {
        fail_msg("'=== %.*s' is no block", STR_ARG(block.head));
    }
}

/* Wall time stands still at the topic's moment; monotonic time is the machine's, for deadlines are real. */
static void world_init(struct world *world, struct str blocks, const char *postgres_url)
{
    struct err_info err = {0};
    *world = (struct world){.postgres_url = postgres_url};
    assert_true(temp_folder_make("/tmp", world->folder));
    arena_init(&world->arena, MAX_ARENA_BYTES);
    clock_manual_init(&world->clock, 0, 0);
    world->clock.base.mono_us = clock_system.mono_us;
    const char *url = arena_printf(&world->arena, "sqlite:%s/precis.db", world->folder).ptr;
    struct store_options store = {.url = url, .may_create = true, .clock = &world->clock.base};
    must(store_open(&store, &world->store, &err), &err);
    must(memory_new(world->store, &world->clock.base, NULL, &world->memory, &err), &err);
    must(workers_new("golden", 2, 64, &world->workers, &err), &err);
    must(workers_new("connect", 2, 64, &world->connectors, &err), &err);
    must(embedder_builtin(&world->embedder, &err), &err);
    world->env = (struct source_env){.memory = world->memory,
                                     .workers = world->workers,
                                     .connectors = world->connectors,
                                     .clock = &world->clock.base,
                                     .embedder = world->embedder};
    for (struct block block; next_block(&blocks, &block);)
        add_material(world, block);
    const char *const folders[] = {world->folder};
    must(recipe_book_load(folders, 1, world->connections, world->n_sources, &world->book, NULL, &err), &err);
    struct build_options build = {.env = &world->env,
                                  .connections = world->sources,
                                  .n_connections = world->n_sources,
                                  .recipes = &world->book,
                                  .cache_ttl_us = -1};
    must(build_engine_new(&build, &world->engine, &err), &err);
}

static void world_done(struct world *world)
{
    build_engine_free(world->engine);
    recipe_book_done(&world->book);
    for (size_t i = 0; i < world->n_sources; i++)
        source_close(world->sources[i]);
    for (size_t i = 0; world->postgres && i < world->n_sources; i++)
        run_on_postgres(world, arena_printf(&world->arena, "DROP SCHEMA %s CASCADE", world->schemas[i]).ptr);
    PQfinish(world->postgres);
    workers_free(world->workers);
    workers_free(world->connectors);
    memory_free(world->memory);
    embedder_close(world->embedder);
    store_close(world->store);
    arena_done(&world->arena);
    assert_true(temp_folder_remove(world->folder));
}

/* ---- what comes of a request ---- */

struct outcome {
    int rc;
    struct err_info err;
    struct build_answer *answer; /* NULL on an error */
};

static struct outcome ask(struct world *world, struct str body)
{
    struct outcome outcome = {0};
    struct build_outcome built;
    struct build_request request;
    struct json *root = NULL;
    outcome.rc = json_parse(body, 32, &root, &outcome.err);
    if (outcome.rc == 0)
        outcome.rc = build_request_from_json(root, &world->arena, &request, &outcome.err);
    if (outcome.rc == 0) {
        request.tenant = STR_LIT("golden");
        request.deadline_ms = request.deadline_ms ? request.deadline_ms : DEADLINE_MS;
        outcome.rc = build_run(world->engine, &request, &built, &outcome.err);
    }
    if (outcome.rc == 0)
        outcome.answer = built.answer;
    json_free(root);
    return outcome;
}

static void write_sections(const struct build_answer *answer, struct buf *out)
{
    for (size_t i = 0; i < answer->n_sections; i++) {
        const struct section_report *report = &answer->sections[i];
        buf_printf(out, "%.*s %s, %zu kept, %zu dropped", STR_ARG(report->name),
                   section_status_name(report->status), report->n_kept, report->n_dropped);
        if (report->error.len)
            buf_printf(out, ": %.*s", STR_ARG(report->error));
        buf_append_byte(out, '\n');
    }
    if (!answer->is_complete)
        buf_append_text(out, "incomplete\n");
}

static void write_items(const struct build_answer *answer, struct buf *out)
{
    for (size_t i = 0; i < answer->n_items; i++) {
        const struct item_report *item = &answer->items[i];
        buf_printf(out, "%.*s %.*s: %s\n", STR_ARG(item->section), STR_ARG(item->id), item->reason);
    }
}

static void write_expectation(const struct outcome *outcome, struct str kind, struct buf *out)
{
    const struct build_answer *answer = outcome->answer;
    if (!answer)
        buf_printf(out, "%s %s: %s\n", err_name(outcome->rc), outcome->err.field, outcome->err.message);
    else if (str_is(kind, "stable"))
        buf_append_str(out, answer->stable);
    else if (str_is(kind, "volatile"))
        buf_append_str(out, answer->volatile_);
    else if (str_is(kind, "tokens"))
        buf_printf(out, "%lld of %lld\n", (long long)answer->tokens, (long long)answer->max_tokens);
    else if (str_is(kind, "sections"))
        write_sections(answer, out);
    else if (str_is(kind, "items"))
        write_items(answer, out);
    else
        buf_append_str(out, answer->context);
}

/* ---- a topic as a run would write it ---- */

static size_t id_length(struct str text)
{
    size_t len = str_starts_with(text, STR_LIT("mem_")) ? 4 : str_starts_with(text, STR_LIT("turn_")) ? 5 : 0;
    size_t n = 0;
    while (len && len + n < text.len && isalnum((unsigned char)text.ptr[len + n]))
        n++;
    return n == 22 ? len + n : 0;
}

/* The ids of the store's own rows differ from run to run: a star stands for each. */
static void write_line(struct buf *out, struct str line)
{
    for (size_t i = 0; i < line.len;) {
        size_t len = id_length(str_slice(line, i, SIZE_MAX));
        buf_append_byte(out, len ? '*' : line.ptr[i]);
        i += len ? len : 1;
    }
    buf_append_byte(out, '\n');
}

/* One empty line between blocks. A line of the body that looks like a head gets a backslash. */
static void write_block(struct buf *out, struct str head, struct str body)
{
    buf_printf(out, "%s=== %.*s\n", out->len ? "\n" : "", STR_ARG(head));
    while (body.len && body.ptr[body.len - 1] == '\n')
        body.len--;
    while (body.ptr && body.len) {
        struct str line = next_line(&body);
        if (is_head(line))
            buf_append_byte(out, '\\');
        write_line(out, line);
    }
}

/* Where a request has an answer the kinds asked for, where it has none its error alone. */
static void write_outcome(const struct outcome *outcome, struct str expectations, struct buf *out)
{
    struct buf body;
    bool is_first = true;
    buf_init(&body, MAX_FILE_BYTES);
    for (struct block block = {.head = STR_LIT("context")};; is_first = false) {
        bool has_more = next_block(&expectations, &block) && is_expectation(block.head);
        if (!has_more && !is_first)
            break;
        if (!outcome->answer)
            block.head = STR_LIT("error");
        else if (!has_more || str_is(block.head, "error"))
            block.head = STR_LIT("context");
        buf_clear(&body);
        write_expectation(outcome, block.head, &body);
        write_block(out, block.head, buf_str(&body));
        if (!outcome->answer || !has_more)
            break;
    }
    buf_done(&body);
}

static void write_topic(struct world *world, struct str blocks, struct buf *out)
{
    for (struct block block; next_block(&blocks, &block);) {
        if (is_expectation(block.head))
            continue;
        write_block(out, block.head, block.body);
        if (str_starts_with(block.head, STR_LIT("request"))) {
            struct outcome outcome = ask(world, block.body);
            write_outcome(&outcome, blocks, out);
            build_answer_unref(outcome.answer);
        }
    }
}

/* ---- the cases ---- */

static void rewrite(const char *path, struct str text)
{
    FILE *file = fopen(path, "w");
    if (!file || fwrite(text.ptr, 1, text.len, file) != text.len || fclose(file) != 0)
        fail_msg("%s: %s", path, strerror(errno));
    fail_msg("%s was rewritten: read the difference", path);
}

/* Fails at the first line that differs. */
static void compare(const char *path, struct str wanted, struct str got)
{
    int number = 1;
    struct str wanted_line, got_line;
    do {
        wanted_line = next_line(&wanted);
        got_line = next_line(&got);
        if (!str_eq(wanted_line, got_line))
            fail_msg("%s:%d\n  wanted: %.*s\n  got:    %.*s", path, number, STR_ARG(wanted_line),
                     STR_ARG(got_line));
        number++;
    } while (wanted.ptr && got.ptr);
    if (wanted.ptr || got.ptr)
        fail_msg("%s:%d: one text ends here", path, number);
}

static bool is_for_postgres(struct str blocks)
{
    bool has_rows = false;
    for (struct block block; next_block(&blocks, &block);) {
        if (str_starts_with(block.head, STR_LIT("sqlite ")))
            return false;
        has_rows |= str_starts_with(block.head, STR_LIT("sql "));
    }
    return has_rows;
}

struct topic {
    const char *path;
    bool is_on_postgres;
};

static void topic_reads_as_it_should(void **state)
{
    const struct topic *topic = *state;
    const char *path = topic->path;
    const char *url = topic->is_on_postgres ? backend_fact("POSTGRES", "URL") : NULL;
    struct buf wanted, got;
    struct world world;
    buf_init(&wanted, MAX_FILE_BYTES);
    buf_init(&got, MAX_FILE_BYTES);
    read_file(path, &wanted);
    struct str blocks = buf_str(&wanted);
    buf_append_str(&got, next_body(&blocks)); /* what the topic is about */
    if (got.len)
        buf_append_byte(&got, '\n');
    if (url && !is_for_postgres(blocks)) {
        print_message("%s: its rows are for SQLite, or there are none\n", path);
        buf_done(&wanted);
        buf_done(&got);
        return;
    }
    world_init(&world, blocks, url);
    write_topic(&world, blocks, &got);
    world_done(&world);
    assert_int_equal(buf_error(&got), 0);
    if (!str_eq(buf_str(&wanted), buf_str(&got)) && !url && getenv("GOLDEN_UPDATE"))
        rewrite(path, buf_str(&got));
    compare(path, buf_str(&wanted), buf_str(&got));
    buf_done(&wanted);
    buf_done(&got);
}

/* golden [--postgres] FILE...: a case a file, named like it. */
int main(int argc, char **argv)
{
    bool is_on_postgres = argc > 1 && strcmp(argv[1], "--postgres") == 0;
    char **files = argv + 1 + is_on_postgres;
    size_t n = (size_t)(argc - 1 - is_on_postgres);
    struct CMUnitTest *tests = calloc(n + 1, sizeof *tests);
    struct topic *topics = calloc(n + 1, sizeof *topics);
    char **names = calloc(n + 1, sizeof *names);
    if (n == 0 || !tests || !topics || !names)
        return 2;
    for (size_t i = 0; i < n; i++) {
        const char *slash = strrchr(files[i], '/');
        names[i] = strdup(slash ? slash + 1 : files[i]);
        *strchrnul(names[i], '.') = '\0';
        topics[i] = (struct topic){files[i], is_on_postgres};
        tests[i] = (struct CMUnitTest){
            .name = names[i], .test_func = topic_reads_as_it_should, .initial_state = &topics[i]};
    }
    int n_failed = _cmocka_run_group_tests("golden", tests, n, NULL, NULL);
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
    free(topics);
    free(tests);
    return n_failed != 0;
}
