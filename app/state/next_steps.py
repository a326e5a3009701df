"""Where one can go from a finished run: pages with that run chosen, by what it can be used for."""

from __future__ import annotations

from dataclasses import dataclass, field

from app import nav
from peftcore.api.run_uses import RunUses
from peftcore.runs.store import Run

FIELDS = {  # lab → what its address has beside `run=`
    "components": {"components.view": "Explanations"},
}
COMPARED_AT_MOST = 8  # runs that a link puts side by side


@dataclass(frozen=True)
class NextStep:
    """A link to a page with a run chosen on it."""

    page: str
    label: str
    query: dict[str, str] = field(default_factory=dict)


def next_steps(run: Run, uses: RunUses) -> list[NextStep]:
    """List where a run can be asked, compared, rated and trained again."""
    steps = []
    if uses.ask:
        steps.append(NextStep("playground", "Ask it in the Playground", {"runs": run.id}))
    if run.scores():
        alike = uses.alike[: COMPARED_AT_MOST - 1]
        label = f"Compare with {len(alike)} like it" if alike else "See it on Compare"
        steps.append(NextStep("compare", label, {"runs": ",".join([run.id, *alike])}))
    if uses.rate:
        query = {"rate.view": "New project", "runs": run.id}
        steps.append(NextStep("rate", "Let people rate its explanations", query))
    steps.append(NextStep("train", "Train again with changes", {"from": run.id}))
    return steps


def lab_steps(run: Run, uses: RunUses) -> list[NextStep]:
    """List the labs that show a run, each with that run chosen."""
    steps = []
    for lab in uses.labs:
        query = {"run": run.id} | FIELDS.get(lab, {})
        if lab == "landscape":
            query["landscape.run"] = run.id
        if lab == "images":
            query["kind"] = run.spec.task
        steps.append(NextStep(lab, nav.find_page(lab).title, query))
    if uses.combine:
        query = {"run": run.id, "weights.view": "Combine"}
        steps.append(NextStep("weights", "Combine with another run", query))
    return steps
