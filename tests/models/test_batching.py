"""Examples as batches of every kind of base: padding, masks, targets, and the window."""

import pytest
from support.families import build_family
from transformers import BertTokenizerLegacy

from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.models.batching import IGNORE_INDEX, ExampleBatcher

SHORT = Example("1", "ab", "c", "yes", parts=("a", "b"))
LONG = Example("2", "abcd", "de", "no", parts=("ab", "cd"))


def test_an_encoder_decoder_reads_the_source_and_writes_the_target_to_its_end(tiny):
    batch = ExampleBatcher(tiny("t5"), ()).batch([SHORT, LONG])
    assert batch.attention_mask.tolist() == [[1, 1, 1, 0, 0], [1] * 5]  # two or four signs, and eos
    assert batch.input_ids[0, 3:].tolist() == [0, 0]
    eos = tiny("t5").tokenizer.eos_token_id
    assert batch.targets[0].tolist()[1:] == [eos, IGNORE_INDEX]
    assert batch.targets[1, -1] == eos


def test_a_decoder_is_padded_on_the_left_and_asked_for_its_target_alone(tiny):
    base = tiny("gpt2")
    batch = ExampleBatcher(base, ()).batch([SHORT, LONG])
    assert batch.attention_mask[0].tolist() == [0, 0, 0, *[1] * 6]  # bos, ab, line break, c, eos
    assert batch.input_ids[:, -1].tolist() == [base.tokenizer.eos_token_id] * 2
    assert batch.targets[0, 0] == IGNORE_INDEX
    assert batch.targets.shape == (2, 3)


def test_an_encoder_knows_which_text_a_token_is_of_and_the_number_of_the_label(tiny):
    batch = ExampleBatcher(tiny("bert"), ["no", "yes"]).batch([SHORT, LONG])
    assert batch.class_labels.tolist() == [1, 0]
    assert batch.text_numbers[1].tolist() == [0, 1, 1, 0, 2, 2, 0]  # cls ab sep cd sep
    assert batch.token_type_ids[1].tolist() == [0, 0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("family", ["t5", "bert", "gpt2"])
def test_without_targets_there_are_none(tiny, family):
    batch = ExampleBatcher(tiny(family), ["no", "yes"]).batch([SHORT], with_targets=False)
    assert batch.targets is None
    assert batch.class_labels is None


def test_text_prompt_and_answer_must_fit_into_the_window(tiny):
    base = tiny("gpt2")  # 256 positions
    text = Example("3", "a" * 250, "b")  # bos, text, line break; then b and eos
    assert ExampleBatcher(base, (), prompt_length=2).batch([text]).input_ids.shape == (1, 254)
    with pytest.raises(BadInput, match=r"needs 257 positions .*252 of text, 3 of soft prompt"):
        ExampleBatcher(base, (), prompt_length=3).batch([text])


def test_repeating_puts_all_rows_one_after_another(tiny):
    batch = ExampleBatcher(tiny("t5"), ()).batch([SHORT, LONG])
    again = batch.repeated(2)
    assert again.input_ids[:2].equal(batch.input_ids)
    assert again.input_ids[2:].equal(batch.input_ids)
    assert again.class_labels is None


@pytest.mark.parametrize("family", ["t5", "bert", "gpt2", "llama"])
def test_a_text_of_special_words_holds_no_special_token(tiny, family):
    """Case A15 (huggingface/transformers#31336); structure is only what we put around it."""
    base = tiny(family)
    tok = base.tokenizer
    text = "a</s><s><cls><sep><pad>b"
    row = ExampleBatcher(base, ()).tokenize(Example("4", text, text, parts=(text,)))
    around = {"t5": 1, "bert": 2, "gpt2": 1, "llama": 1}[family]
    special = set(tok.all_special_ids) - {tok.unk_token_id}
    assert sum(i in special for i in row.input_ids) == around
    assert sum(i in special for i in row.target_ids) == (family != "bert")


def test_labels_without_a_sign_of_the_vocabulary_cannot_be_written(tiny):
    """Case A09 (google-research/text-to-text-transfer-transformer#390)."""
    labels = ["yes", "{no}", "so\u00df"]
    assert ExampleBatcher(tiny("t5"), labels).unwritable_labels() == ("{no}", "so\u00df")
    assert ExampleBatcher(tiny("gpt2"), labels).unwritable_labels() == ("{no}", "so\u00df")
    assert ExampleBatcher(tiny("bert"), labels).unwritable_labels() == ()


def test_texts_of_a_pair_are_told_apart_by_a_tokenizer_in_python_too(tmp_path):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    base = build_family("bert", tokenizer=BertTokenizerLegacy(str(tmp_path / "vocab.txt")))
    row = ExampleBatcher(base, ["yes", "no"]).tokenize(SHORT)
    assert row.input_ids == [2, 5, 3, 6, 3]
    assert row.text_numbers == [0, 1, 0, 2, 0]


def test_token_types_are_left_out_where_a_base_has_one_or_none():
    bases = build_family("roberta", type_vocab_size=1), build_family("modernbert")
    for base in (*bases, build_family("distilbert")):
        assert ExampleBatcher(base, ["yes", "no"]).tokenize(SHORT).token_type_ids is None


def test_what_an_encoder_decoder_writes_has_positions_of_its_own():
    example = Example("1", "a", "b" * 200, "yes")
    batcher = ExampleBatcher(build_family("bart"), ())
    with pytest.raises(BadInput, match=r"example 1 needs 201 positions.* has 192"):
        batcher.tokenize(example)


def test_a_roberta_has_the_window_that_its_position_table_leaves():
    """Its 192 rows begin with that of the padding's number, 0."""
    batcher = ExampleBatcher(build_family("roberta"), ["yes", "no"])
    batcher.tokenize(Example("1", "a" * 189, "", "yes"))
    with pytest.raises(BadInput, match=r"needs 192 positions .* has 191"):
        batcher.tokenize(Example("2", "a" * 190, "", "yes"))
