"""Everything that ships opens: runs with their adapters, measurements, figures, toys, ratings."""

import json

import pytest

from peftcore import paths, rating
from peftcore.labs.atoms import request as atoms
from peftcore.labs.atoms.request import AtomsJob
from peftcore.labs.images import results_store
from peftcore.labs.landscape.request import LandscapeJob
from peftcore.labs.toys import results
from peftcore.models import catalog
from peftcore.rating.demo import open_rating_store
from peftcore.runs import zero_shot
from peftcore.runs.store import RunStore
from peftcore.training.checkpoint import load_adapter

FOLDERS = (
    *(
        "demo_runs",
        "real_runs",
        "study_runs",
        "ladder_runs",
        "sweep_runs",
        "component_runs",
        "pictures/runs",
    ),
)
SPECS = [path for folder in FOLDERS for path in sorted((paths.ASSETS / folder).glob("*/spec.json"))]
FIGURES = sorted((paths.ASSETS / "pictures" / "figures").glob("*.json"))
TOYS = sorted((paths.ASSETS / "toys").glob("*.json"))


@pytest.mark.parametrize("path", SPECS, ids=lambda path: f"{path.parts[-3]}-{path.parent.name}")
def test_a_shipped_run_opens(path, bases):
    run = RunStore(path.parents[1], path.parents[1] / "none").open(path.parent.name)
    assert run.spec.id == run.id
    assert run.status().state == "done"
    seeds = run.spec.population.seeds
    assert run.scores()
    assert all(len(values) == seeds for values in run.scores().values())
    assert set(run.answers()["seed"]) == set(run.spec.population.seed_numbers())
    assert set(run.history()["seed"]) == set(run.spec.population.seed_numbers())
    assert run.manifest()["data_hash"]
    base_here = catalog.is_at_hand(run.spec.base)
    assert base_here or path.parts[-3] == "real_runs"
    if base_here and (run.folder / "adapter.safetensors").is_file():
        adapted = load_adapter(run, bases(run.spec.base))
        assert adapted.trainable_count == run.status().trainable


@pytest.mark.parametrize("kind", [LandscapeJob, AtomsJob])
def test_every_shipped_measurement_opens(kind):
    jobs = [job for job in kind.list_all() if job.shipped]
    there = {path.parent.name for path in (paths.ASSETS / kind.FOLDER_NAME).glob("*/ask.json")}
    assert {job.id for job in jobs} == there
    for job in jobs:
        assert job.request.id == job.id
        assert job.status().state == "done"
        assert job.facts["task"]
        assert job.entries()
        if kind is LandscapeJob:
            assert len(job.table()) or len(job.measures())
        elif job.request.kind == "prune":
            assert len(atoms.pruning_curves(job))


@pytest.mark.parametrize("path", FIGURES, ids=lambda path: path.stem)
def test_a_shipped_figure_of_images_opens(path):
    figure = results_store.load_figure(path.stem)
    store = results_store.image_store()
    assert figure["rows"]
    for run_id in path.stem.split("-")[1:]:
        assert store.open(run_id).status().state == "done"


@pytest.mark.parametrize("path", TOYS, ids=lambda path: path.stem)
def test_a_shipped_toy_result_opens(path):
    result = results.StageResult(**json.loads(path.read_text("utf-8")))
    assert result.key == path.stem
    assert all(len(values) == len(result.seeds) for values in result.exact_match.values())
    weights = results.load_weights(path.parent, result.key)
    assert sum(tensor[0].numel() for tensor in weights.values()) >= result.numbers


def test_every_shipped_rating_project_opens():
    book = open_rating_store()
    user = rating.experimenter()
    projects = rating.list_projects(book, user)
    assert len(projects) == len(list((paths.ASSETS / "rating").glob("*.jsonl")))
    for project in projects:
        assert len(rating.item_table(book, user, project.id))
        assert len(rating.verdict_table(book, user, project.id))
    book.close()


def test_what_untouched_bases_answer_belongs_to_shipped_runs():
    shipped = [run for folder in FOLDERS for run in RunStore(paths.ASSETS / folder).all(False)]
    keys = {zero_shot.key_of_run(run) for run in shipped}
    files = sorted((paths.ASSETS / zero_shot.FOLDER).glob("*.json"))
    assert files
    for file in files:
        assert file.stem in keys
        found = zero_shot.find(file.stem)
        assert len(found.examples) == len(found.labels) == len(found.asked) == len(found.mapped)
