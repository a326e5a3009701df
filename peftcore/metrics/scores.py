"""Metrics of answers: named wrappers over scikit-learn, sacrebleu, rouge-score and scipy.

Every function takes the answers and the gold examples in the same order and returns metric → value.
Shares, accuracies and ROUGE lie in [0, 1]; BLEU and chrF lie in [0, 100]; correlations in [-1, 1].
TER counts edits and may exceed 100. Scores that need a neural network are in `semantic`.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from peftcore.data.task import SEPARATOR, Answer, Example
from peftcore.errors import BadInput

# First and last sign: Thai and Lao, Tibetan, Burmese, Khmer, Japanese kana, Chinese characters.
SPACELESS = (
    *("\u0e00\u0eff", "\u0f00\u0fff", "\u1000\u109f", "\u1780\u17ff", "\u3040\u30ff"),
    *("\u3400\u9fff", "\uf900\ufaff", "\U00020000\U0003ffff"),
)
UNREADABLE_LABEL = "(not readable)"  # what an answer without a readable label counts as


@dataclass(frozen=True)
class MetricInfo:
    """A metric: title, range, and what it measures in one sentence."""

    title: str
    maximum: float
    description: str
    better: str = "higher"
    minimum: float = 0.0
    passes_maximum: bool = False  # the largest value is usual, not the largest that there can be


METRICS: dict[str, MetricInfo] = {
    "accuracy": MetricInfo("Accuracy", 1, "Share of examples whose label is right."),
    "f1": MetricInfo("F1, macro", 1, "F1 of each gold label, averaged with equal weights."),
    "f1_positive": MetricInfo("F1 of the positive label", 1, "F1 of the second label alone."),
    "matthews": MetricInfo(
        "Matthews correlation", 1, "Zero for guessing, one for all right.", minimum=-1
    ),
    "broken": MetricInfo(
        "Broken", 1, "Share of answers without label or without “because”.", "lower"
    ),
    "feb_broken": MetricInfo(
        "Broken, FEB",
        1,
        "Share of answers without an explanation behind “because”, whatever their label; wrong.",
        "lower",
    ),
    "unexplained": MetricInfo("Unexplained", 1, "Share of answers without “because”.", "lower"),
    "explanation_chrf": MetricInfo("Explanation chrF", 100, "Closest gold explanation, by chrF."),
    "explanation_rougeL": MetricInfo(
        "Explanation ROUGE-L", 1, "Closest gold explanation, by ROUGE-L."
    ),
    "normalised_chrf": MetricInfo(
        "Explanation chrF, wrong labels 0",
        100,
        "chrF of the explanation, zero if the label is wrong.",
    ),
    "ratio_chrf": MetricInfo(
        "Explanation chrF, right labels only", 100, "chrF of the explanations whose label is right."
    ),
    "explanation_cosine": MetricInfo(
        "Explanation cosine", 1, "Closest gold explanation, by sentence vectors of minilm."
    ),
    "normalised_cosine": MetricInfo(
        "Explanation cosine, wrong labels 0", 1, "Cosine, zero if the label is wrong."
    ),
    "ratio_cosine": MetricInfo(
        "Explanation cosine, right labels only",
        1,
        "Cosine of the explanations whose label is right.",
    ),
    "explanation_bertscore": MetricInfo(
        "BERTScore", 100, "Closest gold explanation, by BERTScore of roberta-large; unscaled."
    ),
    "normalised_bertscore": MetricInfo(
        "BERTScore, wrong labels 0",
        100,
        "BERTScore, zero if the label is wrong; no explanation at all still scores above 80.",
    ),
    "ratio_bertscore": MetricInfo(
        "BERTScore, right labels only",
        100,
        "BERTScore of the explanations whose label is right.",
    ),
    "bleu": MetricInfo("BLEU", 100, "sacrebleu's corpus BLEU against all references."),
    "chrf": MetricInfo("chrF", 100, "sacrebleu's corpus chrF against all references."),
    "ter": MetricInfo(
        "TER", 100, "Edits per 100 words of the closest reference.", "lower", passes_maximum=True
    ),
    "rougeL": MetricInfo("ROUGE-L", 1, "F measure against the closest reference, averaged."),
    "alignment": MetricInfo("Alignment", 1, "Share of new prompts that are drawn as asked."),
    "old_alignment": MetricInfo(
        "Alignment, old prompts", 1, "The same for prompts that the base could draw before."
    ),
    "facts": MetricInfo("Facts", 1, "Share of what new prompts ask for that their pictures show."),
    "pearson": MetricInfo("Pearson", 1, "Linear correlation with the gold values.", minimum=-1),
    "spearman": MetricInfo("Spearman", 1, "Rank correlation with the gold values.", minimum=-1),
    "forgetting_loss": MetricInfo(
        "Forgetting, loss",
        1,
        "Rise of the loss on held-out general text by training, in nats per token.",
        "lower",
        minimum=-math.inf,
        passes_maximum=True,
    ),
    "forgetting_pairs": MetricInfo(
        "Forgetting, pairs",
        1,
        "Fall of the share of minimal pairs in which the right sentence is the likelier.",
        "lower",
        minimum=-1,
    ),
}


def find_measure(metric: str) -> MetricInfo:
    """Return a metric's title and direction; an unknown one keeps its name."""
    return METRICS.get(metric) or MetricInfo(metric, 1, "")


def metric_range(metric: str) -> tuple[float, float]:
    """Return the smallest and largest value that a metric or loss can have, infinite if unknown."""
    info = METRICS.get(metric)
    if info is None:
        is_loss = metric == "loss" or metric.endswith("_loss")
        return 0.0 if is_loss else -math.inf, math.inf
    return info.minimum, math.inf if info.passes_maximum else info.maximum


def chance_levels(metric: str, labels: Sequence[str]) -> dict[str, float]:
    """Return what guessing scores, in words → value; empty for metrics where it is not known.

    labels: of the task; none for tasks with other answers.
    """
    if metric == "accuracy" and labels:
        return {f"Guessing among {len(labels)} labels": 1 / len(labels)}
    return {"Guessing": 0.0} if metric == "matthews" else {}


def commonest_label(labels: Sequence[str]) -> tuple[str, float]:
    """Return the commonest of gold labels, and the share that always answering it gets right."""
    label, count = Counter(labels).most_common(1)[0]
    return label, count / len(labels)


def accuracy(answers: Sequence[Answer], gold: Sequence[Example]) -> float:
    """Return the share of answers with the gold label; an unreadable answer is wrong."""
    return fmean(_labels_right(answers, gold))


def classification_scores(
    answers: Sequence[Answer], gold: Sequence[Example], labels: Sequence[str]
) -> dict[str, float]:
    """Return accuracy, macro F1, Matthews correlation and the share of broken answers.

    F1 averages over those of `labels` that occur in the gold; an unreadable answer counts as one
    more class, so that it is wrong and nothing else. Broken: no readable label, or no separator
    where the gold target has one. Without `labels`, where every example has its own, there are no
    classes to average over: F1 and Matthews are left out.
    """
    from sklearn.metrics import f1_score, matthews_corrcoef

    right = _labels_right(answers, gold)
    shares = {"accuracy": fmean(right), "broken": fmean(map(_is_broken, answers, gold))}
    if not labels:
        return shares
    gold_labels = [example.label or "" for example in gold]
    predicted_labels = [answer.label or UNREADABLE_LABEL for answer in answers]
    occurring_labels = [label for label in labels if label in gold_labels]
    return {
        "accuracy": shares["accuracy"],
        "f1": float(
            f1_score(
                gold_labels,
                predicted_labels,
                labels=occurring_labels,
                average="macro",
                zero_division=0,
            )
        ),
        "matthews": float(matthews_corrcoef(gold_labels, predicted_labels))
        if len({*gold_labels, *predicted_labels}) > 1
        else 0.0,
        "broken": shares["broken"],
    }


def positive_f1(answers: Sequence[Answer], gold: Sequence[Example], label: str) -> dict[str, float]:
    """Return F1 of one label; an unreadable answer counts as one with another label."""
    pairs = zip(_labels_right(answers, gold), gold, strict=True)
    right = sum(correct for correct, example in pairs if example.label == label)
    predicted = sum(answer.label == label for answer in answers)
    actual = sum(example.label == label for example in gold)
    return {"f1_positive": 2 * right / (predicted + actual) if predicted + actual else 0.0}


def explanation_scores(answers: Sequence[Answer], gold: Sequence[Example]) -> dict[str, float]:
    """Return how close explanations come to the closest gold explanation, ignoring case.

    chrF and ROUGE-L stand in for the embedding score of the papers, which needs a large model. A
    missing explanation counts as an empty one. `normalised_chrf` is zero where the label is wrong;
    `ratio_chrf` is that divided by the accuracy, hence the mean over right labels (0 if none is).
    Examples without a gold explanation are left out.
    """
    indices, texts, references = explanation_texts(answers, gold)
    chrf = sentence_chrf(texts, references)
    shares = label_aware_means(
        "chrf", chrf, [answers[i] for i in indices], [gold[i] for i in indices]
    )
    return {
        **shares,
        "explanation_rougeL": fmean(sentence_rouge(texts, references)),
        "unexplained": fmean(answer.explanation is None for answer in answers),
    }


def explanation_texts(
    answers: Sequence[Answer], gold: Sequence[Example]
) -> tuple[list[int], list[str], list[list[str]]]:
    """Return positions of examples with gold explanations, the answers' texts, and the gold.

    All texts are in lower case. BadInput if no example has a gold explanation.
    """
    _check_lengths(answers, gold)
    indices = [i for i, example in enumerate(gold) if example.references]
    if not indices:
        raise BadInput("none of the examples has a gold explanation to compare with")
    texts = [(answers[i].explanation or "").lower() for i in indices]
    return indices, texts, [[text.lower() for text in gold[i].references] for i in indices]


def label_aware_means(
    name: str, scores: Sequence[float], answers: Sequence[Answer], gold: Sequence[Example]
) -> dict[str, float]:
    """Return means of explanation scores: of all, with zero for wrong labels, of right labels.

    The second is the accuracy times the third, so that the third, their ratio, shows when a score
    comes from right labels alone.
    """
    right = _labels_right(answers, gold)
    correct = [score for score, is_right in zip(scores, right, strict=True) if is_right]
    return {
        f"explanation_{name}": fmean(scores),
        f"normalised_{name}": sum(correct) / len(scores),
        f"ratio_{name}": fmean(correct) if correct else 0.0,
    }


def generation_scores(answers: Sequence[Answer], gold: Sequence[Example]) -> dict[str, float]:
    """Return corpus BLEU and chrF as sacrebleu's command line prints them, and mean ROUGE-L.

    Where the references are written without spaces, characters take the place of words.
    One answer per input, against all references of that input; their number may vary. METEOR is not
    among them: its synonyms come from WordNet, which every library for it downloads.
    """
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    _check_lengths(answers, gold)
    texts = [answer.text for answer in answers]
    references = [list(example.references) or [example.target] for example in gold]
    streams = reference_streams(references)
    words = "char" if written_without_spaces(references) else "13a"
    return {
        "bleu": BLEU(force=True, tokenize=words).corpus_score(texts, streams).score,
        "chrf": CHRF().corpus_score(texts, streams).score,
        "rougeL": fmean(sentence_rouge(texts, references)),
    }


def translation_edit_rate(answers: Sequence[Answer], gold: Sequence[Example]) -> dict[str, float]:
    """Return TER as sacrebleu's command line prints it: edits per 100 words of the reference.

    It is apart from `generation_scores` because it takes longer than the others together.
    """
    from sacrebleu.metrics.ter import TER

    _check_lengths(answers, gold)
    references = [list(example.references) or [example.target] for example in gold]
    texts = [answer.text for answer in answers]
    return {"ter": TER().corpus_score(texts, reference_streams(references)).score}


def correlation_scores(values: Sequence[float], gold: Sequence[float]) -> dict[str, float]:
    """Return Pearson and Spearman correlation; 0 where one side is constant."""
    from scipy.stats import pearsonr, spearmanr

    if len(values) != len(gold):
        raise ValueError(f"{len(values)} values for {len(gold)} gold values")
    if len(set(values)) < 2 or len(set(gold)) < 2:
        return {"pearson": 0.0, "spearman": 0.0}
    pearson, spearman = pearsonr(values, gold).statistic, spearmanr(values, gold).statistic
    return {"pearson": float(pearson), "spearman": float(spearman)}


def _check_lengths(answers: Sequence[Answer], gold: Sequence[Example]) -> None:
    """Raise ValueError for unequal lengths, BadInput for no examples."""
    if len(answers) != len(gold):
        raise ValueError(f"{len(answers)} answers for {len(gold)} examples")
    if not gold:
        raise BadInput("there are no examples to score; choose a split that has some")


def _labels_right(answers: Sequence[Answer], gold: Sequence[Example]) -> list[bool]:
    """Return for each answer whether its label is the gold one."""
    _check_lengths(answers, gold)
    return [
        answer.label is not None and answer.label == example.label
        for answer, example in zip(answers, gold, strict=True)
    ]


def _is_broken(answer: Answer, example: Example) -> bool:
    """Return whether an answer lacks a label, or an explanation that its task asks for."""
    needs_explanation = SEPARATOR in example.target
    return answer.label is None or (needs_explanation and answer.explanation is None)


def judge_as_benchmark(answers: Sequence[Answer]) -> list[Answer]:
    """Return the answers as FEB (arXiv:2111.08284) counts them.

    One that has nothing behind the separator, or no separator, is broken: it has neither label nor
    explanation. A label that is none of the task's is wrong, but not broken.
    """
    return [
        each if each.explanation else replace(each, label=None, explanation=None)
        for each in answers
    ]


def benchmark_scores(scores: Mapping[str, float], answers: Sequence[Answer]) -> dict[str, float]:
    """Return a task's scores of answers judged as FEB does, with its share of broken ones."""
    broken = fmean(not answer.explanation for answer in answers)
    return {n: v for n, v in scores.items() if n != "broken"} | {"feb_broken": broken}


def reference_streams(references: Sequence[Sequence[str]]) -> Any:
    """Transpose references: the first of all inputs, the second of all, …; None if missing.

    Not "": sacrebleu takes that for a reference of no words, which forgives short answers.
    """
    most = max(map(len, references))
    return [
        [texts[index] if index < len(texts) else None for texts in references]
        for index in range(most)
    ]


def sentence_chrf(texts: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """Return chrF of each text with its closest reference."""
    from sacrebleu.metrics.chrf import CHRF

    chrf = CHRF()
    pairs = zip(texts, references, strict=True)
    return [max(chrf.sentence_score(text, [gold]).score for gold in golds) for text, golds in pairs]


def sentence_rouge(texts: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """Return ROUGE-L F of each text with its closest reference, without stemming.

    The package's own words are of ASCII letters and digits alone; where references have others,
    words are of all letters and digits, and characters where they are written without spaces.
    """
    from rouge_score.rouge_scorer import RougeScorer

    every = [text for golds in references for text in golds]
    plain = all(text.isascii() for text in every)
    scorer = RougeScorer(["rougeL"], tokenizer=None if plain else _Words(references))
    pairs = zip(texts, references, strict=True)
    return [float(scorer.score_multi(golds, text)["rougeL"].fmeasure) for text, golds in pairs]


class _Words:
    """Splits texts into words of any letters, or into characters where there are no spaces."""

    def __init__(self, references: Sequence[Sequence[str]]) -> None:
        one_by_one = written_without_spaces(references)
        self.pattern = re.compile(r"[^\W_]" if one_by_one else r"[^\W_][\w\u0300-\u036f]*")

    def tokenize(self, text: str) -> list[str]:
        """Return the words of a text in lower case, composed characters as one."""
        return self.pattern.findall(unicodedata.normalize("NFC", text).lower())


def written_without_spaces(references: Sequence[Sequence[str]]) -> bool:
    """Return whether most letters are of scripts that put no spaces between words."""
    letters = [c for golds in references for text in golds for c in text if c.isalpha()]
    spaceless = sum(any(ends[0] <= c <= ends[1] for ends in SPACELESS) for c in letters)
    return 2 * spaceless > len(letters)
