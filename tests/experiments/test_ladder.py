"""The ladder of novelty: equal tries chosen on dev, what is missing stays missing, verdicts."""

import json

import pytest
from support.commands import call
from support.ladder import train

from peftcore.errors import BadInput
from peftcore.experiments import ladder, ladder_results
from peftcore.experiments.ladder import ARMS, INSTRUCTION, RUNGS, ZERO_SHOT, find_arm, find_rung
from peftcore.runs.store import RunStore

RUNG = find_rung("b")
LORA, PROMPT = find_arm("LoRA"), find_arm("Prompt tuning")


@pytest.fixture
def nothing_shipped(home, monkeypatch, tmp_path):
    monkeypatch.setattr(ladder, "TRIES_FILE", tmp_path / "tries.csv")
    empty = lambda *args: RunStore(home / "runs", tmp_path / "none")
    monkeypatch.setattr(ladder, "RunStore", empty)


@pytest.fixture
def trained(nothing_shipped):
    """Three arms on one rung, and the specs in the order of their training."""
    done = []
    arms = [ZERO_SHOT, LORA, PROMPT]
    cells = ladder.train_ladder(lambda spec: train(spec, done), rungs=[RUNG], arms=arms)
    return cells, done


def test_there_are_six_rungs_and_every_trained_method_gets_as_many_tries():
    assert [rung.letter for rung in RUNGS] == list("abcdef")
    tries = {len(ladder.tried_values(rung, arm)) for rung in RUNGS for arm in ARMS if arm.trains}
    assert tries == {len(ladder.RATE_FACTORS)}
    assert {len(ladder.tried_values(rung, INSTRUCTION)) for rung in RUNGS} == tries
    assert ladder.tried_values(RUNG, ZERO_SHOT) == []
    assert not any("," in arm.label for arm in ARMS)  # which the command takes as two


def test_a_cell_is_trained_at_the_value_that_did_best_on_dev(trained):
    cells, done = trained
    zero, lora, _ = cells
    assert len(done) == 1 + 2 * (len(ladder.RATE_FACTORS) + 1)
    assert zero.chosen is None
    middle = ladder.tried_values(RUNG, LORA)[1]
    assert lora.chosen.value == str(middle)
    assert lora.run.spec.training.learning_rate == middle
    assert lora.run.spec.population.seeds == ladder.SEEDS
    again = []
    ladder.train_ladder(lambda spec: train(spec, again), rungs=[RUNG], arms=[ZERO_SHOT, LORA])
    assert again == []  # what is done is not trained again


def test_diverged_seeds_count_more_than_any_loss():
    tries = [ladder.Try("b", "LoRA", "1", 0.1, 1, ""), ladder.Try("b", "LoRA", "2", 0.9, 0, "")]
    assert ladder.LadderCell(RUNG, LORA, tuple(tries), None).chosen.value == "2"


def test_a_cell_whose_tries_are_missing_has_no_spec(nothing_shipped):
    cell = ladder.find_cell(RUNG, LORA, RunStore(), [])
    assert (cell.spec, cell.run, cell.wanted) == (None, None, 3)


def test_tries_ship_as_a_file_and_stand_in_for_the_runs(trained, tmp_path):
    cells, _ = trained
    shipped = ladder.ship_ladder(tmp_path / "ladder_runs")
    assert sorted(run.id for run in shipped) == sorted(cell.run.id for cell in cells)
    assert not any((run.folder / "adapter.safetensors").exists() for run in shipped)
    found = ladder.find_cell(
        RUNG,
        LORA,
        RunStore(tmp_path / "other"),
        ladder.read_tries(tmp_path / "ladder_runs" / "tries.csv"),
    )
    assert found.tries == cells[1].tries
    assert found.spec.id == cells[1].run.id


def test_verdicts_are_against_the_untouched_base_and_missing_cells_say_so(trained):
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


def test_unknown_rungs_and_arms_are_refused():
    with pytest.raises(BadInput, match="rung"):
        find_rung("z")
    with pytest.raises(BadInput, match="LoRA"):
        find_arm("Lora")


def test_the_command_prints_the_finding_and_every_cell(trained):
    value = json.loads(call("experiment", "ladder", "--done", "--rungs", "b", "--json").stdout)
    assert value["finding"].startswith("Ahead of the untouched base and of guessing: ")
    assert {cell["rung"] for cell in value["cells"]} == {"b"}
    assert "not run" in {cell["reason"] for cell in value["cells"]}
    assert "LoRA" in call("experiment", "ladder", "--done", "--rungs", "b").stdout
