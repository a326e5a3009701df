"""Where a difference lies: two runs on parts of the test examples, with Holm over the parts.

Parts are by gold label, by length of the input, by a word in it, and by whether people who rated
the explanations agreed. Looking at many of them finds something by chance, so p is corrected for
all that are shown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from peftcore.analysis import inference, verdicts
from peftcore.analysis.comparison import difference_range
from peftcore.analysis.inference import Estimate, Population, SeedItemTable
from peftcore.metrics.scores import find_measure

SLICE_COLUMNS = [
    *("kind", "slice", "items", "first", "second", "difference", "low", "high"),
    *("p", "holm", "verdict", "reason"),
]
FEWEST_ITEMS = 10  # of a slice that is found; a typed word may have fewer
MOST_LABELS = 12
WORDS_SHOWN = 6
WORD_SHARES = (0.1, 0.9)  # of the examples, within which a word is one to slice by


@dataclass(frozen=True)
class Slice:
    """A part of the test examples: what it is split by, its name, and its items."""

    kind: str
    name: str
    items: tuple[str, ...]


def find_slices(
    examples: pd.DataFrame,
    words: Sequence[str] = (),
    raters_agree: Mapping[str, bool] | None = None,
) -> list[Slice]:
    """Find slices of examples (columns example, source, label): labels, thirds by length, words.

    words: those of the reader; without any, the words that split the examples most evenly.
    raters_agree: of examples that several people rated, whether they agreed.
    """
    texts = examples["source"].astype(str)
    slices = []
    labels = examples["label"].dropna().unique()
    if 1 < len(labels) <= MOST_LABELS:
        slices = [_slice(examples, "Label", str(x), examples["label"] == x) for x in sorted(labels)]
    lengths = texts.str.split().str.len().to_numpy()
    slices += [_slice(examples, "Length", name, mask) for name, mask in _thirds(lengths)]
    for agree, name in ((True, "raters agree"), (False, "raters differ")):
        mask = examples["example"].astype(str).map((raters_agree or {}).get) == agree
        slices.append(_slice(examples, "Raters", name, mask))
    found = [each for each in slices if len(each.items) >= FEWEST_ITEMS]
    vocabulary = [_words_of(text) for text in texts]
    for word in words or _telling_words(vocabulary):
        mask = np.array([word.lower() in known for known in vocabulary], dtype=bool)
        found.append(_slice(examples, "Word", word, mask))
    return found


def judge_slices(
    first: SeedItemTable,
    second: SeedItemTable,
    slices: Sequence[Slice],
    metric: str,
    margin: float,
    population: Population = "this task",
) -> pd.DataFrame:
    """Judge second against first on each slice, SLICE_COLUMNS; margin in the metric's unit."""
    one, other = inference.common_part(first, second)
    known, rows, found, tests = set(one.items), [], [], []
    for part in slices:
        items = [item for item in part.items if item in known]
        here, there = one.select(one.seeds, items), other.select(one.seeds, items)
        each = Estimate(None, None, None, None, None, 0, 0, population, reason="no such example")
        if items:
            each = inference.estimate_difference(here, there, population, difference_range(metric))
        found.append(each)
        tests.append(verdicts.p_values(each, margin))
        rows.append((part.kind, part.name, len(items), _mean(here), _mean(there)))
    corrected = verdicts.holm([each.different for each in tests])
    equal = verdicts.holm([each.equal for each in tests])
    lower = find_measure(metric).better == "lower"
    table = [
        (
            *(*row, each.mean, each.low, each.high, test.different, p),
            verdicts.choose_verdict(each.mean, p, q, lower),
            each.reason,
        )
        for row, each, test, p, q in zip(rows, found, tests, corrected, equal, strict=True)
    ]
    frame = pd.DataFrame(table, columns=SLICE_COLUMNS)
    numbers = ["first", "second", "difference", "low", "high", "p", "holm"]
    return frame.astype(dict.fromkeys(numbers, float))


def _mean(table: SeedItemTable) -> float | None:
    """Return the mean over seeds of the metric on a slice; None for no items."""
    return float(np.nanmean(table.seed_values())) if len(table.items) else None


def _slice(examples: pd.DataFrame, kind: str, name: str, mask: np.ndarray | pd.Series) -> Slice:
    return Slice(kind, name, tuple(examples["example"][np.asarray(mask)].astype(str)))


def _thirds(lengths: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Return name and mask of short, middling and long inputs, by words."""
    if not len(lengths):
        return []
    low, high = (int(x) for x in np.quantile(lengths, [1 / 3, 2 / 3], method="lower"))
    if low == high:
        return [
            (f"up to {low} words", lengths <= low),
            (f"{low + 1} words or more", lengths > low),
        ]
    middle = f"{low + 1} to {high} words" if high > low + 1 else f"{high} words"
    return [
        (f"up to {low} words", lengths <= low),
        (middle, (lengths > low) & (lengths <= high)),
        (f"{high + 1} words or more", lengths > high),
    ]


def _words_of(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", text.lower()))


def _telling_words(vocabulary: Sequence[set[str]]) -> list[str]:
    """Return the words that split the examples most evenly, each with another set of examples."""
    counts = Counter(word for known in vocabulary for word in known)
    total = len(vocabulary)
    candidates = [
        word
        for word, count in counts.items()
        if count >= FEWEST_ITEMS and WORD_SHARES[0] <= count / total <= WORD_SHARES[1]
    ]
    candidates.sort(key=lambda word: (abs(counts[word] / total - 0.5), word))
    chosen, seen = [], set()
    for word in candidates:
        members = frozenset(i for i, known in enumerate(vocabulary) if word in known)
        if members not in seen:
            seen.add(members)
            chosen.append(word)
        if len(chosen) == WORDS_SHOWN:
            break
    return chosen
