"""Grids of subsets of components: shown, started and stopped."""

from support.pages import charts, open_page, sound, words
from support.runs import make_run

from app.state import cache
from peftcore.labs.components import grid
from peftcore.labs.components.grid import SHIPPED_PRESETS
from peftcore.sweeps.spec import SweepJob


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
    assert pairs["layout"]["title"]["text"] == "Row against column, in points"
    assert "from 4 seeds" in words(page)
    assert "4 seeds" in front["layout"]["title"]["text"]
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
    assert layers["layout"]["xaxis"]["ticktext"] == ["1", "2"]
    assert layers["layout"]["xaxis"]["title"]["text"] == "Layer of the encoder"
