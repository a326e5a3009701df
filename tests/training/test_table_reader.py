"""A base as the reader of a table: positions and labels are those of training."""

from peftcore.data.table_checks import MappedRow
from peftcore.models.batching import ExampleBatcher
from peftcore.training.table_reader import reader_of_base


def row(text, target="yes", explanation=""):
    return MappedRow(1, text, (text,), target, explanation, "train")


def test_a_row_takes_the_positions_of_its_text_and_of_its_answer_with_the_reason(tiny):
    base = tiny("gpt2")
    reader = reader_of_base(base, ("yes", "no"))
    plain = reader.positions(row("a cat"))
    assert reader.positions(row("a cat sat on a mat")) > plain
    assert reader.positions(row("a cat", explanation="it is so")) > plain
    assert (reader.name, reader.window) == (base.name, base.structure.window)


def test_labels_that_cannot_be_written_are_those_of_the_batcher(tiny):
    base, labels = tiny("t5"), ("yes", "好")
    reader = reader_of_base(base, labels)
    assert tuple(reader.unwritable) == tuple(ExampleBatcher(base, labels).unwritable_labels())
