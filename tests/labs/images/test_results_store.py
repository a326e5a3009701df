"""Runs and figures that ship are complete, true to each other, and found beside one's own."""

import pytest

from peftcore.errors import BadInput
from peftcore.labs.images import results_store

WEIGHED = [task for task in results_store.TASKS if task != "pictures_digit_alone"]


def shipped(task, method):
    return next(r for r in results_store.finished_runs(task) if r.spec.method == method)


@pytest.mark.parametrize("task", WEIGHED)
def test_all_atoms_score_what_the_run_reports_and_none_the_same_for_every_seed(task):
    run = shipped(task, "atoms")
    figure = results_store.load_figure(f"prune-{run.id}")
    assert figure["seeds"] == [0, 1, 2, 3, 4]
    ends = [row for row in figure["rows"] if row["k"] in (0, figure["atoms"])]
    assert len(ends) == 2 * len(figure["seeds"])
    whole = [row for row in ends if row["k"] == figure["atoms"]]
    for metric in ("alignment", "old_alignment"):
        # Half precision rounds with the size of a batch: one picture may come out otherwise.
        one = 1 / min(figure["new"], figure["old"]) + 2e-4
        assert [row[metric] for row in whole] == pytest.approx(run.scores()[metric], abs=one)
        none = {row[metric] for row in ends if row["k"] == 0}
        assert len(none) == 1


def test_the_unseen_digit_is_drawn_after_ten_examples_and_old_ones_survive():
    run = shipped("pictures_digit", "atoms")
    assert run.spec.training.shots == 10
    figure = results_store.load_figure(f"prune-{run.id}")
    base = next(row for row in figure["rows"] if row["k"] == 0)
    scores = run.scores()
    assert base["alignment"] <= 0.2
    assert sum(scores["alignment"]) / 5 >= 0.8
    assert sum(scores["old_alignment"]) / 5 >= base["old_alignment"] - 0.05


def test_every_method_has_five_seeds_on_the_digit():
    for method in results_store.METHODS:
        run = shipped("pictures_digit", method)
        assert run.spec.population.seed_numbers() == [0, 1, 2, 3, 4]
        assert len(run.answers()) == 5 * 130


def test_ones_own_figure_comes_before_the_one_that_ships(home):
    name = "prune-0123456789ab"
    assert results_store.load_figure(name) is None
    results_store.save_figure(name, {"rows": [1]})
    assert results_store.load_figure(name) == {"rows": [1]}
    assert (home / "pictures" / "figures" / f"{name}.json").is_file()


def test_names_that_are_none_and_runs_without_atoms_are_refused():
    with pytest.raises(BadInput, match="called by its kind and runs"):
        results_store.load_figure("../../etc/passwd")
    lora = shipped("pictures_digit", "lora")
    with pytest.raises(BadInput, match="trained by lora and has no atoms"):
        results_store.open_image_run(lora.id, with_atoms=True)
    with pytest.raises(BadInput, match="no run"):
        results_store.open_image_run("0" * 12)
