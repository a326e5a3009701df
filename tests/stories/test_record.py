"""What stories draw is recorded again the same, with few digits."""

import json

import numpy as np
import pytest
from support.commands import call, printed

from peftcore.errors import BadInput
from peftcore.stories import record, recordings


def test_the_toy_recording_is_made_again_byte_for_byte(tmp_path):
    printed("ship", "stories", "--only", recordings.TOY, "--out", str(tmp_path))
    shipped = recordings.stories_folder() / f"{recordings.TOY}.json"
    assert (tmp_path / shipped.name).read_bytes() == shipped.read_bytes()


def test_what_is_not_recorded_or_not_known_is_said(tmp_path):
    with pytest.raises(BadInput, match="ship stories"):
        recordings.read(recordings.HEAD, tmp_path)
    assert call("ship", "stories", "--only", "nothing").exit_code == 2


def test_numbers_are_stored_to_their_digits():
    value = record._rounded({"a": np.array([1 / 3]), "b": [2, "x", None]})
    assert json.dumps(value) == '{"a": [0.33333333], "b": [2, "x", null]}'
