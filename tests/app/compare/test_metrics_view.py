"""Several metrics at once."""

from support.pages import open_page, words
from support.runs import make_runs

from app.compare import metrics_view
from peftcore.analysis import judgement, run_tables


def test_every_metric_is_a_column_with_intervals_and_marks():
    make_runs()
    page = open_page("compare", "Metrics", compare__metrics="accuracy,broken")
    table = page.dataframe[0].value
    assert list(table.columns) == ["Run", "Accuracy", "Broken ↓"]
    assert table["Run"][0] == "LoRA"
    assert table["Accuracy"][0].startswith("▲ ")
    assert " to " in table["Accuracy"][1]
    page.multiselect(key="compare.metrics").set_value([]).run()
    assert "Choose at least one metric" in words(page)


def test_marks_follow_the_verdicts():
    scores = {"a": [0.9, 0.91, 0.92], "b": [0.9, 0.9, 0.93], "c": [0.1, 0.12, 0.11]}
    tables = {run: run_tables.table_of_seeds(range(3), each) for run, each in scores.items()}
    judged = judgement.judge(tables, "accuracy", 10)
    assert [metrics_view.mark(judged, run) for run in ("a", "b", "c")] == ["?", "=", ""]
    alone = judgement.judge({"a": tables["a"]}, "accuracy")
    assert metrics_view.mark(alone, "a") == ""
