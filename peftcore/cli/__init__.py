"""The command line: results on standard output, everything else on standard error.

Bad input ends with status 2 and one sentence, a fault of ours with status 1 and an error id.
"""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from peftcore.errors import BadInput
from peftcore.system.job_folder import JobFailed


class BadInputGroup(TyperGroup):
    """The commands; turns errors into sentences and exit statuses."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except BadInput as error:
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(2) from None
        except JobFailed as error:
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=BadInputGroup,
    help="Train small adapters on a frozen language model, and compare them.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

from peftcore.benchmarks import (  # noqa: E402  (they add themselves)
    bench_app,  # noqa: F401
    bench_compile,  # noqa: F401
    bench_generate,  # noqa: F401
    bench_growth,  # noqa: F401
    bench_precision,  # noqa: F401
    bench_rating,  # noqa: F401
    bench_report,  # noqa: F401
    bench_training,  # noqa: F401
)
from peftcore.benchmarks.common import bench  # noqa: E402
from peftcore.cli import (  # noqa: E402
    atoms,  # noqa: F401
    attention,  # noqa: F401
    components,  # noqa: F401
    examples,  # noqa: F401
    exchange,  # noqa: F401
    experiments,  # noqa: F401
    images,  # noqa: F401
    landscape,  # noqa: F401
    limits,  # noqa: F401
    queue,  # noqa: F401
    rating,  # noqa: F401
    rating_access,  # noqa: F401
    rating_results,  # noqa: F401
    rating_tables,  # noqa: F401
    report,  # noqa: F401
    results,  # noqa: F401
    scaling,  # noqa: F401
    serve,  # noqa: F401
    sweeps,  # noqa: F401
    toys,  # noqa: F401
    training,  # noqa: F401
)

app.add_typer(bench, name="bench")
