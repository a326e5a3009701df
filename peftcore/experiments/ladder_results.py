"""What the ladder of novelty shows: an estimate for every cell, and verdicts against the base.

Each method is judged on each rung against what needs no training: the base's zero-shot answers, its
answers with examples in context, and a guess among the answers that there are.  Holm's correction
counts all of these pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from peftcore.analysis import judgement, run_tables, verdicts
from peftcore.analysis.comparison import difference_range
from peftcore.analysis.inference import Estimate, Population, SeedItemTable, estimate
from peftcore.analysis.judgement import DEFAULT_MARGIN
from peftcore.experiments.ladder import ARMS, IN_CONTEXT, RUNGS, ZERO_SHOT, LadderCell
from peftcore.metrics.scores import metric_range

METRIC = "accuracy"
GUESSING = "Guessing"
BASELINES = (ZERO_SHOT.label, IN_CONTEXT.label, GUESSING)


@dataclass(frozen=True)
class LadderScore:
    """One cell: its estimate, and the verdict against each baseline; None where it was not run.

    best: the baseline with the highest mean on the rung.  at_end: seeds whose best step is the
    last, which might have gone on; at_start: seeds for which the start was best.
    """

    cell: LadderCell
    estimate: Estimate | None = None
    against: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    best: str = ""
    at_start: int = 0
    at_end: int = 0

    def verdict(self, baseline: str) -> str:
        """Return the verdict against a baseline, empty where there is none."""
        return str(self.against[baseline]["verdict"]) if baseline in self.against else ""

    @property
    def summary(self) -> str:
        """Return "ahead" of every baseline, else the verdict against the best; empty without any.

        Ahead of the best and not of another, as where that one's seeds differ much, is no verdict.
        """
        verdict = self.verdict(self.best)
        all_ahead = all(self.verdict(base) == "ahead" for base in self.against)
        return verdict if verdict != "ahead" or all_ahead else "cannot tell"


@dataclass(frozen=True)
class LadderResult:
    """Every cell of the ladder, arm by arm, and the population that intervals speak of."""

    scores: tuple[LadderScore, ...]
    population: Population
    margin: float  # points

    @property
    def arms(self) -> list[str]:
        """Labels of the arms with a run on any rung, in the order of the experiment."""
        there = {score.cell.arm.label for score in self.scores if score.estimate}
        return [arm.label for arm in ARMS if arm.label in there]

    def find(self, arm: str, rung: str) -> LadderScore | None:
        """Return the score of an arm on a rung, by label and letter."""
        found = (s for s in self.scores if (s.cell.arm.label, s.cell.rung.letter) == (arm, rung))
        return next(found, None)

    def rungs_ahead(self, arm: str) -> list[str]:
        """Return the letters of the rungs on which an arm is ahead of every baseline."""
        scores = (self.find(arm, rung.letter) for rung in RUNGS)
        return [s.cell.rung.letter for s in scores if s and s.summary == "ahead"]

    def table(self) -> pd.DataFrame:
        """Return one row per cell, those without a run included."""
        return pd.DataFrame([_table_row(score) for score in self.scores])

    def in_words(self) -> str:
        """Say on which rungs each trained method is ahead of the untouched base and of a guess."""
        trained = [arm.label for arm in ARMS if arm.trains and arm.label in self.arms]
        if not trained:
            return "No method has been trained on the ladder yet"
        parts = [f"{arm} on {listed(self.rungs_ahead(arm))}" for arm in trained]
        return f"Ahead of the untouched base and of guessing: {'; '.join(parts)}"


def judge_ladder(
    cells: Sequence[LadderCell],
    population: Population = "this task",
    margin: float = DEFAULT_MARGIN,
) -> LadderResult:
    """Estimate every cell and judge it against both baselines of its rung; margin in points."""
    tables = {
        (cell.rung.letter, cell.arm.label): table
        for cell in cells
        if cell.run and (table := run_tables.table_of_run(cell.run, METRIC)) is not None
    }
    for rung in RUNGS:
        own = [table for (letter, _), table in tables.items() if letter == rung.letter]
        if own:
            tables[rung.letter, GUESSING] = _guesses(own[0], 1 / rung.options)
    best = _best_baselines(tables)
    against = _verdicts(tables, population, margin)
    scores = []
    for cell in cells:
        key = (cell.rung.letter, cell.arm.label)
        if key not in tables:
            scores.append(LadderScore(cell))
            continue
        found = estimate(tables[key], population, metric_range(METRIC))
        rows, name = against.get(key, {}), best[cell.rung.letter]
        scores.append(LadderScore(cell, found, rows, name, *_best_steps(cell)))
    return LadderResult(tuple(scores), population, margin)


def _guesses(table: SeedItemTable, share: float) -> SeedItemTable:
    """Return the table of a guess that is right in this share of every item's answers."""
    return replace(table, statistics=np.full_like(table.statistics, share))


def _best_baselines(tables: Mapping[tuple[str, str], SeedItemTable]) -> dict[str, str]:
    """Return rung → the baseline with the highest mean on it."""
    means = {key: float(table.seed_values().mean()) for key, table in tables.items()}
    return {
        letter: max(
            (base for base in BASELINES if (letter, base) in means),
            key=lambda base: means[letter, base],
        )
        for letter in {letter for letter, _ in means}
    }


def _verdicts(
    tables: Mapping[tuple[str, str], SeedItemTable], population: Population, margin: float
) -> dict[tuple[str, str], dict[str, dict[str, Any]]]:
    """Return (rung, arm) → baseline → the pair's row, corrected over all pairs of all rungs."""
    frames = []
    for rung in RUNGS:
        own = {arm: table for (letter, arm), table in tables.items() if letter == rung.letter}
        pairs = [
            (base, arm) for base in BASELINES if base in own for arm in own if arm not in BASELINES
        ]
        if pairs:
            frame = verdicts.pair_verdicts(
                own,
                margin / judgement.points_scale(METRIC),
                population,
                within=difference_range(METRIC),
                pairs=pairs,
            )
            frames.append(frame.assign(rung=rung.letter))
    if not frames:
        return {}
    rows = pd.concat(frames, ignore_index=True).to_dict("records")
    different = verdicts.holm([row["p"] for row in rows])
    equal = verdicts.holm([row["equal_p"] for row in rows])
    found: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row, p, equal_p in zip(rows, different, equal, strict=True):
        difference = None if pd.isna(row["difference"]) else row["difference"]
        verdict = verdicts.choose_verdict(difference, p, equal_p)
        whole = row | {"holm": p, "equal_holm": equal_p, "verdict": verdict}
        found.setdefault((row["rung"], row["second"]), {})[row["first"]] = whole
    return found


def _best_steps(cell: LadderCell) -> tuple[int, int]:
    """Return how many seeds did best at the start, and how many at the last step."""
    if not cell.run or not cell.arm.trains:
        return 0, 0
    steps = [seed.get("best_step") for seed in cell.run.status().seeds]
    return steps.count(0), steps.count(cell.run.spec.training.steps)


def _table_row(score: LadderScore) -> dict[str, Any]:
    """Return a cell as a row of the table."""
    cell, found = score.cell, score.estimate
    return {
        "rung": cell.rung.letter,
        "task": cell.rung.task,
        "new": cell.rung.title,
        "method": cell.arm.label,
        "mean": found.mean if found else None,
        "low": found.low if found else None,
        "high": found.high if found else None,
        "seeds": found.seeds if found else 0,
        "items": found.items if found else 0,
        "reason": found.reason if found else "not run",
        **{f"against {base.lower()}": score.verdict(base) for base in BASELINES},
        "tries": len(cell.tries),
        "chosen": cell.chosen.value if cell.chosen else "",
        "best at start": score.at_start,
        "best at end": score.at_end,
        "run": cell.run.id if cell.run else "",
    }


def listed(letters: Sequence[str]) -> str:
    """Return letters as a phrase: "a, b and f", or "none"."""
    if len(letters) < 2:
        return letters[0] if letters else "none"
    return f"{', '.join(letters[:-1])} and {letters[-1]}"
