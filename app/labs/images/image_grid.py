"""Pictures side by side on a page: panels that wrap on narrow screens, and one file to save.

A chart of fixed panels would shrink with its window until titles run into one another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from app.figures import images as figures
from app.ui import charts
from peftcore.tasks.images.canvas import Picture

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

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
PANEL_SIDE, CAPTION_HEIGHT, PANEL_GAP = 216, 44, 18  # pixels, in a saved file


@dataclass(frozen=True)
class ImageGrid:
    """Panels of images by name, each with a note and what a reader sees in every image."""

    world: str
    panels: Panels
    notes: Mapping[str, str]
    descriptions: Mapping[str, Sequence[str]]
    columns: int = 4  # images side by side in a panel
    across: int = 3  # panels side by side where there is space

    def show(self, key: str, name: str) -> DeltaGenerator:
        """Show the panels, and a menu that saves them and their table as files called `name`.

        Returns the place beside the menu, for a quiet line of what the pictures rest on.
        """
        st.html(STYLE + self.html())
        return charts.picture_menu(
            key,
            name,
            "Every picture",
            lambda: figures.image_table(self.panels, self.descriptions),
            is_chart=False,
            svg=self.svg,
        )

    def html(self) -> str:
        """Return the panels as HTML."""
        panels = "".join(
            f"<figure><figcaption><b>{escape(name)}</b>{self._note_html(name)}</figcaption>"
            f'<img src="{self._image_url(name)}" alt="{escape(self._alt_text(name))}"></figure>'
            for name in self.panels
        )
        narrow_columns = 3 if self.across > 4 else 2  # on a phone
        style = f"--across: {self.across}; --narrow: {narrow_columns}"
        return f'<div class="pictures" style="{style}">{panels}</div>'

    def svg(self) -> bytes:
        """Return the panels as one SVG file on white."""
        heights = [-(-len(images) // self.columns) for images in self.panels.values()]  # in rows
        panel_height = CAPTION_HEIGHT + PANEL_SIDE * max(heights) / self.columns + PANEL_GAP
        rows, across = -(-len(heights) // self.across), min(self.across, len(heights))
        width, height = (
            across * (PANEL_SIDE + PANEL_GAP) + PANEL_GAP,
            rows * panel_height + PANEL_GAP,
        )
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
            'font-family="sans-serif" font-size="13" fill="#1B2430">'
            '<rect width="100%" height="100%" fill="#FFFFFF"/>'
        ]
        for index, (name, image_rows) in enumerate(zip(self.panels, heights, strict=True)):
            row, column = divmod(index, self.across)
            x, y = PANEL_GAP + column * (PANEL_SIDE + PANEL_GAP), PANEL_GAP + row * panel_height
            parts.append(
                f'<text x="{x:g}" y="{y + 12:g}" font-weight="bold">{escape(name)}</text>'
                f'<text x="{x:g}" y="{y + 30:g}">{escape(self.notes.get(name, ""))}</text>'
                f'<image x="{x:g}" y="{y + CAPTION_HEIGHT:g}" width="{PANEL_SIDE}" '
                f'height="{PANEL_SIDE * image_rows / self.columns:g}" '
                f'preserveAspectRatio="xMinYMin" style="image-rendering: pixelated" '
                f'href="{self._image_url(name)}"/>'
            )
        return "".join([*parts, "</svg>"]).encode()

    def _image_url(self, name: str) -> str:
        tiled = figures.tile_images(self.world, self.panels[name], self.columns)
        return figures.png_data_url(tiled)

    def _note_html(self, name: str) -> str:
        return f"<br>{escape(self.notes[name])}" if self.notes.get(name) else ""

    def _alt_text(self, name: str) -> str:
        note = self.notes.get(name)
        return f"Pictures drawn with {name}" + (f": {note}" if note else "")
