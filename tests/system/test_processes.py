"""Processes that outlive who started them."""

import json
import subprocess
import sys
import time
from dataclasses import replace

import psutil

from peftcore import paths
from peftcore.system import processes

TELL = "import json, os, sys; sys.stderr.write(json.dumps([dict(os.environ), os.getcwd()]))"


def start_and_read(log, identity):
    until = time.monotonic() + 100
    while identity.find_process() and time.monotonic() < until:
        time.sleep(0.02)
    return json.loads(log.read_text())


def test_it_works_on_this_workspace_by_whole_paths_and_one_thread(tmp_path, home, monkeypatch):
    monkeypatch.setenv("PEFTCORE_MODELS", "models")
    monkeypatch.chdir(tmp_path)
    log = tmp_path / "log.txt"
    identity = processes.start_python(["-c", TELL], log, "a token", {"MORE": "1"})
    environment, folder = start_and_read(log, identity)
    assert environment["PEFTCORE_HOME"] == str(home)
    assert environment["PEFTCORE_MODELS"] == str(tmp_path / "models")
    assert (environment["OMP_NUM_THREADS"], environment["MORE"]) == ("1", "1")
    assert environment[processes.TOKEN_VARIABLE] == identity.token == "a token"
    assert folder == str(paths.ROOT)


def test_one_whose_environment_cannot_be_read_yet_is_there(tmp_path, monkeypatch):
    wait = "import sys; sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", wait], stdin=subprocess.PIPE) as process:
        identity = replace(processes.identify(process.pid), token="a token")
        until = time.monotonic() + 100
        while not psutil.Process(process.pid).environ() and time.monotonic() < until:
            time.sleep(0.01)
        assert identity.find_process() is None
        monkeypatch.setattr(psutil.Process, "environ", lambda self: {})
        assert identity.find_process() is not None
        process.communicate()


def test_one_that_ends_at_once_is_known_and_does_not_stay(tmp_path):
    for _ in range(5):
        identity = processes.start_python(["-c", ""], tmp_path / "log.txt")
        until = time.monotonic() + 100
        while identity.find_process() and time.monotonic() < until:
            time.sleep(0.02)
        assert identity.find_process() is None


def test_a_clock_that_is_set_does_not_make_a_living_process_another(monkeypatch):
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    ) as process:
        identity = processes.identify(process.pid)
        boot_time = psutil._psplatform.boot_time
        monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: boot_time() - 3600)
        assert identity.find_process() is not None
        assert replace(identity, started=identity.started + 5).find_process() is None
        process.communicate()


def test_one_that_an_earlier_version_wrote_down_by_the_clock_is_known(monkeypatch):
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    ) as process:
        started = psutil.Process(process.pid).create_time()
        identity = replace(processes.identify(process.pid), started=started)
        assert identity.find_process() is not None
        assert replace(identity, started=started - 5).find_process() is None
        process.communicate()
