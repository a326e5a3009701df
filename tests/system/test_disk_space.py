"""Room on the disk, asked for before work begins."""

import shutil
from types import SimpleNamespace

import pytest

from peftcore.errors import BadInput
from peftcore.system import disk_space


@pytest.mark.parametrize(("free", "enough"), [(150_000_000, True), (149_999_999, False)])
def test_a_reserve_stays_free(monkeypatch, tmp_path, free, enough):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    if enough:
        disk_space.require_space(tmp_path, 50_000_000)
        return
    with pytest.raises(BadInput, match=r"50 MB and a reserve of 100 MB .* 150 MB are free"):
        disk_space.require_space(tmp_path, 50_000_000)
