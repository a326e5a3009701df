"""Cells of the ladder are judged together, against every baseline of their rung."""

import pytest
from support.ladder import LORA, RUNG, train

from peftcore.experiments import ladder, ladder_results
from peftcore.experiments.ladder import ARMS, RUNGS, ZERO_SHOT, find_rung


def test_verdicts_are_against_the_untouched_base_and_missing_cells_say_so(trained_ladder):
    found = ladder_results.judge_ladder(ladder.ladder_cells())
    assert found.arms == ["Zero-shot", "Prompt tuning", "LoRA"]
    zero, lora = found.find("Zero-shot", "b"), found.find("LoRA", "b")
    # make_run lets LoRA be right in nine of ten, another in half, or by chance.
    assert lora.estimate.mean > 0.85 > 0.75 > zero.estimate.mean
    assert lora.verdict("Zero-shot") == lora.verdict("Guessing") == "ahead"
    assert lora.best == "Zero-shot"
    assert lora.summary == "ahead"
    assert set(lora.against) == {"Zero-shot", "Guessing"}  # 4 in context was not run
    assert lora.against["Guessing"]["difference"] == pytest.approx(lora.estimate.mean - 1 / 3)
    assert zero.against == {}
    assert found.rungs_ahead("LoRA") == ["b"]
    assert "LoRA on b" in found.in_words()
    table = found.table().set_index(["method", "rung"])
    assert len(table) == len(ARMS) * len(RUNGS)
    assert table.loc[("LoRA", "a"), "reason"] == "not run"
    assert table.loc[("LoRA", "b"), "tries"] == 3


def test_a_cell_is_ahead_only_of_every_baseline():
    verdicts = lambda **each: {name: {"verdict": verdict} for name, verdict in each.items()}
    summary = lambda **each: (
        ladder_results.LadderScore(
            ladder.LadderCell(RUNG, LORA, (), None), None, verdicts(**each), "best"
        ).summary
    )
    assert summary(best="ahead", other="ahead") == "ahead"
    assert summary(best="ahead", other="cannot tell") == "cannot tell"
    assert summary(best="behind", other="ahead") == "behind"
    assert summary() == ""


def test_all_pairs_of_all_rungs_are_corrected_together(nothing_shipped):
    two = [find_rung("a"), find_rung("b")]
    ladder.train_ladder(train, rungs=two, arms=[ZERO_SHOT, LORA])
    cells = ladder.ladder_cells()
    alone = ladder_results.judge_ladder([c for c in cells if c.rung is RUNG])
    together = ladder_results.judge_ladder(cells)
    p = lambda found: found.find("LoRA", "b").against["Zero-shot"]["holm"]
    assert p(together) >= p(alone)
    raw = [together.find("LoRA", rung.letter).against["Zero-shot"]["p"] for rung in two]
    corrected = [together.find("LoRA", rung.letter).against["Zero-shot"]["holm"] for rung in two]
    pairs = sum(len(score.against) for score in together.scores)
    assert pairs == 4  # zero-shot and guessing, on two rungs
    assert min(corrected) <= min(1, pairs * min(raw))
