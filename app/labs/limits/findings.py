"""What the Limits page shows, in sentences computed from it."""

from __future__ import annotations

from collections.abc import Mapping

from app.labs.limits.cache import LimitsInput
from app.ui.frame import provenance
from app.ui.widgets import escape_markdown
from peftcore.analysis.limits import ROUNDING_TOLERANCE, HeadSummary, LayerComparison
from peftcore.runs.store import Run


def head_finding(name: str, summary: HeadSummary) -> str:
    """What a run did to the attention of one head."""
    order = (
        "what is left keeps its order exactly"
        if summary.keeps_order
        else f"{summary.swapped:.1%} of what is left changes its order"
    )
    if summary.length:
        return f"The prefix takes {summary.share:.0%} of this head's attention; {order}."
    if not summary.keeps_order:
        return f"{name} changes the order of {summary.swapped:.1%} of pairs."
    if summary.bias_norm < ROUNDING_TOLERANCE:
        return f"{name} leaves this layer as it was."
    return f"{name} keeps the order of attention here."


def guard(comparison: LayerComparison, summary: HeadSummary) -> str:
    """Whether the theorem holds here, and how much was looked at."""
    heads, queries = comparison.share.shape
    words = f"{queries} queries of one input, one seed · largest of {heads} heads: "
    words = escape_markdown(f"{words}{comparison.residual:.0e}")
    if not summary.length:
        return f"{queries} queries of one input, one seed"
    exact = summary.residual < ROUNDING_TOLERANCE
    mark = (
        ":green[:material/check: the theorem holds here"
        if exact
        else ":orange[the theorem does not hold here"
    )
    return f"{mark}, to {summary.residual:.0e}] · {words}"


def residuals_line(residuals: Mapping[str, tuple[float, float]]) -> str:
    """Residuals by kind of arithmetic, each with a tick where only rounding is left."""
    parts = [
        f"{title.lower()} {residual:.1e}{' ✓' if residual < limit else ''}"
        for title, (residual, limit) in residuals.items()
    ]
    return "Residual of the theorem: " + escape_markdown(", ".join(parts))


def quiet_line(run: Run, limits_input: LimitsInput, queries: int) -> str:
    """Where a picture comes from, and the command that makes it."""
    switches = "" if limits_input.single_layer else " --whole-stack"
    switches += " --naive-positions" if limits_input.shift_positions else ""
    if limits_input.prefix_length:
        switches += f" --length {limits_input.prefix_length}"
    return provenance(
        f"n = {queries} queries of one input",
        f"seed {run.spec.population.seed_numbers()[limits_input.seed]}",
        f"data {run.manifest().get('data_hash', '')[:8]}",
        "fp32",
        command=f"limits {run.id} --seed {limits_input.seed}{switches}",
    )
