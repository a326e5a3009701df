"""`components`: what the Components page counts and judges, as JSON."""

import pytest
from support.commands import call, printed
from support.runs import make_run

from peftcore.labs.components import grid
from peftcore.runs.store import RunStore


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """No shipped grids."""
    monkeypatch.setattr(grid, "shipped_store", lambda: RunStore(tmp_path / "x", tmp_path / "y"))


def test_a_preset_is_counted_to_the_papers_digit():
    found = printed("components", "count", "--base", "t5-large", "--preset", "LayerNorm + Query")
    assert (found["trained"], found["total"]) == (50_456_576, 737_668_096)
    assert f"{found['percent']:.2f}" == "6.84"
    assert found["settings"] == {"components": ["layernorm", "attention.query"]}


def test_single_cells_are_counted():
    found = printed("components", "count", "--set", "cells=head,encoder.0.ffn")
    sizes = {row["cell"]: row["numbers"] for row in printed("components", "count")["cells"]}
    assert {"encoder.0.ffn", "head"} <= set(found["cells"])
    assert found["trained"] == sizes["head"] + sizes["encoder.0.ffn"]


def test_an_unknown_preset_is_refused_with_those_there_are():
    done = call("components", "count", "--base", "gpt2", "--preset", "Cross-attention")
    assert done.exit_code == 2
    assert "no configuration 'Cross-attention'; it has" in done.stderr


def test_quality_judges_every_run_beside_gold():
    run = make_run("lora", population={"seeds": 1})
    found = printed("components", "quality", run.id)
    assert found["runs"][0]["answers"] == 24
    assert 0 <= found["runs"][0]["flags"]["sound"] <= 1
    assert found["gold"]["miniworld_nli"]["sound"] > 0.95
