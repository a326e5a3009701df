"""Pictures side by side on a page: panels that wrap on narrow screens, and one file to save.

A chart of fixed panels would shrink with its window until titles run into one another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import streamlit as st

from app.figures import images as figures
from app.ui import charts, widgets
from peftcore.tasks.images.canvas import Picture

Panels = Mapping[str, Sequence[Picture]]
STYLE = """<style>
.pictures {display: grid; gap: .9rem; margin: 0 0 .3rem;
  grid-template-columns: repeat(var(--across), minmax(0, 1fr))}
.pictures figure {margin: 0; min-width: 0}
.pictures figcaption {line-height: 1.35; margin-bottom: .3rem; font-size: .88rem;
  overflow-wrap: anywhere}
.pictures img {display: block; width: 100%; image-rendering: pixelated}
@media (max-width: 640px) {
  .pictures {gap: .6rem; grid-template-columns: repeat(var(--narrow), minmax(0, 1fr))}}
</style>"""
PANEL_SIDE, CAPTION_HEIGHT, PANEL_GAP = (
    216,
    44,
    18,
)  # pixels of a saved panel's width, its words, and between panels


def show(
    world: str,
    panels: Panels,
    notes: Mapping[str, str],
    descriptions: Mapping[str, Sequence[str]],
    *,
    key: str,
    name: str,
    columns: int = 4,
    across: int = 3,
) -> None:
    """A panel of pictures for every name with a note, the same as a table, and both to save."""
    st.html(STYLE + panels_html(world, panels, notes, columns, across))
    with st.expander(charts.TABLE_TITLE, icon=charts.TABLE_ICON):
        widgets.table_with_download(
            figures.image_table(panels, descriptions),
            key=f"{key}.table",
            name=name,
            alt="Every picture",
        )
        st.download_button(
            "Download the pictures as SVG",
            panels_svg(world, panels, notes, columns, across),
            file_name=f"{name}.svg",
            mime="image/svg+xml",
            key=f"{key}.svg",
            on_click="ignore",
            icon=":material/image:",
        )


def panels_html(
    world: str, panels: Panels, notes: Mapping[str, str], columns: int = 4, across: int = 3
) -> str:
    """The panels as HTML, so many across where there is room."""
    figures_html = "".join(
        f"<figure><figcaption><b>{escape(name)}</b>{_note_html(notes.get(name, ''))}</figcaption>"
        f'<img src="{_image_url(world, pictures, columns)}" alt="{escape(_alt_text(name, notes))}">'
        "</figure>"
        for name, pictures in panels.items()
    )
    narrow_columns = 3 if across > 4 else 2  # on a phone
    style = f"--across: {across}; --narrow: {narrow_columns}"
    return f'<div class="pictures" style="{style}">{figures_html}</div>'


def panels_svg(
    world: str, panels: Panels, notes: Mapping[str, str], columns: int = 4, across: int = 3
) -> bytes:
    """The panels as one SVG file on white."""
    max_rows = max(-(-len(pictures) // columns) for pictures in panels.values())
    panel_height = CAPTION_HEIGHT + PANEL_SIDE * max_rows / columns + PANEL_GAP
    rows, panels_across = -(-len(panels) // across), min(across, len(panels))
    width, height = (
        panels_across * (PANEL_SIDE + PANEL_GAP) + PANEL_GAP,
        rows * panel_height + PANEL_GAP,
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        'font-family="sans-serif" font-size="13" fill="#1B2430">'
        '<rect width="100%" height="100%" fill="#FFFFFF"/>'
    ]
    for index, (name, pictures) in enumerate(panels.items()):
        x, y = (
            PANEL_GAP + (index % across) * (PANEL_SIDE + PANEL_GAP),
            PANEL_GAP + (index // across) * panel_height,
        )
        image_height = PANEL_SIDE * -(-len(pictures) // columns) / columns
        parts.append(
            f'<text x="{x:g}" y="{y + 12:g}" font-weight="bold">{escape(name)}</text>'
            f'<text x="{x:g}" y="{y + 30:g}">{escape(notes.get(name, ""))}</text>'
            f'<image x="{x:g}" y="{y + CAPTION_HEIGHT:g}" width="{PANEL_SIDE}" '
            f'height="{image_height:g}" '
            f'preserveAspectRatio="xMinYMin" style="image-rendering: pixelated" '
            f'href="{_image_url(world, pictures, columns)}"/>'
        )
    return "".join([*parts, "</svg>"]).encode()


def _image_url(world: str, pictures: Sequence[Picture], columns: int) -> Any:
    return figures.png_data_url(figures.tile_images(world, pictures, columns))


def _note_html(words: str) -> str:
    return f"<br>{escape(words)}" if words else ""


def _alt_text(name: str, notes: Mapping[str, str]) -> str:
    note = notes.get(name, "")
    return f"Pictures drawn with {name}" + (f": {note}" if note else "")
