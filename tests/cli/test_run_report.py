"""`report`: of runs, of a sweep, of a rating project, of an experiment."""

import json
import shlex
from types import SimpleNamespace

import pytest
from support.commands import call, printed, refused
from support.pages_as_xml import Page
from support.runs import make_run, make_runs

from peftcore import paths
from peftcore.experiments import studies
from peftcore.sweeps.spec import Sweep, SweepJob

GRID = {
    "bases": ["tiny-t5"],
    "tasks": ["miniworld_nli"],
    "methods": ["lora", "spt"],
    "evaluation": {"limit": 24},
}
DEMO_PROJECT = "210eaa9bab40b5ac"


def sweep_runs(methods=2):
    """The runs of a small sweep, done."""
    specs = Sweep.make(GRID).specs()[:methods]
    return [make_run(**spec.model_dump(mode="json")) for spec in specs]


@pytest.fixture
def out(tmp_path):
    return tmp_path / "report.html"


def page_of(out):
    return Page(out.read_text("utf-8"))


def test_runs_are_written_and_the_result_is_printed(home, out):
    runs = make_runs(methods=("lora", "spt"))
    done = printed("report", *[run.id for run in runs], "--out", str(out))
    assert done["runs"] == [run.id for run in runs]
    assert done["bytes"] == out.stat().st_size
    [sentence] = done["headlines"]
    page = page_of(out)
    assert sentence in page.text
    assert f"peftcore report {' '.join(done['runs'])} --out report.html" in page.text
    assert sentence in call("report", runs[0].id, runs[1].id, "--out", str(out)).stdout


def test_metric_margin_population_and_texts_are_as_asked(home, out):
    runs = make_runs(methods=("lora", "spt"))
    words = ["--metric", "f1", "--margin", "10", "--population", "these examples", "--no-texts"]
    call("report", *[run.id for run in runs], "--title", "Mine", *words, "--out", str(out))
    page = page_of(out)
    assert page.find("title") is not None
    assert page.text.count("Mine") >= 2
    assert "F1, macro: LoRA" in page.text
    assert "other seeds on these very examples; 4 seeds" in page.text
    assert "margin of equality 10 points" in page.text
    assert "Answers side by side" not in page.text
    assert f"{shlex.join(words)} --out report.html" in page.text.replace("--title Mine ", "")


def test_a_sweep_goes_by_its_id_or_its_file(home, out, tmp_path):
    runs = sweep_runs()
    job = SweepJob.create_own(Sweep.make(GRID))
    file = tmp_path / "sweep.json"
    file.write_text(json.dumps(GRID))
    for name in (job.request.id, str(file)):
        done = printed("report", "--sweep", name, "--out", str(out))
        assert done["runs"] == [run.id for run in runs]
        assert f"--sweep {name} --out" in page_of(out).text


def test_the_sweep_that_ships_is_known_by_its_file_and_its_runs(home, out):
    file = str(paths.ASSETS / "specs" / "feb_miniworld.yaml")
    asked = ["--metric", "unexplained", "--no-texts"]  # which has the quickest answer
    done = printed("report", "--sweep", file, *asked, "--out", str(out))
    assert len(done["runs"]) == 6
    again = printed("report", done["runs"][0], *asked, "--out", str(out))
    assert again["runs"] == done["runs"][:1]


def test_only_what_is_done_of_a_sweep_is_reported(home, out, tmp_path):
    file = tmp_path / "sweep.json"
    file.write_text(json.dumps(GRID))
    assert "no run of sweep" in refused("report", "--sweep", str(file), "--out", str(out))
    sweep_runs(1)
    assert len(printed("report", "--sweep", str(file), "--out", str(out))["runs"]) == 1


def test_a_rating_project_brings_its_runs_and_its_scores(home, out):
    done = printed("report", "--project", DEMO_PROJECT, "--out", str(out))
    scores = printed("rating", "scores", DEMO_PROJECT)["score"]
    agreement = printed("rating", "agreement", DEMO_PROJECT)["yes or no"]
    page = page_of(out)
    assert {row["source"] for row in scores} == {*done["runs"], "gold"}
    for row in scores:
        assert f"{row['mean']:.2f} ({row['low']:.2f} to {row['high']:.2f})" in page.text
    for row in agreement:
        assert row["name"] in page.text
        assert f"{row['value']:.2f}" in page.text
    assert "simulated rater" in page.text


def test_runs_that_were_rated_bring_their_scores_by_themselves(home, out):
    printed("report", "5a7da5def8b7", "--out", str(out))
    assert "Agreement of raters" in page_of(out).text


def test_an_experiment_brings_the_runs_that_are_done(home, out, monkeypatch):
    runs = [make_run("lora"), make_run("spt")]

    grid = SimpleNamespace(done=[(None, run) for run in runs])
    monkeypatch.setattr(studies.Experiment, "grid", lambda *_: grid)
    done = printed("report", "--experiment", "questions", "--out", str(out))
    assert done["runs"] == [run.id for run in runs]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["0123456789ab"], "no run '0123456789ab'"),
        (["--sweep", "0123456789ab"], "no job '0123456789ab' of kind sweep"),
        (["--sweep", "nowhere.yaml"], "nowhere.yaml"),
        (["--project", "nothing"], "nothing"),
        (["--experiment", "nothing"], "nothing"),
        (["--experiment", "questions"], "name the runs of the report"),
        (["5a7da5def8b7", "--metric", "bleu"], "bleu"),
        (["5a7da5def8b7", "--margin", "0"], "a margin of 0 points; it must be above 0"),
        (["5a7da5def8b7", "--population", "all"], "this task"),
    ],
)
def test_what_is_not_there_is_refused_in_one_sentence(home, out, words, reason):
    assert reason in refused("report", *words, "--out", str(out))
    assert not out.exists()


def test_a_folder_that_is_not_there_is_refused_before_anything_is_computed(home, tmp_path):
    target = tmp_path / "nowhere" / "report.html"
    assert "there is no folder" in refused("report", "5a7da5def8b7", "--out", str(target))
