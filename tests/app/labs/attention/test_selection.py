"""Which model and which text the Attention page is about."""

from support.attention_page import started
from support.pages import charts, open_page, sound, words

from peftcore.runs.store import RunStore


def shipped(method):
    """The id of the shipped run of a method on the entailment task, a single adapter per seed."""
    return next(
        run.id
        for run in RunStore().all()
        if run.demo
        and (run.spec.method, run.spec.task, run.spec.base) == (method, "miniworld_nli", "tiny-t5")
        and run.spec.population.vertices == 1
    )


def test_first_paint_is_recorded_and_what_is_not_waits():
    page = open_page("attention")
    assert page.selectbox(key="attention.run").value == shipped("prefix_tuning")
    assert "a recording that comes with the project" in words(page)
    assert charts(page)
    page.number_input(key="attention.example").set_value(2).run()
    assert "being loaded in the background" in words(page)
    assert not charts(page)


def test_two_runs_are_compared_on_the_union_of_their_positions():
    prefix = shipped("prefix_tuning")
    page = started(run=prefix)
    page.selectbox(key="attention.with").set_value(shipped("prompt_tuning")).run()
    page.segmented_control(key="attention.show").set_value("Change").run()
    ticks = charts(sound(page))[0]["layout"]["xaxis"]["ticktext"]
    assert {"<i>P1</i>", "<i>S1</i>"} <= set(ticks)


def test_an_own_answer_is_said_to_be_one():
    page = started()
    sound(page.selectbox(key="attention.reads").set_value("Its own answer").run())
    assert "greedy answer of Prefix tuning" in words(page)


def test_text_too_long_to_be_seen_is_refused_with_a_way_out():
    page = started()
    page.segmented_control(key="attention.source").set_value("own").run()
    page.text_area(key="attention.text").set_value("a dog and " * 100).run()
    assert "measure whole data sets" in words(sound(page))


def test_without_text_it_says_what_to_do(no_demo_runs):
    page = open_page("attention")
    page.segmented_control(key="attention.source").set_value("own").run()
    assert "Type a text" in words(sound(page))


def test_an_unknown_run_in_the_address_is_said():
    assert "No run '000000000000'" in words(open_page("attention", run="000000000000"))
