"""Tables of runs: from answers where they give the stored scores, else from scores."""

import numpy as np
import pytest
from support.runs import make_run

from peftcore.analysis import run_tables


@pytest.mark.parametrize("metric", ["accuracy", "f1", "matthews", "broken"])
def test_answers_make_the_table(metric):
    run = make_run("lora")
    table = run_tables.table_of_run(run, metric)
    assert run_tables.has_items(table)
    assert table.statistics.shape[:2] == (4, 24)
    assert table.seed_values().tolist() == pytest.approx(run.scores()[metric])


def test_scores_that_answers_do_not_give_count_alone():
    run = make_run("lora")
    run.write_scores({"accuracy": [0.1, 0.2, 0.3, 0.4], "own": [1, 2, 3, 4]})
    for metric, values in run.scores().items():
        table = run_tables.table_of_run(run, metric)
        assert not run_tables.has_items(table)
        assert table.seed_values().tolist() == values


def test_a_metric_without_scores_has_no_table():
    run = make_run("lora")
    run.write_scores({"accuracy": [np.nan] * 4})
    assert run_tables.table_of_run(run, "accuracy") is None
    assert run_tables.table_of_run(run, "bleu") is None


def test_a_few_columns_are_those_of_the_whole_table():
    run = make_run("lora")
    columns = ["seed", "example", "correct"]
    assert run.answers(columns).equals(run.answers()[columns])
    assert list(run.answers(["source", "seed"]).columns) == ["source", "seed"]


def test_a_table_can_be_reduced_to_the_scores_of_its_seeds():
    table = run_tables.table_of_run(make_run("lora"), "accuracy")
    reduced = run_tables.without_items(table)
    assert not run_tables.has_items(reduced)
    assert reduced.seed_values().tolist() == table.seed_values().tolist()
