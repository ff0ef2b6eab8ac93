/* SPDX-License-Identifier: Apache-2.0
 *
 * One build from request to answer, and what its steps tell each other. A build lives on one thread and on
 * one arena; only the answer leaves it. Steps fill it in the order of the table in build.c.
 */
#ifndef PRECIS_BUILD_BUILD_PRIV_H
#define PRECIS_BUILD_BUILD_PRIV_H

#include "build/build.h"
#include "build/counts.h"
#include "build/memo.h"
#include "build/secrets.h"
#include "build/shelf.h"
#include "text/cut.h"
#include "text/tokens.h"

#define BUILD_MAX_ARENA_BYTES ((size_t)128 * 1024 * 1024) /* a few full results, rendered */

/* ---- what a step of the recipe brought ---- */

/* A result that a build and the shelf of old material may both use. */
struct material {
    int n_refs; /* atomic */
    struct source_result *result;
    int64_t fetched_us; /* monotonic */
};
/* Takes the result also on failure. */
struct material *material_new(struct source_result *result, int64_t fetched_us);
void material_hold(void *material);
void material_unref(void *material); /* accepts NULL */

enum step_state {
    STEP_IDLE, /* nobody wants it */
    STEP_WAITING,
    STEP_RUNNING,
    STEP_DONE,
    STEP_STALE, /* failed, but older material stands in for it */
    STEP_SKIPPED,
    STEP_FAILED,
    STEP_TIMEOUT,
};

struct build_step {
    struct source_fetch fetch; /* first: the loop's operation is a step's address */
    const struct recipe_step *plan;
    enum step_state state;
    struct material *material; /* held; DONE and STALE, or a guess */
    int64_t started_us, took_us;
    struct str error;
    int error_code;
    struct shelf_key key; /* of its material on the shelf, with has_key */
    bool has_key;
    struct shelf_key resident; /* the same among what follows the store, with is_resident; see resident.h */
    bool is_resident;
    struct shelf_key guess; /* what is asked, with has_guess_key; see guess.h */
    bool has_guess_key;
    bool takes_all;  /* room does not bound what it is asked for */
    bool is_guessed; /* RUNNING, and its material is what it will bring, most likely */
};

/* ---- sections and their items ---- */

enum item_fate {
    ITEM_OPEN, /* not decided yet */
    ITEM_FITS,
    ITEM_SHORTENED,
    ITEM_NO_ROOM,
    ITEM_OVER_SECTION_MAX,
    ITEM_DUPLICATE,
    ITEM_BELOW_MIN_SCORE,
    ITEM_OVER_LIMIT,
};

/* An item as the format writes it, measured for the ledger. */
struct build_piece {
    struct str text;
    struct count_entry cost; /* first: TOKENS_NO_BREAK when it has no break; then the rest says nothing */
    bool is_measured;
};

struct build_item {
    struct str text;  /* Markdown, without a final newline */
    struct str json;  /* the row as an object; only for FORMAT_JSON */
    struct str group; /* the line it stands under; "" for none */
    struct str id;
    double score;
    const float *score_parts; /* as struct source_row has them */
    int64_t time_us;
    int64_t tokens; /* alone, with the end of its line; -1: not counted yet */
    enum item_fate fate;
    struct str cut;           /* stands for text when SHORTENED */
    const char *step;         /* "core" or "line": how it was cut; NULL: it was not */
    struct build_piece piece; /* of what stands in the context, or would */
    size_t place;             /* in the order of print, over all sections; the ledger's */
    bool is_notice;           /* what the recipe says of an empty section: no item to those who count */
};

struct build_section {
    const struct recipe_section *plan;
    struct build_step *step;
    enum section_status status;
    struct build_item *items; /* best first */
    size_t n_items;
    size_t first_place; /* of its items; the ledger's */
    int64_t used_units; /* of what it keeps, while it has a ceiling */
    int64_t tokens;     /* of its text, exactly */
    struct str degraded;
    size_t *printed;             /* places in items, in the order of print */
    size_t *chosen;              /* places in items, in the order in which they are offered room; fit's */
    struct str *texts;           /* of its rows, by their place, as far as they are printed; NULL: none is */
    struct build_match *matches; /* of its rows, best first; NULL: as the source gave them */
    bool is_rendered;            /* the two are there */
};

static inline bool item_is_kept(const struct build_item *item)
{
    return item->fate == ITEM_FITS || item->fate == ITEM_SHORTENED;
}
/* What is printed of it. */
static inline struct str item_text(const struct build_item *item)
{
    return item->fate == ITEM_SHORTENED ? item->cut : item->text;
}
bool section_is_shown(const struct build_section *section);

/* ---- formats ---- */

struct build;

/* How a format writes an answer: items, and what stands between them. A format says it once, and both the
 * text and what it costs are made of that. */
struct build_format_ops {
    const char *name;
    bool has_markdown;     /* items stand in it as text, so that one can be cut short */
    const char *separator; /* what an item brings besides itself and its group's line; for its cost */
    /* The item as it is written, given its text. */
    struct str (*on_item)(const struct build_item *item, struct str text, struct arena *arena);
    /* What opens a section whose first item is this one. */
    void (*on_open)(const struct build_section *section, const struct build_item *first, struct buf *buf);
    void (*on_between)(const struct build_item *before, const struct build_item *after, struct buf *buf);
    void (*on_close)(struct buf *buf);
    /* What stands before the first section, between two (of the stable and the volatile part), after the
     * last, or in place of all. */
    void (*on_frame)(bool has_before, bool has_after, bool is_part_end, struct buf *buf);
    void (*on_part)(const struct build *build, bool is_stable, struct buf *buf);
};
extern const struct build_format_ops format_markdown, format_json, format_messages;
const struct build_format_ops *build_format_find(enum build_format format);

/* A kept item and its section; item NULL: the end of the text. */
struct build_place {
    struct build_section *section;
    struct build_item *item;
};
/* What the format writes between two neighbours, or at an end; without frame for a section alone. */
void format_append_glue(const struct build_format_ops *format, struct build_place before,
                        struct build_place after, bool has_frame, struct buf *buf);
/* The whole context in the build's format. */
void format_write_context(const struct build *build, struct buf *buf);
/* One part as this format writes it, of the items' texts as they are. */
void format_write_part(const struct build_format_ops *format, const struct build *build, bool is_stable,
                       struct buf *buf);

/* ---- the build ---- */

struct build_flight;
struct zone_use;

struct build {
    struct build_engine *engine;
    const struct build_request *request;
    struct arena arena;
    const struct recipe *recipe;
    struct scope scope;
    struct value *params; /* one a recipe parameter, converted, fallbacks filled in */
    uint64_t asked;       /* bits of the sections to show, by their place in recipe->sections */
    const struct tokenizer *tokenizer;
    const struct build_format_ops *format;
    int64_t max_tokens;
    int64_t started_us, began_us; /* monotonic: when it was asked for, when work on it began */
    int64_t deadline_us;
    int64_t deadline_len_us;
    int64_t now_us;          /* wall clock: one now for all */
    const struct zone *zone; /* NULL: not known, or UTC */
    struct zone_use *zone_use;
    const float *query_floats; /* the same as numbers; NULL: there is none */
    struct value query_vector; /* what :query.embedding stands for; NULL: there is none */
    struct str zone_trouble;   /* "" or why times are in UTC instead */

    struct shelf_key key;  /* of the answer */
    uint64_t version;      /* of the user's own data before anything was read */
    uint64_t data_version; /* the same, before gather asked */
    bool is_now;           /* it must not wait: rather give up */
    struct build_flight *flight;
    struct str far_epoch; /* of the second level when it was asked */
    bool has_far_epoch;

    struct build_step *steps; /* recipe_n_steps */
    struct build_section *sections;
    struct buf stable, volatile_, context; /* the finished text */
    int64_t answer_tokens;                 /* of the context, exactly */
    struct build_answer *answer;
    bool is_hit, is_shared;
};

/* The stages: 0 go on, 1 answered, negative failed; of a build that must not wait BUILD_WOULD_WAIT. */
#define BUILD_WOULD_WAIT 2
int build_resolve(struct build *build, struct err_info *reterr);
int build_cache_look(struct build *build, struct err_info *reterr);
int build_gather(struct build *build, struct err_info *reterr);
/* From within rank: asks those sections anew whose source stopped at what seemed to fill them, when of that
 * too little goes on, so much was said twice. 0: there are none; 1: rank has to begin again; else as a stage.
 */
int build_gather_more(struct build *build, struct err_info *reterr);
int build_rank(struct build *build, struct err_info *reterr);
/* What rank can do for a section by itself, once its rows and the zone are there: its texts, and what they
 * have to do with the query. rank does it where nobody did. */
int build_render(struct build *build, struct build_section *section, struct err_info *reterr);
int build_fit(struct build *build, struct err_info *reterr);
int build_finish(struct build *build, struct err_info *reterr);
int build_cache_keep(struct build *build, struct err_info *reterr);

/* Whether gather may find all that is asked for resident, without trying. */
bool build_may_be_now(const struct build *build);
/* The version of the user's own data as it stands; 0 without a store. */
uint64_t build_version(const struct build_engine *engine, const struct scope *scope);

/* resolve and the cache's first look, without waiting: 0 found, 1 not. */
int build_cache_peek(struct build *build);
/* Tells those who wait for this build how it ended; after any end. */
void build_cache_leave(struct build *build);

/* ---- values a recipe refers to (values.c) ---- */

/* Where names stand: the build, and inside an item its row. */
struct build_names {
    const struct build *build;
    const struct source_result *result; /* NULL outside items */
    const struct source_row *row;
    struct str id;
    int64_t time_us;
    bool is_old;
    bool is_timeless; /* times count as nothing: for keys */
};
struct value build_value_at(const struct build_names *names, const struct recipe_ref *ref,
                            struct arena *arena);
/* The same as a template's lookup; owner is a struct build_names. */
const struct value *build_names_lookup(void *owner, const struct recipe_ref *ref, struct arena *scratch);
bool build_condition_holds(const struct build_names *names, const struct recipe_condition *when,
                           size_t n_when, struct arena *arena);
/* A step's settings and binds; in the arena. */
int build_settings_fill(const struct build_names *names, const struct recipe_step *step, struct arena *arena,
                        struct source_request *request);
/* The column of that name or, with dots, what its JSON holds there; VALUE_NULL when absent. */
struct value build_column_value(const struct source_result *result, const struct source_row *row,
                                struct str name, struct arena *arena);
/* Blanks ask nothing. */
static inline bool build_has_query(const struct build *build)
{
    return !str_is_empty(str_trim(build->request->query));
}
/* Embeds the query by the configured model, if the recipe says :query.embedding anywhere. */
int build_query_embed(struct build *build, struct err_info *reterr);
/* Loads the user's time zone once it is known; one nobody knows is UTC. */
void build_zone_load(struct build *build);

/* ---- rank's and fit's parts ---- */

/* A row and what it has to do with the query; see match.c. */
struct build_match {
    size_t place;    /* among the result's rows */
    struct str text; /* as it would be printed */
    struct str id;
    int64_t time_us;
    bool is_old;
    double score;
    const float *parts; /* SEARCH_N_PARTS */
    bool is_noise;
};
/* Scores the texts, which stand newest first, and sorts them: best first, those that have nothing to do with
 * the query last, in their order; n_least of them are no noise in any case. 1: none has, and nothing was
 * changed. */
int build_match_query(struct build *build, struct build_match *matches, size_t n, size_t n_least,
                      struct err_info *reterr);

/* Marks near-duplicates of earlier items, section by section; see dedup.c. */
struct dedup;
/* seed: of its hashes, secret and the same for all that share `outlines` (of DEDUP_MEMO_WORDS), which may be
 * NULL. Texts must stay as long as the arena. */
#define DEDUP_MEMO_WORDS 5
int dedup_new(struct arena *arena, uint64_t seed, struct memo *outlines, struct dedup **ret_dedup);
/* True when a like text was seen before; otherwise it is remembered. A failed allocation latches in the
 * arena. */
bool dedup_is_known(struct dedup *dedup, struct str text);

/* Appends text from outside so that it stays what it is: content. See guard.c. */
void guard_append(struct buf *buf, struct str text, bool is_line_start);
/* JSON text from outside whose strings may hold what a chat template would act on. */
void guard_append_json(struct buf *buf, struct str json);

/* ---- the engine ---- */

struct build_cache;
struct analyzer;
struct residents;
struct guesses;
struct zones;
struct far;

/* Making one costs as much as comparing a dozen rows. More builds at once than that make their own. */
#define BUILD_N_ANALYZERS 8

struct build_engine {
    struct build_options options;
    const struct clock *clock;
    struct source **builtins; /* a source for each kind that needs no connection */
    size_t n_builtins;
    struct embedder *words; /* the built-in one, for match */
    /* For match too: those that no build has; atomic, NULL: none. */
    struct analyzer *analyzers[BUILD_N_ANALYZERS];
    struct build_cache *cache; /* NULL: none */
    struct far *far;           /* its second level; NULL: none */
    uint64_t seed;             /* of hashes whose input comes from outside */
    struct counts *counts;
    struct memo *outlines; /* of texts; dedup's */
    struct secrets *secrets;
    struct residents *residents;
    struct guesses *guesses;
    struct zones *zones;
    build_observe_fn observe;
    void *observe_owner;
};

int build_cache_new(size_t max_bytes, size_t max_entries, struct build_cache **ret_cache);
struct build_cache *build_cache_free(struct build_cache *cache);
/* The key of what the step will bring: all that shapes it, but for the time of day, which is what makes it
 * old. Without a cache or with a recipe that wants nothing stale there is none. */
int build_material_key(struct build *build, struct build_step *step);
void build_material_keep(struct build *build, struct build_step *step);
/* The step's material if it is on the shelf and not older than the recipe allows: a reference, or NULL. */
struct material *build_material_find(struct build *build, const struct build_step *step);
/* How long this recipe's answers live here; 0: not at all. */
int64_t build_cache_ttl_us(const struct build *build);
void build_shelf_key(const struct build_cache *cache, struct str bytes, struct shelf_key *ret_key);
/* A fresh answer of that key, counted as a hit, or NULL. */
struct build_answer *build_cache_get(const struct build_engine *engine, const struct shelf_key *key,
                                     const struct scope *scope);

/* All that shapes an answer, each part with its length; for a buffer of BUILD_MAX_ARENA_BYTES. */
void build_cache_key_bytes(const struct build *build, struct buf *buf);

/* far.c: the second level. On threads that may wait. */
int far_new(const struct build_options *options, struct far **ret_far, struct err_info *reterr);
struct far *far_free(struct far *far);
/* The answer that another server built, with how much longer it may be used; NULL: there is none. Notes the
 * epoch in the build, without which it writes nothing. */
struct build_answer *far_get(struct build *build, int64_t *ret_left_us);
/* Hands the build's answer over to be written, without waiting. */
void far_put(struct build *build, int64_t ttl_us);
int far_clear(struct far *far, struct str tenant, struct err_info *reterr);
void far_describe(const struct far *far, struct build_cache_stats *ret_stats);

/* far_value.c: an answer as bytes. Appends; items are left out. */
void far_value_write(const struct build_answer *answer, struct buf *buf);
/* Any bytes; ERR_CORRUPT when they are no answer. */
int far_value_read(struct str bytes, struct build_answer **ret_answer, struct err_info *reterr);
struct build_answer *build_answer_new(void); /* NULL when out of memory */

/* recall.c: notes which answer these bytes of a request led to. */
void build_recall_note(const struct build *build);
void build_recall_key(const struct build_cache *cache, struct str tenant, struct str bytes,
                      struct shelf_key *ret_key);
struct shelf *build_cache_recalls(const struct build_cache *cache);
void recall_hold(void *recall);
void recall_unref(void *recall);

#endif
