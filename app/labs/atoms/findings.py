"""What the Atoms page shows, in sentences computed from it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from app.figures.compare import find_measure, value_format
from app.labs.atoms import selection
from app.ui.frame import provenance
from app.ui.widgets import escape_markdown
from peftcore.analysis import comparison
from peftcore.labs.atoms import order_verdicts, request
from peftcore.labs.atoms.request import AtomsJob
from peftcore.metrics.scores import metric_range


def sparsity_finding(entries: Sequence[dict[str, Any]]) -> tuple[str, str]:
    """How many coefficients are zero, and how many atoms do the work, over seeds."""
    measures = [request.entry_sparsity(entry) for entry in entries]
    zeros = comparison.interval([each.zeros for each in measures], (0.0, 1.0))
    effective = float(np.mean([each.effective for each in measures]))
    words = (
        f"{zeros.mean:.0%} of all coefficients are exactly zero, and importance is spread as over "
        f"{effective:.0f} atoms alike."
    )
    interval = (
        f"95 % interval of the zeros {zeros.low:.0%} to {zeros.high:.0%}"
        if zeros.low is not None
        else zeros.reason
    )
    return words, escape_markdown(f"{interval} · {len(entries)} seeds on the same texts")


def pruning_finding(job: AtomsJob, count: int) -> tuple[str, str]:
    """The score with so many atoms kept, by importance and at random."""
    entries = selection.job_entries(job, "loss") + selection.job_entries(job, "score")
    table = request.pruning_curves_from(entries)
    quantity = "score" if (table["what"] == "score").any() else "loss"
    metric = str(job.facts["metric"]) if quantity == "score" else "loss"
    bands = request.curve_intervals(table, quantity, metric_range(metric))
    form = value_format(metric) if quantity == "score" else ".4f"
    title = find_measure(metric).title if quantity == "score" else "loss"
    means = bands[bands["k"] == count].set_index("order")["mean"]
    if "importance" not in means.index:
        return f"With {count} atoms nothing is measured yet.", ""
    random = (
        f"; {count} at random reach {means['random']:{form}}" if "random" in means.index else ""
    )
    verdicts = order_verdicts.against_random(table, quantity, metric)
    return (
        f"The {count} most important atoms reach {means['importance']:{form}} ({title}){random}.",
        escape_markdown(random_guard(verdicts, metric, count)),
    )


def random_guard(verdicts: pd.DataFrame, metric: str, count: int) -> str:
    """The verdict on the most important atoms against random ones, and what it rests on."""
    own = verdicts[verdicts["order"] == "importance"]
    if own.empty:
        return "random order is not measured between none and all"
    chosen = own[own["k"] == count]
    size = "".join(
        f" ({order_verdicts.difference_in_words(row, metric)})" for _, row in chosen.iterrows()
    )
    words = chosen["verdict"].iloc[0] if len(chosen) else ""
    at = f"{words}{size} with {count}; " if words else ""
    return (
        f"against random order: {at}{order_verdicts.order_in_words(own, 'importance')} atoms · "
        f"{order_verdicts.basis_in_words(verdicts, metric)}"
    )


def combined_finding(rows: pd.DataFrame) -> tuple[str, str]:
    """What both runs' atoms together score on the first task, and each alone."""
    first = rows[rows["task"] == rows["task"].iloc[0]]
    measure = find_measure(str(first["metric"].iloc[0]))
    form = value_format(str(first["metric"].iloc[0]))
    both, alone = first["both"].mean(), first["first"].mean()
    return (
        f"On the task of the first run, both together reach {both:{form}} ({measure.title}), the "
        f"first alone {alone:{form}}.",
        f"mean of {first['seed'].nunique()} seeds, n = {first['n'].iloc[0]}; no verdict",
    )


def quiet_line(job: AtomsJob) -> str:
    """Where a measurement comes from, and the command that makes it."""
    facts = job.facts
    return provenance(
        f"n = {facts.get('n')}" if facts.get("n") else "",
        f"data {str(facts.get('data_hash', ''))[:8]}",
        f"base {facts.get('base')} ({str(facts.get('fingerprint', ''))[:8]})",
        command=" ".join(map(shlex.quote, job.request.command_arguments())),
    )
