/* SPDX-License-Identifier: Apache-2.0
 *
 * A recipe: what a context is made of, declared in YAML, checked whole before anything runs, and
 * immutable afterwards. This folder is the only reader of recipe YAML; build/ acts on the plan below.
 *
 * docs/recipes.md is the reference for those who write recipes.
 */
#ifndef PRECIS_RECIPE_RECIPE_H
#define PRECIS_RECIPE_RECIPE_H

#include "core/arena.h"
#include "core/civil.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/value.h"
#include "source/source.h"

/* Every maximum a recipe can run into. Its text is bounded by YAML_MAX_BYTES. */
#define RECIPE_MAX_STEPS       64 /* resolves and sections together: one bit each in a uint64_t */
#define RECIPE_MAX_PARAMS      64
#define RECIPE_MAX_CHOICES     256
#define RECIPE_MAX_BINDS       100 /* different placeholders of one statement */
#define RECIPE_MAX_TOKENS      2000000
#define RECIPE_MIN_TOKENS      16
#define RECIPE_MAX_DEADLINE_US (60 * US_PER_SEC)
#define RECIPE_MAX_LIFETIME_US (366 * 86400 * US_PER_SEC) /* of a cache entry; also the longest `fresh` */
#define RECIPE_MAX_FINDINGS    200                        /* a file with more is no recipe */
#define RECIPE_MAX_ARENA_BYTES (16 * 1024 * 1024)
#define TEMPLATE_MAX_DEPTH     16 /* conditions and repetitions inside each other */

/* What a recipe gets that does not say. */
#define RECIPE_DEFAULT_TOKENS      4000
#define RECIPE_DEFAULT_MAX_TOKENS  32000
#define RECIPE_DEFAULT_TOKENIZER   "o200k_base"
#define RECIPE_DEFAULT_DEADLINE_US (200 * US_PER_MS)
#define RECIPE_DEFAULT_LIMIT       20
#define RECIPE_DEFAULT_FETCH       200

/* ---- references: what :name and {name} may mean ---- */

enum recipe_ref_kind {
    REF_PARAM,        /* idx into params */
    REF_STEP,         /* column of the first row of step idx: `user.location` */
    REF_QUERY,        /* the request's query text */
    REF_QUERY_VECTOR, /* its embedding by the configured model, as the text "[0.1,...]" */
    REF_USER,         /* scope.user */
    REF_TENANT,       /* scope.tenant: of the credential, never of the request's body */
    REF_NOW,          /* the request's time plus offset_us */
    REF_DAY,          /* midnight of the request's day plus `days` in the recipe's zone, plus offset_us */
    REF_FIELD,        /* in item templates only: a column of the row at hand */
};

/* What of a time is meant: the instant, or what a clock and a calendar in the recipe's zone show then. */
enum recipe_time_part {
    TIME_INSTANT,
    TIME_DATE,    /* text, 2026-11-21 */
    TIME_CLOCK,   /* text, 05:37:01 */
    TIME_WEEKDAY, /* number, 1 Monday .. 7 Sunday */
};

struct recipe_ref {
    enum recipe_ref_kind kind;
    size_t idx;
    struct str column;          /* REF_STEP, REF_FIELD; dots reach into JSON: "forecast.summary" */
    int64_t offset_us;          /* REF_NOW, REF_DAY */
    int days;                   /* REF_DAY: -1 yesterday, 0 today, 1 tomorrow */
    enum recipe_time_part part; /* REF_NOW, REF_DAY */
    bool is_list; /* REF_STEP: not of the first row but of all rows, as a JSON array: `watchlist[].symbol` */
};

/* ---- templates ---- */

struct template; /* compiled; lives in the recipe's arena */

/* Where a template finds values. lookup returns NULL for an unknown or absent name; the name
 * may be dotted. */
struct template_scope {
    const struct value *(*lookup)(void *owner, const struct recipe_ref *ref, struct arena *scratch);
    void *owner;
    const struct zone *zone; /* for date and time filters; NULL: UTC */
    int64_t now_us;          /* for `ago` */
    /* What retrieved text goes through before it enters the output; NULL: none. is_line_start: nothing stands
     * before it on its line. */
    void (*guard)(struct buf *buf, struct str text, bool is_line_start);
    bool *has_gap; /* set when a value printed nothing; may be NULL */
};

/* Appends the rendered text. A line of the template that holds a placeholder and renders to nothing but white
 * space is left out whole. Errors latch in buf and scratch. */
void template_render(const struct template *template, const struct template_scope *scope,
                     struct arena *scratch, struct buf *buf);

/* ---- the plan ---- */

struct recipe_param {
    struct str name;
    enum value_type type; /* TEXT, INT, REAL, BOOL, TIME, JSON (a list) */
    bool is_required;
    bool has_fallback;
    struct value fallback;
    struct str about;
    const struct str *choices; /* allowed texts; n_choices 0: any */
    size_t n_choices;
};

/* One name of a map and what stands there: a template, or a constant text. */
struct recipe_entry {
    struct str name, text;
    const struct template *template; /* NULL: text as it is */
};

/* A setting's value as written: constant, a template, or SQL with its placeholders. */
struct recipe_setting {
    struct value
        constant; /* INT, REAL, BOOL, JSON list, NULL when absent; for SQL: the statement with ?1.. */
    const struct template *template;    /* SETTING_TEXT and SETTING_PATH with placeholders */
    const struct recipe_entry *entries; /* SETTING_MAP; its constant is what was written */
    size_t n_entries;
    const struct recipe_ref *binds; /* SETTING_SQL, in order of ?1.. */
    size_t n_binds;
};

/* `when: user.location`, `when: not session_id`, `when: "query"`; several joined by `and`. */
struct recipe_condition {
    struct recipe_ref ref;
    bool is_negated;
};

/* One question to one source. Resolves come first in recipe->steps, then the sections. */
struct recipe_step {
    struct str name;
    int line, column;                      /* where it stands in the file */
    struct str from;                       /* connection or built-in kind, as written */
    const struct source_ops *ops;          /* the kind of `from` */
    const struct recipe_setting *settings; /* one a row of ops->settings */
    const struct recipe_condition *when;
    size_t n_when;
    const struct str *any; /* what `from` was chosen of: the first that is configured; n_any 0: no choice */
    size_t n_any;
    int64_t timeout_us; /* of its own; INT64_MAX: the request's deadline alone */
    uint64_t needs;     /* bits of the steps whose results it reads: the graph, free of cycles */
    bool is_required;   /* resolve: 404 when there is no row; section: 503 when it fails */
};

/* The steps down from a whole item, in the order in which they are tried. */
enum recipe_shorten { SHORTEN_CORE = 1, SHORTEN_LINE = 2 };
#define SHORTEN_ALL (SHORTEN_CORE | SHORTEN_LINE)

/* Which of a section's items go first while there is room: see docs/recipes.md. */
enum recipe_choice { CHOOSE_RANK, CHOOSE_GAIN };
enum recipe_order { ORDER_RANKED, ORDER_REVERSED, ORDER_TIME };

struct recipe_section {
    struct recipe_step step;
    struct str title;               /* heading; "" for none */
    size_t limit;                   /* items at most */
    int64_t min_tokens, max_tokens; /* floor and ceiling; ceiling INT64_MAX when not given */
    const struct template *item;    /* one row; NULL: "- " and the row's columns */
    const struct template *group; /* the line that neighbours in print with the same one share; NULL: none */
    const struct template *empty; /* said when there is nothing; NULL: the section is left out */
    bool is_stable;               /* stands in the stable part */
    bool is_deduplicated;         /* near-duplicates removed, also against other sections */
    bool is_redacted;             /* secrets in its items are replaced: see text/redact.h */
    size_t n_matched; /* with n_fetched: rows that stay even if they have little to do with the query */
    size_t n_fetched; /* rows asked for, to keep those that matter to the query; 0: as they come */
    unsigned shorten; /* SHORTEN_ bits: what may become of an item that does not fit */
    enum recipe_choice choice;
    enum recipe_order order; /* how kept items are printed; rank decides which are kept */
    int64_t fresh_us;        /* an item older than this has field `is_old` set; 0: never */
    struct str time_column;  /* the column that says when an item was measured; "" for the source's own */
    struct str id_column;    /* the column that names an item; "" for the source's own */
    struct str score_column; /* the column that holds its relevance, 0 to 1; "" for the source's own */
    double min_score;        /* items that score below are noise; 0: none */
};

struct recipe {
    struct arena arena; /* owns all of it */
    int n_refs;         /* atomic */
    struct str name, about;
    struct str file;
    char version[33]; /* hex digest of the recipe's text: part of every cache key */
    struct recipe_param *params;
    size_t n_params;
    struct recipe_step *resolves;
    size_t n_resolves;
    struct recipe_section *sections; /* in order of priority */
    size_t n_sections;
    int64_t budget_tokens, max_budget_tokens;
    struct str tokenizer; /* default of requests */
    int64_t deadline_us;
    int64_t cache_ttl_us, cache_stale_us; /* 0: not cached, nothing stale */
    bool is_redacted;                     /* of sections that do not say */
    bool has_query_vector;                /* some text says :query.embedding */
    struct recipe_ref
        zone; /* where the user's time zone stands; kind REF_PARAM with idx SIZE_MAX: none, UTC */
};

/* The step with that number: resolves first, then sections. */
const struct recipe_step *recipe_step_at(const struct recipe *recipe, size_t idx);
size_t recipe_n_steps(const struct recipe *recipe);
/* NULL if there is none. */
const struct recipe_section *recipe_section_find(const struct recipe *recipe, struct str name);

/* ---- loading ---- */

/* All that is wrong with a recipe, in file order. */
struct recipe_finding {
    struct str file;
    int line, column;
    struct str message; /* a sentence; says the nearest known name where one is near */
};
struct recipe_report {
    struct arena arena;
    struct recipe_finding *findings;
    size_t n;
};
void recipe_report_done(struct recipe_report *report);

/* The connections a recipe may name, with their kinds; from the configuration. */
struct recipe_connection {
    struct str name;
    const struct source_ops *ops;
};

/* Parses and checks; executes nothing. Every error goes into the report (may be NULL), the first also into
 * reterr with "file:line:column". ERR_INVALID when there is any. A name in `from` must be a built-in kind or
 * one of connections. */
int recipe_load(struct str text, const char *file, const struct recipe_connection *connections,
                size_t n_connections, struct recipe **ret_recipe, struct recipe_report *report,
                struct err_info *reterr);
struct recipe *recipe_hold(struct recipe *recipe);
struct recipe *recipe_unref(struct recipe *recipe);

/* Names, parameters, sections as JSON: what GET /v1/recipes and `precis recipe show --json` say. */
void recipe_write_json(const struct recipe *recipe, bool is_full, struct buf *buf);

/* ---- the set a server serves ---- */

/* Immutable once loaded; looked up without a lock. */
struct recipe_book {
    struct arena arena;
    struct recipe **recipes; /* by name */
    size_t n;
    struct str
        *left_out; /* built-in recipes that cannot be served here, each as a sentence with the reason */
    size_t n_left_out;
};
/* Loads every *.yaml of the folders over the built-in recipes; a file of the same recipe name wins, and so
 * does a later folder. A bad file is an error. A built-in recipe that names a connection the configuration
 * does not have is left out. */
int recipe_book_load(const char *const *folders, size_t n_folders,
                     const struct recipe_connection *connections, size_t n_connections,
                     struct recipe_book *ret_book, struct recipe_report *report, struct err_info *reterr);
void recipe_book_done(struct recipe_book *book);
const struct recipe *recipe_book_find(const struct recipe_book *book, struct str name);

#endif
