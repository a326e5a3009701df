"""What is wrong with a written explanation, as far as a program can tell: pure functions of texts.

A score of likeness says how near an explanation is to a gold one, not what is the matter with it.
The flags here say that, one plain rule each; how often gold explanations raise them says how far
they are to be trusted.  The list follows the faults that arXiv:2305.13235 names; the rules are
ours.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd

SHORT = 3  # words; no gold explanation of our tasks says why in fewer
COPIED = 0.8  # share of an explanation's words that stand in a row in the input
TIMES = 3  # in a row, for a phrase to count as repeated
LETTERS = 6  # in a row, for a letter to count as repeated
ODDS = 20.0  # for another label, from which an explanation counts as contradicting its own
TOLD = 0.9  # share of labels that wording must tell, for contradictions to be looked for
SEEN = 5  # gold explanations that must hold a phrase before anything is concluded from it


@dataclass(frozen=True)
class Flag:
    """What a flag is called and when it is raised."""

    title: str
    rule: str


FLAGS: Mapping[str, Flag] = {
    "unread": Flag("No label", "What stands before “because” is none of the labels."),
    "unexplained": Flag("No “because”", "The answer has no “because”, so no explanation."),
    "empty": Flag("Empty", "Nothing follows “because”, or nothing was written at all."),
    "short": Flag("Too short", f"Fewer than {SHORT} words."),
    "copied": Flag("Copy of the input", f"{COPIED:.0%} of its words stand in a row in the input."),
    "repeats": Flag("Repetition", f"A phrase {TIMES}, or a letter {LETTERS}, times in a row."),
    "contradicts": Flag(
        "Contradicts its label",
        f"Its wording is {ODDS:g} times likelier in gold explanations of another label.",
    ),
    "endless": Flag("Runs to the length limit", "Writing was cut off, not ended."),
}


@dataclass(frozen=True)
class Told:
    """One answer to judge: what was read, what was written, and what was read out of that."""

    source: str
    text: str
    label: str | None
    explanation: str | None
    tokens: int | None = None  # that were written; None if nobody knows


def words(text: str) -> list[str]:
    """The words of a text, in lower case and without signs."""
    return re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text.lower())


def flags(told: Told, limit: int | None = None, reader: LabelReader | None = None) -> list[str]:
    """Every flag that an answer raises, in the order of FLAGS.

    limit: most tokens that could be written.  reader: what tells labels from wording; without it
    nothing counts as contradicting.
    """
    given, said = told.explanation, words(told.explanation or "")
    found = {
        "unread": told.label is None,
        "unexplained": given is None and bool(told.text.strip()),
        "empty": not told.text.strip() or (given is not None and not said),
        "short": 0 < len(said) < SHORT,
        "copied": copied(said, words(told.source)),
        "repeats": repeats(told.text if given is None else given),
        "contradicts": bool(reader and told.label and reader.contradicts(said, told.label)),
        # Written and read again, a text may come out a token shorter.
        "endless": None not in (limit, told.tokens) and told.tokens >= limit - 1,  # type: ignore[operator]
    }
    return [name for name in FLAGS if found[name]]


def copied(said: Sequence[str], source: Sequence[str]) -> bool:
    """Whether most of what is said is one passage of the source."""
    if len(said) < SHORT:
        return False
    return longest_run(said, source) >= COPIED * len(said)


def longest_run(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest row of words that both have."""
    best, before = 0, [0] * (len(second) + 1)
    for word in first:
        here = [0] * (len(second) + 1)
        for place, other in enumerate(second, 1):
            if word == other:
                here[place] = before[place - 1] + 1
        best, before = max(best, *here), here
    return best


def repeats(text: str) -> bool:
    """Whether a phrase of up to six words, or a letter, is said again and again in a row."""
    if re.search(rf"([^\W\d_])\1{{{LETTERS - 1},}}", text.lower()):
        return True
    said = words(text)
    for length in range(1, 7):
        equal = 0
        for at in range(len(said) - length):
            equal = equal + 1 if said[at] == said[at + length] else 0
            if equal >= length * (TIMES - 1):
                return True
    return False


class LabelReader:
    """Which label an explanation's wording argues for: naive Bayes over words and pairs of words.

    It learns from gold explanations alone, and only from phrases that several of them hold, so that
    it reads "not every … is" and not what the text is about.
    """

    def __init__(self, counts: Mapping[str, Counter[str]]) -> None:
        self.labels = sorted(counts)
        whole = sum(counts.values(), Counter[str]())
        self._phrases = {phrase for phrase, times in whole.items() if times >= SEEN}
        self._logs = {label: self._log(counts[label]) for label in self.labels}

    def _log(self, counts: Counter[str]) -> dict[str, float]:
        kept = {phrase: counts[phrase] + 1 for phrase in self._phrases}
        total = sum(kept.values())
        return {phrase: math.log(times / total) for phrase, times in kept.items()}

    @classmethod
    def learn(cls, gold: Iterable[tuple[str, str]]) -> LabelReader | None:
        """From (label, explanation) pairs; None where wording does not tell labels apart.

        That is tried out: what is learnt from every other pair must tell the rest.
        """
        pairs = [(label, words(explanation)) for label, explanation in gold]
        if len({label for label, _ in pairs}) < 2:
            return None
        half, rest = cls._counted(pairs[::2]), pairs[1::2]
        right = sum(half.guess(said) == label for label, said in rest)
        return cls._counted(pairs) if right >= TOLD * len(rest) else None

    @classmethod
    def _counted(cls, pairs: Sequence[tuple[str, Sequence[str]]]) -> LabelReader:
        counts: dict[str, Counter[str]] = {}
        for label, said in pairs:
            counts.setdefault(label, Counter()).update(set(_phrases(said)))
        return cls(counts)

    def guess(self, said: Sequence[str]) -> str:
        """The label whose gold explanations read most like this."""
        found = self.likelihood(said)
        return max(found, key=found.__getitem__)

    def likelihood(self, said: Sequence[str]) -> dict[str, float]:
        """Label → logarithm of how likely its gold explanations are to hold these phrases."""
        known = set(_phrases(said)) & self._phrases
        return {label: sum(logs[phrase] for phrase in known) for label, logs in self._logs.items()}

    def contradicts(self, said: Sequence[str], label: str) -> bool:
        """Whether another label is much likelier to be explained like this."""
        found = self.likelihood(said)
        if label not in found or not said:
            return False
        return max(found.values()) - found[label] > math.log(ODDS)


def _phrases(said: Sequence[str]) -> list[str]:
    """Words, pairs of neighbours, and how it starts."""
    return [*said, *(f"{first} {second}" for first, second in pairwise(["^", *said]))]


def judged(told: Iterable[Told], limit: int | None, reader: LabelReader | None) -> pd.DataFrame:
    """One row per answer, one column of booleans per flag."""
    rows = [set(flags(one, limit, reader)) for one in told]
    return pd.DataFrame([{name: name in row for name in FLAGS} for row in rows], columns=[*FLAGS])


def shares(flagged: pd.DataFrame) -> dict[str, float]:
    """Flag → share of answers that raise it, and "sound" → share that raise none."""
    found = {name: float(flagged[name].mean()) for name in FLAGS}
    return found | {"sound": float((~flagged[[*FLAGS]].any(axis=1)).mean())}


def ratios(reported: pd.DataFrame) -> pd.DataFrame:
    """Published pairs of accuracy and label-conditioned score with their ratio, as shares of one.

    Columns model, task, method, accuracy, normalised, ratio and where; a row per configuration
    that has both.  The ratio is the mean score of right answers: the score of a placeholder, which
    is a constant, where nothing was explained.
    """
    keys, both = ["model", "task", "method", "where"], ["accuracy", "normalised BERTScore"]
    kept = reported[reported["metric"].isin(both)]
    wide = kept.pivot_table(index=keys, columns="metric", values="value", sort=False)
    wide = wide.reindex(columns=both).dropna().reset_index()
    wide.columns = pd.Index([*keys, "accuracy", "normalised"])
    wide = wide[wide["accuracy"] > 0].reset_index(drop=True)
    wide["ratio"] = wide["normalised"] / wide["accuracy"]
    return wide
