"""Carries out a run: trains, answers, scores, and writes every file of its folder.

Resumes from the checkpoint if there is one.  Asked to stop, it keeps what was learnt.
"""

from __future__ import annotations

import importlib.metadata
import math
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from peftcore import tasks
from peftcore.adapters.base import HEAD_STATS
from peftcore.data.task import Answer, Example, Task
from peftcore.errors import BadInput
from peftcore.metrics.scores import benchmark_scores, judge_as_benchmark
from peftcore.models.base_model import load
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.answers import answers_table
from peftcore.runs.store import RunStore
from peftcore.system import disk_space, thread_pool
from peftcore.system.usage import UsageMeter
from peftcore.training import batch_budget, evaluation, forgetting, planning, reading, zero_shot
from peftcore.training.checkpoint import load_adapter, save_adapter
from peftcore.training.planning import PATH_BYTES
from peftcore.training.trainer import Trainer, TrainingProgress, TrainingStopped

if TYPE_CHECKING:
    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.models.base_model import BaseModel
    from peftcore.runs.spec import RunSpec, Training
    from peftcore.runs.store import Run, RunStatus
    from peftcore.training.reading import TextReader
    from peftcore.training.trainer import SeedState

PACKAGES = ("torch", "transformers", "tokenizers", "sacrebleu", "rouge-score", "scikit-learn")


def execute_run(
    run: Run,
    *,
    device: str = "cpu",
    base: BaseModel | None = None,
    report: Callable[[TrainingProgress], None] = lambda progress: None,
    stop: Callable[[], bool] = lambda: False,
) -> RunStatus:
    """Do a run to its end, or until `stop` returns true; return its status.

    BadInput if the spec cannot run; any other error is left to the caller, who logs it.
    """
    spec, meter = run.spec, UsageMeter(device)
    run.write_status(
        state="running", phase="training", of=spec.training.steps, message="Loading the base model"
    )
    base = base or load(spec.base, device)
    task = tasks.task_of(spec)
    planning.check_spec(spec, base)
    trainer, reader = _build_trainer(run, task, base)
    # The old checkpoint stays until the new one is whole; the adapter and its path come on top.
    disk_space.require_space(run.folder, 3 * trainer.checkpoint_bytes + PATH_BYTES)
    trainable, planned = trainer.adapted.trainable_count, trainer.seeds_per_pass
    run.write_manifest(_manifest(spec, task, trainer))
    checkpoint = run.folder / "checkpoint.safetensors"
    if checkpoint.is_file():
        trainer.restore(checkpoint)
        run.append_log(f"Resumed at step {trainer.step}")
    run.write_status(trainable=trainable, of=trainer.steps, message="", error_id="")

    def should_stop() -> bool:
        return stop() or run.stop_requested()

    try:
        handle_progress = partial(_handle_progress, run, trainer.adapted, report)
        trainer.run(handle_progress, should_stop, lambda it: it.save(checkpoint))
        save_adapter(run, trainer.adapted, base)
        _answer_test_examples(run, task, trainer, reader, report, should_stop)
        _measure_forgetting(run, trainer, should_stop)
        _ask_untouched_base(run, base, should_stop)
    except (TrainingStopped, InterruptedError):
        save_adapter(run, trainer.adapted, base)
        run.append_log(f"Cancelled at step {trainer.step}")
        message = f"Cancelled at step {trainer.step}; what was learnt is kept"
        return _write_end(run, trainer, meter, "cancelled", message)
    checkpoint.unlink(missing_ok=True)  # nothing is left to resume
    run.append_log("Done")
    notes = [f"seed {s.seed} {s.stopped}" for s in trainer.seeds if s.stopped]
    notes += list(filter(None, [reader.note(base.structure.window)]))
    if trainer.seeds_per_pass < planned:
        notes.append(f"memory ran out, so that {trainer.seeds_per_pass} seeds rode in a pass")
    return _write_end(run, trainer, meter, "done", "; ".join(notes))


def _build_trainer(run: Run, task: Task, base: BaseModel) -> tuple[Trainer, TextReader]:
    """Build the training loop of a run, and what its seeds read.

    Values are those of the run it starts from, if there is one.
    """
    spec, t = run.spec, run.spec.training
    adapted = planning.build_adapted(base, spec)
    if spec.start:
        initialize_from_run(adapted, _start_run(run), base)
    batcher = ExampleBatcher(base, task.labels, planning.prompt_length(spec, base))
    episodes = [task.few_shot(t.shots, n, t.dev) for n in spec.population.seed_numbers()]
    numbers = spec.population.seed_numbers()
    rows = lambda index: evaluation.examples_of_seed(task, spec, numbers[index])
    reader = reading.build_reader(adapted.adapter, episodes, batcher, rows)
    episodes = [reader.episode(index, episode) for index, episode in enumerate(episodes)]
    seeds_per_pass = batch_budget.seeds_per_pass(spec, base, batcher, episodes)
    concurrent_passes = thread_pool.thread_count(base.device)
    trainer = Trainer(adapted, episodes, batcher, spec, seeds_per_pass, concurrent_passes)
    return trainer, reader


def _handle_progress(
    run: Run,
    adapted: AdaptedModel,
    report: Callable[[TrainingProgress], None],
    progress: TrainingProgress,
) -> None:
    """Write a report of the loop, and keep the adapter of this step if its path has room."""
    _write_progress(run, progress)
    t = run.spec.training
    stride = path_stride(adapted, t.steps, t.evaluate_every)
    if progress.dev is not None and stride and _is_saved_step(progress.step, t, stride):
        save_adapter(run, adapted, adapted.base, progress.step)
    report(progress)


def _write_end(
    run: Run, trainer: Trainer, meter: UsageMeter, state: str, message: str
) -> RunStatus:
    before = run.stored_status()  # what it took before it was resumed
    usage = meter.read().added(
        before.processor_seconds, before.peak_memory, before.peak_device_memory
    )
    return run.write_status(
        **asdict(usage),
        state=state,
        done=trainer.step,
        seconds=trainer.seconds,
        message=message,
        seeds=_seed_summaries(trainer.seeds),
    )


def _seed_summaries(seeds: Sequence[SeedState]) -> list[dict[str, Any]]:
    return [
        {"seed": s.seed, "best_step": s.best_step, "best_dev": s.best_dev, "stopped": s.stopped}
        | ({} if s.best_score is None else {"best_score": s.best_score})
        for s in seeds
    ]


def _write_progress(run: Run, progress: TrainingProgress) -> None:
    """Write the status at every report, and a line per seed at every validation."""
    left = "" if progress.seconds_left is None else f"about {progress.seconds_left:.0f} s left"
    seeds = _seed_summaries(progress.seeds)
    run.write_status(done=progress.step, seconds=progress.seconds, message=left, seeds=seeds)
    if progress.dev is None:
        return
    run.append_history(
        {
            "step": progress.step,
            "seed": state.seed,
            "train_loss": loss,
            "dev_loss": dev,
            "learning_rate": progress.learning_rate,
            "seconds": progress.seconds,
        }
        | _stochastic_validation(progress, index)
        | ({} if progress.scores is None else {"dev_score": progress.scores[index]})
        for index, (state, loss, dev) in enumerate(
            zip(progress.seeds, progress.losses, progress.dev, strict=True)
        )
        if math.isfinite(dev) or state.stopped is None
    )


def _stochastic_validation(progress: TrainingProgress, index: int) -> dict[str, Any]:
    """Return a seed's losses of stochastic validation, beside their mean."""
    if progress.copies is None or progress.centroid is None:
        return {}
    return {"dev_copies": progress.copies[index], "dev_centroid": progress.centroid[index]}


def _start_run(run: Run) -> Run:

    return RunStore(run.folder.parent).open(run.spec.start)


def initialize_from_run(adapted: AdaptedModel, source: Run, base: BaseModel) -> None:
    """Copy the values that another run ended with, where names and shapes agree.

    Seed i starts from the source's seed i, and begins again where the source has fewer. Between two
    methods effective values count: a scaled prompt passes on the product, not its parts. What the
    source lacks keeps its own initial value; BadInput if nothing agrees.
    """
    source_model = load_adapter(source, base)
    source_tensors = dict(source_model.tensors)
    if source.spec.method != adapted.adapter.name:
        source_tensors = dict(source_model.adapter.effective_tensors(source_model.tensors))
        source_tensors |= {
            name: source_model.tensors[name]
            for name in source_model.tensors
            if name.startswith("head")
        }
    seed_indices = [i % source_model.seeds for i in range(adapted.seeds)]
    matching = [
        name
        for name, t in adapted.tensors.items()
        if name in source_tensors and source_tensors[name].shape[1:] == t.shape[1:]
    ]
    if "head" not in matching:  # what standardises a head means nothing without it
        matching = [name for name in matching if name not in HEAD_STATS]
    if not any(not name.startswith("head") for name in matching) and adapted.adapter.tensors:
        raise BadInput(
            f"run {source.id} ({source.spec.method}) has no values that fit "
            f"{adapted.adapter.title} with these settings: length or rank and vertices must agree"
        )
    for name in matching:
        adapted.tensors[name].data.copy_(source_tensors[name].detach()[seed_indices])


def _answer_test_examples(
    run: Run,
    task: Task,
    trainer: Trainer,
    reader: TextReader,
    report: Callable[[TrainingProgress], None],
    stop: Callable[[], bool],
) -> None:
    """Answer the test examples with every seed, and write answers and scores."""
    began, trained, seed_numbers = (
        time.monotonic(),
        trainer.seconds,
        run.spec.population.seed_numbers(),
    )
    rows = [evaluation.examples_of_seed(task, run.spec, n) for n in seed_numbers]

    def report_answered(done: int, of: int) -> None:
        spent = time.monotonic() - began
        left = (of - done) * spent / max(1, done)
        trainer.seconds = trained + spent
        run.write_status(
            seconds=trainer.seconds,
            message=f"Answered {done} of {of} examples, about {left:.0f} s left",
        )
        report(
            TrainingProgress(
                "answering", done, of, [], None, 0.0, trainer.seconds, left, trainer.seeds
            )
        )

    control = evaluation.PassControl(trainer.autocast, report_answered, stop)
    if run.spec.evaluation.protocol == "shared" and not reader.changes_text:
        run.write_status(phase="answering", message=f"Answering {len(rows[0])} examples")
        answers = evaluation.answer_examples(
            trainer.adapted, task, rows[0], trainer.batcher, run.spec.evaluation, control
        )
    else:
        run.write_status(phase="answering", message="Every seed reads examples of its own")
        answers = reading.answer_by_seed(
            trainer.adapted, task, reader, rows, trainer.batcher, run.spec.evaluation, control
        )
        if run.spec.evaluation.protocol == "feb":
            answers = [judge_as_benchmark(each) for each in answers]
    trainer.seconds = trained + time.monotonic() - began
    parts = zip(rows, answers, seed_numbers, strict=True)
    tables = [answers_table(given, each, n) for given, each, n in parts]
    run.write_answers(pd.concat(tables, ignore_index=True))
    scores = [
        _score(task, run.spec, each, given) for given, each in zip(rows, answers, strict=True)
    ]
    run.write_scores({name: [s[name] for s in scores] for name in scores[0]})


def _score(
    task: Task, spec: RunSpec, answers: Sequence[Answer], rows: Sequence[Example]
) -> dict[str, float]:
    """Score a seed's answers by the rules of the run's protocol."""
    scores = task.score(answers, rows)
    return scores if spec.evaluation.protocol == "shared" else benchmark_scores(scores, answers)


def _measure_forgetting(run: Run, trainer: Trainer, stop: Callable[[], bool]) -> None:
    """Measure what every seed forgot, where the base writes text."""
    base = trainer.adapted.base
    reason = forgetting.reason_without(base)
    if not trainer.adapted.trainable_tensors:
        reason = "Nothing was trained, so nothing can have been forgotten"
    if reason:
        run.append_log(reason)
        return
    run.write_status(message="Reading general text, to see what was forgotten")
    found = forgetting.measure(run.spec, trainer.adapted, stop)
    trainer.seconds += found.seconds
    run.write_forgetting(found)


def _ask_untouched_base(run: Run, base: BaseModel, stop: Callable[[], bool]) -> None:
    """Ask the base itself the run's questions, once for all runs that ask them."""
    run.write_status(message="Asking the untouched base")
    try:
        zero_shot.measure_for_run(run.spec, base, tasks.find_task(run.spec.task), stop)
    except BadInput as problem:  # a question too long for it is no fault of the run
        run.append_log(f"The untouched base was not asked: {problem}")


def _manifest(spec: RunSpec, task: Task, trainer: Trainer) -> dict[str, Any]:
    """Return what produced the results."""
    base = trainer.adapted.base
    return {
        "base": {
            "name": base.name,
            "fingerprint": base.fingerprint,
            "parameters": base.parameter_count,
            "kind": base.kind,
        },
        "data_hash": task.data_hash(),
        "trainable": trainer.adapted.trainable_count,
        "decoding": _decoding(spec, task, base),
        "precision": "fp32" if trainer.autocast is None else str(trainer.autocast).split(".")[-1],
        "device": str(base.device),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }


def _decoding(spec: RunSpec, task: Task, base: BaseModel) -> dict[str, Any]:
    """Return how answers are made, and which settings of the base's own were not used."""
    if base.kind == "encoder":
        return {"search": "likeliest label"}
    beams = spec.evaluation.beams
    search = "greedy" if beams == 1 else "beams"
    return {
        "search": "sampled pixel by pixel" if task.image_world else search,
        "beams": beams,
        "max_new_tokens": spec.evaluation.max_new_tokens or task.max_new_tokens,
        "settings_of_the_base_not_used": dict(base.settings_set_aside),
    }


def path_stride(adapted: AdaptedModel, steps: int, every: int) -> int:
    """Return every how many validations an adapter is kept within PATH_BYTES; 0: none is.

    0 where not even three fit, since a path of fewer points shows nothing.
    """
    size = sum(tensor.numel() for tensor in adapted.tensors.values()) * 2  # half precision
    max_saved = PATH_BYTES // max(1, size)
    evaluations = 1 + -(-steps // every)  # the untrained adapter is one
    if max_saved < 3:
        return 0
    return max(1, -(-(evaluations - 1) // (max_saved - 1)))


def _is_saved_step(step: int, training: Training, stride: int) -> bool:
    return step == training.steps or step % (training.evaluate_every * stride) == 0
