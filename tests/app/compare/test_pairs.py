"""The pair of runs that views look at, in the address."""

from support.pages import open_page, words
from support.runs import make_runs


def test_the_pair_stands_in_the_address_and_starts_from_the_second_best():
    runs = {run.spec.method: run for run in make_runs()}
    page = open_page("compare", "Flips")
    assert page.selectbox(key="compare.to").value == runs["lora"].id
    page.selectbox(key="compare.from").set_value(runs["spt"].id).run()
    assert page.query_params["pair"] == f"{runs['spt'].id},{runs['lora'].id}"
    page.selectbox(key="compare.to").set_value(runs["spt"].id).run()
    assert "Choose two different runs" in words(page)


def test_a_pair_that_is_not_there_is_left_out():
    runs = make_runs(methods=("lora", "spt"))
    page = open_page("compare", "Flips", pair="abc,def")
    assert {page.selectbox(key=f"compare.{end}").value for end in ("from", "to")} == {
        run.id for run in runs
    }
