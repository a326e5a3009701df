"""What a run forgot of general text, on the Runs page; measured on request where it is missing."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from app.figures.compare import find_measure
from app.ui import charts, job_panel, widgets
from peftcore.analysis.forgetting import ForgettingEstimate, estimate_forgetting
from peftcore.labs.forgetting.request import ForgettingJob, ForgettingRequest
from peftcore.models import catalog
from peftcore.runs.forgetting import LOSS, PAIRS, Forgetting
from peftcore.runs.store import Run

MEASURES = {LOSS: "Loss on general text (nats)", PAIRS: "Pairs judged rightly (share)"}


def show_forgetting(run: Run) -> None:
    """Before, after and what was forgotten; of runs without it the button that measures it."""
    if run.status().state != "done":
        return
    found, kind = run.forgetting(), run.manifest().get("base", {}).get("kind")
    can_measure = (run.folder / "adapter.safetensors").is_file() and kind != "encoder"
    if found is None and kind != "encoder" and not can_measure:
        return
    st.header("Forgetting", anchor=False)
    if kind == "encoder":
        st.caption("The base reads but does not write, so there is no text that it could forget.")
    elif found is not None:
        _show_values(run, found)
    elif not catalog.is_at_hand(run.spec.base):
        st.caption("Not measured, and the base is not on this machine.")
    else:
        job_panel.show_job(
            ForgettingJob,
            ForgettingRequest.make({"runs": (run.id,)}),
            lambda job: None,
            "what was forgotten",
            "This run was trained before runs measured how well they still know general text.",
        )


def _show_values(run: Run, found: Forgetting) -> None:
    """Show both measures with their intervals, and every seed one click away."""
    numbers = run.spec.population.seed_numbers()
    estimates = estimate_forgetting(found, numbers)
    st.dataframe(
        forgetting_table(estimates),
        hide_index=True,
        alt="Loss on general text and share of pairs before and after training, and the change",
    )
    st.caption(
        widgets.escape_markdown(
            f"{len(found.base_loss)} texts ({found.text}), loss per token; "
            f"{len(found.base_right)} pairs ({found.pairs}). Above zero something was forgotten. "
            "95 % intervals speak of other seeds and other texts of the same kind."
        )
    )
    with st.expander("What every seed forgot", icon=charts.TABLE_ICON):
        frame = pd.DataFrame(
            {find_measure(name).title: each.seeds for name, each in estimates.items()}
        )
        frame.insert(0, "Seed", numbers[: len(frame)])
        widgets.table_with_download(
            frame,
            key="runs.forgetting",
            name=f"{run.id}-forgetting",
            alt="What every seed forgot",
        )


def forgetting_table(estimates: Mapping[str, ForgettingEstimate]) -> pd.DataFrame:
    """Measure → a row with before, after, the change and its interval, as words."""
    rows = []
    for name, each in estimates.items():
        change = each.change
        rows.append(
            {
                "Measure": MEASURES[name],
                "Before": f"{each.before:.3f}",
                "After": f"{each.after:.3f}",
                "Forgotten": "–" if change.mean is None else f"{change.mean:+.3f}",
                "95 % interval": change.reason
                if change.low is None or change.high is None
                else f"{change.low:+.3f} to {change.high:+.3f}",
                "Seeds": change.seeds,
            }
        )
    return pd.DataFrame(rows)
