"""The runs of every set of runs stay the runs they are: results are found again by these ids."""

import hashlib

import pytest
from support.runs import make_run, write_adapter

from peftcore.experiments import demo_runs, studies
from peftcore.labs.atoms import request as atoms
from peftcore.labs.components import grid as component_grid
from peftcore.labs.images import demo_runs as image_runs
from peftcore.labs.landscape import request as landscape
from peftcore.labs.scaling import ablations
from peftcore.runs.store import RunStore
from peftcore.sweeps import learning_rate
from peftcore.sweeps import spec as sweep_spec
from peftcore.training.planning import build_spec

SPARSEFIT = {"components": ("layernorm", "attention.query"), "first_layer": 1}
SWEEP = {
    "bases": ["tiny-t5", "tiny-gpt"],
    "tasks": ["miniworld_nli", "miniworld_venues"],
    "methods": [
        "spt",
        {"method": "prefix_tuning", "settings": {"length": [2, 3]}, "vertices": 3},
        {"method": "lora", "settings": {"stacks": [["decoder"]]}, "training": {"warmup": [0, 0.1]}},
    ],
    "episodes": {"seeds": 5, "draw": ["row", "layer"]},
    "training": {"learning_rate": [0.01, 0.02], "steps": 30},
    "evaluation": {"limit": [10, 20]},
    "chunk": 2,
}


def around(method="spt", task="miniworld_nli", start="", **settings):
    """A run's spec in which nothing is at its default."""
    training = {"shots": 24, "steps": 60, "learning_rate": 0.03, "validation": "deterministic"}
    members = {"seeds": 3, "vertices": 2, "first_seed": 7, "draw": "layer"}
    evaluation = {"limit": 24, "beams": 2}
    spec = build_spec("tiny-t5", task, method, settings, members, training, evaluation)
    return spec.model_copy(update={"start": start})


def ablation(name, spec):
    tasks = ("miniworld_nli", "miniworld_venues", "miniworld_sentiment")
    return ablations.build_ablation(name, spec, RunStore(), tasks).specs


def subsets(kind, spec):
    return component_grid.build_subset_grid(kind, spec, RunStore()).specs


def atom_path(setting):
    start = make_run("atoms")
    write_adapter(start)
    spec = around("atoms", atoms=4, threshold=0.7, l1=0.2, components=["cross.value"])
    specs = [spec for _, spec in atoms.specs_along(spec, setting, ())]
    specs += [spec for _, spec in atoms.specs_along(spec, setting, (3, 2), start.id)]
    return specs + [
        one for f in (atoms.lora_spec, atoms.dense_spec) for one in (f(spec), f(spec, start.id))
    ]


def sweep(values):
    cells = sweep_spec.Sweep.make(values).cells()
    return [spec for cell in cells for spec in (cell.spec, *cell.shards)]


def vertices():
    start = make_run("lora")
    write_adapter(start)
    return landscape.specs_by_vertices(around("lora", start=start.id))


SETS = {
    "encoder": lambda: studies.find("encoder").grid().specs,
    "methods": lambda: studies.find("methods").grid().specs,
    "shots": lambda: studies.find("shots").grid().specs,
    "questions": lambda: studies.find("questions").grid().specs,
    "restaurants": lambda: studies.find("restaurants").grid().specs,
    "variants": lambda: ablation("variants", around(share="feature", length=7)),
    "variants of plain": lambda: ablation("variants", around("prompt_tuning")),
    "lengths": lambda: ablation("lengths", around(length=7, scale_rate=0.2)),
    "training examples": lambda: ablation("shots", around(start="0123456789ab")),
    "transfer": lambda: ablation("transfer", around(start="0123456789ab")),
    "presets": lambda: subsets("presets", around("sparsefit", **SPARSEFIT)),
    "kinds": lambda: subsets("kinds", around("sparsefit", **SPARSEFIT)),
    "layers": lambda: subsets("layers", around("sparsefit", **SPARSEFIT)),
    "sweep": lambda: sweep(SWEEP),
    "rates": lambda: learning_rate.search_specs(around("lora")),
    "given rates": lambda: learning_rate.search_specs(around("lora"), [0.1, 1.0], 30),
    "vertices": vertices,
    "threshold": lambda: atom_path("threshold"),
    "l1": lambda: atom_path("l1"),
    "top_k": lambda: atom_path("top_k"),
    "demo runs": demo_runs.demo_specs,
    "study runs": lambda: demo_runs.study_specs(RunStore()),
    "image runs": image_runs.shipped_specs,
}
IDS = {  # set of runs → digest of their ids in order, as each was built by code of its own
    "encoder": "112 runs, cb7f4563ace51a24",
    "methods": "22 runs, 63e4e1d71da230ab",
    "shots": "10 runs, 864027e231a4fa98",
    "questions": "5 runs, 2b99b119a5650f05",
    "restaurants": "4 runs, d257efc08ef37a0b",
    "variants": "6 runs, 1c67e4cd356062a0",
    "variants of plain": "6 runs, 7d513353d3d286eb",
    "lengths": "10 runs, 49e3267372384c5c",
    "training examples": "8 runs, 594881b01c0f3556",
    "transfer": "12 runs, d81900275aadbbdd",
    "presets": "5 runs, 7e764a3612b460bb",
    "kinds": "14 runs, ca9b0d1681496ddf",
    "layers": "11 runs, 4be0da0188bcbd82",
    "sweep": "448 runs, 8043134297c6523f",
    "rates": "5 runs, 241acf1795f29036",
    "given rates": "2 runs, 681c7d8fb728f5ac",
    "vertices": "5 runs, 88b12a0c8bba201f",
    "threshold": "11 runs, f0e783be7b909a32",
    "l1": "10 runs, cd3e3ab0c21a9c2d",
    "top_k": "9 runs, 9d5e165064a88b1c",
    "demo runs": "17 runs, 1a3dc5bf6f93d16c",
    "study runs": "25 runs, 6a3f067d4208280f",
    "image runs": "17 runs, dcc9794d7a821e07",
}


@pytest.mark.parametrize("name", SETS)
def test_the_ids_of_a_set_of_runs_stay_what_they_were(name, home):
    ids = [spec.id for spec in SETS[name]()]
    digest = hashlib.sha256(" ".join(ids).encode()).hexdigest()[:16]
    assert f"{len(ids)} runs, {digest}" == IDS[name]


@pytest.mark.parametrize(
    ("kind", "job"),
    [("presets", "b90df2744746"), ("kinds", "1178c61c21dc"), ("layers", "6ac9a02f4300")],
)
def test_the_job_of_a_component_grid_stays_in_its_folder(kind, job):
    spec = around("sparsefit", **SPARSEFIT)
    assert (
        component_grid.grid_job(component_grid.build_subset_grid(kind, spec, RunStore())).id == job
    )
