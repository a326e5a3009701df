"""Why a run does not learn: findings from its curves and from its adapter, each with what to try.

The limits are rules of thumb, named here and shown with the number they judge. What was measured of
the adapter comes from `labs.diagnosis`; without it the curves alone are judged.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Any, Literal, Protocol

import pandas as pd

from peftcore import tasks
from peftcore.errors import BadInput
from peftcore.metrics.scores import commonest_label
from peftcore.runs.spec import RunSpec

Verdict = Literal["fine", "look", "problem"]
LEAST_FALL = 0.05  # of the validation loss by training, as a share: below it nothing was learnt
OVERFIT_RISE = 0.10  # of the validation loss from its best to its end, as a share
ROUGH = 0.45  # share of looks at which the training loss rose: steps that jump to and fro
LATE = 0.95  # share of the steps from which a best step counts as the end
LEAST_MOVE = 0.01  # of the trained numbers, relative to where they began
LEAST_EFFECT = 0.01  # total variation distance of the next token from the base's
LEAST_SHARE = 0.005  # of attention on a prefix
MOST_SHARE = 0.9
WIDE_SCALE = 10.0  # times the norm of a word's embedding, above or below
LEAST_GRADIENT = 1e-7  # norm; below it no gradient reaches the adapter
LEAST_SIZE, MOST_SIZE = 1e-4, 3.0  # of a change of weights, relative to the weights
LEAST_STATE_CHANGE = 0.005  # of the states behind the last layer, relative to their length
CHANCE_MARGIN = 0.02  # above the commonest label
RATE_STEP, RATE_LEAP = 3.0, 10.0  # factors by which another rate is proposed


@dataclass(frozen=True)
class Remedy:
    """Something to try: words, and the settings that differ, by dotted name."""

    words: str
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RunFinding:
    """One thing that was looked at; `title` is short, `words` have the number and what it means."""

    name: str
    verdict: Verdict
    title: str
    words: str
    remedies: tuple[Remedy, ...] = ()


@dataclass(frozen=True)
class RunCurves:
    """Facts of a run that need no model.

    history: as `Run.history`; best_steps and stopped: of each seed; score and chance: mean of its
    main metric and what the commonest label reaches, where that is known.
    """

    spec: RunSpec
    history: pd.DataFrame
    best_steps: Sequence[int] = ()
    stopped: Sequence[str] = ()
    score: float | None = None
    chance: float | None = None


class RateTrial(Protocol):
    """A short run at one learning rate, as a search for rates makes it."""

    @property
    def learning_rate(self) -> float:
        """Its rate."""

    @property
    def dev_loss(self) -> float | None:
        """Lowest validation loss, mean over seeds; None where there is none."""

    @property
    def stopped(self) -> int:
        """Number of seeds that diverged."""


@dataclass(frozen=True)
class AdapterMeasures:
    """Measures of an adapter, each over its seeds; None where it does not apply."""

    examples: int
    gradient: float  # norm over all trained numbers, at the end, median over seeds
    moved: float  # norm of the change by training relative to that of the start, median over seeds
    attention_share: float | None = None  # of all queries on the prefix or soft tokens
    prompt_scale: float | None = None  # norm of a soft token, in norms of a word's embedding
    effect: float | None = None  # mean total variation distance of the next token from the base's
    unwritable: tuple[str, ...] = ()  # labels
    # Median over sites: a change of weights relative to the weights, or the length of a prefix's
    # keys and values relative to the base's own; `size_beside` says which.
    size: float | None = None
    size_beside: bool = False
    # Stack, layer from 1 and the norm of the change of its states relative to theirs.
    by_layer: tuple[tuple[str, int, float], ...] = ()


class FinishedRun(Protocol):
    """The parts of a run that its curves are read from."""

    @property
    def spec(self) -> RunSpec:
        """Spec of the run."""

    def status(self) -> Any:
        """Return its status, with the best step of each seed."""

    def history(self) -> pd.DataFrame:
        """Return its losses."""

    def scores(self) -> dict[str, list[float]]:
        """Return metric → one value per seed."""

    def asked(self) -> pd.DataFrame:
        """Return each example that was answered once, with its label."""


def read_curves(run: FinishedRun) -> RunCurves:
    """Read what is known of a run without its model."""
    seeds = run.status().seeds
    finite = [value for value in run.scores().get("accuracy", ()) if math.isfinite(value)]
    labels = [str(label) for label in run.asked()["label"].dropna()] if finite else []
    return RunCurves(
        run.spec,
        run.history(),
        [int(seed["best_step"]) for seed in seeds if seed.get("best_step") is not None],
        [str(seed["stopped"]) for seed in seeds if seed.get("stopped")],
        statistics.fmean(finite) if finite else None,
        commonest_label(labels)[1] if labels else None,
    )


def diagnose(
    curves: RunCurves,
    measured: AdapterMeasures | None = None,
    trials: Sequence[RateTrial] = (),
) -> list[RunFinding]:
    """List what was found, problems first; trials: short runs of the same at other rates."""
    found = [*_of_curves(curves), *_of_trials(curves.spec, trials)]
    if measured is not None:
        found += _of_adapter(curves.spec, measured)
    order = {"problem": 0, "look": 1, "fine": 2}
    return sorted(found, key=lambda each: order[each.verdict])


def _of_curves(curves: RunCurves) -> list[RunFinding]:
    """Judge the losses, the best step and the score."""
    found = []
    diverged = [reason for reason in curves.stopped if "diverged" in reason]
    if diverged:
        lower = _with_rate(curves.spec, 1 / RATE_STEP)
        found.append(
            RunFinding("diverged", "problem", "Training diverged", f"{diverged[0]}.", (lower,))
        )
    losses = _mean_losses(curves.history)
    if len(losses) > 1:
        found.append(_learning(curves, losses))
        found += _overfitting(curves.spec, losses)
        found += _roughness(curves.spec, curves.history)
    if curves.best_steps:
        found.append(_best_step(curves))
    if curves.score is not None and curves.chance is not None:
        found.append(_against_chance(curves))
    return found


def _of_trials(spec: RunSpec, trials: Sequence[RateTrial]) -> list[RunFinding]:
    """Judge the rate by short runs at others, where there are at least three."""
    known = {trial.learning_rate: trial for trial in trials if trial.dev_loss is not None}
    own = spec.training.learning_rate
    if len(known) < 3 or not own:
        return []
    best = min(known.values(), key=lambda trial: (trial.stopped, trial.dev_loss))
    words = (
        f"Of {len(known)} short runs at rates from {min(known):g} to {max(known):g}, "
        f"{best.learning_rate:g} came to the lowest validation loss, {best.dev_loss:.3g}; this run "
        f"has {own:g}."
    )
    factor = best.learning_rate / own
    if 1 / RATE_STEP < factor < RATE_STEP:
        return [RunFinding("rate", "fine", "The rate is right", words)]
    title = "The rate is too low" if factor > 1 else "The rate is too high"
    remedy = Remedy(
        f"Take the rate that came out best, {best.learning_rate:g}",
        {"training.learning_rate": best.learning_rate},
    )
    return [RunFinding("rate", "problem", title, words, (remedy,))]


def _mean_losses(history: pd.DataFrame) -> pd.DataFrame:
    """Return the mean over seeds of both losses by step, where the validation loss is known."""
    means = history.groupby("step")[["train_loss", "dev_loss"]].mean()
    return means.dropna(subset=["dev_loss"])


def _learning(curves: RunCurves, losses: pd.DataFrame) -> RunFinding:
    """Judge how far the validation loss fell from the untrained adapter to its best."""
    first, best = float(losses["dev_loss"].iloc[0]), float(losses["dev_loss"].min())
    fall = (first - best) / first if first else 0.0
    words = f"Validation loss fell from {first:.3g} to {best:.3g}, by {100 * fall:.0f} %."
    if fall >= LEAST_FALL:
        return RunFinding("learning", "fine", "It learns", words)
    spec = curves.spec
    remedies = [_with_rate(spec, RATE_LEAP), _with_rate(spec, 1 / RATE_LEAP)]
    if spec.settings.get("start") == "random":
        remedies.insert(0, _start_from_text(spec))
    return RunFinding(
        "learning",
        "problem",
        "It does not learn",
        f"{words} A rate that is ten times too low or too high looks like this.",
        tuple(remedies),
    )


def _overfitting(spec: RunSpec, losses: pd.DataFrame) -> list[RunFinding]:
    """Judge how far the validation loss rose again after its best."""
    dev = losses["dev_loss"]
    rise = float(dev.iloc[-1] / dev.min() - 1) if dev.min() > 0 else 0.0
    if rise < OVERFIT_RISE:
        return []
    return [
        RunFinding(
            "overfitting",
            "look",
            "It fits its training examples alone",
            f"After its best the validation loss rose by {100 * rise:.0f} %; the best is kept.",
            (*_more_examples(spec), _with_rate(spec, 1 / RATE_STEP)),
        )
    ]


def _roughness(spec: RunSpec, history: pd.DataFrame) -> list[RunFinding]:
    """Judge how often the training loss rose from look to look."""
    steps = history.dropna(subset=["train_loss"]).groupby("seed")["train_loss"].diff().dropna()
    if len(steps) < 8:  # too few to speak of jumps
        return []
    share = float((steps > 0).mean())
    if share < ROUGH:
        return []
    return [
        RunFinding(
            "rough",
            "look",
            "The training loss jumps",
            f"It rose at {100 * share:.0f} % of the looks: the rate may be too high, or steps of "
            f"{spec.training.batch} examples too noisy.",
            (
                _with_rate(spec, 1 / RATE_STEP),
                Remedy(
                    f"Take {2 * spec.training.batch} examples in a step",
                    {"training.batch": min(256, 2 * spec.training.batch)},
                ),
            ),
        )
    ]


def _best_step(curves: RunCurves) -> RunFinding:
    """Judge where in training the best validation loss was."""
    spec, steps = curves.spec, curves.spec.training.steps
    best = statistics.median(curves.best_steps)
    words = f"The best validation loss was at step {best:g} of {steps} (median over seeds)."
    if best == 0:
        return RunFinding(
            "best_step",
            "problem",
            "The start was never bettered",
            f"{words} What answers is the untrained adapter.",
            (_with_rate(spec, 1 / RATE_STEP), _with_rate(spec, RATE_STEP)),
        )
    if best >= LATE * steps:
        more = min(100_000, 2 * steps)
        return RunFinding(
            "best_step",
            "look",
            "It was still getting better",
            f"{words} More steps may help.",
            (Remedy(f"Train {more} steps", {"training.steps": more}), _with_rate(spec, RATE_STEP)),
        )
    return RunFinding("best_step", "fine", "It had steps enough", words)


def _against_chance(curves: RunCurves) -> RunFinding:
    """Judge the score against always giving the commonest label."""
    assert curves.score is not None
    assert curves.chance is not None
    words = (
        f"Its score is {curves.score:.3f}; always giving the commonest label reaches "
        f"{curves.chance:.3f}."
    )
    if curves.score > curves.chance + CHANCE_MARGIN:
        return RunFinding("chance", "fine", "Better than the commonest label", words)
    spec = curves.spec
    remedies = [_with_rate(spec, RATE_LEAP), *_more_examples(spec)]
    title = "No better than the commonest label"
    return RunFinding("chance", "problem", title, words, tuple(remedies))


def _more_examples(spec: RunSpec) -> list[Remedy]:
    """Propose twice as many training examples, where there may be more."""
    shots = min(5000, 2 * spec.training.shots)
    words = f"Take {shots} training examples"
    return [Remedy(words, {"training.shots": shots})] if shots > spec.training.shots else []


def _of_adapter(spec: RunSpec, measured: AdapterMeasures) -> list[RunFinding]:
    """Judge what was measured of the adapter."""
    found = [_gradient(spec, measured), _movement(spec, measured)]
    if measured.size is not None:
        found.append(_size(spec, measured.size, measured.size_beside))
    if measured.by_layer:
        found.append(_by_layer(spec, measured.by_layer))
    if measured.effect is not None:
        found.append(_effect(spec, measured.effect, measured.examples))
    if measured.attention_share is not None:
        found.append(_attention(spec, measured.attention_share))
    if measured.prompt_scale is not None:
        found.append(_prompt_scale(spec, measured.prompt_scale))
    if measured.unwritable:
        labels = ", ".join(map(repr, measured.unwritable))
        words = f"The base's vocabulary cannot spell {labels}, so no answer can be right."
        letters = (letter for letter in ascii_uppercase if letter not in measured.unwritable)
        other = dict(zip(measured.unwritable, letters, strict=False))
        remedy = Remedy(
            f"Write {', '.join(other.values())} for them", {"training.label_words": other}
        )
        title = "Labels that cannot be written"
        found.append(RunFinding("labels", "problem", title, words, (remedy,)))
    return found


def _size(spec: RunSpec, size: float, beside: bool) -> RunFinding:
    """Judge the scale of what was trained against the base's own."""
    if beside:
        low, high = 1 / WIDE_SCALE, WIDE_SCALE
        words = (
            f"A prefix's keys and values are {size:.2g} times as long as the base's own (median)."
        )
    else:
        low, high = LEAST_SIZE, MOST_SIZE
        words = f"The change of a matrix has {size:.2g} times the norm of the matrix (median)."
    if low <= size <= high:
        return RunFinding("size", "fine", "Its scale suits the base", words)
    factor = RATE_STEP if size < low else 1 / RATE_STEP
    title = "What was trained is on another scale than the base"
    return RunFinding("size", "look", title, words, (_with_rate(spec, factor),))


def _by_layer(spec: RunSpec, by_layer: Sequence[tuple[str, int, float]]) -> RunFinding:
    """Say how much states change layer by layer, and judge what reaches the last one."""
    stack, layer, most = max(by_layer, key=lambda row: row[2])
    last = by_layer[-1]
    listed = by_layer[:: max(1, len(by_layer) // 8)]
    words = (
        f"States change most in {stack} layer {layer}, by {most:.2g} of their norm, behind the "
        f"last by {last[2]:.2g}; "
        f"{', '.join(f'{name} {number}: {value:.2g}' for name, number, value in listed)}."
    )
    if last[2] >= LEAST_STATE_CHANGE:
        return RunFinding("layers", "fine", "The change reaches the last layer", words)
    title = "Next to nothing reaches the last layer"
    return RunFinding("layers", "look", title, words, (_with_rate(spec, RATE_LEAP),))


def _gradient(spec: RunSpec, measured: AdapterMeasures) -> RunFinding:
    words = f"Its norm at the end of training is {measured.gradient:.2g} (median over seeds)."
    if measured.gradient < LEAST_GRADIENT:
        # What has grown too large saturates, and has no slope left; a lower rate keeps it small.
        remedies = [_with_rate(spec, 1 / RATE_LEAP)]
        if spec.settings.get("start") == "random":
            remedies.append(_start_from_text(spec))
        title = "No gradient reaches the adapter"
        return RunFinding("gradient", "problem", title, words, tuple(remedies))
    return RunFinding("gradient", "fine", "The gradient reaches the adapter", words)


def _movement(spec: RunSpec, measured: AdapterMeasures) -> RunFinding:
    words = (
        f"Training moved the trained numbers by {measured.moved:.2g} times the norm they began "
        "with."
    )
    if measured.moved < LEAST_MOVE:
        return RunFinding(
            "moved",
            "problem",
            "It hardly left its start",
            f"{words} The rate is too low for these numbers.",
            (_with_rate(spec, RATE_LEAP),),
        )
    return RunFinding("moved", "fine", "It left its start", words)


def _effect(spec: RunSpec, effect: float, examples: int) -> RunFinding:
    words = (
        f"The next token's distribution differs from the base's by {effect:.3f} (total variation "
        f"distance, 0 to 1, mean over {examples} texts)."
    )
    if effect < LEAST_EFFECT:
        return RunFinding(
            "effect",
            "problem",
            "The adapter does nearly nothing",
            words,
            (_with_rate(spec, RATE_LEAP),),
        )
    return RunFinding("effect", "fine", "The adapter changes what is written", words)


def _attention(spec: RunSpec, share: float) -> RunFinding:
    words = f"The learned positions get {100 * share:.1f} % of the attention, over all heads."
    if share < LEAST_SHARE:
        return RunFinding(
            "attention",
            "look",
            "Hardly anything looks at the prefix",
            words,
            (_with_rate(spec, RATE_LEAP),),
        )
    if share > MOST_SHARE:
        length = max(1, int(spec.settings.get("length", 2)) // 2)
        return RunFinding(
            "attention",
            "look",
            "The prefix leaves little for the text",
            words,
            (
                _with_rate(spec, 1 / RATE_STEP),
                Remedy(f"Take {length} positions", {"settings.length": length}),
            ),
        )
    return RunFinding("attention", "fine", "The prefix is looked at", words)


def _prompt_scale(spec: RunSpec, scale: float) -> RunFinding:
    words = f"A soft token is {scale:.2g} times as long as a word's embedding (medians)."
    if 1 / WIDE_SCALE <= scale <= WIDE_SCALE:
        return RunFinding("scale", "fine", "Soft tokens are as long as words", words)
    factor = 1 / RATE_STEP if scale > 1 else RATE_STEP
    remedy = _with_rate(spec, factor)
    return RunFinding("scale", "look", "Soft tokens are not as long as words", words, (remedy,))


def _start_from_text(spec: RunSpec) -> Remedy:
    """Propose to start from the task's own words, repeated to the length of what is learned."""
    try:
        question = tasks.find_task(spec.task).question_in_words()
    except BadInput:  # a table that is gone
        question = spec.task.replace("_", " ")
    times = -(-int(spec.settings.get("length", 1)) // max(1, len(question.split())))
    changes = {"settings.start": "text", "settings.text": " ".join([question] * times)}
    return Remedy("Start from the task's own words instead of noise", changes)


def _with_rate(spec: RunSpec, factor: float) -> Remedy:
    """Propose another learning rate, within what is allowed."""
    rate = min(10.0, (spec.training.learning_rate or 1e-3) * factor)
    rate = float(f"{rate:.2g}")
    higher = "higher" if factor > 1 else "lower"
    return Remedy(f"Try a {higher} learning rate, {rate:g}", {"training.learning_rate": rate})
