"""The Attention page, opened on the runs that ship."""

import json

from streamlit.testing.v1 import AppTest

from app.ui.errors import log_file
from peftcore import paths


def opened(**query):
    page = AppTest.from_file(str(paths.ROOT / "app" / "main.py"), default_timeout=120)
    page.switch_page(str(paths.ROOT / "pages" / "attention.py"))
    for name, value in query.items():
        page.query_params[name] = value
    return sound(page.run())


def started(**query):
    page = opened(**query)
    return sound(page.button(key="attention.start").click().run())


def sound(page):
    assert not log_file().exists(), log_file().read_text()
    assert not page.exception
    return page


def charts(page):
    return [json.loads(found.proto.spec) for found in page.get("plotly_chart")]


def words(page):
    kinds = (page.markdown, page.caption, page.info, page.warning, page.error, page.text)
    return "\n".join(str(found.value) for kind in kinds for found in kind).replace("\\", "")
