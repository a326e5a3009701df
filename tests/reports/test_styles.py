import itertools

import numpy as np
import pytest

from peftcore.adapters.base import METHODS
from peftcore.reports import styles

SEEN = {  # what is left of linear red, green, blue: Machado, Oliveira & Fernandes 2009, severity 1
    "full": np.eye(3),
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(colour):
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def contrast(first, second):
    light, dark = sorted((float(XYZ[1] @ linear(c)) for c in (first, second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def lab(parts):
    x = XYZ @ np.clip(parts, 0, 1) / np.array([0.9505, 1, 1.089])
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_black_on_white_has_the_greatest_contrast():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize(
    "colour", [c for c, _ in styles.MAIN_METHOD_STYLES.values()] + list(styles.EXTRA_COLOURS)
)
def test_every_colour_stands_out_from_both_grounds(colour, mode):
    assert contrast(colour, styles.BACKGROUNDS[mode]) >= 3


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_can_be_read_on_its_ground(mode):
    assert contrast(styles.TEXT_COLOURS[mode], styles.BACKGROUNDS[mode]) >= 7


@pytest.mark.parametrize("sight", SEEN)
def test_methods_stay_apart_for_every_sight(sight):
    """CIE 1976 distances; 2.3 is just noticeable, 15 is plainly another colour."""
    turned = np.array(SEEN[sight])
    for first, second in itertools.combinations(
        [c for c, _ in styles.MAIN_METHOD_STYLES.values()], 2
    ):
        assert np.linalg.norm(lab(turned @ linear(first)) - lab(turned @ linear(second))) > 15


def test_no_two_methods_share_a_colour_not_even_those_in_no_table(monkeypatch):
    """Methods to come included: each stands out from the page and is far from every other."""
    new = [f"method_{n}" for n in range(4)]
    monkeypatch.setattr(styles, "METHODS", [*METHODS, *new])
    styles._unlisted_colours.cache_clear()
    colours = {method: styles.method_colour(method) for method in [*METHODS, *new]}
    styles._unlisted_colours.cache_clear()
    for first, second in itertools.combinations(colours.values(), 2):
        assert np.linalg.norm(lab(linear(first)) - lab(linear(second))) > 15
    for colour, mode in itertools.product(colours.values(), styles.BACKGROUNDS.values()):
        assert contrast(colour, mode) >= 3


def test_methods_also_differ_in_symbol():
    symbols = [symbol for _, symbol in styles.MAIN_METHOD_STYLES.values()]
    assert len(set(symbols)) == len(symbols)
    assert set(symbols) <= set(styles.SYMBOLS)


def test_a_new_method_gets_a_colour_that_stays():
    assert styles.method_colour("sparsefit") == styles.method_colour("sparsefit")
    assert styles.method_colour("sparsefit") in styles.EXTRA_COLOURS
    assert styles.method_colour("lora") == styles.MAIN_METHOD_STYLES["lora"][0]


def test_a_second_run_of_a_method_keeps_the_colour_and_changes_dash_and_symbol():
    first = styles.style_of_method("lora", "LoRA")
    second = first.variant(1, "LoRA · rank 2")
    assert second.colour == first.colour
    assert second.dash != first.dash
    assert second.symbol != first.symbol
    assert first.variant(0, "LoRA") == first


def test_faint_keeps_the_colour():
    assert styles.with_opacity("#0072B2", 0.5) == "rgba(0, 114, 178, 0.5)"
