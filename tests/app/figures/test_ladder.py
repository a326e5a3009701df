"""The picture of the ladder: every cell is there, and a cell without a run says so."""

import numpy as np
import pytest

from app.figures import ladder as figures
from peftcore.analysis.inference import Estimate
from peftcore.experiments.ladder import RUNGS, LadderCell, find_arm
from peftcore.experiments.ladder_results import LadderResult, LadderScore


def score(arm, rung, mean, verdict):
    found = Estimate(mean, max(0.0, mean - 0.02), mean + 0.02, 0.01, 9.0, 4, 200, "this task")
    row = {"first": "Zero-shot", "second": arm, "verdict": verdict, "difference": mean}
    against = {"Zero-shot": row | {"low": 0.0, "high": 1.0}} if verdict else {}
    return LadderScore(LadderCell(rung, find_arm(arm), (), None), found, against, "Zero-shot")


@pytest.fixture
def found():
    scores = [score("Zero-shot", rung, 0.0, "") for rung in RUNGS]
    scores += [score("LoRA", rung, 0.97, "ahead") for rung in RUNGS[:-1]]
    scores.append(LadderScore(LadderCell(RUNGS[-1], find_arm("LoRA"), (), None)))
    return LadderResult(tuple(scores), "this task", 2.0)


def test_cells_have_score_interval_and_the_sign_of_the_verdict(found):
    heat, text = figures.ladder_matrix(found).data
    cells = np.array(text.text).reshape(2, 6)
    assert cells[1, 0] == "▲ .97<br>.95–.99"
    assert cells[0, 0] == ".00<br>.00–.02"
    assert cells[1, 5] == "–"
    assert heat.z[1][0] == 0.97
    assert heat.z[1][5] is None
    assert "LoRA is ahead of Zero-shot" in heat.customdata[1][0]


def test_the_alternative_says_every_cell_and_which_was_not_run(found):
    words = figures.ladder_matrix_alt(found)
    assert f"{RUNGS[0].title}: .97" in words
    assert f"{RUNGS[-1].title}: not run" in words
    assert "LoRA on a, b, c, d and e" in words
