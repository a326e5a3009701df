import json

import pytest
import torch
from support.bases import build_tiny

from peftcore import tasks
from peftcore.errors import BadInput
from peftcore.runs.store import RunStore
from peftcore.training.checkpoint import load_adapter, save_adapter
from peftcore.training.planning import build_spec, estimate_cost
from peftcore.training.predict import PAIR_SEPARATOR, answer_base, answer_texts
from peftcore.training.run_training import execute_run, initialize_from_run

SMALL = {"shots": 9, "dev": 6, "steps": 4, "batch": 3, "evaluate_every": 2, "precision": "fp32"}


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Random bases "mine" (T5), "reader" (BERT) and "stranger" (T5 with other weights)."""
    for name, family, seed in (("mine", "t5", 0), ("reader", "bert", 0), ("stranger", "t5", 1)):
        base = build_tiny(family, seed)
        base.model.save_pretrained(tmp_path / name)
        base.tokenizer.save_pretrained(tmp_path / name)
    monkeypatch.setenv("PEFTCORE_MODELS", str(tmp_path))


def small(
    base="mine", method="prefix_tuning", task="miniworld_nli", start="", vertices=1, **evaluation
):
    return build_spec(
        base, task, method, None, {"seeds": 2, "vertices": vertices}, SMALL,
        {"limit": 6, "max_new_tokens": 5} | evaluation, start,
    )  # fmt: skip


@pytest.mark.parametrize(("base", "task"), [("mine", "miniworld_nli"), ("reader", "miniworld_nli")])
def test_a_run_ends_with_answers_scores_and_an_adapter(own, base, task):
    spec = small(base, task=task)
    run = RunStore().create(spec)
    status = execute_run(run)
    assert status.state == "done"
    assert status.trainable > 0
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
    assert not (run.folder / "checkpoint.safetensors").exists()


@pytest.mark.parametrize("base", ["mine", "reader"])
def test_a_saved_adapter_gives_the_answers_of_the_run(own, base):
    from peftcore.models.base_model import load

    run = RunStore().create(small(base, task="miniworld_sentiment"))
    execute_run(run)
    adapted = load_adapter(run, load(base))
    answers = run.answers()
    rows = {row.id: row for row in tasks.find_task("miniworld_sentiment").load("test")}
    for seed in (0, 1):
        mine = answers[answers.seed == seed]
        typed = [
            PAIR_SEPARATOR.join(rows[i].parts) if base == "reader" else rows[i].source
            for i in mine.example
        ]
        assert answer_texts(run, adapted, typed, seed_index=seed) == list(mine.text)


def test_an_adapter_is_refused_on_another_base_of_the_same_shape(own):
    from peftcore.models.base_model import load

    run = RunStore().create(small())
    execute_run(run)
    with pytest.raises(BadInput, match="same shape is not the same model"):
        load_adapter(run, load("stranger"))


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


def test_what_cannot_work_is_refused_with_the_reason(own):
    with pytest.raises(BadInput, match="reads but cannot write"):
        build_spec("reader", "miniworld_venues", "prefix_tuning")
    with pytest.raises(BadInput, match="needs a base of kind encoder"):
        build_spec("mine", "miniworld_nli", "linear_probe")
    with pytest.raises(BadInput, match=r"shots must lie in \[1, 5000\]; got 0"):
        build_spec("mine", "miniworld_nli", "lora", training={"shots": 0})


def test_a_prompt_and_text_longer_than_the_window_are_refused_before_training(own):
    spec = build_spec(
        "reader", "miniworld_nli", "prompt_tuning", {"length": 200}, {"seeds": 1}, SMALL
    )
    with pytest.raises(BadInput, match="reader has 256: shorten the text or the prompt"):
        execute_run(RunStore().create(spec))


def test_equal_requests_are_one_run(own):
    rate = build_spec("mine", "miniworld_nli", "lora").training.learning_rate
    asked = build_spec(
        "mine", "miniworld_nli", "lora", {"rank": 8}, training={"learning_rate": rate}
    )
    assert asked.id == build_spec("mine", "miniworld_nli", "lora").id
    assert json.loads(asked.canonical())["settings"]["alpha"] == 16.0


def test_an_estimate_states_exact_numbers(own):
    from peftcore.models.base_model import load

    found = estimate_cost(small(), load("mine"))
    sites, heads, length, width = 6, 2, 10, 8
    assert found.trainable == sites * 2 * heads * length * width
    assert found.total == build_tiny("t5").parameter_count
    assert found.seconds > 0


def test_typed_text_is_answered_by_the_untouched_base_or_refused():
    assert isinstance(answer_base(build_tiny("t5"), ["hello"], 4)[0], str)
    with pytest.raises(BadInput, match="cannot write"):
        answer_base(build_tiny("bert"), ["hello"])
    with pytest.raises(BadInput, match="type a text first"):
        answer_base(build_tiny("t5"), [" "])


def test_a_method_learns_at_the_rate_that_suits_the_kind_of_base(own):
    on_writer = build_spec("mine", "miniworld_nli", "lora").training.learning_rate
    on_reader = build_spec("reader", "miniworld_nli", "lora").training.learning_rate
    assert (on_writer, on_reader) == (0.005, 0.002)
    assert (
        build_spec(
            "reader", "miniworld_nli", "lora", training={"learning_rate": 0.1}
        ).training.learning_rate
        == 0.1
    )


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


def test_exact_zeros_are_not_stored(own):
    from safetensors import safe_open

    from peftcore.models.base_model import load

    base, run = load("mine"), RunStore().create(small(method="lora"))
    execute_run(run)
    adapted = load_adapter(run, base)
    full = (run.folder / "adapter.safetensors").stat().st_size
    name = next(iter(adapted.tensors))
    kept = torch.zeros_like(adapted.tensors[name])
    kept.flatten()[::9] = adapted.tensors[name].flatten()[::9].detach()
    adapted.tensors[name].data = kept
    save_adapter(run, adapted, base)
    with safe_open(run.folder / "adapter.safetensors", "pt") as file:
        assert name not in file.keys()  # noqa: SIM118
    assert torch.equal(load_adapter(run, base).tensors[name], kept)
    assert (run.folder / "adapter.safetensors").stat().st_size < full


def test_settings_that_only_a_simplex_has_make_no_other_run_of_a_single_adapter(own):
    other = build_spec("mine", "miniworld_nli", "lora", None, {"draw": "layer"}, {"copies": 4})
    assert other.id == build_spec("mine", "miniworld_nli", "lora").id
    simplex = [
        build_spec("mine", "miniworld_nli", "lora", None, {"vertices": 2, "draw": draw}).id
        for draw in ("row", "layer")
    ]
    assert simplex[0] != simplex[1]


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
