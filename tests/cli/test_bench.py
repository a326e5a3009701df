"""`bench` finds its commands in the files of peftcore/benchmarks."""

import pkgutil

from support.commands import call

from peftcore import benchmarks
from peftcore.benchmarks.common import bench


def test_every_file_of_a_benchmark_has_a_command():
    assert call("bench", "--help").exit_code == 0
    found = {command.callback.__module__ for command in bench.registered_commands}
    files = [each.name for each in pkgutil.iter_modules(benchmarks.__path__)]
    assert {f"{benchmarks.__name__}.{name}" for name in files if name.startswith("bench_")} <= found
