import pytest
import torch
from support.bases import build_tiny

from peftcore.errors import BadInput
from peftcore.models.base_model import load
from peftcore.runs.store import RunStore
from peftcore.sweeps import seed_shards
from peftcore.system import atomic_files
from peftcore.training.checkpoint import load_adapter
from peftcore.training.planning import build_spec
from peftcore.training.run_training import execute_run

SMALL = {
    "copies": 2,
    "shots": 9,
    "dev": 6,
    "steps": 4,
    "batch": 3,
    "evaluate_every": 2,
    "precision": "fp32",
}


@pytest.fixture
def own(tmp_path, monkeypatch):
    for name, family in (("mine", "t5"), ("reader", "bert")):
        base = build_tiny(family)
        base.model.save_pretrained(tmp_path / name)
        base.tokenizer.save_pretrained(tmp_path / name)
    monkeypatch.setenv("PEFTCORE_MODELS", str(tmp_path))


def spec(base="mine", method="lora", seeds=4, first=3, vertices=1, **training):
    population = {"seeds": seeds, "first_seed": first, "vertices": vertices}
    evaluation = {"limit": 6, "max_new_tokens": 5}
    return build_spec(base, "miniworld_nli", method, None, population, SMALL | training, evaluation)


def trained_parts(store, whole, most):
    parts = [
        seed_shards.shard_store(store).create(part)
        for part in seed_shards.split_into_shards(whole, most)
    ]
    for part in parts:
        execute_run(part)
    return parts


def test_a_spec_is_split_by_seeds_and_nothing_else(own):
    whole = spec(seeds=5, vertices=2)
    parts = seed_shards.split_into_shards(whole, 2)
    assert [p.population.seed_numbers() for p in parts] == [[3, 4], [5, 6], [7]]
    assert all(p.population.vertices == 2 and p.training == whole.training for p in parts)
    assert (
        seed_shards.split_into_shards(whole) == seed_shards.split_into_shards(whole, 5) == [whole]
    )
    started = whole.model_copy(update={"start": "0123456789ab"})
    assert seed_shards.split_into_shards(started, 2) == [started]
    with pytest.raises(BadInput, match="at least one seed"):
        seed_shards.split_into_shards(whole, 0)


@pytest.mark.parametrize(
    ("base", "method", "vertices"),
    [("mine", "prefix_tuning", 2), ("mine", "atoms", 1), ("reader", "lora", 1)],
)
def test_two_parts_of_two_seeds_are_a_run_of_four(own, tmp_path, base, method, vertices):
    whole = spec(base, method, vertices=vertices)
    one = RunStore(tmp_path / "one" / "runs").create(whole)
    execute_run(one)
    store = RunStore(tmp_path / "two" / "runs")
    joined = seed_shards.join_shards(store, whole, trained_parts(store, whole, 2))
    assert [run.id for run in store.all(include_demos=False)] == [whole.id]
    status, expected = joined.status(), one.status()
    assert status.state == "done"
    assert (status.step, status.steps, status.trainable) == (4, 4, expected.trainable)
    assert [s["seed"] for s in status.seeds] == [3, 4, 5, 6]
    assert [s["best_step"] for s in status.seeds] == [s["best_step"] for s in expected.seeds]
    assert joined.scores().keys() == one.scores().keys()
    for name, values in one.scores().items():
        assert joined.scores()[name] == pytest.approx(values, abs=1e-5, nan_ok=True)
    assert (
        joined.answers().drop(columns="references").equals(one.answers().drop(columns="references"))
    )
    model = load(base)
    for step in (None, *one.intermediate_steps()):
        there, here = load_adapter(one, model, step), load_adapter(joined, model, step)
        slack = 2e-5 if step is None else 1e-3  # the path is kept in half precision
        for name, tensor in there.tensors.items():
            found = here.tensors[name]
            torch.testing.assert_close(found, tensor, rtol=1e-4, atol=slack)
    assert joined.intermediate_steps() == one.intermediate_steps() != []
    keys = ["step", "seed", "train_loss", "dev_loss", "learning_rate"]
    assert joined.history()[keys].round(4).equals(one.history()[keys].round(4))
    assert joined.validation_copies().round(4).equals(one.validation_copies().round(4))
    assert len(joined.manifest()["parts"]) == 2
    assert joined.manifest()["data_hash"] == one.manifest()["data_hash"]


def test_what_is_no_part_or_not_done_or_saw_other_data_is_refused(own, tmp_path):
    whole = spec()
    store = RunStore(tmp_path / "runs")
    first, second = trained_parts(store, whole, 2)
    with pytest.raises(BadInput, match="not its parts in order"):
        seed_shards.join_shards(store, whole, [second, first])
    with pytest.raises(BadInput, match="not its parts in order"):
        seed_shards.join_shards(store, whole, [first])
    other = [
        seed_shards.shard_store(store).create(p)
        for p in seed_shards.split_into_shards(spec(steps=3), 2)
    ]
    with pytest.raises(BadInput, match="not its parts in order"):
        seed_shards.join_shards(store, whole, other)
    second.write_status(state="cancelled")
    with pytest.raises(BadInput, match="is cancelled; join it once it is done"):
        seed_shards.join_shards(store, whole, [first, second])
    second.write_status(state="done")
    manifest = atomic_files.read_json(second.folder / "manifest.json")
    second.write_manifest(manifest | {"data_hash": "other"})
    with pytest.raises(BadInput, match="different data"):
        seed_shards.join_shards(store, whole, [first, second])
    assert store.find(whole).status().state == "failed"
    second.write_manifest(manifest)
    assert seed_shards.join_shards(store, whole, [first, second]).status().state == "done"
