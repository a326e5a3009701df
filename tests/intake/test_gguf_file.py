"""Headers of GGUF files: what stands there is read, and no count in them is trusted."""

import struct

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType

from peftcore.errors import BadInput
from peftcore.intake import gguf_file


def text(words):
    return struct.pack("<Q", len(words)) + words


def header(fields=b"", tensors=b"", field_count=0, tensor_count=0, version=3):
    return b"GGUF" + struct.pack("<IQQ", version, tensor_count, field_count) + fields + tensors


@pytest.fixture
def stored(tmp_path):
    def store(content):
        path = tmp_path / "x.gguf"
        path.write_bytes(content)
        return path

    return store


def test_the_same_is_read_as_by_the_library(llama_file):
    ours, theirs = gguf_file.read_header(llama_file), gguf.GGUFReader(llama_file)
    for key, field in theirs.fields.items():
        if not key.startswith("GGUF."):
            assert ours.fields[key] == field.contents()
    assert list(ours.tensors) == [tensor.name for tensor in theirs.tensors]
    for tensor in theirs.tensors:
        mine = ours.tensors[tensor.name]
        assert mine.offset == tensor.data_offset
        assert mine.shape == tuple(reversed(tensor.shape.tolist()))
        read = gguf_file.read_rows(ours, mine, 0, mine.rows)
        assert np.array_equal(read.reshape(mine.shape), tensor.data.reshape(mine.shape))


LIST_OF_BYTES = text(b"k") + struct.pack("<IIQ", 9, 0, 2**60)
LIST_OF_TEXTS = text(b"k") + struct.pack("<IIQ", 9, 8, 3_000_000)
NESTED = text(b"k") + struct.pack("<IIQ", 9, 9, 1)
LONG_TEXT = text(b"k") + struct.pack("<IQ", 8, 2**63)
NOT_TEXT = text(b"\xff\xfe") + struct.pack("<IB", 0, 1)
TWICE = (text(b"k") + struct.pack("<IB", 0, 1)) * 2
HUGE = text(b"t") + struct.pack("<IQQIQ", 2, 2**40, 2**20, 0, 0)
SIDES = text(b"t") + struct.pack("<I", 2**31)
BLOCKS = text(b"t") + struct.pack("<IQIQ", 1, 33, int(GGMLQuantizationType.Q4_0), 0)
UNKNOWN = text(b"t") + struct.pack("<IQIQ", 1, 32, 999, 0)
ALIGNED = text(b"general.alignment") + struct.pack("<II", 4, 24)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no GGUF file: it has 0 bytes"),
        (b"PK\x03\x04" + bytes(40), "no GGUF file: it begins with"),
        (header(version=1), "version 1"),
        (header(version=3 << 24), "little-endian"),
        (header(field_count=2**62), "announces 0 tensors"),
        (header(tensor_count=2**62), "at most 100,000"),
        (header(LIST_OF_BYTES, field_count=1), "lists of"),
        (header(LIST_OF_TEXTS, field_count=1), "cut off or damaged"),
        (header(NESTED, field_count=1), "list of unknown type 9"),
        (header(LONG_TEXT, field_count=1), "cut off or damaged"),
        (header(NOT_TEXT, field_count=1), "no UTF-8"),
        (header(TWICE, field_count=2), "twice"),
        (header(field_count=9), "cut off or damaged"),
        (header(b"", HUGE, tensor_count=1), "cut off: tensor 't'"),
        (header(b"", SIDES, tensor_count=1), "dimensions"),
        (header(b"", BLOCKS, tensor_count=1), "blocks of 32"),
        (header(b"", UNKNOWN, tensor_count=1), "unknown type 999"),
        (header(ALIGNED, field_count=1), "power of two"),
    ],
)
def test_a_broken_or_hostile_header_is_refused_in_a_sentence(stored, content, words):
    with pytest.raises(BadInput, match=words):
        gguf_file.read_header(stored(content))


def test_a_file_that_ends_anywhere_before_its_end_is_refused(llama_file, stored):
    whole = llama_file.read_bytes()
    for length in range(30, len(whole) - 1, len(whole) // 40):
        with pytest.raises(BadInput, match="cut off"):
            gguf_file.read_header(stored(whole[:length]))


def test_types_that_cannot_be_unpacked_are_refused_by_name(stored):
    tensor = text(b"t") + struct.pack("<IQIQ", 1, 32, int(GGMLQuantizationType.I32), 0)
    read = gguf_file.read_header(stored(header(b"", tensor, tensor_count=1) + bytes(300)))
    with pytest.raises(BadInput, match="type I32"):
        gguf_file.refuse_unreadable_types(read)


def test_a_field_of_another_type_is_bad_input(llama_file):
    read = gguf_file.read_header(llama_file)
    assert read.get("llama.block_count", int) == 2
    with pytest.raises(BadInput, match="must be a whole number, and is 'llama'"):
        read.get("general.architecture", int)
    with pytest.raises(BadInput, match="is missing"):
        read.get("no.such", str)
    with pytest.raises(BadInput, match="list of texts"):
        read.texts("tokenizer.ggml.token_type")
