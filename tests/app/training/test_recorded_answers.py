"""The Playground begins with an example that tells the adapters apart."""

import pandas as pd
from support.runs import make_runs

from app.training import recorded_answers


def with_answers(run, predicted, text):
    """Give a run these answers by its first seed to as many examples."""
    rows = len(predicted)
    table = pd.DataFrame(
        {
            "seed": [run.spec.population.seed_numbers()[0]] * rows,
            "example": [f"e{n}" for n in range(rows)],
            "source": [f"source {n}" for n in range(rows)],
            "target": ["yes"] * rows,
            "references": [[]] * rows,
            "label": ["yes"] * rows,
            "text": text,
            "predicted": predicted,
            "explanation": [None] * rows,
            "correct": [each == "yes" for each in predicted],
        }
    )
    run.write_answers(table)
    return run


def pair(first, second):
    one, other = make_runs(methods=("lora", "spt"))[:2]
    return with_answers(one, *first), with_answers(other, *second)


def test_it_is_the_first_on_whose_label_they_differ():
    runs = pair((["yes", "yes", "no"], ["a", "b", "c"]), (["yes", "no", "yes"], ["x", "b", "c"]))
    found = recorded_answers.find_example(runs, runs[0].spec.task)
    assert {row["source"] for row in found.values()} == {"source 1"}
    assert [found[run.id]["predicted"] for run in runs] == ["yes", "no"]


def test_with_equal_labels_it_is_the_first_that_they_word_differently():
    runs = pair((["yes", "yes"], ["a", "b"]), (["yes", "yes"], ["a", "c"]))
    found = recorded_answers.find_example(runs, runs[0].spec.task)
    assert [found[run.id]["text"] for run in runs] == ["b", "c"]


def test_where_they_agree_on_all_it_is_the_first_that_all_answered():
    runs = pair((["yes", "yes"], ["a", "b"]), (["yes"], ["a"]))
    found = recorded_answers.find_example(runs, runs[0].spec.task)
    assert {row["source"] for row in found.values()} == {"source 0"}
    assert recorded_answers.find_example(runs, "another task") == {}
