"""Charts look as the page does, and data in them stay data."""

import pytest

from app.figures import theme


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("<b>x</b>", "&lt;b&gt;x&lt;/b&gt;"),
        ("<extra_id_0>", "&lt;extra_id_0&gt;"),
        ("%{x}", "%&#123;x}"),
        ("$a$", "&#36;a&#36;"),
        ("café", "café"),
    ],
)
def test_data_never_become_markup(typed, shown):
    assert theme.plotly_text(typed) == shown


def test_backgrounds_are_those_of_the_page():
    import tomllib
    from pathlib import Path

    path = Path(__file__).parents[3] / "app" / ".streamlit" / "config.toml"
    page = tomllib.loads(path.read_text())["theme"]
    for mode in ("light", "dark"):
        assert page[mode]["backgroundColor"] == theme.BACKGROUNDS[mode]
        assert page[mode]["textColor"] == theme.TEXT_COLOURS[mode]
