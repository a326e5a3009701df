"""What is done with chosen runs at once, and words about one."""

from support.pages import open_page, sound
from support.runs import make_run

from app.state import cache
from peftcore.runs.annotation import read_annotation


def table(page):
    [frame] = [each.value for each in page.dataframe if "Learning rate" in each.value]
    return frame


def test_chosen_runs_are_tagged_archived_and_deleted_with_undo(no_demos):
    first, second = make_run("lora"), make_run("spt")
    page = open_page("runs", runs=f"{first.id},{second.id}")
    page.text_input(key="runs.bulk.tag").set_value("old").run()
    sound(page.button(key="runs.bulk.tag.add").click().run())
    assert read_annotation(first).tags == read_annotation(second).tags == ("old",)
    sound(page.button(key="runs.bulk.delete").click().run())
    assert not cache.run_store().all()
    sound(page.button(key="runs.undo").click().run())
    assert len(cache.run_store().all()) == 2
    page = open_page("runs", runs=first.id)
    sound(page.button(key="runs.bulk.archive").click().run())
    assert list(table(page)["Run"]) == [f"/runs?run={second.id}"]


def test_name_and_tags_are_written_on_the_page_of_a_run():
    run = make_run("lora")
    page = open_page("runs", run=run.id)
    page.text_input(key=f"runs.words.{run.id}.name").set_value("My best")
    page.text_input(key=f"runs.words.{run.id}.tags").set_value("good, final")
    sound(page.button(key=f"runs.words.{run.id}.keep").click().run())
    assert read_annotation(run).tags == ("good", "final")
    assert page.selectbox(key="runs.run").format_func(run.id).startswith("My best")
