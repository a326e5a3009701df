"""A report in a real browser: it asks for nothing, sorts, filters, and prints."""

import pytest
from playwright.sync_api import expect
from support.runs import make_run

from peftcore.reports.write import build_report, report_html


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A report of six runs."""
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEFTCORE_HOME", str(folder / "home"))
        methods = ("prompt_tuning", "spt", "prefix_tuning", "lora", "ia3", "atoms")
        runs = [make_run(method, data="0123456789abcdef") for method in methods]
        (folder / "report.html").write_text(report_html(build_report(runs)), "utf-8")
    return folder / "report.html"


@pytest.fixture
def opened(chromium, file):
    """The report in a page, and what the browser complained of or fetched."""
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    events = []
    page.on("console", lambda message: events.append(message.text))
    page.on("pageerror", lambda error: events.append(str(error)))
    page.on("request", lambda request: events.append(request.url))
    page.goto(file.as_uri())
    yield page, events
    page.close()


def first_column(page):
    return page.locator("#part-0 table").first.locator("tbody th").all_inner_texts()


def test_it_opens_without_a_complaint_and_asks_for_nothing_but_itself(opened):
    page, events = opened
    assert events == [page.url]
    assert page.locator("svg.figure").count() == 5


def test_a_click_on_a_head_sorts_by_number_and_back(opened):
    page, events = opened
    before = first_column(page)
    head = page.get_by_role("button", name="Accuracy", exact=True)
    head.click()
    assert first_column(page) == before  # the best was first already
    head.click()
    assert first_column(page) == before[::-1]
    assert page.locator("th[aria-sort=ascending]").count() == 1
    assert events == [page.url]


def test_settings_can_be_narrowed_to_what_differs(opened):
    page, _ = opened
    rows = page.locator("tr.same")
    assert rows.first.is_visible()
    page.get_by_label("Only settings that differ").check()
    assert not rows.first.is_visible()
    assert page.locator("tr.differs").first.is_visible()


def test_pointing_at_a_run_fades_the_others(opened):
    page, _ = opened
    marks = page.locator("figure").first.locator("g[data-run]")
    marks.first.locator("circle").first.hover()
    assert "chosen" in marks.first.get_attribute("class")
    expect(marks.nth(1)).to_have_css("opacity", "0.18")


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_page(opened, width):
    page, _ = opened
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_on_paper_it_is_light_whole_and_within_the_sheet(opened):
    page, _ = opened
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": 688, "height": 900})  # A4 less its margins
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 36, 48)"
    beyond = """[...document.querySelectorAll('table, svg, pre')].filter(
        each => each.getBoundingClientRect().right > 689).length"""
    assert page.evaluate(beyond) == 0
    assert not page.locator("nav").is_visible()
    assert page.pdf(format="A4").startswith(b"%PDF")
