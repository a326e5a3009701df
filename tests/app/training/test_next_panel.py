"""The ways on from a finished run."""

from support.pages import open_page
from support.runs import make_run


def test_a_finished_run_leads_on_with_it_chosen(no_demos):
    run, other = make_run("lora"), make_run("spt")
    page = open_page("runs", run=run.id)
    links = {link.proto.page: link.proto.query_string for link in page.get("page_link")}
    assert run.id in links["compare"]
    assert other.id in links["compare"]
    assert run.id in links["train"]
    assert "components" in links
