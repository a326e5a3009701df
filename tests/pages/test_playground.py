"""The Playground, run in full without a browser; answers are stood in for."""

from html import escape

import pytest
from support.pages import html, open_page, words
from support.runs import make_run, make_runs

from app.state import cache
from peftcore.errors import BadInput
from peftcore.models import catalog
from peftcore.training.predict import TypedAnswer


@pytest.fixture(autouse=True)
def asked(monkeypatch, no_demo_runs):
    """Answers that say what was asked; the list of all questions."""
    questions = []

    def answer(run, text, seed=0, tick=None):
        questions.append((run.id, text, seed))
        return TypedAnswer(f"<b>{text[:9]}</b> by {run.id} at {seed}")

    def answer_base(name, text, tick=None):
        raise BadInput(f"{name} cannot write <this>")

    monkeypatch.setattr(cache, "adapter_answer", answer)
    monkeypatch.setattr(cache, "base_answer", answer_base)
    return questions


def test_without_runs_it_says_what_to_do_next():
    page = open_page("playground")
    assert not page.exception
    assert "No adapter has been trained yet" in words(page)


def test_it_begins_with_a_test_example_and_the_recorded_answers(asked):
    runs = make_runs(methods=("lora", "spt"))
    page = open_page("playground")
    assert not page.exception
    text = page.text_area(key="playground.text").value
    kept = {run.id: run.answers(seed=0).set_index("source") for run in runs}
    shown = html(page)
    for answers in kept.values():
        assert escape(answers.loc[text, "text"].split()[0]) in shown
    assert "what these adapters answered when they were scored" in words(page)
    assert asked == []  # nothing is computed before the question is sent
    send(page, text)
    assert len(asked) == 2
    assert "when they were scored" not in words(page)


def test_a_text_of_ones_own_is_left_as_it_is():
    make_run("lora")
    page = open_page("playground")
    page.text_area(key="playground.text").set_value("mine").run()
    assert page.run().text_area(key="playground.text").value == "mine"


def test_a_run_without_answers_begins_with_an_empty_text(asked):
    (make_run("lora").folder / "answers.parquet").unlink()
    page = open_page("playground")
    assert "Nothing has been sent yet" in words(page)
    assert not page.text_area(key="playground.text").value


def test_every_adapter_and_the_base_answer_side_by_side(asked):
    runs = make_runs(methods=("lora", "spt"))
    page = open_page("playground")
    page.text_area(key="playground.text").set_value("a <cat> sleeps")
    page.button(key="playground.send").click().run()
    assert not page.exception
    assert {run for run, _, _ in asked} == {run.id for run in runs}
    assert {text for _, text, _ in asked} == {"a <cat> sleeps"}
    shown = html(page)
    assert "tiny-t5, untouched" in shown
    assert "cannot write &lt;this&gt;" in shown
    assert "&lt;b&gt;a &lt;cat&gt; s&lt;/b&gt;" in shown


def test_the_seed_and_the_base_can_be_chosen(asked):
    make_run("lora")
    page = open_page("playground")
    page.text_area(key="playground.text").set_value("a")
    page.selectbox(key="playground.seed").set_value(3)
    page.toggle(key="playground.base").set_value(False)
    page.button(key="playground.send").click().run()
    assert [seed for _, _, seed in asked] == [3]
    assert "untouched" not in html(page)


def test_a_long_text_is_sent_whole_and_leaves_the_answers_in_sight(asked):
    make_runs()
    page = open_page("playground")
    page.text_area(key="playground.text").set_value("word " * 400 + "end").run()
    page.button(key="playground.send").click().run()
    assert asked[0][1].endswith("end")
    assert "word …" in html(page)
    assert "end" not in html(page)


def test_an_empty_text_is_not_sent(asked):
    make_run("lora")
    page = send(open_page("playground"), "")
    assert "nothing to answer yet" in words(page)
    assert asked == []


def test_an_example_fills_the_text_and_brings_its_reference(asked):
    make_run("lora")
    page = open_page("playground")
    page.button(key="playground.example").click().run()
    text = page.text_area(key="playground.text").value
    examples = {
        row.source: row.target for row in cache.split_examples("miniworld_nli", "test").examples
    }
    assert text in examples
    page.button(key="playground.send").click().run()
    assert "Reference</span>" in html(page)
    assert "Underlined words" in words(page)
    page.text_area(key="playground.text").set_value(f"{text} now")
    page.button(key="playground.send").click().run()
    assert html(page).count("Reference</span>") == 1  # of the first question, which is kept


def test_encoders_get_an_example_without_its_template(asked, monkeypatch):
    known = catalog.describe_base
    monkeypatch.setattr(
        catalog,
        "describe_base",
        lambda name: type("Info", (), {"kind": "encoder"})() or known(name),
    )
    make_run("lora", base="tiny-bert")
    page = open_page("playground")
    page.button(key="playground.example").click().run()
    page.button(key="playground.send").click().run()
    source = page.text_area(key="playground.text").value
    rows = cache.split_examples("miniworld_nli", "test").examples
    example = next(row for row in rows if row.source == source)
    assert [text for _, text, _ in asked] == [" || ".join(example.parts)]


def test_missing_data_are_said_when_an_example_is_wanted(monkeypatch):
    make_run("lora")
    page = open_page("playground")
    monkeypatch.setattr(
        cache, "split_examples", lambda *_: cache.SplitExamples(problem="no folder here")
    )
    page.button(key="playground.example").click().run()
    assert not page.exception
    assert "no folder here" in words(page)


def test_adapters_of_several_tasks_are_told_apart():
    make_run("lora"), make_run("lora", "miniworld_venues")
    page = open_page("playground")
    names = page.multiselect[0].options
    assert sorted(names) == ["LoRA · miniworld_nli", "LoRA · miniworld_venues"]


def send(page, text):
    page.text_area(key="playground.text").set_value(text)
    return page.button(key="playground.send").click().run()


def test_what_was_asked_before_is_kept_and_can_be_forgotten(asked):
    make_run("lora")
    page = open_page("playground")
    send(page, "first one")
    send(page, "second")
    assert "first one" in html(page)
    assert html(page).index("second") < html(page).index("first one")
    assert len(asked) == 2  # nothing is asked again
    page.button(key="playground.forget").click().run()
    assert "first one" not in html(page)
    assert not page.exception


def test_a_stop_keeps_what_was_answered_and_asks_nobody_else(asked, monkeypatch):
    first, second = make_runs(methods=("lora", "spt"))
    page = open_page("playground")
    known = cache.adapter_answer

    def interrupted(run, text, seed=0, tick=None):
        if len(asked) == 1:  # as a click on Stop does while the second one writes
            page.session_state["playground.history"][0].stopped = True
            from streamlit.runtime.scriptrunner import StopException

            raise StopException
        return known(run, text, seed, tick)

    monkeypatch.setattr(cache, "adapter_answer", interrupted)
    send(page, "a text")
    page.run()
    assert len(asked) == 1
    assert "Stopped; what had been answered by then stays." in words(page)
    assert f"by {asked[0][0]}" in html(page)
    assert {first.id, second.id} >= {asked[0][0]}


def test_an_answer_whose_time_ran_out_says_so(monkeypatch):
    make_run("lora")
    monkeypatch.setattr(cache, "adapter_answer", lambda *_: TypedAnswer("as far as", cut=True))
    page = send(open_page("playground"), "a text")
    assert "as far as … (cut off: its time had run out)" in html(page)


def test_a_template_is_filled_in_by_fields(asked):
    make_run("lora")
    page = open_page("playground")
    page.toggle(key="playground.by_fields").set_value(True).run()
    fields = [each for each in page.text_area if each.key.startswith("playground.field.")]
    assert len(fields) == 2
    for field, text in zip(fields, ("the cat sat", "it sat"), strict=True):
        field.set_value(text)
    page.button(key="playground.send").click().run()
    [(_, text, _)] = asked
    assert "the cat sat" in text
    assert len(text) > len("the cat sat" + "it sat")  # the template stands around them
    assert not page.exception
