"""The made-up store that clicks on Compare are timed on."""

from support.pages import charts, open_page, words

from app.compare import views
from peftcore import paths
from peftcore.analysis import run_tables
from peftcore.benchmarks import bench_compare


def test_every_view_of_the_page_is_timed():
    assert {name: tuple(group) for name, group in views.GROUPS.items()} == bench_compare.VIEWS


def test_made_up_runs_are_compared_like_others(monkeypatch, tmp_path):
    monkeypatch.setenv("PEFTCORE_WARM", "0")
    runs = bench_compare.make_store(paths.workspace_folder() / "runs", 3, 4, 60)
    for metric in bench_compare.SCORED:
        assert run_tables.has_items(run_tables.table_of_run(runs[0], metric))
    page = open_page("compare", runs=",".join(run.id for run in runs))
    assert "from 4 seeds on 60 test examples" in words(page)
    assert len(charts(page)) == 2
