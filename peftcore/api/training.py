"""Training: an adapter chosen for a base, its run, and the one way in which a run is carried out.

Everything here ends in `training.run_training.execute_run`, as it does for pages and workers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from peftcore import tasks
from peftcore.adapters.base import METHODS
from peftcore.api.bases import load_base
from peftcore.api.data import Rows, task_from_rows
from peftcore.api.results import TrainedAdapter
from peftcore.errors import BadInput, unknown_name
from peftcore.jobs.worker import resolve_device
from peftcore.runs.spec import Evaluation, Members, RunSpec, Training
from peftcore.runs.store import Run, RunStore
from peftcore.settings import Settings
from peftcore.system.job_folder import run_recording_errors
from peftcore.training import planning, presets

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel
    from peftcore.runs.store import RunStatus
    from peftcore.training.trainer import TrainingProgress

Report = Callable[["TrainingProgress"], None]


def list_methods() -> pd.DataFrame:
    """List the methods: title, summary, kinds of base, default learning rate, settings.

    >>> import peftcore
    >>> "length" in peftcore.list_methods().loc["spt", "settings"]
    True
    """
    rows = [
        {
            "method": method.name,
            "title": method.title,
            "summary": method.summary,
            "kinds": sorted(method.kinds),
            "learning_rate": method.learning_rate,
            "settings": list(method.Config.model_fields),
        }
        for method in METHODS.values()
    ]
    return pd.DataFrame(rows).set_index("method")


@dataclass(frozen=True)
class Adaptation:
    """A base with a method chosen for it, ready to be trained on any task; made by `adapt`.

    >>> import peftcore
    >>> base = peftcore.load_base("tiny-t5", device="cpu")
    >>> peftcore.adapt(base, "lora", seeds=2).spec("miniworld_nli", steps=10).training.steps
    10
    """

    base: BaseModel
    method: str
    settings: Settings
    population: Members

    def spec(self, task: str, *, start: str = "", **options: Any) -> RunSpec:
        """Fix all that decides the result on a task; options are those of `train`.

        `start` is the id of a run whose adapter is the starting point.
        """
        known = {**Training.model_fields, **Evaluation.model_fields}
        for name in options:
            if name not in known:
                raise unknown_name("setting", name, known)
        training, evaluation = (
            {name: value for name, value in options.items() if name in kind.model_fields}
            for kind in (Training, Evaluation)
        )
        size = presets.find_preset(presets.USUAL, self.base.parameter_count)
        return planning.build_spec(
            self.base,
            task,
            self.method,
            self.settings,
            self.population,
            size.section("training") | training,
            size.section("evaluation") | evaluation,
            start,
        )

    def count_parameters(self, task: str = "") -> tuple[int, int]:
        """Count the numbers one seed trains, all its vertices, and those of the base with a head.

        A task matters only to encoders, which train a head for its labels.

        >>> import peftcore
        >>> base = peftcore.load_base("tiny-t5", device="cpu")
        >>> peftcore.adapt(base, "prompt_tuning", length=10).count_parameters()
        (1920, 4157376)
        """
        return planning.count_parameters(self.spec(task or any_labelled_task()), self.base)


def any_labelled_task() -> str:
    """Name a task with labels, so that encoders have something to count a head for."""
    return next(name for name in tasks.task_names() if tasks.find_task(name).labels)


def adapt(base: BaseModel | str, method: str, **settings: Any) -> Adaptation:
    """Choose a method for a base; nothing is trained yet.

    `method` and its settings are those of `list_methods`.  Beside them, `seeds` is the number of
    independent repetitions (4), `vertices` the corners of the simplex of adapters (1: a single
    adapter), `first_seed` and `draw` as in `RunSpec`.  BadInput names what does not exist or fit.

    >>> import peftcore
    >>> base = peftcore.load_base("tiny-t5", device="cpu")
    >>> adaptation = peftcore.adapt(base, "spt", length=20, seeds=4, vertices=1)
    >>> adaptation.settings.length, adaptation.population.seeds
    (20, 4)
    """
    loaded = load_base(base) if isinstance(base, str) else base
    method_class = METHODS[method]
    method_class.check_base_kind(loaded.name, loaded.kind)
    own = method_class.Config.model_fields
    for name in settings:
        if name not in own and name not in Members.model_fields:
            raise unknown_name("setting", name, {**own, **Members.model_fields})
    chosen = {name: value for name, value in settings.items() if name in own}
    population = {name: value for name, value in settings.items() if name not in own}
    return Adaptation(loaded, method, method_class.Config.make(chosen), Members.make(population))


def train(
    adaptation: Adaptation | RunSpec,
    data: str | Rows | None = None,
    *,
    again: bool = False,
    report: Report = lambda progress: None,
    **options: Any,
) -> TrainedAdapter:
    """Train on a task or on your own rows, and score what was learnt on examples not seen before.

    `data` is a task's name, or rows with the columns text and label (others: `task_from_rows`).
    `options` are any of `shots`, `dev`, `steps`, `batch`, `learning_rate`, `evaluate_every`, … of
    the training and `split`, `limit`, `beams`, `max_new_tokens` of the scoring; see `RunSpec`.
    A `RunSpec` says all of that by itself.  The result is a run of the workspace, which pages and
    commands show too: one that is done is not trained `again` unless asked, and one that was
    interrupted goes on from its checkpoint.  `report` is called with the progress.  BadInput if
    it cannot work, such as for too few examples.

    >>> import peftcore
    >>> base = peftcore.load_base("tiny-t5", device="cpu")
    >>> adaptation = peftcore.adapt(base, "prompt_tuning", length=4, seeds=2)
    >>> short = dict(steps=2, shots=4, dev=4, batch=2, limit=4, max_new_tokens=4)
    >>> trained = peftcore.train(adaptation, "miniworld_nli", **short)
    >>> int(trained.scores.loc["accuracy", "n"])
    2
    >>> trained.history.columns[:4].tolist()
    ['step', 'seed', 'train_loss', 'dev_loss']
    """
    if isinstance(adaptation, RunSpec):
        if data is not None or options:
            raise BadInput("a spec says what it is trained on and how; leave the rest out")
        spec, base = adaptation, None
    elif data is None:
        raise BadInput("name a task, or give rows to train on")
    else:
        task = data if isinstance(data, str) else task_from_rows(data)
        spec, base = adaptation.spec(task, **options), adaptation.base
    run = None if again else finished_run(spec)
    if run is None:
        run = prepare_run(spec, again)
        device = str(base.device) if base else resolve_device("auto")
        train_run(run, device, base, report)
    return TrainedAdapter(run, base)


def finished_run(spec: RunSpec) -> Run | None:
    """The run of a spec if it is done, demo runs included."""
    run = RunStore().find(spec)
    return run if run and run.status().state == "done" else None


def prepare_run(spec: RunSpec, again: bool = False) -> Run:
    """The run of a spec, made if there is none; with `again` as if it had never been trained."""
    if not again:
        return RunStore().create(spec)
    run = RunStore().create(spec, include_demos=False)
    with run.lock():
        run.reset()
    return run


def train_run(
    run: Run,
    device: str,
    base: BaseModel | None = None,
    report: Report = lambda progress: None,
    stop: Callable[[], bool] = lambda: False,
) -> RunStatus:
    """Bring a run to its end, or to where `stop` says, in this process.

    No other process may be at it.  BadInput if its spec cannot run; JobFailed for any other
    error, which the run's log has in full.
    """

    def work() -> RunStatus:
        from peftcore.training.run_training import execute_run

        return execute_run(run, device=device, base=base, report=report, stop=stop)

    return run_recording_errors(run, work)
