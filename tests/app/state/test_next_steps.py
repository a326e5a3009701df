"""From every finished run one click leads to each page that can show it."""

import pytest

from app import nav
from app.labs.atoms import selection as atoms
from app.labs.attention import selection as attention
from app.labs.landscape import selection as landscape
from app.labs.limits import cache as limits
from app.labs.scaling import selection as scaling
from app.rating.admin_page import runs_to_rate
from app.state import cache, next_steps, run_catalog
from peftcore.api.run_uses import LABS, uses_of_run
from peftcore.labs.images import results_store

CANDIDATES = {
    "attention": attention.subjects_by_id,
    "limits": lambda: [run.id for run in limits.candidate_runs()],
    "landscape": lambda: [run.id for run in landscape.candidate_runs()],
    "scaling": lambda: [run.id for run in scaling.candidate_runs()],
    "components": lambda: [run.id for run in runs_to_rate()],
    "atoms": lambda: [run.id for run in atoms.candidate_runs()],
}


@pytest.fixture(scope="module")
def shipped():
    return [run for run in cache.run_store().all() if run.fixed]


@pytest.mark.parametrize("lab", CANDIDATES)
def test_a_lab_is_offered_for_the_runs_that_it_offers(lab, shipped):
    offered = [run.id for run in shipped if lab in uses_of_run(run).labs]
    assert offered
    of_lab = {run.id for run in shipped} & set(CANDIDATES[lab]())
    if lab != "components":  # which reads answers; the others look at the adapter
        of_lab &= {run.id for run in run_catalog.runs_with_adapter()}
    assert set(offered) == of_lab


def test_every_lab_of_runs_is_known():
    labs = {page.name for page in nav.PAGES_BY_SECTION["Labs"]}
    # Models of Toys are no runs of the store, and Ladder shows an experiment and not a run.
    assert set(LABS) == labs - {"toys", "ladder"}


def test_from_any_finished_run_everything_is_one_click_away(shipped):
    pages = {page.name for page in nav.page_entries()}
    for run in shipped:
        uses = uses_of_run(run, shipped)
        steps = next_steps.next_steps(run, uses) + next_steps.lab_steps(run, uses)
        assert {step.page for step in steps} <= pages
        assert {"compare", "train"} <= {step.page for step in steps}
        assert uses.labs
        for step in steps:
            assert run.id in ",".join(step.query.values())


def test_image_runs_lead_to_the_lab_of_images():
    runs = results_store.image_store().all()
    run = next(run for run in runs if run.status().state == "done")
    uses = uses_of_run(run)
    assert "images" in uses.labs
    assert "attention" not in uses.labs
    [step] = [step for step in next_steps.lab_steps(run, uses) if step.page == "images"]
    assert step.query["kind"] == run.spec.task
