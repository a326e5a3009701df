"""The frame of every lab: subject, finding, views, picture first, a column beside it, more below.

A lab fills the places; what it looks at is in `app.ui.subject`.  The picture takes two thirds of
the width and stands above the fold on a laptop; on a tablet the column folds under it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.ui import page_actions, pickers, run_styles, story_step, subject, widgets
from peftcore.runs.store import Run

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

# Two rows of small things, a finding, and then the picture: room is for the picture.
STYLE = """<style>
.stMainBlockContainer:has(.st-key-frame) { padding: 0.7rem 1.4rem 2rem; }
.st-key-frame { gap: 0.45rem; }
.st-key-frame [data-testid="stHeading"] [data-testid="stMarkdownContainer"],
.st-key-frame [data-testid="stCaptionContainer"] { margin-bottom: 0; }
.st-key-frame [data-testid="stCaptionContainer"] p:last-child { margin-bottom: 0; }
.st-key-frame-bar { gap: 0.35rem; }
.st-key-frame-bar h1 { font-size: 1.05rem; padding: 0; white-space: nowrap; }
.st-key-frame-bar input, .st-key-frame-bar button p { font-size: 0.85rem; }
.st-key-frame-bar input { padding-left: 0.6rem; padding-right: 0; text-overflow: ellipsis; }
.st-key-frame-bar [data-testid="stSelectbox"] button { width: 1.5rem; padding: 0; }
.st-key-frame-bar [data-testid="stPopoverButton"] { padding: 0 0.6rem; }
.st-key-frame-finding { gap: 0.15rem; }
.st-key-frame-finding h2 { font-size: 1.2rem; line-height: 1.3; padding: 0; text-wrap: pretty; }
.st-key-frame-views [data-testid="stButtonGroup"] button {
    border: 0; border-radius: 0; border-bottom: 2px solid transparent; background: none;
    padding: 0.15rem 0.15rem; margin-right: 1rem; min-height: 1.9rem;
}
.st-key-frame-views [data-testid="stButtonGroup"] button[data-selected="true"] {
    border-bottom-color: light-dark(#1F5FA8, #8CB8F0); font-weight: 600;
}
.st-key-frame-body > [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"] {
    gap: 1.4rem;
}
.st-key-frame-picture { gap: 0.3rem; }
.st-key-frame-side { gap: 0.6rem; }
.st-key-frame-side h3 { font-size: 0.95rem; padding: 0; }
.st-key-frame-side p { font-size: 0.875rem; }
.st-key-frame-side [data-testid="stButtonGroup"] button { padding: 0.2rem 0.5rem; }
.st-key-frame [class*="st-key-quiet-"] { gap: 0.6rem; align-items: center; flex-wrap: nowrap; }
.st-key-frame [class*="st-key-quiet-"] p { font-size: 0.78rem; }
@media (max-width: 1000px) {
    .st-key-frame-body > [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"] {
        flex-wrap: wrap;
    }
    .st-key-frame-body > [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"]
        > [data-testid="stColumn"] { flex: 1 1 100%; min-width: 100%; }
}
@media (max-width: 640px) {
    .stMainBlockContainer:has(.st-key-frame) { padding: 3.9rem 1rem 2rem; }
}
</style>"""
# In a frame of a story the picture and its finding are shown; the lab is a click away.
EMBEDDED_STYLE = """<style>
.stApp [data-testid="stHeader"], .stApp [data-testid="stSidebar"],
.st-key-frame-bar { display: none; }
.stMainBlockContainer:has(.st-key-frame) { padding-top: 0.7rem; }
</style>"""
SHARES = (2.35, 1)  # of the width: picture, column beside it


@dataclass(frozen=True)
class Frame:
    """The places of a lab's page, in the order in which they stand."""

    lab: str
    view: str
    bar: DeltaGenerator
    finding: DeltaGenerator
    picture: DeltaGenerator
    side: DeltaGenerator
    below: DeltaGenerator

    def say(self, finding: str, guard: str = "") -> None:
        """Write the finding, a sentence computed from what is shown; guard: n, interval, doubt."""
        with self.finding:
            st.header(widgets.escape_markdown(finding), anchor=False)
            if guard:
                st.caption(guard)

    def explain(self, words: str) -> None:
        """Say in two sentences how the picture is read; `words` is Markdown."""
        with self.side:
            st.subheader("How to read this", anchor=False)
            st.markdown(words)

    def more(self) -> DeltaGenerator:
        """Return the one place for all choices that the view does not need at first sight."""
        with self.side:
            return st.popover("More", icon=":material/tune:")


@contextmanager
def lab_frame(
    lab: str, title: str, views: Sequence[str] | Mapping[str, str] = ()
) -> Iterator[Frame]:
    """Lay out a lab's page; what it shows stands in the address once it is drawn.

    The first of the views is shown unless the address or an earlier visit says another; views
    whose names in the address are not what people read come with their titles.
    """
    subject.begin(lab)
    st.html(STYLE)
    if st.context.is_embedded:
        st.html(EMBEDDED_STYLE)
    with st.container(key="frame"):
        bar = st.container(
            horizontal=True, key="frame-bar", vertical_alignment="center", gap="xsmall"
        )
        bar.title(title, anchor=False, width="content")
        finding = st.container(key="frame-finding")
        view = ""
        if views:
            with st.container(key="frame-views"):
                titles = views if isinstance(views, Mapping) else {name: name for name in views}
                choice = subject.Choice(
                    lab, subject.VIEW, "View", list(titles), option_text=titles.__getitem__
                )
                view = choice.as_buttons(label_visibility="collapsed")
        with st.container(key="frame-body"):
            left, right = st.columns(SHARES)
            picture = left.container(key="frame-picture")
            side = right.container(key="frame-side")
        below = st.container(key="frame-below")
    try:
        yield Frame(lab, view, bar, finding, picture, side, below)
    finally:
        with bar:
            page_actions.copy_link()
        with finding:
            subject.show_notices()
        subject.write_address(lab)
        with side:
            story_step.offer(lab)


def pick_run(
    lab: str, bar: DeltaGenerator, runs: Sequence[Run], titles: Mapping[str, str], needed: str
) -> Run:
    """Offer runs by their titles, in the run's colour; `needed` says which can be offered."""
    by_id = {run.id: run for run in runs}
    choice = subject.Choice(
        lab,
        "run",
        "Run",
        list(by_id),
        option_text=titles.__getitem__,
        missing=pickers.why_run_missing(needed),
    )
    with bar:
        run = by_id[choice.as_list(label_visibility="collapsed", width=230)]
    run_colour(choice.key, run_styles.styles_by_run([run])[run.id].colour)
    return run


def pick_seed(lab: str, numbers: Sequence[str], help: str | None = None) -> int:
    """Offer seeds by their numbers; return the place of the chosen one."""
    seed = subject.Choice(
        lab, "seed", "Seed", numbers, option_text=lambda number: f"Seed {number}"
    ).as_list(label_visibility="collapsed", width=90, help=help)
    return numbers.index(seed)


def run_colour(widget_key: str, colour: str) -> None:
    """Mark the list in which a run is chosen with the colour that the run has in charts."""
    place = f".st-key-{widget_key.replace('.', '-')}"
    st.html(f"<style>{place} [role='group'] {{ box-shadow: inset 5px 0 0 {colour} }}</style>")


def provenance(*parts: str, command: str = "", **named: Any) -> str:
    """Return the quiet line below a picture: what it rests on, and the command that makes it."""
    words = [*parts, *(f"{name.replace('_', ' ')} {value}" for name, value in named.items())]
    line = widgets.escape_markdown(" · ".join(word for word in words if word))
    return f"{line} · made by `python -m peftcore {command}`" if command else line
