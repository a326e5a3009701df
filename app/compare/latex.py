"""A comparison as a LaTeX table (booktabs), ready to paste into a paper."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "·": r"$\cdot$",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def escaped(text: str) -> str:
    """The text with every character LaTeX would act on escaped."""
    return "".join(SPECIAL.get(sign, sign) for sign in text)


def table(
    summary: pd.DataFrame, names: Mapping[str, str], metric: str, digits: str, caption: str
) -> str:
    """One line per run: name, mean with its 95 % half width, seeds, trainable parameters."""
    lines = [
        r"\begin{table}",
        r"  \centering",
        f"  \\caption{{{escaped(caption)}}}",
        r"  \begin{tabular}{lrrr}",
        r"    \toprule",
        f"    Method & {escaped(metric)} & Seeds & Parameters \\\\",
        r"    \midrule",
        *(f"    {_line(row, names[row['run']], digits)} \\\\" for _, row in summary.iterrows()),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _line(row: pd.Series, name: str, digits: str) -> str:
    cells = [escaped(name), _value(row, digits), f"{row['n']}"]
    size = f"{row['trainable']:,.0f}".replace(",", r"\,") if pd.notna(row["trainable"]) else "--"
    return " & ".join([*cells, size])


def _value(row: pd.Series, digits: str) -> str:
    if pd.isna(row["mean"]):
        return "--"
    mean = f"{row['mean']:{digits}}"
    if pd.isna(row["low"]):
        return mean
    return f"${mean} \\pm {row['high'] - row['mean']:{digits}}$"
