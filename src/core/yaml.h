/* SPDX-License-Identifier: Apache-2.0
 *
 * YAML into a tree with line and column on every value (the seam to libyaml). A tree is data: no tag
 * makes anything happen. Anchors and aliases are refused, so that a small file cannot unfold into a large
 * one.
 */
#ifndef PRECIS_CORE_YAML_H
#define PRECIS_CORE_YAML_H

#include "core/arena.h"
#include "core/err.h"

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_node {
    enum yaml_kind kind;
    int line, column; /* from 1; where the value begins */
    /* scalars */
    struct str text;
    bool is_plain; /* neither quoted nor a block: `5`, `true` and `null` mean what they say */
    /* lists: the elements; maps: the values, with their keys beside them */
    struct yaml_node **items;
    struct yaml_key *keys; /* maps only */
    size_t n;
};

struct yaml_key {
    struct str name;
    int line, column;
};

#define YAML_MAX_BYTES (1024 * 1024) /* a configuration or recipe, not a data file */
#define YAML_MAX_DEPTH 32
#define YAML_MAX_NODES 50000

/* Parses one document; an empty one gives an empty map. Everything lives in the arena. ERR_INVALID with
 * "file:line:column" in reterr->field: bad syntax, bad UTF-8, duplicate key, alias, a key that is no scalar,
 * a second document; ERR_LIMIT beyond the maxima above. */
int yaml_parse(struct str text, const char *file, struct arena *arena, const struct yaml_node **ret_root,
               struct err_info *reterr);
/* The value of a key, or NULL. */
const struct yaml_node *yaml_get(const struct yaml_node *map, const char *name);
/* "list", "map", "text" for messages. */
const char *yaml_kind_name(const struct yaml_node *node);
/* Readers of a plain scalar; ERR_INVALID (nothing written into an err_info) when it is none of the kind.
 * Booleans are true and false only: yes, no, on, off are text. */
int yaml_to_bool(const struct yaml_node *node, bool *ret_value);
int yaml_to_int(const struct yaml_node *node, int64_t *ret_value);
int yaml_to_real(const struct yaml_node *node, double *ret_value);
bool yaml_is_null(const struct yaml_node *node); /* plain `null`, `~` or nothing */

#endif
