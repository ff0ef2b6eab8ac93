/* SPDX-License-Identifier: Apache-2.0
 *
 * What the kinds share among themselves: their names for the table in source.c, and the making of results.
 */
#ifndef PRECIS_SOURCE_SOURCE_PRIV_H
#define PRECIS_SOURCE_SOURCE_PRIV_H

#include "source/source.h"

extern const struct source_ops source_chroma;
extern const struct source_ops source_conversation;
extern const struct source_ops source_files;
extern const struct source_ops source_folder;
extern const struct source_ops source_http;
extern const struct source_ops source_memory;
extern const struct source_ops source_preferences;
extern const struct source_ops source_qdrant;
extern const struct source_ops source_redis;
extern const struct source_ops source_session;
extern const struct source_ops source_sql_postgres;
extern const struct source_ops source_sql_sqlite;
extern const struct source_ops source_text;

/* Names the columns; the names are borrowed (string constants). */
int result_set_columns(struct source_result *result, const char *const *names, size_t n,
                       struct err_info *reterr);
/* Makes room for n rows whose values are all NULL; counts none of them in n_rows yet. *ret_values: the same
 * values, to be written, n_columns a row. */
int result_make_rows(struct source_result *result, size_t n, struct value **ret_values,
                     struct err_info *reterr);
/* Well-formed UTF-8 in the arena, which latches. */
struct str result_copy_text(struct arena *arena, struct str text);
/* The column `id`, which names a row; n_columns where there is none. */
size_t result_id_column(const struct source_result *result);
/* Its value as the name. */
struct str result_value_id(struct source_result *result, struct value value);
/* What names a row; "" where nothing does. */
struct str result_row_id(struct source_result *result, const struct value *values);
/* The sentence for what the result's arena latched. */
int result_error(const struct source_result *result, struct err_info *reterr);

/* A setting's text; empty when it is absent. */
static inline struct str setting_text(const struct value *setting)
{
    return setting->type == VALUE_TEXT ? setting->text : (struct str){NULL, 0};
}

/* The texts of a SETTING_LIST, in the arena; none when it is absent. */
int setting_list(const struct value *setting, struct arena *arena, struct str **ret_items, size_t *ret_n,
                 struct err_info *reterr);

#endif
