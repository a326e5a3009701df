"""The views of the Atoms page that ask models: coefficients over a text, one atom, two runs."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.compare import selection as compare_selection
from app.figures import atoms as figures
from app.figures import atoms_scores as worth
from app.labs.atoms import selection
from app.labs.atoms.selection import Subject
from app.state import cache, wait_for_imports
from app.theme import NEUTRAL, Look, look
from app.ui import answer_html, job_panel, widgets
from app.ui.charts import chart
from peftcore.data.task import Example, Task
from peftcore.labs.atoms import request
from peftcore.labs.atoms.request import AtomsJob
from peftcore.runs.store import Run

ABSENT = "nothing was written"


def text_view(subject: Subject) -> None:
    """Coefficients at every token of a text and of the answer to it."""
    text = write(subject)
    if not text.strip():
        st.caption("Type a text to see which atoms its tokens and the answer's call up.")
        return
    if not wait_for_imports.ready_or_wait("atoms"):
        return
    told = selection.reading(subject, text)
    names = [request.parse_site(each.site) for each in told.sites]
    picked = selection.chosen(subject)
    place, index = divmod(picked, told.sites[0].codes.shape[1])
    at = st.selectbox(
        "Matrix",
        range(len(names)),
        index=place,
        format_func=lambda n: names[n].title,
        key=f"atoms.site.{subject.run.id}.{picked}",
    )
    held = told.sites[at]
    table = pd.DataFrame(
        held.codes, columns=[names[at].atom_name(i) for i in range(held.codes.shape[1])]
    )
    table.insert(0, "token", held.tokens)
    chart(
        figures.tokens(
            held.codes, held.tokens, names[at], subject.number, index if at == place else None
        ),
        key="atoms.tokens",
        name=f"{subject.run.id}-coefficients",
        alt=figures.tokens_alt(held.codes, held.tokens, names[at]),
        table=table,
    )
    st.markdown(f"**Answer**: {widgets.escape_markdown(told.answer) or ABSENT}")
    st.caption(
        "A decoder's matrices are read while it writes this answer: each token is what it read "
        "when it chose the next one. Keys and values of cross-attention read the text itself."
    )


def write(subject: Subject) -> str:
    """The text that is asked, an example of the task until somebody types."""
    task = subject.run.spec.task
    rows = cache.split_examples(task, "test")
    return st.text_area(
        "Text",
        value=rows.examples[0].source if rows.examples else "",
        key=f"atoms.text.{task}",
        height=90,
    )


def one_atom(subject: Subject) -> None:
    """One atom removed or scaled: the old and the new answer side by side."""
    held = subject.run.spec.settings
    found = AtomsJob.find(subject.ask("map"))
    if found is None or not found.sites:
        st.caption("The view Map measures which atoms there are; measure the coefficients first.")
        return
    sites, each = found.sites, int(held["atoms"])
    names = [request.parse_site(key).atom_name(i) for key in sites for i in range(each)]
    picked = selection.chosen(subject)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = st.selectbox(
            "Atom",
            range(len(names)),
            index=picked,
            format_func=names.__getitem__,
            key=f"atoms.atom.{subject.run.id}.{picked}",
            help="Layer, matrix and index; a click in the map chooses one, too",
            width=200,
        )
        gain = st.slider(
            "Its gain", -2.0, 4.0, 0.0, 0.25, key="atoms.gain", help="0 removes it, 1 leaves it"
        )
    if number != picked:
        selection.choose(subject, number)
    _known(subject, found, number)
    text = write(subject)
    if not wait_for_imports.ready_or_wait("atoms"):
        return
    asked = (subject.run.id, subject.seed, number, gain, text)
    if st.button("Ask with and without", key="atoms.ask", type="primary", icon=":material/send:"):
        st.session_state["atoms.asked"] = asked
    if st.session_state.get("atoms.asked") != asked or not text.strip():
        st.caption("The answers of all atoms, of the changed ones and of the base come together.")
        return
    whole, changed, none = selection.with_gain(subject, number, gain, text)
    words = f"Without {names[number]}" if gain == 0 else f"With {names[number]} × {gain:g}"
    _card(
        subject,
        text,
        [
            ("All atoms", look("atoms", "").colour, whole),
            (words, worth.COLOURS["ablation"], changed),
            ("No atoms: the base", NEUTRAL, none),
        ],
    )
    same = "is the same" if whole == changed else "is another"
    st.caption(f"{widgets.escape_markdown(words)} the answer {same}.")


def _known(subject: Subject, found: AtomsJob, number: int) -> None:
    """What is known of an atom before anybody is asked."""
    parts = []
    for entry in selection.at_end(found):
        if entry["seed"] == subject.number:
            place, index = divmod(number, len(entry["usage"][0]))
            parts.append(f"used at {entry['usage'][place][index]:.0%} of the positions")
            parts.append(f"importance {request.entry_importance(entry)[place, index]:.3g}")
    pruned = AtomsJob.find(subject.ask("prune"))
    for entry in selection.entries(pruned, "weights") if pruned else []:
        if (entry["seed"], entry["order"]) == (subject.number, "ablation"):
            parts.append(f"its removal costs {entry['values'][number]:+.4f} nats on validation")
    if parts:
        st.caption(widgets.escape_markdown(f"Seed {subject.number}: {'; '.join(parts)}."))


def _card(subject: Subject, text: str, told: list[tuple[str, str, str]]) -> None:
    """Answers side by side, words marked that differ from the first."""
    task = compare_selection.find_task(subject.run.spec.task)
    gold = [
        e for e in cache.split_examples(subject.run.spec.task, "test").examples if e.source == text
    ]
    cells = [
        answer_html.AnswerCell(Look(name, colour), answer, _right(task, answer, gold))
        for name, colour, answer in told
    ]
    card = answer_html.example_card(text, [e.target for e in gold[:1]], cells, told[0][2])
    st.html(answer_html.STYLE + card)


def _right(task: Task | None, answer: str, gold: list[Example]) -> bool | None:
    if task is None or not gold or gold[0].label is None:
        return None
    return task.parse(answer).label == gold[0].label


def two_runs(subject: Subject) -> None:
    """The atoms of two runs worn at once."""
    others = [run for run in selection.runs() if _fits(subject, run)]
    known = {run.id: run for run in others}
    if not known:
        st.info(
            "Atoms combine when both runs rest on the same base and sit at the same matrices; "
            "there is no second run like that yet."
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        other = st.selectbox(
            "Second run",
            list(known),
            format_func=lambda run: selection.name(known[run]),
            key=f"atoms.second.{subject.run.id}",
        )
        numbers = known[other].spec.population.seed_numbers()
        seed = st.selectbox(
            "Its seed",
            range(len(numbers)),
            index=min(subject.seed, len(numbers) - 1),
            format_func=lambda n: str(numbers[n]),
            key=f"atoms.second.seed.{other}",
            width=120,
        )
    second = Subject(known[other], seed)
    _shares(subject, second)
    job_panel.show_job(
        AtomsJob,
        subject.ask("combine", other),
        lambda found: _scores(subject, found),
        "both together",
        "Scores on the tasks of both runs with both runs' atoms, with each alone, and with none.",
    )


def _fits(subject: Subject, run: Run) -> bool:
    """Whether two runs' atoms can be worn at once."""
    mine, other = subject.run.spec, run.spec
    same = ("components", "stacks", "relative", "rounds")
    return (
        run.id != subject.run.id
        and mine.base == other.base
        and all(mine.settings[name] == other.settings[name] for name in same)
        and not (mine.settings["top_k"] or other.settings["top_k"])
    )


def _shares(first: Subject, second: Subject) -> None:
    """Answers to a text at chosen shares of both."""
    left, right = st.columns(2)
    one = left.slider("Share of the first", 0.0, 2.0, 1.0, 0.25, key="atoms.share.first")
    two = right.slider("Share of the second", 0.0, 2.0, 1.0, 0.25, key="atoms.share.second")
    text = write(first)
    if not wait_for_imports.ready_or_wait("atoms"):
        return
    asked = (first, second, one, two, text)
    if st.button("Ask both", key="atoms.both", type="primary", icon=":material/send:"):
        st.session_state["atoms.asked.both"] = asked
    if st.session_state.get("atoms.asked.both") != asked or not text.strip():
        return
    told = selection.together(first, second, (one, two), text)
    cells = zip(told.items(), worth.WEARERS.values(), strict=True)
    _card(first, text, [(name.capitalize(), colour, answer) for (name, answer), colour in cells])


def _scores(subject: Subject, found: AtomsJob) -> None:
    rows = pd.DataFrame(selection.entries(found, "combined"))
    if rows.empty:
        return
    for task in rows["task"].unique():
        first = rows[rows["task"] == task].iloc[0]
        asked = (rows, str(task), compare_selection.task_title(str(task)), str(first["metric"]))
        chart(
            worth.combined(*asked, int(first["n"])),
            key=f"atoms.combined.{task}",
            name=f"{subject.run.id}-combined-{task}",
            alt=worth.combined_alt(*asked),
            table=rows[rows["task"] == task],
        )
    st.caption(
        "What both runs add to a matrix is summed. Each was trained without the other, so nothing "
        "keeps one from disturbing what the other does."
    )
    job_panel.measurement_caption(found.facts)
