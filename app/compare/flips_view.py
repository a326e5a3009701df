"""Flips: which test examples change from right to wrong, and back, between two runs."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.compare import pairs, selection, tables
from app.compare.selection import Comparison
from app.ui import answer_html, pickers, widgets
from app.ui.charts import lazy_table
from peftcore.analysis.flips import Flips

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
    readable = items.merge(tables.asked_examples(before), on="example", how="left")
    readable = readable.drop(columns="references")
    alt = f"Every example with how many of {len(found.seeds)} seeds lost or gained it."
    name = f"{chosen.runs[0].spec.task}-flips-{before.id}-{after.id}"
    lazy_table(lambda: readable, "compare.flips.items", name, alt)
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
    page = st.pagination(pages, key=f"compare.flips.page.{kind}") if pages > 1 else 1
    st.html(answer_html.STYLE)
    before, after = (tables.answers_by_example(chosen.run(run)) for run in pair)
    for item in picked.iloc[(page - 1) * PAGE_SIZE : page * PAGE_SIZE].itertuples():
        lost = item.lost > item.gained
        count = item.lost if lost else item.gained
        st.caption(f"{'Lost' if lost else 'Gained'} in {count} of {item.seeds} seeds")
        st.html(_card(chosen, pair, before[item.example], after[item.example], lost))


def _card(
    chosen: Comparison,
    pair: tuple[str, str],
    before: pd.DataFrame,
    after: pd.DataFrame,
    lost: bool,
) -> str:
    """Return an example with both answers of the first seed in which it changed that way."""
    both = before.merge(after, on="seed", suffixes=("", "_after"))
    changed = (both["correct"].fillna(False) != both["correct_after"].fillna(False)) & (
        both["correct"].fillna(False) == lost
    )
    row = both[changed].iloc[0]
    label = None if pd.isna(row["label"]) else row["label"]
    gold = answer_html.accepted_answers(row["target"], label, row["references"])
    cells = [
        answer_html.AnswerCell(chosen.styles[run], row[f"text{end}"], bool(row[f"correct{end}"]))
        for run, end in zip(pair, ("", "_after"), strict=True)
    ]
    return answer_html.example_card(row["source"], gold, cells, None)
