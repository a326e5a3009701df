"""Pictures of the tour are known to be old when a file of their page has changed."""

import json

import pytest
from support.commands import call

from peftcore import paths
from peftcore.benchmarks import screenshots


def test_every_picture_has_a_page_with_files_of_its_own():
    for shot in screenshots.TOUR.values():
        files = screenshots.page_files(shot.page)
        assert paths.PAGES / f"{shot.page}.py" in files
        assert len(files) > 1


def test_a_changed_page_makes_its_picture_old(tmp_path, monkeypatch):
    for name in screenshots.TOUR:
        (tmp_path / f"{name}.png").write_bytes(b"")
    made = {n: {"pages": screenshots.hash_of_page(s.page)} for n, s in screenshots.TOUR.items()}
    (tmp_path / screenshots.MADE_FILE).write_text(json.dumps(made))
    assert screenshots.outdated(tmp_path) == []
    files = screenshots.page_files

    def more(page):
        return files(page) if page != "limits" else [paths.PAGES / "limits.py"]

    monkeypatch.setattr(screenshots, "page_files", more)
    assert screenshots.outdated(tmp_path) == ["limits"]
    (tmp_path / "home.png").unlink()
    assert screenshots.outdated(tmp_path) == ["home", "limits"]


def test_the_command_names_old_pictures_and_refuses_unknown_ones(tmp_path):
    assert call("ship", "screenshots", "--check", "--out", str(tmp_path)).exit_code == 1
    assert call("ship", "screenshots", "nowhere", "--out", str(tmp_path)).exit_code == 2


@pytest.mark.parametrize(("name", "address"), [("home", "/"), ("train", "/train")])
def test_addresses_lead_to_the_page(name, address):
    assert screenshots.TOUR[name].address == address
