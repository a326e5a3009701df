"""Which run the Scaling page is about."""

from support.pages import open_page, words
from support.runs import make_run


def test_without_runs_it_says_what_to_do_next():
    assert "No soft prompt has been trained yet" in words(open_page("scaling"))


def test_a_run_without_soft_tokens_is_not_offered():
    make_run("lora")
    assert "No soft prompt has been trained yet" in words(open_page("scaling"))


def test_an_address_of_another_run_gets_a_sentence(runs):
    lora = make_run("lora")
    page = open_page("scaling", run=lora.id)
    assert "finished runs with soft tokens can be read" in words(page)
    assert page.selectbox(key="scaling.run").value in {run.id for run in runs.values()}
