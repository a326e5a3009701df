"""Every family that is declared does what an adapter needs, on a random model of its own kind.

Families are found by themselves: a new file in peftcore/models/families is tested as it stands.
"""

import copy
import dataclasses

import pytest
import torch
from support.adapters import EXAMPLES, random_adapted
from support.families import build_family

from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.adapters.base import METHODS
from peftcore.adapters.initializers import SeededInitializer
from peftcore.errors import BadInput
from peftcore.labs.attention.layer_probe import (
    LayerProbe,
    ProbeOptions,
    probe_layers,
    random_prefix,
)
from peftcore.methods.common.weight_deltas import merged_parameters
from peftcore.models.architectures import (
    FAMILIES,
    FusedPart,
    find_architecture,
    supported_families,
)
from peftcore.models.base_model import restore_library_modules
from peftcore.models.batching import Batch, ExampleBatcher

SUPPORTED = supported_families()
KIND = {name: find_architecture(name).kind for name in SUPPORTED}
# The library makes the code of these from that of others; the first two tests do for them.
TWINS = {"mt5", "xlm-roberta", "camembert"}
OWN = [name for name in SUPPORTED if name not in TWINS]
SHORT, LONG = EXAMPLES[2], dataclasses.replace(EXAMPLES[1], source="what is the rest of it? " * 2)


@pytest.fixture(autouse=True)
def no_gradients():
    """Only what models compute is compared here."""
    with torch.no_grad():
        yield


def library_output(base, batch):
    """What the library's own eager attention computes for a batch, (n, t, ·)."""
    theirs = restore_library_modules(copy.deepcopy(base.model))
    theirs.set_attn_implementation("eager")
    return theirs(**inputs(base, batch))[0]


def inputs(base, batch):
    """Arguments of the bare model: a decoder's rows are padded on the left."""
    found = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
    if batch.token_type_ids is not None:
        found["token_type_ids"] = batch.token_type_ids
    if base.kind == "encoder-decoder":
        found["decoder_input_ids"] = batch.input_ids
    if base.kind == "decoder":
        found["position_ids"] = (batch.attention_mask.cumsum(1) - 1).clamp(min=0)
    return found


@pytest.mark.parametrize("windowed", [False, True])
@pytest.mark.parametrize("name", SUPPORTED)
def test_attention_equals_the_librarys_own(name, windowed):
    base = build_family(name, windowed)
    if windowed and not base.structure.sees_window:
        pytest.skip("no layer of this family sees a window")
    batch = ExampleBatcher(base, ["yes", "no"]).batch(EXAMPLES, with_targets=False)
    seen = batch.attention_mask.bool()
    ours, theirs = base.model(**inputs(base, batch))[0], library_output(base, batch)
    # Processors add up in different orders: 1.2e-5 was seen, in mT5.
    torch.testing.assert_close(ours[seen], theirs[seen], rtol=1e-6, atol=3e-5)


@pytest.mark.parametrize("name", SUPPORTED)
def test_every_number_is_in_one_weight_and_every_component_has_its_columns(name):
    base = build_family(name)
    structure = base.structure
    assert sum(w.size for w in structure.weights) == base.parameter_count
    blocks = len(structure.attention_blocks)
    shares = {name: sum(p.outputs for p in structure.slices_of(name)) for name in parts(base)}
    heads = {"query": structure.heads, "key": structure.kv_heads, "value": structure.kv_heads}
    own = [b.attention_kind != "cross" for b in structure.attention_blocks]
    for part, count in heads.items():
        width = count * structure.head_width
        assert shares[f"attention.{part}"] == sum(own) * width
        assert shares.get(f"cross.{part}", 0) == (blocks - sum(own)) * width


def parts(base):
    """Components of attention that a base has."""
    return [name for name, found in base.structure.target_slices.items() if found and name != "ffn"]


def recorded(adapted, batch):
    """Query, key and value of every attention block, for a batch of as many rows as seeds."""
    blocks = [block.path for block in adapted.base.structure.attention_blocks]
    found = adapted.record_attention(batch, adapted.centroid(), blocks)
    assert found.keys() == set(blocks), "every block calls the attention function"
    return found


@pytest.mark.parametrize("name", OWN)
def test_lora_on_a_component_changes_this_component_alone(name):
    """In the first block that has it; what lies behind sees other inputs."""
    base = build_family(name)
    batch = ExampleBatcher(base, ["yes", "no"]).batch([EXAMPLES[0]])
    before = recorded(no_adapter(base), batch)
    for kind in {block.attention_kind for block in base.structure.attention_blocks}:
        path = next(b.path for b in base.structure.attention_blocks if b.attention_kind == kind)
        word = "cross" if kind == "cross" else "attention"
        fused = isinstance(base.structure.architecture.components["attention.key"], FusedPart)
        for part in ("query", "key", "value") if fused else ("key",):
            lora = random_adapted(
                base, "lora", (0,), 1, components=[f"{word}.{part}"], stacks=["encoder", "decoder"]
            )
            keep_block(lora, path)
            after = recorded(lora, batch)[path]
            for other in ("query", "key", "value"):
                same = torch.equal(getattr(after, other), getattr(before[path], other))
                assert same == (other != part), (path, part, other)


def no_adapter(base):
    """The base itself, as an adapted model whose products are zero."""
    draw = SeededInitializer((0,), 1)
    labels = 2 if base.kind == "encoder" else 0
    lora = METHODS["lora"]
    settings = lora.Config.make({"stacks": ["encoder", "decoder"]})
    return AdaptedModel(base, lora(base, settings, draw), draw, labels)


def keep_block(adapted, path):
    """Set all products to zero but those inside one attention block."""
    for name, tensor in adapted.tensors.items():
        if name.startswith("up:") and f":{path}." not in name:
            tensor.data.zero_()


@pytest.mark.parametrize("name", OWN)
def test_a_prefix_enters_every_block_and_keeps_the_theorem(name):
    probe = LayerProbe(random_prefix(build_family(name, windowed=True), 3))
    blocks = [block.path for block in probe.base.structure.attention_blocks]
    found = probe_layers(probe, EXAMPLES[0], blocks, ProbeOptions())
    for path, comparison in found.items():
        assert comparison.length == 3
        assert comparison.share.min() > 0, path  # seen from everywhere, out of a window too
        assert comparison.content_drift < 1e-5, path
        assert comparison.residual < 1e-5, path


@pytest.mark.parametrize("name", OWN)
def test_moved_positions_change_attention_only_where_they_are_learned(name):
    probe = LayerProbe(random_prefix(build_family(name, windowed=True), 3))
    structure = probe.base.structure
    first = [structure.attention_blocks[0].path]
    moved = ProbeOptions(shift_positions=True)
    if structure.architecture.absolute_positions and KIND[name] == "encoder-decoder":
        with pytest.raises(BadInput, match="counts its positions by itself"):
            probe_layers(probe, EXAMPLES[0], first, moved)
        return
    (comparison,) = probe_layers(probe, EXAMPLES[0], first, moved).values()
    if structure.architecture.absolute_positions:
        assert comparison.content_drift > 1e-3
    else:
        assert comparison.content_drift < 1e-5


@pytest.mark.parametrize("name", OWN)
def test_what_enters_matters_and_a_row_depends_on_its_own_seed_alone(name):
    """Two seeds in one pass with unlike rows equal each seed with each row alone."""
    base = build_family(name, windowed=True)
    batcher = ExampleBatcher(base, ["yes", "no"])
    rows = [SHORT, LONG]
    plain = no_adapter(base).losses(batcher.batch(rows), no_adapter(base).centroid())
    for method in ("prompt_tuning", "prefix_tuning", "ia3", "bottleneck"):
        adapted = random_adapted(base, method, (0, 1), 1)
        adapted.tensors |= {n: t.detach() for n, t in adapted.tensors.items()}
        together = adapted.losses(batcher.batch(rows * 2), adapted.centroid())
        assert (together[0] - plain[0]).abs() > 1e-6, method
        second = {n: t[[1]] for n, t in adapted.tensors.items()}
        alone = adapted.losses(batcher.batch([SHORT]), adapted.centroid(1), second)
        torch.testing.assert_close(together[2], alone[0], rtol=1e-4, atol=1e-5, msg=method)


@pytest.mark.parametrize("name", OWN)
def test_a_soft_token_that_is_a_words_embedding_acts_as_that_word(name):
    """Also where words are scaled as they enter."""
    base = build_family(name, windowed=True)
    adapted = random_adapted(base, "prompt_tuning", (0,), 1, length=3)
    words = torch.tensor([7, 9, 8])
    adapted.tensors["tokens"] = base.embeddings[words][None, None]
    batch = ExampleBatcher(base, ["yes", "no"]).batch([EXAMPLES[0]])
    at = int(base.kind == "encoder")
    insert = lambda row, new: torch.cat([row[:, :at], new[None], row[:, at:]], 1)
    fields = {k: v for k, v in vars(batch).items() if v is not None}
    fields["input_ids"] = insert(batch.input_ids, words)
    for field in fields.keys() & {"attention_mask", "token_type_ids", "text_numbers"}:
        fields[field] = insert(fields[field], torch.full((3,), int(field == "attention_mask")))
    plain = no_adapter(base)
    plain.tensors |= {n: t for n, t in adapted.tensors.items() if n.startswith("head")}
    expected = plain.losses(Batch(**fields), plain.centroid())
    found = adapted.losses(batch, adapted.centroid())
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", OWN)
def test_changed_weights_are_those_of_a_model_that_holds_them(name):
    """Differences of all weights, mixed at a point of a simplex, against a merged model."""
    base = build_family(name)
    adapted = random_adapted(base, "full_fine_tuning", (0,), 2)
    batch = ExampleBatcher(base, ["yes", "no"]).batch(EXAMPLES)
    changed = adapted.losses(batch, adapted.centroid())
    member = {n: t[0].mean(0).detach() for n, t in adapted.tensors.items()}
    merged = merged_parameters(adapted.adapter, member)
    model = copy.deepcopy(base.model)
    model.load_state_dict(merged, strict=False)
    model.tie_weights()
    other = no_adapter(dataclasses.replace(base, model=model))
    own = {n: t.mean(1, keepdim=True) for n, t in adapted.tensors.items() if n.startswith("head")}
    there = {n: t for n, t in other.tensors.items() if not n.startswith("head")} | own
    expected = other.losses(batch, other.centroid(), there)
    torch.testing.assert_close(changed, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("method", ["prompt_tuning", "prefix_tuning"])
@pytest.mark.parametrize("name", [n for n in SUPPORTED if KIND[n] != "encoder"])
def test_an_answer_does_not_depend_on_the_rows_beside_it(name, method):
    """Case A26 (huggingface/transformers#37574): a short row beside one far longer, greedily."""
    base = build_family(name, windowed=True)
    if not base.structure.sees_window:
        pytest.skip("no layer of this family sees a window")
    adapted = random_adapted(base, method, (0,), 1)
    batcher = ExampleBatcher(base, ())
    options = {"max_new_tokens": 4, "do_sample": False, "pad_token_id": 0, "eos_token_id": None}
    write = lambda rows: adapted.generate(
        batcher.batch(rows, with_targets=False), adapted.centroid(), **options
    )
    together = write([SHORT, LONG])
    assert torch.equal(together[0], write([SHORT])[0])


def test_an_encoder_decoder_stops_writing_where_its_positions_end():
    adapted = no_adapter(build_family("bart", max_position_embeddings=12))
    batch = ExampleBatcher(adapted.base, ()).batch([SHORT], with_targets=False)
    options = {"max_new_tokens": 40, "do_sample": False, "pad_token_id": 0, "eos_token_id": None}
    assert adapted.generate(batch, adapted.centroid(), **options).shape == (1, 13)


def test_the_window_begins_behind_the_padding_where_positions_do():
    assert build_family("roberta").structure.window == 191  # of 192 rows, padding is number 0
    assert find_architecture("roberta").usable_window(514, 1) == 512
    assert find_architecture("opt").usable_window(2048, 1) == 2048  # its table has two rows more
    assert find_architecture("bart").usable_window(1024, 1) == 1024
    assert find_architecture("t5").usable_window(None, 0) is None


@pytest.mark.parametrize("name", sorted(set(FAMILIES) - set(SUPPORTED)))
def test_a_family_that_cannot_be_used_is_refused_in_one_sentence(name):
    with pytest.raises(BadInput, match=r"base 'mine': the family .* because .* work: "):
        find_architecture(name, "mine")
