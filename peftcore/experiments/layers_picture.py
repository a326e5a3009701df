"""The picture at the head of the README: what a prefix and LoRA do to attention, layer by layer.

Drawn from what `ship real-runs` measured; `ship readme-tables` writes it.
"""

from __future__ import annotations

from dataclasses import dataclass

from peftcore import paths
from peftcore.experiments import real_runs
from peftcore.reports.figures import add_axes
from peftcore.reports.styles import NEUTRAL, RunStyle, style_of_method
from peftcore.reports.svg import Drawing, Scale, add_legend
from peftcore.runs.store import RunStore
from peftcore.system import atomic_files

PICTURE = paths.ASSETS / "attention_by_layer.svg"
WIDTH, HEIGHT = 860, 400  # pixels
ROUNDING = 1e-5  # what single precision may do to a pattern


@dataclass(frozen=True)
class LayerLine:
    """The largest change of renormalised attention by one adapter, in each layer it is in."""

    subject: str  # a run, or the random prefix
    style: RunStyle
    first: int  # layer from 1
    drift: tuple[float, ...]


def layer_lines() -> list[LayerLine]:
    """Read what was measured: a random prefix in all layers, a trained one and LoRA in theirs."""
    folder = paths.ASSETS / "real_runs"
    store, drift = RunStore(folder), dict[str, list[float]]()
    for row in atomic_files.read_json(folder / real_runs.MEASURES_FILE)["bias_only"]:
        drift.setdefault(row["subject"], []).append(row["content_drift"])
    return [_line(subject, values, store) for subject, values in drift.items()]


def _line(subject: str, drift: list[float], store: RunStore) -> LayerLine:
    """Return the line of a subject; below the layers of a run nothing but rounding is measured."""
    if subject == real_runs.RANDOM_PREFIX:
        style = RunStyle("Random prefix", NEUTRAL, "circle", "dot")
        return LayerLine(subject, style, 1, tuple(drift))
    spec = store.open(subject).spec
    title = {"prefix_tuning": "Trained prefix", "lora": "LoRA"}[spec.method]
    skipped = int(spec.settings.get("first_layer", 0))
    style = style_of_method(spec.method, title)
    return LayerLine(subject, style, skipped + 1, tuple(drift[skipped:]))


def draw_layers() -> str:
    """Return the picture as a file of its own."""
    lines = layer_lines()
    layers = max(line.first + len(line.drift) - 1 for line in lines)
    words = [f"{line.style.name} up to {max(line.drift):.0e}" for line in lines]
    title = f"Largest change of attention among words in the {layers} layers of {real_runs.BASE}"
    drawing = Drawing(WIDTH, HEIGHT, title, "; ".join(words))
    across, up = Scale(1, layers, 76, WIDTH - 16), Scale(1e-8, 2, 300, 40, True)
    drawing.text(8, 20, title, look='font-weight="600"')
    add_axes(drawing, across, up, ("Layer", "Change (log scale)"))
    drawing.line((across.start, up.at(ROUNDING), across.end, up.at(ROUNDING)), "rule")
    drawing.text(across.end, up.at(ROUNDING) - 6, "rounding in single precision", "end")
    for line in lines:
        points = [(across.at(line.first + n), up.at(value)) for n, value in enumerate(line.drift)]
        drawing.curve(points, line.style, 2.5, line.style.name)
        for n, (x, y) in enumerate(points):
            words_here = f"{line.style.name}, layer {line.first + n}: {line.drift[n]:.1e}"
            drawing.mark(x, y, 4.5, line.style, words_here)
    add_legend(drawing, [line.style for line in lines], 76, HEIGHT - 30)
    return f"{drawing.markup(standalone=True)}\n"


def write_picture() -> None:
    """Write the picture where the README shows it."""
    atomic_files.replace_file(PICTURE, draw_layers().encode())
