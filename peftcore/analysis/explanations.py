"""Faults of written explanations that a program can detect: pure functions of texts.

A similarity score says how near an explanation is to a gold one, not what is wrong with it. The
flags here say that, one plain rule each; how often gold explanations raise them says how far they
can be trusted. The list follows the faults that arXiv:2305.13235 names; the rules are ours.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd

MIN_WORDS = 3  # no gold explanation of our tasks has fewer words
COPIED_SHARE = 0.8  # share of an explanation's words in one passage of the input
PHRASE_REPEATS = 3  # in a row, for a phrase to count as repeated
LETTER_REPEATS = 6  # in a row, for a letter to count as repeated
CONTRADICTION_ODDS = 20.0  # for another label, to count as contradicting its own
MIN_LABEL_ACCURACY = 0.9  # of labels by wording, for contradictions to be looked for
MIN_PHRASE_COUNT = 5  # gold explanations with a phrase, for the phrase to count


@dataclass(frozen=True)
class Flag:
    """A flag's name and when it is raised."""

    title: str
    rule: str


FLAGS: Mapping[str, Flag] = {
    "unread": Flag("No label", "What stands before “because” is none of the labels."),
    "unexplained": Flag("No “because”", "The answer has no “because”, so no explanation."),
    "empty": Flag("Empty", "Nothing follows “because”, or nothing was written at all."),
    "short": Flag("Too short", f"Fewer than {MIN_WORDS} words."),
    "copied": Flag(
        "Copy of the input", f"{COPIED_SHARE:.0%} of its words stand in a row in the input."
    ),
    "repeats": Flag(
        "Repetition", f"A phrase {PHRASE_REPEATS}, or a letter {LETTER_REPEATS}, times in a row."
    ),
    "contradicts": Flag(
        "Contradicts its label",
        f"Its wording is {CONTRADICTION_ODDS:g} times likelier in gold explanations of another "
        "label.",
    ),
    "endless": Flag("Runs to the length limit", "Writing was cut off, not ended."),
}


@dataclass(frozen=True)
class ExplainedAnswer:
    """One answer to check: its source, its text, and its parsed label and explanation."""

    source: str
    text: str
    label: str | None
    explanation: str | None
    tokens: int | None = None  # that were generated; None if unknown


def split_words(text: str) -> list[str]:
    """Split a text into words, in lower case and without punctuation."""
    return re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text.lower())


def find_flags(
    answer: ExplainedAnswer, limit: int | None = None, reader: LabelReader | None = None
) -> list[str]:
    """List every flag that an answer raises, in the order of FLAGS.

    limit: most tokens that could be generated. reader: tells labels from wording; without it
    nothing counts as contradicting.
    """
    explanation, explanation_words = answer.explanation, split_words(answer.explanation or "")
    raised = {
        "unread": answer.label is None,
        "unexplained": explanation is None and bool(answer.text.strip()),
        "empty": not answer.text.strip() or (explanation is not None and not explanation_words),
        "short": 0 < len(explanation_words) < MIN_WORDS,
        "copied": is_copied(explanation_words, split_words(answer.source)),
        "repeats": has_repetition(answer.text if explanation is None else explanation),
        "contradicts": bool(
            reader and answer.label and reader.contradicts(explanation_words, answer.label)
        ),
        # Written and read again, a text may come out a token shorter.
        "endless": None not in (limit, answer.tokens) and answer.tokens >= limit - 1,  # type: ignore[operator]
    }
    return [name for name in FLAGS if raised[name]]


def is_copied(tokens: Sequence[str], source: Sequence[str]) -> bool:
    """Return whether most of the text is one passage of the source."""
    if len(tokens) < MIN_WORDS:
        return False
    return longest_run(tokens, source) >= COPIED_SHARE * len(tokens)


def longest_run(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the length of the longest sequence of words that both have."""
    best, before = 0, [0] * (len(second) + 1)
    for word in first:
        here = [0] * (len(second) + 1)
        for index, other in enumerate(second, 1):
            if word == other:
                here[index] = before[index - 1] + 1
        best, before = max(best, *here), here
    return best


def has_repetition(text: str) -> bool:
    """Return whether a phrase of up to six words, or a letter, repeats many times in a row."""
    if re.search(rf"([^\W\d_])\1{{{LETTER_REPEATS - 1},}}", text.lower()):
        return True
    text_words = split_words(text)
    for length in range(1, 7):
        equal = 0
        for at in range(len(text_words) - length):
            equal = equal + 1 if text_words[at] == text_words[at + length] else 0
            if equal >= length * (PHRASE_REPEATS - 1):
                return True
    return False


class LabelReader:
    """Naive Bayes over words and pairs of words: which label an explanation argues for.

    It learns from gold explanations alone, and only from phrases that several of them contain, so
    that it reads "not every … is" and not what the text is about.
    """

    def __init__(self, counts: Mapping[str, Counter[str]]) -> None:
        """Fit from label → counts of phrases."""
        self.labels = sorted(counts)
        whole = sum(counts.values(), Counter[str]())
        self._phrases = {phrase for phrase, times in whole.items() if times >= MIN_PHRASE_COUNT}
        self._logs = {label: self._log(counts[label]) for label in self.labels}

    def _log(self, counts: Counter[str]) -> dict[str, float]:
        """Return the log probability of each phrase, with one added to each count."""
        kept = {phrase: counts[phrase] + 1 for phrase in self._phrases}
        total = sum(kept.values())
        return {phrase: math.log(times / total) for phrase, times in kept.items()}

    @classmethod
    def learn(cls, gold: Iterable[tuple[str, str]]) -> LabelReader | None:
        """Learn from (label, explanation) pairs; None where wording does not predict labels.

        That is tested: what is learned from every other pair must predict the rest.
        """
        pairs = [(label, split_words(explanation)) for label, explanation in gold]
        if len({label for label, _ in pairs}) < 2:
            return None
        half, rest = cls._counted(pairs[::2]), pairs[1::2]
        right = sum(half.guess(explanation_words) == label for label, explanation_words in rest)
        return cls._counted(pairs) if right >= MIN_LABEL_ACCURACY * len(rest) else None

    @classmethod
    def _counted(cls, pairs: Sequence[tuple[str, Sequence[str]]]) -> LabelReader:
        """Count phrases by label."""
        counts: dict[str, Counter[str]] = {}
        for label, tokens in pairs:
            counts.setdefault(label, Counter()).update(set(_phrases(tokens)))
        return cls(counts)

    def guess(self, tokens: Sequence[str]) -> str:
        """Return the label whose gold explanations read most like this."""
        likelihoods = self.likelihood(tokens)
        return max(likelihoods, key=likelihoods.__getitem__)

    def likelihood(self, tokens: Sequence[str]) -> dict[str, float]:
        """Return label → log likelihood of these phrases in its gold explanations."""
        known = set(_phrases(tokens)) & self._phrases
        return {label: sum(logs[phrase] for phrase in known) for label, logs in self._logs.items()}

    def contradicts(self, tokens: Sequence[str], label: str) -> bool:
        """Return whether another label is much likelier to be explained like this."""
        likelihoods = self.likelihood(tokens)
        if label not in likelihoods or not tokens:
            return False
        return max(likelihoods.values()) - likelihoods[label] > math.log(CONTRADICTION_ODDS)


def _phrases(tokens: Sequence[str]) -> list[str]:
    """List words, pairs of neighbours, and the first word as a beginning."""
    return [*tokens, *(f"{first} {second}" for first, second in pairwise(["^", *tokens]))]


def flag_table(
    answers: Iterable[ExplainedAnswer], limit: int | None, reader: LabelReader | None
) -> pd.DataFrame:
    """Return one row per answer, one column of booleans per flag."""
    rows = [set(find_flags(one, limit, reader)) for one in answers]
    return pd.DataFrame([{name: name in row for name in FLAGS} for row in rows], columns=[*FLAGS])


def flag_shares(flagged: pd.DataFrame) -> dict[str, float]:
    """Return flag → share of answers that raise it, and "sound" → share that raise none."""
    result = {name: float(flagged[name].mean()) for name in FLAGS}
    return result | {"sound": float((~flagged[[*FLAGS]].any(axis=1)).mean())}


def score_ratios(reported: pd.DataFrame) -> pd.DataFrame:
    """Return published pairs of accuracy and label-conditioned score with their ratio.

    Columns model, task, method, accuracy, normalised, ratio and where; a row per configuration that
    has both, as shares of one. The ratio is the mean score of right answers: the score of a
    placeholder, which is a constant, where nothing was explained.
    """
    keys, both = ["model", "task", "method", "where"], ["accuracy", "normalised BERTScore"]
    kept = reported[reported["metric"].isin(both)]
    wide = kept.pivot_table(index=keys, columns="metric", values="value", sort=False)
    wide = wide.reindex(columns=both).dropna().reset_index()
    wide.columns = pd.Index([*keys, "accuracy", "normalised"])
    wide = wide[wide["accuracy"] > 0].reset_index(drop=True)
    wide["ratio"] = wide["normalised"] / wide["accuracy"]
    return wide
