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
