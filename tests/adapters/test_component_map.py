"""Bases as maps of cells: counts equal what training would count, and settings say what is on."""

import pytest

from peftcore.adapters import component_map, parameter_counts
from peftcore.adapters.component_map import map_of_base, shipped_map
from peftcore.errors import BadInput
from peftcore.models.base_model import load

EMBEDDED = ("tiny-t5", "tiny-gpt", "tiny-bert")


@pytest.mark.parametrize("name", ["t5-small", "gpt2", "bert-base-cased", *EMBEDDED])
def test_the_shipped_counts_are_those_of_the_model(name):
    base = load(name) if name in EMBEDDED else parameter_counts.meta_base(name)
    assert shipped_map(name) == map_of_base(base)


def test_the_papers_figure_comes_out_of_the_shipped_counts():
    large = shipped_map("t5-large")
    count = large.count(large.trained_cells(large.presets["LayerNorm + Query"]))
    assert (count, large.total) == (50_456_576, 737_668_096)
    assert f"{large.percent(count):.2f}" == "6.84"


@pytest.mark.parametrize("name", ["t5-small", "gpt2", "bert-base-cased", "llama-2-7b"])
def test_every_preset_counts_what_sparsefit_trains(name):
    found, base = shipped_map(name), parameter_counts.meta_base(name)
    assert found.presets
    for settings in found.presets.values():
        cells = found.trained_cells(settings)
        assert found.count(cells) == parameter_counts.count_trainable(base, "sparsefit", settings)


def test_presets_by_stack_are_for_bases_with_two():
    assert "Encoder (stack only)" in shipped_map("t5-small").presets
    assert "Encoder (stack only)" not in shipped_map("gpt2").presets
    assert "Cross-attention" not in shipped_map("gpt2").presets


@pytest.mark.parametrize("name", ["tiny-t5", "tiny-gpt", "llama-2-7b"])
def test_a_preset_switched_on_is_written_in_the_papers_words(name):
    found = shipped_map(name)
    for settings in found.presets.values():
        again = found.settings_for(found.trained_cells(settings))
        assert found.trained_cells(again) == found.trained_cells(settings)
        assert "cells" not in again


@pytest.mark.parametrize(
    ("cells", "settings"),
    [
        (
            ["encoder.0.ffn", "encoder.1.ffn"],
            {"stacks": ("encoder",), "first_layer": 0, "last_layer": 1},
        ),
        (["decoder.1.ffn", "encoder.1.ffn"], {"first_layer": 1, "last_layer": 1}),
    ],
)
def test_a_range_of_layers_is_written_as_one(cells, settings):
    found = shipped_map("tiny-t5").settings_for(cells)
    expected = {k: v for k, v in settings.items() if v != component_map.DEFAULT_SETTINGS[k]}
    assert found == {"components": ("ffn",), **expected}


def test_what_no_range_can_say_is_written_cell_by_cell():
    cells = {"encoder.0.attention.query", "decoder.2.ffn", "head"}
    found = shipped_map("tiny-t5").settings_for(cells)
    assert found.keys() == {"cells"}
    assert set(found["cells"]) == cells


def test_a_matrix_that_words_and_head_share_counts_once():
    found = shipped_map("tiny-t5")
    assert found.count(["head", "embeddings"]) == found.count(["head"]) == found.sizes["embeddings"]
    apart = shipped_map("flan-t5-large")
    assert apart.count(["head", "embeddings"]) == 2 * apart.count(["head"])


def test_biases_overlap_with_their_components():
    found = shipped_map("tiny-gpt")
    both = found.count(["decoder.0.bias", "decoder.0.attention.query"])
    parts = found.sizes["decoder.0.bias"] + found.sizes["decoder.0.attention.query"]
    assert both < parts


def test_the_decoders_last_norm_lies_in_the_decoders_last_layer():
    names = shipped_map("tiny-t5").names
    assert "decoder.2.layernorm.final" in names
    assert "encoder.3.layernorm.final" in names
    assert shipped_map("tiny-t5").depth("decoder") == 3


def test_sparsefit_trains_single_cells(tiny):
    base = tiny("t5")
    cells = ["encoder.1.attention.query", "decoder.0.layernorm.block"]
    assert parameter_counts.count_trainable(base, "sparsefit", {"cells": cells}) == map_of_base(
        base
    ).count(cells)


def test_unknown_and_empty_choices_are_refused(tiny):
    with pytest.raises(BadInput, match=r"no cell 'encoder\.9\.ffn'; did you mean"):
        parameter_counts.count_trainable(tiny("t5"), "sparsefit", {"cells": ["encoder.9.ffn"]})
    with pytest.raises(BadInput, match=r"stack\.layer\.component"):
        parameter_counts.count_trainable(tiny("t5"), "sparsefit", {"cells": ["../../etc"]})
    with pytest.raises(BadInput, match="nothing is chosen"):
        shipped_map("tiny-t5").settings_for([])
    with pytest.raises(BadInput, match="did you mean 't5-large'"):
        shipped_map("t5-larg")


def test_a_base_whose_counts_do_not_ship_is_built_or_loaded(monkeypatch):
    found = component_map.find_map("tiny-bert"), component_map.find_map("t5-small")
    monkeypatch.setattr(component_map, "_shipped", dict)
    assert (component_map.find_map("tiny-bert"), component_map.find_map("t5-small")) == found


def test_every_published_base_ships_its_counts():
    assert set(parameter_counts.published_bases()) <= set(component_map.shipped_bases())


def test_a_choice_is_called_by_its_preset_by_what_it_lacks_or_by_its_size():
    found = component_map.find_map("tiny-t5")
    whole = found.presets["LayerNorm + Query"]
    cells = found.trained_cells(whole)
    first = {name for name in cells if name.startswith("encoder.0.")}
    assert found.title(whole) == "LayerNorm + Query"
    assert (
        found.title(found.settings_for(cells - first))
        == "LayerNorm + Query without encoder layer 1"
    )
    assert found.title(found.settings_for(first)) == "LayerNorm + Query in encoder layer 1"
    odd = {"cells": ["encoder.0.attention.query", "decoder.1.attention.value"]}
    assert found.title(odd) == f"2 of {len(found.cells)} cells"
