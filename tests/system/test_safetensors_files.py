import struct

import pytest
import torch
from safetensors.torch import save_file

from peftcore.errors import BadInput
from peftcore.system import safetensors_files


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.bool])
def test_what_was_saved_is_described_and_read(tmp_path, dtype):
    path = tmp_path / "a.safetensors"
    wanted = {"one": torch.ones(2, 3, dtype=dtype), "none": torch.ones(0, 3, dtype=dtype)}
    save_file(wanted, path, metadata={"note": "mine"})
    found = safetensors_files.read_header(path)
    assert found.shapes == {"one": (2, 3), "none": (0, 3)}
    assert found.notes == {"note": "mine"}
    read = safetensors_files.read_tensors(path, wanted)
    assert all(torch.equal(read[name], wanted[name]) for name in wanted)


def test_a_length_that_looks_like_a_pickles_first_bytes_is_a_length(tmp_path):
    path = tmp_path / "a.safetensors"
    text = b"{}".ljust(0x0280)
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    assert path.read_bytes()[:2] == b"\x80\x02"
    assert safetensors_files.read_header(path).shapes == {}


def test_what_does_not_belong_and_what_is_missing_is_named(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"mine": torch.ones(1), "foreign": torch.ones(1)}, path)
    with pytest.raises(BadInput, match="'foreign' does not belong there; 'yours' is missing"):
        safetensors_files.read_tensors(path, ["mine", "yours"])


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"no file a\.safetensors in"):
        safetensors_files.read_header(tmp_path / "a.safetensors")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_weights_that_are_no_numbers_are_refused_by_name_and_count(tmp_path, value, dtype):
    path = tmp_path / "a.safetensors"
    save_file({"sound": torch.ones(3), "odd": torch.tensor([1, value, value], dtype=dtype)}, path)
    with pytest.raises(BadInput, match=r"tensor 'odd' of a\.safetensors holds 2 of 3 values"):
        safetensors_files.read_weights(path)


@pytest.mark.parametrize(
    "dtype", [torch.int64, torch.int8, torch.bool, torch.complex64, torch.float8_e4m3fn]
)
def test_weights_of_types_that_adapters_do_not_have_are_refused(tmp_path, dtype):
    path = tmp_path / "a.safetensors"
    save_file({"odd": torch.ones(3).to(dtype)}, path)
    with pytest.raises(BadInput, match=r"of type|in no known way"):
        safetensors_files.read_weights(path)
