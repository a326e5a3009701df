"""Comparisons as LaTeX."""

import math

import pandas as pd
import pytest
from support.runs import make_run, make_runs

from peftcore.reports import latex
from peftcore.reports.groups import ReportOptions, group_runs


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


def rows_of(table):
    """The cells of each line of a table's body, by name."""
    body = table.partition(r"\midrule")[2].partition(r"\bottomrule")[0]
    lines = [line.strip().removesuffix(r" \\") for line in body.strip().splitlines()]
    return {name: cells for name, *cells in (line.split(" & ") for line in lines)}


def test_methods_by_metrics_have_means_limits_and_the_mark_of_the_verdict(group):
    made = latex.metrics_table(group)
    rows, metrics = rows_of(made), group.metrics()
    assert made.count("{") == made.count("}")
    assert r"Broken $\downarrow$" in made
    for metric in ("accuracy", "normalised_chrf", "broken"):
        column = metrics.index(metric)
        estimates, frame = group.estimates(metric), group.verdicts(metric)
        best = estimates.iloc[0]
        form = ".1f" if metric == "normalised_chrf" else ".3f"
        cell = rows[group.name(best["run"])][column]
        assert cell.startswith(f"\\textbf{{{best['mean']:{form}}}}")
        assert f"$[{best['low']:{form}}, {best['high']:{form}}]$" in cell
        for row in frame[frame["first"] == best["run"]].itertuples():
            cell = rows[group.name(row.second)][column]
            mark = {"ahead": r"$^{\dagger}$", "equal": "$^{=}$", "cannot tell": ""}[row.verdict]
            assert ("dagger" in cell, "=" in cell) == ("dagger" in mark, "=" in mark)


def test_methods_by_tasks_have_a_column_for_each_task():
    runs = [*make_runs(methods=("lora", "spt")), make_run("lora", "miniworld_sentiment")]
    made = latex.tasks_table(group_runs(runs, ReportOptions()).groups)
    rows = rows_of(made)
    assert set(rows) == {"LoRA", "Scaled prompt tuning"}
    assert rows["Scaled prompt tuning"][1] == "--"
    assert "(4 seeds, 24 examples)" in made
    assert made.count("{") == made.count("}")
