"""The size of a run: numbers that fit the base, each form with numbers of its own."""

from dataclasses import replace

from support.pages import open_page, sound

from app.training import run_size
from peftcore.adapters.measured_rates import LARGE_BASE
from peftcore.models.catalog import BaseInfo
from peftcore.training import presets

SMALL = BaseInfo("mine", "decoder", "llama", 1000, 16, 2, 256, "")
LARGE = replace(SMALL, parameter_count=LARGE_BASE)


def test_forms_of_other_sizes_keep_their_numbers_apart():
    keys = {
        run_size.form_key(base, size)
        for base in (SMALL, LARGE)
        for size in presets.presets_for(base.parameter_count).values()
    }
    assert len(keys) == 6
    assert run_size.form_key(SMALL, presets.presets_for(0)[presets.USUAL]) == "train"


def test_a_size_fills_in_the_form_and_a_change_of_it_stays(monkeypatch):
    monkeypatch.setenv("PEFTCORE_WARM", "0")
    app = open_page("train")
    app.selectbox(key="train.base").set_value("tiny-t5").run()
    assert sound(app)
    assert (
        app.number_input(key="train.steps").value == presets.presets_for(0)["usual"].values["steps"]
    )
    app.segmented_control(key="train.size").set_value("quick").run()
    quick = presets.presets_for(0)["quick"].values
    assert app.number_input(key="train.small.quick.steps").value == quick["steps"]
    assert app.number_input(key="train.small.quick.evaluation.limit").value == quick["limit"]
    assert f"--steps {quick['steps']}" in app.code[-1].value
    assert sound(app)
