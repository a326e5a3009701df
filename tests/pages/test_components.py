"""The Components page, run in full without a browser."""

import pytest
from support.pages import charts, open_page, sound, words
from support.runs import make_run

from app.labs.components import picker_component
from app.state import cache
from peftcore.adapters import component_map
from peftcore.labs.components import grid
from peftcore.labs.components.grid import SHIPPED_PRESETS
from peftcore.runs.store import RunStore
from peftcore.sweeps.spec import SweepJob
from peftcore.system import processes


def begun(work):
    """What starting does, but for the process."""
    alive = vars(processes.current_process())
    work.write_status(state="running", done=3, of=5, seconds=60.0, process=alive)


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path, no_demo_runs):
    """No demo runs, no shipped grid, no worker, and nothing loaded in the background."""
    monkeypatch.setattr(grid, "shipped_store", lambda: RunStore(tmp_path / "x", tmp_path / "y"))
    monkeypatch.setattr(SweepJob, "launch", begun)


def figures(page):
    return [metric.value for metric in page.metric]


def test_the_map_starts_at_the_papers_best_mix_and_counts_it():
    page = open_page("components")
    assert figures(page) == ["261,696", "4,157,376", "6.295 %"]
    assert page.selectbox(key="components.preset.tiny-t5").value == "LayerNorm + Query"


def test_a_published_base_is_counted_and_not_trained():
    page = open_page("components", components__base="t5-large")
    assert figures(page) == ["50,456,576", "737,668,096", "6.840 %"]
    assert "not on this machine" in words(page)
    assert not [button for button in page.button if button.key == "components.train"]


def test_a_preset_switches_the_map_and_the_map_the_preset():
    page = open_page("components")
    page.selectbox(key="components.preset.tiny-t5").set_value("LayerNorm").run()
    assert figures(sound(page))[0] == f"{(4 * 2 + 1 + 3 * 3 + 1) * 192:,}"
    page.session_state["components.on.tiny-t5"] = frozenset({"encoder.0.ffn", "decoder.1.ffn"})
    page.run()
    tiny = component_map.shipped_map("tiny-t5")
    assert figures(page)[0] == f"{2 * tiny.sizes['encoder.0.ffn']:,}"
    assert page.selectbox(key="components.preset.tiny-t5").value == "My own choice"
    assert "cells encoder.0.ffn, decoder.1.ffn" in words(page)
    page.session_state["components.on.tiny-t5"] = frozenset({"encoder.1.ffn", "encoder.2.ffn"})
    page.run()
    assert "components ffn; stacks encoder; layers 2 to 3" in words(page)


def test_nothing_on_is_said_and_not_trained():
    page = open_page("components")
    page.button(key="components.clear").click().run()
    assert figures(page)[0] == "0"
    assert "Nothing is on" in words(page)


def test_train_this_fills_in_the_train_page():
    page = open_page("components")
    page.session_state["components.on.tiny-t5"] = frozenset({"encoder.0.ffn", "decoder.1.ffn"})
    page.run()
    page.button(key="components.train").click().run()
    assert page.title[0].value == "Train"
    sound(page)
    assert page.selectbox(key="train.base").value == "tiny-t5"
    assert page.text_input(key="train.sparsefit.cells").value == "encoder.0.ffn, decoder.1.ffn"
    assert "cells" in page.code[-1].value


def test_the_browser_is_told_every_cell_by_name_and_size():
    found = component_map.shipped_map("tiny-t5")
    data = picker_component.map_data(found)
    cells = [c for stack in data["stacks"] for row in stack["rows"] for c in row["cells"] if c]
    assert {cell["name"] for cell in [*cells, *data["words"]]} == set(found.sizes)
    assert cells[0]["words"] == "Encoder, layer 1, layer norm: 384 numbers"
    assert set(data["on"]) < set(found.sizes)


def preset_runs(names=SHIPPED_PRESETS):
    for spec in planned(names):
        whole = spec.model_dump(exclude={"base", "task", "method"})
        make_run("sparsefit", spec.task, spec.base, **whole)


def planned(names=SHIPPED_PRESETS):
    around = grid.subset_spec("tiny-t5", "miniworld_nli", {})
    subsets = grid.build_subset_grid("presets", around, cache.run_store()).cells
    return [one.spec for one in subsets if one.name in names]


def test_a_grid_draws_what_is_done_and_trains_the_rest_as_one_job():
    preset_runs(SHIPPED_PRESETS[:3])
    page = open_page("components", "Grid")
    heat, front, pairs = charts(page)
    assert [name.partition("<br>")[0] for name in heat["layout"]["yaxis"]["ticktext"]] == [
        *SHIPPED_PRESETS[:3]
    ]
    assert "3 to 5" not in pairs["layout"]["title"]["text"]
    assert "4 seeds" in pairs["layout"]["title"]["text"]
    assert "4 seeds" in front["layout"]["title"]["text"]
    assert "0.125 at best" in words(page)
    page.button(key="components.train.presets").click().run()
    (work,) = SweepJob.list_all()
    assert {one.id for one in work.request.specs()} == {one.id for one in planned()}
    (bar,) = sound(page).get("progress")
    assert "3 of 5 runs trained, 0 under way, about 40 s left" in bar.proto.text
    page.button(key="components.stop").click().run()
    assert work.stop_requested()
    work.write_status(state="cancelled", process=None)
    button = sound(page.run()).button(key="components.train.presets")
    assert button.label == "Go on with 2 missing runs"


def test_layers_take_the_map_apart():
    page = open_page("components", "Grid")
    page.segmented_control(key="components.kind").set_value("layers").run()
    assert "Takes apart what is on in the map" in words(sound(page))
    assert page.button(key="components.train.layers").label == "Train 15 missing runs"
    around = grid.subset_spec("tiny-t5", "miniworld_nli", {})
    for one in grid.build_subset_grid("layers", around, cache.run_store()).cells[:5]:
        whole = one.spec.model_dump(exclude={"base", "task", "method"})
        make_run("sparsefit", one.spec.task, one.spec.base, **whole)
    page.run()
    _, layers = charts(sound(page))
    assert [trace["name"] for trace in layers["data"]] == ["Only this layer", "All but this layer"]
    assert layers["layout"]["xaxis"]["ticktext"] == ["Encoder 1", "Encoder 2"]


def test_explanations_are_flagged_taken_apart_and_shown():
    for method in ("lora", "prompt_tuning"):
        make_run(method, population={"seeds": 1})
    page = open_page("components", "Explanations")
    flags, parts, published = charts(page)
    assert {row.partition("<br>")[0] for row in flags["layout"]["yaxis"]["ticktext"]} == {
        "LoRA",
        "Prompt tuning",
    }
    assert len(parts["data"]) == 3
    assert "never learnt to explain" in published["layout"]["title"]["text"]
    assert "False alarms" in words(page)
    shown = page.dataframe[-1].value
    assert (shown["chrf"].iloc[0], shown["Flags"].iloc[0]) == (pytest.approx(100), "")


def test_explanations_without_runs_say_what_to_do():
    assert "No run has explained anything yet" in words(open_page("components", "Explanations"))
