"""What the Images page shows, in sentences computed from scores and from pictures just drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from app.ui.frame import provenance
from peftcore.runs.store import Run

if TYPE_CHECKING:
    from peftcore.labs.images.queries import GeneratedImages

PAPER = "arXiv:2507.10855; how its atoms are computed is reconstructed"


def methods_finding(table: pd.DataFrame, base_share: float | None) -> str:
    """Between which shares the methods match new prompts, and the base; table: see `summary`."""
    means = table[(table.metric == "alignment") & (table.kept == "all")].sort_values("mean")
    least, most = means.iloc[0], means.iloc[-1]
    base = "" if base_share is None else f"; the base alone in {_percent(base_share)}"
    if len(means) == 1:
        return f"{most['name']} matches new prompts in {_percent(most['mean'])} of drawings{base}."
    return (
        f"New prompts are matched in {_percent(least['mean'])} of drawings by {least['name']} "
        f"and in {_percent(most['mean'])} by {most['name']}{base}."
    )


def methods_guard(table: pd.DataFrame) -> str:
    """The intervals of the lowest and the highest mean, and what they are about."""
    means = table[(table.metric == "alignment") & (table.kept == "all")].sort_values("mean")
    ends = means.iloc[[0, -1]] if len(means) > 1 else means
    words = [
        f"{row['name']} {_percent(row['low'])} to {_percent(row['high'])}"
        for _, row in ends.iterrows()
        if pd.notna(row["high"])
    ]
    return " · ".join(
        [*words, "95 % intervals about other seeds on the same prompts; other methods lie between"]
        if words
        else ["too few seeds for an interval"]
    )


def fewer_finding(images: Mapping[int, GeneratedImages], kept: int) -> str:
    """What these pictures show at a number of atoms, against none and all."""
    every = max(images)
    if images[kept].alignment is None:
        changed = _changed(images[kept], images[0])
        return (
            f"With {kept} of {every} atoms, {changed} of {len(images[kept].pictures)} pictures "
            "differ from the base's."
        )
    return (
        f"With {kept} of {every} atoms {_share(images[kept])} of these pictures match the prompt; "
        f"with all {_share(images[every])}, with none {_share(images[0])}."
    )


def layers_finding(images: Mapping[str, GeneratedImages]) -> str:
    """Which layer alone brings most, and without which most is missing."""
    names = list(images)
    none, every = images[names[0]], images[names[-1]]
    half = len(images) // 2
    alone, without = names[1:half], names[half:-1]
    if every.alignment is None:
        changes = {name: _changed(images[name], none) for name in alone}
        best = max(alone, key=changes.__getitem__)
        return (
            f"{best.capitalize()} changes {changes[best]} of {len(none.pictures)} pictures, the "
            f"most of all layers; all atoms change {_changed(every, none)}."
        )
    best = max(alone, key=lambda name: images[name].alignment or 0.0)
    worst = min(without, key=lambda name: images[name].alignment or 0.0)
    return (
        f"No layer alone matches the prompt more often than {best.removesuffix(' alone')}, in "
        f"{_share(images[best])} of these pictures; {worst} it is {_share(images[worst])}, with "
        f"all {_share(every)}."
    )


def atom_finding(words: str, atom: int, layer: int, images: Mapping[str, GeneratedImages]) -> str:
    """What one atom brings, and how pictures match without it."""
    finding = f"Atom {atom} in layer {layer} brings {words}."
    off, on = (images[name] for name in ("off", "as it is"))
    if off.alignment is None:
        return finding
    return f"{finding} Without it {_share(off)} of these pictures match, with it {_share(on)}."


def both_finding(images: Mapping[str, GeneratedImages]) -> str:
    """How pictures match with both runs' atoms, with each alone and with none."""
    none, concept, style, both = (images[name] for name in ("none", "concept", "style", "both"))
    if both.alignment is None:
        return (
            f"Both runs' atoms at once change {_changed(both, none)} of {len(none.pictures)} "
            "pictures."
        )
    return (
        f"With both runs' atoms {_share(both)} of these pictures match the prompt; with the "
        f"shape's alone {_share(concept)}, with the style's alone {_share(style)}."
    )


def editing_finding(enough: int | None, atoms: int) -> str:
    """From how many atoms on nothing is lost that these seeds could show."""
    if enough is None:
        return ""
    if enough == atoms:
        return f"With fewer than all {atoms} atoms, fewer new prompts are matched."
    return (
        f"From {enough} of {atoms} atoms on, the share of new prompts that match reaches that with "
        "all, within its interval."
    )


def drawn_guard(pictures: int, seed: int) -> str:
    """What a few pictures of one seed can say."""
    return f"{pictures} pictures of one prompt and seed {seed}: an example, no estimate"


def quiet_line(run: Run, *parts: str, command: Sequence[str] = ()) -> str:
    """What a picture rests on, and the command that makes it."""
    return provenance(
        *parts,
        f"data {str(run.manifest().get('data_hash') or '')[:8]}",
        f"base {run.spec.base}",
        PAPER,
        command=" ".join(command),
    )


def base_share(figures: Sequence[Mapping[str, Any]], metric: str = "alignment") -> float | None:
    """Return the share that the base alone matches, where no atom was left; None if unknown."""
    for figure in figures:
        for row in figure["rows"]:
            if row["k"] == 0:
                return float(row[metric])
    return None


def _changed(images: GeneratedImages, before: GeneratedImages) -> int:
    pairs = zip(images.pictures, before.pictures, strict=True)
    return sum(one != other for one, other in pairs)


def _share(images: GeneratedImages) -> str:
    return _percent(images.alignment or 0.0)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
