"""Pictures of the Landscape page: ground from above and in relief, cuts, the way between two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pandas as pd
import streamlit as st

from app.figures import landscape as figures
from app.figures.landscape_surface import relief as in_relief
from app.labs.landscape import point_panel, selection, surface_component
from app.labs.landscape.selection import Subject
from app.ui import charts, job_panel, widgets
from peftcore.analysis import simplex
from peftcore.labs.landscape.request import LandscapeJob, LandscapeKind, LandscapeRequest
from peftcore.runs.store import Run

GROUNDS: dict[LandscapeKind, str] = {
    "face": "A face of the simplex",
    "vertices": "Plane of the vertices",
    "random": "Random directions",
    "path": "Training path",
    "plane": "Through three adapters",
}
NOTES: dict[LandscapeKind, str] = {
    "face": "Every point is an adapter mixed from three corners. The named points are the "
    "corners and the centroid, which is what answers; the rim beyond the triangle is extrapolated.",
    "vertices": "The plane in which the vertices spread most; distances in it are true.",
    "random": "The deployed adapter in the middle, two random directions around it. A direction's "
    "vectors have the lengths of those they change, so that scale alone cannot make it look flat.",
    "path": "The plane in which the adapters kept during training spread most, with the way the "
    "training took projected on it.",
    "plane": "The plane through three adapters whose tensors have the same names and sizes; "
    "distances in it are true.",
}


def ground(subject: Subject) -> None:
    """Loss or score from above or in relief."""
    kinds = [k for k in GROUNDS if subject.vertices > 2 or k not in ("face", "vertices")]
    if not subject.run.intermediate_steps():
        kinds.remove("path")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.selectbox(
            "Ground",
            kinds,
            format_func=GROUNDS.__getitem__,
            key=f"landscape.ground.{len(kinds)}",
            width=260,
        )
        shape = st.segmented_control(
            "Seen",
            ["From above", "In relief"],
            default="From above",
            required=True,
            key="landscape.shape",
        )
        metric = st.toggle(
            "Score the answers, too",
            key="landscape.metric",
            help="Every point answers the examples; takes several times as long as the loss",
        )
    ask = _asked(subject, kind, metric)
    if ask is None:
        return

    def show(found: LandscapeJob) -> None:
        _draw(found, shape == "In relief")

    job_panel.show_job(LandscapeJob, ask, show, GROUNDS[kind].lower(), NOTES[kind])


def _asked(subject: Subject, kind: LandscapeKind, metric: bool) -> LandscapeRequest | None:
    """The ask of a ground, after its own choices."""
    if kind == "face":
        face = _pick_face(subject)
        if face is None:
            return None
        return subject.ask("face", face=face, metric=metric)
    if kind == "random":
        with st.container(horizontal=True):
            radius = st.select_slider(
                "Radius, in lengths of the adapter",
                [0.1, 0.25, 0.5, 1.0, 2.0],
                value=0.5,
                key="landscape.radius",
            )
            draw = st.number_input(
                "Draw",
                0,
                1000,
                0,
                key="landscape.draw",
                help="Another number, other directions",
                width=120,
            )
        return subject.ask(kind, radius=radius, draw=int(draw), metric=metric)
    if kind == "plane":
        others = _pick_others(subject, 2)
        return subject.ask(kind, *others, metric=metric) if others else None
    return subject.ask(kind, metric=metric)


def _pick_face(subject: Subject) -> tuple[str, str, str] | None:
    """Three corners: vertices or the centroid; with many vertices some faces are offered."""
    v = subject.vertices
    names = [*map(str, range(v)), simplex.CENTROID]
    if v > 3:
        _offer(subject)
    key = f"landscape.face.{v}"
    with st.container(horizontal=True):
        chosen = [
            st.selectbox(
                f"Corner {nth + 1}",
                names,
                index=nth,
                format_func=lambda n: "Centroid" if n == simplex.CENTROID else f"Vertex {n}",
                key=f"{key}.{nth}",
                width=150,
            )
            for nth in range(3)
        ]
    if len(set(chosen)) < 3:
        st.info("A face needs three different corners.")
        return None
    return chosen[0], chosen[1], chosen[2]


def _offer(subject: Subject) -> None:
    """Buttons for the faces worth looking at, once the middles of all faces are known."""
    ask = subject.ask("scan")
    found = LandscapeJob.find(ask)
    if found is None or found.status().state != "done":
        count = len(simplex.faces(subject.vertices))
        job_panel.show_job(
            LandscapeJob,
            ask,
            lambda _: None,
            "the middle of every face",
            f"There are {count} faces; their middles tell which are worth a look.",
        )
        return
    table = found.table()
    vertex = table.loc[table["line"] == "vertex", "loss"].tolist()
    faces = table[table["line"] == "face"]
    middles = {
        cast("tuple[str, str, str]", tuple(mark.split())): float(loss)
        for mark, loss in zip(faces["mark"], faces["loss"], strict=True)
    }
    with st.container(horizontal=True):
        for offer in simplex.suggest_faces(vertex, middles):
            st.button(
                f"{offer.reason.capitalize()}: {', '.join(offer.face)}",
                key=f"landscape.offer.{offer.reason}",
                on_click=_take_face,
                args=(subject.vertices, offer.face),
                help=f"{'Bend' if 'curved' in offer.reason else 'Loss'} {offer.value:.4f}",
            )


def _take_face(vertices: int, face: tuple[str, str, str]) -> None:
    for nth, corner in enumerate(face):
        st.session_state[f"landscape.face.{vertices}.{nth}"] = corner


def _pick_others(subject: Subject, count: int) -> list[str]:
    """Other adapters on the same base and task: results, steps of the path, other seeds."""
    runs = [
        run
        for run in selection.candidates()
        if (run.spec.base, run.spec.task) == (subject.run.spec.base, subject.run.spec.task)
    ]
    names = _parts(subject, runs)
    with st.container(horizontal=True):
        chosen = [
            st.selectbox(
                "Second adapter" if nth == 0 else "Third adapter",
                list(names),
                index=min(nth, len(names) - 1),
                format_func=names.__getitem__,
                key=f"landscape.other.{count}.{nth}.{subject.run.id}.{subject.seed}",
            )
            for nth in range(count)
            if names
        ]
    if len(set(chosen)) < count:
        st.info(f"Choose {count} different adapters beside the run's own.")
        return []
    return chosen


def _parts(subject: Subject, runs: Sequence[Run]) -> dict[str, str]:
    """Every other adapter by its name in an ask, with words for people.

    Seeds of the same run and results of runs of the same method come first: their shapes agree.
    """
    own, found = subject.run, {}
    for place, number in enumerate(own.spec.population.seed_numbers()):
        if place != subject.seed:
            found[f"{own.id}/{place}"] = f"This run, seed {number}"
    for run in sorted(runs, key=lambda run: run.spec.method != own.spec.method):
        if run.id != own.id:
            found[run.id] = selection.name(run)
    for step in own.intermediate_steps():
        found[f"{own.id}@{step}"] = f"This run at step {step}"
    return found


def _draw(found: LandscapeJob, relief: bool) -> None:
    """One or two pictures of a ground, on one scale with its kin, and the clicked point."""
    table, facts = found.table(), found.facts
    values = ["loss"] + ["score"] * bool(table["score"].notna().any())
    kin = [each.table() for each in selection.same(found.request)]
    for value in values:
        if table[value].dropna().empty:
            continue
        _shape(found, table, value, figures.limits([*kin, table], value), relief)
    words = NOTES.get(found.request.kind, "")
    if relief:
        words += " Drag the relief to turn it, or use the arrow keys."
    if len(kin) > 1:
        words += f" Colours span {len(kin)} pictures of this run."
    if "shares" in facts:
        first, second = facts["shares"]
        words += f" The two directions hold {100 * (first + second):.0f} % of the spread."
    if words:
        st.caption(words)
    job_panel.measurement_caption(facts)
    point_panel.box(found, table)


def _shape(
    found: LandscapeJob,
    table: pd.DataFrame,
    value: str,
    scale: tuple[float, float] | None,
    relief: bool,
) -> None:
    """A ground from above or in relief, its numbers below."""
    key, name = (
        f"landscape.{found.id}.{value}",
        f"landscape-{found.request.kind}-{found.id}-{value}",
    )
    alt = figures.ground_alt(table, found.facts, value)
    take = point_panel.taker(found)
    point = point_panel.chosen(found)
    if relief:
        drawn = in_relief(table, found.facts, value, scale, point)
        surface_component.draw(drawn, key=f"{key}.relief", name=name, alt=alt, on_select=take)
    else:
        figure = figures.ground(table, found.facts, value, scale)
        if point is not None:
            figures.chosen(figure, table.loc[point])
        charts.chart(
            figure,
            key=f"{key}.above",
            name=name,
            alt=alt,
            on_select=lambda custom: take(int(custom[0])),
        )
    charts.lazy_table(lambda: _plain(table), f"{key}.numbers", name, alt)


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """The points as people read them, without columns that say nothing."""
    shown = table.assign(weights=[" ".join(f"{w:.3f}" for w in each) for each in table["weights"]])
    return shown.dropna(axis=1, how="all")


def cuts(subject: Subject) -> None:
    """Every edge of the simplex, and centroid to vertices, with barriers."""
    if subject.vertices == 1:
        widgets.empty_state(
            "This run has no edges",
            "It trained a single adapter. A run with two or more vertices has; or look at the way "
            "between two runs, in the view Between two.",
            "train",
        )
        return

    def show(found: LandscapeJob) -> None:
        table, facts = found.table(), found.facts
        which = st.segmented_control(
            "Lines",
            ["Vertex to vertex", "Centroid to vertex", "All"],
            default="All",
            required=True,
            key="landscape.lines",
            label_visibility="collapsed",
        )
        kept = table
        if which != "All":
            middle = table["line"].str.startswith("centroid")
            kept = table[middle if which == "Centroid to vertex" else ~middle]
        charts.chart(
            figures.cuts(kept, facts),
            key=f"landscape.{found.id}.cuts",
            name=f"landscape-cuts-{found.id}",
            alt=figures.cuts_alt(kept),
            table=_plain(kept),
        )
        st.dataframe(figures.barriers(kept).round(4), hide_index=True, alt=figures.cuts_alt(kept))
        st.caption(
            "A barrier is the largest rise above the straight line between the losses at the ends; "
            "0 means that nothing stands between them."
        )
        job_panel.measurement_caption(facts)

    st.caption(
        "Loss along every edge and from the centroid to every vertex, a little beyond both ends."
    )
    job_panel.show_job(LandscapeJob, subject.ask("cuts", steps=12), show, "the edges")


def between(subject: Subject) -> None:
    """Mode connectivity: the straight way and a trained curve between two adapters."""
    others = _pick_others(subject, 1)
    if not others:
        return

    def show(found: LandscapeJob) -> None:
        table, facts = found.table(), found.facts
        lines = table[table["line"].isin(["straight", "curved"])]
        charts.chart(
            figures.cuts(lines, facts, title="Straight way and trained curve"),
            key=f"landscape.{found.id}.ways",
            name=f"landscape-curve-{found.id}",
            alt=figures.cuts_alt(lines),
            table=_plain(lines),
        )
        st.dataframe(figures.barriers(lines).round(4), hide_index=True)
        st.caption(
            f"The curve is quadratic; its bend was trained for {facts['bend_steps']} steps on the "
            "seed's training examples, its ends are the two adapters as they are."
        )
        _draw(found, relief=False)

    st.caption(
        "Are two trained adapters connected by a way of low loss? The straight one, and a curve "
        "whose bend is trained for it."
    )
    ask = subject.ask("curve", *others, steps=16)
    job_panel.show_job(LandscapeJob, ask, show, "the way between them")
