"""Drawings as SVG text: scales, marks of every symbol, axes, legends; no package and no browser.

Every mark has a title, which browsers show on hover and readers of the screen read. Text and lines
that belong to no run take the colour of the text around the drawing, so that it can be read on a
light and on a dark page; coordinates are pixels of a drawing, which is shown as wide as there is
room.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from peftcore.reports.styles import RunStyle
from peftcore.reports.text import escape

DASH_PATTERNS = {
    "solid": "",
    "dash": "7 4",
    "dot": "2 3",
    "dashdot": "7 3 2 3",
    "longdash": "12 5",
}
FONT = "system-ui, 'Segoe UI', 'Helvetica Neue', 'DejaVu Sans', sans-serif"
STYLE = (
    "svg.figure{color:#1B2430;font-family:" + FONT + ";font-size:14px}"
    "svg.figure text{fill:currentColor}"
    "svg.figure .axis{stroke:currentColor;stroke-opacity:.55;fill:none}"
    "svg.figure .grid{stroke:currentColor;stroke-opacity:.16;fill:none}"
    "svg.figure .rule{stroke:currentColor;stroke-opacity:.6;stroke-dasharray:5 4;fill:none}"
    "svg.figure .faint{fill:currentColor;fill-opacity:.75}"
    "@media (prefers-color-scheme:dark){@media screen{svg.figure{color:#E8ECF1}}}"
)
CHARACTER = 7.6  # pixels a character of 14 pixels takes on average, generously


@dataclass(frozen=True)
class Scale:
    """Values to pixels: linear, or logarithmic."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        low, high, x = self.low, self.high, value
        if self.log:
            low, high, x = math.log10(low), math.log10(high), math.log10(max(value, 1e-300))
        share = (x - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)

    def clipped(self, value: float) -> float:
        """Return a value, or the end of the scale that it lies beyond."""
        return min(max(value, self.low), self.high)

    def ticks(self) -> list[float]:
        """Return round values within the scale, about five."""
        return log_ticks(self.low, self.high) if self.log else linear_ticks(self.low, self.high)


def linear_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Return multiples of one, two or five times a power of ten between two values."""
    if not high > low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(f * power for f in (1, 2, 5, 10) if f * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return powers of ten between two values; with their double and fivefold in a narrow range."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1,) if len(powers) > 4 else (1, 2, 5)
    values = [f * 10.0**power for power in powers for f in factors]
    return [value for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]


def number(value: float) -> str:
    """Write a coordinate with one decimal at most."""
    return f"{value:.1f}".removesuffix(".0")


def tick_text(value: float) -> str:
    """Write the label of a tick."""
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.6g}"
    return "0" if text in ("-0", "0") else text.replace("-", "−")


@dataclass
class Drawing:
    """A drawing that is added to, piece by piece.

    title: what the figure shows, in a few words; description: the figure in words, for who does
    not see it.
    """

    width: float
    height: float
    title: str
    description: str
    parts: list[str] = field(default_factory=list)

    def line(self, ends: Sequence[float], kind: str) -> None:
        """Add a line (x, y, x, y) of a class: axis, grid or rule."""
        x1, y1, x2, y2 = map(number, ends)
        self.parts.append(f'<path class="{kind}" d="M{x1} {y1}L{x2} {y2}"/>')

    def text(self, x: float, y: float, value: str, anchor: str = "start", look: str = "") -> None:
        """Add a text at its baseline; look: more attributes."""
        self.parts.append(
            f'<text x="{number(x)}" y="{number(y)}" text-anchor="{anchor}"{look and " " + look}>'
            f"{escape(value)}</text>"
        )

    def row_label(self, x: float, y: float, name: str, rest: str) -> None:
        """Add the name of a row, bold, and behind it what is known of it."""
        room = int((self.width - 2 * x) / CHARACTER) - len(rest) - 2
        shown = name if len(name) <= room else f"{name[: max(room - 1, 1)]}…"
        self.parts.append(
            f'<text x="{number(x)}" y="{number(y)}">'
            f'<tspan font-weight="600">{escape(shown)}</tspan>'
            f'<tspan dx="10">{escape(rest)}</tspan></text>'
        )

    def mark(self, x: float, y: float, size: float, style: RunStyle, tip: str) -> None:
        """Add a run's symbol, filled, with a text on hover."""
        self.parts.append(
            f'<path d="{symbol_path(style.symbol, x, y, size)}" fill="{style.colour}">'
            f"<title>{escape(tip)}</title></path>"
        )

    def dot(self, x: float, y: float, style: RunStyle, tip: str) -> None:
        """Add a small round mark, half transparent, with a text on hover."""
        self.parts.append(
            f'<circle cx="{number(x)}" cy="{number(y)}" r="3.6" fill="{style.colour}" '
            f'fill-opacity=".55"><title>{escape(tip)}</title></circle>'
        )

    def bar(self, ends: Sequence[float], style: RunStyle, width: float, tip: str) -> None:
        """Add a thick line (x, y, x, y) in a run's colour, half transparent."""
        x1, y1, x2, y2 = map(number, ends)
        self.parts.append(
            f'<path d="M{x1} {y1}L{x2} {y2}" stroke="{style.colour}" stroke-opacity=".5" '
            f'stroke-width="{number(width)}" fill="none"><title>{escape(tip)}</title></path>'
        )

    def curve(
        self, points: Sequence[tuple[float, float]], style: RunStyle, width: float, tip: str
    ) -> None:
        """Add a line through points in a run's colour and dash; a thin one is faint and solid."""
        thin = width < 2
        pattern = "" if thin else DASH_PATTERNS[style.dash]
        dash = f' stroke-dasharray="{pattern}"' if pattern else ""
        self.parts.append(
            f'<path d="{_path(points)}" stroke="{style.colour}" stroke-width="{number(width)}"'
            f'{dash} fill="none"{" stroke-opacity=" + chr(34) + ".35" + chr(34) if thin else ""}>'
            f"<title>{escape(tip)}</title></path>"
        )

    def area(self, points: Sequence[tuple[float, float]], style: RunStyle) -> None:
        """Add a closed area in a run's colour, faint."""
        self.parts.append(f'<path d="{_path(points)}Z" fill="{style.colour}" fill-opacity=".13"/>')

    def begin_run(self, run: str) -> None:
        """Begin the marks of a run, which are faded together when another is looked at."""
        self.parts.append(f'<g data-run="{escape(run)}">')

    def end_run(self) -> None:
        """End the marks of a run."""
        self.parts.append("</g>")

    def markup(self, standalone: bool = False) -> str:
        """Return the drawing; standalone: as a file of its own, which brings its style."""
        space = ' xmlns="http://www.w3.org/2000/svg"' if standalone else ""
        style = f"<style>{STYLE}</style>" if standalone else ""
        box = f"0 0 {number(self.width)} {number(self.height)}"
        return (
            f'<svg{space} class="figure" viewBox="{box}" width="{number(self.width)}" '
            f'height="{number(self.height)}" role="img">'
            f"<title>{escape(self.title)}</title><desc>{escape(self.description)}</desc>"
            f"{style}{''.join(self.parts)}</svg>"
        )


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)


def symbol_path(symbol: str, x: float, y: float, size: float) -> str:
    """Return the outline of a symbol around a point; size: half of its width in pixels."""
    if symbol == "circle":
        r = number(size)
        return f"M{number(x - size)} {number(y)}a{r} {r} 0 1 0 {number(2 * size)} 0" + (
            f"a{r} {r} 0 1 0 {number(-2 * size)} 0Z"
        )
    return _path([(x + size * a, y + size * b) for a, b in _OUTLINES[symbol]]) + "Z"


def _polygon(corners: int, turn: float = 0.0, inner: float = 1.0) -> list[tuple[float, float]]:
    """Return the corners of a polygon around zero, every other one at the inner radius."""
    angles = [2 * math.pi * n / corners - math.pi / 2 + turn for n in range(corners)]
    radii = [1.1 if n % 2 == 0 else 1.1 * inner for n in range(corners)]
    return [(r * math.cos(a), r * math.sin(a)) for a, r in zip(angles, radii, strict=True)]


def _plus(arm: float, turn: float) -> list[tuple[float, float]]:
    """Return the outline of a plus sign with arms of half a width, turned."""
    quarter: list[tuple[float, float]] = [(arm, -1.05), (arm, -arm), (1.05, -arm)]
    points = []
    for n in range(4):
        a = turn + n * math.pi / 2
        points += [
            (x * math.cos(a) - y * math.sin(a), x * math.sin(a) + y * math.cos(a))
            for x, y in quarter
        ]
    return points


_OUTLINES: dict[str, list[tuple[float, float]]] = {
    "diamond": [(0, -1.2), (1, 0), (0, 1.2), (-1, 0)],
    "square": [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
    "triangle-up": [(0, -1.1), (1.05, 0.85), (-1.05, 0.85)],
    "cross": _plus(0.38, 0.0),
    "x": _plus(0.38, math.pi / 4),
    "star": _polygon(10, inner=0.45),
    "hexagon": _polygon(6),
}


def legend_height(styles: Sequence[RunStyle], width: float) -> float:
    """Return how high the legend of these runs is in a drawing of this width."""
    return 22.0 * len(_legend_rows(styles, width))


def _legend_rows(styles: Sequence[RunStyle], width: float) -> list[list[RunStyle]]:
    rows: list[list[RunStyle]] = []
    used = width
    for style in styles:
        needed = 44 + CHARACTER * len(style.name)
        if used + needed > width:
            rows.append([])
            used = 0.0
        rows[-1].append(style)
        used += needed
    return rows


def add_legend(drawing: Drawing, styles: Sequence[RunStyle], x: float, y: float) -> None:
    """Add names with a piece of line and the symbol of each, in as many rows as they need."""
    for n, row in enumerate(_legend_rows(styles, drawing.width - x)):
        at, base = x, y + 22 * n
        for style in row:
            drawing.curve([(at, base), (at + 26, base)], style, 2.5, style.name)
            drawing.mark(at + 13, base, 5, style, style.name)
            drawing.text(at + 32, base + 5, style.name)
            at += 44 + CHARACTER * len(style.name)
