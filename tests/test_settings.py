"""Ids: what decides them, and that those given so far stay what they are."""

import json

import pytest
from pydantic import Field

from peftcore import paths
from peftcore.adapters.base import METHODS
from peftcore.jobs.background import JobRequest
from peftcore.labs.atoms import request as atoms
from peftcore.labs.landscape import request as landscape
from peftcore.runs.spec import Evaluation, Members, RunSpec, Training
from peftcore.settings import Settings

IDS = {  # method → id of a run with its default settings, as they were when ids were hand-listed
    "atoms": "12ed67b8afa1",
    "bitfit": "01af2bafdae3",
    "block_atoms": "fc2ceef93375",
    "bottleneck": "45bdae091872",
    "full_fine_tuning": "5210dadeafe8",
    "ia3": "594f377de181",
    "linear_probe": "7c26d7af27c0",
    "lora": "5d19f309d1d6",
    "prefix_tuning": "57d010a26182",
    "prompt_tuning": "60e6ebc9c7e7",
    "sparsefit": "05e519e71894",
    "spt": "ec41f077521e",
}


def plain(method, **more):
    settings = METHODS[method].Config().model_dump(mode="json")
    return RunSpec(base="b", task="t", method=method, settings=settings, **more)


@pytest.mark.parametrize("method", IDS)
def test_the_id_of_default_settings_stays_what_it_was(method):
    assert plain(method).id == IDS[method]


def test_every_shipped_run_lies_in_the_folder_of_its_id():
    specs = list(paths.ASSETS.glob("**/spec.json"))
    assert specs
    for path in specs:
        assert RunSpec.make(json.loads(path.read_text())).id == path.parent.name


@pytest.mark.parametrize(
    ("folder", "kind"), [("landscapes", landscape.LandscapeRequest), ("atoms", atoms.AtomsRequest)]
)
def test_every_shipped_measurement_lies_in_the_folder_of_its_id(folder, kind):
    asks = list((paths.ASSETS / folder).glob("*/ask.json"))
    assert asks
    for path in asks:
        assert kind.make(json.loads(path.read_text())).id == path.parent.name


@pytest.mark.parametrize("part", [Members, Training, Evaluation, RunSpec])
def test_a_new_field_of_a_run_leaves_its_id_alone_until_it_is_set(part):
    class Wider(part):
        added: float = Field(0.5, description="New")

    if part is RunSpec:
        new = lambda **values: Wider(**plain("lora").model_dump(), **values)
    else:
        name = {Members: "population"}.get(part, part.__name__.lower())  # as it is stored
        new = lambda **values: plain("lora", **{name: Wider(**values)})
    assert new().id == IDS["lora"] == new(added=0.5).id
    assert new(added=0.6).id != IDS["lora"]


@pytest.mark.parametrize("method", IDS)
def test_a_new_setting_of_a_method_leaves_ids_alone_until_it_is_set(method, monkeypatch):
    class Config(METHODS[method].Config):
        added: tuple[str, ...] = Field((), description="New")

    monkeypatch.setattr(METHODS[method], "Config", Config)
    assert plain(method).settings["added"] == []
    assert plain(method).id == IDS[method]
    spec = plain(method)
    changed = spec.model_copy(update={"settings": spec.settings | {"added": ["x"]}})
    assert changed.id != IDS[method]


def test_a_setting_of_a_retired_method_is_part_of_the_id():
    assert plain("lora").model_copy(update={"method": "gone"}).canonical_values()["settings"] == {
        "first_layer": 0,
        "last_layer": None,
        "rank": 8,
        "alpha": 16.0,
        "components": ["attention.query", "attention.value", "cross.query", "cross.value"],
        "stacks": ["decoder"],
    }


def test_a_new_field_of_a_measurement_leaves_its_id_alone_until_it_is_set():
    class Wider(JobRequest):
        added: int = Field(3, description="New")

    assert Wider(runs=("a",)).id == JobRequest(runs=("a",)).id
    assert Wider(runs=("a",), added=4).id != JobRequest(runs=("a",)).id


def test_the_fields_that_are_always_hashed_exist():
    parts = [Members, Training, Evaluation, RunSpec, *(m.Config for m in METHODS.values())]
    for part in parts:
        assert set(part.model_fields) >= part.ALWAYS_HASHED


def test_settings_inside_settings_are_hashed_by_their_own_rule():
    class Inner(Settings):
        ALWAYS_HASHED = frozenset({"old"})
        old: int = 1
        new: int = 2

    class Outer(Settings):
        inner: Inner = Inner()

    assert Outer().canonical() == "{}"
    assert Outer(inner=Inner(new=3)).canonical() == '{"inner": {"new": 3, "old": 1}}'
