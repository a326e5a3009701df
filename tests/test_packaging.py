"""`pip install .`: what it needs, what it brings, and that the installed command works."""

import os
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import setuptools

PROJECT = Path(__file__).parents[1]


@pytest.fixture
def arguments(monkeypatch):
    """What setup.py asks of setuptools."""
    asked = {}
    monkeypatch.setattr(setuptools, "setup", asked.update)
    monkeypatch.chdir(PROJECT)
    runpy.run_path(str(PROJECT / "setup.py"))
    return asked


def test_it_requires_what_is_for_use_and_nothing_for_development(arguments):
    needed = {line.split("==")[0] for line in arguments["install_requires"]}
    assert {"torch", "streamlit"} <= needed
    assert not {"pytest", "mypy", "ruff", "peft", "playwright"} & needed
    assert all("==" in line and "#" not in line for line in arguments["install_requires"])


def test_every_folder_of_source_is_installed(arguments):
    found = {
        ".".join(path.parent.relative_to(PROJECT).parts)
        for top in ("peftcore", "app")
        for path in (PROJECT / top).rglob("*.py")
    }
    assert found <= set(arguments["packages"])
    assert all((PROJECT / folder).is_dir() for folder in arguments["package_dir"].values())


@pytest.mark.slow
def test_the_installed_command_trains_and_every_page_file_is_there(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in listed.stdout.splitlines():
        if (PROJECT / name).is_file():  # deleted ones are listed too
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((PROJECT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "-w", str(tmp_path), str(source)], check=True)
    (wheel,) = tmp_path.glob("adapter_lab-*.whl")
    zipfile.ZipFile(wheel).extractall(target)
    pages = {path.name for path in (target / "app" / "page_scripts").glob("*.py")}
    assert pages == {path.name for path in (PROJECT / "pages").glob("*.py")}
    assert (target / "app" / ".streamlit" / "config.toml").is_file()
    start = "import sys; sys.argv[0] = 'adapter-lab'; from peftcore.__main__ import main; main()"
    environment = os.environ | {"PYTHONPATH": str(target), "XDG_DATA_HOME": str(tmp_path / "home")}
    environment.pop("PEFTCORE_HOME")
    options = ["--base", "tiny-t5", "--task", "miniworld_nli", "--method", "lora", "--json"]
    short = ["--shots", "4", "--seeds", "2", "--steps", "2"]
    less = [word for s in ("dev=2", "batch=1", "limit=3") for word in ("--set", s)]
    done = subprocess.run(
        [sys.executable, "-c", start, "train", *options, *short, *less],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "home" / "adapter-lab" / "workspace" / "runs").iterdir())) == 1
