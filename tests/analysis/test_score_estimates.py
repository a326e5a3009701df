"""A run's scores for the task where its answers give them, else for these examples."""

import numpy as np
import pandas as pd
import pytest

from peftcore.analysis.score_estimates import score_estimates
from peftcore.runs.spec import Members, RunSpec


class Scored:
    """A run of three seeds on forty items."""

    def __init__(self, accuracy=None):
        rng = np.random.default_rng(0)
        rows = [
            {"seed": seed, "example": f"e{i}", "label": "yes", "predicted": "yes", "text": ""}
            | {"correct": bool(rng.random() < 0.7)}
            for seed in range(3)
            for i in range(40)
        ]
        self._answers = pd.DataFrame(rows)
        own = self._answers.groupby("seed")["correct"].mean().tolist()
        self._scores = {"accuracy": accuracy or own, "nbert": [0.5, 0.6, 0.7]}
        self.spec = RunSpec(
            base="tiny-t5", task="miniworld_nli", method="lora", population=Members(seeds=3)
        )

    def scores(self):
        return self._scores

    def answers(self, columns=()):
        return self._answers


def test_scores_that_answers_give_are_about_the_task():
    found = score_estimates(Scored())
    assert (found["accuracy"].population, found["accuracy"].items) == ("this task", 40)
    assert (found["nbert"].population, found["nbert"].items) == ("these examples", 0)
    assert found["nbert"].mean == pytest.approx(0.6)


def test_stored_scores_count_where_answers_disagree():
    found = score_estimates(Scored(accuracy=[0.1, 0.2, 0.3]))["accuracy"]
    assert (found.population, found.mean) == ("these examples", pytest.approx(0.2))


def test_these_examples_read_no_answers():
    run = Scored()
    run.answers = lambda *_: pytest.fail("answers were read")
    assert score_estimates(run, "these examples")["accuracy"].population == "these examples"
