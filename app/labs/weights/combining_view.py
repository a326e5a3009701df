"""Two or three runs mixed: each task's loss on a line or triangle, the prediction, a run made."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from app.figures import combining as figures
from app.figures import landscape
from app.labs.weights.selection import LAB, WeightsSubject
from app.state import cache, heavy_imports, run_catalog
from app.ui import errors, job_panel, widgets
from app.ui.charts import picture
from app.ui.frame import Frame, provenance
from app.ui.run_styles import titles_by_run
from app.ui.subject import Choice
from peftcore.labs.weights.request import (
    SHARES,
    CombiningJob,
    CombiningRequest,
    own_rises,
    point_means,
)
from peftcore.runs.store import Run

READING = (
    "From left to right the second run replaces the first. Thick lines are means over seeds, thin "
    "ones seeds; each task is read from its own validation examples. Where both are low at once, "
    "one adapter serves both tasks. Changes of LoRA are mixed as products, so half-way is exactly "
    "half of both."
)
TRIANGLE = (
    "A corner is a run alone, a point a mixture of all three; the loss is the mean over seeds, of "
    "one task or of all three added up. A click chooses the mixture that can be stored."
)
NO_THIRD = "none"
ALL_TASKS = "sum"
SAVED = "weights.saved"  # in the session: the id of the mixture that was stored last


def show_combining(frame: Frame, subject: WeightsSubject, runs: Sequence[Run]) -> None:
    """Offer a second run of the same base and method, and show the line between both."""
    spec = subject.run.spec
    others = {
        run.id: run
        for run in sorted(
            runs, key=lambda run: (not _is_measured(subject.run, run), run.spec.task == spec.task)
        )
        if run.id != subject.run.id and (run.spec.base, run.spec.method) == (spec.base, spec.method)
    }
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
        second = partner.as_list()
        third = _pick_third([run for run in others if run != second], titles)
    chosen = [subject.run, others[second], *([others[third]] if third in others else [])]
    request = CombiningRequest.make({"runs": [run.id for run in chosen]})
    job = CombiningJob.find(request)
    if job is None or job.status().state != "done":
        frame.say("Nothing is measured yet of these runs.")
        line = len(chosen) == 2
        with frame.picture:
            job_panel.show_job(
                CombiningJob,
                request,
                lambda found: None,
                "the line between both" if line else "the triangle between all three",
                "Both tasks are read at eleven mixtures of each seed."
                if line
                else "All three tasks are read at 66 mixtures of each seed.",
            )
        return
    if len(chosen) == 3:
        shares = _show_triangle(frame, job, _titles(chosen))
    else:
        frame.explain(READING)
        _show_line(frame, job, _titles(chosen))
        shares = None
    with frame.side:
        _offer_to_save(chosen, shares)


def _is_measured(run: Run, other: Run) -> bool:
    """Whether the line between two runs is there to be shown."""
    job = CombiningJob.find(CombiningRequest.make({"runs": [run.id, other.id]}))
    return job is not None and job.status().state == "done"


def _pick_third(others: Sequence[str], titles: Mapping[str, str]) -> str:
    """Offer a third run, where there is one."""
    if not others:
        return NO_THIRD
    third = Choice(
        LAB,
        "third",
        "And with",
        [NO_THIRD, *others],
        option_text=lambda name: "No third run" if name == NO_THIRD else titles[name],
    )
    return third.as_list()


def _titles(runs: Sequence[Run]) -> dict[str, str]:
    """Return run → what its task is called beside the others'."""
    return {
        run.id: f"{place}: {run_catalog.task_title(run.spec.task)}"
        for place, run in zip(figures.CORNERS, runs, strict=False)
    }


def _show_triangle(
    frame: Frame, job: CombiningJob, titles: dict[str, str]
) -> tuple[float, ...] | None:
    """One loss over the triangle; return the shares of the point that was clicked, if any."""
    frame.explain(TRIANGLE)
    means = point_means(job.triangle())
    with frame.side:
        shown = Choice(
            LAB,
            "loss",
            "Loss of",
            [ALL_TASKS, *titles],
            option_text=lambda name: titles.get(name, "All three, added up"),
        ).as_list()
    points = figures.triangle_points(means, shown)
    facts = {
        "n": job.facts.get("n"),
        "split": "dev",
        "seeds": list(range(int(job.facts.get("seeds", 1)))),
        "corners": list(figures.CORNERS),
        "click": "click to choose this mixture",
    }
    chosen = st.query_params.get("point", "")
    row = int(chosen) if chosen.isdecimal() and int(chosen) < len(means) else None
    figure = landscape.surface_map(points, facts, title=titles.get(shown, "All three tasks"))
    if row is not None:
        landscape.mark_chosen_point(figure, points.loc[row])
    frame.say(*triangle_finding(means, job.triangle(), titles))
    with frame.picture:
        picture(
            figure,
            key="weights.triangle",
            name="triangle",
            alt=landscape.surface_map_alt(points, facts),
            table=means,
            on_select=lambda custom: st.query_params.update({"point": str(int(custom[0]))}),
        ).caption(quiet_line(job))
    with frame.below:
        _show_predictions(job.predictions())
    return None if row is None else tuple(means.loc[row, SHARES].astype(float))


def triangle_finding(
    means: pd.DataFrame, triangle: pd.DataFrame, titles: dict[str, str]
) -> tuple[str, str]:
    """Say at which mixture all tasks together lose least, and what each loses there and alone."""
    best = means.loc[means[ALL_TASKS].idxmin()]
    shares = ", ".join(f"{best[name]:.0%}" for name in SHARES)
    words = f"All three tasks together lose least where the runs have shares of {shares}."
    parts = []
    for place, run in zip(SHARES, titles, strict=True):
        alone = means.loc[means[place].idxmax(), run]
        parts.append(f"{place} {best[run]:.2f}, alone {alone:.2f}")
    at_best = (triangle[SHARES] - best[SHARES].to_numpy(float)).abs().max(axis=1) < 1e-6
    sums = triangle[at_best].groupby("seed")["loss"].sum()
    spread = f"sum {sums.min():.2f} to {sums.max():.2f} over {len(sums)} seeds"
    return words, widgets.escape_markdown(f"{'; '.join(parts)} · {spread}")


def _show_predictions(predictions: pd.DataFrame) -> None:
    """Show what the changes alone say of how runs will get along."""
    st.subheader("Predicted from the changes alone", anchor=False)
    picture(
        figures.prediction_dots(predictions),
        key="weights.predicted",
        name="predicted-interference",
        alt=figures.prediction_alt(predictions),
        table=predictions,
    ).caption(
        "A dot is one site, mean over seeds and pairs of runs. Changes at right angles have cosine "
        "0; of the entries strong in both, half differ in sign by chance, the dashed line."
    )


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
        _show_predictions(predictions)


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


def _offer_to_save(runs: Sequence[Run], point: tuple[float, ...] | None) -> None:
    """Let the reader store a mixture as a run, and go to it."""
    if len(runs) == 2:
        percent = Choice(LAB, "share", "Share of the second run", range(0, 101, 5), first=50)
        shares = [percent.as_slider(format_func=lambda number: f"{number} %") / 100]
    elif point is None:
        st.caption("Click a point of the picture to choose a mixture.")
        return
    else:
        st.caption(f"Chosen: {', '.join(f'{share:.0%}' for share in point)} of the three runs.")
        shares = list(point[1:])
    if run_catalog.missing_base([run.id for run in runs]):
        st.caption("The base is not on this machine, so no mixture can be stored.")
        return
    if st.button("Save the mixture as a run", icon=":material/merge:", key="weights.save"):
        _save(runs, shares)
    if saved := st.session_state.get(SAVED):
        st.caption(f"Stored as run {saved}. It has no scores until it is evaluated.")
        widgets.page_link("runs", "Open it", run=saved)
        widgets.page_link("playground", "Ask it in the Playground", runs=saved)


@errors.guarded
def _save(runs: Sequence[Run], shares: Sequence[float]) -> None:
    """Store the mixture, and remember which run it is."""
    with st.spinner("Mixing…", show_time=True):
        heavy_imports.import_all()
        from peftcore.labs.weights.combining import save_mixture

        run = save_mixture(runs, shares, cache.base_model(runs[0].spec.base))
    st.session_state[SAVED] = run.id
