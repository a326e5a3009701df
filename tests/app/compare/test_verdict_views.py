"""The answer of Compare: which run, by how much, how sure."""

import pytest
from support.pages import charts, open_page, words
from support.runs import make_run, make_runs

from peftcore import tasks
from peftcore.runs import zero_shot
from peftcore.runs.zero_shot import ZeroShot


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        ([0.52, 0.58, 0.69, 0.81], "ahead of the second, **Scaled prompt tuning**, by 10.0 points"),
        ([0.9, 0.4, 1.0, 0.6], "cannot tell it from **Scaled prompt tuning**: +2.5 points ("),
        (
            [0.603, 0.704, 0.799, 0.901],
            "0.752, and **LoRA** are equal within",
        ),
    ],
)
def test_the_verdict_comes_with_its_interval(second, sentence):
    make_run("lora").write_scores({"accuracy": [0.6, 0.7, 0.8, 0.9]})
    make_run("spt").write_scores({"accuracy": second})
    shown = words(open_page("compare"))
    assert sentence in shown
    assert "split test, seeds 0 to 3" in shown
    assert "Accuracy has no parts by test example here" in shown  # answers give other scores


def test_runs_that_are_no_better_than_guessing_are_called_so():
    make_run("lora").write_scores({"accuracy": [0.2, 0.3, 0.3, 0.2]})
    make_run("spt").write_scores({"accuracy": [0.3, 0.2, 0.2, 0.3]})
    shown = words(open_page("compare"))
    assert "ahead" not in shown
    assert "No run is above guessing among 3 labels (0.333)" in shown


def test_overlap_of_training_samples_is_shown_where_it_is_much():
    rows = len(tasks.find_task("miniworld_nli").load("train"))
    make_run("lora", training={"shots": rows // 2})
    assert "Two seeds share 50 % of their training examples" in words(open_page("compare"))
    make_run("lora", training={"shots": 48, "steps": 300})
    assert "Two seeds share" not in words(open_page("compare"))


def test_the_untouched_base_stands_beside_the_runs():
    run = make_run("lora")
    make_run("spt")
    assert f"zero-shot {run.id}" in words(open_page("compare"))
    rows = tasks.find_task("miniworld_nli").load("test")[:24]
    labels = [row.label for row in rows]
    wrong = ["neutral" if label == "entailment" else label for label in labels]
    own, best = (dict.fromkeys(labels, word) for word in ("spelt", "known"))
    zero_shot.write(
        zero_shot.key_of_run(run),
        ZeroShot("tiny-t5", "miniworld_nli", own, best, 3, 48, [row.id for row in rows], labels,
                 wrong, labels),
    )  # fmt: skip
    page = open_page("compare")
    assert "Without any training tiny-t5 scores 1.000 (0.862 to 1.000)" in words(page)
    assert "among the words of these runs, 0.667" in words(page)
    assert "No run scores more than tiny-t5 without an adapter does" in words(page)
    shapes = charts(page)[0]["layout"]["shapes"]
    assert {shape["type"] for shape in shapes} == {"line", "rect"}


def test_a_run_above_guessing_is_not_said_to_guess():
    make_run("lora").write_scores({"accuracy": [0.6, 0.7, 0.8, 0.9]})
    assert "No run is above" not in words(open_page("compare"))


def test_a_lead_on_one_seed_says_that_it_says_nothing_about_others():
    make_run("lora", population={"seeds": 1}), make_run("spt", population={"seeds": 1})
    assert "one seed says nothing about others" in words(open_page("compare"))


def test_two_runs_need_no_matrix():
    make_runs(methods=("lora", "spt"))
    assert len(charts(open_page("compare"))) == 1


def test_one_run_has_no_pairs():
    make_run("lora")
    assert "Choose a second run" in words(open_page("compare", "Against one"))
    assert "Choose a second run" in words(open_page("compare", "Flips"))


def test_a_setting_gives_the_dot_plot_a_panel_for_each_of_its_values():
    methods, counts = ("lora", "spt"), (200, 300)
    runs = [make_run(m, training={"steps": steps}) for m in methods for steps in counts]
    address = ",".join(run.id for run in runs)
    page = open_page("compare", runs=address, compare__facet="training.steps")
    panels = [c["layout"] for c in charts(page) if "Steps" in str(c["layout"].get("title"))]
    assert len(panels) == 2
    assert panels[0]["xaxis"]["range"] == panels[1]["xaxis"]["range"]
