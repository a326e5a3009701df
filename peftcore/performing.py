"""A run from its spec to its scores: train, answer, score, and write every file of its folder.

Resumes from the checkpoint if there is one.  Asked to stop, it keeps what was learnt.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import platform
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pandas as pd

from peftcore import planning, tasks
from peftcore.errors import BadInput
from peftcore.tasks.base import Answer, Example, Task

if TYPE_CHECKING:
    from peftcore.adapter import Adapted
    from peftcore.base import BaseModel
    from peftcore.runs import Run, Status
    from peftcore.training import Progress, Trainer

PACKAGES = ("torch", "transformers", "tokenizers", "sacrebleu", "rouge-score", "scikit-learn")


def perform(
    run: Run,
    *,
    device: str = "cpu",
    base: BaseModel | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
    stop: Callable[[], bool] = lambda: False,
) -> Status:
    """Bring a run to its end, or to where `stop` says; returns its status.

    BadInput if the spec cannot run; any other error is left to the caller, who logs it.
    """
    from peftcore.base import load
    from peftcore.batches import Encoder
    from peftcore.training import Stopped, Trainer

    spec = run.spec
    run.write_status(state="training", steps=spec.training.steps, message="Loading the base model")
    base = base or load(spec.base, device)
    task = tasks.find(spec.task)
    planning.check(spec, base)
    adapted = planning.wear(base, spec)
    encoder = Encoder(base, task.labels, planning.room(spec, base))
    t = spec.training
    episodes = [task.few_shot(t.shots, n, t.dev) for n in spec.population.numbers()]
    trainer = Trainer(adapted, episodes, encoder, spec)
    trainable = sum(tensor[0].numel() for tensor in adapted.tensors.values())
    run.write_manifest(_manifest(spec_task=task, base=base, trainer=trainer, trainable=trainable))
    checkpoint = run.folder / "checkpoint.safetensors"
    if checkpoint.is_file():
        trainer.restore(checkpoint)
        run.append_log(f"Resumed at step {trainer.step}")
    run.write_status(state="training", trainable=trainable, message="", error_id="")

    def tell(progress: Progress) -> None:
        _write_progress(run, progress)
        report(progress)

    try:
        trainer.run(tell, stop, lambda it: it.save(checkpoint))
        save_adapter(run, adapted, base)
        _answer(run, task, trainer, encoder, report, stop)
    except (Stopped, InterruptedError):
        save_adapter(run, adapted, base)
        run.append_log(f"Cancelled at step {trainer.step}")
        return run.write_status(
            state="cancelled",
            step=trainer.step,
            seconds=trainer.seconds,
            message=f"Cancelled at step {trainer.step}; what was learnt is kept",
            seeds=_seeds(trainer),
        )
    checkpoint.unlink(missing_ok=True)  # nothing is left to resume
    run.append_log("Done")
    stopped = [f"seed {s.seed} {s.stopped}" for s in trainer.seeds if s.stopped]
    return run.write_status(
        state="done",
        step=trainer.step,
        seconds=trainer.seconds,
        message="; ".join(stopped),
        seeds=_seeds(trainer),
    )


def _seeds(trainer: Trainer) -> list[dict[str, Any]]:
    return [
        {"seed": s.seed, "best_step": s.best_step, "best_dev": s.best_dev, "stopped": s.stopped}
        for s in trainer.seeds
    ]


def _write_progress(run: Run, progress: Progress) -> None:
    """Status at every report; a line of history for each seed at every look at dev."""
    left = "" if progress.left is None else f"about {progress.left:.0f} s left"
    seeds = [
        {"seed": s.seed, "best_step": s.best_step, "best_dev": s.best_dev, "stopped": s.stopped}
        for s in progress.seeds
    ]
    run.write_status(
        state="training", step=progress.step, seconds=progress.seconds, message=left, seeds=seeds
    )
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
        for state, loss, dev in zip(progress.seeds, progress.losses, progress.dev, strict=True)
        if math.isfinite(dev) or state.stopped is None
    )


def _answer(
    run: Run,
    task: Task,
    trainer: Trainer,
    encoder: Any,
    report: Callable[[Progress], None],
    stop: Callable[[], bool],
) -> None:
    """Answer the test examples with every seed, and write answers and scores."""
    from peftcore import evaluation
    from peftcore.training import Progress

    options, began = run.spec.evaluation, time.monotonic()
    rows = evaluation.examples_to_answer(task, options)
    trained = trainer.seconds

    def tell(done: int, of: int) -> None:
        spent = time.monotonic() - began
        left = (of - done) * spent / max(1, done)
        trainer.seconds = trained + spent
        run.write_status(
            state="answering",
            seconds=trainer.seconds,
            message=f"Answered {done} of {of} examples, about {left:.0f} s left",
        )
        report(Progress("answering", done, of, [], None, 0.0, trainer.seconds, left, trainer.seeds))

    run.write_status(state="answering", message=f"Answering {len(rows)} examples")
    found = evaluation.answer(
        trainer.adapted,
        task,
        rows,
        encoder,
        options,
        autocast=trainer.autocast,
        report=tell,
        stop=stop,
    )
    trainer.seconds = trained + time.monotonic() - began
    numbers = run.spec.population.numbers()
    tables = [answers_table(task, rows, each, n) for each, n in zip(found, numbers, strict=True)]
    run.write_answers(pd.concat(tables, ignore_index=True))
    scores = [task.score(each, rows) for each in found]
    run.write_scores({name: [s[name] for s in scores] for name in scores[0]})


def answers_table(
    task: Task, rows: tuple[Example, ...], answers: list[Answer], seed: int
) -> pd.DataFrame:
    """One seed's answers with the columns that runs keep."""
    return pd.DataFrame(
        {
            "seed": seed,
            "example": [row.id for row in rows],
            "source": [row.source for row in rows],
            "target": [row.target for row in rows],
            "references": [list(row.references) for row in rows],
            "label": pd.array([row.label for row in rows], dtype="string"),
            "text": [answer.text for answer in answers],
            "predicted": pd.array([answer.label for answer in answers], dtype="string"),
            "explanation": pd.array([answer.explanation for answer in answers], dtype="string"),
            "correct": pd.array(
                [
                    a.label == r.label if task.labels else None
                    for a, r in zip(answers, rows, strict=True)
                ],
                dtype="boolean",
            ),
        }
    )


def _manifest(
    *, spec_task: Task, base: BaseModel, trainer: Trainer, trainable: int
) -> dict[str, Any]:
    """What produced the results."""
    return {
        "base": {
            "name": base.name,
            "fingerprint": base.fingerprint,
            "parameters": base.parameters,
            "kind": base.kind,
        },
        "data_hash": spec_task.data_hash(),
        "trainable": trainable,
        "precision": "fp32" if trainer.autocast is None else str(trainer.autocast).split(".")[-1],
        "device": str(base.device),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }


def save_adapter(run: Run, adapted: Adapted, base: BaseModel) -> None:
    """Write the trained tensors, with the base they belong to, replacing the file in one step."""
    import os

    from safetensors.torch import save_file

    note = {"format": "peftcore-1", "fingerprint": base.fingerprint, "spec": run.spec.canonical()}
    part = run.folder / "adapter.part"
    held = adapted.tensors | adapted.frozen
    ready = {k: v.detach().cpu().contiguous().clone() for k, v in held.items()}
    # One entry: several would be written in an order of their own each time.
    save_file(ready, part, metadata={"peftcore": json.dumps(note, sort_keys=True)})
    os.replace(part, run.folder / "adapter.safetensors")


def load_adapter(run: Run, base: BaseModel) -> Adapted:
    """The base wearing what a run learnt; BadInput if it was learnt on another base."""
    from safetensors import safe_open

    path = run.folder / "adapter.safetensors"
    if not path.is_file():
        raise BadInput(f"run {run.id} has no adapter yet: it is {run.status().state}")
    adapted = planning.wear(base, run.spec, fresh=False)
    held = adapted.tensors | adapted.frozen
    with safe_open(path, "pt") as file:
        note = json.loads((file.metadata() or {}).get("peftcore", "{}"))
        seen = note.get("fingerprint")
        if seen != base.fingerprint:
            raise BadInput(
                f"run {run.id} was trained on weights {seen}, but {base.name} has weights "
                f"{base.fingerprint}: same shape is not the same model"
            )
        stored = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
        shapes = {name: list(tensor.shape) for name, tensor in held.items()}
        if stored != shapes:
            raise BadInput(
                f"the adapter of run {run.id} does not have the shapes its spec asks for"
            )
        for name, tensor in held.items():
            tensor.data.copy_(file.get_tensor(name))
    return adapted
