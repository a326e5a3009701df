"""The five papers here: what each claims, what it prints, what runs that ship say of it.

`python -m peftcore ship readme-tables` works the table out, writes it into the README, and into
`assets/papers.json`, from which Home shows it. Verdicts are on the claim's own comparison, never on
figures of different models against each other.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial

import pandas as pd

from peftcore import paths
from peftcore.adapters.component_map import shipped_map
from peftcore.analysis import inference, verdicts
from peftcore.analysis.comparison import difference_range
from peftcore.analysis.inference import SeedItemTable
from peftcore.analysis.limits import ROUNDING_TOLERANCE
from peftcore.analysis.run_tables import table_of_run, table_of_seeds
from peftcore.experiments import published, real_runs, studies
from peftcore.experiments.paper_table import NOT_ASKED, PAPERS_FILE, PaperRow
from peftcore.labs.toys import results
from peftcore.labs.toys.recipes import TASKS, ToyTask, find_recipe
from peftcore.metrics.scores import METRICS, find_measure
from peftcore.runs.store import Run, RunStore
from peftcore.system import atomic_files

REPORTED = paths.ASSETS / "reported.csv"
THEORY, SPARSEFIT, SCALED = "arXiv:2310.19698", "arXiv:2305.13235", "arXiv:2309.06759"
SUBSPACE, ATOMS = "arXiv:2310.15793", "arXiv:2507.10855"
PLAUSIBILITY = "human plausibility, 0 to 100"
NO_FIGURE = "higher; we have no figure"


def paper_rows() -> list[PaperRow]:
    """Work out every row from what ships."""
    makers: Sequence[Callable[[], PaperRow]] = (
        _order_of_content,
        lambda: _toy_row(
            "01",
            "descending",
            ("prefix: descending", "fine-tuned: descending"),
            "A prefix may not learn what needs new attention: sort descending, against fine-tuning",
        ),
        lambda: _toy_row(
            "04",
            "histogram",
            ("rank-1 LoRA: histogram", "prefix: histogram"),
            "LoRA learns to count where a prefix of as many numbers does not",
        ),
        *(partial(_elicited, task) for task in ("add1", "add2")),
        _subspace,
        _scaled_prompt,
        _trained_share,
        _sparsefit_accuracy,
        _human_judgement,
        _concept_atoms,
    )
    return [make() for make in makers]


def write_papers() -> None:
    """Write the table for Home."""
    rows = [asdict(row) for row in paper_rows()]
    text = json.dumps(rows, indent=1, ensure_ascii=False)
    atomic_files.replace_file(PAPERS_FILE, f"{text}\n".encode())


def papers_block() -> str:
    """Write the table as Markdown."""
    heads = ["paper", "claim", "published", "ours", "verdict", "what differs"]
    lines = [heads, ["---"] * len(heads)]
    lines += [list(asdict(row).values()) for row in paper_rows()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _difference(
    first: SeedItemTable, second: SeedItemTable, metric: str, has_items: bool
) -> tuple[str, str]:
    """Return the verdict on second against first, and the difference with its limits in points."""
    population: inference.Population = "this task" if has_items else "these examples"
    frame = verdicts.pair_verdicts(
        {"first": first, "second": second},
        published.margin_of(metric),
        population,
        within=difference_range(metric),
    )
    row, scale = frame.iloc[0], 100 / METRICS[metric].maximum
    words = f"{scale * row['difference']:+.1f} points"
    if pd.notna(row["low"]):
        words += f" ({scale * row['low']:+.1f} to {scale * row['high']:+.1f})"
    items = f" × {len(first.items)} examples" if has_items else ", these examples"
    return str(row["verdict"]), f"{words}; {len(first.seeds)} seeds{items}"


def _order_of_content() -> PaperRow:
    """Check the theorem in every layer of a pretrained base."""
    stored = atomic_files.read_json(paths.ASSETS / "real_runs" / real_runs.MEASURES_FILE)
    store = RunStore(paths.ASSETS / "real_runs")
    drift: list[float] = []
    lora: list[float] = []
    for row in stored["bias_only"]:
        subject = row["subject"]
        is_lora = subject != real_runs.RANDOM_PREFIX and (store.open(subject).spec.method == "lora")
        (lora if is_lora else drift).append(row["content_drift"])
    layers = max(row["layer"] for row in stored["bias_only"])
    return PaperRow(
        THEORY,
        "In one layer a prefix scales attention among words and keeps its order",
        "change 0, proven",
        f"change at most {max(drift):.0e} in {layers} layers (LoRA: {max(lora):.2g})",
        "equal" if max(drift) < ROUNDING_TOLERANCE else "cannot tell",
        "smollm2-135m in single precision; one example",
    )


def _toy_row(number: str, task: str, arms: tuple[str, str], claim: str) -> PaperRow:
    """Judge the first of two adaptations of a toy against the second, over seeds."""
    recipe = find_recipe(number, "cpu")
    rows = results.result_rows(results.shipped_folder(), recipe, results.SHIPPED_SEEDS)
    found = {row.adaptation: row for row in rows if row.task == task}
    one, other = (found[arm] for arm in arms)
    seeds = results.SHIPPED_SEEDS
    tables = [table_of_seeds(seeds, [value / 100 for value in row.seeds]) for row in (other, one)]
    verdict, words = _difference(tables[0], tables[1], "accuracy", has_items=False)
    full = find_recipe(number, "full").shape
    return PaperRow(
        THEORY,
        claim,
        f"{one.paper:.1f} % against {other.paper:.1f} %",
        f"{_percent(one)} against {_percent(other)}: {words}",
        verdict,
        f"{one.model}, {recipe.shape.length} digits; paper: width {full.width}, "
        f"{full.length} digits, more steps",
    )


def _elicited(task: ToyTask) -> PaperRow:
    """Judge a prefix for one of the skills of a mixture against the pretrained model."""
    return _toy_row(
        "02",
        task,
        (f"prefix: {task}", "pretrained"),
        f"A prefix elicits a skill that pretraining mixed with others: {TASKS[task]}",
    )


def _percent(row: results.ResultRow) -> str:
    """Return a toy's mean in percent, or how its seeds fall where that says nothing."""
    return f"{row.summary} %" + (" (seeds)" if row.groups else "")


def _study_row(study: str, arm: str, against: str) -> tuple[str, str]:
    """Return the verdict over all cells of a study, unanimous or none, and the counts in words."""
    rows = studies.read(published.MEASURED)
    judged = published.study_verdicts(rows, study, arm, against)
    counts = Counter(judged["verdict"])
    words = ", ".join(f"{verdict} in {count}" for verdict, count in counts.most_common())
    seeds = " or ".join(str(n) for n in sorted(set(judged["seeds"])))
    verdict = next(iter(counts)) if len(counts) == 1 else "cannot tell"
    cells = "cell" if len(judged) == 1 else "cells"
    return verdict, f"{words} of {len(judged)} {cells}; {seeds} seeds each, these examples"


def _subspace() -> PaperRow:
    verdict, words = _study_row(
        "encoder", "Prefix subspace, stochastic validation", "Prefix tuning"
    )
    return PaperRow(
        SUBSPACE,
        "A simplex of prefixes with stochastic validation beats one prefix",
        NO_FIGURE,
        words,
        verdict,
        "minilm, four tasks; paper: BERT-base, few-shot GLUE",
    )


def _pair_of_runs(folder: str, task: str, methods: tuple[str, str], metric: str) -> list[Run]:
    """Return the run of each method in a folder of assets; plain ones, without a simplex."""
    runs = {
        run.spec.method: run
        for run in RunStore(paths.ASSETS / folder).all(include_demos=False)
        if run.spec.task == task and run.spec.population.vertices == 1 and metric in run.scores()
    }
    return [runs[method] for method in methods]


def _judge_runs(runs: Sequence[Run], metric: str) -> tuple[str, str, list[float]]:
    """Judge the first run against the second; also the mean of each."""
    found = [table_of_run(run, metric) for run in runs]
    tables = [table for table in found if table is not None]
    has_items = all(len(table.items) > 1 for table in tables)
    verdict, words = _difference(tables[1], tables[0], metric, has_items)
    return verdict, words, [float(table.seed_values().mean()) for table in tables]


def _scaled_prompt() -> PaperRow:
    runs = _pair_of_runs("demo_runs", "miniworld_venues", ("spt", "prompt_tuning"), "bleu")
    verdict, words, means = _judge_runs(runs, "bleu")
    return PaperRow(
        SCALED,
        "A scale for each soft token beats prompt tuning in few-shot text generation",
        NO_FIGURE,
        f"BLEU {means[0]:.1f} against {means[1]:.1f}: {words}",
        verdict,
        f"{runs[0].spec.base}, own world of venues; paper: T5-large, E2E, WebNLG, DART",
    )


def _trained_share() -> PaperRow:
    """Count the weights of layer norms and queries in T5-large."""
    counted = shipped_map("t5-large")
    cells = counted.trained_cells(counted.presets["LayerNorm + Query"])
    share = counted.percent(counted.count(cells))
    printed = _reported("trainable share in %", "SparseFit layernorm + query").iloc[0]
    return PaperRow(
        SPARSEFIT,
        "Layer norms and queries of T5-large are a small share of its weights",
        f"{printed:g} %",
        f"{share:.2f} %",
        "equal" if f"{share:.2f}" == f"{printed:.2f}" else "cannot tell",
        "nothing: the same model, counted",
    )


def _reported(metric: str, method: str) -> pd.Series:
    """Return the published values of a metric and a method, in the order of the tasks."""
    table = pd.read_csv(REPORTED)
    rows = table[(table["metric"] == metric) & (table["method"] == method)]
    return rows.sort_values("task")["value"].reset_index(drop=True)


def _sparsefit_accuracy() -> PaperRow:
    verdict, words = _study_row("methods", "SparseFit", "Full fine-tuning")
    methods = ("SparseFit query + norms", "Full fine-tuning")
    own, full = (_reported("accuracy", name) for name in methods)
    ahead = int((own > full).sum())
    return PaperRow(
        SPARSEFIT,
        "SparseFit answers about as well as full fine-tuning",
        f"Llama-2: higher in {ahead} of {len(own)} tasks ({own.mean():.1f} against "
        f"{full.mean():.1f} % on average)",
        words,
        verdict,
        "tiny-t5, two own tasks, as many steps for both; paper: T5 and Llama-2, FEB tasks",
    )


def _human_judgement() -> PaperRow:
    own, full = (_reported(PLAUSIBILITY, name) for name in ("SparseFit", "Full fine-tuning"))
    return PaperRow(
        SPARSEFIT,
        "People find its explanations more plausible than those of full fine-tuning",
        f"{own.mean():.0f} against {full.mean():.0f} of 100 ({len(own)} tasks, third party's "
        "extract)",
        "no people were asked; demo raters are simulated",
        NOT_ASKED,
        "Rate and Ratings are ready for it",
    )


def _concept_atoms() -> PaperRow:
    metric = "alignment"
    runs = _pair_of_runs("pictures/runs", "pictures_concept", ("atoms", "lora"), metric)
    verdict, words, means = _judge_runs(runs, metric)
    return PaperRow(
        ATOMS,
        "A new concept from few atoms, better than other ways of fine-tuning",
        NO_FIGURE,
        f"{find_measure(metric).title} {means[0]:.2f} against LoRA's {means[1]:.2f}: {words}",
        verdict,
        f"{runs[0].spec.base}, images of 64 squares; paper: a text-to-image diffusion model",
    )
