"""What a run will cost before it starts: measured where it matters, counted for the rest.

Measured, on a few rows of the run's own examples: a training step, a part of dev, and the first
tokens of answers. From these the run is counted up by the tokens it will read and write. On a deep
base the trial takes fewer seeds and rows than the run, since there time grows with the tokens.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from peftcore import tasks
from peftcore.adapters.base import METHODS
from peftcore.data.task import Episode, Example
from peftcore.models.base_model import BaseModel
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.spec import RunSpec
from peftcore.system import thread_pool
from peftcore.training import batch_budget, evaluation, forgetting, planning, reading
from peftcore.training.planning import CostEstimate
from peftcore.training.trainer import Trainer, step_examples

Clock = Callable[[], float]  # seconds
TRIAL_WORK = 1.5e10  # numbers of the base times tokens that a trial step may read: about a second
TRIAL_ANSWER_TOKENS = 3  # new tokens of a trial answer after the first
# The last of many answers ends between the longest gold one and the limit, which a row that repeats
# itself reaches; how near to which depends on whether there are enough steps to learn to stop.
STOPPING_STEPS, LEARNT_WEIGHT, UNLEARNT_WEIGHT = 50, 0.8, 0.5
COUNTED_STEPS = 64  # steps whose examples are looked at for their length, spread over the run
WRITTEN_BYTES_PER_SECOND = 3e8  # of checkpoints
# Memory of a process: Python with its packages, what a pass keeps, and what is read at once.
PROCESS_BYTES = 500e6
NUMBERS_PER_TOKEN = 26  # kept for the backward pass per layer and feature of the width
LOGIT_COPIES = 4  # logits, in single precision, their softmax, and the gradient


def estimate_cost(
    spec: RunSpec, base: BaseModel, clock: Clock = time.perf_counter, load_seconds: float = 0.0
) -> CostEstimate:
    """Estimate a run: parameters exactly, time from trials on this machine, memory by counting.

    load_seconds is what loading the base took, which a worker that has not loaded it will need.
    """
    began = clock()
    trial = _Trial(spec, base, clock)
    trainer = trial.build_trainer()
    building = clock() - began
    trainable, total = planning.count_parameters(spec, base)
    state_bytes = (
        4
        * spec.population.seeds
        * sum(tensor[0].numel() for tensor in trainer.adapted.tensors.values())
    )
    evaluations = count_evaluations(spec)
    answering, longest_answering = trial.answering_seconds(trainer)
    parts = {
        "training": trial.training_seconds(trainer),
        "validation": evaluations * trial.validation_seconds(trainer),
        "answering": answering,
        "forgetting": forgetting.estimate_seconds(spec, trainer.adapted, clock)
        if trainer.steps
        else 0.0,
        "saving": evaluations * 4 * state_bytes / WRITTEN_BYTES_PER_SECOND,
    }
    seconds = sum(parts.values())
    return CostEstimate(
        trainable,
        total,
        100 * trainable / total,
        seconds,
        count_memory(spec, base, trial.batcher, state_bytes),
        "trial steps and answers on this machine",
        parts,
        load_seconds + building,
        seconds - answering + longest_answering,
    )


def count_evaluations(spec: RunSpec) -> int:
    """Return how often dev is evaluated: before the first step, on the way, and after the last."""
    if not METHODS[spec.method].trains():
        return 1
    return 1 + -(-spec.training.steps // spec.training.evaluate_every)


def count_memory(spec: RunSpec, base: BaseModel, batcher: ExampleBatcher, state_bytes: int) -> int:
    """Return the bytes that a run needs at its peak; on a GPU those that trials have needed.

    state_bytes: of all tensors of all seeds, which AdamW, gradients, and best values hold again.
    """
    if torch.cuda.is_available() and base.device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    t, structure = spec.training, base.structure
    episode = tasks.task_of(spec).few_shot(t.shots, spec.population.first_seed, t.dev)
    lengths = [_token_counts(batcher, example) for example in episode.train]
    source, target = (max(each[k] for each in lengths) for k in (0, 1))
    seeds_in_pass = min(
        spec.population.seeds, batch_budget.seeds_per_pass(spec, base, batcher, [episode])
    )
    passes = min(thread_pool.thread_count(base.device), spec.population.seeds)
    rows = t.batch * min(seeds_in_pass, -(-spec.population.seeds // passes)) * passes
    tokens = rows * (source + target + planning.prompt_length(spec, base))
    states = tokens * structure.layers * structure.width * NUMBERS_PER_TOKEN
    heads = tokens * structure.layers * structure.heads * (source + target) * 2
    logits = rows * (target + 1) * len(base.embeddings) * LOGIT_COPIES
    if base.kind == "encoder":
        logits = 0
    return int(
        PROCESS_BYTES + 4 * (base.parameter_count + states + heads + logits) + 5 * state_bytes
    )


def _token_counts(batcher: ExampleBatcher, example: Example) -> tuple[int, int]:
    """Return how many tokens an example has to read and to write."""
    row = batcher.tokenize(example)
    return len(row.input_ids), len(row.target_ids)


class _Trial:
    """A part of a run that is tried: fewer seeds and rows where the base is deep."""

    def __init__(self, spec: RunSpec, base: BaseModel, clock: Clock) -> None:
        """Take the run, its base, and the clock that trials are timed with."""
        self.spec, self.base, self.clock = spec, base, clock
        self.task = tasks.task_of(spec)
        self.extra_tokens = planning.prompt_length(spec, base)
        self.batcher = ExampleBatcher(base, self.task.labels, self.extra_tokens)
        self.passes = thread_pool.thread_count(base.device)  # side by side
        t = spec.training
        # One seed's examples stand for all: those of the others are drawn in the same way.
        self.episode = self.task.few_shot(t.shots, spec.population.first_seed, t.dev)
        self.seeds, self.rows = self._size(t.batch)

    def _size(self, rows: int) -> tuple[int, int]:
        """Return how many seeds and rows a trial has, of all seeds and so many rows of each."""
        seeds = self.spec.population.seeds
        affordable = TRIAL_WORK / self.base.parameter_count / self._longest
        if seeds * rows <= affordable:
            return seeds, rows
        seeds = min(seeds, self.passes)
        return seeds, max(min(rows, 2), min(rows, int(affordable / seeds)))

    @cached_property
    def _longest(self) -> int:
        """Tokens of the longest training example."""
        return max(self.tokens([example]) for example in self.episode.train)

    def tokens(self, rows: Sequence[Example]) -> int:
        """Return the tokens of a batch of these rows, padding and soft tokens included."""
        counts = [_token_counts(self.batcher, row) for row in rows]
        longest = (
            max(a for a, _ in counts) + max(b for _, b in counts)
            if self.base.kind == "encoder-decoder"
            else max(a + b for a, b in counts)
        )
        return len(rows) * (longest + self.extra_tokens)

    def build_trainer(self) -> Trainer:
        """Build the training loop of the trial."""
        t = self.spec.training
        spec = self.spec.model_copy(
            update={
                "population": self.spec.population.model_copy(update={"seeds": self.seeds}),
                "training": t.model_copy(update={"batch": self.rows}),
            }
        )
        _, dev_rows = self._size(2 * t.batch)
        adapted = planning.build_adapted(self.base, spec)
        answered = evaluation.examples_to_answer(self.task, self.spec.evaluation)
        self.reader = reading.build_reader(
            adapted.adapter, [self.episode], self.batcher, lambda seed: answered
        )
        self.episode = self.reader.episode(0, self.episode)
        episodes = [Episode(self.episode.train, self.episode.dev[:dev_rows])] * self.seeds
        per_pass = batch_budget.seeds_per_pass(self.spec, self.base, self.batcher, episodes)
        return Trainer(adapted, episodes, self.batcher, spec, per_pass, self.passes)

    def _seconds(self, work: Callable[[], object]) -> float:
        """Return how long this takes."""
        began = self.clock()
        work()
        return self.clock() - began

    @property
    def _rounds(self) -> float:
        """Return how many times as many seeds the run has as the trial, one after the other."""
        rounds, tried = (-(-n // self.passes) for n in (self.spec.population.seeds, self.seeds))
        return rounds / tried if self.seeds < self.spec.population.seeds else 1.0

    def training_seconds(self, trainer: Trainer) -> float:
        """Take trial steps, and return the time of all steps of the run."""
        t, seed = self.spec.training, self.spec.population.first_seed
        if not trainer.steps:  # nothing to train
            return 0.0
        trainer.train_step()  # pays for warming up
        trainer.step = 0  # the same examples again: a state that is kept of each is there now
        again = self._seconds(trainer.train_step)
        fresh_steps = min(t.steps, -(-t.shots // t.batch))
        fresh = self._seconds(trainer.train_step) if trainer.keeps_states else again
        stride = -(-t.steps // COUNTED_STEPS)
        counted = range(0, t.steps, stride)
        tokens = sum(
            self.tokens(step_examples(self.episode.train, seed, step, t.batch)) for step in counted
        )
        tried = self.tokens(step_examples(self.episode.train, seed, 0, self.rows))
        steps = self._rounds * tokens / len(counted) / tried
        return steps * ((t.steps - fresh_steps) * again + fresh_steps * fresh)

    def validation_seconds(self, trainer: Trainer) -> float:
        """Evaluate a part of dev, and return the time of one evaluation of all of it."""
        t = self.spec.training
        copies = t.copies if trainer.adapted.vertices > 1 and t.validation == "stochastic" else 0
        active, copy = trainer.active_seeds, 0 if copies else None
        with torch.no_grad():
            if trainer.keeps_states:
                trainer.dev_losses(active, copy)  # fills what is kept
            seconds = self._seconds(lambda: trainer.dev_losses(active, copy))
        dev = self.episode.dev
        parts = [dev[at : at + 2 * t.batch] for at in range(0, len(dev), 2 * t.batch)]
        tried = trainer.episodes[0].dev
        tried_parts = [tried[at : at + 2 * self.rows] for at in range(0, len(tried), 2 * self.rows)]
        share = sum(map(self.tokens, parts)) / sum(map(self.tokens, tried_parts))
        return self._rounds * share * seconds * (1 + copies)

    def answering_seconds(self, trainer: Trainer) -> tuple[float, float]:
        """Answer a few rows for a few tokens, and return the time of all answers of the run.

        As expected, and where a row of every pass runs to the limit. Which of the two a short run
        comes to is not seen from its untrained adapter: on a base of 135 million parameters all of
        seven methods had such a row before training, and one of them after six steps.
        """
        options, seeds = self.spec.evaluation, self.spec.population.seeds
        rows = self.reader.read(0, evaluation.examples_to_answer(self.task, options))
        budget = batch_budget.token_budget(self.base) // options.beams
        groups = [
            [rows[i] for i in group]
            for group in evaluation.length_batches(self.batcher, rows, seeds, budget)
        ]
        middle = groups[len(groups) // 2]
        tried = middle[: self._size(len(middle))[1]]
        side_by_side = min(self.passes, len(groups))
        timed = thread_pool.map_in_threads(
            lambda part: self._time_answers(trainer, part), [tried] * side_by_side, side_by_side
        )
        times = AnswerTimes.mean(timed)
        if len(tried) * self.seeds < len(middle) * seeds:  # what a row adds, from one row beside
            times = times.beside(self._time_answers(trainer, tried[:1]))
        expected = sum(times.seconds(seeds * len(g), self._new_tokens(g)) for g in groups)
        longest = sum(times.seconds(seeds * len(g), self._most_new_tokens) for g in groups)
        return expected / side_by_side, longest / side_by_side

    def _time_answers(self, trainer: Trainer, rows: Sequence[Example]) -> AnswerTimes:
        """Let the seeds of the trial begin to answer these rows."""
        marks = [self.clock()]

        def mark_token(ids: torch.Tensor, _: object, **__: object) -> torch.Tensor:
            """Note the time of a new token of rows of ids (n, t), and stop none of them (n,)."""
            marks.append(self.clock())
            return torch.zeros(len(ids), dtype=torch.bool, device=ids.device)

        new_tokens = {"max_new_tokens": 1 + TRIAL_ANSWER_TOKENS}
        new_tokens |= {"min_new_tokens": 1 + TRIAL_ANSWER_TOKENS}
        half = trainer.autocast
        with torch.autocast(self.base.device.type, half, enabled=half is not None):
            evaluation.answer_rows(
                trainer.adapted,
                self.task,
                list(rows) * self.seeds,
                trainer.cached_batcher,
                self.spec.evaluation,
                {**new_tokens, "stopping_criteria": [mark_token]},
            )
        marks.append(self.clock())  # an encoder's answer is a single pass
        each = (marks[-2] - marks[1]) / (len(marks) - 3) if len(marks) > 3 else 0.0
        return AnswerTimes(self.seeds * len(rows), marks[1] - marks[0], each)

    @property
    def _most_new_tokens(self) -> int:
        """Tokens that an answer may have at most."""
        if self.base.kind == "encoder":
            return 1
        return self.spec.evaluation.max_new_tokens or self.task.max_new_tokens

    def _new_tokens(self, rows: Sequence[Example]) -> int:
        """Return how many tokens are written until the last of these rows has ended."""
        limit = self._most_new_tokens
        if limit == 1:
            return 1
        gold = min(limit, max(_token_counts(self.batcher, row)[1] for row in rows))
        learnt = self.spec.training.steps >= STOPPING_STEPS
        weight = LEARNT_WEIGHT if learnt else UNLEARNT_WEIGHT
        return round(gold**weight * limit ** (1 - weight))


@dataclass(frozen=True)
class AnswerTimes:
    """Seconds of a pass of so many rows: to their first new token, and for each token after."""

    rows: int
    first: float  # seconds
    each: float  # seconds
    row: tuple[float, float] | None = None  # seconds that one row more adds to both

    @classmethod
    def mean(cls, several: Sequence[AnswerTimes]) -> AnswerTimes:
        """Return the mean of several of equal size, taken side by side."""
        first, each = (sum(getattr(t, name) for t in several) for name in ("first", "each"))
        return cls(several[0].rows, first / len(several), each / len(several))

    def beside(self, fewer: AnswerTimes) -> AnswerTimes:
        """Learn from fewer rows what one row adds, for more rows than were tried."""
        if fewer.rows >= self.rows:
            return self
        more = self.rows - fewer.rows
        row = ((self.first - fewer.first) / more, (self.each - fewer.each) / more)
        return replace(self, row=(max(0.0, row[0]), max(0.0, row[1])))

    def seconds(self, rows: int, new_tokens: int) -> float:
        """Return the seconds of a pass of so many rows, with so many new tokens."""
        if self.row is None:
            first, each = (t * rows / self.rows for t in (self.first, self.each))
        else:
            first = self.first + (rows - self.rows) * self.row[0]
            each = self.each + (rows - self.rows) * self.row[1]
        return first + max(0, new_tokens - 1) * each
