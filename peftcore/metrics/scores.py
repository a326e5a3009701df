"""What answers are worth: thin, named wrappers over scikit-learn, sacrebleu, rouge-score and scipy.

Every function takes the answers and the gold examples in the same order and returns metric → value.
Shares, accuracies and ROUGE lie in [0, 1]; BLEU and chrF lie in [0, 100]; correlations in [-1, 1].
TER counts edits and may pass 100.  Scores that need a network of neurons are in `semantic`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from peftcore.data.task import SEPARATOR, Answer, Example
from peftcore.errors import BadInput

BROKEN = "(not readable)"  # what an answer without a readable label counts as


@dataclass(frozen=True)
class Measure:
    """How a metric is shown: its title, its largest value, and what it says in one sentence."""

    title: str
    top: float
    note: str
    better: str = "higher"


MEASURES: dict[str, Measure] = {
    "accuracy": Measure("Accuracy", 1, "Share of examples whose label is right."),
    "f1": Measure("F1, macro", 1, "F1 of each gold label, averaged with equal weights."),
    "f1_positive": Measure("F1 of the positive label", 1, "F1 of the second label alone."),
    "matthews": Measure("Matthews correlation", 1, "Zero for guessing, one for all right."),
    "broken": Measure("Broken", 1, "Share of answers without label or without “because”.", "lower"),
    "unexplained": Measure("Unexplained", 1, "Share of answers without “because”.", "lower"),
    "explanation_chrf": Measure("Explanation chrF", 100, "Closest gold explanation, by chrF."),
    "explanation_rougeL": Measure(
        "Explanation ROUGE-L", 1, "Closest gold explanation, by ROUGE-L."
    ),
    "normalised_chrf": Measure(
        "Explanation chrF, wrong labels 0",
        100,
        "chrF of the explanation, zero if the label is wrong.",
    ),
    "ratio_chrf": Measure(
        "Explanation chrF, right labels only", 100, "chrF of the explanations whose label is right."
    ),
    "explanation_cosine": Measure(
        "Explanation cosine", 1, "Closest gold explanation, by sentence vectors of minilm."
    ),
    "normalised_cosine": Measure(
        "Explanation cosine, wrong labels 0", 1, "Cosine, zero if the label is wrong."
    ),
    "ratio_cosine": Measure(
        "Explanation cosine, right labels only",
        1,
        "Cosine of the explanations whose label is right.",
    ),
    "explanation_bertscore": Measure(
        "BERTScore", 100, "Closest gold explanation, by BERTScore of roberta-large; unscaled."
    ),
    "normalised_bertscore": Measure(
        "BERTScore, wrong labels 0",
        100,
        "BERTScore, zero if the label is wrong; no explanation at all still scores above 80.",
    ),
    "ratio_bertscore": Measure(
        "BERTScore, right labels only",
        100,
        "BERTScore of the explanations whose label is right.",
    ),
    "bleu": Measure("BLEU", 100, "sacrebleu's corpus BLEU against all references."),
    "chrf": Measure("chrF", 100, "sacrebleu's corpus chrF against all references."),
    "ter": Measure("TER", 100, "Edits per 100 words of the closest reference.", "lower"),
    "rougeL": Measure("ROUGE-L", 1, "F measure against the closest reference, averaged."),
    "alignment": Measure("Alignment", 1, "Share of new prompts that are drawn as asked."),
    "old_alignment": Measure(
        "Alignment, old prompts", 1, "The same for prompts that the base could draw before."
    ),
    "facts": Measure("Facts", 1, "Share of what new prompts ask for that their pictures show."),
    "pearson": Measure("Pearson", 1, "Linear correlation with the gold values."),
    "spearman": Measure("Spearman", 1, "Rank correlation with the gold values."),
}


def accuracy(answers: Sequence[Answer], gold: Sequence[Example]) -> float:
    """Share of answers with the gold label; an unreadable answer is wrong."""
    return fmean(_right(answers, gold))


def classification_scores(
    answers: Sequence[Answer], gold: Sequence[Example], labels: Sequence[str]
) -> dict[str, float]:
    """Accuracy, macro F1, Matthews correlation and the share of broken answers.

    F1 averages over those of `labels` that occur in the gold; an unreadable answer counts as one
    more class, so that it is wrong and nothing else.  Broken: no readable label, or no separator
    where the gold target has one.  Without `labels`, as every example has its own, there are no
    classes to average over: F1 and Matthews are left out.
    """
    from sklearn.metrics import f1_score, matthews_corrcoef

    right = _right(answers, gold)
    found = {"accuracy": fmean(right), "broken": fmean(map(_broken, answers, gold))}
    if not labels:
        return found
    true = [example.label or "" for example in gold]
    guess = [answer.label or BROKEN for answer in answers]
    seen = [label for label in labels if label in true]
    return {
        "accuracy": found["accuracy"],
        "f1": float(f1_score(true, guess, labels=seen, average="macro", zero_division=0)),
        "matthews": float(matthews_corrcoef(true, guess)) if len({*true, *guess}) > 1 else 0.0,
        "broken": found["broken"],
    }


def positive_f1(answers: Sequence[Answer], gold: Sequence[Example], label: str) -> dict[str, float]:
    """F1 of one label alone; an answer that cannot be read is an answer with another label."""
    pairs = zip(_right(answers, gold), gold, strict=True)
    right = sum(correct for correct, example in pairs if example.label == label)
    said = sum(answer.label == label for answer in answers)
    there = sum(example.label == label for example in gold)
    return {"f1_positive": 2 * right / (said + there) if said + there else 0.0}


def explanation_scores(answers: Sequence[Answer], gold: Sequence[Example]) -> dict[str, float]:
    """How close explanations come to the closest gold explanation, ignoring case.

    chrF and ROUGE-L stand in for the embedding score of the papers, which needs a large model.  A
    missing explanation counts as an empty one.  `normalised_chrf` is zero where the label is wrong;
    `ratio_chrf` is that divided by the accuracy, hence the mean over right labels (0 if none is).
    Examples without a gold explanation are left out.
    """
    kept, texts, references = explained(answers, gold)
    chrf = sentence_chrf(texts, references)
    shares = over_labels("chrf", chrf, [answers[i] for i in kept], [gold[i] for i in kept])
    return {
        **shares,
        "explanation_rougeL": fmean(_rouge(texts, references)),
        "unexplained": fmean(answer.explanation is None for answer in answers),
    }


def explained(
    answers: Sequence[Answer], gold: Sequence[Example]
) -> tuple[list[int], list[str], list[list[str]]]:
    """Places of the examples with a gold explanation; the answers' and the gold ones, lower case.

    BadInput if there is none.
    """
    _aligned(answers, gold)
    kept = [i for i, example in enumerate(gold) if example.references]
    if not kept:
        raise BadInput("none of the examples has a gold explanation to compare with")
    texts = [(answers[i].explanation or "").lower() for i in kept]
    return kept, texts, [[text.lower() for text in gold[i].references] for i in kept]


def over_labels(
    name: str, scores: Sequence[float], answers: Sequence[Answer], gold: Sequence[Example]
) -> dict[str, float]:
    """The mean of explanation scores: of all, with zero for wrong labels, and of right labels.

    The second is the accuracy times the third, so that the third, their ratio, unmasks a score that
    right labels alone have brought.
    """
    right = _right(answers, gold)
    correct = [score for score, fits in zip(scores, right, strict=True) if fits]
    return {
        f"explanation_{name}": fmean(scores),
        f"normalised_{name}": sum(correct) / len(scores),
        f"ratio_{name}": fmean(correct) if correct else 0.0,
    }


def generation_scores(answers: Sequence[Answer], gold: Sequence[Example]) -> dict[str, float]:
    """Corpus BLEU and chrF as sacrebleu's command line prints them, and mean ROUGE-L.

    One answer per input, against all references of that input; their number may vary.  METEOR is
    not among them: its synonyms come from WordNet, which every library for it downloads.
    """
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    _aligned(answers, gold)
    texts = [answer.text for answer in answers]
    references = [list(example.references) or [example.target] for example in gold]
    streams = _streams(references)
    return {
        "bleu": BLEU(force=True).corpus_score(texts, streams).score,
        "chrf": CHRF().corpus_score(texts, streams).score,
        "rougeL": fmean(_rouge(texts, references)),
    }


def edit_rate(answers: Sequence[Answer], gold: Sequence[Example]) -> dict[str, float]:
    """TER as sacrebleu's command line prints it: edits, for 100 words of the mean reference.

    Apart from `generation_scores`, because it takes longer than the others together.
    """
    from sacrebleu.metrics.ter import TER

    _aligned(answers, gold)
    references = [list(example.references) or [example.target] for example in gold]
    texts = [answer.text for answer in answers]
    return {"ter": TER().corpus_score(texts, _streams(references)).score}


def correlation(values: Sequence[float], gold: Sequence[float]) -> dict[str, float]:
    """Pearson and Spearman correlation; 0 where it is undefined because one side is constant."""
    from scipy.stats import pearsonr, spearmanr

    if len(values) != len(gold):
        raise ValueError(f"{len(values)} values for {len(gold)} gold values")
    if len(set(values)) < 2 or len(set(gold)) < 2:
        return {"pearson": 0.0, "spearman": 0.0}
    pearson, spearman = pearsonr(values, gold).statistic, spearmanr(values, gold).statistic
    return {"pearson": float(pearson), "spearman": float(spearman)}


def _aligned(answers: Sequence[Answer], gold: Sequence[Example]) -> None:
    if len(answers) != len(gold):
        raise ValueError(f"{len(answers)} answers for {len(gold)} examples")
    if not gold:
        raise BadInput("there are no examples to score; choose a split that has some")


def _right(answers: Sequence[Answer], gold: Sequence[Example]) -> list[bool]:
    """For each answer, whether its label is the gold one."""
    _aligned(answers, gold)
    return [
        answer.label is not None and answer.label == example.label
        for answer, example in zip(answers, gold, strict=True)
    ]


def _broken(answer: Answer, example: Example) -> bool:
    needs_explanation = SEPARATOR in example.target
    return answer.label is None or (needs_explanation and answer.explanation is None)


def _streams(references: Sequence[Sequence[str]]) -> Any:
    """References of each input → the first of all, the second of all, …; None where there is none.

    Not "": sacrebleu takes that for a reference of no words, which forgives short answers.
    """
    most = max(map(len, references))
    return [
        [texts[place] if place < len(texts) else None for texts in references]
        for place in range(most)
    ]


def sentence_chrf(texts: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """chrF of each text with its closest reference."""
    from sacrebleu.metrics.chrf import CHRF

    chrf = CHRF()
    pairs = zip(texts, references, strict=True)
    return [max(chrf.sentence_score(text, [gold]).score for gold in golds) for text, golds in pairs]


def _rouge(texts: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """ROUGE-L F measure of each text against its closest reference, without stemming."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"])
    pairs = zip(texts, references, strict=True)
    return [float(scorer.score_multi(golds, text)["rougeL"].fmeasure) for text, golds in pairs]
