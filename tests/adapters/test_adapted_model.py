import pytest
import torch
from support.adapters import EXAMPLES, random_adapted

from peftcore.adapters.adapted_model import insert_at, pair_features, pool_states, split_pair
from peftcore.errors import BadInput
from peftcore.models.batching import Batch, ExampleBatcher
from peftcore.training.planning import build_adapted, build_spec

STATES = torch.tensor([[[9.0, 9], [1, 0], [3, 0], [0, 2], [7, 7]]])
BATCH = Batch(
    input_ids=torch.zeros(1, 5, dtype=int),
    attention_mask=torch.tensor([[1, 1, 1, 1, 0]]),
    text_numbers=torch.tensor([[0, 1, 1, 2, 0]]),
)


def test_a_plain_encoder_is_read_by_its_first_token():
    assert pool_states(STATES, BATCH, sentences=False, pairs=True).tolist() == [[9, 9]]


def test_a_sentence_encoder_is_read_by_the_mean_over_its_tokens():
    assert pool_states(STATES, BATCH, sentences=True, pairs=False).tolist() == [[13 / 4, 11 / 4]]


def test_a_pair_is_read_by_the_cosine_of_its_two_means():
    """The means are (2, 0) and (0, 2): a right angle."""
    assert pool_states(STATES, BATCH, sentences=True, pairs=True).tolist() == [[0]]
    alike = torch.where(BATCH.text_numbers[..., None] == 2, torch.tensor([4.0, 0]), STATES)
    assert pool_states(alike, BATCH, sentences=True, pairs=True).tolist() == [[1]]


def test_other_tensors_share_the_hooks_and_leave_the_first_model_alone(tiny):
    adapted = random_adapted(tiny("t5"), "prefix_tuning", (0, 1), 1)
    batch = ExampleBatcher(adapted.base, ()).batch(EXAMPLES[:2] * 2)
    before = adapted.losses(batch, adapted.centroid())
    effective = adapted.effective_tensors(adapted.tensors)
    same = adapted.with_tensors({name: t[[1, 1, 0]] for name, t in effective.items()})
    assert (same.seeds, same.vertices) == (3, 1)
    alone = same.losses(ExampleBatcher(adapted.base, ()).batch(EXAMPLES[:2] * 3), same.centroid())
    torch.testing.assert_close(alone[:4], torch.cat([before[2:], before[2:]]))
    torch.testing.assert_close(alone[4:], before[:2])
    assert adapted.seeds == 2
    torch.testing.assert_close(adapted.losses(batch, adapted.centroid()), before)


def test_new_columns_go_before_each_rows_own_place():
    rows = torch.tensor([[0, 0, 1], [2, 3, 4], [0, 5, 6]])
    new = torch.tensor([[7, 8], [9, 10], [11, 12]])
    found = insert_at(rows, new, torch.tensor([2, 0, 1]))
    assert found.tolist() == [[0, 0, 7, 8, 1], [9, 10, 2, 3, 4], [0, 11, 12, 5, 6]]


def test_two_towers_read_each_text_as_if_it_were_alone(tiny):
    base = tiny("bert")
    batcher = ExampleBatcher(base, ["yes", "no"])
    batch = batcher.batch(EXAMPLES)
    halves = split_pair(batch)
    for side, half in enumerate(halves):
        for row, example in enumerate(EXAMPLES):
            alone = base.tokenizer(example.parts[side]).input_ids
            count = int(half.attention_mask[row].sum())
            assert half.input_ids[row, :count].tolist() == alone
            assert half.attention_mask[row].tolist() == [1] * count + [0] * (
                half.input_ids.shape[1] - count
            )
    first, second = torch.tensor([[1.0, 2]]), torch.tensor([[4.0, 0]])
    assert pair_features(first, second).tolist() == [[1, 2, 4, 0, 3, 2]]


@pytest.mark.parametrize("method", ["prefix_tuning", "prompt_tuning", "lora", "linear_probe"])
def test_the_head_of_two_towers_reads_both_means_and_their_difference(tiny, method):
    base = tiny("bert")
    values = {"training": {"pair_head": "towers", "shots": 4, "dev": 2, "standardise": "draw"}}
    spec = build_spec(base, "miniworld_paraphrase", method, {}, {"seeds": 2}, **values)
    adapted = build_adapted(base, spec)
    for tensor in adapted.adapter.tensors.values():
        tensor.data += 0.1
    assert adapted.tensors["head"].shape[-2] == 3 * base.structure.width
    assert not adapted.can_resume
    assert not adapted.encoder_untouched
    batch = ExampleBatcher(base, ("yes", "no")).batch(EXAMPLES[:1] * 2)
    found = adapted.logits(batch, adapted.centroid())
    with adapted.active(adapted.centroid(), 2, None) as (mix, _):
        means = []
        for half in split_pair(batch):
            inputs = adapted.model_inputs(half, mix)
            states = adapted.model(**inputs).last_hidden_state
            soft = states.shape[1] - half.input_ids.shape[1]
            kept = torch.cat([states[:, :1], states[:, 1 + soft :]], 1)
            means.append(kept[:, : int(half.attention_mask[0].sum())].mean(1))
        read = torch.cat([*means, (means[0] - means[1]).abs()], -1)
        for seed in (0, 1):
            get = lambda name, s=seed: adapted.tensors[name][s, 0]
            wanted = (read[seed] - get("head_mean")) / get("head_scale") @ get("head")
            torch.testing.assert_close(
                found[seed : seed + 1], wanted + get("head_bias"), rtol=1e-4, atol=1e-5
            )
    with pytest.raises(BadInput, match="apart"):
        adapted.record_attention(batch, adapted.centroid(), [])


def test_two_towers_need_pairs_and_an_encoder():
    towers = {"training": {"pair_head": "towers"}}
    plain = build_spec("tiny-t5", "miniworld_paraphrase", "lora")
    assert build_spec("tiny-t5", "miniworld_paraphrase", "lora", **towers).id == plain.id
