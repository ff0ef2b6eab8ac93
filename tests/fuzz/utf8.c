/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as text: cleaned once is clean, counts add up across any cut, cuts fall between characters and
 * keep their budget, terms are what they promise.
 */
#include "core/utf8.h"

#include "text/analyze.h"
#include "text/cut.h"
#include "text/tokens.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_clean(struct str text)
{
    struct buf once, twice;
    buf_init(&once, SIZE_MAX / 2);
    buf_init(&twice, SIZE_MAX / 2);
    utf8_append_clean(&once, text);
    utf8_append_clean(&twice, buf_str(&once));
    assert(utf8_is_valid(buf_str(&once)));
    assert(str_eq(buf_str(&once), buf_str(&twice)));
    buf_done(&once);
    buf_done(&twice);
}

static void check_cuts(struct str text, size_t at)
{
    const struct tokenizer *tokenizer = tokenizer_find(STR_LIT("approx"));
    struct str front = str_slice(text, 0, at), back = str_slice(text, at, text.len);
    assert(tokenizer->count(text) <= tokenizer->count(front) + tokenizer->count(back));
    struct str prefix = utf8_prefix(text, at);
    assert(prefix.len <= at && at - prefix.len <= 3);
    assert(utf8_length(prefix) + utf8_length(str_slice(text, prefix.len, text.len)) == utf8_length(text));
    assert(text_cut_graphemes(text, at).len <= text.len);
    for (size_t pos = 0; pos < text.len;) {
        size_t end = text_sentence_end(text, pos);
        assert(end > pos && end <= text.len);
        pos = end;
    }
    struct buf buf;
    buf_init(&buf, SIZE_MAX / 2);
    buf_append_text(&buf, "before");
    bool is_cut = text_append_cut(&buf, text, tokenizer, (int64_t)at);
    struct str added = str_slice(buf_str(&buf), 6, buf.len);
    assert(tokenizer->count(added) <= (int64_t)at);
    assert(is_cut || str_eq(added, text));
    buf_done(&buf);
}

static int on_term(struct str term, uint32_t position, void *arg)
{
    uint32_t *last = arg;
    assert(term.len > 0 && term.len <= 256 && utf8_is_valid(term));
    assert(position >= *last && position - *last <= UINT32_C(1) << 20);
    *last = position;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct analyzer *analyzer;
    uint32_t last = 0;
    check_clean(text);
    check_cuts(text, size ? data[0] % (size + 1) : 0);
    if (analyzer_new(size && data[0] % 2 ? "fr" : "en", &analyzer, NULL))
        abort();
    int result = analyzer_run(analyzer, text, on_term, &last);
    assert(result == 0);
    analyzer_free(analyzer);
    return 0;
}
