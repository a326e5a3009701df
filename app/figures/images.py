"""Images side by side, what atoms change in them, and how well they match the prompt."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from app.figures import layout as panel_layout
from app.figures.rows import wrap_title
from app.figures.theme import LABELLED_SCALE, NEUTRAL, TEMPLATE, method_colour, with_opacity
from peftcore.tasks.images import canvas
from peftcore.tasks.images.canvas import Picture
from peftcore.tasks.images.recognise import LEVEL_NAMES

# Colours of the levels.  Digits are ink on paper.
PALETTES: dict[str, tuple[str, ...]] = {
    "digits": ("#FBFAF6", "#C9C8C4", "#8F8F8D", "#565658", "#1B1C20"),
    "scenes": ("#F4F1E6", "#D9352C", "#2E9E4F", "#2B66C9", "#F0C21B", "#8E44B8", "#1D2027"),
}
FRAME_COLOUR = "#E4572E"  # around a chosen cell
GAP_COLOUR = (122, 130, 140)  # between pictures, visible on light and on a dark page


def tile_images(world: str, pictures: Sequence[Picture], columns: int) -> np.ndarray:
    """Pictures in rows of so many columns as one image (h, w, 3), a line of pixels between them."""
    palette = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in PALETTES[world]])
    rows = -(-len(pictures) // columns)
    step = canvas.SIDE + 1
    image = np.empty((rows * step + 1, columns * step + 1, 3), dtype=np.uint8)
    image[:] = GAP_COLOUR
    for index, picture in enumerate(pictures):
        y, x = (1 + step * at for at in divmod(index, columns))
        levels = np.array(picture).reshape(canvas.SIDE, canvas.SIDE)
        image[y : y + canvas.SIDE, x : x + canvas.SIDE] = palette[levels]
    return image


def png_data_url(image: np.ndarray) -> str:
    """An image (h, w, 3) as an address that holds it: a browser draws it as it is."""
    height, width = image.shape[:2]
    lines = b"".join(b"\0" + line.tobytes() for line in image)
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0),
        b"IDAT": zlib.compress(lines),
        b"IEND": b"",
    }
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + chunk_type
        + content
        + struct.pack(">I", zlib.crc32(chunk_type + content))
        for chunk_type, content in parts.items()
    )
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def image_table(
    panels: Mapping[str, Sequence[Picture]], descriptions: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """Every picture as its code, with what it shows."""
    rows = [
        {
            "panel": name,
            "picture": index + 1,
            "shows": descriptions[name][index],
            "pixels": canvas.picture_to_code(p),
        }
        for name, pictures in panels.items()
        for index, p in enumerate(pictures)
    ]
    return pd.DataFrame(rows, columns=["panel", "picture", "shows", "pixels"])


ORDER_TITLES = {
    "earned": "Largest gain when added",
    "loss": "Largest loss when removed",
    "importance": "Largest",
    "random": "At random",
}
ORDER_COLOURS = {
    "earned": method_colour("atoms"),
    "loss": "#D55E00",
    "importance": "#B5609A",
    "random": NEUTRAL,
}
ORDER_DASHES = {"earned": "solid", "loss": "dashdot", "importance": "dash", "random": "dot"}
ORDERS_WITH_OLD_PROMPTS = ("earned", "random")  # orders whose old prompts are shown, too
CURVE_HEIGHT, AXIS_HEIGHT, LEGEND_HEIGHT = 280, 52, 64  # pixels; the axis with its labels
BELIEF_TITLES = {"digits": "Classifier's chance", "scenes": "Facts that match the prompt"}
AXIS_TITLES = {
    ("alignment", "digits"): "Share of images that match the prompt",
    ("alignment", "scenes"): "Share of images that match the prompt",
    ("belief", "digits"): "Classifier's mean chance of the prompt",
    ("belief", "scenes"): "Mean share of facts that match the prompt",
    ("evidence", "digits"): "Mean log₁₀ of the classifier's chance",
}
METRIC_TITLES = {"alignment": "Match", "evidence": "Logarithm of the chance"}


def metric_title(world: str, metric: str) -> str:
    """Return the title of a metric of new prompts in a world."""
    return BELIEF_TITLES[world] if metric == "belief" else METRIC_TITLES[metric]


def kept_atoms_curves(
    band: pd.DataFrame, world: str, metric: str = "alignment", chosen: int | None = None
) -> go.Figure:
    """A metric of new prompts (up) by number of atoms kept (across), with 95 % bands over seeds.

    Thin lines give the share of old prompts that match.  Lines have no
    marks, for every tick is a point that was measured and marks would double a click's wait.
    """
    counts = sorted(band.k.unique())
    x_by_count = {k: i for i, k in enumerate(counts)}
    orders = [order for order in ORDER_TITLES if order in set(band.order)]
    old = [
        order
        for order in (ORDERS_WITH_OLD_PROMPTS if metric == "alignment" else ())
        if order in orders
    ]
    shown = [(metric, order) for order in orders] + [("old_alignment", order) for order in old]
    lines = {
        (series_metric, order): band[
            (band.order == order) & (band.metric == series_metric)
        ].sort_values("k")
        for series_metric, order in shown
    }
    layout: dict[str, Any] = {
        "template": TEMPLATE,
        "height": 32 + CURVE_HEIGHT + AXIS_HEIGHT + LEGEND_HEIGHT,
        "margin": panel_layout.fixed_margin(32, 60, AXIS_HEIGHT + LEGEND_HEIGHT, 16),
        "xaxis": {
            "tickvals": list(x_by_count.values()),
            "ticktext": [str(k) for k in counts],
            "title": panel_layout.axis_title("Atoms kept (none on the left: the base)"),
            "automargin": False,
        },
        "yaxis": {
            "title": panel_layout.axis_title(AXIS_TITLES[metric, world]),
            "automargin": False,
        },
        "showlegend": True,
        "legend": {"yref": "paper", "y": -AXIS_HEIGHT / CURVE_HEIGHT, "yanchor": "top"},
    }
    if metric != "evidence":
        layout["yaxis"] |= {"range": [-0.03, 1.05]}
    if chosen is not None and chosen in x_by_count:
        mark = {"color": NEUTRAL, "dash": "dash", "width": 1}
        at = {"x0": x_by_count[chosen], "x1": x_by_count[chosen], "y0": 0, "y1": 1, "yref": "paper"}
        layout["shapes"] = [{"type": "line", "line": mark, **at}]
    series = [
        (series_metric, order, line)
        for (series_metric, order), line in lines.items()
        if not line.empty
    ]
    bands = [
        _band_trace(line, x_by_count, series_metric, order) for series_metric, order, line in series
    ]
    means = [
        _mean_trace(line, x_by_count, series_metric, order) for series_metric, order, line in series
    ]
    for line in [line for line in means if not line["showlegend"]][:1]:
        line["showlegend"] = True  # thin lines are named once
    return go.Figure({"data": [*filter(None, bands), *means], "layout": layout})


def _band_trace(
    line: pd.DataFrame, x_by_count: Mapping[int, int], metric: str, order: str
) -> dict[str, Any]:
    """Intervals as a band, if every point has one."""
    if line["low"].isna().any():
        return {}
    x = [x_by_count[k] for k in line.k]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [*x, *x[::-1]],
        "y": [*line["high"], *line["low"][::-1]],
        "fill": "toself",
        "fillcolor": with_opacity(ORDER_COLOURS[order], 0.14),
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
        "legendgroup": _legend_group(metric, order),
    }


def _mean_trace(
    line: pd.DataFrame, x_by_count: Mapping[int, int], metric: str, order: str
) -> dict[str, Any]:
    """Means over seeds as a line, a thin one for old prompts."""
    old = metric == "old_alignment"
    kept = ORDER_TITLES[order].lower() + (" first" if order != "random" else "")
    name = f"{'Old' if old else 'New'} prompts, {kept}"
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [x_by_count[k] for k in line.k],
        "y": line["mean"].tolist(),
        "name": "Old prompts, thin" if old else ORDER_TITLES[order],
        "legendgroup": _legend_group(metric, order),
        "showlegend": not old,
        "line": {
            "color": ORDER_COLOURS[order],
            "dash": ORDER_DASHES[order],
            "width": 1.2 if old else 2.5,
        },
        "customdata": line[["k", "low", "high", "n"]].to_numpy().tolist(),
        "hovertemplate": "%{customdata[0]} atoms: %{y:.3f}, 95 % %{customdata[1]:.3f} to "
        "%{customdata[2]:.3f}, n = %{customdata[3]} seeds<extra>" + name + "</extra>",
    }


def _legend_group(metric: str, order: str) -> str:
    """Return what a click on the legend hides together."""
    return metric if metric == "old_alignment" else order


def kept_atoms_curves_alt(band: pd.DataFrame, world: str, metric: str = "alignment") -> str:
    """The ends of the curve, in words."""
    line = band[(band.order == band.order.iloc[0]) & (band.metric == metric)].sort_values("k")
    first, last = line.iloc[0], line.iloc[-1]
    return (
        f"{AXIS_TITLES[metric, world]}, new prompts: {first['mean']:.2f} with {first.k} atoms, "
        f"{last['mean']:.2f} with {last.k}; {last.n} seeds"
    )


def alignment_intervals(table: pd.DataFrame) -> go.Figure:
    """Share that matches the prompt by name, new and old prompts, with 95 % intervals."""
    names = list(dict.fromkeys(table["name"]))
    domains = panel_layout.panel_domains([1, 1], 0.04)
    data: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    for side, metric in enumerate(("alignment", "old_alignment")):
        on = {
            "xaxis": panel_layout.axis_name("x", side),
            "yaxis": panel_layout.axis_name("y", side),
        }
        rows = table[table.metric == metric].drop_duplicates("name").set_index("name")
        for index, row in enumerate(rows.loc[names].itertuples()):
            data.append(_alignment_mark(row, index, str(row.Index)) | on)
        axes[panel_layout.axis_name("xaxis", side)] = panel_layout.x_axis(
            side,
            domains[side],
            range=[-0.05, 1.1],
            title=panel_layout.axis_title(wrap_title("Share that matches the prompt", 12)),
            automargin=True,
        )
        axes[panel_layout.axis_name("yaxis", side)] = panel_layout.y_axis(
            side,
            automargin=True,
            tickvals=list(range(len(names))),
            ticktext=[name.replace(", ", ",<br>") for name in names],
            range=[len(names) - 0.5, -0.5],
        )
    layout = {
        "template": TEMPLATE,
        "height": 130 + 36 * len(names),
        **axes,
        "annotations": [
            panel_layout.panel_heading(age, domain)
            for age, domain in zip(("New", "Old"), domains, strict=True)
        ],
    }
    return go.Figure({"data": data, "layout": layout})


def _alignment_mark(row: Any, index: int, name: str) -> dict[str, Any]:
    """One method's mean as a mark, with its interval if it has more than one seed."""
    mark: dict[str, Any] = {
        "type": "scatter",
        "x": [row.mean],
        "y": [index],
        "mode": "markers",
        "showlegend": False,
        "marker": {
            "color": method_colour(row.method),
            "size": 10,
            "symbol": "circle" if row.kept == "all" else "circle-open",
        },
        "hovertemplate": f"{name}: %{{x:.3f}}, n = {row.n} seeds<extra></extra>",
    }
    if pd.notna(row.high):
        mark["error_x"] = {
            "type": "data",
            "symmetric": False,
            "array": [row.high - row.mean],
            "arrayminus": [row.mean - row.low],
        }
    return mark


def alignment_intervals_alt(table: pd.DataFrame) -> str:
    """Everybody's alignment, in words."""
    line = table[table.metric == "alignment"]
    each = [f"{name} {mean:.2f}" for name, mean in zip(line["name"], line["mean"], strict=True)]
    return "Alignment of new prompts: " + "; ".join(each)


def atom_effect_heatmaps(change: np.ndarray, world: str) -> go.Figure:
    """Draw what an atom adds to the chance of the levels it changes most, by pixel."""
    total = change.sum(0)
    levels = sorted(range(len(total)), key=lambda level: -abs(total[level]))[:3]
    sums = {level: f"{total[level]:+.2f}".replace("-", "−") for level in levels}
    titles = [f"{LEVEL_NAMES[world][level]}<br>{sums[level]} pixels" for level in levels]
    figure = make_subplots(1, len(levels), subplot_titles=titles, horizontal_spacing=0.03)
    max_change = max(float(np.abs(change).max()), 1e-6)
    bar = {"title": {"text": "Chance added", "side": "bottom"}, "orientation": "h", "thickness": 10,
           "y": -0.04, "yanchor": "top", "len": 0.6}  # fmt: skip
    for column, level in enumerate(levels, 1):
        figure.add_heatmap(
            z=change[:, level].reshape(canvas.SIDE, canvas.SIDE), zmin=-max_change, zmax=max_change,
            colorscale=[[0, "#B5452C"], [0.5, "#D8DADD"], [1, "#2B66C9"]], xgap=1, ygap=1,
            showscale=column == len(levels), colorbar=bar,
            hovertemplate="row %{y}, column %{x}: %{z:+.3f}<extra></extra>", row=1, col=column,
        )  # fmt: skip
        axis = panel_layout.axis_name("x", column - 1)
        figure.update_yaxes(scaleanchor=axis, constrain="domain", row=1, col=column)
    figure.update_yaxes(autorange="reversed", visible=False, fixedrange=True)
    figure.update_xaxes(visible=False, fixedrange=True, constrain="domain")
    figure.update_annotations(font_size=13)
    figure.update_layout(template=TEMPLATE, height=360, margin={"t": 60})
    return figure


def mix_intervals(band: pd.DataFrame, names: Mapping[str, str]) -> go.Figure:
    """Alignment and facts with both runs' atoms, each alone and none, with 95 % intervals."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 330})
    for metric, marker_colour in (("alignment", method_colour("atoms")), ("facts", NEUTRAL)):
        line = band[band.metric == metric]
        figure.add_scatter(
            x=[names[name] for name in line["with"]], y=line["mean"], mode="markers",
            name=MIX_METRIC_TITLES[metric],
            marker={
                "color": marker_colour,
                "size": 10,
                "symbol": "circle" if metric == "alignment" else "x",
            },
            error_y={"type": "data", "symmetric": False, "array": line["high"] - line["mean"],
                     "arrayminus": line["mean"] - line["low"]},
            hovertemplate="%{x}: %{y:.3f}<extra></extra>",
        )  # fmt: skip
    top = max(0.4, float(band["high"].fillna(band["mean"]).max()) * 1.1)
    figure.update_yaxes(title_text="Share of pictures, or of facts", range=[-0.05 * top, top])
    order = {"categoryorder": "array", "categoryarray": list(names.values())}
    return figure.update_xaxes(title_text="Atoms in force", **order)


def mix_intervals_alt(band: pd.DataFrame) -> str:
    """Every mix's alignment, in words."""
    line = band[band.metric == "alignment"]
    pairs = zip(line["with"], line["mean"], strict=True)
    return "Alignment by atoms in force: " + ", ".join(f"{n} {m:.2f}" for n, m in pairs)


MIX_METRIC_TITLES = {"alignment": "Everything matches", "facts": "Share of facts"}


def share_grid_heatmap(table: pd.DataFrame, metric: str, chosen: Sequence[float]) -> go.Figure:
    """Draw the metric at each pair of shares of two runs' atoms; a frame marks the chosen one."""
    grid_values = table.pivot_table(index="style", columns="concept", values=metric).sort_index()
    xs, ys = [f"{x:g}" for x in grid_values.columns], [f"{y:g}" for y in grid_values.index]
    top = max(0.1, float(np.ceil(grid_values.to_numpy().max() * 20) / 20))
    cell = {
        "type": "heatmap",
        "x": xs,
        "y": ys,
        "z": grid_values.to_numpy().tolist(),
        "zmin": 0,
        "zmax": top,
        "colorscale": LABELLED_SCALE,
        "xgap": 2,
        "ygap": 2,
        "texttemplate": "%{z:.2f}",
        "colorbar": {"title": {"text": MIX_METRIC_TITLES[metric]}, "thickness": 12},
        "hovertemplate": "shape × %{x}, style × %{y}: %{z:.3f}<extra></extra>",
    }
    x, y = xs.index(f"{chosen[0]:g}"), ys.index(f"{chosen[1]:g}")
    frame = {
        "type": "rect",
        "x0": x - 0.5,
        "x1": x + 0.5,
        "y0": y - 0.5,
        "y1": y + 0.5,
        "line": {"color": FRAME_COLOUR, "width": 3},
    }
    axis = {"type": "category", "showgrid": False, "ticks": ""}
    layout = {
        "template": TEMPLATE,
        "height": 420,
        "xaxis": axis | {"title": {"text": "Share of the shape's atoms"}},
        "yaxis": axis | {"title": {"text": "Share of the style's atoms"}},
        "shapes": [frame],
        "margin": {"t": 16, "r": 16},
    }
    return go.Figure({"data": [cell], "layout": layout})


def share_grid_alt(table: pd.DataFrame, metric: str, chosen: Sequence[float]) -> str:
    """The grid in words."""
    at = table.set_index(["concept", "style"])
    best, whole = at.loc[(chosen[0], chosen[1])], at.loc[(1.0, 1.0)]
    return (
        f"{MIX_METRIC_TITLES[metric]} by shares of both runs' atoms, from "
        f"{table[metric].min():.2f} to "
        f"{table[metric].max():.2f}: {whole[metric]:.2f} with all of both, {best[metric]:.2f} at "
        f"the chosen {chosen[0]:g} and {chosen[1]:g}; {int(table.n.max())} seeds"
    )


def format_percent(value: float | None) -> str:
    """A share as a note on a panel; a dash where nothing is known."""
    return "–" if value is None else f"{100 * value:.0f} %"
