"""Builds the points of a landscape and the adapters they lie between.

A point is a row of weights on corners (adapters of equal shape); the weights sum to 1, and may be
negative or above 1 outside the corners' hull.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.adapters.base import HEAD_STATS, METHODS
from peftcore.adapters.simplex_points import random_points, validation_salt
from peftcore.analysis import simplex
from peftcore.errors import BadInput
from peftcore.labs.common import interpolation
from peftcore.labs.common.interpolation import CurveTraining
from peftcore.labs.landscape.context import LandscapeContext
from peftcore.labs.landscape.request import LandscapeRequest
from peftcore.training.checkpoint import load_adapter

PointRow = dict[str, Any]
CURVE_LEARNING_RATE_FACTOR = 0.5  # of the run's own learning rate: the ends are good already
CURVE_BATCH_SIZE = 8
ADAPTER_COUNTS = {"plane": 3, "curve": 2}  # adapters of a kind; all others take one


@dataclass(frozen=True)
class PointGrid:
    """Corners, and the points between them that will be measured."""

    span: AdaptedModel
    seed: int  # of the span: planes through several runs have a single one, 0
    rows: list[PointRow]
    facts: dict[str, Any]

    @property
    def weights(self) -> torch.Tensor:
        """Return the weights of all points, (p, v)."""
        return torch.tensor([row["weights"] for row in self.rows], dtype=torch.float32)


def _point_row(
    weights: Sequence[float] | simplex.Array,
    coords: Sequence[float] | simplex.Array = (),
    *,
    t: float | None = None,
    line: str = "",
    mark: str = "",
) -> PointRow:
    x, y = (float(coords[0]), float(coords[1])) if len(coords) else (None, None)
    return {
        "line": line,
        "t": t,
        "x": x,
        "y": y,
        "mark": mark,
        "weights": [round(float(w), 9) for w in weights],
    }


def build_point_grid(context: LandscapeContext) -> PointGrid:
    """Return the corners of a request and its points, the same ones at every call.

    BadInput if the runs have no such landscape.
    """
    request = context.request
    context.require_runs(ADAPTER_COUNTS.get(request.kind, 1))
    context.seed_number(request.seed)  # BadInput before anything is loaded
    if request.kind in ("plane", "curve"):
        return _grid_between_runs(context)
    if request.kind == "path":
        return _path_plane_grid(context)
    run_span = interpolation.span_of_run(
        load_adapter(context.run, context.base, context.adapter_refs[0].step)
    )
    if request.kind == "random":
        return _random_plane_grid(request, run_span)
    if run_span.vertices == 1:
        raise BadInput(
            f"run {context.run.id} trained a single adapter, not a simplex: ask for random, path, "
            "plane or curve"
        )
    build = {
        "face": _face_grid,
        "scan": _scan_grid,
        "cuts": _edge_grid,
        "vertices": _vertex_plane_grid,
    }[request.kind]
    return build(context, run_span)


def _corner_title(name: str) -> str:
    return "centroid" if name == simplex.CENTROID else f"vertex {name}"


def _face_grid(context: LandscapeContext, run_span: AdaptedModel) -> PointGrid:
    request, v = context.request, run_span.vertices
    for name in request.face:
        if name != simplex.CENTROID and not (name.isdigit() and int(name) < v):
            raise BadInput(f"a corner is a vertex from 0 to {v - 1} or c; got {name!r}")
    corners = np.stack([simplex.corner_weights(name, v) for name in request.face])
    if np.linalg.matrix_rank(corners[1:] - corners[0]) < 2:
        raise BadInput("these corners lie on a line: with two vertices there is no face")
    grid = simplex.triangle_lattice(request.steps, request.beyond)
    weights, coords = (
        simplex.face_to_vertex_weights(grid, request.face, v),
        simplex.triangle_coords(grid),
    )
    rows = [_point_row(w, a) for w, a in zip(weights, coords, strict=True)]
    marks = {_corner_title(name): np.eye(3)[k] for k, name in enumerate(request.face)}
    if simplex.CENTROID not in request.face:
        marks["centroid" if v == 3 else "middle of the face"] = np.full(3, 1 / 3)
    for name, point in marks.items():
        matching = np.flatnonzero(np.abs(grid - point).max(1) < 1e-9)
        if len(matching):
            rows[matching[0]]["mark"] = name
        else:
            rows.append(
                _point_row(
                    simplex.face_to_vertex_weights(point[None], request.face, v)[0],
                    simplex.triangle_coords(point[None])[0],
                    mark=name,
                )
            )
    facts: dict[str, Any] = {"corners": [_corner_title(name) for name in request.face]}
    if v == 3 and simplex.CENTROID not in request.face:
        facts |= {"sampled": _validation_points(context, request.face)}
    return PointGrid(run_span, request.seed, rows, facts)


def _validation_points(context: LandscapeContext, face: Sequence[str]) -> list[list[float]]:
    """Return x and y of the points at which the first random copy of validation was read.

    Those of the step that was kept, so that they are what the choice of the step rested on.
    """
    status, training = context.run.status(), context.run.spec.training
    if training.validation != "stochastic" or context.request.seed >= len(status.seeds):
        return []
    step = status.seeds[context.request.seed]["best_step"]
    number = context.seed_number(context.request.seed)
    rows, order = 2 * training.batch, [int(name) for name in face]  # rows of one pass in training
    points = [
        random_points([number], min(rows, training.dev - at), 3, validation_salt(step, 0, at))[0]
        for at in range(0, training.dev, rows)
    ]
    at = simplex.triangle_coords(torch.cat(points).double().numpy()[:, order])
    return [[round(float(x), 4), round(float(y), 4)] for x, y in at]


def _scan_grid(context: LandscapeContext, run_span: AdaptedModel) -> PointGrid:
    v = run_span.vertices
    rows = [
        _point_row(simplex.corner_weights(str(k), v), line="vertex", mark=str(k)) for k in range(v)
    ]
    rows.append(_point_row(simplex.corner_weights(simplex.CENTROID, v), line="centroid", mark="c"))
    for face in simplex.faces(v):
        middle = simplex.face_to_vertex_weights(np.full((1, 3), 1 / 3), face, v)[0]
        rows.append(_point_row(middle, line="face", mark=" ".join(face)))
    return PointGrid(run_span, context.request.seed, rows, {})


def _edge_grid(context: LandscapeContext, run_span: AdaptedModel) -> PointGrid:
    request, v, rows = context.request, run_span.vertices, []
    for first, second in simplex.edges(v):
        ends = simplex.corner_weights(first, v), simplex.corner_weights(second, v)
        t, weights = simplex.line_points(*ends, request.steps, request.beyond)
        line = f"{_corner_title(first)} to {_corner_title(second)}"
        rows += [
            _point_row(w, t=float(t_value), line=line)
            for t_value, w in zip(t, weights, strict=True)
        ]
    return PointGrid(run_span, request.seed, rows, {})


def _plane_rows(
    span: AdaptedModel,
    seed: int,
    plane: simplex.AdapterPlane,
    names: Sequence[str],
    steps: int,
    line: str,
) -> list[PointRow]:
    """Return the corners at their places on the plane, and a grid of the plane around them.

    A corner off the plane is still measured as itself, not at its projection.
    """
    v = span.vertices
    coords = plane.project(interpolation.gram(span, seed).numpy(), np.eye(v))
    rows = [
        _point_row(np.eye(v)[k], coords[k], line=line, mark=name, t=float(k))
        for k, name in enumerate(names)
    ]
    grid = simplex.plane_grid(coords, steps)
    rows += [_point_row(w, a) for w, a in zip(plane.weights(grid), grid, strict=True)]
    return rows


def _checked_plane(build: Callable[[], simplex.AdapterPlane]) -> simplex.AdapterPlane:
    try:
        return build()
    except ValueError as error:
        raise BadInput(str(error)) from None


def _vertex_plane_grid(context: LandscapeContext, run_span: AdaptedModel) -> PointGrid:
    request = context.request
    gram = interpolation.gram(run_span, request.seed).numpy()
    plane = _checked_plane(lambda: simplex.main_plane(gram))
    names = [_corner_title(str(index)) for index in range(run_span.vertices)]
    rows = _plane_rows(run_span, request.seed, plane, names, request.steps, "vertex")
    rows.insert(
        run_span.vertices, _point_row(plane.middle, (0.0, 0.0), line="vertex", mark="centroid")
    )
    facts = {"shares": list(plane.shares), "axes": ["First direction", "Second direction"]}
    return PointGrid(run_span, request.seed, rows, facts)


def _random_plane_grid(request: LandscapeRequest, run_span: AdaptedModel) -> PointGrid:
    span = interpolation.span_around(
        interpolation.centroid_span(run_span), 2, request.normalisation, request.draw
    )
    offsets = np.linspace(-request.radius, request.radius, request.steps + 1)
    coords = np.stack([grid.ravel() for grid in np.meshgrid(offsets, offsets)], 1)
    rows = [_point_row([1, 0, 0], (0.0, 0.0), mark="adapter")]
    rows += [_point_row([1 - x - y, x, y], (x, y)) for x, y in coords]
    unit = "lengths of the adapter" if request.normalisation != "none" else "standard normal draws"
    facts = {
        "normalisation": request.normalisation,
        "axes": [f"First random direction ({unit})", f"Second random direction ({unit})"],
        "draw": request.draw,
    }
    return PointGrid(span, request.seed, rows, facts)


def _path_plane_grid(context: LandscapeContext) -> PointGrid:
    request, run, steps = context.request, context.run, context.run.intermediate_steps()
    if len(steps) < 3:
        raise BadInput(f"run {run.id} kept {len(steps)} steps of its path; a plane needs three")
    spans = [interpolation.span_of_run(load_adapter(run, context.base, step)) for step in steps]
    spans.append(interpolation.span_of_run(load_adapter(run, context.base)))
    span = interpolation.span_of_centroids(spans, [[request.seed]] * len(spans))
    gram = interpolation.gram(span, 0).numpy()
    plane = _checked_plane(lambda: simplex.main_plane(gram))
    names = [*(f"step {step}" for step in steps), "result"]
    rows = _plane_rows(span, 0, plane, names, request.steps, "path")
    seed_statuses = run.status().seeds
    facts = {
        "shares": list(plane.shares),
        "axes": ["First direction of the path", "Second direction of the path"],
        "best_step": seed_statuses[request.seed]["best_step"]
        if request.seed < len(seed_statuses)
        else None,
    }
    return PointGrid(span, 0, rows, facts)


def _grid_between_runs(context: LandscapeContext) -> PointGrid:
    """Return the plane through three adapters, or the straight and the trained way between two."""
    request = context.request
    spans, seeds, names = [], [], []
    for part, run in zip(context.adapter_refs, context.runs, strict=True):
        seed = request.seed if part.seed is None else part.seed
        if seed >= run.spec.population.seeds:
            raise BadInput(
                f"run {run.id} has seeds 0 to {run.spec.population.seeds - 1}; got {seed}"
            )
        spans.append(interpolation.span_of_run(load_adapter(run, context.base, part.step)))
        seeds.append([seed])
        step = "" if part.step is None else f", step {part.step}"
        names.append(f"{METHODS[run.spec.method].title} {run.id[:4]}{step}, seed {seed}")
    span = interpolation.span_of_centroids(spans, seeds)
    if request.kind == "plane":
        plane = _checked_plane(lambda: simplex.plane_through(interpolation.gram(span, 0).numpy()))
        rows = _plane_rows(span, 0, plane, names, request.steps, "adapter")
        facts = {"axes": ["Distance along the first edge", "Distance off the first edge"]}
        return PointGrid(span, 0, rows, facts)
    span = _load_or_train_curve(context, span)
    return _curve_grid(request, span, names)


def _load_or_train_curve(context: LandscapeContext, ends: AdaptedModel) -> AdaptedModel:
    """Return start, bend and end of the curve, trained unless an earlier start did that."""
    path = context.job.folder / "bend.safetensors"
    if path.is_file():
        tensors = load_file(path)
        # Of earlier versions it lacks what standardises a head, which all points share.
        shared = {
            n: t.expand(-1, 3, *t.shape[2:]) for n, t in ends.tensors.items() if n in HEAD_STATS
        }
        return ends.with_tensors(
            {name: (shared | tensors)[name].to(context.base.device) for name in ends.tensors}
        )
    request, spec = context.request, context.run.spec
    examples = context.episode(request.seed).train

    def report_step(step: int, loss: float) -> None:
        context.done, context.total = step, request.bend_steps
        context.report_progress(f"Training the curve, loss {loss:.3f}")

    training = CurveTraining(
        steps=request.bend_steps,
        learning_rate=CURVE_LEARNING_RATE_FACTOR * (spec.training.learning_rate or 1e-3),
        batch_size=min(CURVE_BATCH_SIZE, len(examples)),
        seed_number=context.seed_number(request.seed),
        autocast=context.run_dtype(),
    )
    curve = interpolation.train_bezier_curve(
        ends, 0, examples, context.batcher, training, report_step
    )
    save_file({name: t.detach().cpu().contiguous() for name, t in curve.tensors.items()}, path)
    return curve


def _curve_grid(request: LandscapeRequest, span: AdaptedModel, names: Sequence[str]) -> PointGrid:
    """Return points along the straight and the curved way, and of the plane both lie in."""
    gram = interpolation.gram(span, 0).numpy()
    t = np.linspace(0, 1, request.steps + 1)
    weights_by_line = {
        "straight": np.stack([1 - t, 0 * t, t], 1),
        "curved": simplex.bezier_weights(t),
    }
    try:
        plane = simplex.plane_through(gram, (0, 2, 1))
    except ValueError:  # the bend did not leave the straight line
        plane = None
    rows = []
    for line, weights in weights_by_line.items():
        coords = plane.project(gram, weights) if plane else [() for _ in t]
        rows += [
            _point_row(w, a, t=float(t_value), line=line)
            for t_value, w, a in zip(t, weights, coords, strict=True)
        ]
    for start in (0, len(t)):
        rows[start]["mark"], rows[start + request.steps]["mark"] = names[0], names[1]
    if plane:
        grid = simplex.plane_grid(plane.project(gram, np.eye(3)), request.steps)
        rows += [_point_row(w, a) for w, a in zip(plane.weights(grid), grid, strict=True)]
    facts = {
        "axes": ["Distance along the straight way", "Distance off the straight way"],
        "ends": list(names),
        "bend_steps": request.bend_steps,
    }
    return PointGrid(span, 0, rows, facts)
