"""Pictures of what runs trained and wrote: scales, weights, reasons, atoms, drawings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app.figures import atoms as atom_figures
from app.figures import atoms_scores, components, scaling, scaling_word_gaps
from app.figures.rows import wrap_title
from app.labs.components import picker_component
from app.labs.images.image_grid import ImageGrid
from app.learn.picture import Knob, Options, Picture, Shown, fit
from app.learn.score_pictures import open_shipped
from app.state import run_catalog
from app.ui.charts import chart
from app.ui.run_styles import styles_by_run
from app.ui.widgets import escape_markdown
from peftcore import paths
from peftcore.adapters.component_map import shipped_map
from peftcore.analysis import explanations
from peftcore.errors import BadInput
from peftcore.labs.atoms import request as atoms
from peftcore.labs.atoms.request import AtomsJob
from peftcore.metrics.scores import metric_range
from peftcore.stories import recordings

CHART_HEIGHT = 440  # pixels
TITLE_CHARACTERS = 15  # of a line above one of five panels
RECORDED = "`python -m peftcore ship stories`"
MAP_BASES = ("t5-large", "t5-base", "t5-small", "llama-2-7b")
EXAMPLES = 8  # whose reasons are shown
REFERENCE = "Reference"
SILENT = "no explanation learnt"  # how assets/reported.csv says it
ATOM_RUN, JOINED_RUNS = "a804a6f73138", ("a804a6f73138", "bec5d20a9b26")


def _seed_knob(options: Options) -> Knob:
    values = [str(seed) for seed in recordings.soft_prompt().seeds]
    return Knob("Seed", values, values[0])


def _token_scales(options: Options, value: str) -> Shown:
    """Draw scales and lengths of a seed's soft tokens; recorded are lengths, vectors of one."""
    found = recordings.soft_prompt()
    seed = found.seeds.index(int(value))
    lengths, words = found.length[seed][:, None], found.word_length[:, None]
    chart(
        fit(scaling.token_lengths_chart(found.scale[seed], lengths, words, f"Seed {value}"), 470),
        key="learn.scales",
        name="story-scales",
        alt=scaling.token_lengths_alt(found.scale[seed], lengths, words),
        table=scaling.token_lengths_table(found.scale[seed], lengths),
    )
    scaled = (np.abs(found.scale[seed]) * found.length[seed]).mean() / found.word_length.mean()
    plain = found.length[seed].mean() / found.word_length.mean()
    return Shown(
        f"Soft tokens are {plain:.1f} times as long as words, and {scaled:.1f} times with their "
        "scales.",
        f"Run {found.run}. {RECORDED}",
    )


def _scale_spread(options: Options, value: str) -> Shown:
    found = recordings.soft_prompt()
    chart(
        fit(scaling.scale_histogram(found.scale), CHART_HEIGHT),
        key="learn.spread",
        name="story-scale-spread",
        alt=scaling.scale_histogram_alt(found.scale),
    )
    longer = int((found.scale > 1).sum())
    return Shown(
        f"{longer} of {found.scale.size} tokens got longer; scales reach from "
        f"{found.scale.min():.2f} to {found.scale.max():.2f}.",
        f"Run {found.run}, {len(found.seeds)} seeds. {RECORDED}",
    )


def _word_gap(options: Options, value: str) -> Shown:
    found = recordings.soft_prompt()
    gaps = list(found.gaps)
    figure = scaling_word_gaps.word_gap_panels(gaps)
    for heading in figure.layout.annotations:
        heading.text = wrap_title(heading.text, TITLE_CHARACTERS)
    chart(
        fit(figure, CHART_HEIGHT),
        key="learn.gap",
        name="story-gap",
        alt=scaling_word_gaps.word_gap_alt(gaps),
    )
    closer = sum(after.energy.value < before.energy.value for _, before, after in gaps)
    return Shown(
        f"By energy distance the scales bring soft tokens nearer to words in {closer} of "
        f"{len(gaps)} seeds; in none do they reach the band of chance."
        if all(after.energy.value > after.energy.high for _, _, after in gaps)
        else f"By energy distance the scales bring soft tokens nearer in {closer} of {len(gaps)}.",
        f"Run {found.run}. {RECORDED}",
    )


def _map_knob(options: Options) -> Knob:
    return Knob("Model", MAP_BASES, MAP_BASES[0], slides=False)


def _weight_map(options: Options, value: str) -> Shown:
    """Show a model's weights as fields to switch on; the sum is counted."""
    cell_map = shipped_map(value)
    picker_component.show_component_map(cell_map)
    chosen = picker_component.selected_cells(cell_map)
    count = cell_map.count(chosen)
    return Shown(
        f"Chosen: {count:,} of {cell_map.total:,} numbers, {cell_map.percent(count):.2f} %.",
        "Counted without weights. `python -m peftcore components count`",
    )


def _example_knob(options: Options) -> Knob:
    values = [str(n + 1) for n in range(EXAMPLES)]
    return Knob("Example", values, values[0])


@st.cache_data(max_entries=8, show_spinner=False)
def _answers(runs: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    """Return what the first seed of runs answered to the examples on which reasons differ most."""
    found = {}
    for run in runs:
        table = open_shipped(run).answers()
        found[run] = table[table["seed"] == table["seed"].iloc[0]].set_index("example")
    reasons = pd.DataFrame({run: table["explanation"] for run, table in found.items()})
    differ = reasons.nunique(axis=1).sort_values(ascending=False, kind="stable")
    return {run: table.loc[differ.index[:EXAMPLES]] for run, table in found.items()}


def _reasons(options: Options, value: str) -> Shown:
    """Show reasons for one example in an order that chance drew; with `named`, who wrote them."""
    index, ids = int(value) - 1, list(options["runs"])
    styles = styles_by_run([open_shipped(run) for run in ids])
    rows = {run: table.iloc[index] for run, table in _answers(tuple(ids)).items()}
    asked = rows[ids[0]]
    written: list[dict[str, Any]] = [
        {
            "reason": str(row["explanation"] or "no reason given"),
            "written by": styles[run].name,
            "label": str(row["predicted"] or "none"),
            "right": "yes" if row["correct"] else "no",
        }
        for run, row in rows.items()
    ]
    reference = {"written by": REFERENCE, "label": str(asked["label"]), "right": "yes"}
    written.append({"reason": str(asked["references"][0]), **reference})
    order = np.random.default_rng(index).permutation(len(written))
    shown = [written[n] for n in order]
    st.markdown(f"**{escape_markdown(str(asked['source']))}**")
    if not options.get("named"):
        st.markdown("\n".join(f"{n + 1}. {_cell(row['reason'])}" for n, row in enumerate(shown)))
        return Shown(basis=f"{len(shown)} reasons, one of them the reference. Seed 0 of each run")
    heads = ("reason", "written by", "label", "right")
    lines = [heads, ["---"] * len(heads), *([_cell(row[head]) for head in heads] for row in shown)]
    st.markdown("\n".join(f"| {' | '.join(line)} |" for line in lines))
    right = sum(row["right"] == "yes" for row in written[:-1])
    return Shown(
        f"{right} of {len(ids)} methods gave the right label, {asked['label']}.",
        f"Seed 0 of runs {', '.join(ids)}",
    )


def _cell(text: str) -> str:
    """Return data as it is typed, in one line of Markdown."""
    return escape_markdown(" ".join(text.split()))


def _published_ratios(options: Options, value: str) -> Shown:
    ratios = explanations.score_ratios(pd.read_csv(paths.ASSETS / "reported.csv"))
    chart(
        fit(components.published_ratios_chart(ratios, SILENT), CHART_HEIGHT),
        key="learn.ratios",
        name="story-ratios",
        alt=components.published_ratios_alt(ratios, SILENT),
        table=ratios,
    )
    return Shown(basis="Result files of the official repository, as in `assets/reported.csv`")


def _atom_sentence(options: Options, value: str) -> Shown:
    found = recordings.atom_sentence()
    site = atoms.parse_site(found.site)
    chart(
        fit(
            atom_figures.coefficient_heatmap(found.codes, found.tokens, site, found.seed),
            CHART_HEIGHT,
        ),
        key="learn.atoms",
        name="story-atoms",
        alt=atom_figures.coefficient_heatmap_alt(found.codes, found.tokens, site),
    )
    on = (found.codes != 0).sum(1)
    return Shown(
        f"On average {on.mean():.1f} of {found.codes.shape[1]} atoms are on at a word; at "
        f"{int((on == 0).sum())} of {len(on)} none is.",
        f"Run {found.run}. {RECORDED}",
    )


def _shipped_atoms(kind: str, *runs: str) -> AtomsJob:
    """Return a measurement of atoms that ships."""
    job = AtomsJob.find(atoms.AtomsRequest.make({"kind": kind, "runs": runs}))
    if job is None:
        raise BadInput(f"no measurement {kind} of {', '.join(runs)}")
    return job


def _kept_knob(options: Options) -> Knob:
    counts = sorted(set(atoms.pruning_curves(_shipped_atoms("prune", ATOM_RUN))["k"]))
    values = [str(count) for count in counts]
    return Knob("Atoms kept", values, values[len(values) * 2 // 3])


def _pruning(options: Options, value: str) -> Shown:
    job = _shipped_atoms("prune", ATOM_RUN)
    metric = str(job.facts["metric"])
    bands = atoms.curve_intervals(atoms.pruning_curves(job), "score", metric_range(metric))
    chart(
        fit(atoms_scores.pruning_curves(bands, "score", job.facts, int(value)), CHART_HEIGHT),
        key="learn.pruning",
        name="story-pruning",
        alt=atoms_scores.pruning_curves_alt(bands, "score", job.facts),
        table=bands,
    )
    rows = bands[bands["k"] == int(value)]
    parts = [
        f"{atoms_scores.ORDER_TITLES[str(row.order)].lower()} {row.mean:.3f}"
        for row in rows.itertuples()
    ]
    return Shown(
        f"With {value} atoms: {'; '.join(parts)}.",
        f"Run {ATOM_RUN}. `python -m peftcore atoms prune {ATOM_RUN}`",
    )


def _drawn_knob(options: Options) -> Knob:
    values = [str(drawing.atoms) for drawing in recordings.drawn_prompt().drawings]
    return Knob("Atoms", values, values[len(values) * 2 // 3])


def _drawings(options: Options, value: str) -> Shown:
    """Show the same draws without atoms, with so many, and with all."""
    found = recordings.drawn_prompt()
    by_count = {drawing.atoms: drawing for drawing in found.drawings}
    panels = {"No atoms": 0, f"{value} atoms": int(value), "All atoms": found.drawings[-1].atoms}
    drawn = {name: by_count[count] for name, count in panels.items()}
    ImageGrid(
        found.world,
        {name: drawing.pictures for name, drawing in drawn.items()},
        {name: f"{drawing.alignment or 0:.0%} match the prompt" for name, drawing in drawn.items()},
        {name: drawing.descriptions for name, drawing in drawn.items()},
        columns=2,
    ).show("learn.drawings", "story-drawings")
    chosen = by_count[int(value)]
    asked = round((chosen.alignment or 0) * len(chosen.pictures))
    return Shown(
        f"Asked: {found.prompt}. With {value} of {panels['All atoms']} atoms {asked} of "
        f"{len(chosen.pictures)} drawings show it.",
        f"Run {found.run}, seed {found.seed}. {RECORDED}",
    )


def _task_knob(options: Options) -> Knob:
    rows = _combined_rows()
    titles = [run_catalog.task_title(task) for task in rows["task"].unique()]
    return Knob("Task", titles, titles[0], slides=False)


def _combined_rows() -> pd.DataFrame:
    return pd.DataFrame(_shipped_atoms("combine", *JOINED_RUNS).entries_of("combined"))


def _combined(options: Options, value: str) -> Shown:
    rows = _combined_rows()
    task = next(
        str(name) for name in rows["task"].unique() if run_catalog.task_title(name) == value
    )
    first = rows[rows["task"] == task].iloc[0]
    arguments = (rows, task, value, str(first["metric"]))
    chart(
        fit(atoms_scores.combined_scores_chart(*arguments, int(first["n"])), CHART_HEIGHT),
        key="learn.combined",
        name="story-combined",
        alt=atoms_scores.combined_scores_alt(*arguments),
    )
    return Shown(
        basis=f"Runs {' and '.join(JOINED_RUNS)}. "
        f"`python -m peftcore atoms combine {' '.join(JOINED_RUNS)}`"
    )


PICTURES = {
    "token_scales": Picture(_token_scales, knob=_seed_knob),
    "scale_spread": Picture(_scale_spread),
    "word_gap": Picture(_word_gap),
    "weight_map": Picture(_weight_map, knob=_map_knob),
    "reasons": Picture(_reasons, frozenset({"runs", "named"}), _example_knob),
    "published_ratios": Picture(_published_ratios),
    "atom_sentence": Picture(_atom_sentence),
    "atom_pruning": Picture(_pruning, knob=_kept_knob),
    "atom_drawings": Picture(_drawings, knob=_drawn_knob),
    "atoms_combined": Picture(_combined, knob=_task_knob),
}
