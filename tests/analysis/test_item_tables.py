"""Tables seeds × items, from answers written by hand."""

import pandas as pd
import pytest

from peftcore.analysis.item_tables import table_of_answers


def answers(*rows):
    """Rows of seed, example, gold label, and whether the answer is right."""
    table = pd.DataFrame(rows, columns=["seed", "example", "label", "correct"])
    other = {"a": "b", "b": "a"}
    table["predicted"] = [
        label if right else other.get(label, "a")
        for label, right in zip(table["label"], table["correct"], strict=True)
    ]
    return table


def grid(seeds, items, label="a"):
    return [(seed, f"x{item}", label, (seed + item) % 2 == 0) for seed in seeds for item in items]


def test_rows_come_in_any_order_and_land_at_their_seed_and_item():
    rows = grid((3, 1), range(4))
    rows[0], rows[5] = rows[5], rows[0]
    table = table_of_answers(answers(*rows), "accuracy")
    assert table.seeds == (1, 3)
    assert sorted(table.items) == ["x0", "x1", "x2", "x3"]
    by_item = dict(zip(table.items, table.statistics[0, :, 0], strict=True))
    assert by_item == {"x0": 0.0, "x1": 1.0, "x2": 0.0, "x3": 1.0}
    assert table.seed_values().tolist() == [0.5, 0.5]


def test_an_item_that_one_seed_lacks_is_left_out_of_all():
    rows = [row for row in grid((0, 1), range(5)) if row[:2] != (1, "x4")]
    assert sorted(table_of_answers(answers(*rows), "accuracy").items) == ["x0", "x1", "x2", "x3"]


def test_of_repeated_answers_the_last_counts():
    rows = [*grid((0, 1), range(4)), (0, "x0", "a", False)]
    table = table_of_answers(answers(*rows), "accuracy")
    assert table.seed_values().tolist() == [0.25, 0.5]


def test_seeds_with_items_of_their_own_have_no_table():
    rows = grid((0,), range(4)) + grid((1,), range(3, 7))
    assert table_of_answers(answers(*rows), "accuracy") is None


@pytest.mark.parametrize(("of_each", "stratified"), [(10, True), (2, False)])
def test_items_are_strata_by_label_where_there_are_many_of_each(of_each, stratified):
    rows = [
        (seed, f"{label}{n}", label, n % 2 == 0)
        for seed in (0, 1)
        for n in range(of_each)
        for label in ("a", "b")
    ]
    table = table_of_answers(answers(*rows), "accuracy")
    assert (table.strata is not None) == stratified


def test_a_label_that_is_missing_leaves_no_strata():
    rows = [*grid((0, 1), range(10)), *[(s, f"y{n}", None, False) for s in (0, 1) for n in (0, 1)]]
    assert table_of_answers(answers(*rows), "accuracy").strata is None
