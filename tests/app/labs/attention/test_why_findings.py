"""Why this answer, in sentences worked out from numbers by hand."""

from types import SimpleNamespace

import numpy as np

from app.labs.attention import why_findings
from peftcore.labs.attention.attribution import Attribution
from peftcore.labs.attention.head_patching import HeadPatching
from peftcore.labs.attention.why_answer import LeftOut, Patching


def patching(word="yes", other="no", given=("no", "yes", "yes"), gap=0.0):
    return Patching(
        (("decoder", 0), ("decoder", 1)), ("yes",), 0, word, other, -2.0, 3.0,
        np.array([-1.5, 2.0, 3.0]), np.zeros(3), given, ("", "", ""), gap,
    )  # fmt: skip


def test_the_first_layer_that_turns_the_answer_is_named():
    words, guard = why_findings.patch_finding(patching())
    assert words.endswith("1 of 2 layers turn it, the first decoder 2.")
    assert guard.startswith(":green[")
    assert "give the adapted model" in guard


def test_any_layer_or_none_may_turn_it():
    every, _ = why_findings.patch_finding(patching(given=("yes", "yes", "yes")))
    none, _ = why_findings.patch_finding(patching(given=("no", "no", "yes")))
    assert every.endswith("the output of any layer turns it.")
    assert none.endswith("no single layer's output turns it.")


def test_where_both_write_the_same_the_layer_that_moves_most_is_named():
    words, _ = why_findings.patch_finding(patching(other="yes"))
    assert words == (
        "Both models write “yes”; the output of decoder 2 moves its log-odds most, from -2.0 to "
        "2.0."
    )


def test_what_layers_do_not_explain_is_said():
    _, guard = why_findings.patch_finding(patching(gap=0.5))
    assert "leave 0\\.5 of the logits" in guard
    assert not guard.startswith(":green[")


def test_tokens_are_summed_over_the_answer_or_taken_for_one_word():
    added = np.array([[1.0, 0.5], [-2.0, 0.25]])  # token × word of the answer
    sides = {"after": added, "before": -added}
    together = {"after": np.array([-1.0, 1.0]), "before": np.array([0.0, 0.0])}
    found = LeftOut(("the", "cat"), ("yes", "it"), together, sides, together)
    whole, guard = why_findings.left_out_finding(found, None)
    assert whole.startswith("For the answer, “cat” counts most after training (-1.75);")
    assert "one by one, \\+0\\.00 together" in guard
    one, _ = why_findings.left_out_finding(found, 1)
    assert one.startswith("For “it”, “the” counts most after training (+0.50);")


def test_the_layer_where_states_part_is_named():
    rows = [("decoder", 0, 1.0, 1.0), ("decoder", 1, 0.9, 0.8), ("decoder", 2, 0.5, 0.25)]
    words, guard = why_findings.similarity_finding(SimpleNamespace(similarity=rows))
    assert words == (
        "States are least alike at decoder 2, with a cosine of 0.50; they part at decoder 1."
    )
    assert "linear CKA there 0\\.25" in guard
    same, _ = why_findings.similarity_finding(SimpleNamespace(similarity=rows[:1]))
    assert same.endswith("they are the same throughout.")


def test_the_head_that_moves_most_and_what_all_heads_do():
    odds, words = {"decoder": np.array([[-2.0, 1.0]])}, {"decoder": (("no", "yes"),)}
    found = HeadPatching("given", 0, "yes", "no", -2.0, 3.0, odds, words, 2.5, 0.5)
    sentence, guard = why_findings.head_finding(found)
    assert sentence == (
        "Decoder layer 1, head 2 moves the log-odds of “yes” most, by +3.00 of +5.00 between the "
        "models; 1 of 2 heads turn it."
    )
    assert "all heads exchanged reach \\+4\\.50" in guard


def test_gradients_stand_beside_what_they_must_sum_to():
    added = {side: np.array([[1.0], [-3.0]]) for side in ("after", "before")}
    sums = {"after": np.array([-2.0]), "before": np.array([-2.25])}
    found = Attribution("integrated", ("the", "cat"), ("yes",), added, sums)
    sentence, guard = why_findings.gradient_finding(found, None)
    assert sentence.startswith("For the answer, “cat” counts most after training (-3.00);")
    assert "before \\-2\\.00, measured \\-2\\.25" in guard
