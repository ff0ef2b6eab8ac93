/* SPDX-License-Identifier: Apache-2.0
 *
 * UUIDv5, for which the standard prescribes SHA-1 (FIPS 180-4). Nothing here is secret: SHA-1 serves no other
 * end.
 */
#include "core/uuid.h"

#include <stdio.h>

const unsigned char uuid_items[16] = {0x5e, 0x5e, 0x0f, 0x0c, 0x8a, 0x2d, 0x5b, 0x6e,
                                      0x9c, 0x41, 0x7d, 0x2f, 0x0a, 0x6b, 0x3c, 0x18};

struct sha1 {
    uint32_t state[5];
    unsigned char block[64];
    uint64_t n_bytes;
};

static uint32_t rotate(uint32_t word, int n)
{
    return word << n | word >> (32 - n);
}

static uint32_t mix(int round, uint32_t b, uint32_t c, uint32_t d)
{
    if (round < 20)
        return ((b & c) | (~b & d)) + 0x5a827999u;
    if (round < 40)
        return (b ^ c ^ d) + 0x6ed9eba1u;
    if (round < 60)
        return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdcu;
    return (b ^ c ^ d) + 0xca62c1d6u;
}

static void digest_block(struct sha1 *sha)
{
    uint32_t w[80], a = sha->state[0], b = sha->state[1], c = sha->state[2], d = sha->state[3],
                    e = sha->state[4];

    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)sha->block[4 * i] << 24 | (uint32_t)sha->block[4 * i + 1] << 16 |
               (uint32_t)sha->block[4 * i + 2] << 8 | sha->block[4 * i + 3];
    for (int i = 16; i < 80; i++)
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t next = rotate(a, 5) + mix(i, b, c, d) + e + w[i];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    sha->state[0] += a;
    sha->state[1] += b;
    sha->state[2] += c;
    sha->state[3] += d;
    sha->state[4] += e;
}

static void add(struct sha1 *sha, const void *data, size_t len)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < len; i++) {
        sha->block[sha->n_bytes++ % 64] = bytes[i];
        if (sha->n_bytes % 64 == 0)
            digest_block(sha);
    }
}

/* A one bit, zeros, and the length in bits. */
static void pad(struct sha1 *sha)
{
    uint64_t n_bits = sha->n_bytes * 8;
    unsigned char length[8];

    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)(n_bits >> (56 - 8 * i));
    add(sha, "\x80", 1);
    while (sha->n_bytes % 64 != 56)
        add(sha, "", 1);
    add(sha, length, 8);
}

void uuid_v5(const unsigned char namespace[16], struct str name, char ret_text[UUID_TEXT_SIZE])
{
    struct sha1 sha = {.state = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u, 0xc3d2e1f0u}};
    unsigned char bytes[16];

    add(&sha, namespace, 16);
    add(&sha, name.ptr, name.len);
    pad(&sha);
    for (int i = 0; i < 16; i++)
        bytes[i] = (unsigned char)(sha.state[i / 4] >> (24 - 8 * (i % 4)));
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x50);
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    for (int i = 0, n = 0; i < 16; i++)
        n += snprintf(ret_text + n, UUID_TEXT_SIZE - (size_t)n, "%s%02x",
                      i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", bytes[i]);
}
