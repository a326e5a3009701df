"""Runs and made-up landscapes for the Landscape page."""

import numpy as np

from peftcore.analysis import simplex
from peftcore.labs.landscape.request import LandscapeJob
from support.runs import make_run, write_adapter

SEEDS = {"seeds": 2, "vertices": 3}

FACTS = {
    "n": 24,
    "split": "dev",
    "seed": 0,
    "data_hash": "00ff00ff",
    "arithmetic": "fp32",
    "metric": "accuracy",
    "base": "tiny-t5",
    "fingerprint": "f0",
    "task": "miniworld_nli",
    "adapters": ["0" * 12],
    "vertices": 3,
}


def simplex_run(**more):
    run = make_run("prefix_tuning", population=SEEDS, **more)
    write_adapter(run)
    return run


def measured(ask, known=None):
    """A landscape with made-up losses, of all points or the first `known`."""
    landscape = LandscapeJob.create_own(ask)
    grid = simplex.triangle_lattice(ask.steps, ask.beyond)
    at = simplex.triangle_coords(grid)
    rows = [
        {"line": "", "t": None, "x": x, "y": y, "mark": "", "weights": list(w)}
        for (x, y), w in zip(at, grid, strict=True)
    ]
    for k in range(3):
        here = int(np.flatnonzero(np.abs(grid - np.eye(3)[k]).max(1) < 1e-9)[0])
        rows[here]["mark"] = f"vertex {k}"
    landscape.write_plan(FACTS | {"corners": ["vertex 0", "vertex 1", "vertex 2"]}, rows)
    chosen = list(range(len(rows)))[:known]
    losses = [float((at[i] ** 2).sum()) for i in chosen]
    landscape.append_value({"what": "loss", "at": chosen, "values": losses})
    state = "done" if known is None else "cancelled"
    landscape.write_status(state=state, done=len(chosen), of=len(rows))
    return landscape
