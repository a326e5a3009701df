"""Specs with every default filled in, and what cannot work refused."""

import json

import pytest
import torch
from support.short_runs import SMALL
from support.tables import own_table

from peftcore import tasks
from peftcore.adapters.base import HEAD_STATS
from peftcore.errors import BadInput
from peftcore.models.base_model import load
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import RunStore
from peftcore.sweeps.grid import vary
from peftcore.training.evaluation import examples_to_answer
from peftcore.training.planning import build_adapted, build_spec, check_spec
from peftcore.training.run_training import execute_run


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


TINY = {"shots": 2, "dev": 2, "steps": 1, "batch": 2, "evaluate_every": 1, "precision": "fp32"}


def rows_of(split, texts):
    return [(split, text, ("yes", "no")[i % 2]) for i, text in enumerate(texts)]


def test_a_row_beyond_the_window_stops_a_run_only_where_the_run_uses_it(own):
    """Case A14 (huggingface/transformers#1726), for training, validation and test rows."""
    base, long, used = load("reader"), "b" * 300, []
    for number in range(6):
        rows = rows_of("train", ["aa", long, "cc", "dd", "ee", "ff"])
        rows += rows_of("validation", ["aa", long, "cc", "dd"])
        rows += rows_of("test", [long, "bb", "cc", "dd", "ee", "ff"])
        task = own_table(rows, name=f"table {number}")
        spec = build_spec("reader", task, "lora", None, {"seeds": 1}, TINY, {"limit": 2})
        episode = tasks.find_task(task).few_shot(2, 0, 2)
        answered = examples_to_answer(tasks.find_task(task), spec.evaluation)
        beyond = [e.id for e in (*episode.train, *episode.dev, *answered) if len(e.source) > 256]
        used.append(bool(beyond))
        if beyond:
            with pytest.raises(BadInput) as refused:
                check_spec(spec, base)
            assert all(name in str(refused.value) for name in beyond)
        elif False in used[:-1]:
            check_spec(spec, base)
        else:
            assert execute_run(RunStore().create(spec), base=base).state == "done"
    assert set(used) == {True, False}


def test_all_used_rows_beyond_the_window_are_named_at_once(own):
    """Case A14: counted, the first ones by name, with the limit."""
    long = [letter * 300 for letter in "abcdefg"]
    rows = rows_of("train", ["aa", "bb"]) + rows_of("validation", ["cc", "dd"])
    task = own_table(rows + rows_of("test", [*long, "ee"]))
    spec = build_spec("reader", task, "lora", None, {"seeds": 1}, TINY)
    with pytest.raises(BadInput) as refused:
        check_spec(spec, load("reader"))
    assert "7 of 12 examples do not fit" in str(refused.value)
    assert str(refused.value).count("needs 302 positions") == 5
    assert "and 2 more, but reader has 256" in str(refused.value)


def test_labels_that_a_base_cannot_write_are_refused_before_training(own):
    """Case A09 (google-research/text-to-text-transfer-transformer#390)."""
    braces = [(s, t, "{" + label + "}") for s, t, label in rows_of("train", "abcdef")]
    task = own_table([*braces, *[("validation", t, label) for _, t, label in braces[:2]],
                      *[("test", t, label) for _, t, label in braces[:2]]])  # fmt: skip
    with pytest.raises(BadInput, match=r"mine cannot write these labels of .*'\{no\}', '\{yes\}'"):
        check_spec(build_spec("mine", task, "lora", None, {"seeds": 1}, TINY), load("mine"))
    reader = build_spec("reader", task, "lora", None, {"seeds": 1}, TINY)
    check_spec(reader, load("reader"))  # a head names them


def test_equal_requests_are_one_run(own):
    rate = build_spec("mine", "miniworld_nli", "lora").training.learning_rate
    asked = build_spec(
        "mine", "miniworld_nli", "lora", {"rank": 8}, training={"learning_rate": rate}
    )
    assert asked.id == build_spec("mine", "miniworld_nli", "lora").id
    assert json.loads(asked.canonical())["settings"]["alpha"] == 16.0


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


def test_settings_that_only_a_simplex_has_make_no_other_run_of_a_single_adapter(own):
    other = build_spec("mine", "miniworld_nli", "lora", None, {"draw": "layer"}, {"copies": 4})
    assert other.id == build_spec("mine", "miniworld_nli", "lora").id
    simplex = [
        build_spec("mine", "miniworld_nli", "lora", None, {"vertices": 2, "draw": draw}).id
        for draw in ("row", "layer")
    ]
    assert simplex[0] != simplex[1]


def test_a_head_is_standardised_on_the_examples_of_its_own_seed(own):
    training = {"shots": 6, "dev": 3}
    spec = build_spec("reader", "miniworld_nli", "lora", None, {"seeds": 2}, training)
    assert spec.training.standardise == "draw"
    base, task = load("reader"), tasks.find_task("miniworld_nli")
    adapted = build_adapted(base, spec)
    batcher = ExampleBatcher(base, task.labels)
    for seed in (0, 1):
        batch = batcher.batch(task.few_shot(6, seed, 3).train)
        with torch.no_grad():
            states = base.model(
                input_ids=batch.input_ids,
                attention_mask=batch.attention_mask,
                token_type_ids=batch.token_type_ids,
            ).last_hidden_state[:, 0]
        mean, scale = (adapted.tensors[name][seed, 0, 0] for name in HEAD_STATS)
        torch.testing.assert_close(mean, states.mean(0))
        torch.testing.assert_close(scale, states.std(0).clamp(min=1e-3))
    assert not {*HEAD_STATS} & adapted.trainable_tensors.keys()


def test_a_single_example_centres_a_head_and_does_not_scale_it(own):
    spec = build_spec("reader", "miniworld_nli", "lora", training={"shots": 1, "dev": 3})
    scale = build_adapted(load("reader"), spec).tensors["head_scale"]
    assert torch.equal(scale, torch.ones_like(scale))


def test_runs_of_earlier_versions_keep_their_ids_and_their_heads(own):
    spec = build_spec("reader", "miniworld_nli", "lora", training={"shots": 6, "dev": 3})
    stored = spec.model_dump(mode="json")
    del stored["training"]["standardise"]
    old = RunSpec.make(stored)
    assert old.training.standardise == "split"
    assert old.id != spec.id
    assert "standardise" not in old.canonical()
    first, second = build_adapted(load("reader"), old).tensors["head_mean"][:2]
    assert torch.equal(first, second)  # one for all seeds
    asked = build_spec(
        "reader", "miniworld_nli", "lora", training=stored["training"] | {"standardise": "split"}
    )
    assert asked.id == old.id
    # A grid around an old run stays with it; a base without a head has nothing to say of one.
    assert vary(old, {"training.steps": 7}).training.standardise == "split"
    assert vary(old, {"base": "mine", "method": "lora"}).training.standardise == "split"
    assert build_spec("mine", "miniworld_nli", "lora").training.standardise == "split"
