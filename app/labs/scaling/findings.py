"""What the Scaling page shows, in sentences computed from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from app.figures.compare import find_measure, value_format
from app.labs.scaling.selection import ScalingSubject
from app.ui.frame import provenance
from app.ui.widgets import escape_markdown
from peftcore.analysis import scaling

if TYPE_CHECKING:
    from peftcore.labs.scaling.ablations import TransferGain
    from peftcore.labs.scaling.layer_gap import LayerGaps
    from peftcore.labs.scaling.readout import SeedGap


def _guard(subject: ScalingSubject, *parts: str) -> str:
    seeds = subject.run.spec.population.seeds
    return escape_markdown(" · ".join([subject.chart_title, f"one seed of {seeds}", *parts]))


def scales_finding(subject: ScalingSubject, scale: np.ndarray) -> tuple[str, str]:
    """How far the scales (p,) or (p, d) of a seed went from one."""
    values = np.abs(scale)
    longer = float((values > 1).mean())
    if np.allclose(scale, 1):
        return "Every scale is one: the soft tokens are used as they were trained.", _guard(subject)
    return (
        f"Scales end between {values.min():.2f} and {values.max():.2f}: {longer:.0%} of the soft "
        "tokens get longer, the others shorter.",
        _guard(subject, f"{len(scale)} soft tokens"),
    )


def gap_finding(subject: ScalingSubject, gaps: Sequence[SeedGap]) -> tuple[str, str]:
    """The gap between prompts and words without scales and with them, by the first measure."""
    measure = next(iter(scaling.MEASURES.values()))
    before, after = (
        np.mean([measure.value(getattr(each, side)) for each in gaps])
        for side in ("before", "after")
    )
    return (
        f"{measure.title} between soft tokens and words: {before:.3g} without scales, "
        f"{after:.3g} with them.",
        escape_markdown(f"{subject.chart_title.split(',')[0]} · mean of {len(gaps)} seeds"),
    )


def layer_gap_finding(subject: ScalingSubject, found: LayerGaps) -> tuple[str, str]:
    """The distance between soft tokens and words where they enter the stack, and at its end."""
    means = [float(np.mean(values)) for values in found.values("distance")]
    nearest = int(np.argmin(means))
    between = 0 < nearest < len(means) - 1
    least = f"; nearest are they in layer {nearest}, {means[nearest]:.3g} apart" if between else ""
    return (
        f"The means of soft tokens and words lie {means[0]:.3g} lengths of a word apart where they "
        f"enter and {means[-1]:.3g} behind the last layer{least}.",
        escape_markdown(f"{subject.chart_title.split(',')[0]} · mean of {len(found.seeds)} seeds"),
    )


def transfer_guard(fields: Sequence[TransferGain], titles: Mapping[str, str]) -> str:
    """The largest gain from another task, with its interval."""
    known = [f for f in fields if f.source != f.target and f.gain.mean is not None]
    if not known:
        return "No task has been trained from another yet."
    best = max(known, key=lambda field: field.gain.mean or 0.0)
    gain = best.gain
    interval = (
        f"95 % interval {gain.low:+.3f} to {gain.high:+.3f}"
        if gain.low is not None
        else gain.reason
    )
    return escape_markdown(
        f"Most from {titles[best.source]} to {titles[best.target]}: {gain.mean:+.3f}, {interval}, "
        f"{gain.n} pairs of seeds · the largest of {len(known)} gains stands out by chance, too"
    )


def step_finding(subject: ScalingSubject, factors: Sequence[np.ndarray]) -> tuple[str, str]:
    """By which factors scales change a step across and along a token."""
    across, along = (float(np.median(each)) for each in factors[:2])
    return (
        f"Half of the tokens take steps more than {across:.2g} times as long across, and more than "
        f"{along:.2g} times as long along their direction, as without a scale.",
        _guard(subject, "all tokens of all seeds"),
    )


def scores_finding(scores: pd.DataFrame, name: str, metric: str) -> tuple[str, str]:
    """Which setting scores highest on average, and that this is no verdict."""
    measure = find_measure(metric)
    means = scores.groupby(name, sort=False)[metric].mean()
    best = means.idxmin() if measure.better == "lower" else means.idxmax()
    if len(means) == 1:
        return (
            f"{measure.title}: {means[best]:{value_format(metric)}} with “{best}”; the others are "
            "not trained yet.",
            f"{scores['seed'].nunique()} seeds",
        )
    return (
        f"{measure.title}: on average “{best}” is best with {means[best]:{value_format(metric)}}; "
        "where intervals overlap widely, that may be chance.",
        f"{len(means)} settings, {scores['seed'].nunique()} seeds each",
    )


def quiet_line(subject: ScalingSubject, command: str = "", every_seed: bool = False) -> str:
    """Where a picture comes from, and the command that makes it; of the run's, if there is none."""
    run = subject.run
    numbers = run.spec.population.seed_numbers()
    return provenance(
        f"{len(numbers)} seeds" if every_seed else f"seed {numbers[subject.seed]}",
        f"data {run.manifest().get('data_hash', '')[:8]}",
        f"precision {run.manifest().get('precision', '')}",
        command=command or f"scaling {run.id}",
    )
