"""From what somebody asks for to a spec that can run: names checked, defaults filled in.

`plan` needs no torch; `check` and `estimate` look at the base itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from peftcore import tasks
from peftcore.adapters.base import METHODS, Adapter
from peftcore.errors import BadInput
from peftcore.models import catalog
from peftcore.runs.spec import Evaluation, Population, RunSpec, Training
from peftcore.settings import Settings

if TYPE_CHECKING:
    from peftcore.adapters.adapted_model import Adapted
    from peftcore.data.task import Task
    from peftcore.models.base_model import BaseModel
    from peftcore.models.catalog import BaseInfo

S = TypeVar("S", bound=Settings)


def plan(
    base: str,
    task: str,
    method: str,
    settings: Settings | Mapping[str, Any] | None = None,
    population: Settings | Mapping[str, Any] | None = None,
    training: Settings | Mapping[str, Any] | None = None,
    evaluation: Settings | Mapping[str, Any] | None = None,
    start: str = "",
) -> RunSpec:
    """A spec with every name checked and every default written out, so that equal means equal."""
    recipe, asked = METHODS[method], tasks.find(task)
    where, kind = catalog.locate(base), ""
    if not isinstance(where, str):
        info = catalog.describe(base)
        kind = info.kind
        recipe.must_suit(base, kind)
        _same_medium(info, asked)
        if kind == "encoder" and not asked.labels:
            raise BadInput(
                f"{base} reads but cannot write, and {asked.title} asks for text: "
                "choose an encoder-decoder or a decoder"
            )
    course = _settings(Training, training)
    if course.learning_rate is None:
        course = course.model_copy(update={"learning_rate": recipe.default_rate(kind)})
    members = _settings(Population, population)
    if members.vertices == 1:  # what only a simplex has decides nothing
        members = _plain(members, "draw")
        course = _plain(course, "validation", "copies", "diversity")
    if start:
        _comparable_start(start, base)
    return RunSpec(
        base=base,
        task=task,
        method=method,
        settings=_settings(recipe.Config, settings).model_dump(mode="json"),
        population=members,
        training=course,
        evaluation=_settings(Evaluation, evaluation),
        start=start,
    )


def _same_medium(info: BaseInfo, task: Task) -> None:
    """BadInput where a base that draws meets a task of text, or the other way round."""
    if info.draws == task.draws:
        return
    does = f"draws {info.draws}" if info.draws else "writes text"
    asks = f"asks for pictures of {task.draws}" if task.draws else "asks for text"
    raise BadInput(f"{info.name} {does}, and {task.title} {asks}: choose another base or task")


def _plain(held: S, *names: str) -> S:
    """The settings with these fields at their defaults."""
    fields = type(held).model_fields
    return held.model_copy(update={name: fields[name].default for name in names})


def _comparable_start(run_id: str, base: str) -> None:
    """BadInput unless this run has an adapter for this base."""
    from peftcore.runs.store import RunStore

    run = RunStore().open(run_id)
    if run.spec.base != base:
        raise BadInput(
            f"run {run_id} was trained on {run.spec.base}; it cannot start one on {base}"
        )
    if not (run.folder / "adapter.safetensors").is_file():
        raise BadInput(f"run {run_id} has no adapter to start from: it is {run.status().state}")


def _settings(kind: type[S], given: Settings | Mapping[str, Any] | None) -> S:
    if isinstance(given, kind):
        return given
    return kind.make(given if given is None or isinstance(given, Mapping) else given.model_dump())


def wear(
    base: BaseModel, spec: RunSpec, device: str | None = None, *, fresh: bool = True
) -> Adapted:
    """The base wearing an adapter of this spec; on the device "meta" only shapes are made.

    With `fresh` all is ready for training, for which a head looks at the first training examples;
    without it a saved adapter is about to be filled in, and the data need not be there.
    """
    from peftcore.adapters.adapted_model import Adapted
    from peftcore.adapters.initializers import Draw
    from peftcore.models.batching import Encoder

    recipe = METHODS[spec.method]
    recipe.must_suit(base.name, base.kind)
    task = tasks.find(spec.task)
    labels = task.labels if base.kind == "encoder" else ()
    draw = Draw(spec.population.numbers(), spec.population.vertices, device or "cpu")
    adapter = recipe(base, recipe.Config.make(spec.settings), draw)
    pairs = bool(labels) and base.sentences and task.pairs
    adapted = Adapted(base, adapter, draw, len(labels), pairs)
    if device == "meta":
        return adapted
    adapted.to(str(base.device))
    if labels and fresh:
        adapted.standardise(Encoder(base, labels).batch(task.load("train")[:64]))
    return adapted


def room(spec: RunSpec, base: BaseModel) -> int:
    """Positions of the window that a soft prompt takes."""
    takes_window = METHODS[spec.method].soft_tokens is not Adapter.soft_tokens
    return int(spec.settings.get("length", 0)) if takes_window else 0


def check(spec: RunSpec, base: BaseModel) -> None:
    """BadInput if this run cannot work: too few examples, or text longer than the window."""
    from peftcore.models.batching import Encoder

    task = tasks.find(spec.task)
    episode = task.few_shot(spec.training.shots, spec.population.first_seed, spec.training.dev)
    encoder = Encoder(base, task.labels, room(spec, base))
    for example in (*episode.train, *episode.dev, *task.load(spec.evaluation.split)):
        encoder.row(example)


@dataclass(frozen=True)
class Estimate:
    """What a run will cost."""

    trainable: int  # per seed and vertex-complete: what one seed trains
    total: int  # of the base, and of one head where there is one
    percent: float
    seconds: float | None  # None: nothing to go by yet
    memory_bytes: int
    basis: str  # what the time rests on, in words


def sizes(spec: RunSpec, base: BaseModel) -> tuple[int, int]:
    """Numbers one seed trains, all its vertices and heads; and numbers in the base and a head."""
    made = wear(base, spec, "meta")
    head = sum(made.tensors[n][0, 0].numel() for n in ("head", "head_bias") if n in made.tensors)
    return made.trainable, base.parameters + head


def estimate(spec: RunSpec, base: BaseModel) -> Estimate:
    """Trainable numbers exactly; time from two trial steps on this machine, memory by counting."""
    import time

    import torch

    from peftcore.models.batching import Encoder
    from peftcore.system import thread_pool
    from peftcore.training import batch_budget
    from peftcore.training.trainer import Trainer

    trainable, total = sizes(spec, base)
    task, s = tasks.find(spec.task), spec.population.seeds
    encoder = Encoder(base, task.labels, room(spec, base))
    episode = task.few_shot(spec.training.shots, spec.population.first_seed, spec.training.dev)
    episodes = [episode] * s
    together = batch_budget.seeds(spec, base, encoder, episodes)
    at_once = thread_pool.count(base.device)
    trainer = Trainer(wear(base, spec), episodes, encoder, spec, together, at_once)
    trainer.train_step()  # the first one pays for warming up
    began = time.perf_counter()
    trainer.train_step()
    step = time.perf_counter() - began
    looks = 1 + spec.training.steps // spec.training.evaluate_every
    dev = looks * spec.training.dev / spec.training.batch * step * 0.4
    answers = min(spec.evaluation.limit, len(task.load(spec.evaluation.split)))
    # Reading an answer's source costs about 0.4 of a step; writing it about as much again per beam.
    writing = 1 if base.kind == "encoder" else 1 + 3 * spec.evaluation.beams
    answering = answers / spec.training.batch * step * 0.4 * writing
    if torch.cuda.is_available() and base.device.type == "cuda":
        memory = torch.cuda.max_memory_allocated()
    else:
        width, layers = base.anatomy.width, base.anatomy.layers
        longest = max(len(encoder.row(e).ids) for e in episode.train)
        tokens = s * spec.training.batch * (longest + room(spec, base))
        memory = 4 * total + 16 * s * trainable + tokens * (layers * width * 100 + 24 * 4096)
    return Estimate(
        trainable,
        total,
        100 * trainable / total,
        spec.training.steps * step + dev + answering,
        memory,
        "two trial steps on this machine",
    )
