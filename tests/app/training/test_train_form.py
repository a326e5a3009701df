"""The Train form: its address holds all of it, a run or a paper can be its beginning."""

from collections import Counter

import pytest
from support.pages import open_page, sound, words
from support.runs import make_run

from app.state import cache
from app.training import available_data, train_address
from peftcore.data.task import Example
from peftcore.training import presets


def address(page):
    return {name.replace(".", "__"): value for name, value in page.query_params.items()}


def test_what_was_chosen_stands_in_the_address_and_survives_a_refresh():
    page = open_page("train")
    page.selectbox(key="train.base").set_value("tiny-t5").run()
    page.pills(key="train.methods").set_value(["lora", "spt"]).run()
    page.number_input(key="train.steps").set_value(30)
    page.number_input(key="train.seeds").set_value(2)
    page.number_input(key="train.evaluation.limit").set_value(50)
    page.number_input(key="train.lora.rank").set_value(4)
    page.number_input(key="train.lora.learning_rate").set_value(0.02)
    sound(page.run())
    again = open_page("train", **address(page))
    assert again.selectbox(key="train.base").value == "tiny-t5"
    assert again.pills(key="train.methods").value == ["lora", "spt"]
    assert again.number_input(key="train.steps").value == 30
    assert again.number_input(key="train.evaluation.limit").value == 50
    assert again.number_input(key="train.lora.rank").value == 4
    assert again.code[-1].value == page.code[-1].value
    assert sound(again)


def test_a_run_is_trained_again_with_what_differs_marked():
    run = make_run(
        "lora", settings={"rank": 4}, training={"steps": 60, "shots": 12, "learning_rate": 0.01}
    )
    page = open_page("train", **{"from": run.id})
    assert page.pills(key="train.methods").value == ["lora"]
    assert page.number_input(key="train.steps").value == 60
    assert page.number_input(key="train.lora.rank").value == 4
    assert "Changed in LoRA: nothing." in words(page)
    page.number_input(key="train.steps").set_value(80).run()
    assert "Changed in LoRA: Steps 60 → 80." in words(page)
    assert page.query_params["training.steps"] == "80"
    assert page.query_params["from"] == run.id
    again = open_page("train", **address(page))
    assert "Changed in LoRA: Steps 60 → 80." in words(again)
    sound(page.button(key="train.plain").click().run())
    assert "Changed in" not in words(page)


def test_a_paper_is_a_beginning():
    page = open_page("train", protocol="spt")
    assert page.pills(key="train.methods").value == ["prompt_tuning", "spt"]
    assert page.number_input(key="train.spt.length").value == 50
    assert "arXiv:2309.06759" in words(page)
    assert sound(page)


def test_an_address_that_does_not_fit_is_named_and_left_out():
    page = open_page("train", training__steps="many", protocol="none")
    assert "steps" in words(page)
    assert "no protocol 'none'" in words(page).lower()
    usual = presets.presets_for(0)[presets.USUAL].values
    assert page.number_input(key="train.steps").value == usual["steps"]
    assert sound(page)


def test_a_spec_from_a_file_fills_in_the_form(monkeypatch):
    run = make_run("lora", settings={"rank": 4}, training={"steps": 60})
    written = {}
    monkeypatch.setattr(train_address.st, "query_params", type("Q", (), {
        "from_dict": staticmethod(written.update)})())  # fmt: skip
    train_address.begin_with_spec(run.spec)
    assert written["train.methods"] == "lora"
    assert written["lora.rank"] == "4"
    assert written["training.steps"] == "60"
    assert "training.batch" not in written  # as nobody set it


def test_labels_are_words_and_parts_that_a_base_lacks_are_not_offered():
    page = open_page("train", train__base="tiny-bert", train__methods="prefix_tuning,lora")
    labels = {each.label for each in (*page.number_input, *page.selectbox, *page.text_input)}
    assert {"Training examples", "Validation examples", "Gradient clipping"} <= labels
    assert not labels & {"Dev", "Clip", "Limit", "Warmup", "Shots"}
    options = {option for each in page.multiselect for option in each.options}
    assert not any("cross" in option or "decoder" in option for option in options)
    assert "Attention with a prefix" not in [each.label for each in page.button_group]
    plain = open_page("train", train__base="tiny-t5", train__methods="prefix_tuning")
    assert "Attention with a prefix" in [each.label for each in plain.button_group]


def test_a_small_table_gives_what_it_has_and_says_so_once(monkeypatch):
    known = cache.split_examples

    def few(task, split):
        examples = known(task, split).examples
        return cache.SplitExamples(examples[:27] if split == "validation" else examples)

    monkeypatch.setattr(cache, "split_examples", few)
    page = open_page("train", train__base="tiny-t5")
    assert page.number_input(key="train.training.dev").value == 27
    assert words(page).count("27 are taken instead of 48") == 1


@pytest.mark.parametrize("limit", [200, 4])
def test_the_commonest_label_is_what_has_to_be_beaten(monkeypatch, limit):
    from peftcore import tasks
    from peftcore.runs.spec import Evaluation

    task = tasks.find_task("miniworld_nli")
    labels = [task.labels[0]] * 7 + [task.labels[1]] * 3
    rows = tuple(Example(str(n), "x", label, label=label) for n, label in enumerate(labels))
    monkeypatch.setattr(cache, "split_examples", lambda *_: cache.SplitExamples(rows))
    text = available_data.majority_text(task, Evaluation(limit=limit))
    share = {200: "70 %", 4: "50 %"}[limit]  # what is answered is drawn balanced
    assert f"“{task.labels[0]}” is right in {share} of the {min(limit, 10)} test" in text
    assert Counter(labels).most_common(1)[0][0] == task.labels[0]


def test_a_short_run_is_looked_at_often_enough_for_a_curve():
    page = open_page("train", train__base="tiny-t5", training__steps="32")
    assert page.number_input(key="train.training.evaluate_every").value == 4
