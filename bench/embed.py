#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The embedder beside the same model run by Model2Vec's own Python inference, in turn, medians. Prints rows of a Markdown table.

usage: embed.py BUILD_DIR [TEXTS]

BUILD_DIR: a release build; TEXTS: a file with a text a line (else sixteen-word lines of the documentation). Run it with the
python3 of a virtual environment that has the PyPI packages model2vec and tokenizers. Also compares the vectors.
"""
import glob
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import numpy as np
from model2vec import StaticModel
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROUNDS = 7
SECONDS = 1
N_COMPARED = 2000


def read_model(path):
    """Tokens and rows of the data file (tools/distill.py describes it)."""
    with open(path, "rb") as file:
        data = file.read()
    n_dims, n_tokens, n_slots, max_bytes, text_bytes = struct.unpack("<5I", data[12:32])
    sections, pos = [], 128
    for size in (8 * (2 * max_bytes + 1), 4 * n_slots, text_bytes, 2 * n_tokens, n_tokens * n_dims):
        pos = -(-pos // 64) * 64
        sections.append(data[pos:pos + size])
        pos += size
    groups = np.frombuffer(sections[0], "<u4").reshape(-1, 2)
    tokens = []
    for group in range(2 * max_bytes):
        inside, length, offset = group >= max_bytes, group % max_bytes + 1, groups[group][1]
        for _ in range(groups[group][0], groups[group + 1][0]):
            tokens.append("##" * inside + sections[2][offset:offset + length].decode())
            offset += length
    rows = np.frombuffer(sections[4], np.int8).reshape(n_tokens, n_dims).astype(np.float32)
    return tokens, rows * np.frombuffer(sections[3], "<u2").astype(np.float32)[:, None] / 32767


def make_peer():
    tokens, rows = read_model(f"{ROOT}/data/embed/minilm.bin")
    ids = {token: i for i, token in enumerate([*tokens, "[UNK]"])}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return StaticModel(np.vstack([rows, np.zeros((1, rows.shape[1]), np.float32)]), tokenizer, normalize=True)


def read_texts(paths):
    if paths:
        with open(paths[0], encoding="utf-8") as file:
            return [line for line in file.read().split("\n") if line]
    words = []
    for path in sorted(glob.glob(f"{ROOT}/docs/**/*.md", recursive=True)):
        with open(path, encoding="utf-8") as file:
            words += file.read().split()
    return [" ".join(words[i:i + 16]) for i in range(0, len(words) - 16, 16)]


def ours(program, texts):
    out = subprocess.run([program, str(SECONDS)], input="\n".join(texts), capture_output=True, text=True, check=True).stdout
    rate, latency = out.replace(" texts/s,", "").split()[:2]
    return float(rate), float(latency) / 1e3


def theirs(peer, texts):
    start, n_done = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        peer.encode(texts)
        n_done += len(texts)
    rate, took = n_done / (time.perf_counter() - start), []
    for i in range(301):
        peer.encode(texts[i % len(texts)])
        begin = time.perf_counter()
        peer.encode(texts[0])
        took.append(time.perf_counter() - begin)
    return rate, statistics.median(took) * 1e6


def cosines(build, peer, texts, model):
    command = [f"{build}/precis", "embed", *(["--model", model] if model else [])]
    lines = subprocess.run(command, input="\n".join(texts), capture_output=True, text=True, check=True).stdout.splitlines()
    vectors = np.array([[float(x) for x in line.split()[1:]] for line in lines])
    return (vectors * peer.encode(texts)).sum(1)


def main():
    build, *paths = sys.argv[1:]
    texts, peer = read_texts(paths), make_peer()
    program = f"{build}/bench-embed"
    subprocess.run(["cc", "-O3", "-D_GNU_SOURCE", f"-I{ROOT}/src", f"{ROOT}/bench/embed.c", f"{build}/src/libprecis_all.a", "-lutf8proc",
                    "-lyaml", "-lm", "-pthread", "-Wl,--gc-sections", "-o", program], check=True)
    with tempfile.TemporaryDirectory() as folder:
        peer.save_pretrained(folder)
        for name, model in (("built in", None), ("Model2Vec folder", folder)):
            print(f"least cosine to the peer, {name}: {cosines(build, peer, texts[:N_COMPARED], model).min():.6f}")
    runs = [(ours(program, texts), theirs(peer, texts)) for _ in range(ROUNDS)]
    (us, us_query), (them, them_query) = ([statistics.median(run[side][i] for run in runs) for i in (0, 1)] for side in (0, 1))
    print("| what | Precis | Model2Vec (Python) | ratio |\n| --- | --- | --- | --- |")
    print(f"| texts/s, {len(texts)} texts of {sum(map(len, texts)) / len(texts):.0f} characters | {us:,.0f} | {them:,.0f} | {us / them:.0f} |")
    print(f"| one query, median us | {us_query:.2f} | {them_query:.1f} | {them_query / us_query:.0f} |")


if __name__ == "__main__":
    main()
