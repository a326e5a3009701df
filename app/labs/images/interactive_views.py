"""The views of the Images page that draw: fewer atoms, layers, single atoms, two runs at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app.figures import images as figures
from app.labs.images import cache, image_grid, selection, views
from app.labs.images.views import MIXES
from app.state import wait_for_imports
from app.ui import widgets
from app.ui.charts import chart
from peftcore.labs.images import results_store, summary

if TYPE_CHECKING:
    from peftcore.labs.images.queries import GeneratedImages

COUNT = 8  # pictures of a prompt
WHYS: Mapping[str, str] = {
    "earned": "its share of the loss's fall while all atoms come in together, on new examples of "
    "training and validation",
    "loss": "the loss on validation examples rises most without it alone",
    "importance": "it adds most, |coefficient| times length",
}
UNJUDGED = {
    "digits": "the prompt does not name just one digit",
    "scenes": "the prompt does not say which shapes, colours and places it wants",
}
PARTS = {"attention.output": "Attention", "ffn": "Feed-forward", "ffn.output": "Feed-forward"}


def fewer() -> None:
    """A slider over the number of atoms: what is drawn, and what is read in it."""
    subject = selection.pick_subject()
    if subject is None:
        return
    run, world = subject.run, subject.world
    by: str = st.segmented_control(
        "Kept first",
        list(WHYS),
        default="earned",
        required=True,
        format_func=figures.ORDERS.__getitem__,
        key="images.order",
        help="; ".join(f"{figures.ORDERS[name]}: {words}" for name, words in WHYS.items()),
    )
    drawn = cache.fewer(run, subject.seed, by, subject.prompt, COUNT)
    kept = st.select_slider(
        "Atoms kept",
        list(drawn),
        value=list(drawn)[len(drawn) * 2 // 3],
        key=f"images.kept.{run.id}",
    )
    shown = {"No atoms (the base)": 0, f"{kept} atoms": kept, "All atoms": list(drawn)[-1]}
    _panels(
        world,
        {name: drawn[k] for name, k in shown.items()},
        key="images.fewer",
        name=f"{run.id}-{kept}-atoms",
        across=3,
    )
    figure = results_store.load_figure(f"prune-{run.id}")
    if figure is not None:
        views.curve(run, figure, summary.headline_metric(figure), kept)
        if by in summary.ranked_orders(figure):
            st.caption(views.steadily(run, figure, by))
    widgets.table_with_download(
        _line(world, drawn),
        key="images.line",
        name=f"{run.id}-slider",
        alt="What is read at every slider place",
    )
    st.caption(f"The {COUNT} pictures of this prompt and seed at every place of the slider.")


def _line(world: str, drawn: Mapping[int, GeneratedImages]) -> pd.DataFrame:
    """What is read in the pictures at every number of atoms, and how many changed."""
    rows = []
    for k, here in drawn.items():
        pairs = zip(here.pictures, drawn[0].pictures, strict=True)
        rows.append(
            {
                "Atoms kept": k,
                "As asked (%)": _percent(here.alignment),
                f"{figures.BELIEFS[world]} (%)": _percent(here.belief),
                "Pictures changed": sum(one != other for one, other in pairs),
                "Read as": ", ".join(sorted(set(here.descriptions))),
            }
        )
    return pd.DataFrame(rows)


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 1)


def layers() -> None:
    """The change split by layer: each layer's atoms alone, and all but those."""
    subject = selection.pick_subject()
    if subject is None:
        return
    drawn = cache.split(subject.run, subject.seed, subject.prompt, COUNT, 0)
    # None and all begin the two rows, each layer alone above all but it.
    none, whole = list(drawn)[0 :: len(drawn) - 1]
    half = len(drawn) // 2
    order = [none, *list(drawn)[1:half], whole, *list(drawn)[half:-1]]
    _panels(
        subject.world,
        {name.capitalize(): drawn[name] for name in order},
        key="images.layers",
        name=f"{subject.run.id}-layers",
        columns=2,
        across=half,
    )
    st.caption(
        "Figure 1 of arXiv:2507.10855 splits the change of a drawn digit by layer in this way. "
        "Layers work on one another's results, so their shares do not add up."
    )


def single() -> None:
    """The most important atoms, named by what they do; one of them off, or stronger."""
    subject = selection.pick_subject()
    if subject is None:
        return
    run, seed, world = subject.run, subject.seed, subject.world
    found = {effect.atom: effect for effect in cache.named(run, seed, 16)}
    table = pd.DataFrame(
        [
            {
                "Atom": effect.atom,
                "Layer": effect.layer,
                "Part": PARTS.get(effect.component, effect.component),
                "Importance": effect.importance,
                "Moves (%)": 100 * effect.size,
                "Brings": effect.describe(world),
            }
            for effect in found.values()
        ]
    )
    widgets.table_with_download(
        table,
        key="images.named",
        name=f"{run.id}-atoms",
        alt="The most important atoms and what they do",
        column_config={
            "Importance": st.column_config.NumberColumn(format="%.3f"),
            "Moves (%)": st.column_config.NumberColumn(format="%.2f"),
        },
    )
    st.caption(
        "Listed are the atoms that earn most of the loss's fall, the most first. Importance is the "
        "mean size of what an atom adds; what it brings is the chance of every "
        "pixel's levels with all atoms minus without this one, on pictures the run drew itself. "
        "Moves is the share of chance that goes elsewhere. Below, for the levels changed most, the "
        "sum over the picture in pixels."
    )
    atom = st.selectbox(
        "Atom",
        list(found),
        format_func=lambda a: f"{a}, layer {found[a].layer}: {found[a].describe(world)}",
        key=f"images.atom.{run.id}.{seed}",
    )
    chart(
        figures.effect(found[atom].chance_change, world),
        key="images.effect",
        name=f"{run.id}-atom-{atom}",
        alt=f"Atom {atom}: {found[atom].describe(world)}",
    )
    drawn = cache.scaled(run, seed, atom, subject.prompt, COUNT, 0)
    _panels(
        world,
        {name.capitalize(): each for name, each in drawn.items()},
        key="images.scaled",
        name=f"{run.id}-atom-{atom}-strengths",
        across=4,
    )


def together() -> None:
    """Atoms of a shape and atoms of a style in force at once."""
    found = cache.weighed()
    for task in ("pictures_concept", "pictures_style"):
        if task not in found:
            selection.nothing(task)
            return
    if not wait_for_imports.ready_or_wait("images"):
        return
    left, middle, right = st.columns([3, 3, 1])
    with left:
        concept = selection.pick_run("Shape", found["pictures_concept"], "images.concept")
    with middle:
        style = selection.pick_run("Style", found["pictures_style"], "images.style")
    with right:
        seed = selection.pick_seed([concept, style], "images.together.seed")
    prompt = selection.pick_prompt("scenes", selection.BOTH, "together")
    left, right = st.columns(2)
    one = left.slider("Share of the shape's atoms", 0.0, 2.0, 1.0, 0.25, key="images.share.concept")
    other = right.slider(
        "Share of the style's atoms", 0.0, 2.0, 1.0, 0.25, key="images.share.style"
    )
    if not prompt:
        return
    drawn = cache.together(concept, style, seed, (one, other), prompt, COUNT)
    _panels(
        "scenes",
        {MIXES[name]: each for name, each in drawn.items()},
        key="images.together",
        name="both",
        across=4,
    )
    figure = results_store.load_figure(f"combine-{concept.id}-{style.id}")
    if figure is None:
        views.measure("combine", concept.id, style.id)
        return
    views.mixed(concept, style, figure)


def _panels(
    world: str,
    drawn: Mapping[str, GeneratedImages],
    *,
    key: str,
    name: str,
    columns: int = 4,
    across: int,
) -> None:
    """Pictures side by side, what share of each panel is as asked, and who says so."""
    image_grid.show(
        world,
        {panel: each.pictures for panel, each in drawn.items()},
        {panel: _note(each.alignment) for panel, each in drawn.items()},
        {panel: each.descriptions for panel, each in drawn.items()},
        key=key,
        name=name,
        columns=columns,
        across=across,
    )
    st.caption(
        "Every panel is drawn with the same chance, so pictures in the same place differ only by "
        f"the atoms in force. {views.reader(world)}"
    )
    if any(each.alignment is None for each in drawn.values()):
        st.caption(f"Not judged: {UNJUDGED[world]}.")


def _note(alignment: float | None) -> str:
    """What share is as asked, if the prompt asks for something that can be read back."""
    return "not judged" if alignment is None else f"{figures.in_percent(alignment)} as asked"
