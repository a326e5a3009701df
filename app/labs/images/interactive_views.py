"""The views of the Images page that draw: fewer atoms, layers, single atoms, two runs at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app.figures import images as figures
from app.labs.images import cache, findings, image_grid, selection, views
from app.labs.images.cache import ImagesSubject
from app.labs.images.selection import LAB
from app.labs.images.views import MIX_TITLES
from app.state import wait_for_imports
from app.ui import widgets
from app.ui.charts import picture
from app.ui.frame import Frame
from app.ui.subject import Choice
from peftcore.labs.images import results_store, summary

if TYPE_CHECKING:
    from peftcore.labs.images.atom_interventions import AtomEffect
    from peftcore.labs.images.queries import GeneratedImages

ORDER_HELP: Mapping[str, str] = {
    "earned": "its share of the loss's fall while all atoms come in together, on new examples of "
    "training and validation",
    "loss": "the loss on validation examples rises most without it alone",
    "importance": "it adds most, |coefficient| times length",
}
SHARES = [step / 4 for step in range(9)]  # of two runs' atoms
WHY_NOT_JUDGED = {
    "digits": "the prompt does not name just one digit",
    "scenes": "the prompt does not say which shapes, colours and places it wants",
}
COMPONENT_TITLES = {
    "attention.output": "Attention",
    "ffn": "Feed-forward",
    "ffn.output": "Feed-forward",
}


def show_fewer_atoms(frame: Frame) -> None:
    """A slider over the number of atoms: what is drawn, and what is read in it."""
    subject = selection.pick_subject(frame)
    if subject is None:
        return
    run, world = subject.run, subject.world
    with frame.side:
        by = Choice(
            LAB,
            "order",
            "Kept first",
            list(ORDER_HELP),
            option_text=figures.ORDER_TITLES.__getitem__,
        ).as_list(
            help="; ".join(
                f"{figures.ORDER_TITLES[name]}: {words}" for name, words in ORDER_HELP.items()
            )
        )
    with frame.picture:  # where it says that it draws
        images_by_count = cache.images_with_fewer_atoms(subject, by)
    counts = list(images_by_count)
    with frame.side:
        atoms_kept = Choice(
            LAB, "kept", "Atoms kept", counts, first=counts[len(counts) * 2 // 3]
        ).as_slider()
    frame.say(findings.fewer_finding(images_by_count, atoms_kept), _guard(subject))
    frame.explain(
        "Left the base, right all atoms, between them as many as the slider says. Pictures in the "
        "same place are drawn with the same chance, so they differ only by the atoms in force."
    )
    counts_by_panel = {"No atoms (the base)": 0, f"{atoms_kept} atoms": atoms_kept}
    images_by_panel = {name: images_by_count[count] for name, count in counts_by_panel.items()}
    with frame.picture:
        _show_panels(
            subject,
            images_by_panel | {"All atoms": images_by_count[counts[-1]]},
            key="images.fewer",
            name=f"{run.id}-{atoms_kept}-atoms",
            across=3,
        )
        figure = results_store.load_figure(f"prune-{run.id}")
        if figure is not None:
            views.show_pruning_curve(run, figure, summary.headline_metric(figure), atoms_kept)
    with frame.below:
        if figure is not None and by in summary.ranked_orders(figure):
            st.caption(views.rise_in_words(run, figure, by))
        widgets.table_with_download(
            _slider_table(world, images_by_count),
            key="images.line",
            name=f"{run.id}-slider",
            alt="What is read at every slider place",
        )
        st.caption(
            f"The {cache.IMAGES_PER_PROMPT} pictures of this prompt and seed at every number of "
            "atoms."
        )


def _guard(subject: ImagesSubject) -> str:
    """What the few pictures of a view can say."""
    return findings.drawn_guard(cache.IMAGES_PER_PROMPT, _seed_number(subject))


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


def show_layers(frame: Frame) -> None:
    """The change split by layer: each layer's atoms alone, and all but those."""
    subject = selection.pick_subject(frame)
    if subject is None:
        return
    with frame.picture:
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
    frame.say(findings.layers_finding(images_by_panel), _guard(subject))
    frame.explain(
        "Above each layer's atoms alone, below all but those. Figure 1 of arXiv:2507.10855 splits "
        "the change of a drawn digit in this way. Layers work on one another's results, so their "
        "shares do not add up."
    )
    with frame.picture:
        _show_panels(
            subject,
            {name.capitalize(): images_by_panel[name] for name in panel_order},
            key="images.layers",
            name=f"{subject.run.id}-layers",
            columns=2,
            across=half_count,
        )


def show_single_atoms(frame: Frame) -> None:
    """The most important atoms, named by what they do; one of them off, or stronger."""
    subject = selection.pick_subject(frame)
    if subject is None:
        return
    run, seed, world = subject.run, subject.seed, subject.world
    with frame.picture:
        effects = {effect.atom: effect for effect in cache.atom_effects(run, seed, 16)}
    with frame.side:
        atom = Choice(
            LAB,
            "atom",
            "Atom",
            list(effects),
            option_text=lambda a: f"{a}, layer {effects[a].layer}: {effects[a].describe(world)}",
        ).as_list(help="Those that earn most of the loss's fall, the most first")
    effect = effects[atom]
    with frame.picture:
        images_by_panel = cache.images_at_strengths(subject, atom)
    frame.say(
        findings.atom_finding(effect.describe(world), atom, effect.layer, images_by_panel),
        _guard(subject),
    )
    frame.explain(
        "Above the same pictures with this atom off, as it is and stronger. Below what it brings: "
        "the chance of every pixel's levels with all atoms minus without this one, for the levels "
        "it changes most; numbers are sums over the picture, in pixels."
    )
    with frame.picture:
        _show_panels(
            subject,
            {name.capitalize(): images for name, images in images_by_panel.items()},
            key="images.scaled",
            name=f"{run.id}-atom-{atom}-strengths",
            across=4,
        )
        picture(
            figures.atom_effect_heatmaps(effect.chance_change, world),
            key="images.effect",
            name=f"{run.id}-atom-{atom}",
            alt=f"Atom {atom}: {effect.describe(world)}",
        ).caption(findings.quiet_line(run, f"seed {_seed_number(subject)}"))
    with frame.below:
        _show_atom_table(subject, effects)


def _show_atom_table(subject: ImagesSubject, effects: Mapping[int, AtomEffect]) -> None:
    """All atoms that are offered, with how much they move and what they bring."""
    table = pd.DataFrame(
        [
            {
                "Atom": effect.atom,
                "Layer": effect.layer,
                "Part": COMPONENT_TITLES.get(effect.component, effect.component),
                "Importance": effect.importance,
                "Moves (%)": 100 * effect.size,
                "Brings": effect.describe(subject.world),
            }
            for effect in effects.values()
        ]
    )
    widgets.table_with_download(
        table,
        key="images.named",
        name=f"{subject.run.id}-atoms",
        alt="The most important atoms and what they do",
        column_config={
            "Importance": st.column_config.NumberColumn(format="%.3f"),
            "Moves (%)": st.column_config.NumberColumn(format="%.2f"),
        },
    )
    st.caption(
        "Listed are the atoms that earn most of the loss's fall, the most first. Importance is the "
        "mean size of what an atom adds. Moves is the share of chance that goes elsewhere without "
        "it, on pictures the run drew itself."
    )


def show_combined_runs(frame: Frame) -> None:
    """Atoms of a shape and atoms of a style in force at once."""
    runs_by_task = cache.atom_runs_by_task()
    for task in ("pictures_concept", "pictures_style"):
        if task not in runs_by_task:
            with frame.picture:
                selection.show_no_runs(task)
            return
    with frame.side:
        prompt = selection.pick_prompt("scenes", selection.COMBINED_PROMPT, "both")
        concept_share = Choice(
            LAB, "share-shape", "Share of the shape's atoms", SHARES, first=1.0
        ).as_slider()
        style_share = Choice(
            LAB, "share-style", "Share of the style's atoms", SHARES, first=1.0
        ).as_slider()
        with st.popover("More", icon=":material/tune:"):
            concept = selection.pick_run_of_atoms(
                "shape", "Run of the shape", runs_by_task["pictures_concept"]
            )
            style = selection.pick_run_of_atoms(
                "style", "Run of the style", runs_by_task["pictures_style"]
            )
    seed = selection.pick_seed(frame.bar, [concept, style])
    with frame.picture:
        if not prompt or not wait_for_imports.ready_or_wait(LAB):
            return
        subject = cache.ImagesSubject(concept, seed, prompt)
        images_by_panel = cache.images_with_both(subject, style, (concept_share, style_share))
    frame.say(findings.both_finding(images_by_panel), _guard(subject))
    frame.explain(
        "One run learned a shape, another a style; neither saw a prompt with both. The "
        "panels show the same draws without their atoms, with each run's, and with both."
    )
    with frame.picture:
        _show_panels(
            subject,
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


def _seed_number(subject: ImagesSubject) -> int:
    return subject.run.spec.population.seed_numbers()[subject.seed]


def _show_panels(
    subject: ImagesSubject,
    images_by_panel: Mapping[str, GeneratedImages],
    *,
    key: str,
    name: str,
    columns: int = 4,
    across: int,
) -> None:
    """Show images side by side, the share of each panel that matches the prompt, and the judge."""
    world = subject.world
    quiet = image_grid.ImageGrid(
        world,
        {panel: images.pictures for panel, images in images_by_panel.items()},
        {panel: _alignment_note(images.alignment) for panel, images in images_by_panel.items()},
        {panel: images.descriptions for panel, images in images_by_panel.items()},
        columns,
        across,
    ).show(key, name)
    quiet.caption(
        findings.quiet_line(
            subject.run,
            f"n = {cache.IMAGES_PER_PROMPT} pictures a panel",
            f"seed {_seed_number(subject)}",
            "all panels drawn with the same chance",
        )
    )
    if any(images.alignment is None for images in images_by_panel.values()):
        st.caption(f"Not judged: {WHY_NOT_JUDGED[world]}.")
    else:
        st.caption(views.reader_note(world))


def _alignment_note(alignment: float | None) -> str:
    """Return the share that matches the prompt in words, if a classifier can judge it."""
    if alignment is None:
        return "not judged"
    return f"{figures.format_percent(alignment)} match"
