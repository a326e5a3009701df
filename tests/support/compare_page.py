"""The Compare page, opened on made-up runs, and what stands on it."""

from streamlit.testing.v1 import AppTest

from peftcore import paths


def opened(**query):
    page = AppTest.from_file(str(paths.ROOT / "app" / "main.py"), default_timeout=60)
    page.switch_page(str(paths.ROOT / "pages" / "compare.py"))
    for name, value in query.items():
        page.query_params[name] = value
    page.run()
    assert "Something went wrong" not in words(page)
    return page


def words(page):
    kinds = (page.markdown, page.caption, page.info, page.warning, page.error)
    return "\n".join(str(found.value) for kind in kinds for found in kind).replace("\\", "")


def look_at(page, view):
    page.segmented_control(key="compare.view").set_value(view).run()
    assert not page.exception
    assert "Something went wrong" not in words(page)
    return page
