"""A link as a QR code holds the link and nothing else."""

import io

import numpy as np
import segno
from PIL import Image

from peftcore.rating import link_code

LINK = "https://your.host/rate?r=0123456789abcdef.AbC_-x"


def test_the_picture_is_the_code_of_the_link_with_its_quiet_border():
    picture = Image.open(io.BytesIO(link_code.draw_link(LINK)))
    dark = np.asarray(picture.convert("L")) < 128
    modules = dark[link_code.SCALE // 2 :: link_code.SCALE, link_code.SCALE // 2 :: link_code.SCALE]
    code = segno.make_qr(LINK, error="m")
    expected = np.array([[bool(module) for module in row] for row in code.matrix])
    border = link_code.BORDER
    assert (modules[border:-border, border:-border] == expected).all()
    assert modules.sum() == expected.sum()  # the border is light


def test_as_svg_it_asks_for_nothing():
    drawn = link_code.draw_link(LINK, "svg").decode()
    assert drawn.lstrip().startswith("<?xml")
    assert "<script" not in drawn
    assert "href" not in drawn
