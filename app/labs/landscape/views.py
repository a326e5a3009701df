"""Views of the Landscape page: loss surfaces, cuts, and the way between two adapters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import pandas as pd
import streamlit as st

from app.figures import landscape as figures
from app.figures.landscape_surface import surface_scene
from app.labs.landscape import findings, point_panel, selection, surface_component
from app.labs.landscape.selection import COARSE_STEPS, FINE_STEPS, LAB, LandscapeSubject
from app.ui import charts, job_panel, widgets
from app.ui.frame import Frame
from app.ui.subject import Choice, remember
from peftcore.analysis import simplex
from peftcore.labs.landscape.request import LandscapeJob, LandscapeKind, LandscapeRequest
from peftcore.runs.store import Run

SURFACE_TITLES: dict[LandscapeKind, str] = {
    "face": "A face of the simplex",
    "vertices": "Plane of the vertices",
    "random": "Random directions",
    "path": "Training path",
    "plane": "Through three adapters",
}
GRID_TITLES = {COARSE_STEPS: "Coarse", FINE_STEPS: "Fine"}
SURFACE_NOTES: dict[LandscapeKind, str] = {
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


def show_surface(frame: Frame, subject: LandscapeSubject) -> None:
    """Show loss or score as a map or a 3D surface."""
    kinds = [k for k in SURFACE_TITLES if subject.vertices > 2 or k not in ("face", "vertices")]
    if not subject.run.intermediate_steps():
        kinds.remove("path")
    with frame.side:
        kind = Choice(
            LAB, "surface", "Surface", kinds, option_text=SURFACE_TITLES.__getitem__
        ).as_list(label_visibility="collapsed")
        display = Choice(LAB, "shape", "Shown as", ["Map", "3D surface"]).as_buttons(
            label_visibility="collapsed"
        )
        place = st.container()
    turn = " Drag the surface to turn it, or use the arrow keys." if display != "Map" else ""
    frame.explain(f"{SURFACE_NOTES[kind]}{turn}")
    with frame.more():
        metric = Choice(LAB, "metric", "Score the answers, too", [False, True]).as_toggle(
            help="Every point answers the examples; takes several times as long as the loss"
        )
        job_request = _pick_request(subject, kind, metric)
        if job_request is not None:
            job_request = _pick_grid(subject, job_request)
    if job_request is None:
        with frame.picture:
            st.info("Choose three different adapters or corners, behind More.")
        return

    def show(landscape: LandscapeJob) -> None:
        _show_pictures(landscape, display == "3D surface")
        # A surface that grows is drawn by itself and cannot reach beside the picture.
        with st.container() if landscape.status().active else place:
            point_panel.show_chosen_point(landscape, landscape.table())

    show_measured(frame, job_request, show, SURFACE_TITLES[kind].lower(), subject)


def show_measured(
    frame: Frame,
    job_request: LandscapeRequest,
    show: Callable[[LandscapeJob], None],
    what: str,
    subject: LandscapeSubject,
) -> None:
    """Show what is known of a measurement as the picture, and what it says as the finding."""
    landscape = LandscapeJob.find(job_request)
    if landscape and landscape.plan():
        frame.say(findings.landscape_finding(landscape))
    with frame.picture:
        seconds = subject.seconds(job_request)
        job_panel.show_job(LandscapeJob, job_request, show, what, seconds=seconds)


def _pick_request(
    subject: LandscapeSubject, kind: LandscapeKind, metric: bool
) -> LandscapeRequest | None:
    """Return the request for a surface of this kind, after its own choices."""
    if kind == "face":
        face = _pick_face(subject)
        if face is None:
            return None
        return subject.job_request("face", face=face, metric=metric)
    if kind == "random":
        radius = Choice(
            LAB,
            "radius",
            "Radius, in lengths of the adapter",
            [0.1, 0.25, 0.5, 1.0, 2.0],
            first=0.5,
        ).as_slider()
        direction_seed = Choice(LAB, "draw", "Random seed", range(1001)).as_number(
            help="Another number, other directions"
        )
        return subject.job_request(kind, radius=radius, draw=int(direction_seed), metric=metric)
    if kind == "plane":
        others = _pick_others(subject, 2)
        return subject.job_request(kind, *others, metric=metric) if others else None
    return subject.job_request(kind, metric=metric)


def _pick_grid(subject: LandscapeSubject, job_request: LandscapeRequest) -> LandscapeRequest:
    """Return the request with a coarse or a fine grid: what is measured first, then what is due."""
    requests = {
        steps: LandscapeRequest.make(job_request.model_dump() | {"steps": steps})
        for steps in GRID_TITLES
    }
    known = [steps for steps, request in requests.items() if LandscapeJob.find(request)]
    steps = Choice(
        LAB,
        "grid",
        "Grid",
        list(requests),
        first=max(known) if known else subject.usual_steps,
        option_text=lambda n: (
            f"{GRID_TITLES[n]}, {requests[n].count_points(subject.vertices)} points"
        ),
    ).as_buttons()
    return requests[steps]


def _pick_face(subject: LandscapeSubject) -> tuple[str, str, str] | None:
    """Three corners: vertices or the centroid; with many vertices some faces are offered."""
    vertices = subject.vertices
    names = [*map(str, range(vertices)), simplex.CENTROID]
    if vertices > 3:
        _suggest_faces(subject)
    corners = [
        Choice(
            LAB,
            f"corner{index + 1}",
            f"Corner {index + 1}",
            names,
            first=names[index],
            option_text=lambda n: "Centroid" if n == simplex.CENTROID else f"Vertex {n}",
        ).as_list()
        for index in range(3)
    ]
    if len(set(corners)) < 3:
        st.info("A face needs three different corners.")
        return None
    return corners[0], corners[1], corners[2]


def _suggest_faces(subject: LandscapeSubject) -> None:
    """Buttons for the faces worth looking at, once the middles of all faces are known."""
    job_request = subject.job_request("scan")
    scan = LandscapeJob.find(job_request)
    if scan is None or scan.status().state != "done":
        count = len(simplex.faces(subject.vertices))
        job_panel.show_job(
            LandscapeJob,
            job_request,
            lambda _: None,
            "the middle of every face",
            f"There are {count} faces; their middles tell which are worth a look.",
            subject.seconds(job_request),
        )
        return
    table = scan.table()
    vertex = table.loc[table["line"] == "vertex", "loss"].tolist()
    faces = table[table["line"] == "face"]
    face_losses = {
        cast("tuple[str, str, str]", tuple(mark.split())): float(loss)
        for mark, loss in zip(faces["mark"], faces["loss"], strict=True)
    }
    with st.container(horizontal=True):
        for suggestion in simplex.suggest_faces(vertex, face_losses):
            st.button(
                f"{suggestion.reason.capitalize()}: {', '.join(suggestion.face)}",
                key=f"landscape.offer.{suggestion.reason}",
                on_click=_select_face,
                args=(suggestion.face,),
                help=("Bend" if "curved" in suggestion.reason else "Loss")
                + f" {suggestion.value:.4f}",
            )


def _select_face(face: tuple[str, str, str]) -> None:
    for index, corner in enumerate(face):
        remember(LAB, f"corner{index + 1}", corner)


def _pick_others(subject: LandscapeSubject, count: int) -> list[str]:
    """Other adapters on the same base and task: results, steps of the path, other seeds."""
    runs = [
        run
        for run in selection.candidate_runs()
        if (run.spec.base, run.spec.task) == (subject.run.spec.base, subject.run.spec.task)
    ]
    titles = _other_adapters(subject, runs)
    adapters = [
        Choice(
            LAB,
            f"adapter{index + 2}",
            "Second adapter" if index == 0 else "Third adapter",
            list(titles),
            first=list(titles)[min(index, len(titles) - 1)],
            option_text=titles.__getitem__,
        ).as_list()
        for index in range(count)
        if titles
    ]
    if len(set(adapters)) < count:
        st.info(f"Choose {count} different adapters beside the run's own.")
        return []
    return adapters


def _other_adapters(subject: LandscapeSubject, runs: Sequence[Run]) -> dict[str, str]:
    """Return every other adapter by its name in a request, with a title.

    Seeds of the same run and results of runs of the same method come first: their shapes agree.
    """
    own_run, titles = subject.run, {}
    labels = selection.run_labels(runs)
    for seed_index, number in enumerate(own_run.spec.population.seed_numbers()):
        if seed_index != subject.seed:
            titles[f"{own_run.id}/{seed_index}"] = f"This run, seed {number}"
    for run in sorted(runs, key=lambda run: run.spec.method != own_run.spec.method):
        if run.id != own_run.id:
            titles[run.id] = labels[run.id]
    for step in own_run.intermediate_steps():
        titles[f"{own_run.id}@{step}"] = f"This run at step {step}"
    return titles


def _show_pictures(landscape: LandscapeJob, as_surface: bool) -> None:
    """Show one or two surfaces, on one scale with comparable ones, and the clicked point."""
    table, facts = landscape.table(), landscape.facts
    values = ["loss"] + ["score"] * bool(table["score"].notna().any())
    similar_tables = [
        similar.table() for similar in selection.comparable_landscapes(landscape.request)
    ]
    for value in values:
        if table[value].dropna().empty:
            continue
        _show_picture(
            landscape,
            table,
            value,
            figures.value_limits([*similar_tables, table], value),
            as_surface,
        )
    note = ""
    if len(similar_tables) > 1:
        note += f"Colours span {len(similar_tables)} pictures of this run. "
    if "shares" in facts:
        first, second = facts["shares"]
        note += f"The two directions hold {100 * (first + second):.0f} % of the spread."
    if note:
        st.caption(note)


def _show_picture(
    landscape: LandscapeJob,
    table: pd.DataFrame,
    value: str,
    scale: tuple[float, float] | None,
    as_surface: bool,
) -> None:
    """Show a map or a 3D surface, its numbers below."""
    key, name = (
        f"landscape.{landscape.id}.{value}",
        f"landscape-{landscape.request.kind}-{landscape.id}-{value}",
    )
    alt = figures.surface_map_alt(table, landscape.facts, value)
    on_point = point_panel.point_setter(landscape)
    point = point_panel.chosen_point(landscape)
    if as_surface:
        surface = surface_scene(table, landscape.facts, value, scale, point)
        surface_component.show_loss_surface(
            surface, key=f"{key}.surface", name=name, alt=alt, on_select=on_point
        )
        quiet = charts.picture_menu(
            f"{key}.surface.saved", name, alt, lambda: _readable_table(table), is_chart=False
        )
    else:
        figure = figures.surface_map(table, landscape.facts, value, scale)
        if point is not None:
            figures.mark_chosen_point(figure, table.loc[point])
        quiet = charts.picture(
            figure,
            key=f"{key}.above",
            name=name,
            alt=alt,
            table=lambda: _readable_table(table),
            on_select=lambda custom: on_point(int(custom[0])),
        )
    quiet.caption(findings.quiet_line(landscape))


def _readable_table(table: pd.DataFrame) -> pd.DataFrame:
    """The points as people read them, without columns that say nothing."""
    readable = table.assign(
        weights=[" ".join(f"{w:.3f}" for w in each) for each in table["weights"]]
    )
    return readable.dropna(axis=1, how="all")


def show_cuts(frame: Frame, subject: LandscapeSubject) -> None:
    """Every edge of the simplex, and centroid to vertices, with barriers."""
    if subject.vertices == 1:
        with frame.picture:
            widgets.empty_state(
                "This run has no edges",
                "It trained a single adapter. A run with two or more vertices has; or look at the "
                "way between two runs, in the view Between two.",
                "train",
            )
        return
    with frame.side:
        line_group = Choice(
            LAB, "lines", "Lines", ["All", "Vertex to vertex", "Centroid to vertex"]
        ).as_list(label_visibility="collapsed")
    frame.explain(
        "Loss along every edge and from the centroid to every vertex, a little beyond both ends. A "
        "barrier is the largest rise above the straight line between the losses at the ends; 0 "
        "means that nothing stands between them."
    )

    def show(landscape: LandscapeJob) -> None:
        table, facts = landscape.table(), landscape.facts
        lines = table
        if line_group != "All":
            from_centroid = table["line"].str.startswith("centroid")
            lines = table[from_centroid if line_group == "Centroid to vertex" else ~from_centroid]
        charts.picture(
            figures.loss_along_lines(lines, facts),
            key=f"landscape.{landscape.id}.cuts",
            name=f"landscape-cuts-{landscape.id}",
            alt=figures.loss_along_lines_alt(lines),
            table=_readable_table(lines),
        ).caption(findings.quiet_line(landscape))
        st.dataframe(
            figures.barrier_table(lines).round(4),
            hide_index=True,
            alt=figures.loss_along_lines_alt(lines),
        )

    job_request = subject.job_request("cuts", steps=12)
    show_measured(frame, job_request, show, "the edges", subject)


def show_connection(frame: Frame, subject: LandscapeSubject) -> None:
    """Mode connectivity: the straight way and a trained curve between two adapters."""
    with frame.side:
        others = _pick_others(subject, 1)
    frame.explain(
        "Are two trained adapters connected by a way of low loss? The straight one, and a "
        "quadratic curve whose bend is trained for it; its ends are the two adapters as they are."
    )
    if not others:
        return

    def show(landscape: LandscapeJob) -> None:
        table, facts = landscape.table(), landscape.facts
        lines = table[table["line"].isin(["straight", "curved"])]
        charts.picture(
            figures.loss_along_lines(lines, facts, title="Straight way and trained curve"),
            key=f"landscape.{landscape.id}.ways",
            name=f"landscape-curve-{landscape.id}",
            alt=figures.loss_along_lines_alt(lines),
            table=_readable_table(lines),
        ).caption(
            f"The bend was trained for {facts['bend_steps']} steps on the seed's training examples "
            f"· {findings.quiet_line(landscape)}"
        )
        st.dataframe(figures.barrier_table(lines).round(4), hide_index=True)
        _show_pictures(landscape, as_surface=False)
        point_panel.show_chosen_point(landscape, table)

    job_request = subject.job_request("curve", *others, steps=16)
    show_measured(frame, job_request, show, "the way between them", subject)
