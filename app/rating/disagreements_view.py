"""Items on which raters disagree, to be settled; what each of them said stays as it is."""

from __future__ import annotations

from html import escape
from typing import Any

import pandas as pd
import streamlit as st

from app.rating.results import Results
from app.state.rating_store import book, me
from app.ui import errors
from app.ui.widgets import plain, sentence
from peftcore import rating
from peftcore.errors import BadInput
from peftcore.rating import Judgement, questions

PAGE = 5  # items on one page
SIDES = {"left": "1 is better", "right": "2 is better"}  # the card numbers them as the key does
STYLE = """<style>
.ratings-item {border: 1px solid color-mix(in srgb, currentColor 22%, transparent);
  border-radius: .5rem; padding: .75rem .9rem; line-height: 1.45}
.ratings-item dt {font-size: .82rem; margin: 0; padding: 0}
.ratings-item dd {margin: 0 0 .35rem; padding: 0; overflow-wrap: anywhere; white-space: pre-wrap}
.ratings-text {border-left: 4px solid; padding: .15rem 0 .15rem .6rem; margin: .4rem 0;
  overflow-wrap: anywhere}
.ratings-said {display: flex; flex-wrap: wrap; gap: .3rem 1rem; font-size: .92rem;
  margin-top: .5rem}
</style>"""


def disagreements(found: Results) -> None:
    """The items with the widest spread first, each with what was said and a form to settle it."""
    table = questions.spread(found.said, found.mode, _dimension(found))
    settled = rating.adjudications(book(), me(), found.project.id).set_index("item")
    apart = table[table["spread"] > 0]
    st.markdown(
        f"Raters differ on **{len(apart)} of {len(table)}** items that two or more have rated; "
        f"{apart['item'].isin(settled.index).sum()} of them are settled."
    )
    left, right = st.columns(2)
    open_only = left.toggle("Only those not settled", key="ratings.unsettled")
    whose = right.toggle(
        "Show whose explanation it is",
        key="ratings.whose",
        help="Off by default, so that whoever settles an item judges blind as well.",
    )
    shown = apart[~apart["item"].isin(settled.index)] if open_only else apart
    if found.project.demo:
        st.caption("The demo project cannot be changed, so nothing can be settled in it.")
    if shown.empty:
        st.info("There is nothing to settle.")
        return
    pages = -(-len(shown) // PAGE)
    page = st.pagination(pages, key=f"ratings.page.{open_only}") if pages > 1 else 1
    st.html(STYLE)
    for item in shown["item"].iloc[(page - 1) * PAGE : page * PAGE]:
        st.html(_card(found, item, whose))
        _settle(found, item, settled)


def _dimension(found: Results) -> str:
    """Which dimension the spread is about; empty for the widest, and in other modes."""
    if found.mode != "likert":
        return ""
    named: str = st.selectbox(
        "Dimension",
        ["", *rating.DIMENSIONS],
        format_func=lambda name: rating.DIMENSIONS.get(name, "Whichever they differ on most"),
        key="ratings.apart.dimension",
    )
    return named


def _card(found: Results, item: str, whose: bool) -> str:
    row = found.items.set_index("item").loc[item]
    fields = "".join(
        f"<dt>{escape(name.capitalize())}</dt><dd>{escape(text)}</dd>"
        for name, text in row["fields"]
    )
    sources = found.key[found.key["item"] == item]
    texts = []
    for place, (label, explanation) in enumerate(row["texts"]):
        names = sources.loc[sources["place"] == place, "source"].map(found.names)
        by = f" <small>({escape(', '.join(names))})</small>" if whose else ""
        head = f"{place + 1}. " if len(row["texts"]) > 1 else ""
        texts.append(
            f'<div class="ratings-text">{head}<strong>{escape(label)}</strong> because '
            f"{escape(explanation)}{by}</div>"
        )
    said = "".join(
        f"<span>{escape(each['name'])}: <strong>{escape(_word(found, each))}</strong>"
        f"{_ticked(each)}</span>"
        for each in found.said[found.said["item"] == item].to_dict("records")
    )
    return (
        f'<div class="ratings-item"><dl style="margin:0;padding:0">{fields}</dl>{"".join(texts)}'
        f'<div class="ratings-said">{said}</div></div>'
    )


def _word(found: Results, row: dict[str, Any]) -> str:
    if found.mode == "pairwise":
        won = questions.outcomes(pd.DataFrame([row])).iloc[0]
        return {"first": "1 is better", "second": "2 is better"}.get(won, "tie")
    if found.mode == "likert":
        return rating.in_words(row)
    return str(row["verdict"])


def _ticked(row: dict[str, Any]) -> str:
    words = [rating.SHORTCOMINGS.get(name, str(name)) for name in row["shortcomings"]]
    words += [f"“{row['comment']}”"] if row["comment"] else []
    return f" <small>{escape('; '.join(words))}</small>" if words else ""


@errors.guarded
def _settle(found: Results, item: str, settled: pd.DataFrame) -> None:
    if item in settled.index:
        row = settled.loc[item].to_dict()
        st.caption(plain(f"Settled by {row['who']}: {_settled_word(found, row)}. {row['comment']}"))
    if found.project.demo:
        return
    with (
        st.expander("Settle this item", icon=":material/gavel:"),
        st.form(f"ratings.settle.{item}", border=False),
    ):
        given = _steps(found, item) if found.mode == "likert" else _verdict(found, item)
        comment = st.text_input("Reason", key=f"ratings.reason.{item}", max_chars=2000)
        if st.form_submit_button("Settle"):
            try:
                said = Judgement.make(given | {"comment": comment})
                rating.adjudicate(book(), me(), item, said)
            except BadInput as error:
                st.error(plain(sentence(str(error))), icon=":material/error:")
            else:
                st.rerun()


def _settled_word(found: Results, row: dict[str, Any]) -> str:
    if found.mode == "pairwise":
        return SIDES.get(row["verdict"], row["verdict"])
    return rating.in_words(row) if found.mode == "likert" else str(row["verdict"])


def _verdict(found: Results, item: str) -> dict[str, Any]:
    verdict = st.segmented_control(
        "Verdict",
        rating.choices(found.mode),
        format_func=lambda each: SIDES.get(each, each.capitalize()),
        key=f"ratings.verdict.{item}",
    )
    return {"verdict": verdict or ""}


def _steps(found: Results, item: str) -> dict[str, Any]:
    """A step for every dimension; where all raters gave the same, it is filled in."""
    said = found.said[found.said["item"] == item]
    steps = {}
    for name, words in rating.DIMENSIONS.items():
        given = set(said[name])
        steps[name] = st.segmented_control(
            words,
            rating.STEPS,
            default=int(given.pop()) if len(given) == 1 else None,
            key=f"ratings.step.{name}.{item}",
        )
    return {"scales": {name: step for name, step in steps.items() if step is not None}}
