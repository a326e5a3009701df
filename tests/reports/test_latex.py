"""Comparisons as LaTeX."""

import math

import pandas as pd
import pytest

from peftcore.reports import latex


def summary(**row):
    start = {"run": "a", "mean": 0.5, "low": 0.4, "high": 0.6, "n": 4, "trainable": 40960.0}
    return pd.DataFrame([start | row])


def line(**row):
    made = latex.latex_table(summary(**row), {"a": "LoRA · rank_2"}, "F1", ".3f", "100 % of R&D")
    return next(part for part in made.splitlines() if "LoRA" in part).strip()


def test_a_row_has_mean_half_width_seeds_and_size():
    assert line() == r"LoRA $\cdot$ rank\_2 & $0.500 \pm 0.100$ & 4 & 40\,960 \\"


def test_one_seed_has_no_half_width_and_gaps_are_dashes():
    assert "& 0.500 & 1 &" in line(low=math.nan, high=math.nan, n=1)
    assert line(mean=math.nan, n=0, trainable=math.nan).endswith(r"& -- & 0 & -- \\")


def test_the_table_is_complete_and_escaped():
    made = latex.latex_table(summary(), {"a": "x"}, "F1", ".3f", "100 % of R&D")
    assert r"\caption{100 \% of R\&D}" in made
    assert made.count(r"\begin{") == made.count(r"\end{") == 2


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("\\input{x}", r"\textbackslash{}input\{x\}"),
        ("a_b^c~", r"a\_b\textasciicircum{}c\textasciitilde{}"),
    ],
)
def test_nothing_typed_becomes_a_command(typed, shown):
    assert latex.escape_latex(typed) == shown
