/* SPDX-License-Identifier: Apache-2.0
 *
 * What an encoder's small files say of it, held against what encoder.c can run.
 */
#include "text/encoder.h"

#include "text/embed.h"
#include "text/model_folder.h"

#define MAX_POSITIONS 65536 /* more than any has; those beyond EMBED_MAX_TOKENS are left alone */

static int read_count(const struct json *config, const char *name, int64_t min, int64_t max,
                      size_t *ret_count, struct err_info *reterr)
{
    const struct json *value = json_member(config, name);
    int64_t count = json_int_of(value);
    if (json_kind_of(value) != JSON_KIND_INT || count < min || count > max)
        return err_set_field(reterr, ERR_INVALID, name, "'%s' must be a whole number from %lld to %lld", name,
                             (long long)min, (long long)max);
    *ret_count = (size_t)count;
    return 0;
}

/* A text that must be what is known, where it is said at all. */
static int check_text(const struct json *config, const char *name, const char *known, struct err_info *reterr)
{
    const struct json *value = json_member(config, name);
    struct str text = json_text_of(value);
    if (!value || str_is(text, known))
        return 0;
    return err_set_field(reterr, ERR_UNSUPPORTED, name, "'%s' is '%.*s'; only '%s' is known", name,
                         STR_ARG(text), known);
}

static int check_kind(const struct json *config, struct err_info *reterr)
{
    static const char *const known[][2] = {
        {"model_type", "bert"}, {"hidden_act", "gelu"}, {"position_embedding_type", "absolute"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        int r = check_text(config, known[i][0], known[i][1], reterr);
        if (r < 0)
            return r;
    }
    return 0;
}

static int check_sizes(const struct encoder_shape *shape, struct err_info *reterr)
{
    if (shape->n_dims % (shape->n_heads * ENCODER_STEP) != 0)
        return err_set_field(reterr, ERR_UNSUPPORTED, "hidden_size",
                             "'hidden_size' is %zu, which does not give each of %zu heads a multiple of %d",
                             shape->n_dims, shape->n_heads, ENCODER_STEP);
    if (shape->n_inner % ENCODER_STEP != 0)
        return err_set_field(reterr, ERR_UNSUPPORTED, "intermediate_size",
                             "'intermediate_size' is %zu, which is no multiple of %d", shape->n_inner,
                             ENCODER_STEP);
    return 0;
}

int encoder_read_shape(const struct json *config, struct encoder_shape *ret_shape, struct err_info *reterr)
{
    struct encoder_shape shape = {.epsilon = 1e-12F};
    const struct json *epsilon = json_member(config, "layer_norm_eps");
    int r = check_kind(config, reterr);
    if (r == 0)
        r = read_count(config, "hidden_size", ENCODER_STEP, EMBED_MAX_DIMS, &shape.n_dims, reterr);
    if (r == 0)
        r = read_count(config, "num_hidden_layers", 1, ENCODER_MAX_LAYERS, &shape.n_layers, reterr);
    if (r == 0)
        r = read_count(config, "num_attention_heads", 1, EMBED_MAX_DIMS / ENCODER_STEP, &shape.n_heads,
                       reterr);
    if (r == 0)
        r = read_count(config, "intermediate_size", ENCODER_STEP, ENCODER_MAX_INNER, &shape.n_inner, reterr);
    if (r == 0)
        r = read_count(config, "max_position_embeddings", 3, MAX_POSITIONS, &shape.n_positions, reterr);
    if (r == 0)
        r = check_sizes(&shape, reterr);
    if (r < 0)
        return r;
    if (epsilon)
        shape.epsilon = (float)json_real_of(epsilon);
    if (!(shape.epsilon >= 0 && shape.epsilon < 1))
        return err_set_field(reterr, ERR_INVALID, "layer_norm_eps",
                             "'layer_norm_eps' must be a number from 0 to 1");
    *ret_shape = shape;
    return 0;
}

/* modules.json: the steps after the encoder. */
static int check_modules(const struct json *modules, struct err_info *reterr)
{
    static const char *const known[] = {"Transformer", "Pooling", "Normalize"};
    for (size_t i = 0; i < json_count(modules); i++) {
        struct str type = json_text_of(json_member(json_at(modules, i), "type")), part = {NULL, 0};
        for (struct str rest = type; str_next_part(&rest, '.', &part);)
            ;
        if (i >= sizeof known / sizeof *known || !str_is(part, known[i]))
            return err_set_field(reterr, ERR_UNSUPPORTED, "type",
                                 "step %zu is '%.*s'; Transformer, Pooling and Normalize are known", i + 1,
                                 STR_ARG(type));
    }
    return 0;
}

/* 1_Pooling/config.json: which of its modes is on. */
static int read_pooling(const struct json *pooling, bool *ret_is_first_alone, struct err_info *reterr)
{
    static const char prefix[] = "pooling_mode_";
    bool is_mean = false, is_first = false;
    size_t pos = 0;
    struct str name;
    const struct json *value;
    while (json_next_member(pooling, &pos, &name, &value)) {
        if (!str_starts_with(name, str_of(prefix)) || !json_bool_of(value))
            continue;
        bool is_mean_here = str_is(name, "pooling_mode_mean_tokens");
        bool is_first_here = str_is(name, "pooling_mode_cls_token");
        if (!is_mean_here && !is_first_here)
            return err_set(reterr, ERR_UNSUPPORTED,
                           "'%.*s' is on; pooling_mode_mean_tokens and pooling_mode_cls_token are known",
                           STR_ARG(name));
        is_mean |= is_mean_here;
        is_first |= is_first_here;
    }
    if (is_mean == is_first)
        return err_set(reterr, ERR_UNSUPPORTED,
                       "one of pooling_mode_mean_tokens and pooling_mode_cls_token must be on");
    *ret_is_first_alone = is_first;
    return 0;
}

/* sentence_bert_config.json: how many tokens of a text it was made for. */
static int read_length(const struct json *config, struct encoder_shape *shape, struct err_info *reterr)
{
    const struct json *value = json_member(config, "max_seq_length");
    size_t length = shape->n_positions;
    if (value && json_kind_of(value) != JSON_KIND_NULL) {
        int r = read_count(config, "max_seq_length", 3, MAX_POSITIONS, &length, reterr);
        if (r < 0)
            return r;
    }
    if (length < shape->n_positions)
        shape->n_positions = length;
    return 0;
}

int encoder_read_settings(const char *folder, struct encoder *encoder, struct err_info *reterr)
{
    static const char *const names[] = {"modules.json", "1_Pooling/config.json", "sentence_bert_config.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct json *root = NULL;
        int r = model_read_json(folder, names[i], &root, reterr);
        if (r < 0)
            return r;
        if (r > 0)
            continue;
        r = i == 0   ? check_modules(root, reterr)
            : i == 1 ? read_pooling(root, &encoder->is_first_alone, reterr)
                     : read_length(root, &encoder->shape, reterr);
        json_free(root);
        if (r < 0) {
            err_prefix(reterr, "%s: ", names[i]);
            return r;
        }
    }
    if (encoder->shape.n_positions > EMBED_MAX_TOKENS)
        encoder->shape.n_positions = EMBED_MAX_TOKENS;
    return 0;
}
