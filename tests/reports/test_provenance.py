"""The commands of a report make its runs again, and nothing about this machine is told."""

import shlex

import pytest
from support.runs import make_run

from peftcore import paths
from peftcore.cli import options
from peftcore.models import catalog
from peftcore.reports import provenance
from peftcore.runs.store import RunStore

SHIPPED = [
    run
    for folder in ("demo_runs", "sweep_runs", "component_runs", "study_runs", "ladder_runs")
    for run in RunStore(paths.ASSETS / folder).all(include_demos=False)
]


def spec_of(command):
    """Build the spec that a `train` line asks for, as the command does."""
    words = shlex.split(command)
    assert words[:4] == ["python", "-m", "peftcore", "train"]
    values, sets = {}, []
    for name, value in zip(words[4::2], words[5::2], strict=True):
        if name == "--set":
            sets.append(value)
        else:
            values[name.removeprefix("--").replace("-", "_")] = value
    numbers = {"shots": int, "seeds": int, "steps": int, "vertices": int, "learning_rate": float}
    values = {name: numbers.get(name, str)(value) for name, value in values.items()}
    return options.spec_from_options(sets=sets, **values)


@pytest.mark.parametrize("run", SHIPPED, ids=lambda run: f"{run.folder.parent.name} {run.id}")
def test_the_command_of_a_shipped_run_asks_for_that_run(run):
    if not catalog.is_at_hand(run.spec.base):
        pytest.skip(f"needs the converted base {run.spec.base}")
    assert spec_of(provenance.train_command(run)).id == run.id


def test_words_with_spaces_and_quotes_arrive_as_they_were():
    text = "it's <b>bold</b> && rm -rf"
    settings = {"length": 3, "start": "text", "text": text}
    run = make_run("prompt_tuning", settings=settings)
    assert spec_of(provenance.train_command(run)).settings["text"] == text


def test_a_run_that_was_trained_elsewhere_has_no_command():
    run = make_run("lora")
    run.write_manifest({"imported": {"notes": []}})
    assert provenance.train_command(run) == ""
    assert provenance.run_facts(run)["Trained elsewhere"] == "imported"


def test_facts_are_hashes_seeds_and_versions_and_gaps_are_left_out():
    facts = provenance.run_facts(make_run("lora", population={"seeds": 1, "first_seed": 7}))
    assert (facts["Data, hash"], facts["Base, hash"], facts["Seeds"]) == ("d0", "f0", "7")
    assert facts["Packages"] == "sacrebleu 2.6.0"
    assert not {"Device", "Starts from run"} & facts.keys()


def test_the_program_says_its_version_and_not_where_it_lies():
    assert provenance.program_version().startswith("Adapter Lab 0.")
    assert str(paths.ROOT) not in provenance.program_version()


def test_without_git_there_is_a_version_all_the_same(monkeypatch):
    monkeypatch.setenv("PATH", "")
    provenance.program_version.cache_clear()
    found = provenance.program_version()
    provenance.program_version.cache_clear()
    assert "commit" not in found
    assert found.startswith("Adapter Lab 0.")
