"""Which points a landscape has, and between which adapters: faces, cuts, planes, paths, curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.adapters.base import METHODS
from peftcore.adapters.simplex_points import random_points, validation_salt
from peftcore.analysis import simplex
from peftcore.errors import BadInput
from peftcore.jobs.background import AdapterRef
from peftcore.labs.common import interpolation
from peftcore.labs.landscape.context import Survey
from peftcore.labs.landscape.request import Ask
from peftcore.runs.store import Run
from peftcore.training.checkpoint import load_adapter

Row = dict[str, Any]
WORDS = {"filter": "each vector", "tensor": "each tensor", "none": "nothing"}
BEND_RATE = 0.5  # of the run's own learning rate: the ends are good already
BEND_BATCH = 8


@dataclass(frozen=True)
class Ground:
    """Corners, and the points on them that will be measured."""

    terrain: AdaptedModel
    seed: int  # of the terrain
    rows: list[Row]
    facts: dict[str, Any]

    @property
    def weights(self) -> torch.Tensor:
        """All points (p, v)."""
        return torch.tensor([row["weights"] for row in self.rows], dtype=torch.float32)


def _row(
    weights: Sequence[float] | simplex.Array,
    at: Sequence[float] | simplex.Array = (),
    *,
    t: float | None = None,
    line: str = "",
    mark: str = "",
) -> Row:
    x, y = (float(at[0]), float(at[1])) if len(at) else (None, None)
    return {
        "line": line,
        "t": t,
        "x": x,
        "y": y,
        "mark": mark,
        "weights": [round(float(w), 9) for w in weights],
    }


def prepare(survey: Survey, parts: Sequence[AdapterRef], runs: Sequence[Run]) -> Ground:
    """The corners of an ask and its points, the same whenever it is called."""
    ask = survey.ask
    many = {"plane": 3, "curve": 2}
    wanted = many.get(ask.kind, 1)
    if len(parts) != wanted:
        raise BadInput(f"{ask.kind} needs {wanted} adapter{'s' * (wanted > 1)}; got {len(parts)}")
    survey.number(ask.seed)
    if ask.kind in ("plane", "curve"):
        return _between(survey, parts, runs)
    if ask.kind == "path":
        return _path(survey, runs[0])
    own = interpolation.span_of_run(load_adapter(runs[0], survey.base, parts[0].step))
    if ask.kind == "random":
        return _random(ask, own)
    if own.vertices == 1:
        raise BadInput(
            f"run {runs[0].id} trained a single adapter, not a simplex: ask for random, path, "
            "plane or curve"
        )
    make = {"face": _face, "scan": _scan, "cuts": _cuts, "vertices": _vertices}[ask.kind]
    return make(survey, own)


def _named(name: str) -> str:
    return "centroid" if name == simplex.CENTROID else f"vertex {name}"


def _face(survey: Survey, own: AdaptedModel) -> Ground:
    ask, v = survey.ask, own.vertices
    for name in ask.face:
        if name != simplex.CENTROID and not (name.isdigit() and int(name) < v):
            raise BadInput(f"a corner is a vertex from 0 to {v - 1} or c; got {name!r}")
    corners = np.stack([simplex.corner_weights(name, v) for name in ask.face])
    if np.linalg.matrix_rank(corners[1:] - corners[0]) < 2:
        raise BadInput("these corners lie on a line: with two vertices there is no face")
    grid = simplex.triangle_lattice(ask.steps, ask.beyond)
    weights, at = simplex.face_to_vertex_weights(grid, ask.face, v), simplex.triangle_coords(grid)
    rows = [_row(w, a) for w, a in zip(weights, at, strict=True)]
    marks = {_named(name): np.eye(3)[k] for k, name in enumerate(ask.face)}
    if simplex.CENTROID not in ask.face:
        marks["centroid" if v == 3 else "middle of the face"] = np.full(3, 1 / 3)
    for name, point in marks.items():
        here = np.flatnonzero(np.abs(grid - point).max(1) < 1e-9)
        if len(here):
            rows[here[0]]["mark"] = name
        else:
            rows.append(
                _row(
                    simplex.face_to_vertex_weights(point[None], ask.face, v)[0],
                    simplex.triangle_coords(point[None])[0],
                    mark=name,
                )
            )
    facts: dict[str, Any] = {"corners": [_named(name) for name in ask.face]}
    if v == 3 and simplex.CENTROID not in ask.face:
        facts |= {"sampled": _sampled(survey, ask.face)}
    return Ground(own, ask.seed, rows, facts)


def _sampled(survey: Survey, face: Sequence[str]) -> list[list[float]]:
    """Where the first random copy of the validation set sat at the kept step, as x and y."""
    status, t = survey.run.status(), survey.run.spec.training
    if t.validation != "stochastic" or survey.ask.seed >= len(status.seeds):
        return []
    step = status.seeds[survey.ask.seed]["best_step"]
    number = survey.number(survey.ask.seed)
    per, order = 2 * t.batch, [int(name) for name in face]
    drawn = [
        random_points([number], min(per, t.dev - at), 3, validation_salt(step, 0, at))[0]
        for at in range(0, t.dev, per)
    ]
    at = simplex.triangle_coords(torch.cat(drawn).double().numpy()[:, order])
    return [[round(float(x), 4), round(float(y), 4)] for x, y in at]


def _scan(survey: Survey, own: AdaptedModel) -> Ground:
    v = own.vertices
    rows = [_row(simplex.corner_weights(str(k), v), line="vertex", mark=str(k)) for k in range(v)]
    rows.append(_row(simplex.corner_weights(simplex.CENTROID, v), line="centroid", mark="c"))
    for face in simplex.faces(v):
        middle = simplex.face_to_vertex_weights(np.full((1, 3), 1 / 3), face, v)[0]
        rows.append(_row(middle, line="face", mark=" ".join(face)))
    return Ground(own, survey.ask.seed, rows, {})


def _cuts(survey: Survey, own: AdaptedModel) -> Ground:
    ask, v, rows = survey.ask, own.vertices, []
    for one, other in simplex.edges(v):
        ends = simplex.corner_weights(one, v), simplex.corner_weights(other, v)
        t, weights = simplex.line_points(*ends, ask.steps, ask.beyond)
        line = f"{_named(one)} to {_named(other)}"
        rows += [_row(w, t=float(s), line=line) for s, w in zip(t, weights, strict=True)]
    return Ground(own, ask.seed, rows, {})


def _in_plane(
    ground: AdaptedModel,
    seed: int,
    plane: simplex.AdapterPlane,
    names: Sequence[str],
    steps: int,
    line: str,
) -> list[Row]:
    """The corners where they fall on the plane, as themselves, and a grid of the plane around."""
    v = ground.vertices
    at = plane.project(interpolation.gram(ground, seed).numpy(), np.eye(v))
    rows = [
        _row(np.eye(v)[k], at[k], line=line, mark=name, t=float(k)) for k, name in enumerate(names)
    ]
    grid = simplex.plane_grid(at, steps)
    rows += [_row(w, a) for w, a in zip(plane.weights(grid), grid, strict=True)]
    return rows


def _plane(make: Callable[[], simplex.AdapterPlane]) -> simplex.AdapterPlane:
    try:
        return make()
    except ValueError as error:
        raise BadInput(str(error)) from None


def _vertices(survey: Survey, own: AdaptedModel) -> Ground:
    ask = survey.ask
    gram = interpolation.gram(own, ask.seed).numpy()
    plane = _plane(lambda: simplex.main_plane(gram))
    names = [_named(str(k)) for k in range(own.vertices)]
    rows = _in_plane(own, ask.seed, plane, names, ask.steps, "vertex")
    rows.insert(own.vertices, _row(plane.middle, (0.0, 0.0), line="vertex", mark="centroid"))
    facts = {"shares": list(plane.shares), "axes": ["First direction", "Second direction"]}
    return Ground(own, ask.seed, rows, facts)


def _random(ask: Ask, own: AdaptedModel) -> Ground:
    ground = interpolation.span_around(
        interpolation.centroid_span(own), 2, ask.normalisation, ask.draw
    )
    reach = np.linspace(-ask.radius, ask.radius, ask.steps + 1)
    at = np.stack([grid.ravel() for grid in np.meshgrid(reach, reach)], 1)
    rows = [_row([1, 0, 0], (0.0, 0.0), mark="adapter")]
    rows += [_row([1 - x - y, x, y], (x, y)) for x, y in at]
    unit = "lengths of the adapter" if ask.normalisation != "none" else "standard normal draws"
    facts = {
        "normalisation": ask.normalisation,
        "axes": [f"First random direction ({unit})", f"Second random direction ({unit})"],
        "draw": ask.draw,
    }
    return Ground(ground, ask.seed, rows, facts)


def _path(survey: Survey, run: Run) -> Ground:
    ask, steps = survey.ask, run.path_steps()
    if len(steps) < 3:
        raise BadInput(f"run {run.id} kept {len(steps)} steps of its path; a plane needs three")
    made = [interpolation.span_of_run(load_adapter(run, survey.base, step)) for step in steps]
    made.append(interpolation.span_of_run(load_adapter(run, survey.base)))
    ground = interpolation.span_of_centroids(made, [[ask.seed]] * len(made))
    gram = interpolation.gram(ground, 0).numpy()
    plane = _plane(lambda: simplex.main_plane(gram))
    names = [*(f"step {step}" for step in steps), "result"]
    rows = _in_plane(ground, 0, plane, names, ask.steps, "path")
    best = survey.run.status().seeds
    facts = {
        "shares": list(plane.shares),
        "axes": ["First direction of the path", "Second direction of the path"],
        "best_step": best[ask.seed]["best_step"] if ask.seed < len(best) else None,
    }
    return Ground(ground, 0, rows, facts)


def _between(survey: Survey, parts: Sequence[AdapterRef], runs: Sequence[Run]) -> Ground:
    """Plane through three adapters, or straight and trained way between two."""
    ask = survey.ask
    made, seeds, names = [], [], []
    for part, run in zip(parts, runs, strict=True):
        seed = ask.seed if part.seed is None else part.seed
        if seed >= run.spec.population.seeds:
            raise BadInput(
                f"run {run.id} has seeds 0 to {run.spec.population.seeds - 1}; got {seed}"
            )
        made.append(interpolation.span_of_run(load_adapter(run, survey.base, part.step)))
        seeds.append([seed])
        step = "" if part.step is None else f", step {part.step}"
        names.append(f"{METHODS[run.spec.method].title} {run.id[:4]}{step}, seed {seed}")
    ground = interpolation.span_of_centroids(made, seeds)
    if ask.kind == "plane":
        plane = _plane(lambda: simplex.plane_through(interpolation.gram(ground, 0).numpy()))
        rows = _in_plane(ground, 0, plane, names, ask.steps, "adapter")
        facts = {"axes": ["Distance along the first edge", "Distance off the first edge"]}
        return Ground(ground, 0, rows, facts)
    ground = _bent(survey, ground)
    return _curve(ask, ground, names)


def _bent(survey: Survey, ends: AdaptedModel) -> AdaptedModel:
    """Start, bend and end of the curve, trained unless that was done before."""
    from safetensors.torch import load_file, save_file

    path = survey.landscape.folder / "bend.safetensors"
    if path.is_file():
        held = load_file(path)
        return ends.with_tensors({name: held[name].to(survey.base.device) for name in ends.tensors})
    ask, spec = survey.ask, survey.run.spec
    number = survey.number(ask.seed)
    episode = survey.task.few_shot(spec.training.shots, number, spec.training.dev).train

    def tell(step: int, loss: float) -> None:
        survey.tell(step, ask.bend_steps, f"Bending the curve, loss {loss:.3f}")

    made = interpolation.train_bezier_curve(
        ends,
        0,
        episode,
        survey.encoder,
        steps=ask.bend_steps,
        learning_rate=BEND_RATE * (spec.training.learning_rate or 1e-3),
        batch_size=min(BEND_BATCH, len(episode)),
        seed_number=number,
        autocast=survey.wanted(),
        report=tell,
        stop=survey.landscape.stop_requested,
    )
    save_file({name: t.detach().cpu().contiguous() for name, t in made.tensors.items()}, path)
    return made


def _curve(ask: Ask, ground: AdaptedModel, names: Sequence[str]) -> Ground:
    """Points along the straight and the curved way, and of the plane both lie in."""
    gram = interpolation.gram(ground, 0).numpy()
    t = np.linspace(0, 1, ask.steps + 1)
    ways = {"straight": np.stack([1 - t, 0 * t, t], 1), "curved": simplex.bezier_weights(t)}
    try:
        plane = simplex.plane_through(gram, (0, 2, 1))
    except ValueError:  # the bend did not leave the straight line
        plane = None
    rows = []
    for line, weights in ways.items():
        at = plane.project(gram, weights) if plane else [() for _ in t]
        rows += [_row(w, a, t=float(s), line=line) for s, w, a in zip(t, weights, at, strict=True)]
    for first in (0, len(t)):
        rows[first]["mark"], rows[first + ask.steps]["mark"] = names[0], names[1]
    if plane:
        grid = simplex.plane_grid(plane.project(gram, np.eye(3)), ask.steps)
        rows += [_row(w, a) for w, a in zip(plane.weights(grid), grid, strict=True)]
    facts = {
        "axes": ["Distance along the straight way", "Distance off the straight way"],
        "ends": list(names),
        "bend_steps": ask.bend_steps,
    }
    return Ground(ground, 0, rows, facts)
