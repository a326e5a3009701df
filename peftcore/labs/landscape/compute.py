"""Computing a landscape: with which examples, in which order, and what was seen.

Points are measured corners first and then in a shuffled order, so that a partial picture is
already one of the whole.  Whatever was measured before is not measured again.  Which points there
are is in `grids`, the numbers of every seed in `per_seed`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

import torch

from peftcore import tasks
from peftcore.errors import BadInput
from peftcore.jobs.background import Part, Status
from peftcore.labs.common.interpolation import Surveyor, Terrain
from peftcore.labs.landscape.context import Survey, stamp
from peftcore.labs.landscape.grids import Ground, Row, prepare
from peftcore.labs.landscape.per_seed import flatness_of_seeds, validation_of_seeds
from peftcore.labs.landscape.request import Ask, Landscape
from peftcore.models.base_model import BaseModel, load
from peftcore.models.batching import Encoder
from peftcore.runs.store import Run, RunStore
from peftcore.training import planning

PLANAR = ("face", "scan", "cuts", "vertices", "random", "path", "plane", "curve")


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
        flatness_of_seeds(survey)
    else:
        validation_of_seeds(survey)


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
    stamps = [stamp(run, part.step) for run, part in zip(runs, parts, strict=True)]
    if landscape.facts.get("adapters", stamps) != stamps:
        landscape.clear()


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
        facts = survey.facts(parts, runs, rows) | ground.facts | {"arithmetic": arithmetic}
        survey.landscape.write_plan(facts, ground.rows)
    surveyor.use(torch.bfloat16 if arithmetic == "bf16" else None)
    _measure(survey, ground, surveyor)


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
        size = surveyor.block * surveyor.at_once
        for at in range(0, len(left), size):
            survey.tell(done, of, "Losses" if what == "loss" else "Answers")
            some = left[at : at + size]
            if what == "loss":
                values = surveyor.losses(weights[some])
            else:
                told = surveyor.answers(weights[some], survey.task, options, survey.stop)
                name = survey.task.main_metric
                values = [survey.task.score(each, surveyor.examples)[name] for each in told]
            survey.landscape.keep({"what": what, "at": some, "values": values})
            done += len(some)
    survey.tell(done, of)


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
    from peftcore.training import predict
    from peftcore.training.evaluation import answer

    worn, run = worn_at(ask, weights, base)
    task = tasks.find(run.spec.task)
    encoder = Encoder(base, task.labels, planning.room(run.spec, base))
    with torch.inference_mode():
        return answer(worn, task, [predict.typed(text)], encoder, run.spec.evaluation)[0][0].text


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
