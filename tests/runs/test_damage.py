"""One damaged run is named with what helps, and takes no other down."""

import json
import os
import shutil

import pytest
from support.commands import call, printed, refused
from support.pages import open_page, sound, words

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.runs.store import RunStore


def as_folder(file):
    file.unlink()
    file.mkdir()


def changed(file, **values):
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def cut(file):
    file.write_bytes(file.read_bytes()[:300])


DAMAGES = {
    "status is a folder": ("status.json", as_folder, "status.json is no file"),
    "spec is a folder": ("spec.json", as_folder, "spec.json is no file"),
    "manifest is a folder": ("manifest.json", as_folder, "manifest.json is no file"),
    "spec is cut": ("spec.json", cut, "spec.json is cut off"),
    "status is a list": ("status.json", lambda f: f.write_text("[1]"), "holds no object"),
    "status is evil": ("status.json", lambda f: changed(f, state="evil"), "the state 'evil'"),
    "seeds are a number": ("status.json", lambda f: changed(f, seeds=3), "no list of seeds"),
    "scores of a number": ("scores.json", lambda f: f.write_text('{"m": 1}'), "for 'm'"),
    "scores of words": ("scores.json", lambda f: f.write_text('{"m": ["x"]}'), "for 'm'"),
    "scores are cut": ("scores.json", lambda f: f.write_text('{"acc'), "scores.json is cut off"),
    "deep nesting": ("manifest.json", lambda f: f.write_text("[" * 100_000), "manifest.json"),
    "answers are cut": ("answers.parquet", cut, "answers.parquet is cut off"),
    "adapter is cut": ("adapter.safetensors", cut, "adapter.safetensors"),
}


@pytest.fixture
def two_runs(home):
    """A run to damage and one that stays whole, on the same spec's files."""
    store = RunStore()
    store.folder.mkdir(parents=True)
    sources = [
        run
        for run in RunStore(paths.ASSETS / "demo_runs").all()
        if run.spec.method in ("lora", "spt")
    ]
    for source in sources[:2]:
        shutil.copytree(source.folder, store.folder / source.id)
    return store, sources[0].id, sources[1].id


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_run_is_named_and_hides_no_other(two_runs, name):
    store, bad, good = two_runs
    file, harm, words = DAMAGES[name]
    harm(store.folder / bad / file)
    own = RunStore(store.folder, demo_folder=store.folder / "none")
    assert [run.id for run in own.all()] == [good]
    assert words in own.damaged()[bad]
    with pytest.raises(BadInput, match="set-aside"):
        own.open(bad)
    assert own.table()["run"].unique().tolist() == [good]


def test_what_is_damaged_can_be_set_aside_and_trained_again(two_runs):
    store, bad, good = two_runs
    spec = store.open(bad).spec
    cut(store.folder / bad / "answers.parquet")
    with pytest.raises(BadInput, match="set-aside"):
        RunStore(store.folder, demo_folder=store.folder / "none").create(spec)
    listed = call("runs")
    assert listed.exit_code == 0
    assert f"Left out: run {bad}, answers.parquet is cut off" in listed.stderr
    where = printed("set-aside", bad)["folder"]
    assert (store.folder.parent / "damaged_runs" / bad / "answers.parquet").is_file()
    assert where.endswith(bad)
    assert store.damaged() == {}
    assert store.create(spec, include_demos=False).status().state == "queued"
    assert "is not damaged" in refused("set-aside", good)
    assert "no damaged run" in refused("set-aside", "../x")


def test_a_run_in_the_making_is_not_damaged_and_a_torn_spec_is_made_whole(home):
    store = RunStore()
    source = RunStore(paths.ASSETS / "demo_runs").all()[0]
    folder = store.folder / ("a" * 12)
    folder.mkdir(parents=True)
    assert store.damaged() == {}
    os.utime(folder, (0, 0))
    assert store.damaged() == {"a" * 12: "spec.json is missing"}
    run = store.create(source.spec, include_demos=False)
    (run.folder / "spec.json").write_text('{"base": "ti')
    assert store.create(source.spec, include_demos=False).spec == source.spec
    assert run.id not in store.damaged()


def test_the_runs_page_offers_to_set_it_aside(two_runs):
    store, bad, _ = two_runs
    cut(store.folder / bad / "answers.parquet")
    page = open_page("runs")
    assert f"Run {bad} is left out: answers.parquet is cut off" in words(page)
    sound(page.button(f"runs.aside.{bad}").click().run())
    assert f"Run {bad} is left out" not in words(page)
