# SPDX-License-Identifier: Apache-2.0
"""Means and ratios over questions, with bootstrap intervals: questions are drawn again with replacement, from a fixed seed, and
the middle 95 % of what comes out is the interval."""
import random

N_DRAWS = 1000
SEED = 20261121


def draws(n):
    """Indices of N_DRAWS samples of n questions."""
    rng = random.Random(SEED)
    population = range(n)
    for _ in range(N_DRAWS):
        yield rng.choices(population, k=n)


def middle(values):
    values = sorted(values)
    cut = int(len(values) * 0.025)
    return values[cut], values[-1 - cut]


def intervals(rows, names):
    """For each name (mean, low, high)."""
    columns = {name: [row[name] for row in rows] for name in names}
    means = {name: [] for name in names}
    for sample in draws(len(rows)):
        for name, column in columns.items():
            means[name].append(sum(map(column.__getitem__, sample)) / len(rows))
    return {name: (sum(columns[name]) / len(rows), *middle(means[name])) for name in names}


def ratio_of_sums(pairs):
    """(sum of the first over sum of the second, low, high); None where the second is zero."""
    def ratio(chosen):
        under = sum(pair[1] for pair in chosen)
        return sum(pair[0] for pair in chosen) / under if under else None
    value = ratio(pairs)
    drawn = [found for sample in draws(len(pairs)) if (found := ratio([pairs[i] for i in sample])) is not None]
    return (value, *middle(drawn)) if value is not None else None


def format_ratio(ratio):
    return "{:.2f} ({:.2f}-{:.2f})".format(*ratio) if ratio else "-"
