import pytest
import torch
from support.adapters import EXAMPLES, random_adapted
from support.bases import FAMILIES, build_tiny

from peftcore.adapters.initializers import SeededInitializer
from peftcore.methods.prompt_tuning import PromptTuning
from peftcore.models.batching import ExampleBatcher


@pytest.mark.parametrize("family", FAMILIES)
def test_soft_tokens_that_are_word_embeddings_equal_those_words_in_the_text(tiny, family):
    base = tiny(family)
    ours = random_adapted(base, "prompt_tuning", (0,), 1)
    words = torch.tensor([10, 11, 12, 13])
    ours.tensors["tokens"].data = base.embeddings[words][None, None].clone()
    encoder = ExampleBatcher(base, ["yes", "no"])
    soft = encoder.batch(EXAMPLES[:1], with_targets=False)
    with ours.active(ours.centroid(), 1, None) as (mix, _):
        given = ours.model_inputs(soft, mix)
        extra = {"decoder_input_ids": soft.input_ids} if family == "t5" else {}
        mine = ours.model(**given, **extra)[0]
    at = int(family == "bert")
    ids = torch.cat([soft.input_ids[:, :at], words[None], soft.input_ids[:, at:]], 1)
    hard = {"input_ids": ids, "attention_mask": torch.ones_like(ids), **extra}
    if soft.token_type_ids is not None:
        hard["token_type_ids"] = torch.cat([torch.zeros(1, 4, dtype=int), soft.token_type_ids], 1)
    torch.testing.assert_close(mine, base.model(**hard)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_outputs_equal_the_peft_packages_given_the_same_numbers():
    peft = pytest.importorskip("peft")
    base, twin = build_tiny("t5"), build_tiny("t5")
    ours = random_adapted(base, "prompt_tuning", (0,), 1)
    theirs = peft.get_peft_model(
        twin.model,
        peft.PromptTuningConfig(
            task_type="SEQ_2_SEQ_LM", num_virtual_tokens=4, num_transformer_submodules=1
        ),
    )
    theirs.prompt_encoder["default"].embedding.weight.data = ours.tensors["tokens"][0, 0].detach()
    batch = ExampleBatcher(base, ()).batch(EXAMPLES)
    targets = batch.targets.masked_fill(batch.targets < 0, 0)
    with ours.active(ours.centroid(), 3, None) as (mix, _):
        mine = ours.model(**ours.model_inputs(batch, mix), decoder_input_ids=targets).logits
    given = {
        "input_ids": batch.input_ids,
        "attention_mask": batch.attention_mask,
        "decoder_input_ids": targets,
    }
    torch.testing.assert_close(mine, theirs.eval()(**given).logits, rtol=1e-4, atol=1e-5)


def test_the_vocabulary_start_takes_rows_of_the_embeddings_without_repetition(tiny):
    base = tiny("t5")
    tokens = PromptTuning(
        base, PromptTuning.Config(length=9), SeededInitializer([0, 1], 2)
    ).tensors["tokens"]
    assert tokens.shape == (2, 2, 9, 16)
    equal = (tokens.flatten(0, 2)[:, None] == base.embeddings).all(-1)  # (36, words)
    assert equal.any(1).all()
    for member in equal.long().argmax(1).view(4, 9):
        assert len(set(member.tolist())) == 9


@pytest.mark.parametrize("start", ["vocabulary", "random"])
def test_a_base_of_shapes_alone_can_be_counted(tiny, start):
    import copy
    from dataclasses import replace

    base = tiny("t5")
    hollow = replace(base, model=copy.deepcopy(base.model).to("meta"))
    made = PromptTuning(
        hollow, PromptTuning.Config(start=start, length=9), SeededInitializer([0], 1, "meta")
    )
    assert made.tensors["tokens"].shape == (1, 1, 9, 16)
