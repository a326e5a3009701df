"""The table of runs: filter, groups, chosen runs, and what is done with them."""

from support.pages import charts, open_page, sound, words
from support.runs import make_run

from app.state import cache
from peftcore.runs.annotation import change_tags, read_annotation


def table(page):
    [frame] = [each.value for each in page.dataframe if "Learning rate" in each.value]
    return frame


def test_the_filter_stands_in_the_address(no_demos):
    small = make_run("lora", settings={"rank": 4})
    make_run("lora", settings={"rank": 8})
    change_tags(small, add=["mine"])
    assert len(table(open_page("runs"))) == 2
    by_tag = table(open_page("runs", runs__tag="mine"))
    assert list(by_tag["Run"]) == [f"/runs?run={small.id}"]
    page = open_page("runs", runs__setting="settings.rank", runs__value="4")
    assert list(table(page)["Rank (method)"]) == ["4"]
    page.text_input(key="runs.text").set_value("nothing").run()
    assert "No run fits" in words(page)
    assert page.query_params["runs.text"] == "nothing"


def test_groups_show_mean_and_spread(no_demos):
    make_run("lora", settings={"rank": 4})
    make_run("lora", settings={"rank": 8})
    page = open_page("runs", runs__group="method")
    [groups] = [each.value for each in page.dataframe if "Seeds in all" in each.value]
    assert list(groups["Runs"]) == [2]
    assert groups["Standard deviation over runs"].notna().all()


def test_chosen_runs_are_drawn_together_and_live(no_demos):
    first, second = make_run("lora"), make_run("spt")
    page = open_page("runs", runs=f"{first.id},{second.id}")
    losses = [each for each in charts(page) if "loss" in each["layout"]["title"]["text"]]
    assert len(losses) == 2
    names = {line["name"] for line in losses[0]["data"] if line.get("showlegend") is not False}
    assert len(names) == 2
    assert "2 chosen" in words(page)


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


def test_a_run_before_its_first_look_shows_no_empty_axes(no_demos, monkeypatch):
    from app.ui import job_panel

    monkeypatch.setattr(job_panel, "restart_missing_workers", lambda queue: 0)
    run = make_run("lora")
    run.reset()
    run.append_history([{"step": 0, "seed": 0, "dev_loss": None, "train_loss": None}])
    page = open_page("runs", run=run.id)
    assert charts(page) == []
    assert "The first values come with step 25." in words(page)


def test_name_and_tags_are_written_on_the_page_of_a_run():
    run = make_run("lora")
    page = open_page("runs", run=run.id)
    page.text_input(key=f"runs.words.{run.id}.name").set_value("My best")
    page.text_input(key=f"runs.words.{run.id}.tags").set_value("good, final")
    sound(page.button(key=f"runs.words.{run.id}.keep").click().run())
    assert read_annotation(run).tags == ("good", "final")
    assert page.selectbox(key="runs.run").format_func(run.id).startswith("My best")


def test_disk_use_is_shown_and_a_deleted_run_restored(no_demos):
    run = make_run("lora")
    (run.folder / "checkpoint.safetensors").write_bytes(b"x" * 500)
    page = open_page("runs", "Disk and bin")
    sound(page.button(key="runs.clean.checkpoint").click().run())
    assert not (run.folder / "checkpoint.safetensors").exists()
    cache.run_store().delete(run.id)
    page = open_page("runs", "Disk and bin")
    [restore] = [each for each in page.button if each.label == "Restore"]
    sound(restore.click().run())
    assert cache.run_store().open(run.id)


def test_a_finished_run_leads_on_with_it_chosen(no_demos):
    run, other = make_run("lora"), make_run("spt")
    page = open_page("runs", run=run.id)
    links = {link.proto.page: link.proto.query_string for link in page.get("page_link")}
    assert run.id in links["compare"]
    assert other.id in links["compare"]
    assert run.id in links["train"]
    assert "components" in links
