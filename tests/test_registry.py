"""A registry fills itself from the files of a package."""

import sys

import pytest

from peftcore.errors import BadInput
from peftcore.registry import Registry


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two files, each of which registers a class."""
    folder = tmp_path / "colours_of_a_test"
    folder.mkdir()
    (folder / "__init__.py").write_text("from peftcore.registry import Registry\nCOLOURS = None\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.startswith(folder.name)]:
        del sys.modules[name]


def registry_of(package, *names):
    registry = Registry("colour", package.name)
    for name in names:
        (package / f"{name}.py").write_text(
            f"import {package.name}\n"
            f"{package.name}.REGISTRY.add(type('{name.title()}', (), {{'name': '{name}'}}))\n"
        )
    __import__(package.name).REGISTRY = registry
    return registry


def test_every_file_is_found_and_names_are_in_order(package):
    colours = registry_of(package, "red", "blue")
    assert list(colours) == ["blue", "red"]
    assert [kind.__name__ for kind in colours.values()] == ["Blue", "Red"]
    assert "red" in colours
    assert colours["red"].name == "red"


def test_an_unknown_name_gets_those_that_are_close(package):
    colours = registry_of(package, "red", "blue")
    with pytest.raises(BadInput, match=r"no colour 'rad'; did you mean 'red'\? known: blue, red"):
        colours["rad"]


def test_two_of_one_name_are_refused(package):
    colours = registry_of(package)
    first = colours.add(type("Red", (), {"name": "red"}))
    assert colours.add(first) is first
    with pytest.raises(TypeError, match="two colours are called 'red'"):
        colours.add(type("Other", (), {"name": "red"}))


def test_a_file_that_cannot_be_imported_fails_every_time(package):
    colours = registry_of(package, "red")
    (package / "broken.py").write_text("raise RuntimeError('broken')\n")
    for _ in range(2):
        with pytest.raises(RuntimeError, match="broken"):
            list(colours)
