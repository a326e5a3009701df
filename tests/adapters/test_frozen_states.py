"""States below the adapter that are computed once."""

import contextlib
import copy

import pytest
import torch
from support.bases import build_tiny

from peftcore.adapters import frozen_states
from peftcore.adapters.base import METHODS
from peftcore.data.task import Episode, Example
from peftcore.labs.common.interpolation import PointEvaluator, at_points, span_of_run
from peftcore.models.base_model import freeze
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.spec import Evaluation, Members, RunSpec
from peftcore.training.planning import build_adapted
from peftcore.training.trainer import Trainer

ROWS = [
    Example("0", "is tea good ?", "yes because tea", "yes", ("is tea good ?",)),
    Example("1", "is the red tea in the box good or bad ?", "no", "no", ("is the tea bad ?",)),
    Example("2", "tea ?", "yes tea", "yes", ("tea ?",)),
]
FAMILIES = ("t5", "bert", "gpt2", "llama")
TOP = {"first_layer": 2}
PREFIX = {"length": 3, "places": ["encoder", "decoder"], **TOP}
IN_ENCODER = {"rank": 2, "stacks": ["encoder"], **TOP}
CASES = [  # family, method, settings, whether all encoder states and whether lower states are kept
    ("t5", "lora", {"rank": 2}, True, False),
    ("t5", "lora", {"rank": 2, **TOP}, True, True),
    ("t5", "lora", IN_ENCODER, False, True),
    ("t5", "prefix_tuning", {"length": 3, "places": ["decoder", "cross"]}, True, False),
    ("t5", "prefix_tuning", {"length": 3, "places": ["decoder", "cross"], **TOP}, True, True),
    ("t5", "prefix_tuning", PREFIX, False, True),
    ("t5", "prompt_tuning", {"length": 3}, False, False),
    ("t5", "spt", {"length": 3}, False, False),
    ("t5", "full_fine_tuning", {}, False, False),
    ("t5", "sparsefit", {"components": ["layernorm.final"], "stacks": ["decoder"]}, True, True),
    ("t5", "sparsefit", {"components": ["attention.relative"]}, False, False),
    ("gpt2", "lora", {"rank": 2}, False, False),
    ("gpt2", "lora", {"rank": 2, **TOP}, False, True),
    ("gpt2", "prefix_tuning", {"length": 3, **TOP}, False, True),
    ("gpt2", "bitfit", {}, False, False),
    ("llama", "lora", {"rank": 2, **TOP}, False, True),
    ("llama", "prefix_tuning", {"length": 3, **TOP}, False, True),
    ("llama", "ia3", TOP, False, True),
    ("llama", "atoms", {"atoms": 4, "l1": 0.1, **TOP}, False, True),
    ("llama", "sparsefit", {"components": ["ffn"], **TOP}, False, True),
    ("llama", "sparsefit", {"components": ["embeddings"]}, False, False),
    ("bert", "linear_probe", {}, True, False),
    ("bert", "lora", {"rank": 2}, False, False),
    ("bert", "lora", {"rank": 2, **TOP}, False, True),
    ("bert", "bottleneck", TOP, False, True),
]
KEPT = [case[:3] for case in CASES if case[3] or case[4]]


@pytest.fixture(scope="module")
def tiny():
    """family → a random base of three layers."""
    made = {}

    def build_deep(family):
        if family not in made:
            base = build_tiny(family)
            config = copy.deepcopy(base.model.config)
            config.num_hidden_layers = config.num_decoder_layers = 3
            with torch.random.fork_rng():
                torch.manual_seed(1)
                made[family] = freeze("deep", type(base.model)(config), base.tokenizer)
        return made[family]

    return build_deep


def build(base, method, settings, seeds=2, vertices=1):
    labels = ("yes", "no") if base.kind == "encoder" else ()
    spec = RunSpec(
        base="x",
        task="miniworld_nli",
        method=method,
        settings=settings,
        population=Members(seeds=seeds, vertices=vertices),
    )
    adapted = build_adapted(base, spec)
    with torch.no_grad():  # away from the start, where most methods change nothing
        for n, tensor in enumerate(adapted.trainable_tensors.values()):
            noise = torch.randn(tensor.shape, generator=torch.Generator().manual_seed(n))
            tensor += 0.3 * noise
    return adapted, ExampleBatcher(base, labels)


def kept(adapted, batcher):
    return frozen_states.FrozenStateBatcher(adapted, batcher, None)


@pytest.mark.parametrize(("family", "method", "settings", "encoder", "lower"), CASES)
def test_only_what_an_adapter_leaves_alone_is_kept(tiny, family, method, settings, encoder, lower):
    adapted, plain = build(tiny(family), method, settings)
    assert (adapted.encoder_untouched, adapted.can_resume) == (encoder, lower)
    chosen = frozen_states.choose_batcher(adapted, plain, None)
    assert isinstance(chosen, frozen_states.FrozenStateBatcher) is (encoder or lower)
    if encoder or lower:
        batch = chosen.batch(ROWS)
        assert (batch.encoder_states is not None, batch.lower_states is not None) == (
            encoder,
            lower,
        )


@pytest.mark.parametrize("method", list(METHODS))
def test_no_method_says_it_enters_later_than_it_does(tiny, method):
    """The states that it says are the base's own are so in a pass with it."""
    for family in FAMILIES:
        base = tiny(family)
        fields = METHODS[method].Config.model_fields
        if base.kind not in METHODS[method].kinds or (method, family) == ("bitfit", "llama"):
            continue
        settings = {n: v for n, v in (("first_layer", 2), ("multiple", 1)) if n in fields}
        adapted, plain = build(base, method, settings)
        chosen = frozen_states.choose_batcher(adapted, plain, None)
        rows = ROWS * adapted.seeds
        found = [adapted.losses(each.batch(rows), adapted.centroid()) for each in (plain, chosen)]
        torch.testing.assert_close(found[1], found[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("family", "method", "settings"), KEPT)
def test_losses_and_gradients_are_those_of_whole_passes(tiny, family, method, settings):
    adapted, plain = build(tiny(family), method, settings)
    rows, reader, found = ROWS * adapted.seeds, kept(adapted, plain), []
    reader.batch(ROWS[::-1])  # computed in other company than it is used in
    for source in (plain, reader):
        losses = adapted.losses(source.batch(rows), adapted.centroid(), with_costs=True)
        grads = torch.autograd.grad(losses.sum(), list(adapted.trainable_tensors.values()))
        found.append((losses.detach(), *grads))
    for whole, ours in zip(*found, strict=True):
        torch.testing.assert_close(ours, whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_layers_below_are_not_run_again(tiny, family):
    adapted, plain = build(tiny(family), "lora", {"rank": 2, **TOP})
    reader, met = kept(adapted, plain), []
    reader.batch(ROWS)
    stack = "decoder." if family == "t5" else ""
    (path,) = [
        block.path
        for block in adapted.base.structure.attention_blocks
        if block.layer == 0 and block.path.startswith(stack) and block.attention_kind != "cross"
    ]
    adapted.model.get_submodule(path).register_forward_pre_hook(
        lambda _, args, given: met.append(len(args[0] if args else given["hidden_states"])),
        with_kwargs=True,
    )
    for _ in range(3):
        adapted.losses(reader.batch(ROWS * 2), adapted.centroid())
    # T5's first layer computes the bias that all others add, for one row; others once, to see
    # that they have nothing to give.
    assert met == ([1] * 3 if family == "t5" else [1])


@pytest.mark.parametrize("family", ["t5", "gpt2", "llama"])
def test_training_of_seeds_in_one_pass_and_side_by_side_is_the_same(tiny, family, monkeypatch):
    found = []
    for keep, together in ((False, 3), (True, 3), (True, 1)):
        adapted, plain = build(tiny(family), "lora", {"rank": 2, **TOP}, seeds=3)
        spec = RunSpec(base="x", task="miniworld_nli", method="lora", population=Members(seeds=3))
        training = spec.training.model_copy(update={"batch": 2, "steps": 3, "precision": "fp32"})
        spec = spec.model_copy(update={"training": training})
        episodes = [Episode(tuple(ROWS), tuple(ROWS[:2]))] * 3
        if not keep:
            monkeypatch.setattr(adapted, "can_resume", False)
        trainer = Trainer(adapted, episodes, plain, spec, together, 2)
        losses = [list(trainer.train_step().values()) for _ in range(3)]
        found.append(torch.tensor([*losses, trainer.evaluate_dev()]))
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_losses_at_points_of_a_landscape_are_those_of_each_alone(tiny, family):
    adapted, plain = build(tiny(family), "lora", {"rank": 2, **TOP}, vertices=3)
    span, points = span_of_run(adapted), torch.tensor([[1.0, 0, 0], [0.2, 0.3, 0.5]])
    found = PointEvaluator(span, 1, ROWS, plain).example_losses(points)
    for point, losses in zip(points, found, strict=True):
        alone = at_points(span, 1, point[None])
        whole = alone.losses(plain.batch(ROWS), torch.ones(1, 1, 1))
        torch.testing.assert_close(losses, whole, rtol=1e-5, atol=1e-5)


def test_each_example_is_run_once_whatever_rides_along(tiny):
    adapted, plain = build(tiny("t5"), "lora", {"rank": 2})
    reader, seen = kept(adapted, plain), []
    hook = adapted.base.model.encoder.register_forward_hook(
        lambda _, args, given, out: seen.append(len(given["input_ids"])), with_kwargs=True
    )
    first = reader.batch([ROWS[0], ROWS[1], ROWS[0]])
    again = reader.batch([ROWS[2], ROWS[0]], with_targets=False)
    hook.remove()
    assert seen == [2, 1]
    torch.testing.assert_close(first.encoder_states[0], first.encoder_states[2])
    length = int(again.attention_mask[1].sum())
    torch.testing.assert_close(again.encoder_states[1, :length], first.encoder_states[0, :length])
    assert not again.encoder_states[0, int(again.attention_mask[0].sum()) :].any()


@contextlib.contextmanager
def encoder_passes(adapted):
    """Every pass of the encoder inside the block, by the number of its rows and tokens."""
    passes = []
    hook = adapted.base.model.encoder.register_forward_pre_hook(
        lambda _, args, given: passes.append(tuple(given["input_ids"].shape)), with_kwargs=True
    )
    yield passes
    hook.remove()


@pytest.mark.parametrize("met", [[0, 1, 2], [2], [1, 2, 0], [2, 2, 1]])
def test_states_are_computed_in_the_company_that_is_planned_whichever_is_met_first(tiny, met):
    adapted, plain = build(tiny("t5"), "lora", {"rank": 2})
    reader, alone = kept(adapted, plain), kept(adapted, plain)
    for source in (reader, alone):
        source.plan([ROWS[:2], ROWS[1:]])  # the second row was planned before: no second time
    wide, narrow = (plain.batch(rows).input_ids.shape for rows in (ROWS[:2], ROWS[2:]))
    with encoder_passes(adapted) as passes:
        found = reader.batch([ROWS[i] for i in met])
    assert set(passes) == {tuple(wide if i < 2 else narrow) for i in met}
    assert len(passes) == len(set(passes))
    for row, i in enumerate(met):
        own = alone.batch([ROWS[i]]).encoder_states[0]
        assert torch.equal(found.encoder_states[row, : len(own)], own)


def test_states_beyond_the_plan_are_computed_with_whom_they_are_met_and_not_kept(tiny):
    adapted, plain = build(tiny("t5"), "lora", {"rank": 2})
    reader = kept(adapted, plain)
    first = plain.batch(ROWS[:1])
    tokens = max(int(first.attention_mask.sum()), first.targets.numel())
    reader.encoder_store.free_bytes = 4 * tokens * adapted.base.structure.width
    reader.plan([ROWS[:1], ROWS[1:]])
    with encoder_passes(adapted) as passes:
        for _ in range(2):
            reader.batch(ROWS)
    assert [rows for rows, _ in passes] == [1, 2, 2]
    assert len(reader.encoder_store.rows) == 1


@pytest.mark.parametrize(("family", "settings"), [("t5", {}), ("llama", TOP)])
def test_what_finds_no_room_is_computed_again(tiny, family, settings):
    adapted, plain = build(tiny(family), "lora", {"rank": 2, **settings})
    name = "lower_states" if settings else "encoder_states"
    plenty = getattr(kept(adapted, plain).batch(ROWS), name)
    reader = kept(adapted, plain)
    for store in (reader.encoder_store, reader.lower_store):
        store.free_bytes = 0
    for _ in range(2):
        torch.testing.assert_close(getattr(reader.batch(ROWS), name), plenty)
    assert not reader.encoder_store.rows
    assert not reader.lower_store.rows


def test_states_of_half_precision_are_kept_in_half_precision(tiny):
    adapted, plain = build(tiny("llama"), "lora", {"rank": 2, **TOP})
    reader = frozen_states.FrozenStateBatcher(adapted, plain, torch.bfloat16)
    batch = reader.batch(ROWS * 2)
    assert batch.lower_states.dtype == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        found = [
            adapted.losses(each, adapted.centroid()) for each in (plain.batch(ROWS * 2), batch)
        ]
    torch.testing.assert_close(found[1], found[0], rtol=0.05, atol=0.05)


@pytest.mark.parametrize("settings", [{}, IN_ENCODER])
def test_answers_are_those_of_running_the_encoder(tiny, settings, monkeypatch):
    from peftcore import tasks
    from peftcore.training.evaluation import answer_examples

    task, found = tasks.find_task("miniworld_nli"), []
    for keep in (True, False):
        adapted, plain = build(tiny("t5"), "lora", {"rank": 2, **settings})
        if not keep:
            monkeypatch.setattr(type(adapted), "encoder_untouched", False)
            monkeypatch.setattr(adapted, "can_resume", False)
        options = Evaluation(limit=3, max_new_tokens=5, beams=2)
        answers = answer_examples(adapted, task, ROWS, plain, options)
        found.append([[each.text for each in seed] for seed in answers])
    assert found[0] == found[1]
    assert any(text for seed in found[0] for text in seed)
