"""Disk use and the bin, on the Runs page."""

from support.pages import open_page, sound
from support.runs import make_run

from app.state import cache


def test_disk_use_is_shown_and_a_deleted_run_restored(no_demos):
    run = make_run("lora")
    (run.folder / "checkpoint.safetensors").write_bytes(b"x" * 500)
    page = open_page("runs", "Disk and bin")
    sound(page.button(key="runs.clean.checkpoint").click().run())
    assert not (run.folder / "checkpoint.safetensors").exists()
    cache.run_store().delete(run.id)
    page = open_page("runs", "Disk and bin")
    [restore] = [each for each in page.button if each.label == "Restore"]
    sound(restore.click().run())
    assert cache.run_store().open(run.id)
