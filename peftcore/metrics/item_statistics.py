"""Sufficient statistics of single answers: what each adds to a metric, so that spread can be had.

Every metric here is a function (`combine`) of the mean over items of its statistics: for accuracy
or ROUGE-L the score itself, for BLEU, chrF, TER, F1 and Matthews counts, for Pearson moments. On
all items of a run it gives the value of `metrics.scores`, which a test holds. Rank correlation and
scores by neural networks have none.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from peftcore.data.task import SEPARATOR
from peftcore.metrics import scores

Array: TypeAlias = NDArray[np.float64]
Combine: TypeAlias = Callable[[Array], Array]
OF_TARGETS = frozenset({"broken", "bleu", "chrf", "ter", "rougeL"})  # read the gold texts
CHRF_ORDERS, CHRF_BETA_SQUARED = 6, 4.0
BLEU_ORDERS = 4


def first_statistic(means: Array) -> Array:
    """Return the only statistic (...) of means (..., 1): what a mean over items combines by."""
    return means[..., 0]


@dataclass(frozen=True)
class Statistics:
    """Statistics (n, k) of n answers, and how their means (..., k) make the metric (...)."""

    values: Array
    combine: Combine = first_statistic


def answer_statistics(answers: pd.DataFrame, metric: str) -> Statistics | None:
    """Return what each row of a run's answers adds to a metric; None where it has no such parts.

    answers: as `Run.answers`, in which label, predicted and correct may be missing.
    """
    make = MAKERS.get(metric)
    if make is None or (metric in OF_TARGETS and not _has_targets(answers)):
        return None
    return make(answers)


def _has_targets(answers: pd.DataFrame) -> bool:
    """Return whether every answer's gold text is at hand; texts of some data do not ship."""
    if all(isinstance(text, str) and text for text in answers["target"].unique()):
        return True
    if "references" not in answers:  # those who need the target alone read no more
        return False
    known = answers["target"].fillna("").astype(bool) | answers["references"].map(len).astype(bool)
    return bool(known.all())


def _plain(values: Any) -> Statistics:
    """Return scores (n,) as statistics of a mean."""
    return Statistics(np.asarray(values, dtype=float)[:, None])


def _correct(answers: pd.DataFrame) -> Array:
    """Return 1 for each right label, (n,)."""
    return (answers["correct"].astype("boolean").fillna(False)).to_numpy(dtype=float)


def _unexplained(answers: pd.DataFrame) -> Array:
    """Return 1 for each answer without explanation, (n,)."""
    return answers["explanation"].isna().to_numpy(dtype=float)


def _broken(answers: pd.DataFrame) -> Statistics:
    """Mark answers without a label, or without the explanation that the target has."""
    targets = answers["target"].fillna("")  # the same for every seed, so each is read once
    needing = [text for text in targets.unique() if SEPARATOR in text]
    needs = targets.isin(needing).to_numpy()
    no_label = answers["predicted"].isna().to_numpy()
    return _plain(no_label | (needs & answers["explanation"].isna().to_numpy()))


def _label_counts(answers: pd.DataFrame) -> tuple[list[str], set[str], Array]:
    """Return the classes, those that are gold labels, and one-hot counts (n, gold × predicted)."""
    gold, gold_names = _codes(answers["label"], "")
    predicted, predicted_names = _codes(answers["predicted"], scores.UNREADABLE_LABEL)
    classes = sorted({*gold_names, *predicted_names})
    number = {name: n for n, name in enumerate(classes)}
    rows, columns = (
        np.array([number[name] for name in names], int)[codes]
        for codes, names in ((gold, gold_names), (predicted, predicted_names))
    )
    counts = np.zeros((len(answers), len(classes) ** 2))
    counts[np.arange(len(answers)), rows * len(classes) + columns] = 1.0
    return classes, set(gold_names), counts


def _codes(labels: pd.Series, missing: str) -> tuple[NDArray[np.intp], list[str]]:
    """Return for each label (n,) the position of its name, and the names."""
    codes, names = pd.factorize(labels.fillna(missing))
    return codes, [str(name) for name in names]


def _macro_f1(answers: pd.DataFrame) -> Statistics:
    """F1 of every gold label, averaged; from the confusion counts."""
    classes, gold, counts = _label_counts(answers)
    scored = [i for i, name in enumerate(classes) if name in gold]

    def combine(means: Array) -> Array:
        table = means.reshape(*means.shape[:-1], len(classes), len(classes))
        right = np.diagonal(table, axis1=-2, axis2=-1)
        both = table.sum(-1) + table.sum(-2)
        return (2 * right / np.maximum(both, 1e-300))[..., scored].mean(-1)

    return Statistics(counts, combine)


def _matthews(answers: pd.DataFrame) -> Statistics:
    """Matthews correlation of several classes (Gorodkin 2004), from the confusion counts."""
    classes, _, counts = _label_counts(answers)

    def combine(means: Array) -> Array:
        table = means.reshape(*means.shape[:-1], len(classes), len(classes))
        right = np.trace(table, axis1=-2, axis2=-1)
        gold, predicted = table.sum(-1), table.sum(-2)
        covariance = right - (gold * predicted).sum(-1)
        spread = (1 - (gold**2).sum(-1)) * (1 - (predicted**2).sum(-1))
        return np.where(spread > 1e-12, covariance / np.sqrt(np.maximum(spread, 1e-12)), 0.0)

    return Statistics(counts, combine)


def _lowered(answers: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return explanations and gold explanations in lower case, as they are scored."""
    texts = [str(text).lower() for text in answers["explanation"].fillna("")]
    return texts, [[gold.lower() for gold in golds] for golds in answers["references"]]


def _each_once(
    score: Callable[[Sequence[str], Sequence[Sequence[str]]], Sequence[Any]],
    texts: Sequence[str],
    references: Sequence[Sequence[str]],
) -> list[Any]:
    """Score each different pair of text and references once: seeds often answer alike."""
    keys = [(text, tuple(golds)) for text, golds in zip(texts, references, strict=True)]
    different = list(dict.fromkeys(keys))
    found = dict(
        zip(
            different,
            score([text for text, _ in different], [g for _, g in different]),
            strict=True,
        )
    )
    return [found[key] for key in keys]


def _explanation_score(
    answers: pd.DataFrame,
    score: Callable[[Sequence[str], Sequence[Sequence[str]]], list[float]],
) -> Array:
    """Return the score of every explanation, (n,); rows without gold explanations are NaN."""
    texts, golds = _lowered(answers)
    known = [i for i, each in enumerate(golds) if len(each)]
    values = np.full(len(answers), np.nan)
    if known:
        values[known] = _each_once(score, [texts[i] for i in known], [golds[i] for i in known])
    return values


def _normalised_chrf(answers: pd.DataFrame) -> Statistics:
    """ChrF of explanations, zero where the label is wrong."""
    return _plain(_explanation_score(answers, scores.sentence_chrf) * _correct(answers))


def _ratio_chrf(answers: pd.DataFrame) -> Statistics:
    """ChrF of the explanations of right labels: the one mean divided by the other."""
    right = _correct(answers)
    values = np.stack([_explanation_score(answers, scores.sentence_chrf) * right, right], -1)
    return Statistics(values, lambda m: m[..., 0] / np.maximum(m[..., 1], 1e-12))


def _answer_texts(answers: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return whole answers and their references."""
    pairs = zip(answers["references"], answers["target"], strict=True)
    references = [list(golds) if len(golds) else [str(target)] for golds, target in pairs]
    return [str(text) for text in answers["text"].fillna("")], references


def _corpus_statistics(answers: pd.DataFrame, metric: Any) -> Array:
    """Return sacrebleu's own statistics of each answer, (n, k)."""
    texts, references = _answer_texts(answers)

    def extract(texts: Sequence[str], golds: Sequence[Sequence[str]]) -> Sequence[Any]:
        return list(metric._extract_corpus_statistics(texts, scores.reference_streams(golds)))

    return np.array(_each_once(extract, texts, references), dtype=float)


def _bleu(answers: pd.DataFrame) -> Statistics:
    """Corpus BLEU; statistics are lengths, matches and counts of n-grams."""
    from sacrebleu.metrics.bleu import BLEU

    values = _corpus_statistics(answers, BLEU(force=True))
    items = answers["example"].nunique()  # one corpus for each seed
    return Statistics(values, functools.partial(bleu_of_counts, items=items))


def bleu_of_counts(means: Array, items: int) -> Array:
    """Return BLEU (...) of means (..., 10) of system length, reference length, matches, n-grams.

    Orders without a match count half, a quarter … of one match, as sacrebleu smooths ("exp"),
    which depends on the number of items.
    """
    sums = means * items
    system, reference = sums[..., 0], sums[..., 1]
    matches, totals = sums[..., 2 : 2 + BLEU_ORDERS], sums[..., 2 + BLEU_ORDERS :]
    missed = np.cumsum(matches <= 1e-9, -1)
    smoothed = np.where(matches > 1e-9, matches, 0.5**missed)
    known = (totals > 1e-9) & (smoothed > 0)
    logs = np.where(known, np.log(np.where(known, smoothed / np.maximum(totals, 1e-9), 1.0)), -1e9)
    penalty = np.minimum(0.0, 1 - reference / np.maximum(system, 1e-9))
    value = 100 * np.exp(logs.mean(-1) + penalty)
    return np.where(matches.max(-1) > 1e-9, value, 0.0)


def _chrf(answers: pd.DataFrame) -> Statistics:
    """Corpus chrF; statistics are counts of character n-grams."""
    from sacrebleu.metrics.chrf import CHRF

    return Statistics(_corpus_statistics(answers, CHRF()), chrf_of_counts)


def chrf_of_counts(means: Array) -> Array:
    """Return chrF (...) of means (..., 18): for each order n-grams of answer, reference, both."""
    table = means.reshape(*means.shape[:-1], CHRF_ORDERS, 3)
    answer, gold, match = table[..., 0], table[..., 1], table[..., 2]
    known = (answer > 0) & (gold > 0)
    orders = np.maximum(known.sum(-1), 1)
    precision = np.where(known, match / np.where(known, answer, 1.0), 0.0).sum(-1) / orders
    recall = np.where(known, match / np.where(known, gold, 1.0), 0.0).sum(-1) / orders
    below = CHRF_BETA_SQUARED * precision + recall
    value = (1 + CHRF_BETA_SQUARED) * precision * recall / np.where(below > 0, below, 1.0)
    return 100 * value


def _ter(answers: pd.DataFrame) -> Statistics:
    """Corpus TER: edits by words of the references."""
    from sacrebleu.metrics.ter import TER

    values = _corpus_statistics(answers, TER())
    return Statistics(values, lambda m: 100 * m[..., 0] / np.maximum(m[..., 1], 1e-12))


def _rouge(answers: pd.DataFrame) -> Statistics:
    """ROUGE-L of whole answers."""
    return _plain(_each_once(scores.sentence_rouge, *_answer_texts(answers)))


MAKERS: dict[str, Callable[[pd.DataFrame], Statistics]] = {
    "accuracy": lambda answers: _plain(_correct(answers)),
    "broken": _broken,
    "feb_broken": lambda answers: _plain(_unexplained(answers)),
    "unexplained": lambda answers: _plain(_unexplained(answers)),
    "f1": _macro_f1,
    "matthews": _matthews,
    "explanation_chrf": lambda a: _plain(_explanation_score(a, scores.sentence_chrf)),
    "explanation_rougeL": lambda a: _plain(_explanation_score(a, scores.sentence_rouge)),
    "normalised_chrf": _normalised_chrf,
    "ratio_chrf": _ratio_chrf,
    "bleu": _bleu,
    "chrf": _chrf,
    "ter": _ter,
    "rougeL": _rouge,
}
