"""Why this answer: the view of the Attention page that looks beyond attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app.figures import exchanged_heads
from app.figures import why_answer as figures
from app.labs.attention import why_findings as findings
from app.labs.attention.selected_head import SelectedHead
from app.labs.attention.selection import LAB, AttentionComparison
from app.state import cache
from app.ui.charts import picture
from app.ui.frame import Frame
from app.ui.subject import Choice
from peftcore.data.task import Example
from peftcore.runs.store import Run

if TYPE_CHECKING:
    from peftcore.labs.attention.attribution import Attribution, Way
    from peftcore.labs.attention.head_patching import Direction, HeadPatching
    from peftcore.labs.attention.why_answer import LeftOut, Lens, Patching

WAYS: dict[Way, str] = {"gradient": "Gradient × input", "integrated": "Integrated"}
DIRECTIONS: dict[Direction, str] = {"given": "The model before", "taken": "The adapted model"}
LONG = 5.0  # seconds from which on a measurement is asked for
WHOLE = "The whole answer"
READING = {
    "Layer by layer": "A cell is the probability of a token of the target if the model stopped at "
    "that layer: its state is read by the model's own last norm and head (logit lens). Where "
    "there is room, words say what that layer finds likeliest. The top row is the answer itself.",
    "Exchanged layers": "Each mark is one pass in which the output of one layer, the state of "
    "every token, is taken from the other model. A circle writes the adapted model's word, a cross "
    "another. Above the line at zero the word is likelier than all others together.",
    "Left-out tokens": "A bar is the log-likelihood of the answer less that without this token of "
    "the text: above zero the token speaks for the answer. Tokens act together, so the bars need "
    "not sum to what all of them add at once.",
    "Gradients": "Gradient × input: how fast the log-likelihood of the answer grows with a token's "
    "vector; it sees the slope at this text alone. Integrated gradients (arXiv:1703.01365) "
    "add slopes up on the way from an empty text, every token the padding's, to this one. "
    "Compare both with the tokens left out: where they disagree, none is the whole story.",
    "Exchanged heads": "A cell is one pass in which what one head adds is taken from the other "
    "model: blue makes the adapted model's word likelier, orange less likely; a cross marks that "
    "another word is written. Heads act together, so all of them at once may do what none does.",
    "Similarity": "How alike the states of the same tokens are in both models. Cosine compares "
    "token by token; linear CKA (arXiv:1905.00414) the geometry of all tokens, and is near 1 for "
    "few tokens in a wide model whatever they are.",
}


@st.cache_data(max_entries=24, show_spinner="Reading every layer…", hash_funcs=cache.BY_ADAPTER)
def _lens(after: Run | None, before: Run | None, base: str, example: Example, seed: int) -> Lens:
    """Read the target off every layer."""
    from peftcore.labs.attention import why_answer

    pair = cache.adapted_or_untouched(before, base), cache.adapted_or_untouched(after, base)
    return why_answer.read_lens(*pair, example, seed)


@st.cache_data(
    max_entries=24, show_spinner="Exchanging layers…", show_time=True, hash_funcs=cache.BY_ADAPTER
)
def _patching(
    after: Run | None, before: Run | None, base: str, example: Example, seed: int
) -> Patching:
    """Exchange layers."""
    from peftcore.labs.attention import why_answer

    pair = cache.adapted_or_untouched(before, base), cache.adapted_or_untouched(after, base)
    return why_answer.patch_layers(*pair, example, seed)


@st.cache_data(
    max_entries=24, show_spinner="Leaving out tokens…", show_time=True, hash_funcs=cache.BY_ADAPTER
)
def _left_out(
    after: Run | None, before: Run | None, base: str, example: Example, seed: int
) -> LeftOut:
    """Leave out tokens."""
    from peftcore.labs.attention import why_answer

    pair = cache.adapted_or_untouched(before, base), cache.adapted_or_untouched(after, base)
    return why_answer.leave_out(*pair, example, seed)


@st.cache_data(
    max_entries=24, show_spinner="Taking gradients…", show_time=True, hash_funcs=cache.BY_ADAPTER
)
def _attribution(asked: Asked, way: Way, column: int | None) -> Attribution:
    """Take gradients of the answer."""
    from peftcore.labs.attention import attribution

    after, before, base, example, seed = asked
    pair = cache.adapted_or_untouched(before, base), cache.adapted_or_untouched(after, base)
    return attribution.attribute(pair, example, seed, way, column)


@st.cache_data(max_entries=24, show_spinner="Timing one pass…", hash_funcs=cache.BY_ADAPTER)
def _integration_seconds(asked: Asked) -> float:
    """Return about how long integrated gradients will take."""
    from peftcore.labs.attention import attribution

    after, before, base, example, seed = asked
    pair = cache.adapted_or_untouched(before, base), cache.adapted_or_untouched(after, base)
    return attribution.expected_seconds(pair, example, seed)


@st.cache_data(max_entries=24, show_spinner="Timing one pass…", hash_funcs=cache.BY_ADAPTER)
def _head_seconds(asked: Asked, direction: Direction) -> float:
    """Return about how long the exchange of all heads will take."""
    from peftcore.labs.attention import head_patching

    after, before, base, example, seed = asked
    pair = cache.adapted_or_untouched(before, base), cache.adapted_or_untouched(after, base)
    return head_patching.expected_seconds(pair, example, seed, direction)


@st.cache_data(
    max_entries=24, show_spinner="Exchanging heads…", show_time=True, hash_funcs=cache.BY_ADAPTER
)
def _heads(asked: Asked, direction: Direction) -> HeadPatching:
    """Exchange heads."""
    from peftcore.labs.attention import head_patching

    after, before, base, example, seed = asked
    pair = cache.adapted_or_untouched(before, base), cache.adapted_or_untouched(after, base)
    return head_patching.patch_heads(pair, example, seed, direction)


Asked = tuple[Run | None, Run | None, str, Example, int]


def _asked(comparison: AttentionComparison) -> Asked:
    """Return what is measured: the model, what it is compared with, the text and the seed."""
    before = comparison.before.run if comparison.before else None
    seed = min(comparison.seed, comparison.after.seeds - 1)
    return comparison.after.run, before, comparison.after.base, comparison.example, seed


def show_why(frame: Frame, selected: SelectedHead) -> None:
    """One of several measurements of the same text and answer, both models side by side."""
    comparison = selected.comparison
    if comparison.kind == "encoder":
        with frame.picture:
            st.info(
                "This base reads but does not write: its answer is read off a trained head, so "
                "there is no next word to follow through its layers."
            )
        return
    with frame.side:
        shown = Choice(LAB, "why", "Shown", list(SHOWN)).as_list(label_visibility="collapsed")
    frame.explain(READING[shown])
    SHOWN[shown](frame, selected)


def _show_lens(frame: Frame, selected: SelectedHead) -> None:
    """Both models' readings of every layer."""
    lens = _lens(*_asked(selected.comparison))
    frame.say(*findings.lens_finding(lens))
    with frame.picture:
        picture(
            figures.lens_panels(lens),
            key="attention.why.lens",
            name="logit-lens",
            alt=figures.lens_alt(lens),
            table=lambda: figures.lens_table(lens),
        ).caption(findings.quiet_line(selected, "lens"))


def _show_patching(frame: Frame, selected: SelectedHead) -> None:
    """One layer's output exchanged at a time."""
    found = _patching(*_asked(selected.comparison))
    frame.say(*findings.patch_finding(found))
    with frame.picture:
        picture(
            figures.patch_lines(found),
            key="attention.why.patch",
            name="patching",
            alt=figures.patch_alt(found),
            table=lambda: figures.patch_table(found),
        ).caption(findings.quiet_line(selected, "patch"))


def _show_left_out(frame: Frame, selected: SelectedHead) -> None:
    """What each token of the text adds to the answer, or to one of its tokens."""
    found = _left_out(*_asked(selected.comparison))
    with frame.side:
        tokens = [f"{number + 1}: {word}" for number, word in enumerate(found.targets)]
        chosen = Choice(LAB, "word", "For", [WHOLE, *tokens]).as_list()
    column = None if chosen == WHOLE else tokens.index(chosen)
    frame.say(*findings.left_out_finding(found, column))
    with frame.picture:
        picture(
            figures.token_bars(found, column, "leave-out"),
            key="attention.why.left",
            name="left-out",
            alt=figures.token_alt(found, column),
            table=lambda: figures.left_out_table(found),
        ).caption(findings.quiet_line(selected, "leave-out"))


def _show_gradients(frame: Frame, selected: SelectedHead) -> None:
    """The share of each token of the text by gradients, in the answer or one of its tokens."""
    with frame.side:
        way: Way = Choice(LAB, "way", "Way", list(WAYS), option_text=WAYS.__getitem__).as_buttons(
            label_visibility="collapsed"
        )
    asked = _asked(selected.comparison)
    targets = _attribution(asked, "gradient", None).targets
    with frame.side:
        tokens = [f"{number + 1}: {word}" for number, word in enumerate(targets)]
        chosen = Choice(LAB, "word", "For", [WHOLE, *tokens]).as_list()
    column = None if chosen == WHOLE else tokens.index(chosen)
    if way == "integrated":
        seconds = _integration_seconds(asked)
        words = f"Gradients are taken all along the way: {seconds:.0f} s or more."
        if not _is_wanted(frame, (asked, column), seconds, words):
            return
    found = _attribution(asked, way, None if way == "gradient" else column)
    frame.say(*findings.gradient_finding(found, column))
    word = f" --word {column + 1}" if column is not None and way != "gradient" else ""
    with frame.picture:
        picture(
            figures.token_bars(found, column, way),
            key="attention.why.gradients",
            name=f"attribution-{way}",
            alt=figures.token_alt(found, column),
            table=lambda: figures.gradient_table(found, column),
        ).caption(findings.quiet_line(selected, f"{way}{word}"))


def _is_wanted(frame: Frame, what: object, seconds: float, words: str) -> bool:
    """Return whether to measure: at once where it is quick, else once a button was pressed."""
    wanted: set[str] = st.session_state.setdefault("attention.why.wanted", set())
    if seconds <= LONG or str(what) in wanted:
        return True
    frame.say("Nothing is measured yet.")
    with frame.picture:
        st.caption(words)
        pressed = st.button("Measure", type="primary", icon=":material/play_arrow:")
    if pressed:
        wanted.add(str(what))
    return pressed


def _show_heads(frame: Frame, selected: SelectedHead) -> None:
    """One head's output exchanged at a time; asked for where that takes long."""
    with frame.side:
        direction: Direction = Choice(
            LAB, "into", "Put into", list(DIRECTIONS), option_text=DIRECTIONS.__getitem__
        ).as_buttons()
    asked = _asked(selected.comparison)
    seconds = _head_seconds(asked, direction)
    words = f"Every head takes a pass of its own: about {seconds:.0f} s together."
    if not _is_wanted(frame, (asked, direction), seconds, words):
        return
    found = _heads(asked, direction)
    frame.say(*findings.head_finding(found))
    into = "before" if direction == "given" else "after"
    with frame.picture:
        picture(
            exchanged_heads.head_changes(found),
            key="attention.why.heads",
            name="exchanged-heads",
            alt=exchanged_heads.head_changes_alt(found),
            table=lambda: exchanged_heads.head_changes_table(found),
        ).caption(findings.quiet_line(selected, f"heads --into {into}"))


def _show_similarity(frame: Frame, selected: SelectedHead) -> None:
    """How alike the states of both models are."""
    lens = _lens(*_asked(selected.comparison))
    frame.say(*findings.similarity_finding(lens))
    columns = ["stack", "layer", "cosine", "cka"]
    with frame.picture:
        picture(
            figures.similarity_lines(lens),
            key="attention.why.similarity",
            name="similarity",
            alt=figures.similarity_alt(lens),
            table=lambda: pd.DataFrame(lens.similarity, columns=columns),
        ).caption(findings.quiet_line(selected, "lens"))


SHOWN: dict[str, Callable[[Frame, SelectedHead], None]] = {
    "Layer by layer": _show_lens,
    "Exchanged layers": _show_patching,
    "Exchanged heads": _show_heads,
    "Left-out tokens": _show_left_out,
    "Gradients": _show_gradients,
    "Similarity": _show_similarity,
}
