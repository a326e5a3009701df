"""The views of the Atoms page that show what was measured: map, sparsity, pruning, density."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app.figures import atoms as figures
from app.figures import atoms_scores as score_figures
from app.figures.compare import find_measure, value_format
from app.figures.theme import NEUTRAL, RunStyle, style_of_method
from app.labs.atoms import findings, selection
from app.labs.atoms.selection import LAB, AtomsSubject
from app.ui import answer_html, job_panel, widgets
from app.ui.charts import picture
from app.ui.frame import Frame
from app.ui.subject import Choice
from peftcore.analysis import comparison
from peftcore.labs.atoms import order_verdicts, request
from peftcore.labs.atoms.request import PATH_VALUES, AtomsJob, PathSetting
from peftcore.metrics.scores import metric_range

MEASURED_TITLE = "coefficients"
MANY_ATOMS = 128  # atoms of a seed from which not all are removed one by one unless asked for
SAMPLED_PRUNING = {"tried": MANY_ATOMS, "examples": 24, "draws": 1}
MAP_TITLES = {
    "importance": "Importance: mean |coefficient| × length",
    "usage": "Share of positions at which it is used",
    "size": "Mean |coefficient|",
    "norm": "Length of the atom",
}
SHORT_MAP_TITLES = {
    "importance": "importance",
    "usage": "used at",
    "size": "mean size",
    "norm": "length",
}
COLUMN_TITLES = {
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
PATH_SETTING_TITLES: dict[PathSetting, str] = {
    "threshold": "Threshold: coefficients up to this size are zero",
    "l1": "Price on the size of coefficients in training",
    "top_k": "Largest coefficients kept at a position",
}

START_TITLES = ("At the base", "At the run without a threshold")
START_NOTES = {
    False: "Where no coefficient passes its threshold no gradient reaches the atoms, and the run "
    "stays the base.",
    True: "All runs, and LoRA, have learnt twice as long as those that begin at the base.",
}


def show_atom_map(frame: Frame, subject: AtomsSubject) -> None:
    """Layer × atom for one seed, one number at a time."""
    with frame.side:
        quantity = Choice(
            LAB,
            "mapped",
            "Shown",
            list(MAP_TITLES),
            option_text=lambda key: MAP_TITLES[key].split(":")[0],
        ).as_list(label_visibility="collapsed")
        chosen = st.container()
    frame.explain(
        "Sparse atoms add to a matrix's output a sum of a few learned directions, the atoms; how "
        "much of each, its coefficient, depends on the token, and small ones are exactly zero. A "
        "row is a matrix, a cell one of its atoms; a click chooses it, and Text and One atom take "
        "it up."
    )

    def show(job: AtomsJob) -> None:
        entries_by_seed = {entry["seed"]: entry for entry in selection.final_entries(job)}
        if subject.seed_number in entries_by_seed:
            entry = entries_by_seed[subject.seed_number]
            # A map that grows is drawn by itself and cannot reach beside the picture.
            with st.container() if job.status().active else chosen:
                place = st.empty()
            place.caption(_show_map(subject, job, entry, quantity))
        _show_measures(list(entries_by_seed.values()))

    _say_sparsity(frame, subject)
    with frame.picture:
        job_panel.show_job(
            AtomsJob,
            subject.job_request("map"),
            show,
            MEASURED_TITLE,
            "The run reads its validation examples, and every coefficient of every atom is "
            "looked at.",
        )


def _say_sparsity(frame: Frame, subject: AtomsSubject) -> None:
    """Write what the measured coefficients say, once there are any."""
    job = AtomsJob.find(subject.job_request("map"))
    entries = selection.final_entries(job) if job else []
    if entries:
        frame.say(*findings.sparsity_finding(entries))


def _show_map(subject: AtomsSubject, job: AtomsJob, entry: dict[str, Any], quantity: str) -> str:
    """Show one quantity of every atom; a click chooses an atom, which is described."""
    values = {"importance": request.entry_importance(entry)}
    values |= {key: np.asarray(entry[key]) for key in MAP_TITLES if key != "importance"}
    sites, atom = selection.atom_sites(job), selection.chosen_atom(subject)
    picture(
        figures.atom_heatmap(
            values[quantity], sites, MAP_TITLES[quantity], job.facts, subject.seed_number, atom
        ),
        key=f"atoms.map.{job.id}.{subject.seed_number}",
        name=f"{subject.run.id}-atoms-{quantity}",
        alt=figures.atom_heatmap_alt(values[quantity], sites, MAP_TITLES[quantity]),
        table=figures.atom_table(values, sites),
        on_select=lambda custom: selection.choose_atom(subject, int(custom[0])),
    ).caption(findings.quiet_line(job))
    site_index, atom_index = divmod(atom, values[quantity].shape[1])
    values_text = ", ".join(
        f"{SHORT_MAP_TITLES[name]} {values[name][site_index, atom_index]:.3g}"
        for name in MAP_TITLES
    )
    return widgets.escape_markdown(
        f"Chosen: {sites[site_index].atom_name(atom_index)} at {sites[site_index].title}: "
        f"{values_text}."
    )


def _show_measures(entries: list[dict[str, Any]]) -> None:
    """Every measure of every seed as a table."""
    rows = [{"seed": entry["seed"], **vars(request.entry_sparsity(entry))} for entry in entries]
    if not rows:
        return
    table = pd.DataFrame(rows)
    widgets.table_with_download(
        table,
        key="atoms.numbers",
        name="sparsity",
        alt="Sparsity of every seed",
        column_config={
            key: st.column_config.NumberColumn(
                words, format="%.3g", help=figures.MEASURE_TITLES.get(key)
            )
            for key, words in COLUMN_TITLES.items()
        },
    )
    zeros = comparison.interval(table["zeros"], (0.0, 1.0))
    if zeros.mean is not None and zeros.n > 1:
        limits = (
            zeros.reason
            if zeros.low is None or zeros.high is None
            else f"95 % interval {100 * zeros.low:.1f} % to {100 * zeros.high:.1f} %"
        )
        st.caption(
            f"Exactly zero: {100 * zeros.mean:.1f} % of all coefficients, {limits} over {zeros.n} "
            "seeds on the same texts. Effective "
            "number of atoms: participation ratio (Σw)² / Σw² of importance."
        )


def show_sparsity(frame: Frame, subject: AtomsSubject) -> None:
    """Lorenz curve, usage and what became of both during training."""
    frame.explain(
        "Left: how much of all importance the most important atoms have together; the nearer to "
        "the corner, the fewer do the work. Right: at how many positions an atom is used."
    )
    _say_sparsity(frame, subject)

    def show(job: AtomsJob) -> None:
        entries_by_seed = {entry["seed"]: entry for entry in selection.final_entries(job)}
        if not entries_by_seed:
            return
        importance = {
            seed: request.entry_importance(entry).ravel() for seed, entry in entries_by_seed.items()
        }
        usage = {seed: np.ravel(entry["usage"]) for seed, entry in entries_by_seed.items()}
        left, right = st.columns(2)
        with left:
            curves = [
                pd.DataFrame(
                    {
                        "seed": seed,
                        **dict(
                            zip(
                                ("atoms", "importance"),
                                _lorenz_points(seed_importance),
                                strict=True,
                            )
                        ),
                    }
                )
                for seed, seed_importance in importance.items()
            ]
            picture(
                figures.lorenz_curves(importance, job.facts),
                key="atoms.lorenz",
                name=f"{subject.run.id}-lorenz",
                alt=figures.lorenz_curves_alt(importance),
                table=pd.concat(curves),
            )
        with right:
            picture(
                figures.usage_histogram(usage, job.facts),
                key="atoms.usage",
                name=f"{subject.run.id}-usage",
                alt=figures.usage_histogram_alt(usage),
                table=pd.DataFrame(
                    {f"seed {seed}": seed_usage for seed, seed_usage in usage.items()}
                ),
            )
        st.caption(findings.quiet_line(job))
        _show_evolution(subject, job)

    with frame.picture:
        job_panel.show_job(AtomsJob, subject.job_request("map"), show, MEASURED_TITLE)


def _lorenz_points(weights: Any) -> tuple[Any, Any]:
    from peftcore.analysis import sparsity as measures

    return measures.lorenz(weights)


def _show_evolution(subject: AtomsSubject, job: AtomsJob) -> None:
    """Show a measure of sparsity over training."""
    table = _measures_by_step(job)
    if table.empty:
        st.caption("This run kept no adapters on its way, so nothing is known of its training.")
        return
    name = Choice(
        LAB,
        "evolution",
        "Measure",
        list(figures.MEASURE_TITLES),
        option_text=figures.MEASURE_TITLES.__getitem__,
    ).as_list()
    picture(
        figures.sparsity_by_step_chart(table, name, job.facts),
        key="atoms.evolution.chart",
        name=f"{subject.run.id}-{name}-by-step",
        alt=figures.sparsity_by_step_alt(table, name),
        table=table,
    )


def _measures_by_step(job: AtomsJob) -> pd.DataFrame:
    """Return the measures of every seed at every kept step."""
    steps = [entry for entry in selection.job_entries(job, "codes") if entry["step"] is not None]
    rows = [
        {"step": entry["step"], "seed": entry["seed"], **vars(request.entry_sparsity(entry))}
        for entry in steps
    ]
    return pd.DataFrame(rows).sort_values(["step", "seed"]) if rows else pd.DataFrame()


def show_pruning(frame: Frame, subject: AtomsSubject) -> None:
    """A slider over the number of atoms, with curves, numbers and answers."""
    with frame.side:
        job_request = _pick_pruning(subject)
        job = AtomsJob.find(job_request)
        counts, count = _counts_kept(job) if job else [], 0
        if counts:
            usual = counts[len(counts) * 2 // 3]
            count = Choice(LAB, "kept", "Atoms kept", counts, first=usual).as_slider()
    frame.explain(
        "Atoms are ranked on validation examples and judged on others: the important ones kept, "
        "those whose removal costs most, and random ones. Every seed answers at every number."
    )
    if job and counts:
        frame.say(*findings.pruning_finding(job, count))

    def show(job: AtomsJob) -> None:
        entries = selection.job_entries(job, "loss") + selection.job_entries(job, "score")
        table = request.pruning_curves_from(entries)
        if table.empty or not counts:
            return
        for quantity in ("score", "loss"):
            if (table["what"] == quantity).any():
                _show_intervals(subject, job, table, quantity, int(count))
        _show_answers(subject, job, int(count))

    with frame.picture:
        seconds = subject.pruning_seconds(job_request)
        job_panel.show_job(AtomsJob, job_request, show, "pruning", seconds=seconds)


def _counts_kept(job: AtomsJob) -> list[int]:
    """Numbers of atoms at which something was measured."""
    entries = selection.job_entries(job, "loss") + selection.job_entries(job, "score")
    table = request.pruning_curves_from(entries)
    return [] if table.empty else sorted(int(count) for count in set(table["k"]))


def _pick_pruning(subject: AtomsSubject) -> request.AtomsRequest:
    """Return the request for pruning; where there are many atoms a sample of them is offered."""
    whole = subject.job_request("prune")
    if subject.atoms <= MANY_ATOMS or AtomsJob.find(whole):  # begun before: go on with it
        return whole
    sampled = Choice(
        LAB,
        "tried",
        "Removed one by one",
        [True, False],
        option_text=lambda few: (
            f"The {MANY_ATOMS} most important" if few else f"All {subject.atoms:,}"
        ),
    ).as_buttons(
        help="Each atom that is removed alone takes a pass over the validation examples; the rest "
        "are ranked by importance. The sampled measurement judges on fewer examples, too.",
    )
    return subject.job_request("prune", **SAMPLED_PRUNING) if sampled else whole


def _show_intervals(
    subject: AtomsSubject, job: AtomsJob, table: pd.DataFrame, quantity: str, count: int
) -> None:
    """Show a quantity by the number of atoms kept, with intervals."""
    metric = "loss" if quantity == "loss" else str(job.facts["metric"])
    bands = request.curve_intervals(table, quantity, metric_range(metric))
    if bands.empty:
        return
    picture(
        score_figures.pruning_curves(bands, quantity, job.facts, count),
        key=f"atoms.prune.{quantity}",
        name=f"{subject.run.id}-pruning-{quantity}",
        alt=score_figures.pruning_curves_alt(bands, quantity, job.facts),
        table=bands,
    ).caption(findings.quiet_line(job))
    form = ".4f" if quantity == "loss" else value_format(str(job.facts["metric"]))
    count_rows = bands[bands["k"] == count]
    words = "Loss" if quantity == "loss" else find_measure(str(job.facts["metric"])).title
    values_text = "; ".join(
        f"{score_figures.ORDER_TITLES[r.order].lower()} {_interval_text(r, form)}"
        for r in count_rows.itertuples()
    )
    verdicts = order_verdicts.against_random(table, quantity, metric)
    parts = [
        f"{score_figures.ORDER_TITLES[order].lower()} {found}"
        for order in ("importance", "ablation")
        if (found := order_verdicts.order_in_words(verdicts, order))
    ]
    against = (
        f"Against random order, by number of atoms: {'; '.join(parts)} "
        f"({order_verdicts.basis_in_words(verdicts, metric)})."
        if parts
        else ""
    )
    st.caption(widgets.escape_markdown(f"{words} with {count} atoms: {values_text}. {against}"))


def _interval_text(row: Any, form: str) -> str:
    if row.low is None or np.isnan(row.low):
        return f"{row.mean:{form}}"
    return f"{row.mean:{form}} ({row.low:{form}} to {row.high:{form}})"


def _show_answers(subject: AtomsSubject, job: AtomsJob, count: int) -> None:
    """Show the answers with the k most important atoms, with all and with none."""
    answers_by_count: dict[int, list[str]] = {}
    for entry in selection.job_entries(job, "score"):
        if entry["seed"] == subject.seed_number and "answers" in entry:
            answers_by_count |= dict(zip(entry["k"], entry["answers"], strict=True))
    shown = job.facts.get("shown", [])
    if count not in answers_by_count or not shown:
        return
    all_atoms = max(answers_by_count)
    example_number = Choice(
        LAB, "judged", "Example", range(1, len(answers_by_count[count]) + 1)
    ).as_number(width=160, help="Of those judged")
    source, target = shown[int(example_number) - 1]
    full_answer = answers_by_count[all_atoms][int(example_number) - 1]
    cells = [
        answer_html.AnswerCell(
            RunStyle("All atoms", style_of_method("atoms", "").colour), full_answer
        ),
        answer_html.AnswerCell(
            RunStyle(f"The {count} most important", score_figures.ORDER_COLOURS["importance"]),
            answers_by_count[count][int(example_number) - 1],
        ),
    ]
    if 0 in answers_by_count:
        cells.append(
            answer_html.AnswerCell(
                RunStyle("No atoms: the base", NEUTRAL),
                answers_by_count[0][int(example_number) - 1],
            )
        )
    st.html(answer_html.STYLE + answer_html.example_card(source, [target], cells, full_answer))


def show_density(frame: Frame, subject: AtomsSubject) -> None:
    """Score against density along a setting, as one job."""
    settings: list[PathSetting] = list(PATH_SETTING_TITLES)
    with frame.side:
        over = Choice(
            LAB, "over", "Along", settings, option_text=PATH_SETTING_TITLES.__getitem__
        ).as_list(
            help=f"Usual values: {', '.join(f'{value:g}' for value in PATH_VALUES['threshold'])}"
        )
        begins = Choice(LAB, "begins", "Training begins", START_TITLES).as_list(
            help="Second: the same run, and LoRA for LoRA, has been trained once before with all "
            "coefficients in force, and the threshold comes in when the atoms are there"
        )
    from_dense = START_TITLES.index(begins)
    frame.explain(
        "A point is this run trained again at one value of the setting, the fewer coefficients "
        "are left the further it stands to one side; the line is LoRA of equal rank. Runs that "
        "exist are taken as they are."
    )
    jobs = [
        job
        for job in _paths_of(subject)
        if (job.request.over, job.request.warm) == (over, bool(from_dense))
    ]
    job_request = (
        jobs[0].request if jobs else subject.job_request("path", over=over, warm=bool(from_dense))
    )

    def show(job: AtomsJob) -> None:
        points, metric = selection.job_entries(job, "run"), str(job.facts["metric"])
        if not points:
            return
        picture(
            score_figures.density_chart(points, over, metric, job.facts),
            key="atoms.density",
            name=f"{subject.run.id}-density-{over}",
            alt=score_figures.density_chart_alt(points, over, metric),
            table=score_figures.density_table(points, metric),
        )
        st.caption(
            widgets.escape_markdown(
                f"Every other setting is that of run {job_request.adapter_refs()[0].run}. "
                f"{START_NOTES[job_request.warm]}"
            )
        )
        st.caption(findings.quiet_line(job))

    for job in jobs[:1]:
        points = selection.job_entries(job, "run")
        if points:
            frame.say(request.describe_sparsest(points), f"{len(points)} settings, LoRA among them")
    with frame.picture:
        job_panel.show_job(
            AtomsJob,
            job_request,
            show,
            "the path",
            "Trains this run again at every value, and LoRA of equal rank, one after the other; "
            "runs that exist are taken as they are.",
        )


def _paths_of(subject: AtomsSubject) -> list[AtomsJob]:
    """List the paths that were made around this run."""
    return [
        job
        for job in AtomsJob.list_all()
        if job.request.kind == "path" and _is_path_of(job, subject)
    ]


def _is_path_of(job: AtomsJob, subject: AtomsSubject) -> bool:
    """Return whether a path was made around this run, or one that differs in sparsity alone."""
    spec, facts = subject.run.spec, job.facts
    if subject.run.id in {part.run for part in job.request.adapter_refs()}:
        return True
    own_values = (spec.base, spec.task, spec.population.seed_numbers(), spec.settings["atoms"])
    shared_settings = ("components", "stacks")
    return own_values == tuple(
        facts.get(name) for name in ("base", "task", "seeds", "atoms")
    ) and all(spec.settings[name] == facts.get(name) for name in shared_settings)
