"""Flips: which test examples change from right to wrong, and back, between two runs."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.compare import pairs, selection, tables
from app.compare.selection import Comparison
from app.ui import answer_html, pickers, widgets
from app.ui.charts import lazy_table
from peftcore.analysis.flips import Flips
from peftcore.runs.store import Run

PAGE_SIZE = 6  # examples on one page
EVERY_LOST, EVERY_GAINED = "Lost in every seed", "Gained in every seed"
LOST, GAINED = "Lost", "Gained"
SHOWN = {
    LOST: lambda items: items["lost"] > items["gained"],
    EVERY_LOST: lambda items: items["lost"] == items["seeds"],
    GAINED: lambda items: items["gained"] > items["lost"],
    EVERY_GAINED: lambda items: items["gained"] == items["seeds"],
}


def show_flips(chosen: Comparison) -> None:
    """Choose two runs; the tests, the table of items, and the items themselves."""
    if not any(run.scores().get("accuracy") for run in chosen.runs):
        st.info(
            "This task has no right and wrong answers, so none can change from one to the other."
        )
        return
    pair = pairs.pick_pair(chosen)
    if pair is None:
        return
    before, after = chosen.run(pair[0]), chosen.run(pair[1])
    found = tables.flips_between(before, after)
    if found is None or found.items.empty:
        st.info("These runs kept no answers to examples that both were asked.")
        return
    st.markdown(_finding(found, chosen.names[after.id]))
    st.caption(_tests_text(found))
    items = found.items.sort_values(["lost", "gained"], ascending=[False, True], kind="stable")
    counts = {name: int(choose(items).sum()) for name, choose in SHOWN.items()}
    kind = pickers.pick_in_url(
        "Examples", list(SHOWN), "compare.flips", lambda name: f"{name} ({counts[name]})"
    )
    picked = items[SHOWN[kind](items)]
    _show_items(chosen, pair, picked, kind)
    texts = tables.asked_examples(before).drop(columns="references")
    alt = f"Every example with how many of {len(found.seeds)} seeds lost or gained it."
    name = f"{chosen.runs[0].spec.task}-flips-{before.id}-{after.id}"
    lazy_table(
        lambda: items.merge(texts, on="example", how="left"), "compare.flips.items", name, alt
    )
    with st.expander("Seed by seed", icon=":material/casino:"):
        st.dataframe(
            found.seeds.rename(columns={"p": "McNemar p", "holm": "p, Holm"}),
            hide_index=True,
            alt="Changes of every seed with the exact p of McNemar's test.",
        )
    if selection.explains(chosen.runs):
        selection.offer_rating([before, after], "Let people rate the explanations of these two")


def _finding(found: Flips, name: str) -> str:
    """Return the changes in a sentence."""
    sure = int((found.items["lost"] == found.items["seeds"]).sum())
    total = int(found.items["seeds"].sum())
    words = (
        f"With **{widgets.escape_markdown(name)}** {found.lost:,} of {total:,} answers go from "
        f"right to wrong and {found.gained:,} from wrong to right."
    )
    if len(found.seeds) > 1:
        words += f" Lost in every seed: {sure} of {len(found.items):,} examples."
    return words


def _tests_text(found: Flips) -> str:
    """Return what McNemar's test says, pooled and seed by seed."""
    if found.p is None:
        return "No answer changed, so there is nothing to test."
    low = int((found.seeds["holm"] < 0.05).sum())
    return (
        f"McNemar's test, each example counted once over {len(found.seeds)} seeds and "
        f"{len(found.items):,} examples: p {found.p:.2g}. Seed by seed (exact, Holm): p below 0.05 "
        f"in {low} of {len(found.seeds)}. These tests are about other examples with these seeds; "
        "the verdict above is about other seeds, too."
    )


def _show_items(chosen: Comparison, pair: tuple[str, str], picked: pd.DataFrame, kind: str) -> None:
    """Show examples with the answers of both runs, in the seed that shows the change best."""
    if picked.empty:
        st.caption(f"No example is {kind[:1].lower()}{kind[1:]}.")
        return
    pages = -(-len(picked) // PAGE_SIZE)
    page = pickers.pick_page(pages, f"compare.flips.page.{kind}")
    st.html(answer_html.STYLE)
    shown = picked.iloc[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    before, after = (_answers_to(chosen.run(run), shown["example"]) for run in pair)
    asked = tables.asked_examples(chosen.run(pair[0])).set_index("example")
    for item in shown.itertuples():
        lost = item.lost > item.gained
        count = item.lost if lost else item.gained
        st.caption(f"{'Lost' if lost else 'Gained'} in {count} of {item.seeds} seeds")
        both = before[item.example].merge(after[item.example], on="seed", suffixes=("", "_after"))
        st.html(_card(chosen, pair, asked.loc[item.example], both, lost))


def _answers_to(run: Run, examples: pd.Series) -> dict[str, pd.DataFrame]:
    """Return example → a run's answers of every seed."""
    answers = tables.given_answers(run)
    answers = answers[answers["example"].isin(examples)]
    return {str(example): rows for example, rows in answers.groupby("example", sort=False)}


def _card(
    chosen: Comparison, pair: tuple[str, str], asked: pd.Series, both: pd.DataFrame, lost: bool
) -> str:
    """Return an example with both answers of the first seed in which it changed that way."""
    right, right_after = (both[c].fillna(False).astype(bool) for c in ("correct", "correct_after"))
    row = both[(right != right_after) & (right == lost)].iloc[0]
    label = None if pd.isna(asked["label"]) else asked["label"]
    gold = answer_html.accepted_answers(asked["target"], label, asked["references"])
    cells = [
        answer_html.AnswerCell(chosen.styles[run], row[f"text{end}"], bool(row[f"correct{end}"]))
        for run, end in zip(pair, ("", "_after"), strict=True)
    ]
    return answer_html.example_card(asked["source"], gold, cells, None)
