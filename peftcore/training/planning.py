"""Build run specs from a user's choices: names checked, defaults filled in.

`build_spec` needs no torch; `check_spec` looks at the base itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from peftcore import tasks
from peftcore.adapters.base import METHODS, Adapter
from peftcore.data.corrupted_explanations import check_corruption
from peftcore.data.label_words import check_words
from peftcore.data.templates import find_template
from peftcore.errors import BadInput
from peftcore.models import catalog
from peftcore.runs.spec import Evaluation, Members, RunSpec, Training
from peftcore.settings import Settings
from peftcore.system import server_limits

if TYPE_CHECKING:
    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.data.task import Task
    from peftcore.models.base_model import BaseModel
    from peftcore.models.batching import Batch

S = TypeVar("S", bound=Settings)
STANDARDISED_ROWS = 64  # that a head is standardised on, at most
SIMPLEX_FIELDS = {  # part of a spec → fields that decide nothing where there is one vertex
    "population": ("draw",),
    "training": ("validation", "copies", "diversity"),
}

PATH_BYTES = 4_000_000  # of adapters that a run may keep of its path


@dataclass(frozen=True)
class CostEstimate:
    """The expected cost of a run."""

    trainable: int  # by one seed, all its vertices and its head
    total: int  # of the base, and of one head where there is one
    percent: float
    seconds: float | None  # of training and answering; None: nothing to go by yet
    memory_bytes: int
    basis: str  # what the time was estimated from, in words
    parts: dict[str, float] = field(default_factory=dict)  # seconds of each part of the run
    start_seconds: float = 0.0  # before the first step: what a worker that is not warm loads
    longest_seconds: float | None = None  # as `seconds`, where every answer runs to its limit


def build_spec(
    base: str | BaseModel,
    task: str,
    method: str,
    settings: Settings | Mapping[str, Any] | None = None,
    population: Settings | Mapping[str, Any] | None = None,
    training: Settings | Mapping[str, Any] | None = None,
    evaluation: Settings | Mapping[str, Any] | None = None,
    start: str = "",
) -> RunSpec:
    """Build a spec with every name checked and every default filled in.

    A base that is in memory already goes by its name, whether or not it is on this machine.
    """
    method_class, task_definition = METHODS[method], tasks.find_task(task)
    facts = _base_facts(base)
    name, kind = facts.name, facts.kind
    if kind:
        method_class.check_base_kind(name, kind)
        _check_same_modality(name, facts.image_world, task_definition)
        if kind == "encoder" and not task_definition.labels:
            raise BadInput(
                f"{name} reads but cannot write, and {task_definition.title} asks for text: "
                "choose an encoder-decoder or a decoder"
            )
    training_settings = _with_rate(_make_settings(Training, training), method_class, facts)
    training_settings = _with_standardisation(training_settings, kind)
    training_settings = _with_words(training_settings, kind, task_definition)
    training_settings = _with_phrasing(training_settings, kind, task_definition)
    if not task_definition.labels:
        training_settings = _with_defaults(training_settings, "select")
    population_settings = _make_settings(Members, population)
    if population_settings.vertices == 1:
        population_settings = _with_defaults(population_settings, *SIMPLEX_FIELDS["population"])
        training_settings = _with_defaults(training_settings, *SIMPLEX_FIELDS["training"])
    if start:
        _check_start_run(start, name)
    spec = RunSpec(
        base=name,
        task=task,
        method=method,
        settings=_make_settings(method_class.Config, settings).model_dump(mode="json"),
        population=population_settings,
        training=training_settings,
        evaluation=_with_explanations(_make_settings(Evaluation, evaluation), task_definition),
        start=start,
    )
    check_size(spec)
    return spec


def _with_explanations(evaluation: Evaluation, task: Task) -> Evaluation:
    """Return the settings; BadInput if they judge explanations that the task does not ask for."""
    if evaluation.protocol == "feb" and task.kind != "explain":
        raise BadInput(
            f"FEB's protocol judges a label with its explanation, and {task.title} asks "
            "for none: choose a task with explanations, or protocol shared"
        )
    return evaluation


@dataclass(frozen=True)
class _BaseFacts:
    """Facts of a base that defaults and checks of a spec need; of one on the hub the name."""

    name: str
    kind: str = ""
    image_world: str = ""
    parameters: int = 0


def _base_facts(base: str | BaseModel) -> _BaseFacts:
    """Return what is known of a base, without loading it."""
    if not isinstance(base, str):
        world = str(getattr(base.model.config, "draws", ""))
        return _BaseFacts(base.name, base.kind, world, base.parameter_count)
    if isinstance(catalog.locate_base(base), str):
        return _BaseFacts(base)
    info = catalog.describe_base(base)
    return _BaseFacts(base, info.kind, info.image_world, info.parameter_count)


def parameters_of_base(base: str | BaseModel) -> int:
    """Return the numbers in a base without loading it; 0 for one on the hub."""
    return _base_facts(base).parameters


def has_head(spec: RunSpec) -> bool:
    """Return whether a spec's base is an encoder, which gets a classification head."""
    return _base_facts(spec.base).kind == "encoder"


def _check_same_modality(base: str, image_world: str, task: Task) -> None:
    """Raise BadInput where a base for images meets a task of text, or the reverse."""
    if image_world == task.image_world:
        return
    does = f"draws {image_world}" if image_world else "writes text"
    asks = f"asks for pictures of {task.image_world}" if task.image_world else "asks for text"
    raise BadInput(f"{base} {does}, and {task.title} {asks}: choose another base or task")


def _with_defaults(settings: S, *names: str) -> S:
    """Return the settings with these fields at their defaults."""
    fields = type(settings).model_fields
    values = {name: fields[name].get_default(call_default_factory=True) for name in names}
    return settings.model_copy(update=values)


def _with_rate(training: Training, method: type[Adapter], facts: _BaseFacts) -> Training:
    """Fill in the method's rate; where it trains nothing, keep what is read and drawn alone."""
    if not method.trains():
        kept = {"shots", "dev", "precision", "label_words", "template", "explanations"}
        return _with_defaults(training, *(n for n in Training.model_fields if n not in kept))
    if training.learning_rate is not None:
        return training
    rate = method.default_learning_rate(facts.kind, facts.parameters)
    return training.model_copy(update={"learning_rate": rate})


def _with_standardisation(training: Training, kind: str) -> Training:
    """Let an encoder's head be standardised on its seed's examples, unless the split is asked for.

    The default of the field stands for runs of versions that knew nothing else; they keep their ids
    and train again to what they were. Other kinds of bases have no head.
    """
    if kind != "encoder":
        return _with_defaults(training, "standardise", "pair_head")
    if "standardise" in training.model_fields_set:
        return training
    return training.model_copy(update={"standardise": "draw"})


def _with_words(training: Training, kind: str, task: Task) -> Training:
    """Keep the words for labels that change anything: an encoder's head names labels itself."""
    words = {} if kind == "encoder" else check_words(task.labels, training.label_words)
    if words == training.label_words:
        return training
    return training.model_copy(update={"label_words": words})


def _with_phrasing(training: Training, kind: str, task: Task) -> Training:
    """Check the template and what explanations are trained on; encoders read and write neither."""
    if kind == "encoder":
        return _with_defaults(training, "template", "explanations")
    check_corruption(task, training.explanations)
    template = find_template(task, training.template)
    return training.model_copy(update={"template": template})


def _check_start_run(run_id: str, base: str) -> None:
    """Raise BadInput unless this run has an adapter for this base."""
    from peftcore.runs.store import RunStore

    run = RunStore().open(run_id)
    if run.spec.base != base:
        raise BadInput(
            f"run {run_id} was trained on {run.spec.base}; it cannot start one on {base}"
        )
    if not (run.folder / "adapter.safetensors").is_file():
        raise BadInput(f"run {run_id} has no adapter to start from: it is {run.status().state}")


def _make_settings(kind: type[S], values: Settings | Mapping[str, Any] | None) -> S:
    if isinstance(values, kind):
        return values
    return kind.make(
        values if values is None or isinstance(values, Mapping) else values.model_dump()
    )


def build_adapted(
    base: BaseModel, spec: RunSpec, device: str | None = None, *, fresh: bool = True
) -> AdaptedModel:
    """Build the adapted model of a spec; on the device "meta" only shapes are made.

    With `fresh` all is ready for training, for which a head reads its seed's training examples;
    without it a saved adapter is loaded next, and the data need not be there.
    """
    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.adapters.initializers import SeededInitializer

    method_class = METHODS[spec.method]
    method_class.check_base_kind(base.name, base.kind)
    task = tasks.find_task(spec.task)
    labels = task.labels if base.kind == "encoder" else ()
    initializer = SeededInitializer(
        spec.population.seed_numbers(), spec.population.vertices, device or "cpu"
    )
    adapter = method_class(base, method_class.Config.make(spec.settings), initializer)
    pairs = bool(labels) and base.is_sentence_encoder and task.has_text_pairs
    towers = bool(labels) and spec.training.pair_head == "towers"
    if towers and not task.has_text_pairs:
        raise BadInput(
            f"{task.title} has one text in each example: two towers need a pair; choose pair_head "
            "joint"
        )
    adapted = AdaptedModel(base, adapter, initializer, len(labels), pairs, towers)
    if device == "meta":
        return adapted
    adapted.to(str(base.device))
    if labels and fresh:
        adapted.fit_head_stats(_standardising_batches(spec, base, task))
    return adapted


def _standardising_batches(spec: RunSpec, base: BaseModel, task: Task) -> list[Batch]:
    """Return the examples that each seed's head is standardised on, at most 64."""
    from peftcore.models.batching import ExampleBatcher

    batcher, t, seeds = ExampleBatcher(base, task.labels), spec.training, spec.population
    if t.standardise == "draw":
        episodes = (task.few_shot(t.shots, n, t.dev) for n in seeds.seed_numbers())
        return [batcher.batch(episode.train[:STANDARDISED_ROWS]) for episode in episodes]
    first = task.load("train")[:STANDARDISED_ROWS]
    # A row beyond the window may stand here without being used: it is left out.
    return [batcher.batch([row for row in first if batcher.fits(row)] or first)] * seeds.seeds


def prompt_length(spec: RunSpec, base: BaseModel) -> int:
    """Return how many positions of the window a soft prompt takes."""
    method = METHODS[spec.method]
    return method.prompt_length(method.Config.make(spec.settings))


def check_size(spec: RunSpec) -> int:
    """Return seeds × vertices × steps of a run; BadInput if this server allows fewer."""
    members, steps = spec.population, spec.training.steps if METHODS[spec.method].trains() else 0
    size = members.seeds * members.vertices * steps
    simplex = f" × {members.vertices} vertices" if members.vertices > 1 else ""
    server_limits.SEED_STEPS.check(
        size,
        f"{members.seeds} seeds{simplex} × {steps:,} steps are {size:,}",
        "take fewer seeds or steps",
    )
    return size


def check_spec(spec: RunSpec, base: BaseModel) -> None:
    """Raise BadInput if this run cannot work.

    Too few examples, labels that the base cannot write, or examples beyond the window among those
    that are used; all of these are named at once.
    """
    from peftcore.models.batching import ExampleBatcher
    from peftcore.training import evaluation

    check_size(spec)
    task, t = tasks.task_of(spec), spec.training
    written = [t.label_words.get(label, label) for label in task.labels]
    batcher = ExampleBatcher(base, task.labels, prompt_length(spec, base))
    if labels := batcher.unwritable_labels(written):
        raise BadInput(
            f"{base.name} cannot write {'these labels' if len(labels) > 1 else 'the label'} of "
            f"{task.title}: {', '.join(map(repr, labels))}; its vocabulary lacks a sign of "
            f"{'each' if len(labels) > 1 else 'it'}: give other words for them, or choose another "
            "base"
        )
    episodes = [task.few_shot(t.shots, n, t.dev) for n in spec.population.seed_numbers()]
    answered = [
        row
        for n in spec.population.seed_numbers()[: None if spec.evaluation.protocol == "feb" else 1]
        for row in evaluation.examples_of_seed(task, spec, n)
    ]
    used = [row for episode in episodes for row in (*episode.train, *episode.dev)]
    batcher.check_fit(list({(row.id, row.source): row for row in (*used, *answered)}.values()))


def count_parameters(spec: RunSpec, base: BaseModel) -> tuple[int, int]:
    """Return the numbers one seed trains, and the numbers in the base and a head."""
    adapted = build_adapted(base, spec, "meta")
    head = sum(
        adapted.tensors[n][0, 0].numel() for n in ("head", "head_bias") if n in adapted.tensors
    )
    return adapted.trainable_count, base.parameter_count + head
