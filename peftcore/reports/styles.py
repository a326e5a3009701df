"""What runs are drawn with wherever they appear: one colour, dash and symbol per method.

Every colour stands out from a light and a dark background (contrast at least 3), so a method
keeps its colour in either; those of MAIN_METHOD_STYLES stay apart for readers with a red-green
weakness too, and symbol and dash tell the rest.  A method that is in no table gets a colour by
itself that is far from all others.  Backgrounds and text are those of pages and of reports.
"""

from __future__ import annotations

import colorsys
import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from math import dist

from peftcore.adapters.base import METHODS

BACKGROUNDS = {"light": "#FFFFFF", "dark": "#12161C"}
TEXT_COLOURS = {"light": "#1B2430", "dark": "#E8ECF1"}
NEUTRAL = "#7A828C"  # lines that belong to no method

DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "x", "cross", "star", "hexagon")


@dataclass(frozen=True)
class RunStyle:
    """Name, colour, symbol and dash of a run."""

    name: str
    colour: str
    symbol: str = "circle"
    dash: str = "solid"

    def variant(self, nth: int, name: str) -> RunStyle:
        """Return the same colour for the nth other run of a method, set off by dash and symbol."""
        symbol_index = (SYMBOLS.index(self.symbol) + 3 * nth) % len(SYMBOLS)
        return replace(
            self, name=name, symbol=SYMBOLS[symbol_index], dash=DASHES[nth % len(DASHES)]
        )


MAIN_METHOD_STYLES = {
    "prompt_tuning": ("#0072B2", "circle"),
    "spt": ("#D55E00", "diamond"),
    "prefix_tuning": ("#009E73", "square"),
    "lora": ("#7B3FE4", "triangle-up"),
    "linear_probe": ("#6E7681", "x"),
}
MORE_METHOD_STYLES = {
    "sparsefit": ("#CC0049", "cross"),
    "atoms": ("#5A76F5", "star"),
    "block_atoms": ("#7A7A1F", "hexagon"),
    "bottleneck": ("#A9713A", "circle"),
    "ia3": ("#008FA3", "diamond"),
    "full_fine_tuning": ("#B5609A", "square"),
    "bitfit": ("#D633D6", "triangle-up"),
}
EXTRA_COLOURS = tuple(colour for colour, _ in MORE_METHOD_STYLES.values())


def method_colour(method: str) -> str:
    """Return the method's colour; one in no table gets one far from all others."""
    return style_of_method(method, "").colour


def style_of_method(method: str, name: str) -> RunStyle:
    """Return how a method is drawn, under the given name."""
    listed = (MAIN_METHOD_STYLES | MORE_METHOD_STYLES).get(method)
    if listed:
        return RunStyle(name, *listed)
    return RunStyle(
        name, _unlisted_colours().get(method) or _pick_colour(method, ()), _unlisted_symbol(method)
    )


@lru_cache(maxsize=1)
def _unlisted_colours() -> dict[str, str]:
    """Return method → colour of the registered methods in no table, in the order of names."""
    listed, chosen = MAIN_METHOD_STYLES | MORE_METHOD_STYLES, dict[str, str]()
    for method in METHODS:
        if method not in listed:
            chosen[method] = _pick_colour(method, tuple(chosen.values()))
    return chosen


def _pick_colour(method: str, other_colours: tuple[str, ...]) -> str:
    """Pick an unlisted method's colour: the farthest from those in use, ties by the name's hash.

    Distances are CIE 1976; candidates have a contrast of at least 3 on both backgrounds.
    """
    used_colours = [
        _cie_lab(each) for each, _ in (MAIN_METHOD_STYLES | MORE_METHOD_STYLES).values()
    ] + [_cie_lab(each) for each in other_colours]
    nearest_distance = lambda candidate: min(
        dist(_cie_lab(candidate), each) for each in used_colours
    )
    turn = _name_hash(method) % len(CANDIDATE_COLOURS)
    return max((*CANDIDATE_COLOURS[turn:], *CANDIDATE_COLOURS[:turn]), key=nearest_distance)


def _candidate_colours() -> tuple[str, ...]:
    """List colours of 36 hues, three lightnesses, two saturations, that stand out on both."""
    colours = []
    for hue, lightness, saturation in product(range(36), (0.38, 0.46, 0.54), (0.55, 0.9)):
        parts = colorsys.hls_to_rgb(hue / 36, lightness, saturation)
        hex_code = "#" + "".join(f"{round(255 * part):02X}" for part in parts)
        if all(_contrast(hex_code, background) >= 3 for background in BACKGROUNDS.values()):
            colours.append(hex_code)
    return tuple(colours)


def _linear_rgb(colour: str) -> list[float]:
    """Return linear red, green and blue in [0, 1] of a colour "#RRGGBB" (the sRGB standard)."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]


def _contrast(first: str, second: str) -> float:
    """Return the contrast of two colours as WCAG 2 defines it, from 1 to 21."""
    light, dark = sorted(
        (
            sum(w * p for w, p in zip(RGB_TO_XYZ[1], _linear_rgb(c), strict=True))
            for c in (first, second)
        ),
        reverse=True,
    )
    return (light + 0.05) / (dark + 0.05)


def _cie_lab(colour: str) -> tuple[float, float, float]:
    """Return lightness, a and b of a colour (CIE 1976, white of daylight D65)."""
    rgb = _linear_rgb(colour)
    white = (0.9505, 1.0, 1.089)
    sums = (sum(w * p for w, p in zip(row, rgb, strict=True)) for row in RGB_TO_XYZ)
    x, y, z = (_cube_root(part / full) for part, full in zip(sums, white, strict=True))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _cube_root(value: float) -> float:
    """Return the cube root, made linear near zero as CIE 1976 does."""
    return value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116


RGB_TO_XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))  # sRGB
CANDIDATE_COLOURS = _candidate_colours()


def _unlisted_symbol(method: str) -> str:
    """Return the symbol of an unlisted method."""
    return SYMBOLS[_name_hash(method) % len(SYMBOLS)]


def _name_hash(name: str) -> int:
    """Return the same number for a name in every process."""
    return hashlib.sha256(name.encode()).digest()[0]


def with_opacity(colour: str, opacity: float) -> str:
    """Return the colour at a share of its strength, for bands and single seeds."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity:g})"
