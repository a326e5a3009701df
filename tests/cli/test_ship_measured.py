"""The page of studies says what their table says."""

import pytest
from typer.testing import CliRunner

from peftcore import paths
from peftcore.analysis.comparison import interval
from peftcore.cli import app, ship_measured
from peftcore.experiments import studies
from peftcore.metrics.scores import metric_range

ROWS = studies.read(ship_measured.TABLE)


def test_the_page_in_the_tree_is_what_the_table_in_the_tree_says():
    page = (paths.ASSETS / "measured.md").read_text("utf-8")
    assert page == ship_measured.experiments_markdown(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.study} {row.run}")
def test_every_mean_and_interval_follows_from_the_seeds_beside_it(row):
    over = interval([float(value) for value in row.values.split()], metric_range(row.metric))
    assert over.n == row.n >= 5
    for number, right in ((row.mean, over.mean), (row.low, over.low), (row.high, over.high)):
        assert number == (None if right is None else pytest.approx(right, rel=2e-3, abs=2e-3))


def test_what_a_study_asks_for_is_what_its_rows_are_of():
    """Rows of settings that are no longer the defaults would be somebody else's."""
    for name, study in studies.EXPERIMENTS.items():
        ids = {row.run for row in ROWS if row.study == name}
        assert ids
        assert ids <= {spec.id for spec in study.grid().specs}


def test_means_without_interval_and_missing_ones_are_told():
    seeds = {"values": "0.7 0.7 0.7 0.72 0.1", "low": None, "high": None}
    one = ROWS[0].__class__(**(vars(ROWS[0]) | {"mean": 0.584} | seeds))
    none = ROWS[0].__class__(**(vars(ROWS[0]) | {"mean": None}))
    assert [ship_measured.format_cell(each) for each in (one, none, None)] == [
        "0.584 (two groups of seeds: 4 of 5 above 0.4)",
        "–",
        "–",
    ]


def test_the_command_writes_the_page(tmp_path):
    out = tmp_path / "page.md"
    assert CliRunner().invoke(app, ["ship", "measured", "--out", str(out)]).exit_code == 0
    assert out.read_text("utf-8") == ship_measured.experiments_markdown(ROWS)
