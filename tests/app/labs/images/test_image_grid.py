"""Panels of pictures on a page: names escaped, pictures as they are, and one file to save."""

import re
from xml.etree import ElementTree

from app.figures import images as figures
from app.labs.images.image_grid import ImageGrid
from peftcore.tasks.images import canvas

RING = canvas.code_to_picture(
    "00000000/01110000/01010000/01110000/00000000/00000000/00000000/00000000"
)
PANELS = {"LoRA": [RING] * 4, "A <b>": [RING] * 2}
NOTES = {"LoRA": "50 % match"}
SVG = "{http://www.w3.org/2000/svg}"


def grid(notes, columns, across):
    return ImageGrid("scenes", PANELS, notes, {}, columns, across)


def test_every_panel_has_its_name_its_note_and_its_pictures():
    html_here = grid(NOTES, 2, 3).html()
    assert "<b>LoRA</b><br>50 % match" in html_here
    assert "<b>A &lt;b&gt;</b></figcaption>" in html_here
    assert 'alt="Pictures drawn with LoRA: 50 % match"' in html_here
    sources = re.findall(r'src="([^"]+)"', html_here)
    assert sources == [
        figures.png_data_url(figures.tile_images("scenes", each, 2)) for each in PANELS.values()
    ]


def test_the_saved_file_shows_all_panels_apart():
    root = ElementTree.fromstring(grid(NOTES, 4, 1).svg())
    first, second = root.findall(f"{SVG}image")
    assert float(first.get("y")) + float(first.get("height")) < float(second.get("y"))
    assert [node.text for node in root.findall(f"{SVG}text")] == [
        "LoRA",
        "50 % match",
        "A <b>",
        None,
    ]
    assert float(root.get("height")) > float(second.get("y")) + float(second.get("height"))


def test_panels_in_a_row_share_its_height():
    root = ElementTree.fromstring(grid({}, 2, 2).svg())
    first, second = root.findall(f"{SVG}image")
    assert first.get("y") == second.get("y")
    assert float(first.get("height")) == 2 * float(second.get("height"))  # two rows, one row
    assert float(root.get("width")) > float(second.get("x")) + float(second.get("width"))
