"""The Images page, opened on the runs and figures that ship."""

from streamlit.testing.v1 import AppTest

from app import nav
from app.ui.errors import log_file
from peftcore import paths


def opened(view, **more):
    page = AppTest.from_file(str(paths.ROOT / "app" / "main.py"), default_timeout=120)
    page.run()
    page.query_params.clear()
    page.query_params["images.view"] = view
    for name, value in more.items():
        page.query_params[f"images.{name}"] = value
    page.switch_page(nav.find_page("images").script_path).run()
    return sound(page)


def sound(page):
    assert not page.exception
    assert not log_file().exists(), log_file().read_text()
    return page


def words(page):
    kinds = (page.markdown, page.caption, page.info, page.warning, page.error)
    return "\n".join(str(found.value) for kind in kinds for found in kind)
