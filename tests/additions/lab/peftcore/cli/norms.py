"""The command `norms`: how long the tensors of a run's adapter are."""

from __future__ import annotations

from peftcore.cli import app
from peftcore.cli.results import RunId
from peftcore.system import printing


@app.command()
def norms(run: RunId, as_json: printing.AsJson = False) -> None:
    """Norm of every tensor of a run's adapter."""
    from peftcore.labs.norms import tensor_norms

    from peftcore.runs.store import RunStore

    found = tensor_norms(RunStore().open(run))
    rows = [(name, sum(values) / len(values)) for name, values in found.items()]
    printing.print_result(found, as_json, lambda: printing.format_table(["tensor", "norm"], rows))
