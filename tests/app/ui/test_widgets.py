"""Words and tables that pages share."""

import pandas as pd
import pytest

from app.ui import widgets


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.4, "59 s"), (200, "3 min 20 s"), (600, "10 min"), (7500, "2 h 5 min")],
)
def test_durations_are_words(seconds, words):
    assert widgets.format_duration(seconds) == words


@pytest.mark.parametrize(("count", "words"), [(512, "512 B"), (1.5e6, "1.5 MB"), (2.5e9, "2.5 GB")])
def test_sizes_are_words(count, words):
    assert widgets.format_bytes(count) == words


def test_markdown_in_a_text_is_shown_as_typed():
    assert widgets.escape_markdown("[x](javascript:y) *b* <i>") == (
        r"\[x\]\(javascript\:y\) \*b\* \<i\>"
    )


def test_cells_that_start_like_formulas_are_quoted_and_numbers_survive():
    frame = pd.DataFrame({"text": ["=1+1", "@x", "-a", "fine"], "value": [-1.5, 2.0, 3.0, 4.0]})
    lines = widgets.csv_bytes(frame).decode().splitlines()
    assert lines == ["text,value", "'=1+1,-1.5", "'@x,2.0", "'-a,3.0", "fine,4.0"]


def test_quoting_leaves_the_table_itself_alone():
    frame = pd.DataFrame({"text": ["=1"]})
    widgets.spreadsheet_safe(frame)
    assert frame["text"][0] == "=1"


def test_every_state_of_a_run_has_words():
    from typing import get_args

    from peftcore.system.job_folder import PHASES, JobState

    assert set(widgets.STATES) == {*get_args(JobState), *PHASES}


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("this link is not valid", "This link is not valid."),
        ("no run 'ab'; did you mean cd?", "No run 'ab'; did you mean cd?"),
        ("tiny-t5 reads but cannot write", "tiny-t5 reads but cannot write."),
        ("'x' is no number", "'x' is no number."),
    ],
)
def test_an_error_reads_as_a_sentence_and_names_keep_their_case(message, shown):
    assert widgets.as_sentence(message) == shown
