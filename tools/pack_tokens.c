/* SPDX-License-Identifier: Apache-2.0
 *
 * Turns the files of data/tokens into the tables that src/text/bpe.h describes; runs at build time.
 *
 * usage: pack_tokens vocab NAME IN OUT.S OUT.bin     tables of one vocabulary
 *        pack_tokens kinds NAME IN OUT.S OUT.bin     kinds of all characters
 *
 * OUT.bin holds the tables, OUT.S makes each of them a symbol NAME_... of read-only data.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/text/bpe.h"

#define MAX_NODES   (1 << 21)
#define TABLE_ALIGN 64
#define FULL_ENOUGH 4096 /* slots tried in vain before the first of them are given up: speed against size */

struct output {
    FILE *source, *binary;
    const char *name, *path;
    size_t size;
};

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("pack_tokens: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static void *zeroed(size_t n, size_t size)
{
    void *memory = calloc(n, size);
    if (!memory)
        fail("out of memory");
    return memory;
}

/* ---- reading and writing ------------------------------------------------------------------------------- */

struct input {
    unsigned char *data;
    size_t len, pos;
};

static struct input read_input(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END))
        fail("%s cannot be read", path);
    struct input input = {.len = (size_t)ftell(file)};
    rewind(file);
    input.data = zeroed(input.len + 1, 1);
    if (fread(input.data, 1, input.len, file) != input.len)
        fail("%s cannot be read", path);
    fclose(file);
    return input;
}

static uint32_t next_number(struct input *input)
{
    uint32_t value = 0;
    for (int shift = 0; input->pos < input->len && shift < 32; shift += 7) {
        unsigned char byte = input->data[input->pos++];
        value |= (uint32_t)(byte & 127) << shift;
        if (byte < 128)
            return value;
    }
    fail("the input ends inside a number, or one is too large");
}

static void put_table(struct output *output, const char *table, const void *data, size_t size)
{
    static const char padding[TABLE_ALIGN];
    size_t n_padding = (TABLE_ALIGN - size % TABLE_ALIGN) % TABLE_ALIGN;
    fprintf(output->source, "    .globl %s_%s\n    .hidden %s_%s\n%s_%s:\n    .incbin \"%s\", %zu, %zu\n",
            output->name, table, output->name, table, output->name, table, output->path, output->size,
            size + n_padding);
    if (fwrite(data, 1, size, output->binary) != size ||
        fwrite(padding, 1, n_padding, output->binary) != n_padding)
        fail("%s cannot be written", output->path);
    output->size += size + n_padding;
}

static void open_output(struct output *output, const char *name, const char *source, const char *binary)
{
    *output = (struct output){fopen(source, "w"), fopen(binary, "wb"), name, binary, 0};
    if (!output->source || !output->binary)
        fail("%s or %s cannot be written", source, binary);
    fprintf(output->source,
            "    .section .note.GNU-stack, \"\", %%progbits\n    .section precis_data, \"a\", %%progbits\n"
            "    .balign %d\n",
            TABLE_ALIGN);
}

static void close_output(struct output *output)
{
    if (fclose(output->source) || fclose(output->binary))
        fail("%s cannot be written", output->path);
}

/* ---- a vocabulary -------------------------------------------------------------------------------------- */

struct vocab {
    uint32_t n;
    uint32_t left[BPE_MAX_TOKENS], right[BPE_MAX_TOKENS], shorter[BPE_MAX_TOKENS];
    uint32_t len[BPE_MAX_TOKENS];
    unsigned char bytes[BPE_MAX_TOKENS][BPE_MAX_TOKEN_BYTES];
};

static void read_vocab(struct vocab *vocab, const char *path)
{
    struct input input = read_input(path);
    if (input.len < 256)
        fail("%s is too short", path);
    for (; input.pos < 256; input.pos++) {
        vocab->bytes[input.pos][0] = input.data[input.pos];
        vocab->len[input.pos] = 1;
    }
    for (vocab->n = 256; input.pos < input.len; vocab->n++) {
        uint32_t token = vocab->n, left = next_number(&input), right = next_number(&input);
        if (token >= BPE_MAX_TOKENS || left >= token || right >= token ||
            vocab->len[left] + vocab->len[right] > BPE_MAX_TOKEN_BYTES)
            fail("%s: token %u is out of range", path, token);
        vocab->left[token] = left;
        vocab->right[token] = right;
        vocab->len[token] = vocab->len[left] + vocab->len[right];
        memcpy(vocab->bytes[token], vocab->bytes[left], vocab->len[left]);
        memcpy(vocab->bytes[token] + vocab->len[left], vocab->bytes[right], vocab->len[right]);
    }
    free(input.data);
}

/* ---- its trie: first as nodes with lists of children, then in slots ------------------------------------ */

struct nodes {
    uint32_t n;
    uint32_t child[MAX_NODES], sibling[MAX_NODES], token[MAX_NODES], base[MAX_NODES];
    unsigned char label[MAX_NODES];
};

static uint32_t find_child(const struct nodes *nodes, uint32_t node, unsigned char label)
{
    uint32_t child = nodes->child[node];
    while (child && nodes->label[child] != label)
        child = nodes->sibling[child];
    return child;
}

static uint32_t add_child(struct nodes *nodes, uint32_t node, unsigned char label)
{
    if (nodes->n == MAX_NODES)
        fail("more than %d nodes", MAX_NODES);
    uint32_t child = nodes->n++;
    nodes->label[child] = label;
    nodes->token[child] = BPE_NO_TOKEN;
    nodes->sibling[child] = nodes->child[node];
    nodes->child[node] = child;
    return child;
}

static void grow_nodes(struct nodes *nodes, struct vocab *vocab)
{
    nodes->n = 1;
    nodes->token[0] = BPE_NO_TOKEN;
    for (uint32_t token = 0; token < vocab->n; token++) {
        uint32_t node = 0;
        for (uint32_t i = 0; i < vocab->len[token]; i++) {
            uint32_t child = find_child(nodes, node, vocab->bytes[token][i]);
            node = child ? child : add_child(nodes, node, vocab->bytes[token][i]);
        }
        nodes->token[node] = token;
    }
    for (uint32_t token = 0; token < vocab->n; token++) {
        uint32_t node = 0;
        vocab->shorter[token] = BPE_NO_TOKEN;
        for (uint32_t i = 0; i + 1 < vocab->len[token]; i++) {
            node = find_child(nodes, node, vocab->bytes[token][i]);
            if (nodes->token[node] != BPE_NO_TOKEN)
                vocab->shorter[token] = nodes->token[node];
        }
    }
}

struct slots {
    struct bpe_slot *rows;
    unsigned char *is_taken, *is_base;
    size_t n, size, start; /* below start no room is looked for */
};

static int is_free_for(const struct slots *slots, const struct nodes *nodes, uint32_t node, size_t base)
{
    if (slots->is_base[base])
        return 0;
    for (uint32_t child = nodes->child[node]; child; child = nodes->sibling[child])
        if (slots->is_taken[base + nodes->label[child]])
            return 0;
    return 1;
}

/* Where the children of a node go: the first place with room for all. No two nodes share a base, so that the
 * label alone tells whose child stands in a slot. */
static void place_children(struct slots *slots, struct nodes *nodes, uint32_t node)
{
    if (!nodes->child[node])
        return;
    size_t base = slots->start;
    while (!is_free_for(slots, nodes, node, base))
        if (++base + 512 > slots->size)
            fail("the trie needs more than %zu slots", slots->size);
    if (base - slots->start > FULL_ENOUGH)
        slots->start = base - FULL_ENOUGH / 2;
    slots->is_base[base] = 1;
    nodes->base[node] = (uint32_t)base;
    for (uint32_t child = nodes->child[node]; child; child = nodes->sibling[child])
        slots->is_taken[base + nodes->label[child]] = 1;
    if (slots->n < base + 256)
        slots->n = base + 256;
}

/* Breadth first, so that the slots of short prefixes, which every text visits, lie together. */
static void place_nodes(struct slots *slots, struct nodes *nodes)
{
    uint32_t *queue = zeroed(nodes->n, sizeof(*queue));
    slots->start = BPE_ROOT;
    for (uint32_t head = 0, tail = 1; head < tail; head++) {
        place_children(slots, nodes, queue[head]);
        for (uint32_t child = nodes->child[queue[head]]; child; child = nodes->sibling[child])
            queue[tail++] = child;
    }
    free(queue);
    if (nodes->base[0] != BPE_ROOT)
        fail("the root is not in its place");
}

static void fill_slots(struct slots *slots, const struct nodes *nodes)
{
    for (size_t i = 0; i < slots->n; i++) { /* an empty slot bears a label that nobody looks for in it */
        unsigned label = 0;
        while (label < 255 && i >= label && (slots->is_base[i - label] || i == label))
            label++;
        slots->rows[i] = (struct bpe_slot){label, BPE_NO_TOKEN};
    }
    for (uint32_t node = 0; node < nodes->n; node++)
        for (uint32_t child = nodes->child[node]; child; child = nodes->sibling[child])
            slots->rows[nodes->base[node] + nodes->label[child]] =
                (struct bpe_slot){nodes->base[child] << 8 | nodes->label[child], nodes->token[child]};
}

static void put_trie(struct output *output, struct vocab *vocab)
{
    struct nodes *nodes = zeroed(1, sizeof(*nodes));
    struct slots slots = {.size = 2 * MAX_NODES};
    slots.rows = zeroed(slots.size, sizeof(*slots.rows));
    slots.is_taken = zeroed(slots.size, 1);
    slots.is_base = zeroed(slots.size, 1);
    grow_nodes(nodes, vocab);
    place_nodes(&slots, nodes);
    fill_slots(&slots, nodes);
    put_table(output, "trie", slots.rows, slots.n * sizeof(*slots.rows));
    free(slots.rows);
    free(slots.is_taken);
    free(slots.is_base);
    free(nodes);
}

/* ---- its merges ---------------------------------------------------------------------------------------- */

static void put_tokens(struct output *output, const struct vocab *vocab)
{
    uint64_t *rows = zeroed(vocab->n, sizeof(*rows));
    for (uint32_t token = 0; token < vocab->n; token++)
        rows[token] =
            bpe_token_row(vocab->left[token], vocab->right[token], vocab->shorter[token], vocab->len[token]);
    put_table(output, "tokens", rows, vocab->n * sizeof(*rows));
    free(rows);
}

static void put_pairs(struct output *output, const struct vocab *vocab)
{
    uint32_t *rows = zeroed(BPE_PAIRS, sizeof(*rows));
    for (uint32_t token = 256; token < vocab->n; token++) {
        uint64_t hash = bpe_pair_hash(vocab->left[token], vocab->right[token]);
        uint32_t at = bpe_pair_slot(hash);
        while (rows[at])
            at = (at + 1) % BPE_PAIRS;
        rows[at] = bpe_pair_tag(hash) | token;
    }
    put_table(output, "pairs", rows, BPE_PAIRS * sizeof(*rows));
    free(rows);
}

static void pack_vocab(struct output *output, const char *path)
{
    struct vocab *vocab = zeroed(1, sizeof(*vocab));
    read_vocab(vocab, path);
    put_trie(output, vocab); /* also finds what put_tokens writes as `shorter` */
    put_tokens(output, vocab);
    put_pairs(output, vocab);
    free(vocab);
}

/* ---- kinds of characters, as bits: the blocks that differ, and which block each character is in ---------
 */

static void pack_kinds(struct output *output, const char *path)
{
    static unsigned char kinds[0x110000], blocks[256][BPE_KIND_BLOCK], index[0x110000 / BPE_KIND_BLOCK];
    struct input input = read_input(path);
    size_t n = 0, n_blocks = 0;
    while (input.pos < input.len) {
        uint32_t run = next_number(&input);
        if ((run >> 3) > sizeof(kinds) - n)
            fail("%s: more than 0x110000 characters", path);
        memset(kinds + n, 1 << (run & 7), run >> 3);
        n += run >> 3;
    }
    if (n != sizeof(kinds))
        fail("%s: fewer than 0x110000 characters", path);
    for (size_t i = 0; i < sizeof(index); i++) {
        size_t block = 0;
        while (block < n_blocks && memcmp(blocks[block], kinds + i * BPE_KIND_BLOCK, BPE_KIND_BLOCK) != 0)
            block++;
        if (block == 256)
            fail("%s: more than 256 different blocks", path);
        if (block == n_blocks)
            memcpy(blocks[n_blocks++], kinds + i * BPE_KIND_BLOCK, BPE_KIND_BLOCK);
        index[i] = (unsigned char)block;
    }
    put_table(output, "blocks", index, sizeof(index));
    put_table(output, "kinds", blocks, n_blocks * BPE_KIND_BLOCK);
    free(input.data);
}

int main(int argc, char **argv)
{
    struct output output;
    if (argc != 6)
        fail("usage: pack_tokens vocab|kinds NAME IN OUT.S OUT.bin");
    open_output(&output, argv[2], argv[4], argv[5]);
    if (strcmp(argv[1], "vocab") == 0)
        pack_vocab(&output, argv[3]);
    else
        pack_kinds(&output, argv[3]);
    close_output(&output);
    return 0;
}
