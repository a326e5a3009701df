"""Stand-ins for Slurm's programs on PATH: what they are asked is kept, what they say is set."""

import json
import os
import sys
from pathlib import Path

from peftcore.sweeps.engines import slurm_part

PROGRAM = """#!{python} -ISE
import json, pathlib, re, sys
folder, name, words = pathlib.Path({folder!r}), pathlib.Path(sys.argv[0]).name, sys.argv[1:]
with (folder / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps([name, *words]) + "\\n")
if (folder / f"{{name}}.error").exists():
    sys.exit((folder / f"{{name}}.error").read_text())
file = folder / "tasks.json"
tasks = json.loads(file.read_text()) if file.exists() else {{}}
option = lambda key: next((w.partition("=")[2] for w in words if w.startswith(f"--{{key}}=")), "")
if name == "sbatch":
    text = pathlib.Path(words[-1]).read_text()
    array = re.search("--job-name=(.*)", text)[1]
    for index in range(int(re.search(r"--array=0-(\\d+)", text)[1]) + 1):
        tasks[f"{{array}}|{{index}}"] = ["PENDING", "Priority", option("chdir")]
    print(1 + len(tasks))
elif name == "squeue":
    for key, (state, reason, _) in tasks.items():
        print(f"{{key}}|{{state}}|{{reason}}")
elif name == "sacct":
    for key, (state, *_) in tasks.items():
        if key.startswith(option("name") + "|"):
            print("7_" + key.partition("|")[2] + "|" + state.lower())
elif name == "scancel":
    for key, row in tasks.items():
        if key.startswith(option("name") + "|") and row[0] == (option("state") or row[0]):
            row[0] = "ASKED" if option("signal") else "CANCELLED"
file.write_text(json.dumps(tasks))
"""


class FakeSlurm:
    """A controller without nodes; `tick` lets parts begin and end in this process."""

    def __init__(self, folder: Path, trainer):
        self.folder, self.trainer = folder, trainer
        folder.mkdir()
        for name in ("sbatch", "squeue", "scancel", "sacct"):
            program = folder / name
            program.write_text(PROGRAM.format(python=sys.executable, folder=str(folder)), "utf-8")
            program.chmod(0o755)

    @property
    def tasks(self):
        """Task → [state, reason, folder]."""
        return json.loads((self.folder / "tasks.json").read_text())

    def set(self, key, state, reason="None"):
        """Let the controller say this of a task from now on."""
        changed = self.tasks
        changed[key][:2] = [state, reason]
        (self.folder / "tasks.json").write_text(json.dumps(changed))

    def forget(self, key):
        """Let the controller remember a task no longer."""
        left = {name: row for name, row in self.tasks.items() if name != key}
        (self.folder / "tasks.json").write_text(json.dumps(left))

    def calls(self, name):
        """List the words that a program was called with."""
        lines = (self.folder / "calls.jsonl").read_text().splitlines()
        return [words[1:] for words in map(json.loads, lines) if words[0] == name]

    def train(self, key):
        """Do on a node what a task of the array does."""
        os.environ["SLURMD_NODENAME"] = "n1"
        folder, index = Path(self.tasks[key][2]), int(key.partition("|")[2])
        outcome = slurm_part.train_part(folder, index, self.trainer)
        self.set(key, "COMPLETED")
        return outcome

    def tick(self, _seconds=0):
        """Train the first task that waits."""
        waiting = [key for key, row in self.tasks.items() if row[0] == "PENDING"]
        if waiting:
            self.train(waiting[0])
