"""The Learn page: the list of stories, and one step of one story with its picture.

Story, step and the knob's value stand in the address (`?story=…&step=…&at=…`), and `present=1`
leaves out the side bar and sets larger type.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app import nav
from app.learn.picture import PRESENT, Knob, Shown, is_presented
from app.learn.pictures import OPTIONS_BY_PICTURE, PICTURES
from app.ui import errors, widgets
from app.ui.widgets import escape_markdown
from peftcore.errors import BadInput
from peftcore.stories.story import LabLink, Step, Story, StoryFile, list_stories, own_stories_folder

PRESENT_STYLE = """<style>
[data-testid="stSidebar"], [data-testid="stSidebarCollapsedControl"],
[data-testid="stExpandSidebarButton"], [data-testid="stHeader"] { display: none; }
[data-testid="stMainBlockContainer"] { padding: 1.5rem 3rem 1rem; max-width: none; }
.stApp [data-testid="stMarkdownContainer"] p { font-size: 1.25rem; line-height: 1.5; }
.stApp h1 { font-size: 2.1rem; }
.stApp [data-testid="stCaptionContainer"] p { font-size: 0.95rem; }
</style>"""
COMPACT_STYLE = """<style>
.stApp h1 { font-size: 1.5rem; padding-top: 0.25rem; }
[data-testid="stMainBlockContainer"] { padding: 3.2rem 2.5rem 1rem; }
@media (max-width: 640px) { [data-testid="stMainBlockContainer"] { padding: 4.5rem 1rem 1rem; } }
</style>"""


def show() -> None:
    """Show the list of stories, or the step that the address names."""
    stories = list_stories(OPTIONS_BY_PICTURE)
    name = st.query_params.get("story", "")
    found = next((each for each in stories if each.name == name), None)
    if name and (found is None or found.story is None):
        reason = found.problem if found else f"There is no story “{name[:60]}” here."
        st.warning(escape_markdown(reason), icon=":material/link_off:")
    if found is None or found.story is None:
        _show_list(stories)
    else:
        _show_story(found.name, found.story)


def _show_list(stories: Sequence[StoryFile]) -> None:
    st.title("Learn", anchor=False)
    st.caption(
        "Five papers and one craft, five minutes each: a few words and one picture a step, drawn "
        "from recorded runs."
    )
    shown = [each for each in stories if each.story is not None]
    for first in range(0, len(shown), 3):
        columns = st.columns(3)
        for column, each in zip(columns, shown[first : first + 3], strict=False):
            with column, st.container(border=True, height="stretch"):
                _show_card(each)
    for each in stories:
        if each.problem:
            st.warning(f"A story cannot be shown. {escape_markdown(each.problem)}")
    with st.expander("A story of your own"):
        st.markdown(
            f"A YAML file in the workspace's folder `{own_stories_folder()}`, with a title, a "
            "paper and steps. A step has an id, a title, a text of at most 60 words, a picture, "
            "and if you like a question with its answer. It is checked as a whole; what is wrong "
            "is shown here."
        )
        st.caption(f"Pictures: {escape_markdown(', '.join(PICTURES))}.")


def _show_card(each: StoryFile) -> None:
    story = each.story
    assert story is not None
    own = "yours · " if each.own else ""
    st.markdown(f"**{escape_markdown(story.title)}**")
    st.markdown(escape_markdown(story.summary))
    st.caption(escape_markdown(f"{own}{story.paper} · {len(story.steps)} steps".lstrip(" ·")))
    st.page_link(
        nav.find_page("learn").script_path,
        label="Begin",
        icon=":material/play_arrow:",
        query_params={"story": each.name, "step": story.steps[0].id},
    )


def _show_story(name: str, story: Story) -> None:
    presents = is_presented()
    st.html(PRESENT_STYLE if presents else COMPACT_STYLE)
    number = story.number_of(st.query_params.get("step", ""))
    step = story.steps[number]
    _show_bar(name, story, number, presents)
    _show_step(name, step)


def _go(step: str) -> None:
    """Turn to a step; its knob begins anew."""
    st.query_params["step"] = step
    st.query_params.pop("at", None)


def _show_bar(name: str, story: Story, number: int, presents: bool) -> None:
    """Show where in the story one is, and turn its pages by buttons or arrow keys."""
    ids = [step.id for step in story.steps]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{escape_markdown(story.title)}** :small[{number + 1} of {len(ids)}]",
            width="stretch",
        )
        st.button(
            "Back",
            key="learn.back",
            shortcut="Left",
            disabled=number == 0,
            on_click=_go,
            args=(ids[max(number - 1, 0)],),
        )
        st.button(
            "Next",
            key="learn.next",
            shortcut="Right",
            type="primary",
            disabled=number == len(ids) - 1,
            on_click=_go,
            args=(ids[min(number + 1, len(ids) - 1)],),
        )
        if presents:
            st.button("Close", key="learn.close", shortcut="Escape", on_click=_leave_presenting)
        else:
            st.button(
                "Present",
                key="learn.present",
                icon=":material/slideshow:",
                on_click=_present,
                help="Without the side bar and in larger type; arrow keys turn the pages",
            )
            st.page_link(nav.find_page("learn").script_path, label="All stories")


def _present() -> None:
    st.query_params[PRESENT] = "1"


def _leave_presenting() -> None:
    st.query_params.pop(PRESENT, None)


@st.fragment
@errors.guarded
def _show_step(name: str, step: Step) -> None:
    """Show the picture at the left; words, knob, question and the way to the lab beside it."""
    picture_column, side = st.columns([2, 1], gap="large")
    picture = PICTURES[step.picture]
    with side:
        st.title(escape_markdown(step.title), anchor=False)
        st.markdown(step.text)
        try:
            value = _turn_knob(f"{name}.{step.id}", picture.knob(step.options))
        except BadInput as error:
            st.warning(widgets.as_sentence(escape_markdown(str(error))))
            return
        finding = st.empty()
        if step.question:
            st.markdown(f"**{step.question}**")
            with st.expander("Answer"):
                st.markdown(step.answer)
        if step.lab:
            _link_lab(step.lab)
    with picture_column:
        try:
            shown = picture.show(step.options, value)
        except (BadInput, KeyError) as error:
            words = f"option {error} is missing" if isinstance(error, KeyError) else str(error)
            shown = Shown()
            st.warning(widgets.as_sentence(escape_markdown(words)))
        if shown.basis:
            st.caption(shown.basis if shown.basis.endswith("`") else f"{shown.basis}.")
    if shown.finding:
        finding.info(escape_markdown(shown.finding))


def _turn_knob(key: str, knob: Knob | None) -> str:
    """Offer a picture's one control, with the value of the address; return its value."""
    if knob is None:
        return ""
    widget_key = f"learn.knob.{key}"
    asked = st.query_params.get("at", "")
    if widget_key not in st.session_state:
        st.session_state[widget_key] = asked if asked in knob.values else knob.first
    if st.session_state[widget_key] not in knob.values:
        st.session_state[widget_key] = knob.first

    def write_address() -> None:
        st.query_params["at"] = str(st.session_state[widget_key])

    values = list(knob.values)
    chosen: str | None
    if knob.slides:
        chosen = st.select_slider(knob.label, values, key=widget_key, on_change=write_address)
    else:
        chosen = st.radio(knob.label, values, key=widget_key, on_change=write_address)
    return str(chosen)


def _link_lab(lab: LabLink) -> None:
    """Link the lab at the view of the step, where it can be done on a run of one's own."""
    entry = next((each for each in nav.page_entries() if each.name == lab.page), None)
    if entry is None:
        st.caption(f"There is no page {lab.page}.")
        return
    st.page_link(
        entry.script_path,
        label="Do this on my own run",
        icon=":material/arrow_outward:",
        query_params=lab.query or None,
    )
