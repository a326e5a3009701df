"""Typed texts answered."""

import pytest
from support.bases import build_tiny

from peftcore.errors import BadInput
from peftcore.training.predict import answer_base


def test_typed_text_is_answered_by_the_untouched_base_or_refused():
    assert isinstance(answer_base(build_tiny("t5"), ["hello"], 4)[0], str)
    with pytest.raises(BadInput, match="cannot write"):
        answer_base(build_tiny("bert"), ["hello"])
    with pytest.raises(BadInput, match="type a text first"):
        answer_base(build_tiny("t5"), [" "])
