"""What a measurement costs, judged by the run it measures."""

import pytest
from support.runs import make_run

from peftcore.labs.common import cost
from peftcore.labs.common.cost import RowCounts, RowTimes


def test_rows_cost_what_they_cost_in_the_run(monkeypatch):
    run = make_run("lora")
    spec, history = run.spec, run.history()
    found = cost.row_times(run)
    t = spec.training
    rows = int(history["step"].max()) * t.batch * 2 + history["step"].nunique() * t.dev
    assert found.read == pytest.approx(history["seconds"].max() / spec.population.seeds / rows)
    assert found.answer >= 0
    assert RowCounts(10, 3).seconds(RowTimes(0.5, 2.0)) == 11.0
    assert cost.measurement_seconds(run, RowCounts(10)) == pytest.approx(10 * found.read)


def test_a_run_without_a_history_tells_nothing():
    run = make_run("lora")
    (run.folder / "history.jsonl").unlink(missing_ok=True)
    assert cost.measurement_seconds(run, RowCounts(10)) is None
