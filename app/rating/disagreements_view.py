"""Items on which raters disagree, to be settled; their own verdicts stay as they are."""

from __future__ import annotations

from html import escape
from typing import Any

import pandas as pd
import streamlit as st

from app.rating import results
from app.rating.results import ProjectResults
from app.state.rating_store import current_experimenter, rating_store
from app.ui import errors, permitted
from app.ui.widgets import as_sentence, escape_markdown
from peftcore import rating, tasks
from peftcore.errors import BadInput
from peftcore.rating import Judgement, questions
from peftcore.rating.access import called
from peftcore.rating.rater_view import titled_fields

PAGE_SIZE = 5  # items on one page
SIDES = {"left": "1 is better", "right": "2 is better"}  # the card numbers them as the key does
STYLE = """<style>
.ratings-item {border: 1px solid color-mix(in srgb, currentColor 22%, transparent);
  border-radius: .5rem; padding: .75rem .9rem; line-height: 1.45}
.ratings-item dt {font-size: .82rem; margin: 0; padding: 0}
.ratings-item dd {margin: 0 0 .35rem; padding: 0; overflow-wrap: anywhere; white-space: pre-wrap}
.ratings-text {border-left: 4px solid; padding: .15rem 0 .15rem .6rem; margin: .4rem 0;
  overflow-wrap: anywhere}
.ratings-verdicts {display: flex; flex-wrap: wrap; gap: .3rem 1rem; font-size: .92rem;
  margin-top: .5rem}
</style>"""


def show_disagreements(project_results: ProjectResults) -> None:
    """The items with the widest spread first, each with the verdicts and a form to settle it."""
    table = questions.verdict_spread(
        project_results.verdicts,
        project_results.mode,
        results.pick_dimension(
            project_results, "Dimension", "Whichever they differ on most", "ratings.apart.dimension"
        ),
    )
    settled = rating.adjudication_table(
        rating_store(), current_experimenter(), project_results.project.id
    ).set_index("item")
    disputed = table[table["spread"] > 0]
    st.markdown(
        f"Raters differ on **{len(disputed)} of {len(table)}** items that two or more have rated; "
        f"{disputed['item'].isin(settled.index).sum()} of them are settled."
    )
    left, right = st.columns(2)
    open_only = left.toggle("Only those not settled", key="ratings.unsettled")
    show_sources = right.toggle(
        "Show whose explanation it is",
        key="ratings.whose",
        help="Off by default, so that whoever settles an item judges blind as well.",
    )
    shown = disputed[~disputed["item"].isin(settled.index)] if open_only else disputed
    if project_results.project.demo:
        st.caption("The demo project cannot be changed, so nothing can be settled in it.")
    if shown.empty:
        st.info("There is nothing to settle.")
        return
    pages = -(-len(shown) // PAGE_SIZE)
    page = st.pagination(pages, key=f"ratings.page.{open_only}") if pages > 1 else 1
    st.html(STYLE)
    for item in shown["item"].iloc[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]:
        st.html(_item_html(project_results, item, show_sources))
        _settle_form(project_results, item, settled)


def _item_html(project_results: ProjectResults, item: str, show_sources: bool) -> str:
    """Return one item with its verdicts as HTML."""
    row = project_results.items.set_index("item").loc[item]
    wording = tasks.find_wording(project_results.project.task)
    fields = "".join(
        f"<dt>{escape(title)}</dt><dd>{escape(text)}</dd>"
        for title, text in titled_fields(wording, row["fields"])
    )
    sources = project_results.origins[project_results.origins["item"] == item]
    texts = []
    for index, (label, explanation) in enumerate(row["texts"]):
        names = sources.loc[sources["place"] == index, "source"].map(project_results.names)
        sources_html = f" <small>({escape(', '.join(names))})</small>" if show_sources else ""
        title = escape(wording.label_title(label))
        number = f"{index + 1}. " if len(row["texts"]) > 1 else ""
        texts.append(
            f'<div class="ratings-text">{number}<strong>{title}</strong> because '
            f"{escape(explanation)}{sources_html}</div>"
        )
    verdicts_html = "".join(
        f"<span>{escape(each['name'])}: "
        f"<strong>{escape(_verdict_text(project_results, each))}</strong>"
        f"{_shortcomings_text(each)}</span>"
        for each in project_results.verdicts[project_results.verdicts["item"] == item].to_dict(
            "records"
        )
    )
    return (
        f'<div class="ratings-item"><dl style="margin:0;padding:0">{fields}</dl>{"".join(texts)}'
        f'<div class="ratings-verdicts">{verdicts_html}</div></div>'
    )


def _verdict_text(project_results: ProjectResults, row: dict[str, Any]) -> str:
    """Return one rater's verdict in words."""
    if project_results.mode == "pairwise":
        outcome = questions.pairwise_outcomes(pd.DataFrame([row])).iloc[0]
        return {"first": "1 is better", "second": "2 is better"}.get(outcome, "tie")
    if project_results.mode == "likert":
        return rating.steps_in_words(row)
    return str(row["verdict"])


def _shortcomings_text(row: dict[str, Any]) -> str:
    words = [rating.SHORTCOMINGS.get(name, str(name)) for name in row["shortcomings"]]
    words += [f"“{row['comment']}”"] if row["comment"] else []
    return f" <small>{escape('; '.join(words))}</small>" if words else ""


@errors.guarded
def _settle_form(project_results: ProjectResults, item: str, settled: pd.DataFrame) -> None:
    """Show the form that settles an item."""
    if item in settled.index:
        row = settled.loc[item].to_dict()
        st.caption(
            escape_markdown(
                f"Settled by {row['who']}: {_settled_text(project_results, row)}. {row['comment']}"
            )
        )
    if project_results.project.demo:
        return
    with (
        st.expander("Settle this item", icon=":material/gavel:"),
        st.form(f"ratings.settle.{item}", border=False),
    ):
        values = (
            _pick_steps(project_results, item)
            if project_results.mode == "likert"
            else _pick_verdict(project_results, item)
        )
        comment = st.text_input("Reason", key=f"ratings.reason.{item}", max_chars=2000)
        project = called(project_results.project.id)
        if st.form_submit_button("Settle", **permitted.to_change("settle in", project)):
            try:
                judgement = Judgement.make(values | {"comment": comment})
                rating.adjudicate(rating_store(), current_experimenter(), item, judgement)
            except BadInput as error:
                st.error(escape_markdown(as_sentence(str(error))), icon=":material/error:")
            else:
                st.rerun()


def _settled_text(project_results: ProjectResults, row: dict[str, Any]) -> str:
    if project_results.mode == "pairwise":
        return SIDES.get(row["verdict"], row["verdict"])
    return rating.steps_in_words(row) if project_results.mode == "likert" else str(row["verdict"])


def _pick_verdict(project_results: ProjectResults, item: str) -> dict[str, Any]:
    """Offer a verdict to settle the item with."""
    verdict = st.segmented_control(
        "Verdict",
        rating.verdict_choices(project_results.mode),
        format_func=lambda each: SIDES.get(each, each.capitalize()),
        key=f"ratings.verdict.{item}",
    )
    return {"verdict": verdict or ""}


def _pick_steps(project_results: ProjectResults, item: str) -> dict[str, Any]:
    """A step for every dimension; where all raters gave the same, it is filled in."""
    verdicts = project_results.verdicts[project_results.verdicts["item"] == item]
    steps = {}
    for name, words in rating.DIMENSIONS.items():
        given_steps = set(verdicts[name])
        steps[name] = st.segmented_control(
            words,
            rating.STEPS,
            default=int(given_steps.pop()) if len(given_steps) == 1 else None,
            key=f"ratings.step.{name}.{item}",
        )
    return {"scales": {name: step for name, step in steps.items() if step is not None}}
