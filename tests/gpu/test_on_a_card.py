"""A card computes what the processor does, from a training step to a whole run.

`PEFTCORE_TEST_DEVICE=cpu pytest -m gpu tests/gpu` tries them without a card.
"""

import pytest
import torch

from peftcore import tasks
from peftcore.adapters.base import METHODS
from peftcore.adapters.simplex_points import random_points
from peftcore.benchmarks.bench_training import bench_spec, trainer_of
from peftcore.errors import BadInput
from peftcore.labs.attention.layer_probe import (
    LayerProbe,
    ProbeOptions,
    probe_layers,
    random_prefix,
)
from peftcore.labs.common import interpolation
from peftcore.models.base_model import load
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import RunStore
from peftcore.training import evaluation, planning
from peftcore.training.run_training import execute_run

pytestmark = pytest.mark.gpu
BASES = ("tiny-t5", "tiny-gpt", "tiny-bert")
SMALL = {"shots": 8, "dev": 6, "steps": 4, "batch": 4, "evaluate_every": 2, "precision": "fp32"}


@pytest.fixture(scope="module")
def bases(device):
    """name → the base on the processor and on the device."""
    made = {}
    return lambda name: made.setdefault(name, (load(name), load(name, device)))


@pytest.mark.parametrize("name", BASES)
@pytest.mark.parametrize("method", list(METHODS))
def test_training_steps_are_those_of_the_processor(bases, name, method):
    try:
        spec = bench_spec(name, method, 2, 3, "fp32")
    except BadInput as error:
        pytest.skip(str(error))
    if not planning.build_adapted(bases(name)[0], spec).trainable_tensors:
        pytest.skip(f"{method} trains nothing")
    losses = []
    for base in bases(name):
        trainer = trainer_of(base, spec)
        losses.append([list(trainer.train_step().values()) for _ in range(3)])
        losses[-1].append(trainer.evaluate_dev())
    assert torch.tensor(losses[0]).sub(torch.tensor(losses[1])).abs().max() < 2e-3


@pytest.mark.parametrize("name", BASES)
def test_answers_are_those_of_the_processor(bases, name):
    spec = bench_spec(name, "lora", 3, 1, "fp32")
    task = tasks.find_task(spec.task)
    rows, answers = list(task.load("validation")[:6]), []
    for base in bases(name):
        adapted = planning.build_adapted(base, spec)
        labels = task.labels if base.kind == "encoder" else ()
        batcher = ExampleBatcher(base, labels, planning.prompt_length(spec, base))
        with torch.inference_mode():
            found = evaluation.answer_examples(adapted, task, rows, batcher, spec.evaluation)
        answers.append([[answer.text for answer in seed] for seed in found])
    assert answers[0] == answers[1]


@pytest.mark.parametrize("name", ["tiny-t5", "tiny-gpt"])
def test_points_of_a_simplex_have_the_losses_of_the_processor(bases, name):
    spec = bench_spec(name, "prefix_tuning", 1, 1, "fp32")
    population = spec.population.model_copy(update={"vertices": 3})
    spec = spec.model_copy(update={"population": population})
    task, losses = tasks.find_task(spec.task), []
    for base in bases(name):
        span = interpolation.span_of_run(planning.build_adapted(base, spec))
        rows, batcher = list(task.load("validation")[:4]), ExampleBatcher(base, ())
        points = random_points([0], 9, 3, 1)[0]
        losses.append(interpolation.PointEvaluator(span, 0, rows, batcher).losses(points))
    assert losses[0] == pytest.approx(losses[1], abs=1e-3)


@pytest.mark.parametrize("name", BASES)
def test_a_prefix_only_rescales_attention_there_too(bases, name):
    base = bases(name)[1]
    sites = [block.path for block in base.structure.attention_blocks]
    example = tasks.find_task("miniworld_nli").load("validation")[0]
    found = probe_layers(LayerProbe(random_prefix(base, 4)), example, sites, ProbeOptions())
    assert all(layer.content_drift < 1e-4 for layer in found.values())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_run_goes_from_its_spec_to_its_scores(home, device, precision):
    spec = planning.build_spec(
        "tiny-t5", "miniworld_nli", "prefix_tuning", None, {"seeds": 2, "vertices": 3},
        SMALL | {"precision": precision}, {"limit": 4, "max_new_tokens": 5},
    )  # fmt: skip
    run = RunStore().create(spec)
    assert execute_run(run, device=device).state == "done"
    assert len(run.answers()) == 8
    assert isinstance(run.spec, RunSpec)


def test_passes_get_smaller_once_a_card_is_full(bases, device):
    if device != "cuda":
        pytest.skip("memory runs out for real on a card only")
    trainer = trainer_of(bases("tiny-t5")[1], bench_spec("tiny-t5", "lora", 64, 2, "fp32"), 64)
    spare = torch.cuda.memory_allocated() + 2**28
    torch.cuda.set_per_process_memory_fraction(
        spare / torch.cuda.get_device_properties(0).total_memory
    )
    try:
        losses = [trainer.train_step() for _ in range(2)]
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert trainer.seeds_per_pass < 64
    assert len(losses[-1]) == 64
