"""Let a finished run answer other examples, on the Runs page; its own results stay as they are."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.figures.compare import find_measure
from app.state import cache
from app.ui import job_panel, widgets
from peftcore.analysis.score_estimates import score_estimates
from peftcore.errors import BadInput
from peftcore.labs.evaluation.request import EvaluationJob, EvaluationRequest
from peftcore.models import catalog
from peftcore.runs.store import Run


def show_evaluation(run: Run) -> None:
    """What to ask the run, the button that does it, and the scores of what was asked."""
    if run.status().state != "done" or not catalog.is_at_hand(run.spec.base):
        return
    with st.expander("Evaluate on other examples", icon=":material/quiz:"):
        titles = {task.name: task.title for task in cache.list_tasks()}
        names = list(titles)
        own = run.spec.task if run.spec.task in names else names[0]
        task = st.selectbox(
            "Task or table",
            names,
            index=names.index(own),
            format_func=titles.__getitem__,
            key=f"runs.evaluate.task.{run.id}",
        )
        split = st.segmented_control(
            "Split",
            ["test", "validation"],
            default="test",
            required=True,
            key=f"runs.evaluate.split.{run.id}",
        )
        limit = st.number_input(
            "Most examples", 1, 100_000, 200, key=f"runs.evaluate.limit.{run.id}"
        )
        template = st.text_input(
            "Template",
            key=f"runs.evaluate.template.{run.id}",
            placeholder="As the task has it",
            help="{1} and {2} stand for the texts of an example.",
        )
        request = EvaluationRequest(
            runs=(run.id,),
            task="" if task == run.spec.task else str(task),
            split="validation" if split == "validation" else "test",
            limit=int(limit),
            template=template,
        )
        job_panel.show_job(
            EvaluationJob,
            request,
            _show_scores,
            "these examples",
            "Answers and scores are kept in the workspace; the run stays as it is.",
        )


def _show_scores(job: EvaluationJob) -> None:
    """Show every metric with its interval."""
    try:
        found = job.result()
    except BadInput:  # the run is gone
        return
    if found is None:
        return
    rows = [
        {
            "Metric": find_measure(metric).title,
            "Mean": "–" if each.mean is None else f"{each.mean:.3f}",
            "95 % interval": each.reason
            if each.low is None or each.high is None
            else f"{each.low:.3f} to {each.high:.3f}",
            "Seeds": each.seeds,
        }
        for metric, each in score_estimates(found).items()
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Scores of this evaluation")
    facts = job.facts
    words = f"{facts.get('items')} examples of the {job.request.split} split."
    if facts.get("chosen_on"):
        words += " Some of them chose the step that was kept."
    st.caption(widgets.escape_markdown(words))
