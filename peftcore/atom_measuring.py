"""Measuring atoms: coefficients over text, curves of pruning, paths of runs, two runs at once.

What is measured is written down entry by entry, so a stop loses at most the pass it falls into.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from peftcore import atom_studies, dictionaries, performing, planning, tasks
from peftcore.analysis import sparsity
from peftcore.atom_studies import Ask, Study
from peftcore.base import BaseModel, load
from peftcore.batches import Encoder
from peftcore.dictionaries import Dictionary
from peftcore.errors import BadInput
from peftcore.evaluation import examples_to_answer
from peftcore.measurements import Part, Status
from peftcore.runs import Run, RunStore
from peftcore.spec import RunSpec
from peftcore.surveys import stamp
from peftcore.tasks.base import Answer, Example, Task
from peftcore.terrain import Surveyor
from peftcore.training import Progress, precision

TOLD = 8  # examples whose answers are kept along a curve, for the page to show
DIGITS = 5  # of what is written down


def carry_out(
    study: Study,
    *,
    device: str = "cpu",
    base: BaseModel | None = None,
    report: Callable[[Status], None] = lambda status: None,
    stop: Callable[[], bool] = lambda: False,
) -> Status:
    """Bring a measurement to its end, or to where it is stopped; returns its status."""
    return study.carried_out(lambda: Bench(study, device, base, report, stop).work())


@dataclass
class Bench:
    """Everything a measurement needs at hand."""

    study: Study
    device: str
    given: BaseModel | None
    report: Callable[[Status], None]
    stop: Callable[[], bool]

    def __post_init__(self) -> None:
        self.began, self.before = time.monotonic(), self.study.status().seconds
        self.done = self.of = 0

    @property
    def ask(self) -> Ask:
        """What was asked."""
        return self.study.ask

    @cached_property
    def parts(self) -> list[Part]:
        """The runs asked for, and seeds where they are named."""
        return self.ask.parts()

    @cached_property
    def runs(self) -> list[Run]:
        """The runs asked for."""
        return [RunStore().open(part.run) for part in self.parts]

    @cached_property
    def base(self) -> BaseModel:
        """The base all of it rests on."""
        return self.given or load(self.runs[0].spec.base, self.device)

    @cached_property
    def tasks(self) -> list[Task]:
        """The task of each run."""
        return [tasks.find(run.spec.task) for run in self.runs]

    def encoder(self, place: int = 0) -> Encoder:
        """Tokenises the examples of a run's task."""
        return Encoder(self.base, self.tasks[place].labels)

    def work(self) -> None:
        """Measure what is still missing."""
        wanted = 2 if self.ask.kind == "combine" else 1
        if len(self.parts) != wanted:
            raise BadInput(f"{self.ask.kind} takes {wanted} run{'s' * (wanted > 1)}")
        stamps = [stamp(run, None) for run in self.runs]
        if self.study.facts.get("adapters", stamps) != stamps:
            self.study.clear()  # an adapter has changed since
        kinds = {"map": _map, "prune": _prune, "path": _path, "combine": _combine}
        kinds[self.ask.kind](self)

    def facts(self, found: Dictionary, **more: Any) -> None:
        """Write down what a reader must know to judge the figures."""
        run = self.runs[0]
        facts = {
            "base": self.base.name,
            "fingerprint": self.base.fingerprint,
            "task": run.spec.task,
            "data_hash": self.tasks[0].data_hash(),
            "metric": self.tasks[0].main_metric,
            "split": run.spec.evaluation.split,
            "n": len(self.examples()),
            "read": len(self.dev(0)),
            "seeds": run.spec.population.numbers(),
            "adapters": [stamp(each, None) for each in self.runs],
            "sites": found.sites,
            "atoms": found.each,
            "arithmetic": "fp32" if self.wanted() is None else "bf16",
        }
        self.study.write_plan(facts | more, [])

    def wanted(self) -> torch.dtype | None:
        """The arithmetic the run itself was scored in."""
        return precision(self.runs[0].spec.training.precision, self.base.device)

    def examples(self, place: int = 0) -> list[Example]:
        """The examples that are judged: the run's own split, as many as were asked for."""
        options = self.runs[place].spec.evaluation
        many = self.ask.examples or options.limit
        return list(
            examples_to_answer(self.tasks[place], options.model_copy(update={"limit": many}))
        )

    def dev(self, seed: int) -> list[Example]:
        """A seed's own validation examples: no importance is measured on what is judged later."""
        t = self.runs[0].spec.training
        number = self.runs[0].spec.population.numbers()[seed]
        rows = self.tasks[0].few_shot(t.shots, number, t.dev).dev
        return list(rows[: self.ask.read or len(rows)])

    def tell(self, message: str = "") -> None:
        """Write down how far it is; InterruptedError if somebody asked for the end."""
        seconds = self.before + time.monotonic() - self.began
        status = self.study.write_status(
            state="working", done=self.done, of=self.of, message=message, seconds=seconds
        )
        self.report(status)
        if self.asked_to_stop():
            raise InterruptedError

    def asked_to_stop(self) -> bool:
        """Whether somebody asked for the end."""
        return self.stop() or self.study.stop_asked()

    def surveyor(self, found: Dictionary, seed: int, rows: Sequence[Example]) -> Surveyor:
        """Measures one seed at gains, on the first run's examples."""
        return Surveyor(found, seed, rows, self.encoder(), self.wanted())


def _map(bench: Bench) -> None:
    """Coefficients of every seed, of the result and of every step that was kept."""
    run, study = bench.runs[0], bench.study
    numbers = run.spec.population.numbers()
    steps: list[int | None] = [None, *run.path_steps()]
    known = {(entry["step"], entry["seed"]) for entry in study.found("codes")}
    bench.of, bench.done = len(steps) * len(numbers), len(known)
    for step in steps:
        if all((step, number) in known for number in numbers):
            continue
        found = Dictionary(performing.load_adapter(run, bench.base, step))
        if step is None:
            bench.facts(found)
        for seed, number in enumerate(numbers):
            if (step, number) not in known:
                bench.tell(f"Seed {number}" + ("" if step is None else f", step {step}"))
                told = read(found, seed, bench.dev(seed), bench.encoder())
                study.keep({"what": "codes", "step": step, "seed": number} | told)
                bench.done += 1
    bench.tell()


def read(
    found: Dictionary, seed: int, examples: Sequence[Example], encoder: Encoder
) -> dict[str, Any]:
    """Sparsity, usage, mean sizes and lengths of a seed's atoms over examples."""
    codes = found.read(seed, examples, encoder)
    cells = sum(site.size for site in codes)
    return {
        "zeros": _short(sum(float((site == 0).sum()) for site in codes) / cells),
        "l0": _short(sum(sparsity.l0(site) for site in codes)),
        "hoyer": _short(_mean([sparsity.mean_hoyer(site) for site in codes])),
        "site_zeros": _short([sparsity.zeros(site) for site in codes]),
        "positions": [len(site) for site in codes],
        "usage": _short([sparsity.usage(site) for site in codes]),
        "size": _short([np.abs(site.astype(np.float64)).mean(0) for site in codes]),
        "norm": _short(found.norms()[seed]),
    }


def _mean(values: Sequence[float]) -> float:
    """Mean of the numbers there are, nan without any."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _short(value: Any) -> Any:
    """Numbers with as many digits as anybody reads; zero stays exactly zero."""
    held = np.asarray(value, dtype=np.float64)
    rounded = np.vectorize(lambda x: float(f"{x:.{DIGITS}g}"), otypes=[float])(held)
    return rounded.tolist()


def _prune(bench: Bench) -> None:
    """Weights of the atoms of every seed, then losses and scores along each order."""
    run, study, ask = bench.runs[0], bench.study, bench.ask
    found = Dictionary(performing.load_adapter(run, bench.base))
    shown = [(each.source, each.target) for each in bench.examples()[:TOLD]]
    bench.facts(found, shown=shown)
    numbers = run.spec.population.numbers()
    inner = sparsity.counts(found.size)[1:-1]
    whats = 1 + ask.answers
    curve = whats * (2 + len(inner) * (2 + ask.draws))
    bench.of = len(numbers) * (found.size + 1 + curve)
    known = {_key(e): e for e in study.entries()}
    bench.done = sum(_cost(found, entry) for entry in known.values())
    for seed, number in enumerate(numbers):
        weights = _weights(bench, found, seed, number, known)
        orders: list[tuple[str, int, sparsity.Whole, list[int]]] = [
            ("ends", 0, np.arange(found.size), [0, found.size])
        ]
        orders += [(name, 0, sparsity.ranked(w), inner) for name, w in weights.items()]
        orders += [
            ("random", draw, sparsity.shuffled(found.size, draw, number), inner)
            for draw in range(ask.draws)
        ]
        surveyor = bench.surveyor(found, seed, bench.examples())
        for name, draw, order, ks in orders:
            where = {"seed": number, "order": name, "draw": draw}
            for what in ("loss", "score")[:whats]:
                if ("curve", what, number, name, draw) not in known:
                    _curve(bench, surveyor, where | {"what": what}, order, ks)
    bench.tell()


def _key(entry: dict[str, Any]) -> tuple[Any, ...]:
    if entry["what"] == "weights":
        return "weights", entry["order"], entry["seed"]
    return "curve", entry["what"], entry["seed"], entry["order"], entry["draw"]


def _cost(found: Dictionary, entry: dict[str, Any]) -> int:
    if entry["what"] == "weights":
        return found.size if entry["order"] == "ablation" else 1
    return len(entry["k"])


def _weights(
    bench: Bench, found: Dictionary, seed: int, number: int, known: dict[tuple[Any, ...], Any]
) -> dict[str, sparsity.Array]:
    """Both weights of every atom of a seed on its validation examples, as far as not known yet."""
    made: dict[str, Callable[[], sparsity.Array]] = {
        "importance": lambda: _importance(bench, found, seed),
        "ablation": lambda: _ablation(bench, found, seed, number),
    }
    weights = {}
    for name, make in made.items():
        entry = known.get(("weights", name, number))
        if entry is None:
            bench.tell(f"Seed {number}, {name}")
            values = make()
            entry = {"what": "weights", "order": name, "seed": number, "values": _short(values)}
            bench.study.keep(entry)
            bench.done += int(name == "importance")
        weights[name] = np.asarray(entry["values"])
    return weights


def _importance(bench: Bench, found: Dictionary, seed: int) -> sparsity.Array:
    codes = found.read(seed, bench.dev(seed), bench.encoder())
    norms = found.norms()[seed]
    return np.concatenate([sparsity.importance(c, n) for c, n in zip(codes, norms, strict=True)])


def _ablation(bench: Bench, found: Dictionary, seed: int, number: int) -> sparsity.Array:
    """How much the loss on a seed's validation examples rises when each atom is removed alone."""
    surveyor = bench.surveyor(found, seed, bench.dev(seed))
    gains = torch.cat([torch.ones(1, found.size), 1 - torch.eye(found.size)])
    values: list[float] = []
    for at in range(0, len(gains), surveyor.block):
        values += surveyor.losses(gains[at : at + surveyor.block])
        bench.done += min(surveyor.block, found.size - at) if at < found.size else 0
        bench.tell(f"Seed {number}, removing atoms one by one")
    return np.asarray(values[1:]) - values[0]


def _curve(
    bench: Bench,
    surveyor: Surveyor,
    where: dict[str, Any],
    order: Sequence[int] | sparsity.Whole,
    ks: Sequence[int],
) -> None:
    """Losses or scores with the first k atoms of an order, and what it answered on the way."""
    gains = torch.from_numpy(np.stack([sparsity.kept(order, k) for k in ks])).float()
    task, options = bench.tasks[0], bench.runs[0].spec.evaluation
    values: list[float] = []
    told: list[list[str]] = []
    for at in range(0, len(ks), surveyor.block):
        words = "Losses" if where["what"] == "loss" else "Answers"
        bench.tell(
            f"{words} of seed {where['seed']}, {atom_studies.ORDERS.get(where['order'], '')}"
        )
        some = gains[at : at + surveyor.block]
        if where["what"] == "loss":
            values += surveyor.losses(some)
        else:
            answers = surveyor.answers(some, task, options, bench.asked_to_stop)
            values += [_score(task, each, surveyor.examples) for each in answers]
            told += [[answer.text for answer in each[:TOLD]] for each in answers]
    entry = where | {"k": list(ks), "values": [round(v, 7) for v in values]}
    if told and where["order"] in ("ends", "importance"):
        entry |= {"answers": told}
    bench.study.keep(entry)
    bench.done += len(ks)


def _score(task: Task, answers: Sequence[Answer], rows: Sequence[Example]) -> float:
    return float(task.score(answers, rows)[task.main_metric])


def _path(bench: Bench) -> None:
    """Train the runs of a path that are missing, with LoRA beside them, and read their density."""
    ask, store = bench.ask, RunStore()
    spec = bench.runs[0].spec
    atom_studies.along(spec, ask.over, ask.values)  # BadInput before anything is trained
    many = 1 + len(ask.values or atom_studies.VALUES[ask.over])
    steps = spec.training.steps
    bench.of, bench.done = (many + 2 * ask.warm) * steps, 0
    starts = {"lora": "", "atoms": ""}
    if ask.warm:
        for name, first in (
            ("lora", atom_studies.reference(spec)),
            ("atoms", atom_studies.dense(spec)),
        ):
            starts[name] = _trained(bench, store, first, "What runs begin from").id
            bench.done += steps
    points: list[tuple[float | None, RunSpec]] = [
        (None, atom_studies.reference(spec, starts["lora"])),
        *atom_studies.along(spec, ask.over, ask.values, starts["atoms"]),
    ]
    judged = len(examples_to_answer(bench.tasks[0], spec.evaluation))  # by every run alike
    worn = performing.load_adapter(bench.runs[0], bench.base)
    placed = {name: spec.settings[name] for name in ("components", "stacks")}
    bench.facts(Dictionary(worn), over=ask.over, n=judged, starts=starts, **placed)
    known = {(e["value"], e["run"]) for e in bench.study.found("run")}
    for value, each in points:
        if (value, each.id) not in known:
            run = _trained(bench, store, each, "LoRA" if value is None else f"{ask.over} {value:g}")
            bench.study.keep({"what": "run", "value": value, "run": run.id} | _density(bench, run))
        bench.done += steps
    bench.tell()


def _trained(bench: Bench, store: RunStore, spec: RunSpec, words: str) -> Run:
    """The finished run of a spec, trained now unless it is there; stops where it is asked to."""
    from peftcore.worker import attempt

    run = store.find(spec) or store.create(spec)
    if run.status().state == "done":
        return run
    before = bench.done

    def report(progress: Progress) -> None:
        bench.done = before + (
            progress.step if progress.phase == "training" else spec.training.steps
        )
        seconds = bench.before + time.monotonic() - bench.began
        bench.report(
            bench.study.write_status(
                state="working",
                done=bench.done,
                of=bench.of,
                message=f"{words}, {progress.phase}",
                seconds=seconds,
            )
        )

    def work() -> Any:
        return performing.perform(
            run, device=bench.device, base=bench.base, report=report, stop=bench.asked_to_stop
        )

    attempt(run, work)
    bench.done = before
    if run.status().state != "done":
        raise InterruptedError
    return run


def _density(bench: Bench, run: Run) -> dict[str, Any]:
    """Scores of a run by seed, and how sparse its coefficients are on each validation draw."""
    told: dict[str, Any] = {
        "metric": bench.tasks[0].main_metric,
        "scores": run.scores()[bench.tasks[0].main_metric],
        "dev": [seed["best_dev"] for seed in run.status().seeds],
    }
    if run.spec.method != "atoms":
        return told
    found = Dictionary(performing.load_adapter(run, bench.base))
    each = [
        read(found, seed, bench.dev(seed), bench.encoder())
        for seed in range(run.spec.population.seeds)
    ]
    measured = [vars(atom_studies.measures(one)) for one in each]
    return told | {name: [m[name] for m in measured] for name in measured[0]}


def _combine(bench: Bench) -> None:
    """Scores on both tasks with both runs' atoms, with each alone and with none, for every seed."""
    pairs = _pairs(bench)
    worn = [Dictionary(performing.load_adapter(run, bench.base)) for run in bench.runs]
    bench.facts(worn[0], tasks=[task.name for task in bench.tasks])
    known = {(e["seed"], e["task"]) for e in bench.study.found("combined")}
    judged: dict[str, tuple[int, Task]] = {}  # two runs of one task are judged on it once
    for place, task in enumerate(bench.tasks):
        judged.setdefault(task.name, (place, task))
    bench.of, bench.done = len(judged) * len(pairs), len(known)
    for number, seeds in pairs:
        both = dictionaries.joined(worn[0], worn[1], seeds)
        gains = mixed_gains(both, worn[0].each, [(1, 1), (1, 0), (0, 1), (0, 0)])
        for place, task in judged.values():
            if (number, task.name) in known:
                continue
            bench.tell(f"Seed {number}, {task.title}")
            rows, options = bench.examples(place), bench.runs[place].spec.evaluation
            surveyor = Surveyor(both, 0, rows, bench.encoder(place), bench.wanted())
            answers = surveyor.answers(gains, task, options, bench.asked_to_stop)
            scores = [_score(task, each, rows) for each in answers]
            names = ("both", "first", "second", "none")
            bench.study.keep(
                {"what": "combined", "seed": number, "task": task.name, "n": len(rows)}
                | {"metric": task.main_metric}
                | dict(zip(names, scores, strict=True))
            )
            bench.done += 1
    bench.tell()


def _pairs(bench: Bench) -> list[tuple[int, tuple[int, int]]]:
    """Which seeds meet: those that were named, else the first with the first, and so on."""
    numbers = [run.spec.population.numbers() for run in bench.runs]
    for part, held in zip(bench.parts, numbers, strict=True):
        if part.step is not None or (part.seed is not None and part.seed >= len(held)):
            raise BadInput(f"combine takes RUN or RUN/SEED with a seed below {len(held)}")
    if any(part.seed is not None for part in bench.parts):
        first, second = (part.seed or 0 for part in bench.parts)
        return [(numbers[0][first], (first, second))]
    return [(numbers[0][s], (s, s)) for s in range(min(map(len, numbers)))]


def mixed_gains(
    both: Dictionary, first: int, shares: Sequence[tuple[float, float]]
) -> torch.Tensor:
    """Gains (p, …) of joined atoms: one share for the first run's, another for the second's."""
    gains = torch.empty(len(shares), len(both.sites), both.each)
    for place, (one, other) in enumerate(shares):
        gains[place, :, :first], gains[place, :, first:] = one, other
    return gains.flatten(1)


def answers_with(
    run: Run, found: Dictionary, seed: int, gains: torch.Tensor, texts: Sequence[str]
) -> list[list[str]]:
    """What one seed at each of several gains (p, …) answers to texts."""
    from peftcore import answering

    task = tasks.find(run.spec.task)
    encoder = Encoder(found.base, task.labels, planning.room(run.spec, found.base))
    rows = [answering.typed(text) for text in texts]
    with torch.inference_mode():
        told = Surveyor(found, seed, rows, encoder).answers(
            gains, task, run.spec.evaluation, lambda: False
        )
    return [[answer.text for answer in each] for each in told]
