"""Every public name tells what it does with an example, and the examples are true."""

import doctest
import importlib
import subprocess
import sys

import pytest

import peftcore

MODULES = ["peftcore", *sorted(name for name in peftcore._MODULES if ".api." in name)]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_true(name):
    found = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert found.attempted
    assert not found.failed


def test_every_public_name_has_a_docstring_and_what_is_of_the_interface_an_example():
    for name in peftcore.__all__:
        value = getattr(peftcore, name)
        assert value.__doc__, name
        assert ">>> " in value.__doc__ or ".api." not in value.__module__, name


def test_the_names_that_are_offered_are_those_that_can_be_imported():
    assert sorted(peftcore._MODULE_OF) == sorted(peftcore.__all__)
    assert set(peftcore.__all__) <= set(dir(peftcore))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        peftcore.nothing  # noqa: B018


def test_the_package_alone_imports_no_other_package():
    code = (
        "import peftcore, sys; "
        "print([m for m in ('torch', 'pandas', 'numpy', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
