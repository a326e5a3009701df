"""The parts of Home that introduce: the moving row, three doors, and the table of the papers."""

from __future__ import annotations

import streamlit as st

from app import nav
from app.ui import widgets
from app.ui.attention_row import recorded_head, show_attention_row
from app.ui.widgets import Colour, escape_markdown
from peftcore.experiments.paper_table import NOT_ASKED, read_papers
from peftcore.stories.recordings import HeadRecording

ROW_HEIGHT = 160  # pixels of the tallest bar
FIRST_STORY, FIRST_STEP = "prefix", "shares"
STYLE = """<style>
.stApp h1 { font-size: 1.45rem; padding: 0; }
.stApp h2 { font-size: 1.3rem; }
[data-testid="stMainBlockContainer"] { padding: 3.2rem 2.5rem 2rem; }
@media (max-width: 640px) { [data-testid="stMainBlockContainer"] { padding: 4.5rem 1rem 1rem; } }
.stApp table td, .stApp table th { padding: 0.3rem 0.5rem; font-size: 0.875rem; }
.stApp table td:first-child { min-width: 14rem; }
</style>"""
DOORS = (
    (
        "See",
        "Stories of five minutes: prefixes, triangles of adapters, scales, reasons, atoms, and "
        "who really wins.",
        (("learn", "All stories"),),
    ),
    (
        "Compare",
        "Train several adapters on the same few examples, and read a verdict over seeds and test "
        "examples.",
        (("train", "Train"), ("compare", "Compare")),
    ),
    (
        "Judge",
        "Let people rate explanations without knowing who wrote them, and see where they agree.",
        (("ratings", "Ratings"), ("rate", "Rate")),
    ),
)
VERDICT_COLOURS: dict[str, Colour] = {
    "ahead": "blue",
    "behind": "orange",
    "equal": "green",
    "cannot tell": "gray",
    NOT_ASKED: "gray",
}


def show_moving_row() -> None:
    """Show a recorded row that goes through frozen, prefix, renormalised and LoRA by itself."""
    st.html(STYLE)
    head = recorded_head()
    show_attention_row(head, key="home.row", plays=True, high=ROW_HEIGHT)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link(
            nav.find_page("learn").script_path,
            label="**See why in five minutes**",
            icon=":material/play_circle:",
            query_params={"story": FIRST_STORY, "step": FIRST_STEP},
        )
        st.caption(escape_markdown(_head_in_words(head)), width="stretch")


def _head_in_words(head: HeadRecording) -> str:
    return (
        f"A real head: {head.base}, layer {head.layer}, head {head.head}, with a trained prefix "
        "and a trained LoRA."
    )


def show_doors() -> None:
    """Show what there is to do: see, compare, judge."""
    for column, (title, words, links) in zip(st.columns(3), DOORS, strict=True):
        with column, st.container(border=True, height="stretch"):
            st.markdown(f"**{title}**")
            st.markdown(words)
            with st.container(horizontal=True):
                for page, label in links:
                    widgets.page_link(page, label)


def show_papers() -> None:
    """Show each paper's claims, what it prints, and what the runs that ship say."""
    heads = ("Claim", "Published", "Here", "Verdict", "What differs")
    lines = [f"| {' | '.join(heads)} |", "| --- | --- | --- | --- | --- |"]
    for row in read_papers():
        colour = VERDICT_COLOURS[row.verdict]
        cells = (
            f"{escape_markdown(row.claim)} :small[{escape_markdown(row.paper)}]",
            escape_markdown(row.published),
            escape_markdown(row.ours),
            f":{colour}-badge[{row.verdict}]",
            escape_markdown(row.differs),
        )
        lines.append(f"| {' | '.join(cells)} |")
    st.markdown("\n".join(lines))
    st.caption(
        "A verdict is on the claim's own comparison by the runs that come with the app, with a "
        "margin of two points: ahead, behind, equal, or these data cannot tell. "
        "`python -m peftcore ship readme-tables`"
    )
