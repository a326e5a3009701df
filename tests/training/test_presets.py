"""Presets: sizes that fit the base, and never what a stored spec means."""

import pytest

from peftcore.adapters.measured_rates import LARGE_BASE
from peftcore.errors import BadInput
from peftcore.training import presets
from peftcore.training.planning import build_spec

SIZES = {"small": LARGE_BASE - 1, "large": LARGE_BASE}


def test_the_usual_size_of_a_small_base_is_that_of_the_defaults_but_for_the_recipe(tiny):
    size = presets.find_preset(presets.USUAL, SIZES["small"])
    parts = {part: size.section(part) for part in presets.SECTIONS}
    recipe = {**presets.RECIPE, "steps": parts["training"]["steps"]}
    plain = build_spec(
        tiny("t5"), "miniworld_nli", "lora", population={"vertices": 3}, training=recipe
    )
    parts["population"] = dict(parts["population"]) | {"vertices": 3}
    assert build_spec(tiny("t5"), "miniworld_nli", "lora", **parts).id == plain.id


@pytest.mark.parametrize("parameters", SIZES.values())
def test_every_size_trains_until_dev_is_flat_and_keeps_the_step_with_most_labels(parameters):
    for size in presets.presets_for(parameters).values():
        assert size.values["select"] == "labels"
        assert size.values["patience"] > 1


def test_a_task_without_labels_keeps_the_step_with_the_lowest_loss(tiny):
    training = presets.find_preset(presets.USUAL, SIZES["small"]).section("training")
    spec = build_spec(tiny("t5"), "miniworld_venues", "lora", training=training)
    assert (spec.training.select, spec.training.patience) == ("loss", training["patience"])


@pytest.mark.parametrize("parameters", SIZES.values())
def test_sizes_grow_in_everything(parameters):
    quick, usual, thorough = presets.presets_for(parameters).values()
    for name in presets.FIELDS.keys() - presets.RECIPE.keys():
        assert quick.values[name] <= usual.values[name] <= max(usual.values[name], 3000)
        if name != "copies":
            assert usual.values[name] <= thorough.values[name]
    assert quick.values["steps"] < usual.values["steps"] < thorough.values["steps"]


def test_a_large_base_takes_few_steps_and_is_looked_at_more_than_once():
    usual = presets.find_preset(presets.USUAL, SIZES["large"]).values
    assert 20 <= usual["steps"] <= 60
    for size in presets.presets_for(SIZES["large"]).values():
        assert size.values["evaluate_every"] <= size.values["steps"] / 2
        assert size.values["seeds"] >= 2


def test_every_value_fits_its_setting_and_its_words():
    for parameters in SIZES.values():
        for size in presets.presets_for(parameters).values():
            for part, settings in presets.SECTIONS.items():
                settings.make(size.section(part))
            assert f"{size.values['steps']} steps of {size.values['batch']}" in size.text()


def test_an_unknown_size_names_those_there_are():
    with pytest.raises(BadInput, match="quick"):
        presets.find_preset("quik", 10)
