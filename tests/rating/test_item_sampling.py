import subprocess
import sys
from collections import Counter
from dataclasses import asdict

import pytest

from peftcore.errors import BadInput
from peftcore.rating import item_sampling
from peftcore.rating.item_sampling import AnswerPool, RatedQuestion, RunAnswer
from peftcore.rating.settings import ProjectSettings

LABELS = ("no", "yes")


def pool(examples=24, runs=("r1", "r2"), right=lambda run, number: True, same=False):
    """Questions with labels in turn; every run answers each with two seeds."""
    questions = {
        f"e{n}": RatedQuestion(f"e{n}", LABELS[n % 2], f"gold {n}", (("text", f"q{n}"),), LABELS)
        for n in range(examples)
    }
    judgement = {
        run: {
            f"e{n}": [
                RunAnswer(
                    run,
                    f"method {run}",
                    seed,
                    LABELS[n % 2],
                    f"gold {n}" if same else f"{run} says {n} {seed}",
                    right(run, n),
                )
                for seed in (0, 1)
            ]
            for n in range(examples)
        }
        for run in runs
    }
    return AnswerPool(questions, judgement, LABELS)


def draw(of, **settings):
    items, facts = item_sampling.sample_items(of, ProjectSettings.make({"items": 6} | settings))
    return items, facts


def rated(items):
    return [item for item in items if item.kind == "rating"]


def test_every_method_gets_so_many_items_balanced_over_labels():
    items, _ = draw(pool(), gold=False)
    for run in ("r1", "r2"):
        mine = [i for i in rated(items) if i.origins[0].run == run]
        assert Counter(item.label for item in mine) == {"no": 3, "yes": 3}


def test_methods_are_asked_about_the_same_examples():
    items, _ = draw(pool(), gold=False)
    examples = [{i.example for i in rated(items) if i.origins[0].run == r} for r in ("r1", "r2")]
    assert examples[0] == examples[1]


def test_only_correct_answers_are_drawn_unless_all_are_wanted():
    odd = pool(right=lambda run, number: run == "r1" or number % 4 < 2)
    items, _ = draw(odd)
    assert all(int(item.example[1:]) % 4 < 2 for item in rated(items))
    items, _ = draw(odd, pool="all", items=24)
    assert {origin.correct for item in rated(items) for origin in item.origins} == {True, False}


def test_methods_may_have_examples_of_their_own():
    apart = pool(right=lambda run, number: (run == "r1") == (number < 12))
    with pytest.raises(BadInput, match="only 0 examples were correctly answered by every one"):
        draw(apart)
    items, _ = draw(apart, same_examples=False, gold=False)
    assert Counter(i.origins[0].run for i in rated(items)) == {"r1": 6, "r2": 6}


def test_gold_is_mixed_in_and_equal_texts_are_one_item_of_several():
    items, facts = draw(pool(same=True), training=0, checks=0)
    assert len(items) == 6
    assert {origin.method for origin in items[0].origins} == {"gold", "method r1", "method r2"}
    assert facts["merged"] == 12


def test_pairs_are_of_two_methods_and_two_equal_texts_are_counted_instead():
    items, facts = draw(pool(), mode="pairwise", gold=False)
    assert len(rated(items)) == 6
    assert {tuple(o.place for o in item.origins) for item in rated(items)} == {(0, 1)}
    assert {item.origins[0].run for item in rated(items)} == {"r1", "r2"}  # in either order
    with pytest.raises(BadInput, match="the same text everywhere"):
        draw(pool(same=True), mode="pairwise", gold=False)
    assert facts["equal_pairs"] == 0


@pytest.mark.parametrize("mode", ["single", "pairwise", "likert"])
def test_whoever_does_what_a_check_says_passes(mode):
    items, _ = draw(pool(), mode=mode, checks=5)
    checks = [item for item in items if item.kind == "check"]
    assert len(checks) == 5
    for item in checks:
        wanted = item.expected[0]
        assert f'choose "{wanted}"' in item.texts[0][1]
        judgement = {"verdict": wanted, "scales": {}}
        if mode == "likert":
            judgement["scales"] = dict.fromkeys(item_sampling.DIMENSIONS, int(wanted.split()[0]))
        assert item_sampling.is_accepted(item.expected, judgement, mode)


def test_training_shows_a_good_and_a_bad_explanation():
    items, _ = draw(pool(), training=2)
    good, bad = (item for item in items if item.kind == "training")
    assert good.texts[0][1] == f"gold {good.example[1:]}"
    assert bad.texts[0][1] != f"gold {bad.example[1:]}"
    assert item_sampling.is_accepted(good.expected, {"verdict": "weak yes"}, "single")
    assert not item_sampling.is_accepted(bad.expected, {"verdict": "weak yes"}, "single")


def test_the_right_side_of_a_training_pair_follows_the_flip():
    (item,) = (i for i in draw(pool(), mode="pairwise", training=1)[0] if i.kind == "training")
    assert item_sampling.is_accepted(item.expected, {"verdict": "left"}, "pairwise", flipped=False)
    assert item_sampling.is_accepted(item.expected, {"verdict": "right"}, "pairwise", flipped=True)


def test_one_run_has_nobody_to_be_paired_with_unless_gold_is_there():
    with pytest.raises(BadInput, match="a pair needs two runs"):
        draw(pool(runs=("r1",)), mode="pairwise", gold=False)
    assert rated(draw(pool(runs=("r1",)), mode="pairwise")[0])


@pytest.mark.parametrize(
    ("runs", "settings", "ways"),
    [
        (1, {}, "ask for fewer or take all answers"),
        (1, {"pool": "all"}, "ask for fewer"),
        (2, {"pool": "all"}, "ask for fewer or draw other examples for each method"),
        (2, {"pool": "all", "mode": "pairwise"}, "ask for fewer"),
    ],
)
def test_too_few_examples_are_refused_with_the_ways_that_are_left(runs, settings, ways):
    with pytest.raises(BadInput, match=f"500 were asked for: {ways}$"):
        draw(pool(runs=("r1", "r2")[:runs]), items=500, **settings)


def test_the_seed_decides_the_draw():
    first, again, other = (draw(pool(), seed=s)[0] for s in (1, 1, 2))
    assert first == again
    assert [i.example for i in first] != [i.example for i in other]


def test_the_draw_is_the_same_in_another_process_with_other_hashes(tmp_path):
    code = (
        "import sys; sys.path[:0] = ['tests/rating', '.']\n"
        "from test_item_sampling import draw, pool\n"
        "print([(i.kind, i.example, i.texts) for i in draw(pool(), seed=3)[0]])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={"PYTHONHASHSEED": "7"}
    )
    here = [(i.kind, i.example, i.texts) for i in draw(pool(), seed=3)[0]]
    assert done.stdout.strip() == str(here), done.stderr[-500:]


def test_no_item_shows_where_it_came_from():
    for item in draw(pool(), gold=True)[0]:
        shown = {n: v for n, v in asdict(item).items() if n in ("fields", "options", "texts")}
        assert "method" not in str(shown)


def test_a_question_is_read_from_a_row_of_answers():
    row = {
        "example": "x/1",
        "label": "sun",
        "source": "explain where is it warm? \\n (A) the moon (B) sun",
        "target": "sun because it burns",
        "references": [],
    }
    asked = item_sampling.question_from_row(row, (), ())
    assert (asked.options, asked.gold) == (("the moon", "sun"), "it burns")
    row["source"] = "explain nli hypothesis: it is dry premise: it rains"
    asked = item_sampling.question_from_row(row, ("it rains", "it is dry"), ("yes", "no"))
    assert asked.fields == (("premise", "it rains"), ("hypothesis", "it is dry"))
