"""A rater's link as a QR code, for a phone's camera: made here, sent nowhere."""

from __future__ import annotations

import io

import segno

BORDER = 4  # modules of white around it, which scanners need
SCALE = 6  # pixels of a module


def draw_link(link: str, kind: str = "png") -> bytes:
    """Draw a link as PNG or SVG, dark on white whatever the theme."""
    picture = io.BytesIO()
    options = {"border": BORDER, "scale": SCALE, "dark": "black", "light": "white"}
    segno.make_qr(link, error="m").save(picture, kind=kind, **options)
    return picture.getvalue()
