"""The views of the Atoms page that ask models: coefficients over a text, one atom, two runs."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.figures import atoms as figures
from app.figures import atoms_scores as score_figures
from app.labs.atoms import selection
from app.labs.atoms.selection import AtomsSubject
from app.state import cache, run_catalog, wait_for_imports
from app.theme import NEUTRAL, RunStyle, style_of_method
from app.ui import answer_html, job_panel, widgets
from app.ui.charts import chart
from peftcore.data.task import Example, Task
from peftcore.labs.atoms import request
from peftcore.labs.atoms.request import AtomsJob
from peftcore.runs.store import Run

NO_ANSWER = "nothing was written"


def show_text_coefficients(subject: AtomsSubject) -> None:
    """Coefficients at every token of a text and of the answer to it."""
    text = pick_text(subject)
    if not text.strip():
        st.caption("Type a text to see which atoms its tokens and the answer's call up.")
        return
    if not wait_for_imports.ready_or_wait("atoms"):
        return
    reading = selection.text_coefficients(subject, text)
    sites = [request.parse_site(each.site) for each in reading.sites]
    atom = selection.chosen_atom(subject)
    site_index, atom_index = divmod(atom, reading.sites[0].codes.shape[1])
    shown_index = st.selectbox(
        "Matrix",
        range(len(sites)),
        index=site_index,
        format_func=lambda n: sites[n].title,
        key=f"atoms.site.{subject.run.id}.{atom}",
    )
    site_reading = reading.sites[shown_index]
    table = pd.DataFrame(
        site_reading.codes,
        columns=[sites[shown_index].atom_name(i) for i in range(site_reading.codes.shape[1])],
    )
    table.insert(0, "token", site_reading.tokens)
    chart(
        figures.coefficient_heatmap(
            site_reading.codes,
            site_reading.tokens,
            sites[shown_index],
            subject.seed_number,
            atom_index if shown_index == site_index else None,
        ),
        key="atoms.tokens",
        name=f"{subject.run.id}-coefficients",
        alt=figures.coefficient_heatmap_alt(
            site_reading.codes, site_reading.tokens, sites[shown_index]
        ),
        table=table,
    )
    st.markdown(f"**Answer**: {widgets.escape_markdown(reading.answer) or NO_ANSWER}")
    st.caption(
        "A decoder's matrices are read while it writes this answer: each token is what it read "
        "when it chose the next one. Keys and values of cross-attention read the text itself."
    )


def pick_text(subject: AtomsSubject) -> str:
    """The text that is asked, an example of the task until somebody types."""
    task = subject.run.spec.task
    rows = cache.split_examples(task, "test")
    return st.text_area(
        "Text",
        value=rows.examples[0].source if rows.examples else "",
        key=f"atoms.text.{task}",
        height=90,
    )


def show_one_atom(subject: AtomsSubject) -> None:
    """One atom removed or scaled: the old and the new answer side by side."""
    settings = subject.run.spec.settings
    job = AtomsJob.find(subject.job_request("map"))
    if job is None or not job.sites:
        st.caption("The view Map measures which atoms there are; measure the coefficients first.")
        return
    site_keys, atoms_per_site = job.sites, int(settings["atoms"])
    atom_names = [
        request.parse_site(key).atom_name(i) for key in site_keys for i in range(atoms_per_site)
    ]
    chosen_atom = selection.chosen_atom(subject)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = st.selectbox(
            "Atom",
            range(len(atom_names)),
            index=chosen_atom,
            format_func=atom_names.__getitem__,
            key=f"atoms.atom.{subject.run.id}.{chosen_atom}",
            help="Layer, matrix and index; a click in the map chooses one, too",
            width=200,
        )
        gain = st.slider(
            "Gain", -2.0, 4.0, 0.0, 0.25, key="atoms.gain", help="0 removes it, 1 leaves it"
        )
    if number != chosen_atom:
        selection.choose_atom(subject, number)
    _show_atom_facts(subject, job, number)
    text = pick_text(subject)
    if not wait_for_imports.ready_or_wait("atoms"):
        return
    question = (subject.run.id, subject.seed, number, gain, text)
    if st.button("Ask with and without", key="atoms.ask", type="primary", icon=":material/send:"):
        st.session_state["atoms.asked"] = question
    if st.session_state.get("atoms.asked") != question or not text.strip():
        st.caption("The answers of all atoms, of the changed ones and of the base come together.")
        return
    full_answer, changed_answer, base_answer = selection.answers_with_gain(
        subject, number, gain, text
    )
    change_text = (
        f"Without {atom_names[number]}" if gain == 0 else f"With {atom_names[number]} × {gain:g}"
    )
    _show_card(
        subject,
        text,
        [
            ("All atoms", style_of_method("atoms", "").colour, full_answer),
            (change_text, score_figures.ORDER_COLOURS["ablation"], changed_answer),
            ("No atoms: the base", NEUTRAL, base_answer),
        ],
    )
    same_text = "is the same" if full_answer == changed_answer else "is another"
    st.caption(f"{widgets.escape_markdown(change_text)} the answer {same_text}.")


def _show_atom_facts(subject: AtomsSubject, job: AtomsJob, number: int) -> None:
    """Show what is known of an atom before a question is asked."""
    parts = []
    for entry in selection.final_entries(job):
        if entry["seed"] == subject.seed_number:
            site_index, atom_index = divmod(number, len(entry["usage"][0]))
            parts.append(f"used at {entry['usage'][site_index][atom_index]:.0%} of the positions")
            parts.append(
                f"importance {request.entry_importance(entry)[site_index, atom_index]:.3g}"
            )
    pruning_job = AtomsJob.find(subject.job_request("prune"))
    for entry in selection.job_entries(pruning_job, "weights") if pruning_job else []:
        if (entry["seed"], entry["order"]) == (subject.seed_number, "ablation"):
            parts.append(f"its removal costs {entry['values'][number]:+.4f} nats on validation")
    if parts:
        st.caption(widgets.escape_markdown(f"Seed {subject.seed_number}: {'; '.join(parts)}."))


def _show_card(subject: AtomsSubject, text: str, answers: list[tuple[str, str, str]]) -> None:
    """Answers side by side, words marked that differ from the first."""
    task = run_catalog.find_task(subject.run.spec.task)
    gold = [
        e for e in cache.split_examples(subject.run.spec.task, "test").examples if e.source == text
    ]
    cells = [
        answer_html.AnswerCell(RunStyle(name, colour), answer, _is_right(task, answer, gold))
        for name, colour, answer in answers
    ]
    card = answer_html.example_card(text, [e.target for e in gold[:1]], cells, answers[0][2])
    st.html(answer_html.STYLE + card)


def _is_right(task: Task | None, answer: str, gold: list[Example]) -> bool | None:
    if task is None or not gold or gold[0].label is None:
        return None
    return task.parse(answer).label == gold[0].label


def show_two_runs(subject: AtomsSubject) -> None:
    """Show the atoms of two runs applied at once."""
    others = [run for run in selection.candidate_runs() if _can_combine(subject, run)]
    runs_by_id = {run.id: run for run in others}
    if not runs_by_id:
        st.info(
            "Atoms combine when both runs rest on the same base and sit at the same matrices; "
            "there is no second run like that yet."
        )
        return
    labels = selection.run_labels(others)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        other_id = st.selectbox(
            "Second run",
            list(runs_by_id),
            format_func=labels.__getitem__,
            key=f"atoms.second.{subject.run.id}",
        )
        numbers = runs_by_id[other_id].spec.population.seed_numbers()
        seed = st.selectbox(
            "Its seed",
            range(len(numbers)),
            index=min(subject.seed, len(numbers) - 1),
            format_func=lambda n: str(numbers[n]),
            key=f"atoms.second.seed.{other_id}",
            width=120,
        )
    second = AtomsSubject(runs_by_id[other_id], seed)
    _show_shares(subject, second)
    job_panel.show_job(
        AtomsJob,
        subject.job_request("combine", other_id),
        lambda job: _show_scores(subject, job),
        "both together",
        "Scores on the tasks of both runs with both runs' atoms, with each alone, and with none.",
    )


def _can_combine(subject: AtomsSubject, run: Run) -> bool:
    """Return whether two runs' atoms can be applied at once."""
    own_spec, other_spec = subject.run.spec, run.spec
    shared_settings = ("components", "stacks", "relative", "rounds")
    return (
        run.id != subject.run.id
        and own_spec.base == other_spec.base
        and all(own_spec.settings[name] == other_spec.settings[name] for name in shared_settings)
        and not (own_spec.settings["top_k"] or other_spec.settings["top_k"])
    )


def _show_shares(first: AtomsSubject, second: AtomsSubject) -> None:
    """Answers to a text at chosen shares of both."""
    left, right = st.columns(2)
    first_share = left.slider("Share of the first", 0.0, 2.0, 1.0, 0.25, key="atoms.share.first")
    second_share = right.slider(
        "Share of the second", 0.0, 2.0, 1.0, 0.25, key="atoms.share.second"
    )
    text = pick_text(first)
    if not wait_for_imports.ready_or_wait("atoms"):
        return
    question = (first, second, first_share, second_share, text)
    if st.button("Ask both", key="atoms.both", type="primary", icon=":material/send:"):
        st.session_state["atoms.asked.both"] = question
    if st.session_state.get("atoms.asked.both") != question or not text.strip():
        return
    answers = selection.combined_answers(first, second, (first_share, second_share), text)
    cells = zip(answers.items(), score_figures.MIX_COLOURS.values(), strict=True)
    _show_card(
        first, text, [(name.capitalize(), colour, answer) for (name, answer), colour in cells]
    )


def _show_scores(subject: AtomsSubject, job: AtomsJob) -> None:
    """Show for each task the scores of both together, each alone, and none."""
    rows = pd.DataFrame(selection.job_entries(job, "combined"))
    if rows.empty:
        return
    for task in rows["task"].unique():
        first = rows[rows["task"] == task].iloc[0]
        figure_args = (
            rows,
            str(task),
            run_catalog.task_title(str(task)),
            str(first["metric"]),
        )
        chart(
            score_figures.combined_scores_chart(*figure_args, int(first["n"])),
            key=f"atoms.combined.{task}",
            name=f"{subject.run.id}-combined-{task}",
            alt=score_figures.combined_scores_alt(*figure_args),
            table=rows[rows["task"] == task],
        )
    st.caption(
        "What both runs add to a matrix is summed. Each was trained without the other, so nothing "
        "keeps one from disturbing what the other does."
    )
    job_panel.measurement_caption(job.facts)
