/* SPDX-License-Identifier: Apache-2.0
 *
 * For each text on the standard input, the counts of the tokenizers named as arguments, one line a text. A
 * text is four bytes of length, lowest first, and that many bytes. With --seconds N instead: the whole input
 * is one text, counted for that long; prints megabytes a second.
 */
#include "core/buf.h"
#include "core/clock.h"
#include "text/tokens.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_BYTES ((size_t)1 << 30)
#define MAX_NAMES 8

static bool read_bytes(struct buf *buf, size_t len)
{
    char chunk[65536];
    while (len > 0) {
        size_t n = fread(chunk, 1, len < sizeof(chunk) ? len : sizeof(chunk), stdin);
        if (n == 0)
            return false;
        buf_append(buf, chunk, n);
        len -= n;
    }
    return !buf_error(buf);
}

static void count_texts(const struct tokenizer *const *tokenizers, int n)
{
    struct buf buf;
    unsigned char head[4];
    buf_init(&buf, MAX_BYTES);
    while (fread(head, 1, 4, stdin) == 4) {
        buf_clear(&buf);
        if (!read_bytes(&buf, head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24))
            break;
        for (int i = 0; i < n; i++)
            printf("%" PRId64 "%c", tokenizers[i]->count(buf_str(&buf)), i + 1 < n ? ' ' : '\n');
        fflush(stdout); /* who asks may wait for it */
    }
    buf_done(&buf);
}

static void measure(const struct tokenizer *const *tokenizers, int n, double seconds)
{
    struct buf buf;
    buf_init(&buf, MAX_BYTES);
    (void)read_bytes(&buf, MAX_BYTES); /* to the end */
    for (int i = 0; i < n; i++) {
        int64_t start = clock_mono_us(&clock_system), now = start, tokens = 0;
        double rounds = 0;
        while ((double)(now - start) < seconds * 1e6) {
            tokens = tokenizers[i]->count(buf_str(&buf));
            rounds++;
            now = clock_mono_us(&clock_system);
        }
        printf("%s %.1f MB/s %" PRId64 " tokens\n", tokenizers[i]->name,
               rounds * (double)buf.len / (double)(now - start), tokens);
    }
    buf_done(&buf);
}

int main(int argc, char **argv)
{
    const struct tokenizer *tokenizers[MAX_NAMES];
    int n = 0, first = 1;
    double seconds = 0;
    if (argc > 2 && str_is(str_of(argv[1]), "--seconds")) {
        seconds = strtod(argv[2], NULL);
        first = 3;
    }
    for (int i = first; i < argc && n < MAX_NAMES; i++)
        if (!(tokenizers[n++] = tokenizer_find(str_of(argv[i])))) {
            fprintf(stderr, "there is no tokenizer '%s'\n", argv[i]);
            return 2;
        }
    if (seconds > 0)
        measure(tokenizers, n, seconds);
    else
        count_texts(tokenizers, n);
    return fflush(stdout) ? 1 : 0;
}
