"""Every picture that a story may show, by name; a new one is an entry in one of these files."""

from __future__ import annotations

from app.learn import (
    attention_pictures,
    reading_pictures,
    score_pictures,
    triangle_pictures,
    view_pictures,
)
from app.learn.picture import Picture

PICTURES: dict[str, Picture] = {
    **attention_pictures.PICTURES,
    **triangle_pictures.PICTURES,
    **score_pictures.PICTURES,
    **reading_pictures.PICTURES,
    **view_pictures.PICTURES,
}
OPTIONS_BY_PICTURE = {name: picture.options for name, picture in PICTURES.items()}
