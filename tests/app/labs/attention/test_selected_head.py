"""Both sides of one head, in numbers."""

import numpy as np
import pytest

from app.labs.attention.selected_head import SelectedHead
from peftcore.analysis import attention as a

WORDS = tuple(a.AttentionToken(word) for word in ("the", "cat"))


def pattern(weights):
    return a.AttentionPattern("cross", ("s",), WORDS, WORDS, np.array(weights, np.float32))


AFTER = pattern([[[[1, 0], [0, 1]], [[0.5, 0.5], [0.5, 0.5]]]])
BEFORE = pattern([[[[0, 1], [0, 1]], [[0.5, 0.5], [0.5, 0.5]]]])


def test_change_is_counted_for_every_head():
    selected = SelectedHead(None, AFTER, BEFORE, 0, 1, 3)
    assert selected.variation == pytest.approx(np.array([[0.5, 0.0]]))  # one of two rows moved
    assert selected.measured["entropy"] == pytest.approx(np.array([[0.0, 1.0]]))
    assert selected.measured_before["entropy"] == pytest.approx(np.array([[0.0, 1.0]]))


def test_one_side_alone_has_no_change():
    selected = SelectedHead(None, AFTER, None, 0, 1, 3)
    assert selected.variation is None
    assert selected.measured_before is None


def test_people_count_from_one():
    selected = SelectedHead(None, AFTER, None, 0, 1, 3)
    assert selected.position_text == "layer 1, head 2"
    assert selected.file_stem == "attention-cross-layer1-head2"
