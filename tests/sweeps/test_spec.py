"""What a file of a sweep stands for."""

import json
import os
from pathlib import Path

import pytest
from support.sweeps import TINY

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.sweeps import spec as sweep_spec
from peftcore.sweeps.spec import Sweep

pytestmark = pytest.mark.usefixtures("mine")


def test_lists_stand_for_several_cells_where_the_setting_takes_none():
    asked = Sweep.make(
        TINY
        | {
            "methods": [
                {"method": "lora", "settings": {"rank": [2, 4], "stacks": ["decoder"]}},
                {"method": "lora", "settings": {"stacks": [["encoder"], ["decoder"]]}},
            ],
            "training": {"learning_rate": [0.1, 0.2]},
        }
    )
    found = asked.specs()
    assert len(found) == 2 * 2 + 2 * 2
    assert {s.settings["rank"] for s in found} == {2, 4, 8}
    assert {tuple(s.settings["stacks"]) for s in found} == {("encoder",), ("decoder",)}


def test_equal_cells_are_one_and_know_their_parts():
    asked = Sweep.make(TINY | {"methods": ["lora", {"method": "lora", "settings": {"rank": 8}}]})
    [cell] = asked.cells()
    assert [p.population.seed_numbers() for p in cell.shards] == [[0, 1], [2]]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"methods": ["lorra"]}, "lorra"),
        ({"bases": ["nobody"]}, "nobody"),
        ({"training": {"shots": 0}}, "shots must lie in"),
        ({"training": {"shot": 3}}, "shot"),
        ({"chunk": 0}, "chunk"),
        ({"taskes": ["x"]}, "taskes"),
        ({"methods": [{"method": "lora", "settings": {"rank": []}}]}, "empty list"),
        ({"methods": ["linear_probe"]}, "linear_probe on miniworld_nli with mine"),
    ],
)
def test_what_cannot_be_is_refused_by_name(change, sentence):
    with pytest.raises(BadInput, match=sentence):
        Sweep.make(TINY | change).specs()


def test_who_does_the_work_decides_nothing(tmp_path):
    asked = Sweep.make(TINY)
    assert asked.id == Sweep.make(TINY | {"where": {"engine": "ray", "processes": 3}}).id
    assert asked.id != Sweep.make(TINY | {"chunk": 1}).id
    file = tmp_path / "ask.json"
    file.write_text(json.dumps(asked.model_dump(mode="json")), "utf-8")
    assert sweep_spec.read(file).id == asked.id
    file.write_text("- a list", "utf-8")
    with pytest.raises(BadInput, match="names with values"):
        sweep_spec.read(file)
    file.write_text("a: [", "utf-8")
    with pytest.raises(BadInput, match="is not YAML"):
        sweep_spec.read(file)


def test_the_benchmark_at_full_protocol_is_forty_runs_of_sixty_episodes(monkeypatch, tmp_path):
    (Path(os.environ["PEFTCORE_MODELS"]) / "mine").rename(tmp_path / "t5-large")
    monkeypatch.setenv("PEFTCORE_MODELS", str(tmp_path))
    specs = paths.ASSETS / "specs"
    cells = sweep_spec.read(specs / "feb.yaml").cells()
    assert len(cells) == 4 * 10
    assert len({(cell.spec.task, cell.spec.method) for cell in cells}) == 40
    assert all(cell.spec.population.seed_numbers() == list(range(60)) for cell in cells)
    assert all(len(cell.shards) == 10 for cell in cells)
    small = sweep_spec.read(specs / "feb_miniworld.yaml").cells()
    assert [cell.spec.population.seeds for cell in small] == [60] * 6
    assert {cell.spec.task for cell in small} == {"miniworld_nli"}
