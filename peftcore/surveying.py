"""Computing a landscape: which points, on which ground, with which examples, and what was seen.

Points are measured corners first and then in a shuffled order, so that a partial picture is
already one of the whole.  Whatever was measured before is not measured again.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from peftcore import planning, tasks, terrain
from peftcore.analysis import flatness, simplex
from peftcore.base import BaseModel, load
from peftcore.batches import Encoder
from peftcore.errors import BadInput
from peftcore.evaluation import examples_to_answer
from peftcore.landscapes import Ask, Landscape
from peftcore.measurements import Part, Status
from peftcore.performing import load_adapter
from peftcore.population import random_points, validation_salt
from peftcore.runs import Run, RunStore
from peftcore.spec import Evaluation
from peftcore.tasks.base import Example, Task
from peftcore.terrain import Surveyor, Terrain
from peftcore.training import precision

Row = dict[str, Any]
PLANAR = ("face", "scan", "cuts", "vertices", "random", "path", "plane", "curve")
WORDS = {"filter": "each vector", "tensor": "each tensor", "none": "nothing"}
BEND_RATE = 0.5  # of the run's own learning rate: the ends are good already
BEND_BATCH = 8
EDGES = 15  # edges whose barriers go into the flatness of a simplex
INNER = 5  # points inside an edge


@dataclass
class Survey:
    """Everything a landscape needs at hand."""

    landscape: Landscape
    base: BaseModel
    run: Run
    task: Task
    encoder: Encoder
    report: Callable[[Status], None]
    stop: Callable[[], bool]
    began: float
    before: float  # seconds of earlier sittings

    @property
    def ask(self) -> Ask:
        """What was asked."""
        return self.landscape.ask

    def tell(self, done: int, of: int, message: str = "") -> None:
        """Write down how far it is; InterruptedError if somebody asked for the end."""
        seconds = self.before + time.monotonic() - self.began
        status = self.landscape.write_status(
            state="working", done=done, of=of, message=message, seconds=seconds
        )
        self.report(status)
        if self.stop() or self.landscape.stop_asked():
            raise InterruptedError

    def number(self, seed: int) -> int:
        """The number of a seed counted from 0."""
        numbers = self.run.spec.population.numbers()
        if seed >= len(numbers):
            raise BadInput(f"seed must lie in [0, {len(numbers) - 1}]; got {seed}")
        return numbers[seed]

    def examples(self, seed: int, split: str | None = None) -> list[Example]:
        """The examples that are read for a seed."""
        split, n = split or self.ask.split, self.ask.examples
        t = self.run.spec.training
        if split in ("dev", "train"):
            drawn = self.task.few_shot(t.shots, self.number(seed), t.dev)
            rows = drawn.dev if split == "dev" else drawn.train
        else:
            whole = "test" if split == "test" else "validation"
            rows = examples_to_answer(self.task, Evaluation(split=whole, limit=n or 100_000))
        return list(rows[: n or len(rows)])

    def wanted(self) -> torch.dtype | None:
        """The arithmetic the run itself would use."""
        return precision(self.run.spec.training.precision, self.base.device)


def carry_out(
    landscape: Landscape,
    *,
    device: str = "cpu",
    base: BaseModel | None = None,
    report: Callable[[Status], None] = lambda status: None,
    stop: Callable[[], bool] = lambda: False,
) -> Status:
    """Bring a landscape to its end, or to where it is stopped; returns its status."""
    return landscape.carried_out(lambda: _work(landscape, device, base, report, stop))


def _work(
    landscape: Landscape,
    device: str,
    base: BaseModel | None,
    report: Callable[[Status], None],
    stop: Callable[[], bool],
) -> None:
    ask, store = landscape.ask, RunStore()
    parts = ask.parts()
    runs = [store.open(part.run) for part in parts]
    _same(runs)
    first = runs[0]
    base = base or load(first.spec.base, device)
    task = tasks.find(first.spec.task)
    encoder = Encoder(base, task.labels, planning.room(first.spec, base))
    before = landscape.status().seconds
    began = time.monotonic()
    survey = Survey(landscape, base, first, task, encoder, report, stop, began, before)
    survey.tell(landscape.status().done, landscape.status().of, "Putting the adapters on")
    _refresh(landscape, runs, parts)
    if ask.kind in PLANAR:
        _points(survey, parts, runs)
    elif ask.kind == "flatness":
        _flatness(survey)
    else:
        _validation(survey)


def _same(runs: Sequence[Run]) -> None:
    for run in runs[1:]:
        if run.spec.base != runs[0].spec.base:
            raise BadInput(
                f"run {run.id} rests on {run.spec.base} and {runs[0].id} on {runs[0].spec.base}"
            )
        if run.spec.task != runs[0].spec.task:
            raise BadInput(
                f"run {run.id} learnt {run.spec.task} and {runs[0].id} {runs[0].spec.task}: losses "
                "of different tasks have no ground in common"
            )


def _refresh(landscape: Landscape, runs: Sequence[Run], parts: Sequence[Part]) -> None:
    """Forget what was measured if an adapter has changed since."""
    stamps = [_stamp(run, part.step) for run, part in zip(runs, parts, strict=True)]
    if landscape.facts.get("adapters", stamps) != stamps:
        landscape.clear()


def _stamp(run: Run, step: int | None) -> str:
    path = run.folder / "adapter.safetensors" if step is None else run.path_file(step)
    if not path.is_file():
        raise BadInput(
            f"run {run.id} has no adapter yet: it is {run.status().state}"
            if step is None
            else f"run {run.id} kept no adapter of step {step}; steps kept: "
            f"{', '.join(map(str, run.path_steps())) or 'none'}"
        )
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


@dataclass(frozen=True)
class Ground:
    """Corners, and the points on them that will be measured."""

    terrain: Terrain
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


def _points(survey: Survey, parts: Sequence[Part], runs: Sequence[Run]) -> None:
    ground = prepare(survey, parts, runs)
    rows = survey.examples(survey.ask.seed)
    surveyor = Surveyor(ground.terrain, ground.seed, rows, survey.encoder)
    known = survey.landscape.plan()
    if known:
        arithmetic = known["facts"]["arithmetic"]
    else:
        marked = [i for i, row in enumerate(ground.rows) if row["mark"]][:6]
        probes = ground.weights[marked or [0]]
        half = surveyor.arithmetic(probes, survey.wanted())
        arithmetic = "fp32" if half is None else "bf16"
        facts = _facts(survey, parts, runs, rows) | ground.facts | {"arithmetic": arithmetic}
        survey.landscape.write_plan(facts, ground.rows)
    surveyor.autocast = torch.bfloat16 if arithmetic == "bf16" else None
    _measure(survey, ground, surveyor)


def _facts(
    survey: Survey, parts: Sequence[Part], runs: Sequence[Run], rows: Sequence[Example]
) -> dict[str, Any]:
    """What a reader must know to judge the figure."""
    ask = survey.ask
    return {
        "base": survey.base.name,
        "fingerprint": survey.base.fingerprint,
        "task": survey.run.spec.task,
        "data_hash": survey.task.data_hash(),
        "methods": [run.spec.method for run in runs],
        "metric": survey.task.main_metric,
        "split": ask.split,
        "n": len(rows),
        "seed": survey.number(ask.seed),
        "adapters": [_stamp(run, part.step) for run, part in zip(runs, parts, strict=True)],
        "vertices": survey.run.spec.population.vertices,
    }


def _order(rows: Sequence[Row]) -> list[int]:
    """Marked points first, the others shuffled, the same way every time."""
    others = [i for i, row in enumerate(rows) if not row["mark"]]
    random.Random(0).shuffle(others)
    return [i for i, row in enumerate(rows) if row["mark"]] + others


def _measure(survey: Survey, ground: Ground, surveyor: Surveyor) -> None:
    """Loss at every point, and the score of its answers if that was asked for."""
    whats = ["loss"] + ["score"] * survey.ask.metric
    order, weights = _order(ground.rows), ground.weights
    known: dict[str, set[int]] = {what: set() for what in whats}
    for entry in survey.landscape.entries():
        if entry.get("what") in known:
            known[entry["what"]] |= set(entry["at"])
    of, done = len(order) * len(whats), sum(map(len, known.values()))
    options = survey.run.spec.evaluation
    for what in whats:
        left = [i for i in order if i not in known[what]]
        for at in range(0, len(left), surveyor.block):
            survey.tell(done, of, "Losses" if what == "loss" else "Answers")
            some = left[at : at + surveyor.block]
            if what == "loss":
                values = surveyor.losses(weights[some])
            else:
                told = surveyor.answers(weights[some], survey.task, options, survey.stop)
                name = survey.task.main_metric
                values = [survey.task.score(each, surveyor.examples)[name] for each in told]
            survey.landscape.keep({"what": what, "at": some, "values": values})
            done += len(some)
    survey.tell(done, of)


def prepare(survey: Survey, parts: Sequence[Part], runs: Sequence[Run]) -> Ground:
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
    own = terrain.of_run(load_adapter(runs[0], survey.base, parts[0].step))
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


def _face(survey: Survey, own: Terrain) -> Ground:
    ask, v = survey.ask, own.vertices
    for name in ask.face:
        if name != simplex.CENTROID and not (name.isdigit() and int(name) < v):
            raise BadInput(f"a corner is a vertex from 0 to {v - 1} or c; got {name!r}")
    if len(set(ask.face)) < 3:
        raise BadInput("a face needs three different corners")
    corners = np.stack([simplex.corner(name, v) for name in ask.face])
    if np.linalg.matrix_rank(corners[1:] - corners[0]) < 2:
        raise BadInput("these corners lie on a line: with two vertices there is no face")
    grid = simplex.lattice(ask.steps, ask.beyond)
    weights, at = simplex.on_face(grid, ask.face, v), simplex.flat(grid)
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
                    simplex.on_face(point[None], ask.face, v)[0],
                    simplex.flat(point[None])[0],
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
    at = simplex.flat(torch.cat(drawn).double().numpy()[:, order])
    return [[round(float(x), 4), round(float(y), 4)] for x, y in at]


def _scan(survey: Survey, own: Terrain) -> Ground:
    v = own.vertices
    rows = [_row(simplex.corner(str(k), v), line="vertex", mark=str(k)) for k in range(v)]
    rows.append(_row(simplex.corner(simplex.CENTROID, v), line="centroid", mark="c"))
    for face in simplex.faces(v):
        middle = simplex.on_face(np.full((1, 3), 1 / 3), face, v)[0]
        rows.append(_row(middle, line="face", mark=" ".join(face)))
    return Ground(own, survey.ask.seed, rows, {})


def _cuts(survey: Survey, own: Terrain) -> Ground:
    ask, v, rows = survey.ask, own.vertices, []
    for one, other in simplex.edges(v):
        ends = simplex.corner(one, v), simplex.corner(other, v)
        t, weights = simplex.cut(*ends, ask.steps, ask.beyond)
        line = f"{_named(one)} to {_named(other)}"
        rows += [_row(w, t=float(s), line=line) for s, w in zip(t, weights, strict=True)]
    return Ground(own, ask.seed, rows, {})


def _in_plane(
    ground: Terrain, seed: int, plane: simplex.Plane, names: Sequence[str], steps: int, line: str
) -> list[Row]:
    """The corners where they fall on the plane, as themselves, and a grid of the plane around."""
    v = ground.vertices
    at = plane.project(ground.gram(seed).numpy(), np.eye(v))
    rows = [
        _row(np.eye(v)[k], at[k], line=line, mark=name, t=float(k)) for k, name in enumerate(names)
    ]
    grid = simplex.window(at, steps)
    rows += [_row(w, a) for w, a in zip(plane.weights(grid), grid, strict=True)]
    return rows


def _plane(make: Callable[[], simplex.Plane]) -> simplex.Plane:
    try:
        return make()
    except ValueError as error:
        raise BadInput(str(error)) from None


def _vertices(survey: Survey, own: Terrain) -> Ground:
    ask = survey.ask
    gram = own.gram(ask.seed).numpy()
    plane = _plane(lambda: simplex.main_plane(gram))
    names = [_named(str(k)) for k in range(own.vertices)]
    rows = _in_plane(own, ask.seed, plane, names, ask.steps, "vertex")
    rows.insert(own.vertices, _row(plane.middle, (0.0, 0.0), line="vertex", mark="centroid"))
    facts = {"shares": list(plane.shares), "axes": ["First direction", "Second direction"]}
    return Ground(own, ask.seed, rows, facts)


def _random(ask: Ask, own: Terrain) -> Ground:
    ground = terrain.around(terrain.middle(own), 2, ask.normalisation, ask.draw)
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
    made = [terrain.of_run(load_adapter(run, survey.base, step)) for step in steps]
    made.append(terrain.of_run(load_adapter(run, survey.base)))
    ground = terrain.joined(made, [[ask.seed]] * len(made))
    gram = ground.gram(0).numpy()
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


def _between(survey: Survey, parts: Sequence[Part], runs: Sequence[Run]) -> Ground:
    """Plane through three adapters, or straight and trained way between two."""
    ask = survey.ask
    made, seeds, names = [], [], []
    for part, run in zip(parts, runs, strict=True):
        seed = ask.seed if part.seed is None else part.seed
        if seed >= run.spec.population.seeds:
            raise BadInput(
                f"run {run.id} has seeds 0 to {run.spec.population.seeds - 1}; got {seed}"
            )
        made.append(terrain.of_run(load_adapter(run, survey.base, part.step)))
        seeds.append([seed])
        step = "" if part.step is None else f", step {part.step}"
        names.append(f"{run.spec.method} {run.id[:4]}{step}, seed {seed}")
    ground = terrain.joined(made, seeds)
    if ask.kind == "plane":
        plane = _plane(lambda: simplex.plane_through(ground.gram(0).numpy()))
        rows = _in_plane(ground, 0, plane, names, ask.steps, "adapter")
        facts = {"axes": ["Distance along the first edge", "Distance off the first edge"]}
        return Ground(ground, 0, rows, facts)
    ground = _bent(survey, ground)
    return _curve(ask, ground, names)


def _bent(survey: Survey, ends: Terrain) -> Terrain:
    """Start, bend and end of the curve, trained unless that was done before."""
    from safetensors.torch import load_file, save_file

    path = survey.landscape.folder / "bend.safetensors"
    if path.is_file():
        held = load_file(path)
        return Terrain(
            ends, {name: held[name].to(survey.base.device) for name in ends.tensors}, ends._fixed
        )
    ask, spec = survey.ask, survey.run.spec
    number = survey.number(ask.seed)
    episode = survey.task.few_shot(spec.training.shots, number, spec.training.dev).train

    def tell(step: int, loss: float) -> None:
        survey.tell(step, ask.bend_steps, f"Bending the curve, loss {loss:.3f}")

    made = terrain.bend(
        ends,
        0,
        episode,
        survey.encoder,
        steps=ask.bend_steps,
        rate=BEND_RATE * (spec.training.learning_rate or 1e-3),
        batch=min(BEND_BATCH, len(episode)),
        number=number,
        autocast=survey.wanted(),
        report=tell,
        stop=survey.landscape.stop_asked,
    )
    save_file({name: t.detach().cpu().contiguous() for name, t in made.tensors.items()}, path)
    return made


def _curve(ask: Ask, ground: Terrain, names: Sequence[str]) -> Ground:
    """Points along the straight and the curved way, and of the plane both lie in."""
    gram = ground.gram(0).numpy()
    t = np.linspace(0, 1, ask.steps + 1)
    ways = {"straight": np.stack([1 - t, 0 * t, t], 1), "curved": simplex.bezier(t)}
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
        grid = simplex.window(plane.project(gram, np.eye(3)), ask.steps)
        rows += [_row(w, a) for w, a in zip(plane.weights(grid), grid, strict=True)]
    facts = {
        "axes": ["Distance along the straight way", "Distance off the straight way"],
        "ends": list(names),
        "bend_steps": ask.bend_steps,
    }
    return Ground(ground, 0, rows, facts)


def _flatness(survey: Survey) -> None:
    """Every measure for every seed, one line each; those known are not taken again."""
    own = terrain.of_run(load_adapter(survey.run, survey.base, survey.ask.parts()[0].step))
    rows = survey.examples(0)
    _plan_numbers(survey, rows)
    known = {(e["measure"], e["seed"]) for e in survey.landscape.entries() if e.get("measure")}
    names = ["loss", "rise", "worst rise", "top eigenvalue"]
    if own.vertices > 1:
        names += ["barrier", "variance", "vertices", "bowl"]
    todo = [(seed, name) for seed in range(own.seeds) for name in names]
    ground: dict[int, _Seed] = {}
    for place, (seed, name) in enumerate(todo):
        number = survey.number(seed)
        if (name, number) in known:
            continue
        survey.tell(place, len(todo), f"Seed {number}, {name}")
        here = ground.setdefault(seed, _Seed(survey, own, seed))
        survey.landscape.keep({"measure": name, "seed": number, "value": here.measure(name)})
    survey.tell(len(todo), len(todo))


def _plan_numbers(survey: Survey, rows: Sequence[Example]) -> None:
    if survey.landscape.plan():
        return
    facts = _facts(survey, survey.ask.parts(), [survey.run], rows)
    ask = survey.ask
    facts |= {
        "normalisation": ask.normalisation,
        "radius": ask.radius,
        "arithmetic": "fp32",
        "copies": ask.copies,
        "seeds": survey.run.spec.population.numbers(),
    }
    survey.landscape.write_plan(facts, [])


class _Seed:
    """The flatness of one seed, measured piece by piece."""

    def __init__(self, survey: Survey, own: Terrain, seed: int) -> None:
        self.survey, self.own, self.seed = survey, own, seed
        self.examples = survey.examples(seed)
        self.surveyor = Surveyor(own, seed, self.examples, survey.encoder)
        self._rises: flatness.Sharpness | None = None

    def measure(self, name: str) -> float:
        """One number by name."""
        made: dict[str, Callable[[], float]] = {
            "loss": self.loss,
            "rise": lambda: self.rises().mean,
            "worst rise": lambda: self.rises().worst,
            "top eigenvalue": self.eigenvalue,
            "barrier": self.barrier,
            "variance": self.variance,
            "vertices": lambda: float(np.mean(self.corners())),
            "bowl": lambda: flatness.convexity(self.loss(), self.corners()),
        }
        return made[name]()

    def _at(self, weights: Any) -> list[float]:
        return self.surveyor.losses(torch.as_tensor(np.asarray(weights), dtype=torch.float32))

    def loss(self) -> float:
        """Loss of the adapter that is deployed."""
        return self._at(simplex.corner(simplex.CENTROID, self.own.vertices)[None])[0]

    def corners(self) -> list[float]:
        """Loss of every vertex."""
        return self._at(np.eye(self.own.vertices))

    def rises(self) -> flatness.Sharpness:
        """How much the loss rises at the asked distance, along random directions and back."""
        if self._rises is None:
            ask = self.survey.ask
            count = max(2, min(16, ask.copies) // 2)
            centre = terrain.middle(self.own)
            ground = terrain.around(centre, count, ask.normalisation, ask.draw)
            moves = torch.eye(1 + count)[1:] - torch.eye(1 + count)[:1]
            points = torch.eye(1 + count)[:1] + ask.radius * torch.cat([moves, -moves])
            surveyor = Surveyor(ground, self.seed, self.examples, self.survey.encoder)
            self._rises = flatness.sharpness(self.loss(), surveyor.losses(points))
        return self._rises

    def eigenvalue(self) -> float:
        """Largest eigenvalue of the loss's second derivative at the deployed adapter."""
        survey, centre = self.survey, torch.full((self.own.vertices,), 1 / self.own.vertices)
        batches = [
            survey.encoder.batch(self.examples[at : at + 8])
            for at in range(0, len(self.examples), 8)
        ]
        product, at = terrain.curvature(self.own, self.seed, batches, centre)
        rng = torch.Generator().manual_seed(survey.number(self.seed))
        start = torch.randn(len(at), generator=rng).to(at)
        return flatness.top_eigenvalue(product, start, iterations=16, close=0.02)[0]

    def barrier(self) -> float:
        """Highest barrier on an edge between two vertices."""
        v, heights = self.own.vertices, []
        pairs = [edge for edge in simplex.edges(v) if simplex.CENTROID not in edge]
        for one, other in pairs[:EDGES]:
            ends = simplex.corner(one, v), simplex.corner(other, v)
            t, weights = simplex.cut(*ends, INNER + 1)
            heights.append(simplex.barrier(t, np.array(self._at(weights))))
        return max(heights)

    def variance(self) -> float:
        """Variance of the loss over random points of the simplex."""
        points = self.random()
        return flatness.spread(self.surveyor.losses(points))[1]

    def random(self) -> torch.Tensor:
        """Random points of this seed's simplex."""
        number, ask = self.survey.number(self.seed), self.survey.ask
        return random_points([number], ask.copies, self.own.vertices, 77_000_000 + ask.draw)[0]


def _validation(survey: Survey) -> None:
    """Losses at random points of the result, and every estimate at every kept step."""
    run = survey.run
    if run.spec.population.vertices == 1:
        raise BadInput(f"run {run.id} trained a single adapter; random points need a simplex")
    _plan_numbers(survey, survey.examples(0))
    entries = survey.landscape.entries()
    known = {(e["look"], e["step"], e["seed"]) for e in entries if e.get("look")}
    numbers = run.spec.population.numbers()
    todo: list[tuple[str, int | None, int]] = [
        (look, None, seed) for seed in range(len(numbers)) for look in ("points", "copies")
    ]
    todo += [("step", step, s) for step in run.path_steps() for s in range(len(numbers))]
    own: dict[int | None, Terrain] = {}
    for place, (look, step, seed) in enumerate(todo):
        if (look, step, numbers[seed]) in known:
            continue
        survey.tell(
            place, len(todo), f"Seed {numbers[seed]}, {look} {'' if step is None else step}"
        )
        if step not in own:
            own = {step: terrain.of_run(load_adapter(run, survey.base, step))}
        found = _look(survey, own[step], seed, look)
        survey.landscape.keep({"look": look, "step": step, "seed": numbers[seed], **found})
    survey.tell(len(todo), len(todo))


def _look(survey: Survey, own: Terrain, seed: int, look: str) -> dict[str, Any]:
    ask, v = survey.ask, own.vertices
    here = _Seed(survey, own, seed)
    centre = torch.full((1, v), 1 / v)
    if look == "points":
        return {"values": here.surveyor.losses(here.random()), "centroid": here.loss()}
    number = survey.number(seed)
    if look == "copies":
        return {
            "values": _copies(here.surveyor, ask.copies, number),
            "centroid": here.loss(),
        }
    test = examples_to_answer(survey.task, Evaluation(split="test", limit=ask.examples or 100_000))
    there = Surveyor(own, seed, test, survey.encoder)
    told = there.answers(centre, survey.task, survey.run.spec.evaluation, survey.stop)[0]
    return {
        "stochastic": float(np.mean(_copies(here.surveyor, 10, number))),
        "centroid": here.loss(),
        "test_loss": there.losses(centre)[0],
        "test_score": survey.task.score(told, test)[survey.task.main_metric],
    }


def _copies(surveyor: Surveyor, count: int, number: int) -> list[float]:
    """Losses of `count` random copies, four of them in one pass."""
    found: list[float] = []
    for at in range(0, count, 4):
        found += surveyor.scattered(range(at, min(at + 4, count)), number)
    return found


def worn_at(ask: Ask, weights: Sequence[float], base: BaseModel) -> tuple[Terrain, Run]:
    """The adapter at one point of a landscape, worn and ready to answer."""
    landscape = Landscape.create(ask)
    parts, store = ask.parts(), RunStore()
    runs = [store.open(part.run) for part in parts]
    task = tasks.find(runs[0].spec.task)
    encoder = Encoder(base, task.labels, planning.room(runs[0].spec, base))
    survey = Survey(
        landscape, base, runs[0], task, encoder, lambda s: None, lambda: False, 0.0, 0.0
    )
    ground = prepare(survey, parts, runs)
    return ground.terrain.at(ground.seed, torch.tensor([list(weights)])), runs[0]


def answer_at(ask: Ask, weights: Sequence[float], base: BaseModel, text: str) -> str:
    """What the adapter at one point of a landscape answers to a text."""
    from peftcore import answering
    from peftcore.evaluation import answer

    worn, run = worn_at(ask, weights, base)
    task = tasks.find(run.spec.task)
    encoder = Encoder(base, task.labels, planning.room(run.spec, base))
    with torch.inference_mode():
        return answer(worn, task, [answering.typed(text)], encoder, run.spec.evaluation)[0][0].text


def exported(ask: Ask, weights: Sequence[float], base: BaseModel) -> bytes:
    """The adapter at one point as a file like a run's adapter.safetensors, of effective values."""
    import json

    from safetensors.torch import save

    worn, run = worn_at(ask, weights, base)
    spec = run.spec.model_copy(
        update={
            "population": run.spec.population.model_copy(update={"seeds": 1, "vertices": 1}),
        }
    )
    note = {
        "format": "peftcore-1",
        "fingerprint": base.fingerprint,
        "spec": spec.canonical(),
        "landscape": ask.model_dump(mode="json"),
        "weights": list(weights),
    }
    held = {n: t.detach().cpu().contiguous() for n, t in (worn.tensors | worn.frozen).items()}
    return save(held, {"peftcore": json.dumps(note, sort_keys=True)})
