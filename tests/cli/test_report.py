"""The page of studies says what their table says, and the README what the shipped runs say."""

import pytest
from typer.testing import CliRunner

from peftcore import paths
from peftcore.analysis.comparison import interval
from peftcore.cli import app, report
from peftcore.experiments import studies
from peftcore.runs.store import RunStore

README = (paths.ROOT / "README.md").read_text("utf-8")
SWEEPS = (paths.ROOT / "peftcore" / "sweeps" / "README.md").read_text("utf-8")
ROWS = studies.read(report.TABLE)


def shipped(folder):
    return RunStore(paths.ASSETS / folder, demo_folder=paths.ASSETS / "none").all()


def test_the_page_in_the_tree_is_what_the_table_in_the_tree_says():
    page = (paths.ASSETS / "measured.md").read_text("utf-8")
    assert page == report.experiments_markdown(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.study} {row.run}")
def test_every_mean_and_interval_follows_from_the_seeds_beside_it(row):
    over = interval([float(value) for value in row.values.split()])
    assert over.n == row.n >= 5
    for number, right in ((row.mean, over.mean), (row.low, over.low), (row.high, over.high)):
        assert number == pytest.approx(right, rel=2e-3, abs=2e-3)


def test_what_a_study_asks_for_is_what_its_rows_are_of():
    """Rows of settings that are no longer the defaults would be somebody else's."""
    for name, study in studies.EXPERIMENTS.items():
        ids = {row.run for row in ROWS if row.study == name}
        assert ids
        assert ids <= {spec.id for spec in study.grid().specs}


def pairs(study, first, second):
    """Rows of two methods on the same task and examples, in pairs."""
    by_cell = {(r.label, r.task, r.shots): r for r in ROWS if r.study == study}
    return [(row, by_cell[second, *at]) for (label, *at), row in by_cell.items() if label == first]


def apart(one, other):
    return one.low > other.high or other.low > one.high


def test_what_the_readme_says_in_short_holds():
    stochastic, fixed = (
        f"Prefix subspace, {w} validation" for w in ("stochastic", "deterministic")
    )
    assert len(pairs("encoder", stochastic, fixed)) == 15
    assert not any(apart(*pair) for pair in pairs("encoder", stochastic, fixed))
    assert not any(s.low > p.high for s, p in pairs("encoder", stochastic, "Prefix tuning"))
    below = [s for s, p in pairs("encoder", stochastic, "Prefix tuning") if apart(s, p)]
    assert [(row.task, row.shots) for row in below] == [("glue_qnli", 500)]
    prompts = pairs("shots", "Scaled prompt tuning", "Prompt tuning")
    assert len(prompts) == 5
    assert not any(apart(*pair) for pair in prompts)


def test_means_without_interval_and_missing_ones_are_told():
    one = ROWS[0].__class__(**(vars(ROWS[0]) | {"mean": 0.5, "low": None, "high": None}))
    none = ROWS[0].__class__(**(vars(ROWS[0]) | {"mean": None}))
    assert [report.format_cell(each) for each in (one, none, None)] == ["0.500", "–", "–"]


def test_the_command_writes_the_page(tmp_path):
    out = tmp_path / "page.md"
    assert CliRunner().invoke(app, ["report", "--out", str(out)]).exit_code == 0
    assert out.read_text("utf-8") == report.experiments_markdown(ROWS)


def test_the_readme_tells_the_demo_runs_as_they_are():
    number = [
        interval(run.scores()["accuracy"])
        for run in shipped("demo_runs")
        if run.spec.task == "miniworld_nli" and run.spec.population.seeds == 4
    ]
    assert len(number) == 6
    for over in number:
        assert f"{over.mean:.3f} ({over.low:.3f} to {over.high:.3f})" in README


def test_the_readme_tells_the_sweep_as_it_is():
    runs = shipped("sweep_runs")
    assert len(runs) == 6
    for run in runs:
        score, reason = (interval(run.scores()[name]) for name in ("accuracy", "normalised_chrf"))
        cells = [f"{score.mean:.3f} ({score.low:.3f}-{score.high:.3f})".replace("0.", ".")]
        cells.append(f"{reason.mean:.1f} ({reason.low:.1f}-{reason.high:.1f})")
        assert f"| {run.status().trainable:,} | {' | '.join(cells)} |" in SWEEPS
