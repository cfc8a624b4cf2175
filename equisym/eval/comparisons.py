"""The report's comparisons between networks."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from equisym.document import Block, Bullets, Heading, Table, Text
from equisym.eval.results import READABLE, Results, Row, folded
from equisym.eval.statistics import holm, mcnemar, mean_interval, paired_interval, percent_interval

MOST = 8
"""Findings on the page; tables hold the rest."""


def on_unseen(groups: dict) -> dict[str, dict[str, list[float]]]:
    """Accuracy on families that a network was not trained on, by network and number of images, one for each seed.

    Each is the mean over all pairs of a training family and another one; seeds that lack a pair are left out. Where
    nothing was tested on another family, the families tested on count.
    """
    found: dict[str, dict[str, dict[str, dict[tuple[str, str], float]]]] = {}
    crossed = any(source != family for _, source, _ in groups for own in groups.values() for family in own)
    for (name, source, images), own in groups.items():
        for family, rows in own.items():
            if source == family and crossed:
                continue
            for row in rows:
                seeds = found.setdefault(name, {}).setdefault(images, {})
                seeds.setdefault(_seed_of(row), {})[source, family] = float(row["accuracy"])
    whole: dict[str, dict[str, list[float]]] = {}
    for name, counts in found.items():
        for images, seeds in counts.items():
            most = max(len(pairs) for pairs in seeds.values())
            means = [float(np.mean(list(pairs.values()))) for pairs in seeds.values() if len(pairs) == most]
            whole.setdefault(name, {})[images] = means
    return whole


def findings(results: Results, groups: dict, families: Sequence[str]) -> list[Block]:
    """At most eight findings as sentences, strongest first, all supported by the tables below, good news or bad."""
    items = []
    unseen = on_unseen(groups)
    counts = {images for own in unseen.values() for images in own}
    for images in sorted(counts, key=lambda n: -int(n) if n.isdigit() else 0)[:3]:
        known = {name: own[images] for name, own in unseen.items() if images in own}
        order = sorted(known, key=lambda name: -float(np.mean(known[name])))
        told = [f"{name} with {percent_interval(known[name])} %" for name in order]
        number = f"{int(images):,}" if images.isdigit() else images
        start = (
            f"Trained on {number} images of one family, tested on the others: the best is {'; then '.join(told[:3])}"
        )
        items.append(start + (f"; the last is {told[-1]}." if len(told) > 3 else "."))
    judged: list[tuple[float, str]] = []
    for technique in results.techniques:
        *_, (_, sources) = _compared(results, groups, technique)
        found = {f: _difference(results, groups, technique["with"], technique["without"], sources, f) for f in families}
        known = {f: d for f, d in found.items() if d is not None and not math.isnan(d[1])}
        if known:
            certain = max(abs(mean) - half for mean, half, _ in known.values())
            judged.append((certain, _sentence(technique["technique"], sources, known)))
    judged.sort(key=lambda item: -item[0])
    room = MOST - len(items)
    shown = judged if len(judged) <= room else judged[: room - 1]
    items += [text for _, text in shown]
    if len(shown) < len(judged):
        items.append(f'{len(judged) - len(shown)} more comparisons stand under "Techniques with and without".')
    return [Heading("Findings"), Bullets(items)]


def _sentence(technique: str, sources: Sequence[str], found: dict[str, tuple[float, float, int]]) -> str:
    """What a technique brings on each family."""
    parts, runs = [], 0
    for family, (mean, half, runs) in found.items():
        better, worse = ("it helps", "it harms") if runs > 1 else ("ahead", "behind")
        verdict = better if mean - half > 0 else worse if mean + half < 0 else "no difference is shown"
        parts.append(f"on {family} {100 * mean:+.1f} ± {100 * half:.1f} points, {verdict}")
    over = f"over {runs} seeds" if runs > 1 else "one seed, over its images: another seed may differ by more"
    trained = f"trained on {sources[0]}"
    if len(sources) > 1:
        over, trained = f"over {runs} pairs of runs", f"trained on {', '.join(sources[:-1])} or {sources[-1]}"
    return f"{technique}, {trained} ({over}): {'; '.join(parts)}."


def _seed_of(row: Row) -> str:
    seed = re.search(r"(\d+)$", Path(row["run"]).stem)
    return seed.group(1) if seed else ""


def _compared(results: Results, groups: dict, only: Row | None = None) -> Iterator[tuple[Row, tuple[str, ...]]]:
    """Techniques with training families: the most common one, others that both networks share, and all of these."""
    usual = [source for source, _ in Counter(source for _, source, _ in groups).most_common()]
    for technique in results.techniques if only is None else [only]:
        known = [
            {source for name, source, _ in groups if name == network}
            for network in (technique["with"], technique["without"])
        ]
        shared = tuple(source for source in usual if source in known[0] & known[1])
        yield technique, tuple(usual[:1])
        yield from ((technique, (source,)) for source in shared if source != usual[0])
        if len(shared) > 1:
            yield technique, shared


def _difference(
    results: Results, groups: dict, first: str, second: str, sources: Sequence[str], family: str
) -> tuple[float, float, int] | None:
    """Mean difference of accuracy between two networks on the same training sets, half its interval, and the pairs.

    The interval is over runs (Student). A single run has one over the images, where the answers were kept: that of
    the difference of paired shares.
    """
    runs: dict[str, dict[tuple, Row]] = {first: {}, second: {}}
    for (name, trained_on, images), own in groups.items():
        if name in runs and trained_on in sources:
            for row in own.get(family, []):
                runs[name][trained_on, images, _seed_of(row)] = row
    shared = sorted(runs[first].keys() & runs[second].keys())
    if not shared:
        return None
    pairs = [(runs[first][k], runs[second][k]) for k in shared]
    mean, half = mean_interval([float(a["accuracy"]) - float(b["accuracy"]) for a, b in pairs])
    if len(pairs) == 1:
        kept = [results.answers.get((row["run"], family)) for row in pairs[0]]
        if kept[0] is not None and kept[1] is not None and np.array_equal(kept[0]["labels"], kept[1]["labels"]):
            half = paired_interval(*(own["answers"] == own["labels"] for own in kept if own is not None))
    return mean, half, len(pairs)


def techniques(results: Results, groups: dict, families: Sequence[str]) -> list[Block]:
    """The difference that each technique makes on each family."""
    if not results.techniques:
        return [Text("No `techniques.csv` beside the results says which networks differ by one technique.")]
    rows = []
    for technique, sources in _compared(results, groups):
        cells = []
        for family in families:
            found = _difference(results, groups, technique["with"], technique["without"], sources, family)
            half = "" if found is None or math.isnan(found[1]) else f" ± {100 * found[1]:.1f}"
            cells.append("not run" if found is None else f"{100 * found[0]:+.1f}{half}")
        rows.append([technique["technique"], technique["with"], technique["without"], ", ".join(sources), *cells])
    text = (
        "Difference of accuracy in points, run by run, with its 95 % interval over runs of the same seed and images "
        "(Student), or over the images of a single run; a minus means that the technique does harm."
    )
    return [Text(text), Table(["technique", "with", "without", "trained on", *families], rows)]


def pairs(results: Results, groups: dict, families: Sequence[str]) -> list[Block]:
    """McNemar's tests between networks that have answered the same images."""
    tests = []
    for family in families:
        answered = []
        for name, own in groups.items():
            arrays = results.answers.get((own[family][0]["run"], family)) if family in own else None
            if arrays is not None:
                answered.append((name, arrays))
        named = {frozenset((t["with"], t["without"])) for t in results.techniques}
        for (first, a), (second, b) in combinations(answered, 2):
            # all pairs if few; else those that differ by a technique, and those with the best
            chosen = len(answered) <= READABLE or first == answered[0][0]
            if not chosen and frozenset((first[0], second[0])) not in named:
                continue
            same = len(a["labels"]) == len(b["labels"]) and np.array_equal(a["labels"], b["labels"])
            if same and first[1:] == second[1:]:
                result = mcnemar(a["answers"] == a["labels"], b["answers"] == b["labels"])
                tests.append((family, first, second, *result))
    if not tests:
        return [Text("No two networks with the same training set have stored answers to the same images.")]
    corrected = holm([test[-1] for test in tests])
    rows = [
        [f, a[0], b[0], f"{a[2]} {a[1]}", str(n), str(m), f"{p:.2g}", "yes" if p < 0.05 else "no"]
        for (f, a, b, n, m, _), p in zip(tests, corrected, strict=True)
    ]
    heads = ["family", "first", "second", "trained on", "only first right", "only second right", "p", "differ"]
    text = "McNemar's exact test on the same images (first seed of each), p corrected for all tests after Holm."
    if len(groups) > READABLE:
        text += " Of the many pairs: those that differ by a technique, and each network beside the best."
    return [Text(text), Table(heads, rows, folded(rows))]
