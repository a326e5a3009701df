"""The process that tries runs: what it answers, and that it ends with whoever started it."""

import json
import os
import queue
import signal
import subprocess
import sys
import textwrap
import threading
import time

import psutil
import pytest
from support.bases import build_tiny

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.jobs import estimate_process
from peftcore.jobs.estimate_process import EstimateProcess, EstimateServer, NotWanted
from peftcore.training import estimate
from peftcore.training.planning import build_spec

ESTIMATE = {
    "trainable": 3, "total": 9, "percent": 1.0, "seconds": 2.0, "memory_bytes": 5, "basis": "",
    "parts": {"training": 2.0}, "start_seconds": 1.0,
}  # fmt: skip
# In place of the process, without torch: answers by the number of seeds.
FAKE = """
import json, pathlib, sys, time
for line in sys.stdin:
    seeds = json.loads(line)["spec"]["population"]["seeds"]
    if seeds == 7:
        time.sleep(60)
    if seeds == 8:
        sys.exit(1)
    if seeds == 6 and not pathlib.Path("MARK").exists():
        pathlib.Path("MARK").touch()
        sys.exit(1)
    answer = {"problem": "too few"} if seeds == 9 else {"estimate": ESTIMATE}
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def base(tmp_path, monkeypatch):
    made = build_tiny("t5")
    made.model.save_pretrained(tmp_path / "mine")
    made.tokenizer.save_pretrained(tmp_path / "mine")
    monkeypatch.setenv("PEFTCORE_MODELS", str(tmp_path))


def spec(seeds=1, **training):
    small = {"shots": 4, "dev": 4, "steps": 2, "batch": 2} | training
    return build_spec("mine", "miniworld_nli", "lora", None, {"seeds": seeds}, small, {"limit": 2})


@pytest.fixture
def process(base, tmp_path):
    script = FAKE.replace("ESTIMATE", repr(ESTIMATE)).replace("MARK", str(tmp_path / "ended"))
    process = EstimateProcess((sys.executable, "-c", script))
    yield process
    process.close()


def test_a_process_answers_one_request_after_the_other(process):
    assert process.estimate(spec()).parts == {"training": 2.0}
    first = process.pid
    assert process.estimate(spec(2)).start_seconds == 1.0
    assert process.pid == first
    with pytest.raises(BadInput, match="too few"):
        process.estimate(spec(9))


def test_a_process_that_was_idle_and_ended_is_started_again(process):
    process.estimate(spec())
    os.kill(process.pid, signal.SIGTERM)
    psutil.Process(process.pid).wait(10)
    assert process.estimate(spec()).seconds == 2.0


def test_a_process_that_ends_in_a_trial_is_a_problem_of_that_run_alone(process):
    with pytest.raises(BadInput, match="ended early"):
        process.estimate(spec(8))
    assert process.estimate(spec()).seconds == 2.0


def test_a_process_that_somebody_ended_in_a_trial_tries_it_again(process):
    assert process.estimate(spec(6)).seconds == 2.0


def test_a_trial_nobody_waits_for_is_ended(process):
    process.start()
    working = psutil.Process(process.pid)
    with pytest.raises(NotWanted):
        process.estimate(spec(7), wanted=lambda: False)
    assert not working.is_running()


def test_other_folders_get_another_process(process, monkeypatch, tmp_path):
    process.estimate(spec())
    first = process.pid
    monkeypatch.setenv("PEFTCORE_HOME", str(tmp_path / "other"))
    process.estimate(spec())
    assert process.pid != first


def test_the_server_answers_with_an_estimate_or_what_is_wrong(base, monkeypatch):
    server = EstimateServer()

    def ask(asked):
        return server.answer(json.dumps({"spec": asked.model_dump(mode="json")}))

    answer = ask(spec())["estimate"]
    assert answer["seconds"] > 0
    assert answer["start_seconds"] > 0
    assert "gone" in ask(spec().model_copy(update={"base": "gone"}))["problem"]

    def fail(*_, **__):
        raise RuntimeError("DefaultCPUAllocator: not enough memory")

    monkeypatch.setattr(estimate, "estimate_cost", fail)
    assert "more memory" in ask(spec())["problem"]


def test_the_server_lets_its_bases_go_when_idle_and_ends(monkeypatch):
    monkeypatch.setattr(estimate_process, "IDLE_SECONDS", 0.02)
    monkeypatch.setattr(estimate_process, "END_SECONDS", 0.06)
    server, forgot = EstimateServer(), []
    monkeypatch.setattr(server, "forget", lambda: forgot.append(1))
    thread = threading.Thread(target=server.serve, args=(queue.Queue(), print))
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert len(forgot) == 3


def test_the_process_ends_with_its_starter():
    """Even where that is killed, and even while it is busy."""
    script = textwrap.dedent("""
        import os, sys, threading, queue, time
        from peftcore.jobs import estimate_process
        requests = queue.Queue()
        threading.Thread(
            target=estimate_process._read_requests, args=(sys.stdin, requests), daemon=True
        ).start()
        print("ready", flush=True)
        time.sleep(60)
    """)
    child = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=paths.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout.readline() == b"ready\n"
    began = time.monotonic()
    child.stdin.close()
    assert child.wait(20) == 0
    assert time.monotonic() - began < 20
    child.stdout.close()
