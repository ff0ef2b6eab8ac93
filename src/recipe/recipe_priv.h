/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of recipe/ share: names and what they stand for, templates, filters, statements, and the
 * loader's notebook. Never included from outside this folder (and its tests).
 */
#ifndef PRECIS_RECIPE_RECIPE_PRIV_H
#define PRECIS_RECIPE_RECIPE_PRIV_H

#include "core/json.h"
#include "core/reach.h"
#include "core/yaml.h"
#include "recipe/recipe.h"

/* Where compilers of templates and statements put what they find wrong: an offset into the text and a
 * sentence. */
struct complaints {
    void (*on_complaint)(void *owner, size_t offset, struct str message);
    void *owner;
};
void complain(const struct complaints *complaints, size_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- ref.c: what a name means ---- */

enum names_mode {
    NAMES_REQUEST, /* parameters, steps, query, now, today: statements, settings, conditions */
    NAMES_ROW,     /* item templates: columns first; `:name` and `step.column` reach the request */
};

struct names {
    const struct recipe *recipe; /* its parameters and the names of its steps are there already */
    size_t self;                 /* number of the step this text belongs to; SIZE_MAX: none */
    enum names_mode mode;
    bool is_loop;           /* inside a repetition: unknown names are members of the element */
    uint64_t *needs;        /* gets the bits of the steps that are read */
    bool *has_query_vector; /* set when the query's embedding is read; may be NULL */
};

/* Finds out what `text` ("user.location", "now - 1h", ":query") means. ERR_INVALID with
 * a sentence otherwise. */
int ref_resolve(const struct names *names, struct str text, struct recipe_ref *ret_ref,
                struct err_info *reterr);
/* Notes that this text depends on the recipe's time zone, so that the step that holds it comes first. */
void ref_need_zone(const struct names *names);
bool ref_name_is_reserved(struct str name);
/* now, today, yesterday, tomorrow: an offset may follow. */
bool ref_is_time_word(struct str text);
/* Letters, digits and _, starting with a letter or _: what steps and parameters may be called. */
bool ref_name_is_plain(struct str name);
/* Number of the step so named, SIZE_MAX if there is none. */
size_t ref_step_find(const struct recipe *recipe, struct str name);
/* Appends "; did you mean 'x'?" when one of the names is near. */
void append_nearest(struct buf *buf, struct str name, const char *const *names, size_t n);

/* ---- filter.c, filter_time.c, filter_number.c ---- */

enum filter_arg { FILTER_ARG_NONE, FILTER_ARG_COUNT, FILTER_ARG_TEXT };

struct filter_call {
    struct value in; /* may be NULL: only `default` is asked then */
    int64_t count;   /* FILTER_ARG_COUNT */
    struct str text; /* FILTER_ARG_TEXT */
    const struct template_scope *scope;
    struct arena *arena;
};

typedef struct value (*filter_fn)(const struct filter_call *call);

struct filter {
    const char *name;
    filter_fn apply;
    enum filter_arg arg;
    bool is_arg_required;
    bool is_zoned;       /* prints in the user's time zone */
    int64_t min, max;    /* FILTER_ARG_COUNT */
    int64_t fallback;    /* FILTER_ARG_COUNT that is not given */
    const char *choices; /* FILTER_ARG_TEXT: what it may be, "s, ms"; NULL: anything */
    const char *example; /* as in docs/recipes.md */
    const char *about;
};

struct filter_use {
    const struct filter *filter;
    int64_t count;
    struct str text;
};

extern const struct filter filter_table[]; /* ended by a NULL name */
const struct filter *filter_find(struct str name);

struct value filter_date(const struct filter_call *call);
struct value filter_time(const struct filter_call *call);
struct value filter_datetime(const struct filter_call *call);
struct value filter_weekday(const struct filter_call *call);
struct value filter_short(const struct filter_call *call);
struct value filter_ago(const struct filter_call *call);
struct value filter_duration(const struct filter_call *call);
struct value filter_round(const struct filter_call *call);
struct value filter_signed(const struct filter_call *call);
struct value filter_join(const struct filter_call *call);
struct value filter_json(const struct filter_call *call);
struct value filter_list(const struct filter_call *call);

#define FILTER_MAX_TEXT_BYTES (1024 * 1024) /* of one value, as a filter makes it */

/* ---- template.c ---- */

enum part_kind { PART_TEXT, PART_VALUE, PART_WHEN, PART_UNLESS, PART_EACH };

struct template_part {
    enum part_kind kind;
    struct str text;            /* PART_TEXT */
    struct recipe_ref ref;      /* the others */
    struct filter_use *filters; /* PART_VALUE */
    size_t n_filters;
    const struct template *body; /* PART_WHEN, PART_UNLESS, PART_EACH */
};

struct template_line {
    struct template_part *parts;
    size_t n_parts;
    bool has_placeholder;
};

struct template
{
    struct template_line *lines;
    size_t n_lines;
};

/* Compiles into the arena. 0, ERR_INVALID (the complaints say why, each with its offset), ERR_NOMEM or
 * ERR_LIMIT. Line ends at the end of the text are left out. */
int template_compile(struct str text, const struct names *names, struct arena *arena,
                     const struct complaints *complaints, const struct template **ret_template);
/* The text of a template without placeholders; false when it has one. */
bool template_is_constant(const struct template *template, struct arena *arena, struct str *ret_text);

/* ---- query.c ---- */

/* A statement with ?1 ... ?n in place of its :names. As template_compile for errors. */
int query_compile(struct str sql, const struct names *names, struct arena *arena,
                  const struct complaints *complaints, struct str *ret_sql, struct recipe_ref **ret_binds,
                  size_t *ret_n_binds);

/* ---- load*.c: one run of the loader ---- */

struct load {
    struct str text;
    const char *file;
    const struct recipe_connection *connections;
    size_t n_connections;
    struct recipe *recipe; /* being filled */
    struct recipe_report *report;
    size_t first; /* findings before it are of earlier files */
    size_t findings_cap;
    size_t n_unknown_connections; /* so many of the findings are only that */
};

void load_complain(struct load *load, int line, int column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Whether something is wrong with that value already. */
bool load_has_complained_at(const struct load *load, const struct yaml_node *node);
/* "unknown key 'titel'; did you mean 'title'?" */
void load_complain_unknown(struct load *load, int line, int column, const char *what, struct str name,
                           const char *const *known, size_t n_known);
/* Reports problems inside a scalar at their own place in the file. */
struct load_spot {
    struct load *load;
    const struct yaml_node *node;
};
struct complaints load_spot_complaints(struct load_spot *spot);

/* Readers of one value; false when they complained, then *ret is as it was. `key` is for the sentence. */
bool load_text(struct load *load, const struct yaml_node *node, const char *key, struct str *ret);
bool load_bool(struct load *load, const struct yaml_node *node, const char *key, bool *ret);
bool load_int(struct load *load, const struct yaml_node *node, const char *key, int64_t min, int64_t max,
              int64_t *ret);
bool load_real(struct load *load, const struct yaml_node *node, const char *key, double min, double max,
               double *ret);
bool load_duration(struct load *load, const struct yaml_node *node, const char *key, int64_t min, int64_t max,
                   int64_t *ret);
/* Checks the kind of a node; complains otherwise. */
bool load_expect(struct load *load, const struct yaml_node *node, const char *key, enum yaml_kind kind);

/* One key of a map: its name and what takes its value into the target. */
struct load_key {
    const char *name;
    void (*read)(struct load *load, const struct yaml_node *node, void *target);
};
/* Reads all keys of a map through the table (ended by a NULL name); unknown ones are complaints. */
void load_map(struct load *load, const struct yaml_node *map, const struct load_key *keys, void *target);

void load_params(struct load *load, const struct yaml_node *map);
/* A value as it stands in YAML, as one of that type; for defaults. */
bool load_value(struct load *load, const struct yaml_node *node, const char *key, enum value_type type,
                struct value *ret);
/* The names and places of all steps, so that every text can name every step. */
void load_step_names(struct load *load, const struct yaml_node *resolves, const struct yaml_node *sections);
void load_steps(struct load *load, const struct yaml_node *resolves, const struct yaml_node *sections);
const struct template *load_template(struct load *load, const struct yaml_node *node,
                                     const struct names *names);
void load_conditions(struct load *load, const struct yaml_node *node, const struct names *names,
                     struct recipe_step *step);
/* Finds step->from among the kinds and connections; says whether a connection is missing unless is_quiet. */
void load_from(struct load *load, const struct yaml_node *node, bool is_quiet, struct recipe_step *step);

/* ---- load_any.c ---- */

/* `any:` of a step: the alternatives one after the other, each with the keys that the step has besides.
 * read(owner, map, is_spare) loads one: a spare one is only checked, and an unknown connection is none of its
 * mistakes. */
struct load_any {
    void (*read)(void *owner, const struct yaml_node *map, bool is_spare);
    void *owner;
};
void load_alternatives(struct load *load, const struct yaml_node *node, const struct yaml_node *list,
                       struct recipe_step *step, const struct load_any *any);
/* Whether a step may ask that name: a built-in kind or a connection. */
const struct source_ops *load_find_source(const struct load *load, struct str name);
void load_settings(struct load *load, const struct yaml_node *map, struct recipe_step *step,
                   const struct names *names);
/* Complains of steps that wait for each other. */
void check_cycles(struct load *load);

/* As recipe_load, and says whether unknown connections are all that is wrong. */
int recipe_load_counting(struct str text, const char *file, const struct recipe_connection *connections,
                         size_t n_connections, struct recipe **ret_recipe, struct recipe_report *report,
                         bool *ret_only_connections, struct err_info *reterr);

/* Puts the findings of this run into file order and tells the first: ERR_INVALID, or 0 when
 * there are none. */
int load_conclude(struct load *load, struct err_info *reterr);

#endif
