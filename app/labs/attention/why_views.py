"""Why this answer: the view of the Attention page that looks beyond attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

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
    from peftcore.labs.attention.why_answer import LeftOut, Lens, Patching

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


Asked = tuple[Run | None, Run | None, str, Example, int]


def _asked(comparison: AttentionComparison) -> Asked:
    """Return what is measured: the model, what it is compared with, the text and the seed."""
    before = comparison.before.run if comparison.before else None
    seed = min(comparison.seed, comparison.after.seeds - 1)
    return comparison.after.run, before, comparison.after.base, comparison.example, seed


def show_why(frame: Frame, selected: SelectedHead) -> None:
    """One of four measurements of the same text and answer, both models side by side."""
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
            figures.left_out_bars(found, column),
            key="attention.why.left",
            name="left-out",
            alt=figures.left_out_alt(found, column),
            table=lambda: figures.left_out_table(found),
        ).caption(findings.quiet_line(selected, "leave-out"))


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
    "Left-out tokens": _show_left_out,
    "Similarity": _show_similarity,
}
