"""Comparisons as LaTeX tables (booktabs), ready to paste into a paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from peftcore.metrics.scores import find_measure
from peftcore.reports.groups import RunGroup
from peftcore.reports.sentences import POPULATIONS
from peftcore.reports.text import count, is_missing, value_format

ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "·": r"$\cdot$",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def escape_latex(text: str) -> str:
    """Return the text with every character LaTeX would act on escaped."""
    return "".join(ESCAPES.get(sign, sign) for sign in text)


def latex_table(
    summary: pd.DataFrame, names: Mapping[str, str], metric: str, digits: str, caption: str
) -> str:
    """Write one line per run: name, mean with its 95 % half width, seeds, trainable parameters."""
    lines = [
        r"\begin{table}",
        r"  \centering",
        f"  \\caption{{{escape_latex(caption)}}}",
        r"  \begin{tabular}{lrrr}",
        r"    \toprule",
        f"    Method & {escape_latex(metric)} & Seeds & Parameters \\\\",
        r"    \midrule",
        *(
            f"    {_table_line(row, names[row['run']], digits)} \\\\"
            for _, row in summary.iterrows()
        ),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _table_line(row: pd.Series, name: str, digits: str) -> str:
    cells = [escape_latex(name), _mean_text(row, digits), f"{row['n']}"]
    size = f"{row['trainable']:,.0f}".replace(",", r"\,") if pd.notna(row["trainable"]) else "--"
    return " & ".join([*cells, size])


def _mean_text(row: pd.Series, digits: str) -> str:
    """Return a mean with its interval as LaTeX."""
    if pd.isna(row["mean"]):
        return "--"
    mean = f"{row['mean']:{digits}}"
    if pd.isna(row["low"]):
        return mean
    above, below = (f"{abs(row[end] - row['mean']):{digits}}" for end in ("high", "low"))
    if above == below:
        return f"${mean} \\pm {above}$"
    return f"${mean}^{{+{above}}}_{{-{below}}}$"  # the range of the metric ends on one side


MARKS = {  # verdict on a run against the best of its column → what stands behind its value
    "behind": r"$^{\dagger}$",
    "equal": r"$^{=}$",
    "cannot tell": "",
}
MARKS_IN_WORDS = (
    r"Bold: the best mean of a column. $\dagger$: behind it; $=$: equal to it within the margin; "
    "no mark: the data cannot tell. At 5\\,\\%, after Holm's correction over all pairs of a column."
)


def metrics_table(group: RunGroup) -> str:
    """Write a row for each run and a column for each metric, with intervals and marks."""
    columns = {}
    for metric in group.metrics():
        info = find_measure(metric)
        arrow = r" $\downarrow$" if info.better == "lower" else ""
        columns[escape_latex(info.title) + arrow] = _marked_cells(group, metric)
    names = {run: escape_latex(group.name(run)) for run in group.estimates(group.metric)["run"]}
    caption = f"{escape_latex(group.title)}. {_interval_words(group)} {MARKS_IN_WORDS}"
    rows = [[name, *(cells[run] for cells in columns.values())] for run, name in names.items()]
    return _table(["Method", *columns], rows, caption)


def tasks_table(groups: Sequence[RunGroup]) -> str:
    """Write a row for each name of a run and a column for each task, by the task's metric."""
    heads, columns = [], []
    for group in groups:
        title = f"{group.title}, {find_measure(group.metric).title}"
        heads.append(f"{escape_latex(title)} ({_counts(group)})")
        cells = _marked_cells(group, group.metric)
        columns.append({group.name(run): cell for run, cell in cells.items()})
    names = list(dict.fromkeys(name for column in columns for name in column))
    rows = [[escape_latex(name), *(column.get(name, "--") for column in columns)] for name in names]
    return _table(["Method", *heads], rows, f"Means with 95\\,\\% intervals. {MARKS_IN_WORDS}")


def _interval_words(group: RunGroup) -> str:
    """Say what stands in a cell."""
    whom = POPULATIONS[group.population(group.metric)]
    return f"Means with 95\\,\\% intervals for {whom}; {_counts(group)}."


def _counts(group: RunGroup) -> str:
    """Say on how many seeds and examples a column rests."""
    table = group.tables(group.metric)[group.runs[0].id]
    items = f", {count(len(table.items), 'example')}" if group.has_items(group.metric) else ""
    return f"{count(len(table.seeds), 'seed')}{items}"


def _marked_cells(group: RunGroup, metric: str) -> dict[str, str]:
    """Return run → its mean with limits and its mark against the best."""
    rows, form = group.estimates(metric), value_format(metric)
    frame = group.verdicts(metric)
    against_best = frame[frame["first"] == rows["run"].iloc[0]]
    verdicts = {row.second: TURNED[row.verdict] for row in against_best.itertuples()}
    cells = {}
    for n, row in enumerate(rows.itertuples()):
        if is_missing(row.mean):
            cells[row.run] = "--"
            continue
        mean = f"{row.mean:{form}}"
        if n == 0 and len(rows) > 1:
            mean = f"\\textbf{{{mean}}}"
        limits = "" if is_missing(row.low) else f"$[{row.low:{form}}, {row.high:{form}}]$"
        limits = limits and f" {{\\small {limits}}}"
        cells[row.run] = f"{mean}{MARKS.get(verdicts.get(row.run, ''), '')}{limits}"
    return cells


TURNED = {"ahead": "behind", "behind": "ahead", "equal": "equal", "cannot tell": "cannot tell"}


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """Write a table of the package booktabs; every cell is LaTeX already."""
    lines = [
        r"\begin{table}",
        r"  \centering",
        f"  \\caption{{{caption}}}",
        f"  \\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}",
        r"    \toprule",
        f"    {' & '.join(heads)} \\\\",
        r"    \midrule",
        *(f"    {' & '.join(row)} \\\\" for row in rows),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"
