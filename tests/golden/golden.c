/* SPDX-License-Identifier: Apache-2.0
 *
 * Golden cases: what comes of a recipe, rows and a request, to the letter. A file is a topic; README.md here
 * says how one is written. The text a run would write is compared with the text of the file, so that checking
 * and rewriting (GOLDEN_UPDATE=1, for people) are one and the same. A rewritten file fails its run.
 */
#include "../unit/temp_folder.h"
#include "build/build.h"
#include "core/embed.h"
#include "text/embed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
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
    struct arena arena; /* of the topic */
    char folder[TEMP_FOLDER_SIZE];
    struct clock_manual clock;
    struct store *store;
    struct memory *memory;
    struct workers *workers;
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

/* === sql NAME [SHIPPED FILE] */
static void add_database(struct world *world, struct str name, struct str shipped, struct str sql)
{
    struct err_info err = {0};
    const char *path = arena_printf(&world->arena, "%s/%.*s.db", world->folder, STR_ARG(name)).ptr;
    const char *scripts[] = {shipped.len ? shipped_file(shipped) : "", arena_strdup(&world->arena, sql)};
    must(store_run_scripts(path, scripts, 2, &err), &err);
    assert_true(world->n_sources < MAX_SOURCES);
    struct source **source = &world->sources[world->n_sources];
    const char *url = arena_printf(&world->arena, "sqlite:%s", path).ptr;
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
    } else if (str_is(kind, "sql")) {
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
static void world_init(struct world *world, struct str blocks)
{
    struct err_info err = {0};
    *world = (struct world){0};
    assert_true(temp_folder_make("/tmp", world->folder));
    arena_init(&world->arena, MAX_ARENA_BYTES);
    clock_manual_init(&world->clock, 0, 0);
    world->clock.base.mono_us = clock_system.mono_us;
    const char *url = arena_printf(&world->arena, "sqlite:%s/precis.db", world->folder).ptr;
    struct store_options store = {.url = url, .may_create = true, .clock = &world->clock.base};
    must(store_open(&store, &world->store, &err), &err);
    must(memory_new(world->store, &world->clock.base, NULL, &world->memory, &err), &err);
    must(workers_new("golden", 2, 64, &world->workers, &err), &err);
    must(embedder_builtin(&world->embedder, &err), &err);
    world->env = (struct source_env){.memory = world->memory,
                                     .workers = world->workers,
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
    workers_free(world->workers);
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

static void topic_reads_as_it_should(void **state)
{
    const char *path = *state;
    struct buf wanted, got;
    struct world world;
    buf_init(&wanted, MAX_FILE_BYTES);
    buf_init(&got, MAX_FILE_BYTES);
    read_file(path, &wanted);
    struct str blocks = buf_str(&wanted);
    buf_append_str(&got, next_body(&blocks)); /* what the topic is about */
    if (got.len)
        buf_append_byte(&got, '\n');
    world_init(&world, blocks);
    write_topic(&world, blocks, &got);
    world_done(&world);
    assert_int_equal(buf_error(&got), 0);
    if (!str_eq(buf_str(&wanted), buf_str(&got)) && getenv("GOLDEN_UPDATE"))
        rewrite(path, buf_str(&got));
    compare(path, buf_str(&wanted), buf_str(&got));
    buf_done(&wanted);
    buf_done(&got);
}

/* A case a file, named like it. */
int main(int argc, char **argv)
{
    struct CMUnitTest *tests = calloc((size_t)argc, sizeof *tests);
    char **names = calloc((size_t)argc, sizeof *names);
    if (argc < 2 || !tests || !names)
        return 2;
    for (int i = 1; i < argc; i++) {
        const char *slash = strrchr(argv[i], '/');
        names[i] = strdup(slash ? slash + 1 : argv[i]);
        *strchrnul(names[i], '.') = '\0';
        tests[i - 1] = (struct CMUnitTest){
            .name = names[i], .test_func = topic_reads_as_it_should, .initial_state = argv[i]};
    }
    int n_failed = _cmocka_run_group_tests("golden", tests, (size_t)argc - 1, NULL, NULL);
    for (int i = 1; i < argc; i++)
        free(names[i]);
    free(names);
    free(tests);
    return n_failed != 0;
}
