"""The command `server-limits`: how much one visitor, file or run may ask for, and the settings."""

from __future__ import annotations

from collections.abc import Iterator

from peftcore.cli import app
from peftcore.system import printing
from peftcore.system.server_limits import LIMITS


@app.command("server-limits")
def server_limits(as_json: printing.AsJson = False) -> None:
    """List the limits that are checked before work begins, and the variables that set them."""
    rows = [
        {
            "setting": limit.variable,
            "value": limit.value,
            "default": limit.default,
            "unit": limit.unit,
            "of": limit.of,
        }
        for limit in LIMITS
    ]

    def lines() -> Iterator[str]:
        """Yield the lines of the table."""
        heads = ["setting", "value", "default", "unit", "of"]
        yield from printing.format_table(heads, [tuple(row.values()) for row in rows])

    printing.print_result(rows, as_json, lines)
