/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a text and as a query of no known language: terms are text, not too many, in order, and the
 * same from an analyzer that remembers and from a new one; every term of a text that is no extra is a query's
 * too.
 */
#include "text/analyze.h"

#include "core/buf.h"
#include "core/utf8.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    const struct analyzer *analyzer;
    struct buf all, plain; /* every term; those that are no extras */
    uint32_t last;
    size_t n;
};

static int on_term(struct str term, uint32_t position, void *arg)
{
    struct seen *seen = arg;
    assert(term.len > 0 && term.len <= 256 && utf8_is_valid(term));
    assert(position >= seen->last);
    seen->last = position;
    seen->n++;
    buf_append_str(&seen->all, term);
    buf_append_byte(&seen->all, '\n');
    if (!analyzer_is_extra(seen->analyzer)) {
        buf_append_str(&seen->plain, term);
        buf_append_byte(&seen->plain, '\n');
    }
    return 0;
}

static void run(struct analyzer *analyzer, struct str text, bool is_query, struct seen *seen)
{
    *seen = (struct seen){.analyzer = analyzer};
    buf_init(&seen->all, SIZE_MAX / 2);
    buf_init(&seen->plain, SIZE_MAX / 2);
    int err = (is_query ? analyzer_run_query : analyzer_run)(analyzer, text, on_term, seen);
    assert(err == 0);
}

static void done(struct seen *seen)
{
    buf_done(&seen->all);
    buf_done(&seen->plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct analyzer *used, *fresh;
    struct seen stored, again, asked;
    if (analyzer_new("auto", &used, NULL) || analyzer_new("auto", &fresh, NULL))
        abort();
    run(used, text, false, &stored);
    run(used, text, true, &asked);
    run(fresh, text, false, &again);
    assert(stored.n <= 8 * size + 8 && asked.n <= 32 * size + 32);
    assert(str_eq(buf_str(&stored.all), buf_str(&again.all)));
    assert(str_eq(buf_str(&stored.plain), buf_str(&asked.plain)));
    done(&stored);
    done(&again);
    done(&asked);
    analyzer_free(used);
    analyzer_free(fresh);
    return 0;
}
