"""Measuring pictures as a job: stopped and gone on with, and its figure kept."""

import pytest

from peftcore.errors import BadInput
from peftcore.labs.images import compute, results_store
from peftcore.labs.images.compute import run_images_job
from peftcore.labs.images.request import ImagesJob, ImagesRequest

ROWS = [{"seed": 0, "order": "importance", "draw": 0, "k": k, "alignment": k / 4} for k in (0, 4)]


@pytest.fixture
def run():
    """A shipped run whose atoms are at hand."""
    finished = [
        r for r in results_store.finished_runs("pictures_digit") if r.spec.method == "atoms"
    ]
    return next(r for r in finished if (r.folder / "adapter.safetensors").is_file())


@pytest.fixture
def drawing(monkeypatch):
    """Drawing by numbers made up: one row at a time, and stops are asked for between rows."""
    drawn = []

    def prune(run, base, examples, control, known, append):
        rows = list(known)
        for row in ROWS[len(rows) :]:
            if control.stop():
                raise InterruptedError
            rows.append(row)
            drawn.append(row)
            append(row)
            control.report(len(rows), len(ROWS))
        return {"run": run.id, "kind": "prune", "rows": rows}

    monkeypatch.setattr(compute, "measure_pruning", prune)
    return drawn


def test_the_figure_is_stored_once_all_is_drawn(run, drawing):
    study = ImagesJob.create_own(ImagesRequest.make({"runs": [run.id]}))
    status = run_images_job(study, preloaded_base=object())
    assert (status.state, status.done, status.of) == ("done", 2, 2)
    assert results_store.load_figure(study.request.figure_name)["rows"] == ROWS


def test_what_was_drawn_before_a_stop_is_not_drawn_again(run, drawing):
    study = ImagesJob.create_own(ImagesRequest.make({"runs": [run.id]}))
    status = run_images_job(study, preloaded_base=object(), stop=lambda: bool(drawing))
    assert status.state == "cancelled"
    assert study.entries() == ROWS[:1]
    assert run_images_job(study, preloaded_base=object()).state == "done"
    assert drawing == ROWS


def test_the_command_of_an_ask_is_the_one_that_measures_it(run):
    ask = ImagesRequest.make({"kind": "combine", "runs": ["a" * 12, "b" * 12], "examples": 3})
    assert ask.command_arguments() == ["images", "combine", "a" * 12, "b" * 12, "--examples", "3"]
    assert ask.figure_name == f"combine-{'a' * 12}-{'b' * 12}"
    assert ImagesRequest.make({"runs": [run.id]}).command_arguments() == [
        "images",
        "prune",
        run.id,
    ]


def test_two_runs_are_joined_and_no_other_number():
    study = ImagesJob.create_own(ImagesRequest.make({"kind": "combine", "runs": ["a" * 12]}))
    with pytest.raises(BadInput, match="combine takes 2 runs; got 1"):
        run_images_job(study)
    assert study.status().state == "failed"
