"""e-SNLI keeps the published template, and scores labels and explanations."""

from collections import Counter

import pytest

from peftcore.data.task import Answer
from peftcore.errors import BadInput
from peftcore.tasks.esnli import ESNLI


def row(label=0, *explanations):
    texts = [*explanations, "", "", ""][:3]
    named = {f"explanation_{number}": text for number, text in enumerate(texts, 1)}
    return {"premise": "A dog runs.", "hypothesis": "An animal moves. ", "label": label, **named}


def test_the_template_puts_the_hypothesis_first(invented):
    invented("esnli", train=[row(0, "A dog  is\nan Animal.", "Running is moving.")])
    (example,) = ESNLI().load("train")
    assert example.source == "explain nli hypothesis: An animal moves. premise: A dog runs."
    assert example.target == "entailment because a dog is an animal."
    assert example.references == ("A dog is an Animal.", "Running is moving.")
    assert example.parts == ("A dog runs.", "An animal moves.")


def test_labels_go_by_the_numbers_of_the_hub(invented):
    invented("esnli", test=[row(number, "Why.") for number in (0, 1, 2)])
    assert [one.label for one in ESNLI().load("test")] == ["entailment", "neutral", "contradiction"]


def test_the_target_reads_back_and_scores_in_full(invented):
    invented("esnli", test=[row(2, "Because because is no cause.")])
    task, (example,) = ESNLI(), ESNLI().load("test")
    scores = task.score([task.parse(example.target)], [example])
    assert (scores["accuracy"], scores["broken"]) == (1, 0)
    assert scores["normalised_chrf"] == pytest.approx(100)


def test_rows_without_explanation_are_left_out_and_ids_keep_their_place(invented):
    invented("esnli", train=[row(0, ""), row(1, "", "Second only.")])
    (example,) = ESNLI().load("train")
    assert (example.id, example.target) == ("train-1", "neutral because second only.")


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_out_of_range_is_refused(invented, label):
    invented("esnli", train=[row(label, "Why.")])
    with pytest.raises(BadInput, match=f"esnli train-0: label must be 0, 1 or 2; got {label}"):
        ESNLI().load("train")


def test_a_label_that_is_no_number_is_a_bad_line(invented):
    invented("esnli", train=[row("entailment", "Why.")])
    with pytest.raises(BadInput, match="line 1: field 'label' must be a whole number"):
        ESNLI().load("train")


def test_real_rows(real):
    real("esnli")
    task = ESNLI()
    for seed in range(3):
        episode = task.few_shot(48, seed, 48)
        assert set(Counter(one.label for one in episode.train).values()) == {16}
    test = task.load("test")
    assert all(one.references and one.target == one.target.lower() for one in test)
    assert task.score([Answer("", None)] * len(test), test)["broken"] == 1
    some = test[:30]
    scores = task.score([task.parse(one.target) for one in some], some)
    assert (scores["accuracy"], scores["broken"]) == (1, 0)
    assert scores["ratio_chrf"] > 99


def test_episodes_have_the_sizes_of_the_benchmark(real):
    real("esnli")
    episode = ESNLI().episode(59)
    assert Counter(one.label for one in episode.train) == dict.fromkeys(ESNLI.labels, 16)
    assert Counter(one.label for one in episode.dev) == dict.fromkeys(ESNLI.labels, 116)
