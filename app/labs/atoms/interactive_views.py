"""The views of the Atoms page that ask models: coefficients over a text, one atom, two runs."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.figures import atoms as figures
from app.figures import atoms_scores as score_figures
from app.figures.theme import NEUTRAL, RunStyle, style_of_method
from app.labs.atoms import findings, selection
from app.labs.atoms.selection import LAB, AtomsSubject
from app.state import cache, run_catalog, wait_for_imports
from app.ui import answer_html, job_panel, text_choice, widgets
from app.ui.charts import picture
from app.ui.frame import Frame
from app.ui.subject import Choice
from peftcore.data.task import Example, Task
from peftcore.labs.atoms import request
from peftcore.labs.atoms.request import AtomsJob
from peftcore.runs.store import Run

GAINS = [step / 4 for step in range(-8, 17)]  # of one atom
SHARES = [step / 4 for step in range(9)]  # of two runs' atoms
NO_ANSWER = "nothing was written"


def show_text_coefficients(frame: Frame, subject: AtomsSubject) -> None:
    """Coefficients at every token of a text and of the answer to it."""
    text = pick_text(frame, subject)
    with frame.picture:
        if not text.strip():
            st.caption("Type a text to see which atoms its tokens and the answer's call up.")
            return
        if not wait_for_imports.ready_or_wait("atoms"):
            return
    reading = selection.text_coefficients(subject, text)
    sites = [request.parse_site(each.site) for each in reading.sites]
    atom = selection.chosen_atom(subject)
    site_index, atom_index = divmod(atom, reading.sites[0].codes.shape[1])
    with frame.side:
        shown_index = Choice(
            LAB,
            "site",
            "Matrix",
            range(len(sites)),
            first=site_index,
            option_text=lambda n: sites[n].title,
        ).as_list()
    frame.explain(
        "A column is a token, a row an atom: blue adds its direction, orange takes it away. A "
        "decoder's matrices are read while it writes this answer: each token is what it read when "
        "it chose the next one."
    )
    site_reading = reading.sites[shown_index]
    table = pd.DataFrame(
        site_reading.codes,
        columns=[sites[shown_index].atom_name(i) for i in range(site_reading.codes.shape[1])],
    )
    table.insert(0, "token", site_reading.tokens)
    used = float((site_reading.codes != 0).mean())
    frame.say(
        f"At {sites[shown_index].title}, {used:.0%} of the coefficients over this text are not "
        "zero.",
        f"one text of {len(site_reading.tokens)} tokens, seed {subject.seed_number}",
    )
    with frame.picture:
        picture(
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


def pick_text(frame: Frame, subject: AtomsSubject) -> str:
    """The text that is asked, an example of the task or one that is typed."""
    _, example = text_choice.pick_text(LAB, frame.bar, subject.run.spec.task)
    return example.source if example else ""


def show_one_atom(frame: Frame, subject: AtomsSubject) -> None:
    """One atom removed or scaled: the old and the new answer side by side."""
    settings = subject.run.spec.settings
    job = AtomsJob.find(subject.job_request("map"))
    if job is None or not job.sites:
        frame.picture.caption(
            "The view Map measures which atoms there are; measure the coefficients first."
        )
        return
    site_keys, atoms_per_site = job.sites, int(settings["atoms"])
    atom_names = [
        request.parse_site(key).atom_name(i) for key in site_keys for i in range(atoms_per_site)
    ]
    chosen_atom = selection.chosen_atom(subject)
    with frame.side:
        number = Choice(
            LAB,
            "atom",
            "Atom",
            range(len(atom_names)),
            first=chosen_atom,
            option_text=atom_names.__getitem__,
        ).as_list(help="Layer, matrix and index; a click in the map chooses one, too")
        gain = Choice(LAB, "gain", "Gain", GAINS, first=0.0).as_slider(
            help="0 removes it, 1 leaves it"
        )
    frame.explain(
        "All three answer the same text: with all atoms, with this one at its gain, and the base "
        "with none. Words that differ from the first answer are marked."
    )
    frame.say(*_atom_facts(subject, job, number, atom_names[number]))
    text = pick_text(frame, subject)
    with frame.picture:
        if wait_for_imports.ready_or_wait("atoms"):
            _ask_with_and_without(subject, (number, atom_names[number]), gain, text)


def _ask_with_and_without(
    subject: AtomsSubject, atom: tuple[int, str], gain: float, text: str
) -> None:
    """Answers with all atoms, with one at another gain, and with none, once they are asked for."""
    number, name = atom
    question = (subject.run.id, subject.seed, number, gain, text)
    if st.button("Ask with and without", key="atoms.ask", type="primary", icon=":material/send:"):
        st.session_state["atoms.asked"] = question
    if st.session_state.get("atoms.asked") != question or not text.strip():
        st.caption("The answers of all atoms, of the changed ones and of the base come together.")
        return
    full_answer, changed_answer, base_answer = selection.answers_with_gain(
        subject, number, gain, text
    )
    change_text = f"Without {name}" if gain == 0 else f"With {name} × {gain:g}"
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


def _atom_facts(subject: AtomsSubject, job: AtomsJob, number: int, name: str) -> tuple[str, str]:
    """Say what is known of an atom before a question is asked."""
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
    words = "; ".join(parts) or "nothing is measured of it yet"
    return f"Atom {name}: {words}.", f"seed {subject.seed_number}"


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


def show_two_runs(frame: Frame, subject: AtomsSubject) -> None:
    """Show the atoms of two runs applied at once."""
    others = [run for run in selection.candidate_runs() if _can_combine(subject, run)]
    runs_by_id = {run.id: run for run in others}
    if not runs_by_id:
        frame.picture.info(
            "Atoms combine when both runs rest on the same base and sit at the same matrices; "
            "there is no second run like that yet."
        )
        return
    labels = selection.run_labels(others)
    with frame.bar:
        other_id = Choice(
            LAB,
            "with",
            "Second run",
            list(runs_by_id),
            option_text=lambda name: f"with {labels.get(name, name)}",
        ).as_list(label_visibility="collapsed", width=190)
    numbers = [str(number) for number in runs_by_id[other_id].spec.population.seed_numbers()]
    with frame.side:
        seed = numbers.index(
            Choice(
                LAB,
                "seed2",
                "Seed of the second run",
                numbers,
                first=numbers[min(subject.seed, len(numbers) - 1)],
            ).as_list()
        )
    second = AtomsSubject(runs_by_id[other_id], seed)
    frame.explain(
        "What both runs add to a matrix is summed. Each was trained without the other, so nothing "
        "keeps one from disturbing what the other does."
    )
    job_request = subject.job_request("combine", other_id)
    job = AtomsJob.find(job_request)
    rows = pd.DataFrame(selection.job_entries(job, "combined")) if job else pd.DataFrame()
    if not rows.empty:
        frame.say(*findings.combined_finding(rows))
    with frame.picture:
        job_panel.show_job(
            AtomsJob,
            job_request,
            lambda job: _show_scores(subject, job),
            "both together",
            "Scores on the tasks of both runs with both runs' atoms, with each alone, and with "
            "none.",
        )
    _show_shares(frame, subject, second)


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


def _show_shares(frame: Frame, first: AtomsSubject, second: AtomsSubject) -> None:
    """Answers to a text at chosen shares of both."""
    with frame.side:
        first_share, second_share = (
            Choice(LAB, name, label, SHARES, first=1.0).as_slider()
            for name, label in (("share1", "Share of the first"), ("share2", "Share of the second"))
        )
    text = pick_text(frame, first)
    with frame.below:
        if wait_for_imports.ready_or_wait("atoms"):
            _ask_both(first, second, (first_share, second_share), text)


def _ask_both(
    first: AtomsSubject, second: AtomsSubject, shares: tuple[float, float], text: str
) -> None:
    """Answers with the atoms of both runs at these shares, once they are asked for."""
    first_share, second_share = shares
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
        picture(
            score_figures.combined_scores_chart(*figure_args, int(first["n"])),
            key=f"atoms.combined.{task}",
            name=f"{subject.run.id}-combined-{task}",
            alt=score_figures.combined_scores_alt(*figure_args),
            table=rows[rows["task"] == task],
        ).caption(findings.quiet_line(job))
