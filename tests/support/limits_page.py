"""The Limits page, opened on the runs that ship."""

from streamlit.testing.v1 import AppTest

from peftcore import paths


def opened(started=True):
    page = AppTest.from_file(str(paths.ROOT / "app" / "main.py"), default_timeout=120)
    page.switch_page(str(paths.ROOT / "pages" / "limits.py")).run()
    if started:
        page.button(key="limits.start").click().run()
    assert not page.exception
    assert "Something went wrong" not in words(page)
    return page


def words(page):
    kinds = (page.markdown, page.caption, page.info, page.warning, page.error)
    return "\n".join(str(found.value) for kind in kinds for found in kind)
