"""The ways on from a finished run."""

from support.pages import open_page, sound
from support.runs import make_run

from app.state import cache
from peftcore.api.run_uses import uses_of_run


def test_a_finished_run_leads_on_with_it_chosen(no_demos):
    run, other = make_run("lora"), make_run("spt")
    page = open_page("runs", run=run.id)
    links = {link.proto.page: link.proto.query_string for link in page.get("page_link")}
    assert run.id in links["compare"]
    assert other.id in links["compare"]
    assert run.id in links["train"]
    assert "components" in links


def test_two_clicks_lead_from_a_finished_run_to_all_that_can_be_done_with_it():
    """One click on the Runs page opens a page with the run chosen; a file takes a second one."""
    runs = cache.run_store().all()
    run = next(run for run in runs if run.spec.method == "atoms" and uses_of_run(run, runs).rate)
    uses = uses_of_run(run, runs)
    page = open_page("runs", run=run.id)
    links = {link.proto.page: link.proto.query_string for link in page.get("page_link")}
    wanted = {"playground", "compare", "rate", "train", *uses.labs}
    assert {"attention", "limits", "weights", "landscape", "components", "atoms"} <= wanted
    assert all(run.id in links[each] for each in wanted)  # one click each
    files = len(page.get("download_button"))
    assert files  # scores, answers and the report: one click each
    page.session_state["runs.export.kind"] = "bundle"
    page.run()
    sound(page.button(key="runs.export.prepare").click().run())  # the first
    assert len(page.get("download_button")) == files + 1  # the second
