"""Slurm's own programs: what an array job asks for, and how it is submitted, watched and ended.

Arrays are found again by their names, which no two share, so that what was submitted is never lost
to a process that died before it could write down a number.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.settings import Settings
from peftcore.system import processes

NEEDED = ("sbatch", "squeue", "scancel")  # sacct may be missing: few small clusters keep accounts
ANSWER_SECONDS = 60.0  # that one of Slurm's programs has
WARNING_SECONDS = 120  # between the signal to end a step and the end of an array task's time
ENDED = frozenset(
    {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL"}
    | {"OUT_OF_MEMORY", "PREEMPTED", "REVOKED", "TIMEOUT"}
)
PASSED_ON = ("PEFTCORE_HOME", "PEFTCORE_DATA", "PEFTCORE_MODELS")
TaskId = tuple[str, int]  # name and index of an array task


def _matching(pattern: str, example: str) -> AfterValidator:
    """Check a text against a pattern; empty leaves it to the cluster."""

    def check(text: str) -> str:
        if text and not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(f"is written as {example}")
        return text

    return AfterValidator(check)


NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}"


class SlurmSite(Settings):
    """Resources of one part of a sweep; what is empty is left to the cluster's own defaults."""

    partition: Annotated[str, _matching(rf"{NAME}(,{NAME}){{0,15}}", "gpu or gpu,long")] = Field(
        "", description="Partition"
    )
    account: Annotated[str, _matching(NAME, "my_project")] = Field("", description="Account")
    qos: Annotated[str, _matching(NAME, "normal")] = Field("", description="Quality of service")
    time: Annotated[
        str, _matching(r"(\d{1,3}-)?\d{1,5}(:\d\d){0,2}", "90 (minutes), 1:30:00 or 2-12:00:00")
    ] = Field("", description="Longest time of a part")
    memory: Annotated[str, _matching(r"\d{1,7}[KMGT]?", "900M or 8G")] = Field(
        "", description="Memory of a part"
    )
    gpus: int = Field(0, ge=0, le=16, description="GPUs of a part")
    cpus: int = Field(1, ge=1, le=256, description="Processors of a part")


@dataclass(frozen=True)
class TaskState:
    """The state of an array task, in Slurm's words."""

    state: str
    reason: str = ""

    @property
    def alive(self) -> bool:
        """Return whether it waits, runs or begins again."""
        return self.state not in ENDED


def found() -> bool:
    """Return whether this machine can submit to a cluster."""
    return all(shutil.which(name) for name in NEEDED)


def script(site: SlurmSite, name: str, tasks: int, at_once: int | None, device: str) -> str:
    """Write the file for `sbatch`: an array with one task for each part; paths are quoted.

    It is submitted from the folder of its parts, where each task writes its log as INDEX.log.
    """
    asked = {
        "job-name": name,
        "array": f"0-{tasks - 1}" + (f"%{at_once}" if at_once else ""),
        "output": "%a.log",
        "open-mode": "append",
        "nodes": 1,
        "ntasks": 1,
        "cpus-per-task": site.cpus,
        "signal": f"B:TERM@{WARNING_SECONDS}",
        "partition": site.partition,
        "account": site.account,
        "qos": site.qos,
        "time": site.time,
        "mem": site.memory,
        "gpus": site.gpus or "",
    }
    environment = processes.python_environment()
    exported = {key: environment[key] for key in PASSED_ON if key in environment} | {
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PEFTCORE_THREADS": str(site.cpus),
        "PYTHONPATH": os.pathsep.join(
            filter(None, [str(paths.ROOT), os.environ.get("PYTHONPATH")])
        ),
    }
    words = [sys.executable, "-m", "peftcore.sweeps.engines.slurm_part", "--device", device]
    lines = [
        "#!/bin/sh",
        *(f"#SBATCH --{key}={value}" for key, value in asked.items() if value != ""),
        "#SBATCH --requeue",
        *(f"export {key}={shlex.quote(value)}" for key, value in exported.items()),
        f'exec {shlex.join(words)} . "$SLURM_ARRAY_TASK_ID"',
    ]
    return "\n".join(lines) + "\n"


def submit(folder: Path) -> None:
    """Submit the file of a folder; BadInput with the last line of `sbatch`."""
    _call(["sbatch", "--parsable", f"--chdir={folder}", str(folder / "array.sbatch")])


def task_states(names: Iterable[str]) -> dict[TaskId, TaskState]:
    """Return how the tasks of these arrays stand that Slurm remembers, also those that ended."""
    wanted = set(names)
    text = _call(
        ["squeue", "--me", "--noheader", "--array", "--states=all", "--format=%j|%K|%T|%r"]
    )
    rows = [line.strip().split("|", 3) for line in text.splitlines()]
    return {
        (row[0], int(row[1])): TaskState(row[2], row[3])
        for row in rows
        if len(row) == 4 and row[0] in wanted and row[1].isdigit()
    }


def end_state(task: TaskId) -> str:
    """Return the state in which the accounts say that a task ended; empty without accounts."""
    name, index = task
    words = ["sacct", "--noheader", "--parsable2", "--allocations", "--starttime=now-30days"]
    try:
        text = _call([*words, f"--name={name}", "--format=JobID,State"])
    except BadInput:
        return ""
    rows = [line.split("|") for line in text.splitlines()]
    states = [row[1] for row in rows if len(row) == 2 and row[0].endswith(f"_{index}")]
    return states[-1].split()[0] if states and states[-1] else ""


def withdraw(names: Iterable[str]) -> None:
    """Take what waits off the queue, and ask what runs to end its step."""
    for name in names:
        own = [f"--user={os.getuid()}", f"--name={name}"]
        _call(["scancel", *own, "--state=PENDING"])
        _call(["scancel", *own, "--state=RUNNING", "--batch", "--signal=TERM"])


def cancel(names: Iterable[str]) -> None:
    """End arrays at once."""
    for name in names:
        _call(["scancel", f"--user={os.getuid()}", f"--name={name}"])


def _call(words: Sequence[str]) -> str:
    """Return what a program says; BadInput with its last line if it fails or stays silent."""
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWER_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise BadInput(
            f"there is no program {words[0]} here: start the sweep where Slurm takes jobs, "
            "or choose --engine local"
        ) from None
    except subprocess.TimeoutExpired:
        raise BadInput(f"{words[0]} did not answer in {ANSWER_SECONDS:.0f} seconds") from None
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise BadInput(f"{words[0]} refused: {last[:300]}")
    return done.stdout
