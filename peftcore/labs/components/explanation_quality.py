"""Judges the explanations of a run's answers: flags, nearness to gold, best and worst.

Reads what a run wrote and the task's gold explanations; the rules are in `analysis.explanations`.
No model is loaded: tokens are counted with the base's tokenizer file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from peftcore import tasks
from peftcore.analysis.explanations import (
    FLAGS,
    ExplainedAnswer,
    LabelReader,
    flag_shares,
    flag_table,
)
from peftcore.errors import BadInput
from peftcore.metrics import scores as text_scores
from peftcore.models import catalog

if TYPE_CHECKING:
    from peftcore.data.task import Task
    from peftcore.runs.spec import RunSpec
    from peftcore.runs.store import Run

GOLD_SIMILARITY = "chrf"  # the column that says how near an explanation is to the closest gold one


@dataclass(frozen=True)
class ExplanationQuality:
    """Every answer of a run with its flags, a row each; and how far the flags can be trusted."""

    answers: pd.DataFrame  # as Run.answers, and a column per flag, chrf, and what flags say
    shares: dict[str, float]
    scores: dict[str, float]  # means over seeds of what was scored
    limit: int
    tokens_counted: bool  # whether tokens could be counted, so that cut answers are known
    reads_labels: bool  # whether wording tells labels, so that contradictions are looked for


def evaluate_explanations(run: Run) -> ExplanationQuality:
    """Judge the explanations of a finished run; BadInput if its task asks for none."""
    task = _explanation_task(run.spec)
    answers = run.answers()
    if answers.empty:
        raise BadInput(f"run {run.id} has no answers yet: it is {run.status().state}")
    answers = answers.astype(object).where(answers.notna(), None).reset_index(drop=True)
    tokens = _token_counts(run.spec.base, answers["text"].tolist())
    limit = run.spec.evaluation.max_new_tokens or task.max_new_tokens
    reader = learn_label_reader(task)
    explained_answers = [
        ExplainedAnswer(row.source, row.text, row.predicted, row.explanation, count)
        for row, count in zip(answers.itertuples(), tokens, strict=True)
    ]
    flags = flag_table(explained_answers, limit, reader)
    explanations = [(text or "").lower() for text in answers["explanation"]]
    golds = [[text.lower() for text in texts] for texts in answers["references"]]
    similarity = text_scores.sentence_chrf(explanations, golds)
    table = pd.concat([answers, flags], axis=1).assign(**{GOLD_SIMILARITY: similarity})
    table["flags"] = [
        ", ".join(FLAGS[name].title for name in FLAGS if row[name]) for _, row in flags.iterrows()
    ]
    scores = {name: sum(values) / len(values) for name, values in run.scores().items() if values}
    counted = any(count is not None for count in tokens)
    return ExplanationQuality(table, flag_shares(flags), scores, limit, counted, reader is not None)


def gold_flag_shares(task_name: str, limit: int = 500) -> dict[str, float]:
    """Return how often each flag is raised by the task's own gold answers, which are sound."""
    task = tasks.find_task(task_name)
    rows = [example for example in task.load("test") if example.references][:limit]
    explained_answers = [
        ExplainedAnswer(row.source, row.target, row.label, row.references[0]) for row in rows
    ]
    return flag_shares(flag_table(explained_answers, None, learn_label_reader(task)))


def learn_label_reader(task: Task) -> LabelReader | None:
    """Learn to tell a label from an explanation's wording, from the task's training rows."""
    if not task.labels:
        return None
    rows = [example for example in task.load("train") if example.references and example.label]
    return LabelReader.learn((row.label or "", row.references[0]) for row in rows)


def has_explanations(spec: RunSpec) -> bool:
    """Return whether a run's task exists and asks for explanations."""
    try:
        return tasks.find_task(spec.task).kind == "explain"
    except BadInput:
        return False


def _explanation_task(spec: RunSpec) -> Task:
    task = tasks.find_task(spec.task)
    if task.kind != "explain":
        raise BadInput(f"{task.title} asks for no explanation; choose a run of a task that does")
    return task


def _token_counts(base: str, texts: Sequence[str]) -> list[int | None]:
    """Count each text's tokens without the end sign; None where there is no tokenizer."""
    folder = catalog.base_folders().get(base)
    if folder is None or not (folder / "tokenizer.json").is_file():
        return [None] * len(texts)
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return [
        len(encoding.ids) for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)
    ]
