"""The ladder of novelty: equal tries chosen on dev, what is missing stays missing, verdicts."""

import pytest
from support.ladder import LORA, RUNG, train

from peftcore.errors import BadInput
from peftcore.experiments import ladder
from peftcore.experiments.ladder import ARMS, INSTRUCTION, RUNGS, ZERO_SHOT, find_arm, find_rung
from peftcore.runs.store import RunStore


def test_there_are_six_rungs_and_every_trained_method_gets_as_many_tries():
    assert [rung.letter for rung in RUNGS] == list("abcdef")
    tries = {len(ladder.tried_values(rung, arm)) for rung in RUNGS for arm in ARMS if arm.trains}
    assert tries == {len(ladder.RATE_FACTORS)}
    assert {len(ladder.tried_values(rung, INSTRUCTION)) for rung in RUNGS} == tries
    assert ladder.tried_values(RUNG, ZERO_SHOT) == []
    assert not any("," in arm.label for arm in ARMS)  # which the command takes as two


def test_a_cell_is_trained_at_the_value_that_did_best_on_dev(trained_ladder):
    cells, done = trained_ladder
    zero, lora, _ = cells
    assert len(done) == 1 + 2 * (len(ladder.RATE_FACTORS) + 1)
    assert zero.chosen is None
    middle = ladder.tried_values(RUNG, LORA)[1]
    assert lora.chosen.value == str(middle)
    assert lora.run.spec.training.learning_rate == middle
    assert lora.run.spec.population.seeds == ladder.SEEDS
    again = []
    ladder.train_ladder(lambda spec: train(spec, again), rungs=[RUNG], arms=[ZERO_SHOT, LORA])
    assert again == []  # what is done is not trained_ladder again


def test_diverged_seeds_count_more_than_any_loss():
    tries = [ladder.Try("b", "LoRA", "1", 0.1, 1, ""), ladder.Try("b", "LoRA", "2", 0.9, 0, "")]
    assert ladder.LadderCell(RUNG, LORA, tuple(tries), None).chosen.value == "2"


def test_a_cell_whose_tries_are_missing_has_no_spec(nothing_shipped):
    cell = ladder.find_cell(RUNG, LORA, RunStore(), [])
    assert (cell.spec, cell.run, cell.wanted) == (None, None, 3)


def test_tries_ship_as_a_file_and_stand_in_for_the_runs(trained_ladder, tmp_path):
    cells, _ = trained_ladder
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


def test_unknown_rungs_and_arms_are_refused():
    with pytest.raises(BadInput, match="rung"):
        find_rung("z")
    with pytest.raises(BadInput, match="LoRA"):
        find_arm("Lora")
