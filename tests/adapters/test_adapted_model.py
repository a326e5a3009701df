import torch
from support.adapters import EXAMPLES, random_adapted

from peftcore.adapters.adapted_model import insert_at, pool_states
from peftcore.models.batching import Batch, ExampleBatcher

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
