/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of a model's folder, and its vocabulary: tokenizer.json as the Hugging Face tokenizers write it, or
 * BERT's own vocab.txt.
 */
#include "text/model_folder.h"

#include "core/mem.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define MAX_DEPTH 32

/* A file of a folder, open for reading; its path for messages. */
static int open_file(const char *folder, const char *name, char ret_path[PATH_MAX], FILE **ret_file,
                     struct err_info *reterr)
{
    int n_path = snprintf(ret_path, PATH_MAX, "%s/%s", folder, name);
    if (n_path < 0 || n_path >= PATH_MAX)
        return err_set_field(reterr, ERR_INVALID, name, "the name of the model's folder is too long");
    *ret_file = fopen(ret_path, "rbe");
    if (!*ret_file)
        return err_set_field(reterr, errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO, ret_path,
                             "cannot be read: %s", strerror(errno));
    return 0;
}

int model_read_file(const char *folder, const char *name, struct buf *buf, struct err_info *reterr)
{
    char path[PATH_MAX], chunk[16 * 1024];
    FILE *file;
    int r = open_file(folder, name, path, &file, reterr);
    if (r < 0)
        return r;
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, file)) > 0;)
        buf_append(buf, chunk, n);
    if (ferror(file))
        r = err_set_field(reterr, ERR_IO, path, "cannot be read: %s", strerror(errno));
    else if (buf_error(buf) < 0)
        r = err_set_field(reterr, buf_error(buf), path, "cannot be held in memory");
    (void)fclose(file); /* read only: nothing to lose */
    return r;
}

int model_map_file(const char *folder, const char *name, struct str *ret_bytes, struct err_info *reterr)
{
    char path[PATH_MAX];
    struct stat about;
    FILE *file;
    int r = open_file(folder, name, path, &file, reterr);
    if (r < 0)
        return r;
    void *bytes = NULL;
    if (fstat(fileno(file), &about) < 0 || !S_ISREG(about.st_mode))
        r = err_set_field(reterr, ERR_INVALID, path, "is no file");
    else if (about.st_size > 0) /* it is read from end to end: all at once is faster */
        bytes = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fileno(file), 0);
    if (bytes == MAP_FAILED)
        r = err_set_field(reterr, ERR_NOMEM, path, "cannot be mapped: %s", strerror(errno));
    (void)fclose(file); /* the mapping stays */
    if (r == 0)
        *ret_bytes = str_make(bytes, (size_t)about.st_size);
    return r;
}

void model_unmap_file(struct str bytes)
{
    if (bytes.ptr)
        (void)munmap((void *)bytes.ptr, bytes.len); /* fails for no mapping of ours */
}

int model_read_json(const char *folder, const char *name, struct json **ret_root, struct err_info *reterr)
{
    struct buf text;
    buf_init(&text, MODEL_MAX_FILE_BYTES);
    int r = model_read_file(folder, name, &text, reterr);
    if (r == 0) {
        r = json_parse(buf_str(&text), MAX_DEPTH, ret_root, reterr);
        if (r < 0)
            err_prefix(reterr, "%s: ", name);
    } else if (r == ERR_NOT_FOUND) {
        r = 1;
    }
    buf_done(&text);
    return r;
}

static bool has_text(const struct json *object, const char *name, const char *wanted)
{
    return str_is(json_text_of(json_member(object, name)), wanted);
}

/* Whether a text would be cut as we cut it. */
static int check_tokenizer(const struct json *root, struct err_info *reterr)
{
    const struct json *model = json_member(root, "model"), *normalizer = json_member(root, "normalizer");
    struct str kind = json_text_of(json_member(model, "type"));
    if (!str_is(kind, "WordPiece"))
        return err_set(reterr, ERR_UNSUPPORTED,
                       "the tokenizer is of the kind '%.*s'; only WordPiece is known", STR_ARG(kind));
    const struct json *prefix = json_member(model, "continuing_subword_prefix");
    if (prefix && !str_is(json_text_of(prefix), "##"))
        return err_set(reterr, ERR_UNSUPPORTED,
                       "the tokenizer marks the inside of words by something else than ##");
    if (!has_text(normalizer, "type", "BertNormalizer") ||
        !json_bool_of(json_member(normalizer, "lowercase")))
        return err_set(reterr, ERR_UNSUPPORTED,
                       "the tokenizer does not prepare its text as BERT's uncased one does");
    if (!has_text(json_member(root, "pre_tokenizer"), "type", "BertPreTokenizer"))
        return err_set(reterr, ERR_UNSUPPORTED, "the tokenizer does not find words as BERT's does");
    return 0;
}

/* Room for n tokens. */
static int make_tokens(struct model_tokens *tokens, size_t n, struct err_info *reterr)
{
    if (n == 0 || n > WORDPIECE_MAX_TOKENS)
        return err_set(reterr, ERR_INVALID, "the tokenizer's vocabulary is not of 1 to %u tokens",
                       WORDPIECE_MAX_TOKENS);
    tokens->tokens = mem_calloc(n, sizeof *tokens->tokens);
    if (!tokens->tokens)
        return err_set(reterr, ERR_NOMEM, "there is no memory for a vocabulary of %zu tokens", n);
    tokens->n_ids = n;
    return 0;
}

static int read_vocabulary(struct model_tokens *tokens, struct err_info *reterr)
{
    const struct json *vocab = json_member(json_member(tokens->root, "model"), "vocab");
    int r = make_tokens(tokens, json_kind_of(vocab) == JSON_KIND_OBJECT ? json_count(vocab) : 0, reterr);
    if (r < 0)
        return r;
    size_t pos = 0;
    struct str token;
    const struct json *id;
    while (json_next_member(vocab, &pos, &token, &id)) {
        int64_t value = json_int_of(id);
        if (json_kind_of(id) != JSON_KIND_INT || value < 0 || (uint64_t)value >= tokens->n_ids)
            return err_set(reterr, ERR_INVALID, "the id of the token '%.*s' is not below %zu", STR_ARG(token),
                           tokens->n_ids);
        tokens->tokens[value] = token;
    }
    return 0;
}

/* vocab.txt does not say how text is prepared; tokenizer_config.json beside it may. */
static int check_case(const char *folder, struct err_info *reterr)
{
    struct json *root;
    int r = model_read_json(folder, "tokenizer_config.json", &root, reterr);
    if (r != 0)
        return r < 0 ? r : 0;
    const struct json *lowers = json_member(root, "do_lower_case");
    if (lowers && !json_bool_of(lowers))
        r = err_set(
            reterr, ERR_UNSUPPORTED,
            "tokenizer_config.json: the tokenizer minds the case of letters; only uncased ones are known");
    json_free(root);
    return r;
}

static int read_list(const char *folder, struct model_tokens *tokens, struct err_info *reterr)
{
    int r = check_case(folder, reterr);
    if (r < 0)
        return r;
    buf_init(&tokens->list, MODEL_MAX_FILE_BYTES);
    r = model_read_file(folder, "vocab.txt", &tokens->list, reterr);
    if (r == ERR_NOT_FOUND)
        return err_set_field(reterr, r, folder, "there is neither tokenizer.json nor vocab.txt in it");
    if (r < 0)
        return r;
    size_t n = 0;
    struct str rest = buf_str(&tokens->list), line;
    if (rest.len > 0 && rest.ptr[rest.len - 1] == '\n')
        rest.len--;
    for (struct str left = rest; str_next_part(&left, '\n', &line);)
        n++;
    r = make_tokens(tokens, n, reterr);
    if (r < 0) {
        err_prefix(reterr, "vocab.txt: ");
        return r;
    }
    for (size_t i = 0; i < n && str_next_part(&rest, '\n', &line); i++) {
        bool has_return = line.len > 0 && line.ptr[line.len - 1] == '\r';
        tokens->tokens[i] = str_slice(line, 0, line.len - has_return);
    }
    return 0;
}

int model_tokens_read(const char *folder, bool may_be_list, struct model_tokens *ret_tokens,
                      struct err_info *reterr)
{
    int r = model_read_json(folder, "tokenizer.json", &ret_tokens->root, reterr);
    if (r > 0 && may_be_list)
        return read_list(folder, ret_tokens, reterr);
    if (r > 0)
        return err_set_field(reterr, ERR_NOT_FOUND, folder, "there is no tokenizer.json in it");
    if (r < 0)
        return r;
    r = check_tokenizer(ret_tokens->root, reterr);
    if (r == 0)
        r = read_vocabulary(ret_tokens, reterr);
    if (r < 0)
        err_prefix(reterr, "tokenizer.json: ");
    return r;
}

void model_tokens_done(struct model_tokens *tokens)
{
    mem_free(tokens->tokens);
    json_free(tokens->root);
    buf_done(&tokens->list);
}
