"""A comparison as a LaTeX table (booktabs), ready to paste into a paper."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

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
