"""Operations counted from shapes."""

import json

import pytest
from typer.testing import CliRunner

from peftcore import paths
from peftcore.benchmarks import flops
from peftcore.benchmarks.flops import TokenLengths
from peftcore.cli import app
from peftcore.errors import BadInput
from peftcore.runs.spec import Evaluation, Members, RunSpec, Training
from peftcore.runs.store import RunStore
from peftcore.sweeps import costs, status
from peftcore.sweeps import spec as sweep_spec


def spec(method="lora", seeds=1, vertices=1, **training):
    given = {"steps": 10, "batch": 4, "dev": 5, "evaluate_every": 10, "validation": "deterministic"}
    return RunSpec(
        base="gpt2",
        task="esnli",
        method=method,
        population=Members(seeds=seeds, vertices=vertices),
        training=Training.make(given | training),
        evaluation=Evaluation(limit=7),
    )


def test_a_decoders_blocks_read_every_token_and_its_head_the_written_ones():
    blocks = 12 * (12 * 768**2 + 13 * 768) + 2 * 768 + 1024 * 768  # with the position table
    words = 50257 * 768
    found = flops.forward_flops("gpt2", TokenLengths(10, 2))
    assert found == 2 * blocks * 12 + 2 * words * 2


def test_an_encoder_reads_the_source_and_a_decoder_writes_the_target():
    one, more = (flops.forward_flops("t5-small", TokenLengths(n, 1)) for n in (1, 2))
    reading = (more - one) / 2
    encoder = 6 * (4 * 512**2 + 2 * 512 * 2048 + 2 * 512) + 512 + 32 * 8
    assert reading == encoder


def test_a_run_is_its_steps_looks_and_answers_for_every_seed():
    lengths = TokenLengths(10, 2)
    once = flops.forward_flops("gpt2", lengths)
    assert flops.run_flops(spec(), lengths) == once * (10 * 4 * 2 + 2 * 5 + 7)
    assert flops.run_flops(spec(seeds=3), lengths) == 3 * flops.run_flops(spec(), lengths)
    more = flops.run_flops(spec("full_fine_tuning"), lengths) - flops.run_flops(spec(), lengths)
    assert more == once * 10 * 4
    wide = flops.run_flops(spec(vertices=3, validation="stochastic", copies=2), lengths)
    assert wide == once * (10 * 4 * 2 + 2 * 5 * 3 + 7)


def test_parts_are_dealt_to_whoever_is_free_first(home):
    asked = sweep_spec.Sweep.make(
        {
            "bases": ["t5-small"],
            "tasks": ["miniworld_nli"],
            "methods": ["lora"],
            "episodes": {"seeds": 5},
            "chunk": 2,
        }
    )
    states = status.cell_states(asked.cells_of_published_bases(), RunStore())
    found = costs.extrapolate_cost(states, lambda s: 3600.0 * s.population.seeds, 1.0, [1, 2, 9])
    assert (found.parts, found.operations) == (3, 5 * 3600)
    assert found.hours == {1: 5.0, 2: 3.0, 9: 2.0}


def test_febs_protocol_can_be_counted_without_its_data_and_weights(home):
    file = paths.ASSETS / "specs" / "feb.yaml"
    words = [
        "sweep",
        "extrapolate",
        str(file),
        "--rate",
        "1e14",
        "--machines",
        "1",
        "--machines",
        "64",
    ]
    done = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["parts"] == 400
    assert found["hours"]["1"] == pytest.approx(found["operations"] / 1e14 / 3600)
    assert found["hours"]["1"] / 64 <= found["hours"]["64"] < found["hours"]["1"] / 32


def test_a_base_whose_shape_is_unknown_is_named():
    with pytest.raises(BadInput, match="published base"):
        flops.forward_flops("tiny-t5", TokenLengths(1, 1))
