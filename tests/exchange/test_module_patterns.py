"""Which modules a pattern of the peft package names."""

import time

import pytest

from peftcore.errors import BadInput
from peftcore.exchange.module_patterns import matches, product_scale

PATHS = [
    "model.layers.0.self_attn.q_proj",
    "model.layers.1.self_attn.v_proj",
    "model.layers.10.self_attn.v_proj",
    "model.layers.10.mlp.down_proj",
]
PATTERNS = [
    "q_proj",
    "self_attn.q_proj",
    "^model.layers.0.self_attn.q_proj",
    r"^model\.layers\.0\.self_attn\.q_proj$",
    r"layers\.1\..*v_proj",
    r"layers\.\d+\.self_attn\.(q|v)_proj",
    r"model.layers.(?:0|1|2).self_attn.[qv]_proj",
    "attn.q_proj",
    ".*",
    "v_proj|down_proj",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_names_the_modules_it_names_in_the_package(pattern):
    """Case A10 (huggingface/peft pull 2419)."""
    other = pytest.importorskip("peft.utils.other")
    named = [path for path in PATHS if other.get_pattern_key([pattern], path) == pattern]
    assert [path for path in PATHS if matches(pattern, path)] == named


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|a)*b", ".*.*.*x", "a{1,99}", r"(?=a)b", r"(a)\1", "[", "(", "a\nb", "é*+"],
)
def test_an_expression_that_could_take_for_ever_or_is_none_is_refused(pattern):
    with pytest.raises(BadInput, match="must name modules in full, or by a simple expression"):
        matches(pattern, PATHS[0])


def test_what_is_allowed_is_fast_on_long_paths():
    began = time.process_time()
    assert not matches(".*a.*b", "a" * 200)
    assert time.process_time() - began < 1


def test_the_first_pattern_that_fits_gives_the_scale():
    config = {"lora_alpha": 8, "alpha_pattern": {r"^model\.layers\.0\..*": 32, "q_proj": 16}}
    assert product_scale(config, PATHS[0], 4) == 8
    assert product_scale(config, PATHS[1], 4) == 2
    assert product_scale(config | {"use_rslora": True}, PATHS[1], 4) == 4
