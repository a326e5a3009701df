"""Folders of adapters: seeds, heads, and damaged files that are refused."""

import json
import pickle
import struct

import pytest
from safetensors.torch import load_file
from support.adapters import EXAMPLES
from support.exchanged_adapters import (
    TASK,
    close,
    learnt,
    refused,
)

from peftcore.errors import BadInput
from peftcore.exchange import folders
from peftcore.models.batching import ExampleBatcher
from peftcore.training.checkpoint import load_adapter

pytestmark = pytest.mark.usefixtures("own")


def test_an_encoders_head_lies_beside_and_gives_the_runs_logits(tmp_path):
    run, base = learnt("bert", "lora")
    folders.export_peft(run, 6, tmp_path / "out", base)
    head = load_file(tmp_path / "out" / "head.safetensors")
    adapted = load_adapter(run, base)
    batch = ExampleBatcher(base, ["a", "b", "c"]).batch(EXAMPLES[:1] * 2)
    with adapted.active(adapted.centroid(), 2, None):
        states = adapted.model(
            input_ids=batch.input_ids,
            attention_mask=batch.attention_mask,
            token_type_ids=batch.token_type_ids,
        ).last_hidden_state
    x = (states[1, 0] - head["head_mean"]) / head["head_scale"]
    close(x @ head["head"] + head["head_bias"], adapted.logits(batch, adapted.centroid())[1])


def test_a_seed_that_is_not_there_and_a_full_folder_are_refused(tmp_path):
    run, base = learnt("t5", "lora")
    with pytest.raises(BadInput, match=r"no seed '9'; .*known: 5, 6"):
        folders.export_peft(run, 9, tmp_path / "out", base)
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(BadInput, match="not empty"):
        folders.export_peft(run, 5, tmp_path, base)


def test_an_adapter_is_refused_on_other_weights_of_the_same_shape(folder):
    assert "same shape is not the same model" in refused(folder, "stranger")


class Marker:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("name", ["adapter_model.bin", "adapter_model.safetensors"])
def test_a_pickle_is_refused_and_never_run(folder, tmp_path, name):
    (folder / "adapter_model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Marker(tmp_path / "ran")))
    assert "is a pickle, which runs code" in refused(folder)
    assert not (tmp_path / "ran").exists()


def header_of(path):
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def rewritten(path, header, data, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)


def huge(header):
    first = next(name for name in header if name != "__metadata__")
    header[first]["shape"] = [2**40, 2**20]


def overlapping(header):
    first, second = [name for name in header if name != "__metadata__"][:2]
    header[second]["data_offsets"] = header[first]["data_offsets"]
    header[second]["shape"] = header[first]["shape"]


def negative(header):
    first = next(name for name in header if name != "__metadata__")
    header[first]["shape"] = [-1, 4]


def strange(header):
    first = next(name for name in header if name != "__metadata__")
    header[first]["dtype"] = "OBJECT"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (huge, "claims shape"),
        (overlapping, "overlap or leave gaps"),
        (negative, "in no known way"),
        (strange, "in no known way"),
    ],
)
def test_a_header_that_lies_is_refused_before_anything_is_allocated(folder, damage, message):
    path = folder / "adapter_model.safetensors"
    header, data = header_of(path)
    damage(header)
    rewritten(path, header, data)
    assert message in refused(folder)


@pytest.mark.parametrize(
    ("length", "message"), [(2**62, "cut off or not a safetensors file"), (5, "cannot be read")]
)
def test_a_header_of_the_wrong_length_is_refused(folder, length, message):
    path = folder / "adapter_model.safetensors"
    header, data = header_of(path)
    rewritten(path, header, data, length)
    assert message in refused(folder)


def test_a_header_larger_than_any_model_needs_is_refused(folder):
    rewritten(folder / "adapter_model.safetensors", b"{" + b" " * 16_000_001, b"")
    assert "at most 16,000,000 are read" in refused(folder)


def test_a_name_given_twice_and_nesting_without_end_are_refused(folder):
    path = folder / "adapter_model.safetensors"
    rewritten(path, b'{"a": 1, "a": 2}', b"")
    assert "stands there twice" in refused(folder)
    rewritten(path, b'{"a":' + b"[" * 100_000, b"")
    assert "cannot be read" in refused(folder)


@pytest.mark.parametrize("cut", [3, 40, -7])
def test_a_file_that_is_cut_off_is_refused(folder, cut):
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:cut])
    assert "cut off" in refused(folder)


def test_something_behind_the_tensors_is_refused(folder):
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes() + b"more")
    assert "something behind its tensors" in refused(folder)


@pytest.mark.parametrize("text", ["[1]", "{", "[" * 100_000])
def test_a_configuration_that_cannot_be_read_is_refused(folder, text):
    (folder / "adapter_config.json").write_text(text)
    assert "adapter_config.json" in refused(folder)


def test_a_head_for_other_labels_or_none_at_all_is_refused(tmp_path):
    run, base = learnt("bert", "lora")
    out = tmp_path / "out"
    folders.export_peft(run, 5, out, base)
    with pytest.raises(BadInput, match="the head is for the labels"):
        folders.import_peft(out, base, "miniworld_sentiment")
    (out / "head.safetensors").unlink()
    with pytest.raises(BadInput, match=r"the folder has no head\.safetensors"):
        folders.import_peft(out, base, TASK)


@pytest.mark.parametrize("damage", [huge, overlapping, negative, strange])
def test_the_file_of_a_run_of_ours_is_checked_the_same(damage):
    run, base = learnt("t5", "lora")
    path = run.folder / "adapter.safetensors"
    header, data = header_of(path)
    damage(header)
    rewritten(path, header, data)
    with pytest.raises(BadInput, match=r"adapter\.safetensors"):
        load_adapter(run, base)
