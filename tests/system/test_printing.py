"""What commands print: JSON alone, or tables whose columns stand in line."""

import json
import math

import pytest

from peftcore.system import printing


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (math.nan, "–"), (0.123456, "0.1235"), (3.0, "3"), (7, "7"), ("x", "x")],
)
def test_cells_are_as_short_as_a_reader_wants_them(value, text):
    assert printing.format_cell(value) == text


def test_columns_are_as_wide_as_their_widest_cell_and_numbers_lie_right():
    lines = list(printing.format_table(["name", "n"], [("a", 5), ("longer", 12.5)]))
    assert lines == ["name       n", "a          5", "longer  12.5"]


def test_a_table_without_rows_is_its_heads():
    assert list(printing.format_table(["name", "n"], [])) == ["name  n"]


def test_json_is_all_that_programs_get(capsys):
    printing.print_result({"a": math.nan, "é": [1]}, True, lambda: iter(["a line"]))
    out = capsys.readouterr().out
    assert json.loads(out) == {"a": None, "é": [1]}
    assert "é" in out


def test_people_get_lines(capsys):
    printing.print_result({"a": 1}, False, lambda: iter(["one", "two"]))
    assert capsys.readouterr().out == "one\ntwo\n"
