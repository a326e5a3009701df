"""Open pages of the app with Streamlit's own test driver."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from streamlit.testing.v1 import AppTest

from app import nav
from app.compare.views import GROUPS
from peftcore import paths
from peftcore.system.faults import log_file

MAIN = str(paths.ROOT / "app" / "main.py")


def open_page(name: str, view: str = "", **query: str) -> AppTest:
    """A page of the whole app, as a browser opens it by its address, then another of its views.

    "__" in a key means ".".
    """
    page = follow_link(name, query)
    return show_view(page, name, view) if view else page


def follow_link(name: str, query: Mapping[str, str]) -> AppTest:
    """A page of the whole app, as a browser opens it by an address, which may name its view."""
    page = AppTest.from_file(MAIN, default_timeout=120)
    page.switch_page(nav.find_page(name).script_path)
    for key, value in query.items():
        page.query_params[key.replace("__", ".")] = value
    return sound(page.run())


def show_view(page: AppTest, name: str, view: str) -> AppTest:
    """The page with another of its views."""
    if name == "compare":
        group = next(group for group, views in GROUPS.items() if view in views)
        page = page.segmented_control(key="compare.views").set_value(group).run()
    return sound(page.segmented_control(key=f"{name}.view").set_value(view).run())


def words(page: AppTest) -> str:
    """Everything a reader sees as text, without what keeps it from being read as Markdown."""
    headings, texts = (page.title, page.header, page.subheader), (page.markdown, page.caption)
    notes = (page.info, page.warning, page.error, page.success, page.text)
    kinds = (*headings, *texts, *notes)
    return "\n".join(str(found.value) for kind in kinds for found in kind).replace("\\", "")


def sound(page: AppTest) -> AppTest:
    """The page, which has no exception and no fault of ours behind an error id."""
    assert not log_file().exists(), log_file().read_text()
    assert not page.exception
    assert "went wrong" not in words(page)
    return page


def charts(page: AppTest) -> list[dict[str, Any]]:
    """Every chart as plotly's fields."""
    return [json.loads(found.proto.spec) for found in page.get("plotly_chart")]


def html(page: AppTest) -> str:
    """What the page writes as HTML."""
    return "\n".join(found.proto.body for found in page.get("html"))
