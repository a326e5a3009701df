"""A sentence says what the verdicts say, and no more."""

import numpy as np
import pandas as pd
import pytest
from support.runs import make_run

from peftcore.reports import sentences
from peftcore.reports.groups import ReportOptions, group_runs


def pair(first, second, **options):
    """Two runs with these chances of a right answer (s, i) each, as a group."""
    runs = [make_run(method) for method in ("lora", "spt")]
    for run, values in zip(runs, (first, second), strict=True):
        change(run, values)
    return group_runs(runs, ReportOptions(**options)).groups[0]


def change(run, right):
    """Let the answers of a run be right where it says so, (s, i), and its scores follow."""
    answers = run.answers()
    answers["correct"] = pd.array(np.asarray(right).ravel(), dtype="boolean")
    run.write_answers(answers)
    run.write_scores({"accuracy": np.asarray(right, float).mean(1)})


def constant(share):
    """The same share of 24 items right with each of 4 seeds."""
    return np.tile(np.arange(24) < share * 24, (4, 1))


def noisy(share, seed):
    return np.random.default_rng(seed).random((4, 24)) < share


def test_ahead_is_said_with_the_difference_and_its_interval():
    words = sentences.headline(pair(noisy(0.95, 0), noisy(0.2, 1)))
    assert words.startswith("Accuracy: LoRA, 0.")
    assert ", is ahead of the second, Scaled prompt tuning, by " in words
    assert " points (" in words
    assert "cannot tell" not in words


def test_where_the_data_cannot_tell_that_is_what_is_said():
    words = sentences.headline(pair(noisy(0.5, 0), noisy(0.5, 1)))
    assert "but these data cannot tell it from" in words
    assert "ahead" not in words


def test_equal_is_said_with_the_margin():
    words = sentences.headline(pair(constant(0.5), constant(0.5), margin=5))
    assert "are equal within 5 points: 0.0 points (0.0 to 0.0)" in words


def test_no_run_above_guessing_is_said():
    words = sentences.headline(pair(constant(1 / 4), constant(1 / 4)))
    assert words.endswith("No run is above guessing among 3 labels (0.333).")


def test_one_run_is_no_comparison():
    group = group_runs([make_run("lora")], ReportOptions()).groups[0]
    words = sentences.headline(group)
    assert words.startswith("Accuracy: LoRA has 0.")
    assert not {"highest", "ahead", "cannot"} & set(words.split())
    assert "Verdicts" not in sentences.basis(group)


def test_one_seed_has_a_reason_in_place_of_an_interval():
    group = group_runs([make_run("lora", population={"seeds": 1})], ReportOptions()).groups[0]
    assert "; one seed says nothing about others." in sentences.headline(group)
    assert "; 1 seed, 24 examples" in sentences.basis(group)


@pytest.mark.parametrize(
    ("population", "words"),
    [
        ("this task", "other seeds and other examples of the task; 4 seeds, 24 examples"),
        ("these examples", "other seeds on these very examples; 4 seeds, 24 examples"),
    ],
)
def test_the_basis_names_population_counts_margin_and_pairs(population, words):
    text = sentences.basis(pair(noisy(0.5, 0), noisy(0.5, 1), population=population, margin=3))
    assert f"Intervals of 95 % for {words}" in text
    assert "margin of equality 3 points, Holm's correction over 1 pair." in text


def test_of_many_runs_the_nearest_is_named():
    seeds = {"seeds": 12}
    runs = [make_run("lora", settings={"rank": n}, population=seeds) for n in range(1, 10)]
    for n, run in enumerate(runs):
        change(run, np.random.default_rng(n).random((12, 24)) < (0.95 if n == 0 else 0.3))
    words = sentences.headline(group_runs(runs, ReportOptions()).groups[0])
    assert "is ahead of the second, LoRA · rank" in words
    assert "It is ahead of 7 other runs, the nearest LoRA · rank" in words
    assert words.count("LoRA · rank") == 3
