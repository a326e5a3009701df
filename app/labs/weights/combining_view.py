"""Two runs mixed along a line: each task's loss on it, what was predicted, and a run made of it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from app.figures import combining as figures
from app.labs.weights.selection import LAB, WeightsSubject
from app.state import cache, heavy_imports, run_catalog
from app.ui import errors, job_panel, widgets
from app.ui.charts import picture
from app.ui.frame import Frame, provenance
from app.ui.run_styles import titles_by_run
from app.ui.subject import Choice
from peftcore.labs.weights.request import CombiningJob, CombiningRequest, own_rises
from peftcore.runs.store import Run

READING = (
    "From left to right the second run replaces the first. Thick lines are means over seeds, thin "
    "ones seeds; each task is read from its own validation examples. Where both are low at once, "
    "one adapter serves both tasks. Changes of LoRA are mixed as products, so half-way is exactly "
    "half of both."
)
SAVED = "weights.saved"  # in the session: the id of the mixture that was stored last


def show_combining(frame: Frame, subject: WeightsSubject, runs: Sequence[Run]) -> None:
    """Offer a second run of the same base and method, and show the line between both."""
    spec = subject.run.spec
    others = {
        run.id: run
        for run in sorted(runs, key=lambda run: run.spec.task == spec.task)
        if run.id != subject.run.id and (run.spec.base, run.spec.method) == (spec.base, spec.method)
    }
    frame.explain(READING)
    if not others:
        with frame.picture:
            widgets.empty_state(
                "No second run to combine with",
                "Two runs of the same base and method can be mixed: train this method on another "
                "task of the same base.",
                "train",
            )
        return
    titles = titles_by_run([subject.run, *others.values()])
    with frame.side:
        partner = Choice(
            LAB, "second", "Combine with", list(others), option_text=titles.__getitem__
        )
        other = others[partner.as_list()]
    pair = (subject.run, other)
    request = CombiningRequest.make({"runs": [run.id for run in pair]})
    job = CombiningJob.find(request)
    if job is None or job.status().state != "done":
        frame.say("Nothing is measured yet of this pair.")
        with frame.picture:
            job_panel.show_job(
                CombiningJob,
                request,
                lambda found: None,
                "the line between both",
                "Both tasks are read at eleven mixtures of each seed.",
            )
        return
    _show_line(frame, job, _titles(pair))
    with frame.side:
        _offer_to_save(pair)


def _titles(pair: tuple[Run, Run]) -> dict[str, str]:
    """Return run → what its task is called beside the other's."""
    places = ("First", "Second")
    return {
        run.id: f"{place}: {run_catalog.task_title(run.spec.task)}"
        for place, run in zip(places, pair, strict=True)
    }


def _show_line(frame: Frame, job: CombiningJob, titles: dict[str, str]) -> None:
    """Both losses along the line, the finding, and the prediction below."""
    losses, predictions = job.losses(), job.predictions()
    frame.say(*line_finding(own_rises(losses), predictions, titles))
    with frame.picture:
        picture(
            figures.line_figure(losses, titles),
            key="weights.combining",
            name="combination",
            alt=figures.line_alt(losses, titles),
            table=losses,
        ).caption(quiet_line(job))
    with frame.below:
        st.subheader("Predicted from the changes alone", anchor=False)
        picture(
            figures.prediction_dots(predictions),
            key="weights.predicted",
            name="predicted-interference",
            alt=figures.prediction_alt(predictions),
            table=predictions,
        ).caption(
            "A dot is one site, mean over seeds. Changes at right angles have cosine 0; of the "
            "entries strong in both, half differ in sign by chance, the dashed line."
        )


def line_finding(
    rises: pd.DataFrame, predictions: pd.DataFrame, titles: dict[str, str]
) -> tuple[str, str]:
    """Say what each task loses half-way, beside what was predicted."""
    means, spans = [], []
    for place, run in zip(("first", "second"), titles, strict=True):
        own = rises[rises["run"] == run]["rise"]
        means.append(own.mean())
        spans.append(f"{place} {own.min():+.2f} to {own.max():+.2f} over {len(own)} seeds")
    product = predictions["product"].sum()
    size = np.sqrt(predictions["first_square"].sum() * predictions["second_square"].sum())
    words = (
        f"Half-way between both runs the loss of the first's task changes by {means[0]:+.2f} and "
        f"that of the second's by {means[1]:+.2f}; their changes have a cosine of "
        f"{product / size:.2f}."
    )
    conflicts = predictions["conflicts"].mean()
    guard = f"{'; '.join(spans)} · {conflicts:.0%} of strong entries differ in sign, 50 % by chance"
    return words, widgets.escape_markdown(guard)


def quiet_line(job: CombiningJob) -> str:
    """Where the line comes from, and the command that makes it."""
    facts = job.facts
    return provenance(
        f"n = {facts.get('n')} validation examples of each task",
        f"{facts.get('seeds')} seeds",
        f"base {facts.get('base')} ({str(facts.get('fingerprint', ''))[:8]})",
        command=" ".join(map(shlex.quote, job.request.command_arguments())),
    )


def _offer_to_save(pair: tuple[Run, Run]) -> None:
    """Let the reader store a mixture as a run, and go to it."""
    percent = Choice(LAB, "share", "Share of the second run", range(0, 101, 5), first=50)
    share = percent.as_slider(format_func=lambda number: f"{number} %")
    if run_catalog.missing_base([run.id for run in pair]):
        st.caption("The base is not on this machine, so no mixture can be stored.")
        return
    if st.button("Save the mixture as a run", icon=":material/merge:", key="weights.save"):
        _save(pair, share / 100)
    if saved := st.session_state.get(SAVED):
        st.caption(f"Stored as run {saved}. It has no scores until it is evaluated.")
        widgets.page_link("runs", "Open it", run=saved)
        widgets.page_link("playground", "Ask it in the Playground", runs=saved)


@errors.guarded
def _save(pair: tuple[Run, Run], share: float) -> None:
    """Store the mixture, and remember which run it is."""
    with st.spinner("Mixing…", show_time=True):
        heavy_imports.import_all()
        from peftcore.labs.weights.combining import save_mixture

        run = save_mixture(pair, share, cache.base_model(pair[0].spec.base))
    st.session_state[SAVED] = run.id
