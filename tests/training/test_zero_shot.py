"""The untouched base's own answers: read by likelihood, in the words that suit it best."""

import pytest
from support.bases import build_tiny

from peftcore import tasks
from peftcore.analysis.base_answers import reference_of
from peftcore.errors import BadInput
from peftcore.models.base_model import load
from peftcore.runs import zero_shot as stored
from peftcore.runs.spec import Evaluation
from peftcore.training import zero_shot
from peftcore.training.planning import build_spec


@pytest.fixture(scope="module")
def t5():
    return load("tiny-t5")


def test_a_base_judges_in_its_own_words_what_it_cannot_judge_in_others(t5):
    task = tasks.find_task("miniworld_nli")
    found = zero_shot.measure(t5, task, task.load("test")[:60])
    reference = reference_of(found, "accuracy")
    assert reference.words == {
        "entailment": "right",
        "neutral": "not told",
        "contradiction": "wrong",
    }
    assert reference.mean > 0.95
    assert reference.asked_mean < 0.6  # in words that it has to spell
    assert reference.low < reference.mean <= reference.high <= 1
    assert "right / not told / wrong" in reference.in_words(".2f")
    assert reference_of(found, "explanation_chrf") is None


def test_asked_in_given_words_they_are_what_runs_are_asked_in(t5):
    task = tasks.find_task("miniworld_nli")
    words = {"entailment": "right", "neutral": "not told", "contradiction": "wrong"}
    found = zero_shot.measure(t5, task, task.load("test")[:30], words)
    assert found.asked_words == found.mapped_words == words
    assert reference_of(found, "accuracy").own_words


def test_likelihoods_of_one_pass_are_those_of_words_one_by_one():
    base = build_tiny("gpt2", 0)
    rows = tasks.find_task("miniworld_nli").load("test")[:3]
    one = zero_shot._WordReader(base, lambda: False)
    words = [word for word in ("a", "b", "c") if len(one._pieces(word)) == 1]
    one.read(rows, words)
    for row in rows:
        for word in words:
            [alone] = zero_shot.text_likelihood.measure(
                one.adapted, [one._row(row, one._pieces(word))]
            ).sums[0]
            assert one.known[row.id, word] == pytest.approx(alone, abs=1e-4)


def test_it_is_measured_once_and_found_again_by_what_it_rests_on(home, t5, monkeypatch):
    task = tasks.find_task("miniworld_claims")
    spec = build_spec("tiny-t5", "miniworld_claims", "lora", None, None, None, {"limit": 9})
    found = zero_shot.measure_for_run(spec, t5, task)
    assert len(found.examples) == 9
    monkeypatch.setattr(zero_shot, "measure", None)
    assert zero_shot.measure_for_run(spec, t5, task) == found
    key = stored.key_of(t5.fingerprint, task.data_hash(), spec.evaluation, {})
    assert stored.find(key) == found
    other = stored.key_of(t5.fingerprint, task.data_hash(), Evaluation(limit=8), {})
    assert stored.find(other) is None


def test_an_encoder_and_a_task_without_labels_have_no_answer(home, tiny):
    bert, nli = tiny("bert"), tasks.find_task("miniworld_nli")
    with pytest.raises(BadInput, match="cannot write"):
        zero_shot.measure(bert, nli, nli.load("test")[:3])
    venues = tasks.find_task("miniworld_venues")
    with pytest.raises(BadInput, match="no fixed labels"):
        zero_shot.measure(tiny("t5"), venues, venues.load("test")[:3])
