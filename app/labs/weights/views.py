"""The views of the Weights page: the map of changes, what seeds and runs share, what trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st

from app.figures import weights as figures
from app.labs.weights import cache, combining_view, findings, selection
from app.labs.weights.selection import LAB, WeightsSubject
from app.ui import job_panel, widgets
from app.ui.charts import picture
from app.ui.frame import Frame
from app.ui.run_styles import styles_by_run
from app.ui.subject import Choice
from peftcore.adapters.base import METHODS
from peftcore.labs.weights.request import MEASURES, WeightsJob, is_measured, site_means
from peftcore.runs.store import Run

SIDES = {"inputs": "What it reads", "outputs": "What it writes"}
WHAT = "what changed"
READING = {
    "relative": "A cell is one component of one layer: the size of the change over that of the "
    "base's own (Frobenius norms), mean over seeds. A click shows its singular values below.",
    "effect": "A cell is how much the output of a module changes by its adapter alone, root mean "
    "square over that of the base, on what the base reads from validation examples.",
    "stable_rank": "A cell is the sum of squared singular values of the change over the largest "
    "squared: about how many directions carry it. A click shows the singular values below.",
    "intruders": "A cell counts directions of the tuned matrix, among its {top} strongest, that "
    "have no cosine of {cosine:g} with any direction of the base (arXiv:2410.21228).",
}
BESIDE = {  # what an adapter adds that is no change of weights
    "prompt": "Soft prompts leave every weight as it is: what can be shown is how long their soft "
    "tokens are beside the base's word embeddings, and their singular values.",
    "prefix": "A prefix leaves every weight as it is: what can be shown is how long its keys and "
    "values are beside the base's own on validation examples, and their singular values.",
}
FUNCTION_NOTE = (
    "What this method adds depends on the token (a threshold or a network), so it is no fixed "
    "matrix: sizes and directions of weights do not exist, the change of outputs does."
)


def show_map(frame: Frame, subject: WeightsSubject, runs: Sequence[Run]) -> None:
    """Layer × component, one number at a time; below, the singular values of the chosen cell."""
    request = subject.request()
    job = cache.find_job(request)
    if job is None or job.status().state != "done":
        _show_job(frame, subject, None)
        return
    sites = cache.sites(job)
    with frame.side:
        measures = [name for name in MEASURES if is_measured(sites, name)]
        measure = Choice(
            LAB, "measure", "Shown", measures, option_text=MEASURES.__getitem__
        ).as_list(label_visibility="collapsed")
    means = site_means(sites, measure)
    frame.say(*findings.map_finding(subject.name, measure, sites, means))
    chosen = selection.chosen_site(sites, findings.largest_site(means))
    frame.explain(READING[measure].format(top=request.top, cosine=request.cosine))
    _explain_method(frame, subject, sites)
    if len(means) == 1:  # one place is no map
        with frame.picture:
            _show_site(subject, job, findings.site_rows(sites, chosen))
            st.caption(findings.quiet_line(job))
        return
    with frame.picture:
        picture(
            figures.site_map(means, MEASURES[measure], chosen),
            key=f"weights.map.{measure}",
            name=f"{subject.run.id}-weights-{measure}",
            alt=figures.site_map_alt(means, MEASURES[measure]),
            table=means,
            on_select=lambda custom: selection.choose_site(str(custom[0])),
        ).caption(findings.quiet_line(job, on_examples=measure == "effect"))
    with frame.below:
        _show_site(subject, job, findings.site_rows(sites, chosen))


def _explain_method(frame: Frame, subject: WeightsSubject, sites: pd.DataFrame) -> None:
    """Say what is not there for methods that change no weights."""
    injects = METHODS[subject.run.spec.method].injects
    with frame.side:
        if note := BESIDE.get(str(injects)):
            st.caption(note)
        elif (sites["form"] == "function").any():
            st.caption(FUNCTION_NOTE)


def _show_site(subject: WeightsSubject, job: WeightsJob, rows: pd.DataFrame) -> None:
    """Singular values of the chosen cell, and which directions are intruders."""
    if "values" not in rows or not rows["values"].map(lambda each: isinstance(each, list)).any():
        place = findings.place_in_words(figures.add_places(rows).iloc[0])
        st.caption(widgets.escape_markdown(f"No singular values at {place}: it is no matrix."))
        return
    entries = rows.to_dict("records")
    where = findings.place_in_words(figures.add_places(rows).iloc[0])
    has_intruders = rows["cosines"].notna().all() if "cosines" in rows else False
    places = st.columns(2) if has_intruders else [st.container()]
    with places[0]:
        picture(
            figures.singular_values(entries, f"Singular values of the change, {where}"),
            key="weights.values",
            name=f"{subject.run.id}-singular-values",
            alt=figures.singular_values_alt(entries, where),
            table=rows[["seed", "rank", "stable_rank", "values"]],
        )
    if has_intruders:
        threshold = job.request.cosine
        with places[1]:
            picture(
                figures.intruder_dots(entries, threshold, "Are its directions the base's?"),
                key="weights.intruders",
                name=f"{subject.run.id}-intruders",
                alt=figures.intruder_dots_alt(entries, threshold, where),
                table=rows[["seed", "intruders", "cosines"]],
            ).caption(f"A cross is an intruder: below {threshold:g}, the dashed line")


def show_overlap(frame: Frame, subject: WeightsSubject, runs: Sequence[Run]) -> None:
    """How alike the directions of seeds are, or those of two runs."""
    other = selection.pick_other(frame.side, subject, runs)
    frame.explain(
        "φ is 1 where the first directions of two changes span the same space, and 0 where they "
        "share nothing (arXiv:2106.09685); two random spaces have φ = k / width, which is chance."
    )
    job = cache.find_job(subject.request(other))
    if job is None or job.status().state != "done":
        _show_job(frame, subject, other)
        return
    table = cache.overlaps(job)
    if table.empty:
        with frame.picture:
            st.info(
                "There are no directions to compare: one seed alone, or changes that are no matrix."
            )
        return
    with frame.side:
        sides = [side for side in SIDES if is_measured(table, side)]
        side = Choice(LAB, "side", "Directions of", sides, option_text=SIDES.__getitem__)
        chosen = side.as_buttons(label_visibility="collapsed")
    known = table.dropna(subset=[chosen])
    means = site_means(known, chosen)
    between = "seeds" if other is None else "seeds of both runs"
    frame.say(*findings.overlap_finding(means, known, chosen, between))
    with frame.picture:
        picture(
            figures.site_map(means, f"φ of the first directions: {SIDES[chosen].lower()}"),
            key=f"weights.overlap.{chosen}",
            name=f"{subject.run.id}-overlap-{chosen}",
            alt=figures.site_map_alt(means, "Similarity of directions"),
            table=means,
        ).caption(findings.quiet_line(job))


def show_trained(frame: Frame, subject: WeightsSubject, runs: Sequence[Run]) -> None:
    """Counts of what trains, as a tree."""
    job = cache.find_job(subject.request())
    frame.explain(
        "From left to right: stack, layer, component, tensor; heights are numbers of one seed. "
        "Press a part to go into it, and the leftmost to come back."
    )
    if job is None or job.status().state != "done":
        _show_job(frame, subject, None)
        return
    parts = job.trained()
    frame.say(*findings.trained_finding(subject.name, parts, int(job.facts["parameters"])))
    with frame.picture:
        picture(
            figures.trained_tree(parts, subject.name),
            key="weights.trained",
            name=f"{subject.run.id}-trained",
            alt=figures.trained_tree_alt(parts),
            table=parts,
        ).caption(findings.quiet_line(job))


def _show_job(frame: Frame, subject: WeightsSubject, other: Run | None) -> None:
    """Offer to measure, or show how far that is."""
    runs = [subject.run, *([other] if other else [])]
    names = " and ".join(styles_by_run(runs)[run.id].name for run in runs)
    frame.say(f"Nothing is measured yet of {names}.")
    with frame.picture:
        job_panel.show_job(
            WeightsJob,
            subject.request(other),
            lambda job: None,
            WHAT,
            "Every weight that the run changes is set beside the base's own, seed by seed; seconds "
            "on a small base, a few minutes where large matrices are decomposed.",
        )


VIEWS: dict[str, Callable[[Frame, WeightsSubject, Sequence[Run]], None]] = {
    "Map": show_map,
    "Overlap": show_overlap,
    "What trains": show_trained,
    "Combine": combining_view.show_combining,
}
