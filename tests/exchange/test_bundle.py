import csv
import hashlib
import io
import json
import xml.etree.ElementTree as ET
import zipfile

import pytest
from support.runs import make_run

from peftcore import paths
from peftcore.analysis.score_estimates import score_estimates
from peftcore.errors import BadInput
from peftcore.exchange import bundle
from peftcore.reports.tuning import TriedRates
from peftcore.runs.store import RunStore


def names(path):
    return zipfile.ZipFile(path).namelist()


def test_a_bundle_holds_what_decides_and_proves_the_scores_and_is_the_same_twice(tmp_path):
    runs = [make_run("lora"), make_run("spt")]
    listed = bundle.write_bundle(runs, tmp_path / "a.zip")
    bundle.write_bundle(runs[::-1], tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    for run in runs:
        place = f"runs/{run.id}"
        assert {f"{place}/spec.json", f"{place}/scores.json", f"{place}/tables/learning.csv"} <= {
            *listed
        }
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        for line in file.read("SHA256SUMS").decode().splitlines():
            digest, _, name = line.partition("  ")
            assert hashlib.sha256(file.read(name)).hexdigest() == digest
        contents = json.loads(file.read("bundle.json"))
        scores = file.read("tables/scores.csv").decode().splitlines()
    assert [entry["run"] for entry in contents["runs"]] == sorted(run.id for run in runs)
    assert contents["runs"][0]["versions"] == {"sacrebleu": "2.6.0"}
    values = [v for run in runs for vs in run.scores().values() for v in vs]
    assert len(scores) == 1 + len(values)


def test_a_bundle_has_the_report_and_its_figures(tmp_path):
    runs = [make_run("lora"), make_run("spt")]
    listed = bundle.write_bundle(runs, tmp_path / "a.zip")
    figures = [name for name in listed if name.startswith("figures/")]
    assert "figures/seeds.svg" in figures
    assert len(figures) == 5
    assert all(bundle.MEMBER_PATTERN.fullmatch(name) for name in listed)
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        report = file.read("report.html").decode()
        for name in figures:
            assert ET.fromstring(file.read(name)).tag.endswith("svg")
    assert "Accuracy: LoRA" in report
    assert "Answers side by side" not in report
    bundle.write_bundle(runs, tmp_path / "b.zip", with_answers=True)
    with zipfile.ZipFile(tmp_path / "b.zip") as file:
        assert "Answers side by side" in file.read("report.html").decode()


def test_the_summary_says_whom_its_intervals_are_about(tmp_path):
    run = make_run("lora")
    bundle.write_bundle([run], tmp_path / "a.zip")
    text = zipfile.ZipFile(tmp_path / "a.zip").read("tables/summary.csv").decode()
    rows = {row["metric"]: row for row in csv.DictReader(io.StringIO(text))}
    accuracy, wanted = rows["accuracy"], score_estimates(run)["accuracy"]
    assert accuracy["about"] == "this task"
    assert float(accuracy["low"]) == pytest.approx(wanted.low)
    assert accuracy["examples"] == str(run.answers()["example"].nunique())


def test_the_report_in_a_bundle_says_how_often_each_method_was_tried(tmp_path):
    runs = [make_run("lora"), make_run("spt")]
    tried = [TriedRates(run.id, n + 1, 200, 4, (0.5,) * (n + 1)) for n, run in enumerate(runs)]
    bundle.write_bundle(runs, tmp_path / "a.zip", tried=tried)
    bundle.write_bundle(runs[::-1], tmp_path / "b.zip", tried=tried[::-1])
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    report = zipfile.ZipFile(tmp_path / "a.zip").read("report.html").decode()
    assert "Tuning budget" in report
    assert "Methods were tried at 1 to 2 learning rates" in report


def test_runs_without_scores_are_bundled_without_a_report(tmp_path):
    run = make_run("lora")
    run.write_scores({})
    assert "report.html" not in bundle.write_bundle([run], tmp_path / "a.zip")


def test_answers_stay_at_home_unless_asked_for(tmp_path):
    run = make_run("lora")
    texts = set(run.answers().source)
    bundle.write_bundle([run], tmp_path / "a.zip")
    assert not any("answers" in name for name in names(tmp_path / "a.zip"))
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        whole = b"".join(file.read(name) for name in file.namelist()).decode("utf-8", "replace")
    assert not [text for text in texts if text in whole]
    assert "Answers are left out" in whole
    bundle.write_bundle([run], tmp_path / "b.zip", with_answers=True)
    with zipfile.ZipFile(tmp_path / "b.zip") as file:
        content = file.read(f"runs/{run.id}/answers.parquet")
    assert content == (run.folder / "answers.parquet").read_bytes()


def test_nothing_of_this_machine_is_in_a_bundle(tmp_path):
    run = make_run("lora")
    run.append_log("a secret path")
    bundle.write_bundle([run], tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        whole = b"".join(file.read(name) for name in file.namelist())
        assert "process" not in json.loads(file.read(f"runs/{run.id}/status.json"))
        assert {entry.date_time for entry in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert b"a secret path" not in whole
    assert str(run.folder.parent).encode() not in whole


def test_a_text_like_a_formula_is_quoted_in_tables_and_a_negative_number_is_not():
    assert bundle._csv(["a", "b"], [("=1+1", -2.5), (None, float("nan"))]) == (
        b"a,b\n'=1+1,-2.5\n,\n"
    )


def test_only_finished_runs_are_bundled_and_no_file_is_replaced(tmp_path):
    run = make_run("lora")
    run.write_status(state="cancelled")
    with pytest.raises(BadInput, match="is cancelled; only finished runs are bundled"):
        bundle.write_bundle([run], tmp_path / "a.zip")
    run.write_status(state="done")
    (tmp_path / "a.zip").write_text("mine")
    with pytest.raises(BadInput, match="there already"):
        bundle.write_bundle([run], tmp_path / "a.zip")


@pytest.mark.parametrize("folder", ["demo_runs", "sweep_runs"])
def test_every_run_that_ships_can_be_bundled(folder, tmp_path):
    """Answers of some tasks are neither right nor wrong; others ship without texts."""
    runs = RunStore(paths.ASSETS / folder).all(include_demos=False)
    listed = bundle.write_bundle(runs, tmp_path / "all.zip", with_answers=True)
    for run in runs:
        assert f"runs/{run.id}/tables/outcomes.csv" in listed
    free = [
        run for run in runs if "correct" in run.answers() and run.answers()["correct"].isna().all()
    ]
    with zipfile.ZipFile(tmp_path / "all.zip") as file:
        for run in free:
            rows = file.read(f"runs/{run.id}/tables/outcomes.csv").decode().splitlines()
            assert all(row.endswith(",") for row in rows[1:])
    assert len(free) == (3 if folder == "demo_runs" else 0)
