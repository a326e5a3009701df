"""The picture at the head of the README is the one that the measurements make."""

from xml.etree import ElementTree

import pytest

from peftcore.experiments import layers_picture


def test_the_picture_in_the_tree_is_what_the_command_writes():
    drawn = layers_picture.draw_layers()
    assert layers_picture.PICTURE.read_text("utf-8") == drawn
    assert ElementTree.fromstring(drawn).get("role") == "img"


def test_prefixes_stay_below_rounding_and_lora_above():
    lines = {line.style.name: line for line in layers_picture.layer_lines()}
    assert len(lines["Random prefix"].drift) == 30
    for name, line in lines.items():
        assert line.first + len(line.drift) == 31
        reached = max(line.drift) < layers_picture.ROUNDING
        assert reached == (name != "LoRA")
    assert min(lines["LoRA"].drift) == pytest.approx(0.7, abs=0.2)
