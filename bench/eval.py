#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How much of the evidence is found, and how much of it stands in a context: questions with known evidence, asked through the
public API. No language model is involved. docs/evaluation.md defines every figure; `make eval DATA=...` runs this.

usage: eval.py DATA [--program PRECIS | --url URL [--key KEY]] [options]
"""
import argparse
import collections
import json
import os
import shutil
import sys
import tempfile
import time

import eval_data
import eval_engines
import eval_stats
from precis_server import Client, Refused, Server

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RANKS = (1, 5, 10, 20, 50)
FAIL = "eval: "


def measure_turns(found, wanted):
    """Metrics of one ranking: which of the wanted are where."""
    places = [place for place, item in enumerate(found, 1) if item in wanted]
    metrics = {f"recall@{k}": sum(place <= k for place in places) / len(wanted) for k in RANKS}
    metrics["all@10"] = float(metrics["recall@10"] == 1)
    metrics["mrr"] = 1 / places[0] if places else 0.0
    return metrics


def measure_sessions(found, wanted):
    """The same of sessions, each where its first item stands."""
    order = list(dict.fromkeys(found))
    metrics = {"hit@1": float(bool(order) and order[0] in wanted)}
    for k in (5, 10):
        share = len(wanted & set(order[:k])) / len(wanted)
        metrics |= {f"recall@{k}": share, f"any@{k}": float(share > 0), f"all@{k}": float(share == 1)}
    return metrics


def measure_cover(text, wanted, needles):
    text = eval_data.plain(text)
    return sum(needles[item] in text for item in wanted) / len(wanted)


class Run:
    """What one engine answered: a row of metrics for each question, in one order for all engines."""

    def __init__(self, engine, budgets):
        self.engine, self.budgets = engine, budgets
        self.turns, self.sessions = [], []
        self.first_ms, self.took_ms, self.misses = [], [], []

    def ask(self, conversation):
        try:
            self.engine.load(conversation)
            items = {item.id: item for item in conversation.items}
            if conversation.questions:  # the first search after loading makes the index
                self.first_ms.append(self.search(conversation.questions[0])[1])
            for question in conversation.questions:
                about = {"category": question.category, "conversation": conversation.id, "is_dev": conversation.is_dev,
                         "is_extra": question.is_extra}
                self.answer(question, about, items)
        finally:
            self.engine.forget()

    def answer(self, question, about, items):
        found, took_ms = self.search(question)
        self.took_ms.append(took_ms)
        if question.wanted_sessions:
            self.sessions.append(about | measure_sessions([items[item].session for item in found], question.wanted_sessions))
        if not question.wanted or question.is_extra:
            return
        row = about | measure_turns(found, question.wanted)
        self.turns.append(row | self.cover(question, {item: items[item].needle for item in question.wanted}))
        if row["all@10"] < 1:
            self.miss(question, found, items)

    def search(self, question):
        start = time.perf_counter()
        found = self.engine.search(question.text)
        return found, (time.perf_counter() - start) * 1e3

    def cover(self, question, needles):
        covered = {}
        for budget in self.budgets:
            text = self.engine.context(question.text, budget)
            if text is not None:
                covered[f"cover@{budget}"] = measure_cover(text, question.wanted, needles)
        return covered

    def miss(self, question, found, items):
        missing = [item for item in items if item in question.wanted and item not in found[:10]]
        self.misses.append({"question": question.text, "category": question.category,
                            "missing": [{"text": items[item].content, "rank": found.index(item) + 1 if item in found else None}
                                        for item in missing],
                            "got": [items[item].content for item in found[:5]]})


# ---- tables ----------------------------------------------------------------------------------------------------

def groups_of(rows, by_conversation):
    """Names of groups and their rows: all, each category, tuned on and held out, each conversation."""
    groups = {"all": rows}
    for row in rows:
        groups.setdefault(row["category"], []).append(row)
    tuned = {"tuned on": [row for row in rows if row["is_dev"]], "held out": [row for row in rows if not row["is_dev"]]}
    if all(tuned.values()):
        groups |= tuned
    if by_conversation:
        for row in rows:
            groups.setdefault(row["conversation"], []).append(row)
    return groups


def print_table(title, groups):
    """Prints it, and returns it for the file of results."""
    rows = groups["all"]
    if not rows:
        return {}
    names = [name for name in rows[0] if name not in ("category", "conversation", "is_dev", "is_extra")]
    width = max(map(len, groups)) + 2
    print(f"\n{title}\n{'':{width}}{'n':>6}" + "".join(f"{name:>13}" for name in names))
    table = {}
    for group, members in groups.items():
        intervals = eval_stats.intervals(members, names)
        table[group] = {"n": len(members)} | {name: dict(zip(("mean", "low", "high"), intervals[name])) for name in names}
        print(f"{group:{width}}{len(members):>6}" + "".join(f"{intervals[name][0]:>13.3f}" for name in names))
        print(f"{'':{width}}{'95 %':>6}" + "".join("{:>13}".format("{1:.3f}-{2:.3f}".format(*intervals[name])) for name in names))
    return table


def print_sessions(run):
    answered = [row for row in run.sessions if not row["is_extra"]]
    groups = groups_of(answered, False)
    if len(answered) < len(run.sessions):
        groups["all with extra"] = run.sessions
    return print_table(f"{run.engine.name}: sessions, each where its first item stands", groups)


def print_ratios(ours, theirs):
    """Our misses over the peer's, with an interval over questions that both were asked."""
    table = {}
    names = [name for name in ours.turns[0] if name in ("recall@10", "all@10") or name.startswith("cover@")]
    for group, pairs in groups_of([a | {"peer": b} for a, b in zip(ours.turns, theirs.turns)], False).items():
        table[group] = {name: eval_stats.ratio_of_sums([(1 - pair[name], 1 - pair["peer"][name]) for pair in pairs])
                        for name in names}
    width = max(map(len, table)) + 2
    print(f"\nmisses of {ours.engine.name} over those of {theirs.engine.name}\n{'':{width}}" + "".join(f"{name:>20}" for name in names))
    for group, ratios in table.items():
        print(f"{group:{width}}" + "".join("{:>20}".format(eval_stats.format_ratio(ratios[name])) for name in names))
    return table


def print_took(run):
    took = sorted(run.took_ms)
    figures = {"n": len(took), "p50_ms": took[len(took) // 2], "p95_ms": took[int(len(took) * .95)],
               "first_p50_ms": sorted(run.first_ms)[len(run.first_ms) // 2]}
    print("\n{}: {n} searches, p50 {p50_ms:.2f} ms, p95 {p95_ms:.2f} ms, the first after loading {first_p50_ms:.2f} ms, as Python sees "
          "them".format(run.engine.name, **figures))
    return figures


def report(args, data_name, runs):
    results = {"data": data_name, "file": os.path.basename(os.path.abspath(args.data)), "mode": args.mode, "engines": {}}
    for run in runs:
        turns = print_table(f"{run.engine.name}: {data_name}", groups_of(run.turns, args.by_conversation))
        results["engines"][run.engine.name] = {"turns": turns, "sessions": print_sessions(run), "search": print_took(run)}
        if getattr(run.engine, "no_context", None):
            print(f"cover@B skipped: the server builds no such context ({run.engine.no_context})")
    for peer in runs[1:]:
        if peer.turns:
            results.setdefault("miss_ratios", {})[peer.engine.name] = print_ratios(runs[0], peer)
    return results


# ---- the program -----------------------------------------------------------------------------------------------

def make_peers(args):
    for name in args.peer:
        if name == "fts5":
            yield eval_engines.Fts5(args.program)
        else:
            try:
                yield eval_engines.Fts5Vec(args.program, eval_engines.find_sqlite_vec(os.path.join(ROOT, "build", "sqlite-vec")))
            except LookupError as error:
                print(f"{FAIL}SKIPPED {name}: {error}", file=sys.stderr)


def evaluate(args, client):
    data_name, conversations = eval_data.read(args.data)
    prefix = f"eval-{os.getpid()}-{int(time.time())}-" if args.url else ""
    engines = [eval_engines.Precis(client, args.mode, args.recipe, prefix), *make_peers(args)]
    runs = [Run(engine, args.budgets) for engine in engines]
    counts = collections.Counter()
    for conversation in conversations:
        if args.only and conversation.is_dev != (args.only == "dev"):
            continue
        if sys.stderr.isatty():
            print(f"\r{FAIL}{conversation.id}: {len(conversation.items)} items, {len(conversation.questions)} questions ",
                  end="", file=sys.stderr, flush=True)
        counts += {"conversations": 1, "items": len(conversation.items)}
        for run in runs:
            run.ask(conversation)
    if not runs[0].took_ms:
        raise eval_data.BadData(f"{args.data}: no question in it names evidence that is there")
    print(f"{data_name}: {counts['conversations']} conversations, {counts['items']} items; mode {args.mode}")
    results = report(args, data_name, runs)
    save(args.json, results)
    save(args.misses, runs[0].misses)


def save(path, value):
    if path:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(value, file, indent=1, ensure_ascii=False)


def with_own_server(args):
    folder = tempfile.mkdtemp(prefix="precis-eval-")
    server = None
    try:
        server = Server(os.path.abspath(args.program), folder)
        evaluate(args, server)
    finally:
        if server:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def arguments():
    parser = argparse.ArgumentParser(description="Retrieval quality through the public API; see docs/evaluation.md.")
    parser.add_argument("data", metavar="DATA", help="a file of LoCoMo or LongMemEval, or a folder of BEAM")
    parser.add_argument("--program", default=os.path.join(ROOT, "build", "precis"), help="the precis to start, and to count for peers")
    parser.add_argument("--url", help="a server that runs, instead of a private one with an empty store")
    parser.add_argument("--key", default="", help="its key")
    parser.add_argument("--mode", choices=("keyword", "vector", "hybrid"), default="hybrid")
    parser.add_argument("--recipe", default="chat", help="what cover@B asks for")
    parser.add_argument("--budgets", default="500,1000,2000", help="tokens, with commas; empty: no cover@B")
    parser.add_argument("--peer", action="append", default=[], choices=("fts5", "fts5+sqlite-vec"), help="may be given twice")
    parser.add_argument("--only", choices=("dev", "held-out"), help="some of the conversations: those tuned on, or the others")
    parser.add_argument("--by-conversation", action="store_true")
    parser.add_argument("--misses", metavar="FILE", help="write what was not all in the first ten")
    parser.add_argument("--json", metavar="FILE", help="write all tables")
    args = parser.parse_args()
    try:
        args.budgets = [int(budget) for budget in args.budgets.split(",") if budget]
    except ValueError:
        parser.error(f"--budgets {args.budgets}: numbers with commas between them")
    return args


def main():
    args = arguments()
    try:
        if args.url:
            evaluate(args, Client(args.url, args.key))
        else:
            with_own_server(args)
    except (eval_data.BadData, Refused, OSError) as error:
        raise SystemExit(f"{FAIL}{error}") from None


if __name__ == "__main__":
    main()
