"""The papers' counts, to every digit that docs and papers print; nothing is loaded for them."""

import json

import pytest
from typer.testing import CliRunner

from peftcore import tasks
from peftcore.adapters import parameter_counts
from peftcore.adapters.base import METHODS
from peftcore.adapters.parameter_counts import (
    MODEL_CONFIGS,
    SPARSEFIT_PRESETS,
    TABLE_BASES,
    count_trainable,
    meta_base,
    parameter_table,
)
from peftcore.cli import app
from peftcore.errors import BadInput
from peftcore.models import catalog

TOTALS = {
    "t5-small": 60_506_624,
    "t5-base": 222_903_552,
    "t5-large": 737_668_096,
    "t5-3b": 2_851_598_336,
}
PERCENTS = {  # on T5-small, base, large, 3B
    "Full": (100, 100, 100, 100),
    "Encoder (stack only)": (31.205, 38.113, 40.945, 42.363),
    "Decoder (stack only)": (41.608, 50.818, 54.595, 56.484),
    "LM head": (27.186, 11.069, 4.460, 1.154),
    "LayerNorm": (0.027, 0.021, 0.017, 0.004),
    "Self-attention KQV": (15.597, 19.052, 20.469, 21.180),
    "Self-attention Query": (5.199, 6.351, 6.823, 7.060),
    "Self-attention Key": (5.199, 6.351, 6.823, 7.060),
    "Self-attention Value": (5.199, 6.351, 6.823, 7.060),
    "Self-attention whole": (20.797, 25.403, 27.292, 28.241),
    "LayerNorm + Query": (5.226, 6.372, 6.840, 7.065),
    "LayerNorm + KQV": (15.624, 19.073, 20.486, 21.185),
    "LM head + LayerNorm": (27.213, 11.091, 4.477, 1.158),
    "LM head + Query": (32.385, 17.420, 11.283, 8.214),
    "LM head + LayerNorm + Query": (32.412, 17.441, 11.300, 8.218),
    "LM head + KQV": (42.783, 30.121, 24.929, 22.334),
    "Feed-forward": (41.592, 50.805, 54.585, 56.481),
    "Cross-attention": (10.398, 12.701, 13.646, 14.120),
}
COUNTS = {
    "LayerNorm": (16_384, 47_616, 124_928, 124_928),
    "Self-attention Query": (3_145_728, 14_155_776, 50_331_648, 201_326_592),
}


def call(*arguments):
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def printed(*arguments):
    done = call("params", *arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_the_table_of_sparsefit_comes_out_to_every_printed_digit():
    rows = {(row["base"], row["configuration"]): row for row in printed("--table", "sparsefit")}
    assert SPARSEFIT_PRESETS.keys() == PERCENTS.keys()
    for name, percents in PERCENTS.items():
        for base, percent in zip(TABLE_BASES, percents, strict=True):
            row = rows.pop((base, name))
            assert row["total"] == TOTALS[base]
            assert round(row["percent"], 3) == percent, (base, name)
            assert row["percent"] == pytest.approx(100 * row["trainable"] / row["total"], abs=1e-6)
            if name in COUNTS:
                assert row["trainable"] == COUNTS[name][TABLE_BASES.index(base)]
    assert len(rows) == 2
    assert rows["llama-2-7b", "LayerNorm + Query"] == {
        "base": "llama-2-7b",
        "configuration": "LayerNorm + Query",
        "trainable": 537_133_056,
        "total": 6_738_415_616,
        "percent": 7.971207,
    }
    flan = rows["flan-t5-large", "Self-attention Query"]
    assert (flan["trainable"], flan["total"]) == (50_331_648, 783_150_080)
    assert round(flan["percent"], 3) == 6.427


def test_layer_norms_and_queries_of_t5_large_are_the_papers_share():
    found = printed(
        *("--base", "t5-large", "--method", "sparsefit"),
        *("--set", "components=layernorm,attention.query"),
    )
    assert found == {"trainable": 50_456_576, "total": 737_668_096, "percent": 6.840011}


@pytest.mark.parametrize(
    ("base", "method", "settings", "count"),
    [
        ("t5-large", "spt", {"length": 50}, 51_250),
        ("t5-large", "prompt_tuning", {"length": 50}, 51_200),
        ("t5-large", "ia3", {}, 344_064),
        ("t5-large", "lora", {"rank": 8, "stacks": ["encoder", "decoder"]}, 2_359_296),
        ("t5-large", "prefix_tuning", {"length": 30}, 4_423_680),
        ("bert-base-cased", "prefix_tuning", {"length": 10}, 184_320),
        ("gpt2", "full_fine_tuning", {}, 124_439_808),
    ],
)
def test_counts_of_other_methods(base, method, settings, count):
    assert count_trainable(meta_base(base), method, settings) == count
    assert count_trainable(meta_base(base), method, settings, vertices=6) == 6 * count


def test_an_encoder_is_counted_with_its_head_and_its_pooler():
    two = next(name for name in tasks.task_names() if len(tasks.find_task(name).labels) == 2)
    found = printed("--base", "bert-base-cased", "--method", "prefix_tuning", "--task", two)
    assert found["total"] == 108_311_810
    assert found["trainable"] == 184_320 + 2 * 769
    assert "pooler" in found["note"]


def test_flans_head_is_counted_as_published_and_the_difference_explained():
    """The library ties it, which is 32,899,072 fewer."""
    found = printed("--base", "flan-t5-large", "--method", "full_fine_tuning")
    assert found["total"] == found["trainable"] == 783_150_080
    assert "32,899,072" in found["note"]
    assert 32_128 * 1024 == 32_899_072


@pytest.mark.parametrize("base", ["t5-small", "bert-base-cased", "gpt2"])
def test_every_method_that_suits_a_published_base_can_be_counted(base):
    from peftcore.adapters.base import METHODS

    model = meta_base(base)
    for name in METHODS:
        if model.kind in METHODS[name].kinds:
            assert count_trainable(model, name) <= model.parameter_count


def test_published_shapes_hold_no_numbers():
    assert all(p.device.type == "meta" for p in meta_base("t5-3b").model.parameters())
    with pytest.raises(BadInput, match="t5-large"):
        meta_base("t5-larg")


def test_other_methods_are_counted_at_their_defaults_where_they_suit():
    assert {row.base for row in parameter_table("lora")} == set(MODEL_CONFIGS)
    assert {row.base for row in parameter_table("bitfit")} == {
        *("bert-base-cased", "gpt2", "qwen2.5-7b"),  # which have biases
    }


def test_what_cannot_be_counted_is_refused_in_one_sentence():
    done = call("params", "--base", "t5-large", "--method", "bitfit")
    assert done.exit_code == 2
    assert "T5 has no bias vectors; SparseFit with components layernorm" in done.stderr
    assert "--base and --method" in call("params", "--base", "t5-large").stderr
    assert "leave the rest out" in call("params", "--base", "gpt2", "--table", "lora").stderr
    assert "did you mean" in call("params", "--base", "gpt2", "--method", "lroa").stderr


def test_a_base_of_this_machine_is_counted_from_its_configuration_alone():
    base = parameter_counts.local_meta_base("tiny-gpt")
    assert base.parameter_count == catalog.describe_base("tiny-gpt").parameter_count
    assert all(parameter.is_meta for parameter in base.model.parameters())
    counts = parameter_counts.count_by_method(base)
    assert counts.keys() == set(METHODS)
    assert counts["linear_probe"] is None  # for encoders
    assert counts["lora"] == parameter_counts.count_trainable(base, "lora")
    with pytest.raises(BadInput, match="no base 'nope'"):
        parameter_counts.local_meta_base("nope")
