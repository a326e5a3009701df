import shutil

import pytest
import torch
from support.base_folders import edit_json
from support.short_runs import small

from peftcore.errors import BadInput
from peftcore.runs.store import RunStore
from peftcore.system import disk_space
from peftcore.training.checkpoint import load_adapter
from peftcore.training.run_training import execute_run, initialize_from_run


@pytest.mark.parametrize(("base", "task"), [("mine", "miniworld_nli"), ("reader", "miniworld_nli")])
def test_a_run_ends_with_answers_scores_and_an_adapter(own, base, task):
    spec = small(base, task=task)
    run = RunStore().create(spec)
    status = execute_run(run)
    assert status.state == "done"
    assert status.trainable > 0
    assert status.processor_seconds > 0
    assert status.peak_memory > 50_000_000  # torch alone takes more
    assert status.peak_device_memory is None
    answers = run.answers()
    assert sorted(set(answers.seed)) == [0, 1]
    assert len(answers) == 12
    scores = run.scores()
    assert len(scores["accuracy"]) == 2
    for number in (0, 1):
        mine = answers[answers.seed == number]
        assert scores["accuracy"][number] == pytest.approx(mine.correct.mean())
    assert list(run.history().step.unique()) == [0, 2, 4]
    assert run.manifest()["base"]["fingerprint"]
    assert run.manifest()["data_hash"]
    greedy = {"search": "greedy", "beams": 1, "max_new_tokens": 5}
    unused = {"settings_of_the_base_not_used": {}}
    writes = base == "mine"
    assert run.manifest()["decoding"] == (
        greedy | unused if writes else {"search": "likeliest label"}
    )
    assert not (run.folder / "checkpoint.safetensors").exists()


def test_a_run_scores_the_same_whatever_generation_settings_the_base_brings(own, tmp_path):
    """Case A08 (PrimeIntellect-ai/prime-rl#886): said in the manifest, and of no effect."""
    spec = small()
    plain = RunStore(tmp_path / "a").create(spec)
    execute_run(plain)
    edit_json(tmp_path / "mine" / "generation_config.json", no_repeat_ngram_size=1)
    other = RunStore(tmp_path / "b").create(spec)
    execute_run(other)
    assert other.id == plain.id
    assert other.answers().text.to_list() == plain.answers().text.to_list()
    assert other.scores() == plain.scores()
    unused = other.manifest()["decoding"]["settings_of_the_base_not_used"]
    assert unused == {"no_repeat_ngram_size": 1}


def test_a_disk_without_room_for_the_checkpoint_is_named_before_training(own, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=disk_space.RESERVE_BYTES)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    run = RunStore().create(small())
    with pytest.raises(BadInput, match=r"reserve of 100 MB are needed and 100 MB are free"):
        execute_run(run)
    assert run.history().empty


def test_cancelling_keeps_what_was_learnt_and_resuming_gives_the_uninterrupted_result(
    own, tmp_path
):
    spec = small()
    whole = RunStore(tmp_path / "a").create(spec)
    execute_run(whole)
    cut = RunStore(tmp_path / "b").create(spec)
    polls = iter(range(100))
    assert execute_run(cut, stop=lambda: next(polls) >= 3).state == "cancelled"
    assert (cut.folder / "adapter.safetensors").is_file()
    assert execute_run(cut).state == "done"
    read = lambda run: (run.folder / "adapter.safetensors").read_bytes()
    assert read(cut) == read(whole)
    assert cut.scores() == whole.scores()


def test_a_simplex_keeps_what_every_copy_of_dev_said(own):
    run = RunStore().create(small(vertices=3))
    execute_run(run)
    looks = run.validation_copies().groupby(["step", "seed"])
    assert (looks.size() == 10).all()
    dev = run.history().set_index(["step", "seed"]).dev_loss
    assert looks.dev_loss.mean().to_dict() == pytest.approx(dev.to_dict())
    assert (looks.dev_centroid.nunique() == 1).all()
    assert (looks.dev_loss.nunique() == 10).all()


@pytest.mark.parametrize("method", ["prefix_tuning", "lora", "prompt_tuning"])
def test_a_run_can_start_from_the_adapter_of_another(own, method):
    from peftcore.models.base_model import load
    from peftcore.training.planning import build_adapted

    store, base = RunStore(), load("mine")
    first = store.create(small(method=method))
    execute_run(first)
    spec = small(method=method, task="miniworld_sentiment", start=first.id)
    assert spec.id != small(method=method, task="miniworld_sentiment").id
    fresh = build_adapted(base, spec)
    initialize_from_run(fresh, first, base)
    for name, tensor in load_adapter(first, base).tensors.items():
        assert torch.equal(fresh.tensors[name], tensor)
    assert execute_run(store.create(spec)).state == "done"


def test_a_scaled_prompt_passes_on_the_product_to_a_plain_one(own):
    from peftcore.models.base_model import load
    from peftcore.training.planning import build_adapted

    base, first = load("mine"), RunStore().create(small(method="spt"))
    execute_run(first)
    learnt = load_adapter(first, base).tensors
    fresh = build_adapted(base, small(method="prompt_tuning", start=first.id))
    initialize_from_run(fresh, first, base)
    assert torch.equal(fresh.tensors["tokens"], learnt["tokens"] * learnt["scale"])


def test_a_start_that_does_not_fit_is_refused(own):
    from peftcore.models.base_model import load
    from peftcore.training.planning import build_adapted

    base, first = load("mine"), RunStore().create(small(method="lora"))
    with pytest.raises(BadInput, match="has no adapter to start from"):
        small(start=first.id)
    execute_run(first)
    with pytest.raises(BadInput, match="no values that fit Prefix tuning"):
        initialize_from_run(build_adapted(base, small(start=first.id)), first, base)
    with pytest.raises(BadInput, match="trained on mine"):
        small("stranger", start=first.id)


def test_a_run_keeps_the_adapters_it_had_on_its_way(own):
    from peftcore.models.base_model import load

    base, run = load("mine"), RunStore().create(small())
    execute_run(run)
    assert run.intermediate_steps() == [0, 2, 4]
    last = load_adapter(run, base)
    first, final = (load_adapter(run, base, step) for step in (0, 4))
    for name, tensor in last.tensors.items():
        assert not torch.equal(first.tensors[name], final.tensors[name])
        best = [seed["best_step"] for seed in run.status().seeds]
        for seed, step in enumerate(best):
            kept = load_adapter(run, base, step).tensors[name][seed]
            torch.testing.assert_close(kept, tensor[seed], rtol=1e-3, atol=1e-3)
    with pytest.raises(BadInput, match="steps kept: 0, 2, 4"):
        load_adapter(run, base, 3)


@pytest.mark.parametrize(("room", "stride"), [(100, 1), (5, 2), (3, 4), (2, 0)])
def test_a_path_is_thinned_until_it_fits(own, monkeypatch, room, stride):
    from peftcore.models.base_model import load
    from peftcore.training import run_training
    from peftcore.training.planning import build_adapted

    adapted = build_adapted(load("mine"), small())
    size = 2 * sum(t.numel() for t in adapted.tensors.values())
    monkeypatch.setattr(run_training, "PATH_BYTES", room * size)
    assert run_training.path_stride(adapted, 200, 25) == stride
