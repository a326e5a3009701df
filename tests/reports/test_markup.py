from support.pages_as_xml import Page

from peftcore.reports import markup
from peftcore.reports.markup import Cell, Markup
from peftcore.reports.svg import Drawing

HOSTILE = "<script>alert(1)</script>\"'&\u202e"


def test_a_table_names_rows_and_columns_and_data_are_text():
    made = markup.table(
        ["A", Markup("<b>B</b>")],
        [[HOSTILE, Cell("1.0", 1.0, "n")]],
        caption=HOSTILE,
        sortable=True,
        looks=["differs"],
    )
    page = Page(made)
    assert not page.find("script")
    assert page.find("th") == [{"scope": "col"}, {"scope": "col", "class": "n"}, {"scope": "row"}]
    assert page.find("td") == [{"class": "n", "data-value": "1.0"}]
    assert len(page.find("button")) == 2
    assert page.find("tr")[1] == {"class": "differs"}
    assert "<script>alert(1)</script>\"'&\ufffd" in page.text


def test_an_empty_table_has_its_heads():
    assert len(Page(markup.table(["A", "B"], [])).find("th")) == 2


def test_what_is_copied_keeps_its_lines():
    assert markup.code("a\n<b>\n") == '<pre tabindex="0">a\n&lt;b&gt;\n</pre>'
    assert Page(markup.code("a", HOSTILE)).find("script") == []


def test_a_file_in_a_link_is_the_file():
    import base64

    [link] = Page(markup.download("a.tex", "ä <b>", "text/x-tex")).find("a")
    kind, _, data = link["href"].partition(",")
    assert kind == "data:text/x-tex;base64"
    assert base64.b64decode(data).decode() == "ä <b>"


def test_a_figure_has_its_title_above():
    made = markup.figure(Drawing(10, 10, HOSTILE, "words"), "<p>below</p>")
    assert Page(made).find("script") == []
    assert made.startswith("<h3>&lt;script")


def test_the_page_allows_its_own_script_and_nothing_from_anywhere():
    import base64
    import hashlib

    made = markup.page(HOSTILE, "<p>body</p>")
    page = Page(made)
    policy = next(m["content"] for m in page.find("meta") if "http-equiv" in m)
    assert policy.startswith("default-src 'none';")
    [script] = page.find("script")
    assert script == {}
    inside = made.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1]
