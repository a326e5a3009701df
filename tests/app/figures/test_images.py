"""Figures of pictures: pixels where they belong, panels with names, curves with bands."""

import base64
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from app.figures import images as figures
from peftcore.labs.images import summary
from peftcore.tasks.images import canvas

RING = canvas.code_to_picture(
    "00000000/01110000/01010000/01110000/00000000/00000000/00000000/00000000"
)


def test_pictures_lie_side_by_side_with_a_line_between():
    image = figures.tile_images("scenes", [RING, RING, RING], 2)
    assert image.shape == (19, 19, 3)
    assert tuple(image[0, 0]) == figures.GAP_COLOUR
    assert tuple(image[1 + 1, 1 + 1]) == (0xD9, 0x35, 0x2C)  # red, the ring's upper left
    assert tuple(image[1 + 1, 10 + 1]) == (0xD9, 0x35, 0x2C)  # the same in the second picture
    assert tuple(image[1 + 2, 1 + 2]) == (0xF4, 0xF1, 0xE6)  # its middle is ground
    assert tuple(image[12, 12]) == figures.GAP_COLOUR  # no fourth picture


def test_every_picture_is_a_row_of_the_table():
    panels = {"LoRA": [RING] * 4, "Base": [RING] * 2}
    table = figures.image_table(panels, {"LoRA": ["a"] * 4, "Base": ["b"] * 2})
    assert table.pixels.iloc[0] == canvas.picture_to_code(RING)
    assert table.panel.tolist() == ["LoRA"] * 4 + ["Base"] * 2


def test_a_picture_is_sent_pixel_by_pixel():
    image = figures.tile_images("scenes", [RING], 1)
    kind, _, encoded = figures.png_data_url(image).partition(";base64,")
    assert kind == "data:image/png"
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as read:
        np.testing.assert_array_equal(np.asarray(read), image)


@pytest.fixture
def band():
    rows = [
        {"seed": s, "order": o, "draw": 0, "k": k, "alignment": k / 4, "old_alignment": 1.0,
         "facts": k / 4}
        for s in (0, 1) for o in ("importance", "random") for k in (0, 1, 4)
    ]  # fmt: skip
    return summary.pruning_curve({"rows": rows})


def test_the_curve_names_every_order_and_marks_the_chosen_number(band):
    figure = figures.kept_atoms_curves(band, "scenes", chosen=1)
    means = [trace for trace in figure.data if trace.name]
    assert [(line.name, line.showlegend) for line in means] == [
        ("Largest", True),
        ("At random", True),
        ("Old prompts, thin", True),  # not of the largest first
    ]
    assert "Old prompts, at random" in means[2].hovertemplate
    assert list(means[0].y) == [0.0, 0.25, 1.0]
    assert len({line.line.color for line in means[:2]}) == 2
    assert figure.layout.shapes[0].x0 == 1
    assert figures.kept_atoms_curves_alt(band, "scenes") == (
        "Share of images that match the prompt, new prompts: "
        "0.00 with 0 atoms, 1.00 with 4; 2 seeds"
    )


def test_the_classifiers_chance_has_a_scale_of_its_own(band):
    drawn = pd.concat([band, band[band.metric == "alignment"].assign(metric="evidence", mean=-2.0)])
    figure = figures.kept_atoms_curves(drawn, "digits", "evidence")
    assert "log₁₀" in figure.layout.yaxis.title.text
    assert figure.layout.yaxis.range is None
    assert {trace.name for trace in figure.data if trace.name} == {
        "Largest",
        "At random",
    }
    assert figures.metric_title("digits", "belief") == "Classifier's chance"
    assert figures.metric_title("scenes", "belief") == "Facts that match the prompt"


def test_scores_put_new_and_old_side_by_side():
    rows = [{"method": "lora" if name == "LoRA" else "atoms", "name": name, "kept": kept,
             "metric": metric, "mean": v, "low": v - 0.1, "high": v + 0.1, "n": 5}
            for name, kept, v in (("LoRA", "all", 0.5), ("Atoms", "all", 0.75),
                                  ("Atoms, 9 kept", "9", 0.8))
            for metric in ("alignment", "old_alignment", "facts")]  # fmt: skip
    table = pd.DataFrame(rows)
    figure = figures.alignment_intervals(table)
    assert [trace.x[0] for trace in figure.data] == [0.5, 0.75, 0.8] * 2
    assert [trace.marker.symbol for trace in figure.data][:3] == ["circle", "circle", "circle-open"]
    assert figures.alignment_intervals_alt(table).endswith(
        "LoRA 0.50; Atoms 0.75; Atoms, 9 kept 0.80"
    )


def test_an_effect_shows_the_levels_it_changes_most():
    change = np.zeros((64, 7))
    change[0, 1], change[0, 0] = 0.5, -0.5
    figure = figures.atom_effect_heatmaps(change, "scenes")
    titles = [note.text for note in figure.layout.annotations]
    assert titles[:2] == ["ground<br>−0.50 pixels", "red<br>+0.50 pixels"]
    assert figure.data[1].z[0][0] == 0.5


def test_a_share_is_a_percentage_or_a_dash():
    assert figures.format_percent(0.5) == "50 %"
    assert figures.format_percent(None) == "–"


def test_shares_lie_on_a_grid_with_a_frame_around_the_chosen():
    rows = [(0.0, 0.0, 0.0), (0.0, 1.0, 0.1), (1.0, 0.0, 0.2), (1.0, 1.0, 0.3)]
    table = pd.DataFrame(rows, columns=["concept", "style", "alignment"])
    table = table.assign(facts=0.5, n=5)
    figure = figures.share_grid_heatmap(table, "alignment", (1.0, 0.0))
    assert list(figure.data[0].z[0]) == [0.0, 0.2]  # the style's nought: the shape across
    assert list(figure.data[0].x) == ["0", "1"]
    frame = figure.layout.shapes[0]
    assert (frame.x0, frame.y0) == (0.5, -0.5)
    assert figures.share_grid_alt(table, "alignment", (1.0, 0.0)).endswith(
        "from 0.00 to 0.30: 0.30 with all of both, 0.20 at the chosen 1 and 0; 5 seeds"
    )


def test_mixes_stand_in_the_order_of_their_names():
    rows = [{"with": name, "metric": metric, "mean": 0.1, "low": 0.0, "high": 0.2, "n": 5}
            for name in ("both", "none") for metric in ("alignment", "facts")]  # fmt: skip
    figure = figures.mix_intervals(pd.DataFrame(rows), {"none": "No atoms", "both": "Both"})
    assert list(figure.layout.xaxis.categoryarray) == ["No atoms", "Both"]
    assert list(figure.data[0].x) == ["Both", "No atoms"]
    assert figure.layout.yaxis.range[1] == 0.4
