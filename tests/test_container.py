"""The container's files name what is there: commands, ports, settings, addresses."""

import re
from pathlib import Path

import pytest
import yaml

from app.state import access, health
from peftcore import paths
from peftcore.cli.groups import find_commands
from peftcore.jobs import queue

FOLDER = paths.ASSETS / "container"
DOCKERFILE = (FOLDER / "Dockerfile").read_text()


@pytest.fixture
def services():
    return yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]


def test_there_are_app_worker_database_and_a_proxy_which_alone_is_reached(services):
    assert set(services) == {"app", "worker", "database", "proxy"}
    assert [name for name, each in services.items() if "ports" in each] == ["proxy"]
    assert services["proxy"]["ports"] == ["80:80", "443:443"]
    assert services["app"]["environment"]["PEFTCORE_WORKERS"] == "elsewhere"
    assert services["worker"]["environment"]["PEFTCORE_WORKERS"] != "elsewhere"
    same = ("image", "volumes")
    assert all(services["app"][key] == services["worker"][key] for key in same)


def test_names_of_the_server_are_apart_by_a_space(services):
    """As Streamlit reads a list from the environment; with a comma it would refuse everybody."""
    hosts = services["app"]["environment"]["STREAMLIT_SERVER_ALLOWED_HOSTS"]
    assert re.fullmatch(r"\$\{HOST:\?[^}]+\} localhost", hosts)


def test_passwords_and_names_come_from_outside(services):
    written = (FOLDER / "compose.yaml").read_text()
    assert written.count("${DATABASE_PASSWORD:?") == 2
    assert "@database/lab" in services["app"]["environment"]["PEFTCORE_DATABASE"]
    example = (FOLDER / "secrets.example.toml").read_text()
    assert re.findall(r'(?:secret|client_id) = "(.*)"', example) == ["", "", ""]


def test_commands_are_ours_and_files_are_there(services):
    commands = [services["worker"]["command"], re.findall(r'"([^"]+)"', DOCKERFILE)[-5:]]
    for command in commands:
        assert command[:3] == ["python", "-m", "peftcore"]
        assert command[3] in find_commands()
    copied = re.search(r"^COPY (requirements.*) \./$", DOCKERFILE, re.M)[1].split()
    assert all((paths.ROOT / name).is_file() for name in copied)
    mounted = [
        volume.split(":")[0]
        for each in services.values()
        for volume in each.get("volumes", ())
        if volume.startswith("./")
    ]
    assert {(FOLDER / name).name for name in mounted} == {"Caddyfile", "secrets.toml"}
    assert (FOLDER / "Caddyfile").is_file()


def test_what_watches_asks_addresses_that_there_are():
    addresses = {route.path for route in health.ROUTES}
    asked = re.search(r"localhost:8501(/\w+)", DOCKERFILE)[1]
    proxied = set(re.search(r"path (.*)", (FOLDER / "Caddyfile").read_text())[1].split())
    assert asked in addresses
    assert proxied == addresses


def test_every_setting_that_is_named_is_read_somewhere():
    named = set(re.findall(r"PEFTCORE_\w+", "".join(f.read_text() for f in FOLDER.iterdir())))
    sources = [f for top in ("app", "peftcore") for f in (paths.ROOT / top).rglob("*.py")]
    text = "".join(Path(file).read_text() for file in sources)
    assert [name for name in sorted(named) if f'"{name}"' not in text] == []


def test_the_roles_of_the_example_are_those_the_app_knows(monkeypatch):
    import tomllib
    from types import SimpleNamespace

    example = tomllib.loads((FOLDER / "secrets.example.toml").read_text())

    class Secrets(dict):
        load_if_toml_exists = lambda self: True

    monkeypatch.setattr(access, "st", SimpleNamespace(secrets=Secrets(example)))
    listed = access._listed_roles()
    assert {role: len(logins) for role, logins in listed.items()} == {
        "admin": 1,
        "experimenter": 1,
        "viewer": 1,
    }


def test_workers_elsewhere_are_not_started_here(monkeypatch):
    monkeypatch.setenv("PEFTCORE_WORKERS", "elsewhere")
    monkeypatch.setattr(queue, "_spawn_worker", lambda *_: 1 / 0)
    assert queue.ensure_worker("auto") is False
