"""`security`: the register of risks, and the tests of those risks that are of no file."""

import ast
import re
import tomllib

import pytest
from support.commands import call, printed

from peftcore import paths
from peftcore.cli.security import REGISTER

SOURCES = [
    path for folder in ("peftcore", "app", "pages") for path in (paths.ROOT / folder).rglob("*.py")
]
FLOORS = {  # below which a hole is known that concerns us
    "torch": (2, 6),
    "transformers": (5, 3),
    "streamlit": (1, 61),
    "peft": (0, 21, 2),
    "safetensors": (0, 5),
}


def functions_of(path):
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if hasattr(node, "name")}


@pytest.mark.parametrize("risk", REGISTER, ids=lambda risk: risk.name)
def test_every_row_has_a_control_and_tests_that_exist(risk):
    assert risk.control
    assert risk.tests
    for test in risk.tests:
        file, _, name = test.partition("::")
        path = paths.ROOT / file
        assert path.is_file(), file
        assert name in functions_of(path), test


def test_the_register_has_every_row_once_and_says_what_is_missing():
    rows = printed("security")
    assert len(rows) == len({row["name"] for row in rows}) == 27
    lacking = [row["name"] for row in rows if row["lacks"]]
    assert [row["name"] for row in printed("security", "--open")] == lacking
    text = call("security").stdout
    assert f"{27 - len(lacking)} of 27 rows have control and test" in text
    assert text.count("not yet: ") == len(lacking)


def test_no_text_is_evaluated_anywhere():
    """Neither as Python, nor as a filter of a table, nor by a shell."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            attribute = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            assert name not in {"eval", "exec", "compile"}, path
            assert attribute not in {"query", "system", "popen"}, (path, node.lineno)
            assert attribute != "eval" or not node.args, (path, node.lineno)
            shell = [word.value for word in node.keywords if word.arg == "shell"]
            assert not shell, path


def test_telemetry_error_details_and_foreign_hosts_are_off():
    settings = tomllib.loads((paths.ROOT / "app" / ".streamlit" / "config.toml").read_text())
    assert settings["browser"]["gatherUsageStats"] is False
    assert settings["client"]["showErrorDetails"] == "none"
    server = settings["server"]
    assert server["address"] == "127.0.0.1"
    assert server["allowedHosts"] == ["localhost", "127.0.0.1", "[::1]"]
    assert server["enableXsrfProtection"] is True
    assert server["enableStaticServing"] is False
    assert server["maxUploadSize"] <= 25


def test_every_package_is_pinned_at_or_above_its_floor():
    files = ("requirements.txt", "requirements-extra.txt")
    text = "\n".join((paths.ROOT / file).read_text() for file in files)
    pins = dict(re.findall(r"^([A-Za-z0-9_.-]+)==([0-9.]+)", text, re.MULTILINE))
    for name, floor in FLOORS.items():
        assert tuple(map(int, pins[name].split("."))) >= floor, name
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all("==" in line for line in lines)
