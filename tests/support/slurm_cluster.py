"""A Slurm cluster of several nodes on this machine, with its own folder, ports and key."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel")
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
SlurmdTimeout=10
SlurmctldTimeout=10
KillWait=5
InactiveLimit=0
SlurmdParameters=config_overrides
{nodes}
PartitionName=all Nodes=n[1-3] Default=YES MaxTime=60 State=UP
"""


def can_be_made():
    """Return whether Slurm's programs are here and this user may start its daemons."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    return os.getuid() == 0 and all(shutil.which(name, path=path) for name in PROGRAMS)


class SlurmCluster:
    """A controller and three nodes of one processor each; use it as a context."""

    def __init__(self, folder: Path):
        self.folder, self.daemons = folder, []
        self.environment = {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{os.environ['PATH']}:/usr/sbin",
        }

    def __enter__(self):
        ports = _free_ports(4)
        nodes = "\n".join(
            f"NodeName=n{number} NodeHostname={socket.gethostname()} NodeAddr=127.0.0.1 "
            f"Port={ports[number]} CPUs=1 State=UNKNOWN"
            for number in (1, 2, 3)
        )
        values = {"folder": self.folder, "host": socket.gethostname(), "ports": ports}
        (self.folder / "state").mkdir(parents=True)
        (self.folder / "slurm.conf").write_text(CONFIGURATION.format(nodes=nodes, **values))
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        names = ("socket", "pid-file", "log-file", "seed-file")
        places = [f"--{name}={self.folder}/munge.{name.split('-')[0]}" for name in names]
        self._start("munged", "--foreground", "--force", f"--key-file={key}", *places)
        self._start("slurmctld", "-D")
        for number in (1, 2, 3):
            self._start("slurmd", "-D", "-N", f"n{number}")
        self.wait_for(lambda: self.ask("sinfo", "-h", "-o", "%t %D") == "idle 3")
        return self

    def __exit__(self, *_):
        for daemon in reversed(self.daemons):
            _kill_tree(daemon.pid)
            daemon.wait()

    def ask(self, *words):
        """Return what one of Slurm's programs says."""
        environment = os.environ | self.environment
        done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=30)
        return done.stdout.strip()

    def wait_for(self, is_true, seconds=60):
        """Wait until something is true of the cluster."""
        deadline = time.monotonic() + seconds
        while not is_true():
            logs = "\n".join(path.read_text()[-600:] for path in self.folder.glob("*.log"))
            assert time.monotonic() < deadline, logs
            time.sleep(0.3)

    def kill_node(self, name):
        """End a node's daemon and all that runs there, as if its power had failed."""
        number = int(name.removeprefix("n"))
        _kill_tree(self.daemons[1 + number].pid)
        for process in psutil.process_iter():  # tasks have parents of their own
            with contextlib.suppress(psutil.Error):
                environment = process.environ()
                if (
                    environment.get("SLURMD_NODENAME") == name
                    and environment.get("SLURM_CONF") == (self.environment["SLURM_CONF"])
                ):
                    _kill_tree(process.pid)

    def _start(self, name, *arguments):
        log = (self.folder / f"{name}.out.log").open("ab")
        environment = os.environ | self.environment
        program = shutil.which(name, path=environment["PATH"])
        words = [program, *arguments]
        daemon = subprocess.Popen(words, stdout=log, stderr=log, env=environment)
        self.daemons.append(daemon)
        if name == "munged":
            self.wait_for((self.folder / "munge.socket").exists)


def _free_ports(number):
    """Return ports that nobody listens at."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _kill_tree(pid):
    """Kill a process and all its children at once."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for each in [*process.children(recursive=True), process]:
            with contextlib.suppress(psutil.Error):
                each.send_signal(signal.SIGKILL)
