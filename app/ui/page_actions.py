"""Buttons that act in the browser alone: copy the page's address, save a chart as SVG or PNG."""

from __future__ import annotations

from app.ui.own_components import own_component

PAGE_ACTIONS = own_component("page_actions", '<div class="actions"></div>', shared="save_picture")


def copy_link() -> None:
    """Offer the address of what is on the screen."""
    actions = [{"act": "copy", "label": "Copy link"}]
    PAGE_ACTIONS(key="page.copy", data={"actions": actions}, width="content")


def save_picture(widget_key: str, name: str) -> None:
    """Offer the chart of a widget as a file called `name`."""
    actions = [{"act": form, "label": form.upper()} for form in ("svg", "png")]
    chart = widget_key.replace(".", "-")
    PAGE_ACTIONS(
        key=f"{widget_key}.save",
        data={"actions": actions, "chart": chart, "name": name},
        width="content",
    )
