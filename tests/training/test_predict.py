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


def test_a_typed_answer_keeps_to_its_limits(monkeypatch):
    from peftcore.models import decoding
    from peftcore.training.predict import AnswerLimits, answer_base_typed

    base, ticks = build_tiny("t5"), []
    whole = answer_base_typed(base, "hello", AnswerLimits(tick=lambda: ticks.append(1)), 4)
    assert (whole.text, whole.cut) == (answer_base(base, ["hello"], 4)[0], False)
    assert ticks
    cut = answer_base_typed(base, "hello", AnswerLimits(seconds=0), 40)
    assert cut.cut
    with pytest.raises(BadInput, match="up to 3 are answered here"):
        answer_base_typed(base, "one two three four five", AnswerLimits(tokens=3))

    def stop():
        raise InterruptedError

    with pytest.raises(InterruptedError):
        answer_base_typed(base, "hello", AnswerLimits(tick=stop))
    assert decoding.TimeWatch(0, lambda: None).ran_out is False


def test_a_text_of_a_megabyte_is_refused_before_it_is_read():
    from peftcore.training.predict import AnswerLimits, answer_base_typed, typed_example

    message = r"1,000,000 characters; at most 50,000 characters \(PEFTCORE_MAX_TEXT_CHARACTERS\)"
    with pytest.raises(BadInput, match=message):
        typed_example("a" * 1_000_000)
    with pytest.raises(BadInput, match=message):
        answer_base_typed(build_tiny("t5"), "a" * 1_000_000, AnswerLimits())
