"""Bytes by part, and cleaning that leaves results alone."""

import pytest
from support.runs import make_run, write_adapter

from peftcore.errors import BadInput
from peftcore.runs.disk_use import clean, disk_use


def test_parts_sum_to_the_folder_and_cleaning_frees_its_part():
    run = make_run("lora")
    write_adapter(run)
    (run.folder / "checkpoint.safetensors").write_bytes(b"x" * 500)
    run.intermediate_file(50).parent.mkdir()
    run.intermediate_file(50).write_bytes(b"y" * 300)
    sizes = disk_use(run)
    assert (sizes["checkpoint"], sizes["path"]) == (500, 300)
    assert sum(sizes.values()) == sum(
        f.stat().st_size for f in run.folder.rglob("*") if f.is_file()
    )
    assert clean(run) == 500
    assert clean(run, ("path",)) == 300
    assert disk_use(run) == sizes | {"checkpoint": 0, "path": 0}
    assert run.scores()


def test_a_run_at_work_is_not_cleaned():
    run = make_run("lora")
    run.reset()
    with pytest.raises(BadInput, match="is queued"):
        clean(run)
