"""The views of the Images page that draw: fewer atoms, layers, single atoms, two runs at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app.figures import images as figures
from app.labs.images import cache, image_grid, selection, views
from app.labs.images.views import MIX_TITLES
from app.state import wait_for_imports
from app.ui import pickers, widgets
from app.ui.charts import chart
from peftcore.labs.images import results_store, summary

if TYPE_CHECKING:
    from peftcore.labs.images.queries import GeneratedImages

ORDER_HELP: Mapping[str, str] = {
    "earned": "its share of the loss's fall while all atoms come in together, on new examples of "
    "training and validation",
    "loss": "the loss on validation examples rises most without it alone",
    "importance": "it adds most, |coefficient| times length",
}
WHY_NOT_JUDGED = {
    "digits": "the prompt does not name just one digit",
    "scenes": "the prompt does not say which shapes, colours and places it wants",
}
COMPONENT_TITLES = {
    "attention.output": "Attention",
    "ffn": "Feed-forward",
    "ffn.output": "Feed-forward",
}


def show_fewer_atoms() -> None:
    """A slider over the number of atoms: what is drawn, and what is read in it."""
    subject = selection.pick_subject()
    if subject is None:
        return
    run, world = subject.run, subject.world
    by: str = pickers.pick_one(
        "Kept first",
        list(ORDER_HELP),
        "images.order",
        figures.ORDER_TITLES.__getitem__,
        default="earned",
        help="; ".join(
            f"{figures.ORDER_TITLES[name]}: {words}" for name, words in ORDER_HELP.items()
        ),
    )
    images_by_count = cache.images_with_fewer_atoms(subject, by)
    atoms_kept = st.select_slider(
        "Atoms kept",
        list(images_by_count),
        value=list(images_by_count)[len(images_by_count) * 2 // 3],
        key=f"images.kept.{run.id}",
    )
    counts_by_panel = {
        "No atoms (the base)": 0,
        f"{atoms_kept} atoms": atoms_kept,
        "All atoms": list(images_by_count)[-1],
    }
    _show_panels(
        world,
        {name: images_by_count[count] for name, count in counts_by_panel.items()},
        key="images.fewer",
        name=f"{run.id}-{atoms_kept}-atoms",
        across=3,
    )
    figure = results_store.load_figure(f"prune-{run.id}")
    if figure is not None:
        views.show_pruning_curve(run, figure, summary.headline_metric(figure), atoms_kept)
        if by in summary.ranked_orders(figure):
            st.caption(views.rise_in_words(run, figure, by))
    widgets.table_with_download(
        _slider_table(world, images_by_count),
        key="images.line",
        name=f"{run.id}-slider",
        alt="What is read at every slider place",
    )
    st.caption(
        f"The {cache.IMAGES_PER_PROMPT} pictures of this prompt and seed at every number of atoms."
    )


def _slider_table(world: str, images_by_count: Mapping[int, GeneratedImages]) -> pd.DataFrame:
    """Return what is read in the images at every number of atoms, and how many changed."""
    rows = []
    for count, images in images_by_count.items():
        pairs = zip(images.pictures, images_by_count[0].pictures, strict=True)
        rows.append(
            {
                "Atoms kept": count,
                "Match the prompt (%)": _in_percent(images.alignment),
                f"{figures.BELIEF_TITLES[world]} (%)": _in_percent(images.belief),
                "Pictures changed": sum(one != other for one, other in pairs),
                "Read as": ", ".join(sorted(set(images.descriptions))),
            }
        )
    return pd.DataFrame(rows)


def _in_percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 1)


def show_layers() -> None:
    """The change split by layer: each layer's atoms alone, and all but those."""
    subject = selection.pick_subject()
    if subject is None:
        return
    images_by_panel = cache.images_by_layer(subject)
    # None and all begin the two rows, each layer alone above all but it.
    none, all_atoms = list(images_by_panel)[0 :: len(images_by_panel) - 1]
    half_count = len(images_by_panel) // 2
    panel_order = [
        none,
        *list(images_by_panel)[1:half_count],
        all_atoms,
        *list(images_by_panel)[half_count:-1],
    ]
    _show_panels(
        subject.world,
        {name.capitalize(): images_by_panel[name] for name in panel_order},
        key="images.layers",
        name=f"{subject.run.id}-layers",
        columns=2,
        across=half_count,
    )
    st.caption(
        "Figure 1 of arXiv:2507.10855 splits the change of a drawn digit by layer in this way. "
        "Layers work on one another's results, so their shares do not add up."
    )


def show_single_atoms() -> None:
    """The most important atoms, named by what they do; one of them off, or stronger."""
    subject = selection.pick_subject()
    if subject is None:
        return
    run, seed, world = subject.run, subject.seed, subject.world
    effects = {effect.atom: effect for effect in cache.atom_effects(run, seed, 16)}
    table = pd.DataFrame(
        [
            {
                "Atom": effect.atom,
                "Layer": effect.layer,
                "Part": COMPONENT_TITLES.get(effect.component, effect.component),
                "Importance": effect.importance,
                "Moves (%)": 100 * effect.size,
                "Brings": effect.describe(world),
            }
            for effect in effects.values()
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
        list(effects),
        format_func=lambda a: f"{a}, layer {effects[a].layer}: {effects[a].describe(world)}",
        key=f"images.atom.{run.id}.{seed}",
    )
    chart(
        figures.atom_effect_heatmaps(effects[atom].chance_change, world),
        key="images.effect",
        name=f"{run.id}-atom-{atom}",
        alt=f"Atom {atom}: {effects[atom].describe(world)}",
    )
    images_by_panel = cache.images_at_strengths(subject, atom)
    _show_panels(
        world,
        {name.capitalize(): images for name, images in images_by_panel.items()},
        key="images.scaled",
        name=f"{run.id}-atom-{atom}-strengths",
        across=4,
    )


def show_combined_runs() -> None:
    """Atoms of a shape and atoms of a style in force at once."""
    runs_by_task = cache.atom_runs_by_task()
    for task in ("pictures_concept", "pictures_style"):
        if task not in runs_by_task:
            selection.show_no_runs(task)
            return
    if not wait_for_imports.ready_or_wait("images"):
        return
    left, middle, right = st.columns([3, 3, 1])
    with left:
        concept = selection.pick_run_of_atoms(
            "Shape", runs_by_task["pictures_concept"], "images.concept"
        )
    with middle:
        style = selection.pick_run_of_atoms("Style", runs_by_task["pictures_style"], "images.style")
    with right:
        seed = pickers.pick_seed([concept, style], "images.together.seed")
    prompt = selection.pick_prompt("scenes", selection.COMBINED_PROMPT, "together")
    left, right = st.columns(2)
    concept_share = left.slider(
        "Share of the shape's atoms", 0.0, 2.0, 1.0, 0.25, key="images.share.concept"
    )
    style_share = right.slider(
        "Share of the style's atoms", 0.0, 2.0, 1.0, 0.25, key="images.share.style"
    )
    if not prompt:
        return
    images_by_panel = cache.images_with_both(
        cache.ImagesSubject(concept, seed, prompt), style, (concept_share, style_share)
    )
    _show_panels(
        "scenes",
        {MIX_TITLES[name]: images for name, images in images_by_panel.items()},
        key="images.together",
        name="both",
        across=4,
    )
    figure = results_store.load_figure(f"combine-{concept.id}-{style.id}")
    if figure is None:
        views.offer_measurement("combine", concept.id, style.id)
        return
    views.show_mixes(concept, style, figure)


def _show_panels(
    world: str,
    images_by_panel: Mapping[str, GeneratedImages],
    *,
    key: str,
    name: str,
    columns: int = 4,
    across: int,
) -> None:
    """Show images side by side, the share of each panel that matches the prompt, and the judge."""
    image_grid.ImageGrid(
        world,
        {panel: images.pictures for panel, images in images_by_panel.items()},
        {panel: _alignment_note(images.alignment) for panel, images in images_by_panel.items()},
        {panel: images.descriptions for panel, images in images_by_panel.items()},
        columns,
        across,
    ).show(key, name)
    st.caption(
        "Every panel is drawn with the same chance, so pictures in the same place differ only by "
        f"the atoms in force. {views.reader_note(world)}"
    )
    if any(images.alignment is None for images in images_by_panel.values()):
        st.caption(f"Not judged: {WHY_NOT_JUDGED[world]}.")


def _alignment_note(alignment: float | None) -> str:
    """Return the share that matches the prompt in words, if a classifier can judge it."""
    if alignment is None:
        return "not judged"
    return f"{figures.format_percent(alignment)} match the prompt"
