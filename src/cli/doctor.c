/* SPDX-License-Identifier: Apache-2.0
 *
 * precis doctor: looks at everything a server needs and says in words what is wrong. Each check is one
 * function of the table below; a check that cannot run says why, and the others go on.
 */
#include "cli/advice.h"
#include "cli/doctor_priv.h"
#include "core/civil.h"

#include <stdio.h>
#include <sys/statvfs.h>

#define MAX_OUTPUT_BYTES  (1024 * 1024)
#define INDEX_DEADLINE_US (20 * US_PER_SEC) /* some hundred thousand items */
#define LITTLE_DISK_BYTES (INT64_C(256) << 20)
#define MIB               (1024.0 * 1024.0)

static void tell_json(struct doctor *doctor, const struct finding *finding, const char *verdict)
{
    struct json_writer *json = &doctor->json;
    json_open_object(json);
    json_put_member_text(json, "verdict", str_of(verdict));
    json_put_member_text(json, "subject", str_of(finding->subject));
    json_put_member_text(json, "message", str_of(finding->sentence));
    if (finding->took_us >= 0)
        json_put_member_ms(json, "took_ms", finding->took_us);
    if (finding->recipe) {
        json_put_member_text(json, "recipe", finding->recipe->name);
        json_put_member_text(json, "section", finding->step->name);
        json_put_member_text(json, "file", finding->recipe->file);
        json_put_member_int(json, "line", finding->step->line);
        json_put_member_int(json, "column", finding->step->column);
    }
    json_close_object(json);
}

void doctor_tell(struct doctor *doctor, const struct finding *finding)
{
    static const char *const names[] = {"ok", "note", "problem"};
    const char *verdict = names[finding->verdict];
    if (finding->verdict == VERDICT_PROBLEM)
        doctor->n_problems++;
    if (doctor->cli->is_json) {
        tell_json(doctor, finding, verdict);
        return;
    }
    buf_printf(&doctor->out, "%-8s %-14s ", verdict, finding->subject);
    if (finding->recipe)
        buf_printf(&doctor->out, "%.*s:%d:%d: '%.*s' of recipe '%.*s': ", STR_ARG(finding->recipe->file),
                   finding->step->line, finding->step->column, STR_ARG(finding->step->name),
                   STR_ARG(finding->recipe->name));
    buf_append_text(&doctor->out, finding->sentence);
    if (finding->took_us >= 0)
        buf_printf(&doctor->out, " (%.1f ms)", (double)finding->took_us / 1e3);
    buf_append_byte(&doctor->out, '\n');
}

void doctor_say(struct doctor *doctor, enum verdict verdict, const char *subject, const char *sentence)
{
    doctor_tell(doctor, &(struct finding){
                            .verdict = verdict, .subject = subject, .sentence = sentence, .took_us = -1});
}

void doctor_say_error(struct doctor *doctor, const char *subject, const struct err_info *err)
{
    char sentence[ERR_FIELD_SIZE + ERR_MESSAGE_SIZE + 4];
    (void)snprintf(sentence, sizeof sentence, "%s%s%s", err->field, *err->field ? ": " : "", err->message);
    doctor_say(doctor, VERDICT_PROBLEM, subject, sentence);
}

static void check_config(struct doctor *doctor)
{
    char sentence[512];
    const struct config *config = &doctor->app.config;
    if (config->file)
        (void)snprintf(sentence, sizeof sentence, "read from %s", config->file);
    else
        (void)snprintf(sentence, sizeof sentence,
                       "there is no precis.yaml; environment and built-in values hold");
    doctor_say(doctor, VERDICT_OK, "configuration", sentence);
}

static void check_sqlite(struct doctor *doctor, const struct store_info *info)
{
    char sentence[512];
    if (info->has_wal_reset_fix) {
        (void)snprintf(sentence, sizeof sentence, "%s, which has the fix for the WAL-reset defect",
                       info->library_version);
        doctor_say(doctor, VERDICT_OK, "sqlite", sentence);
        return;
    }
    (void)snprintf(sentence, sizeof sentence,
                   "%s is linked, which lacks the fix for the WAL-reset defect (3.51.3); writes and "
                   "checkpoints of all precis processes take turns under one lock, so that none meets it",
                   info->library_version);
    doctor_say(doctor, VERDICT_NOTE, "sqlite", sentence);
}

static void check_index(struct doctor *doctor)
{
    struct memory_check check;
    struct err_info err;
    char sentence[256];
    if (memory_check(doctor->app.memory, clock_mono_us(&clock_system) + INDEX_DEADLINE_US, &check, &err) <
        0) {
        doctor_say_error(doctor, "index", &err);
        return;
    }
    (void)snprintf(sentence, sizeof sentence,
                   "built for %zu users, it holds the %zu items that the store has%s", check.n_users,
                   check.n_rows, check.is_cut_short ? "; others were not looked at, to come to an end" : "");
    doctor_say(doctor, check.is_cut_short ? VERDICT_NOTE : VERDICT_OK, "index", sentence);
}

static void check_store(struct doctor *doctor)
{
    struct store_info info;
    struct err_info err;
    char sentence[1024];
    if (app_open_memory(&doctor->app, false, &err) < 0 ||
        store_describe(doctor->app.store, &info, &err) < 0) {
        doctor_say_error(doctor, "store", &err);
        return;
    }
    (void)snprintf(sentence, sizeof sentence, "%s: %s, schema %d, %.1f MiB and %.1f MiB of log%s", info.path,
                   info.engine, info.schema_version, (double)info.size_bytes / MIB,
                   (double)info.wal_bytes / MIB, info.is_owner ? "" : "; another process has it open");
    doctor_say(doctor, VERDICT_OK, "store", sentence);
    check_sqlite(doctor, &info);
    if (store_check(doctor->app.store, &err) < 0)
        doctor_say_error(doctor, "integrity", &err);
    else
        doctor_say(doctor, VERDICT_OK, "integrity",
                   "every page and every foreign key of the store is as it should be");
    check_index(doctor);
}

static void check_disk(struct doctor *doctor)
{
    struct statvfs disk;
    char sentence[256];
    const char *path = doctor->app.config.data_dir;
    if (statvfs(path, &disk) < 0 && statvfs(path = ".", &disk) < 0)
        return; /* the store's own check says what is wrong with the folder */
    int64_t free_bytes = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
    (void)snprintf(sentence, sizeof sentence, "%.1f GiB free at %s", (double)free_bytes / (1024.0 * MIB),
                   path);
    doctor_say(doctor, free_bytes < LITTLE_DISK_BYTES ? VERDICT_PROBLEM : VERDICT_OK, "disk", sentence);
}

static void check_recipes(struct doctor *doctor)
{
    struct recipe_report findings = {.n = 0};
    struct err_info err;
    char sentence[128];
    const struct recipe_book *book = &doctor->app.recipes;
    int r = app_open_recipes(&doctor->app, &findings, &err);
    for (size_t i = 0; i < findings.n; i++) {
        struct err_info finding;
        err_set(&finding, ERR_INVALID, "line %d: %.*s", findings.findings[i].line,
                STR_ARG(findings.findings[i].message));
        doctor_say_error(doctor, "recipes", &finding);
    }
    for (size_t i = 0; i < book->n_left_out; i++) {
        struct err_info left_out;
        err_set(&left_out, ERR_NOT_FOUND,
                "left out: %.*s; name it in precis.yaml, or try `precis init --demo`",
                STR_ARG(book->left_out[i]));
        doctor_say(doctor, VERDICT_NOTE, "recipes", left_out.message);
    }
    if (r < 0) {
        doctor_say_error(doctor, "recipes", &err);
    } else {
        (void)snprintf(sentence, sizeof sentence, "%zu can be built", book->n);
        doctor_say(doctor, book->n > 0 ? VERDICT_OK : VERDICT_NOTE, "recipes", sentence);
    }
    recipe_report_done(&findings);
}

static void check_model(struct doctor *doctor)
{
    struct err_info err;
    char sentence[256];
    if (app_open_embedder(&doctor->app, &err) < 0) {
        doctor_say_error(doctor, "embedding", &err);
        return;
    }
    (void)snprintf(sentence, sizeof sentence, "%s, %zu dimensions", doctor->app.config.embedding_model,
                   embedder_dims(doctor->app.embedder));
    doctor_say(doctor, VERDICT_OK, "embedding", sentence);
}

/* A tiny question, with more time than a search would give it. */
static void check_rerank(struct doctor *doctor)
{
    static const struct str texts[] = {STR_LIT("A penguin swims."), STR_LIT("The bins go out on Thursday.")};
    const struct rerank_question question = {
        .query = STR_LIT("When do the bins go out?"), .texts = texts, .n = 2};
    struct config *config = &doctor->app.config;
    const int64_t timeout_us = config->rerank_timeout_us;
    double scores[2];
    struct err_info err;
    char sentence[512];
    if (!config->rerank_url)
        return;
    config->rerank_timeout_us = DOCTOR_DEADLINE_US;
    int64_t started_us = clock_mono_us(&clock_system);
    if (app_open_rerank(&doctor->app, &err) < 0 ||
        rerank_ask(doctor->app.rerank, &question, scores, &err) < 0) {
        doctor_say_error(doctor, "rerank", &err);
        return;
    }
    int64_t took_us = clock_mono_us(&clock_system) - started_us;
    bool is_late = took_us > timeout_us;
    (void)snprintf(sentence, sizeof sentence,
                   is_late ? "%s answered in %.0f ms, which is longer than searches wait: %.0f ms"
                           : "%s answered in %.0f ms; searches wait up to %.0f ms",
                   rerank_place(doctor->app.rerank), (double)took_us / 1e3, (double)timeout_us / 1e3);
    doctor_say(doctor, is_late ? VERDICT_NOTE : VERDICT_OK, "rerank", sentence);
}

/* The Redis that servers share, if the configuration names one. */
static void check_shared(struct doctor *doctor)
{
    struct app *app = &doctor->app;
    struct err_info err;
    char sentence[ERR_MESSAGE_SIZE + 256];
    if (!app->config.shared_redis)
        return;
    int64_t started_us = clock_mono_us(&clock_system);
    int r = app_open_shared(app, &err);
    if (r == 0)
        r = redis_client_ping(app->shared, started_us + DOCTOR_DEADLINE_US, &err);
    const char *advice = r < 0 ? advice_for(str_of(err.message)) : NULL;
    (void)snprintf(sentence, sizeof sentence, "%s%s%s", r < 0 ? err.message : "answers", advice ? "; " : "",
                   advice ? advice : "");
    doctor_tell(doctor, &(struct finding){.verdict = r < 0 ? VERDICT_PROBLEM : VERDICT_OK,
                                          .subject = "shared",
                                          .sentence = sentence,
                                          .took_us = clock_mono_us(&clock_system) - started_us});
}

static void check_zones(struct doctor *doctor)
{
    struct zone *zone = NULL;
    struct err_info err;
    if (zone_new(STR_LIT("Europe/Warsaw"), &zone, &err) < 0)
        doctor_say(doctor, VERDICT_PROBLEM, "time zones",
                   "the system has no zone files: install tzdata, or all times are UTC");
    else
        doctor_say(doctor, VERDICT_OK, "time zones", "the system's zone files are there");
    (void)zone_free(zone);
}

static int doctor_examine(struct doctor *doctor)
{
    static void (*const checks[])(struct doctor *) = {
        check_config, check_disk,   check_store, check_recipes, check_model, doctor_check_connections,
        check_shared, check_rerank, check_zones,
    };
    struct err_info err;
    if (app_open_config(&doctor->app, doctor->cli, &err) < 0)
        return cli_fail(doctor->cli, &err);
    if (doctor->cli->is_json)
        json_open_array(&doctor->json);
    for (size_t i = 0; i < doctor->app.config.warnings.n; i++)
        doctor_say(doctor, VERDICT_NOTE, "environment", doctor->app.config.warnings.items[i]);
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        checks[i](doctor);
    if (doctor->cli->is_json)
        json_close_array(&doctor->json);
    int exit_code = cli_print(doctor->cli, &doctor->out);
    if (doctor->n_problems > 0)
        fprintf(stderr, "precis: %d %s\n", doctor->n_problems,
                doctor->n_problems == 1 ? "problem" : "problems");
    return doctor->n_problems > 0 ? EXIT_FAILED : exit_code;
}

static int doctor_run(struct cli *cli, int argc, char **argv)
{
    const struct option options[] = {OPTION_END};
    struct args_list words;
    int r = cli_parse(cli, &command_doctor, options, argc, argv, 0, 0, &words);
    if (r != 0)
        return cli_parse_exit(r);
    struct doctor doctor = {.cli = cli};
    buf_init(&doctor.out, MAX_OUTPUT_BYTES);
    json_writer_init(&doctor.json, &doctor.out);
    int exit_code = doctor_examine(&doctor);
    app_close(&doctor.app);
    buf_done(&doctor.out);
    return exit_code;
}

const struct command command_doctor = {"doctor", "[--json]",
                                       "asks everything a server needs and says what is wrong", doctor_run};
