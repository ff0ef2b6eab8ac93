#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Learns the weights of src/search/relevance.c from questions with known evidence, and prints them as its table.

usage: learn_ranking.py RANK_FEATURES --turns DATA [--messages DATA] [--without FEATURE ...]

DATA is what bench/eval.py reads (docs/evaluation.md); only the conversations that are marked for development are used.
RANK_FEATURES is the program of tools/rank_features.c in a build folder. The model is linear: for each question the
softmax over its candidates should go to each evidence rather than to what is none (the other evidence left out of the
sum), with a penalty on the weights of features scaled to unit deviation. Then one scale and bias make of the score the
logit of an item being evidence. Needs numpy and scipy; run once, by hand.
"""
import argparse
import datetime
import os
import re
import subprocess
import sys

import numpy as np
from scipy.optimize import minimize

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, os.path.join(ROOT, "bench"))
import eval_data  # noqa: E402

PENALTY = 1.0
KS = (1, 5, 10, 20, 50)
TOP = 50  # of these the probability is learned


def feature_names():
    header = open(os.path.join(ROOT, "src/search/relevance.h"), encoding="utf-8").read()
    return re.findall(r"^    (FEATURE_\w+),", header, re.M)


def microseconds(text):
    return int(datetime.datetime.fromisoformat(text).timestamp() * 1e6)


def fields(kind, time_us, speaker, text):
    text = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", " ")
    return f"{kind}\t{time_us}\t{speaker}\t{text}\n"


class Asked:
    """One question: its candidates' features, which of them are evidence, and how much evidence there is."""

    def __init__(self, conversation, features, wanted, n_wanted):
        self.conversation, self.features, self.wanted, self.n_wanted = conversation, features, wanted, n_wanted


def ask(program, conversation):
    now = max(microseconds(item.created_at) for item in conversation.items) + 86_400_000_000
    text = "".join(fields("I", microseconds(item.created_at), item.metadata.get("role", ""), item.content)
                   for item in conversation.items)
    questions = [question for question in conversation.questions if not question.is_extra]
    text += "".join(fields("Q", now, "", question.text) for question in questions)
    lines = iter(subprocess.run([program], input=text, capture_output=True, text=True, check=True).stdout.splitlines())
    n_columns = 1 + len(feature_names())
    rows = {item.id: i + 1 for i, item in enumerate(conversation.items)}
    for question in questions:
        n = int(next(lines).split()[1])
        table = np.array([next(lines).split() for _ in range(n)], dtype=float).reshape(n, n_columns)
        wanted = np.isin(table[:, 0], [rows[item] for item in question.wanted])
        yield Asked(conversation.id, table[:, 1:], wanted, len(question.wanted))


def read(program, path):
    _, conversations = eval_data.read(path)
    return [asked for conversation in conversations if conversation.is_dev for asked in ask(program, conversation)]


def loss_of(weights, questions, scale):
    loss, slope = 0.0, np.zeros(len(weights))
    for asked in questions:
        features = asked.features / scale
        if not asked.wanted.any():
            continue
        score = features @ weights
        top = score.max()
        others = np.where(asked.wanted, 0, np.exp(score - top))
        total = others.sum()
        if total == 0:
            continue
        beyond = top + np.log(total)
        mean = others @ features / total
        for row in np.flatnonzero(asked.wanted):
            lost = 1 / (1 + np.exp(score[row] - beyond))
            loss += np.logaddexp(0, beyond - score[row]) / asked.n_wanted
            slope += lost * (mean - features[row]) / asked.n_wanted
    return loss + PENALTY * weights @ weights / 2, slope + PENALTY * weights


def learn(questions, kept):
    scale = np.concatenate([asked.features for asked in questions]).std(axis=0) + 1e-9
    scale[~kept] = np.inf
    start = np.zeros(len(scale))
    return minimize(loss_of, start, args=(questions, scale), jac=True, method="L-BFGS-B").x / scale


def recall(questions, weights):
    found = {k: [] for k in KS}
    for asked in questions:
        order = np.argsort(-(asked.features @ weights), kind="stable")
        for k in KS:
            found[k].append(asked.wanted[order[:k]].sum() / asked.n_wanted)
    return {k: np.array(values) for k, values in found.items()}


def held_out(questions, kept):
    """Recall where each conversation is judged by weights learned from the others."""
    parts = []
    for name in sorted({asked.conversation for asked in questions}):
        rest = [asked for asked in questions if asked.conversation != name]
        parts.append(recall([asked for asked in questions if asked.conversation == name], learn(rest, kept)))
    return {k: np.concatenate([part[k] for part in parts]) for k in KS}


def calibrate(questions, weights):
    """scale and bias that make the score of the first TOP the logit of being evidence"""
    score, wanted = [], []
    for asked in questions:
        s = asked.features @ weights
        order = np.argsort(-s)[:TOP]
        score.append(s[order])
        wanted.append(asked.wanted[order])
    score, wanted = np.concatenate(score), np.concatenate(wanted).astype(float)

    def loss(x):
        logit = x[0] * score + x[1]
        p = 1 / (1 + np.exp(-logit))
        return np.logaddexp(0, logit).sum() - wanted @ logit, np.array([(p - wanted) @ score, (p - wanted).sum()])

    return minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B").x


def report(name, values):
    print(f"{name:28}" + " ".join(f"@{k} {values[k].mean():.3f}" for k in KS))


def learn_kind(kind, questions, names, without):
    kept = np.array([name not in without for name in names])
    weights = learn(questions, kept)
    print(f"{kind}: {len(questions)} questions; evidence among candidates "
          f"{np.mean([asked.wanted.sum() / asked.n_wanted for asked in questions]):.3f}")
    report("  learned from all", recall(questions, weights))
    report("  conversation held out", held_out(questions, kept))
    scale, bias = calibrate(questions, weights)
    return weights * scale, bias


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--turns", required=True)
    parser.add_argument("--messages")
    parser.add_argument("--without", nargs="*", default=[])
    args = parser.parse_args()
    names = feature_names()
    learned = [learn_kind("turns", read(args.program, args.turns), names, args.without)]
    if args.messages:
        learned.append(learn_kind("messages", read(args.program, args.messages), names, args.without))
    for i, name in enumerate(names):
        print(f"[{name}] = {{" + ", ".join(f"{weights[i]:.2f}F" for weights, _ in learned) + "}")
    print("bias", ", ".join(f"{bias:.2f}F" for _, bias in learned))


main()
