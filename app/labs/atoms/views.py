"""The views of the Atoms page that show what was measured: map, sparsity, pruning, density."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app.figures import atoms as figures
from app.figures import atoms_scores as worth
from app.figures.compare import digits, measure
from app.labs.atoms import selection
from app.labs.atoms.selection import Subject
from app.theme import NEUTRAL, Look, look
from app.ui import answer_html, job_panel, widgets
from app.ui.charts import chart
from peftcore.analysis import comparison
from peftcore.labs.atoms import request
from peftcore.labs.atoms.request import PATH_VALUES, AtomsJob, PathSetting

READ = "coefficients"
MAPPED = {
    "importance": "Importance: mean |coefficient| × length",
    "usage": "Share of positions at which it is used",
    "size": "Mean |coefficient|",
    "norm": "Length of the atom",
}
SHORT = {"importance": "importance", "usage": "used at", "size": "mean size", "norm": "length"}
COLUMNS = {
    "seed": "Seed",
    "zeros": "Exact zeros",
    "l0": "L0",
    "hoyer": "Hoyer",
    "gini": "Gini",
    "effective": "Effective",
    "dead": "Never used",
    "always": "Everywhere",
    "atoms": "Atoms",
}
OVERS: dict[PathSetting, str] = {
    "threshold": "Threshold: coefficients up to this size are zero",
    "l1": "Price on the size of coefficients in training",
    "top_k": "Largest coefficients kept at a position",
}

BEGINS = ("At the base", "At the run without a threshold")
WHYS = {
    False: "Where no coefficient passes its threshold no gradient reaches the atoms, and the run "
    "stays the base.",
    True: "All runs, and LoRA, have learnt twice as long as those that begin at the base.",
}


def atom_map(subject: Subject) -> None:
    """Layer × atom for one seed, one number at a time."""

    def show(found: AtomsJob) -> None:
        held = {entry["seed"]: entry for entry in selection.at_end(found)}
        if subject.number in held:
            _map(subject, found, held[subject.number])
        _numbers(list(held.values()))
        job_panel.measurement_caption(found.facts)

    job_panel.show_job(
        AtomsJob,
        subject.ask("map"),
        show,
        READ,
        "The run reads its validation examples, and every coefficient of every atom is looked at.",
    )


def _map(subject: Subject, found: AtomsJob, entry: dict[str, Any]) -> None:
    shown = st.segmented_control(
        "Shown",
        list(MAPPED),
        default="importance",
        required=True,
        format_func=lambda key: MAPPED[key].split(":")[0],
        key="atoms.mapped",
    )
    values = {"importance": request.entry_importance(entry)}
    values |= {key: np.asarray(entry[key]) for key in MAPPED if key != "importance"}
    sites, picked = selection.sites(found), selection.chosen(subject)
    chart(
        figures.layers(values[shown], sites, MAPPED[shown], found.facts, subject.number, picked),
        key=f"atoms.map.{found.id}.{subject.number}",
        name=f"{subject.run.id}-atoms-{shown}",
        alt=figures.layers_alt(values[shown], sites, MAPPED[shown]),
        table=figures.layers_table(values, sites),
        on_select=lambda custom: selection.choose(subject, int(custom[0])),
    )
    place, index = divmod(picked, values[shown].shape[1])
    told = ", ".join(f"{SHORT[name]} {values[name][place, index]:.3g}" for name in MAPPED)
    st.caption(
        widgets.escape_markdown(
            f"Chosen: {sites[place].atom_name(index)} at {sites[place].title}: {told}. Click "
            "another "
            "atom; the views Text and One atom take it up."
        )
    )


def _numbers(held: list[dict[str, Any]]) -> None:
    """Every measure of every seed as a table."""
    rows = [{"seed": entry["seed"], **vars(request.entry_sparsity(entry))} for entry in held]
    if not rows:
        return
    table = pd.DataFrame(rows)
    widgets.table_with_download(
        table,
        key="atoms.numbers",
        name="sparsity",
        alt="Sparsity of every seed",
        column_config={
            key: st.column_config.NumberColumn(words, format="%.3g", help=figures.MEASURES.get(key))
            for key, words in COLUMNS.items()
        },
    )
    zeros = comparison.interval(table["zeros"])
    if zeros.mean is not None and zeros.low is not None and zeros.high is not None:
        st.caption(
            f"Exactly zero: {100 * zeros.mean:.1f} % of all coefficients, 95 % interval "
            f"{100 * zeros.low:.1f} % to {100 * zeros.high:.1f} % over {zeros.n} seeds. Effective "
            "number of atoms: participation ratio (Σw)² / Σw² of importance."
        )


def sparsity(subject: Subject) -> None:
    """Lorenz curve, usage and what became of both during training."""

    def show(found: AtomsJob) -> None:
        held = {entry["seed"]: entry for entry in selection.at_end(found)}
        if not held:
            return
        weights = {seed: request.entry_importance(entry).ravel() for seed, entry in held.items()}
        often = {seed: np.ravel(entry["usage"]) for seed, entry in held.items()}
        left, right = st.columns(2)
        with left:
            told = [
                pd.DataFrame(
                    {"seed": seed, **dict(zip(("atoms", "importance"), _curve(w), strict=True))}
                )
                for seed, w in weights.items()
            ]
            chart(
                figures.lorenz(weights, found.facts),
                key="atoms.lorenz",
                name=f"{subject.run.id}-lorenz",
                alt=figures.lorenz_alt(weights),
                table=pd.concat(told),
            )
        with right:
            chart(
                figures.usage(often, found.facts),
                key="atoms.usage",
                name=f"{subject.run.id}-usage",
                alt=figures.usage_alt(often),
                table=pd.DataFrame({f"seed {seed}": each for seed, each in often.items()}),
            )
        _evolution(subject, found)
        job_panel.measurement_caption(found.facts)

    job_panel.show_job(AtomsJob, subject.ask("map"), show, READ)


def _curve(weights: Any) -> tuple[Any, Any]:
    from peftcore.analysis import sparsity as measures

    return measures.lorenz(weights)


def _evolution(subject: Subject, found: AtomsJob) -> None:
    table = _evolved(found)
    if table.empty:
        st.caption("This run kept no adapters on its way, so nothing is known of its training.")
        return
    name = st.selectbox(
        "Measure",
        list(figures.MEASURES),
        format_func=figures.MEASURES.__getitem__,
        key="atoms.evolution",
    )
    chart(
        figures.evolution(table, name, found.facts),
        key="atoms.evolution.chart",
        name=f"{subject.run.id}-{name}-by-step",
        alt=figures.evolution_alt(table, name),
        table=table,
    )


def _evolved(found: AtomsJob) -> pd.DataFrame:
    steps = [e for e in selection.entries(found, "codes") if e["step"] is not None]
    rows = [
        {"step": e["step"], "seed": e["seed"], **vars(request.entry_sparsity(e))} for e in steps
    ]
    return pd.DataFrame(rows).sort_values(["step", "seed"]) if rows else pd.DataFrame()


def pruning(subject: Subject) -> None:
    """A slider over the number of atoms, with curves, numbers and answers."""

    def show(found: AtomsJob) -> None:
        known = selection.entries(found, "loss") + selection.entries(found, "score")
        table = request.pruning_curves_from(known)
        if table.empty:
            return
        ks = sorted(set(table["k"]))
        k = st.select_slider(
            "Atoms kept",
            ks,
            value=ks[len(ks) * 2 // 3],
            key=f"atoms.kept.{found.id}.{len(ks)}",
        )
        for what in ("score", "loss"):
            if (table["what"] == what).any():
                _bands(subject, found, table, what, int(k))
        _answers(subject, found, int(k))
        job_panel.measurement_caption(found.facts)

    job_panel.show_job(
        AtomsJob,
        subject.ask("prune"),
        show,
        "pruning",
        "Atoms are ranked on validation examples and judged on others: the important ones kept, "
        "those whose removal costs most, and random ones. Every seed answers at every number.",
    )


def _bands(subject: Subject, found: AtomsJob, table: pd.DataFrame, what: str, k: int) -> None:
    bands = request.curve_intervals(table, what)
    if bands.empty:
        return
    chart(
        worth.pruning(bands, what, found.facts, k),
        key=f"atoms.prune.{what}",
        name=f"{subject.run.id}-pruning-{what}",
        alt=worth.pruning_alt(bands, what, found.facts),
        table=bands,
    )
    form = ".4f" if what == "loss" else digits(str(found.facts["metric"]))
    here = bands[bands["k"] == k]
    words = "Loss" if what == "loss" else measure(str(found.facts["metric"])).title
    told = "; ".join(
        f"{worth.NAMES[r.order].lower()} {_limits(r, form)}" for r in here.itertuples()
    )
    parts = [
        f"{worth.NAMES[order].lower()} at {', '.join(map(str, at))} atoms"
        for order in ("importance", "ablation")
        if (at := request.separated_counts(bands, order, "random"))
    ]
    apart = (
        f"Intervals do not meet those of random: {'; '.join(parts)}."
        if parts
        else ("At no number of atoms are the intervals clear of those of random order.")
    )
    st.caption(widgets.escape_markdown(f"{words} with {k} atoms: {told}. {apart}"))


def _limits(row: Any, form: str) -> str:
    if row.low is None or np.isnan(row.low):
        return f"{row.mean:{form}}"
    return f"{row.mean:{form}} ({row.low:{form}} to {row.high:{form}})"


def _answers(subject: Subject, found: AtomsJob, k: int) -> None:
    """What the chosen seed answers with the k most important atoms, beside all and none."""
    told: dict[int, list[str]] = {}
    for entry in selection.entries(found, "score"):
        if entry["seed"] == subject.number and "answers" in entry:
            told |= dict(zip(entry["k"], entry["answers"], strict=True))
    shown = found.facts.get("shown", [])
    if k not in told or not shown:
        return
    most = max(told)
    place = st.number_input(
        "Example", 1, len(told[k]), 1, key="atoms.example", width=160, help="Of those judged"
    )
    source, target = shown[int(place) - 1]
    whole = told[most][int(place) - 1]
    cells = [
        answer_html.AnswerCell(Look("All atoms", look("atoms", "").colour), whole),
        answer_html.AnswerCell(
            Look(f"The {k} most important", worth.COLOURS["importance"]), told[k][int(place) - 1]
        ),
    ]
    if 0 in told:
        cells.append(
            answer_html.AnswerCell(Look("No atoms: the base", NEUTRAL), told[0][int(place) - 1])
        )
    st.html(answer_html.STYLE + answer_html.example_card(source, [target], cells, whole))


def density(subject: Subject) -> None:
    """Score against density along a setting, as one job."""
    over: PathSetting = st.selectbox(
        "Along",
        list(OVERS),
        format_func=OVERS.__getitem__,
        key="atoms.over",
        help=f"Usual values: {', '.join(f'{value:g}' for value in PATH_VALUES['threshold'])}",
    )
    warm = BEGINS.index(
        st.segmented_control(
            "Training begins",
            BEGINS,
            default=BEGINS[0],
            required=True,
            key="atoms.begins",
            help="Second: the same run, and LoRA for LoRA, has been trained once before with all "
            "coefficients in force, and the threshold comes in when the atoms are there",
        )
    )
    there = [
        study
        for study in AtomsJob.list_all()
        if study.request.kind == "path"
        and (study.request.over, study.request.warm) == (over, bool(warm))
        and _belongs(study, subject)
    ]
    ask = there[0].request if there else subject.ask("path", over=over, warm=bool(warm))

    def show(found: AtomsJob) -> None:
        points, metric = selection.entries(found, "run"), str(found.facts["metric"])
        if not points:
            return
        chart(
            worth.density(points, over, metric, found.facts),
            key="atoms.density",
            name=f"{subject.run.id}-density-{over}",
            alt=worth.density_alt(points, over, metric),
            table=worth.density_table(points),
        )
        st.caption(
            widgets.escape_markdown(
                f"Every other setting is that of run {ask.adapter_refs()[0].run}. {WHYS[ask.warm]}"
            )
        )
        st.caption(widgets.escape_markdown(request.describe_sparsest(points)))
        job_panel.measurement_caption(found.facts)

    job_panel.show_job(
        AtomsJob,
        ask,
        show,
        "the path",
        "Trains this run again at every value, and LoRA of equal rank, one after the other; runs "
        "that exist are taken as they are.",
    )


def _belongs(study: AtomsJob, subject: Subject) -> bool:
    """Whether a path was made around this run, or one that differs in sparsity alone."""
    spec, facts = subject.run.spec, study.facts
    if subject.run.id in {part.run for part in study.request.adapter_refs()}:
        return True
    mine = (spec.base, spec.task, spec.population.seed_numbers(), spec.settings["atoms"])
    same = ("components", "stacks")
    return mine == tuple(facts.get(name) for name in ("base", "task", "seeds", "atoms")) and all(
        spec.settings[name] == facts.get(name) for name in same
    )
