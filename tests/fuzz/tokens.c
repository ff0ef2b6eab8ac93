/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as text for the exact tokenizers: pieces cover the text, all ways to count a piece agree, lines
 * add up, malformed bytes count as what replaces them.
 */
#include "text/tokens.h"
#include "core/buf.h"
#include "text/bpe.h"
#include "text/pieces.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_piece(const struct bpe *bpe, const uint8_t *data, size_t size)
{
    struct bpe_run run;
    struct bpe_table table;
    bpe_run_init(&run, bpe);
    bpe_table_init(&table, bpe);
    for (int i = 0; i < 5; i++) { /* five times, so that windows move */
        bpe_run_add(&run, data, size);
        bpe_table_add(&table, data, size / 3);
        bpe_table_add(&table, data + size / 3, size - size / 3);
    }
    int64_t n = bpe_run_end(&run), n_table = bpe_table_end(&table);
    assert(n == -1 || n == n_table);
    if (size > 0 && 5 * size <= BPE_WINDOW_BYTES)
        assert(n > 0);
    if (size == 0 || size > BPE_PIECE_BYTES)
        return;
    bpe_table_init(&table, bpe);
    bpe_table_add(&table, data, size);
    assert(bpe_count(bpe, data, size) == bpe_table_end(&table));
}

static void check_pieces(struct str text)
{
    for (size_t pos = 0, end; pos < text.len; pos = end) {
        end = cl100k_piece_end(text, pos);
        assert(end > pos && end <= text.len);
    }
    for (size_t pos = 0, end; pos < text.len; pos = end) {
        end = o200k_piece_end(text, pos);
        assert(end > pos && end <= text.len);
    }
}

/* The text with its malformed sequences replaced. */
static void append_replaced(struct buf *buf, struct str text)
{
    for (size_t pos = 0, end; pos < text.len; pos = end) {
        bool is_malformed;
        end = piece_char_end(text, pos, &is_malformed);
        if (is_malformed)
            buf_append_text(buf, "\xEF\xBF\xBD");
        else
            buf_append(buf, text.ptr + pos, end - pos);
    }
}

static void check_tokenizer(const struct tokenizer *tokenizer, struct str front, struct str back)
{
    struct buf buf;
    buf_init(&buf, SIZE_MAX / 2);
    buf_append_str(&buf, front);
    buf_append_text(&buf, "\n");
    int64_t first = tokenizer->count(buf_str(&buf));
    buf_append_text(&buf, "#");
    buf_append_str(&buf, back);
    int64_t second = tokenizer->count(str_slice(buf_str(&buf), front.len + 1, SIZE_MAX));
    assert(tokenizer->count(buf_str(&buf)) == first + second);
    buf_clear(&buf);
    append_replaced(&buf, back);
    assert(tokenizer->count(buf_str(&buf)) == tokenizer->count(back));
    buf_done(&buf);
}

/* What is before and after a break counts alone what it counts together. */
static void check_text_breaks(const struct tokenizer *tokenizer, struct str text, size_t at)
{
    size_t next = tokenizer->next_break(text, at), last = tokenizer->last_break(text, at);
    size_t breaks[] = {next, last};
    assert(next == TOKENS_NO_BREAK || (next >= at && next > 0 && next < text.len));
    assert(last == TOKENS_NO_BREAK || (last <= at && last > 0));
    for (size_t i = 0; i < 2; i++)
        if (breaks[i] != TOKENS_NO_BREAK)
            assert(tokenizer->units(text) == tokenizer->units(str_slice(text, 0, breaks[i])) +
                                                 tokenizer->units(str_slice(text, breaks[i], text.len)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    size_t at = size ? data[0] % (size + 1) : 0;
    check_piece(&bpe_cl100k, data, size);
    check_piece(&bpe_o200k, data, size);
    check_pieces(text);
    check_tokenizer(tokenizer_find(STR_LIT("cl100k_base")), str_slice(text, 0, at),
                    str_slice(text, at, size));
    check_tokenizer(tokenizer_find(STR_LIT("o200k_base")), str_slice(text, 0, at), str_slice(text, at, size));
    for (size_t i = 0; tokenizer_all()[i]; i++)
        check_text_breaks(tokenizer_all()[i], text, at);
    return 0;
}
