"""A workspace of commit e6a3bd9 opens, and everything in it reads as it did then."""

import hashlib
import json
import math

import pytest
import torch
from support.old_workspace import EXPECTED, NAMES, old, old_home, unpack  # noqa: F401

from peftcore import rating, tasks
from peftcore.adapters.base import HEAD_STATS
from peftcore.exchange.folders import import_peft
from peftcore.exchange.reproduce import reproduce
from peftcore.jobs.queue import Queue
from peftcore.labs.atoms import request as atoms
from peftcore.labs.atoms.request import AtomsJob
from peftcore.labs.images import results_store
from peftcore.labs.images.request import ImagesJob
from peftcore.labs.landscape.request import LandscapeJob
from peftcore.labs.toys import recipes, results
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import RunStore
from peftcore.sweeps.spec import SweepJob
from peftcore.sweeps.status import cell_states, status_table
from peftcore.system.job_folder import STORED_STATES
from peftcore.training.checkpoint import load_adapter
from peftcore.training.run_training import execute_run

RUNS = EXPECTED["runs"]
LOST = tuple(f"The process that {did} it is gone; resume it." for did in ("worked on", "trained"))


def plain(value):
    """Numbers to seven digits, as they were written down."""
    if isinstance(value, float):
        return None if math.isnan(value) else float(f"{value:.7g}")
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, (list, tuple)) else value


def frame(table):
    return plain(json.loads(table.to_json(orient="split", index=False, double_precision=15)))


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def test_every_run_is_listed():
    assert {run.id for run in RunStore().all(include_demos=False)} == RUNS.keys()


def known_to(then, now):
    """What a version knew of settings that have got more fields since."""
    if not isinstance(then, dict) or not then.keys() <= now.keys():
        return now
    return {name: known_to(value, now[name]) for name, value in then.items()}


@pytest.mark.parametrize("run_id", RUNS)
def test_a_run_reads_as_it_did(run_id):
    run, then = RunStore().open(run_id), RUNS[run_id]
    assert run.spec.id == run_id
    now = run.spec.model_dump(mode="json")
    assert known_to(then["spec"], now) == then["spec"]
    status = run.status()
    now = {name: getattr(status, name) for name in then["status"]}
    if status.state == "lost":  # one sentence for jobs of every kind since
        assert (now.pop("message"), then["status"].pop("message")) == LOST
    assert now == then["status"]
    assert plain(run.scores()) == then["scores"]
    assert frame(run.history()) == then["history"]
    assert frame(run.validation_copies()) == then["validation"]
    assert run.intermediate_steps() == then["path"]
    answers = run.answers()
    assert [len(answers), digest(answers.to_json(orient="split"))] == then["answers"]
    assert run.manifest() == then["manifest"]


def test_every_state_is_among_them():
    states = {RUNS[run]["status"]["state"] for run in NAMES.values()}
    assert states == {"done", "cancelled", "failed", "lost", "queued"}


@pytest.mark.parametrize("run_id", EXPECTED["adapters"])
def test_an_adapter_loads_with_the_same_numbers(run_id, bases):
    run = RunStore().open(run_id)
    adapted = load_adapter(run, bases(run.spec.base))
    tensors = adapted.tensors
    # Then one for all seeds; now each seed has its own.
    tensors |= {n: tensors[n][0, 0, 0] for n in HEAD_STATS if n in tensors}
    assert tensors.keys() == EXPECTED["adapters"][run_id].keys()
    for name, (shape, total, squares) in EXPECTED["adapters"][run_id].items():
        tensor = tensors[name].detach().double()
        assert list(tensor.shape) == shape
        assert float(tensor.sum()) == pytest.approx(total, abs=2e-8)
        assert float(tensor.square().sum()) == pytest.approx(squares, rel=1e-9, abs=2e-8)


def tensors_of(run, bases):
    return load_adapter(run, bases(run.spec.base)).tensors


def test_a_checkpoint_goes_on_to_what_training_in_one_go_gives(bases, tmp_path):
    """In a copy, so that the run of the other tests stays as it was cancelled."""
    store = RunStore(unpack(tmp_path) / "home" / "runs")
    run = store.open(NAMES["cancelled"])
    assert run.status().resumable
    base = bases(run.spec.base)
    assert execute_run(run, base=base).state == "done"
    assert "Resumed at step 3" in run.log()
    anew = RunStore(tmp_path / "anew").create(run.spec, include_demos=False)
    execute_run(anew, base=base)
    assert run.scores() == anew.scores()
    for name, tensor in tensors_of(anew, bases).items():
        # Not to the last digit: what runs in one pass may be added in another order.
        torch.testing.assert_close(tensors_of(run, bases)[name], tensor, rtol=0, atol=1e-5)


def common(job, then):
    """What landscapes, atoms and images have in common."""
    now = job.request.model_dump(mode="json")
    assert {name: now[name] for name in then["ask"]} == then["ask"]
    assert job.request.id == job.id
    status = job.status()
    state = STORED_STATES.get(then["state"], then["state"])  # one vocabulary since
    assert [status.state, status.done, status.of] == [state, then["done"], then["of"]]
    assert plain(job.facts) == then["facts"]


@pytest.mark.parametrize("job_id", EXPECTED["landscapes"])
def test_a_landscape_reads_as_it_did(job_id):
    job = next(job for job in LandscapeJob.list_all() if job.id == job_id)
    then = EXPECTED["landscapes"][job_id]
    common(job, then)
    assert frame(job.table()) == then["table"]
    assert frame(job.measures()) == then["measures"]


@pytest.mark.parametrize("job_id", EXPECTED["atoms"])
def test_a_measurement_of_atoms_reads_as_it_did(job_id):
    job = next(job for job in AtomsJob.list_all() if job.id == job_id)
    then = EXPECTED["atoms"][job_id]
    common(job, then)
    assert len(job.entries()) == then["entries"]
    assert frame(atoms.pruning_curves(job)) == then["curves"]
    assert frame(atoms.sparsity_by_step(job)) == then["evolution"]


@pytest.mark.parametrize("job_id", EXPECTED["images"])
def test_a_measurement_of_images_reads_as_it_did(job_id):
    job = next(job for job in ImagesJob.list_all() if job.id == job_id)
    then = EXPECTED["images"][job_id]
    common(job, then)
    assert job.request.figure_name == then["figure"]
    assert plain(results_store.load_figure(then["figure"])) == then["rows"]


def test_a_toy_result_reads_as_it_did():
    recipe, folder, then = recipes.find_recipe("01", "quick"), results.own_folder(), EXPECTED["toy"]
    stages = list(results.completed_stages(folder, recipe, (0,)))
    now = {stage.name: dict(vars(result)) for stage, result in stages}
    for each in now.values():  # recorded since
        assert (each.pop("right"), each.pop("start_losses")) == ([], [])
    assert now == then["stages"]
    rows = [plain(row.to_json()) for row in results.result_rows(folder, recipe, (0,))]
    for row in rows:  # told since: whether seeds fall into two groups
        row["exact_match"].pop("groups")
    assert rows == then["rows"]
    for _, result in stages:
        assert sum(t[0].numel() for t in results.load_weights(folder, result.key).values()) > 0


@pytest.mark.parametrize("project", EXPECTED["projects"])
def test_a_rating_project_reads_as_it_did(project):
    then, user = EXPECTED["projects"][project], rating.experimenter()
    book = rating.RatingStore()
    assert rating.find_project(book, user, project).name == then["name"]
    verdicts = rating.verdict_table(book, user, project).astype(object)
    assert frame(verdicts) == then["verdicts"]
    assert len(rating.item_table(book, user, project)) == then["items"]
    assert [row.name for row in rating.list_raters(book, user, project)] == then["raters"]
    book.close()


def test_a_raters_link_still_signs_in():
    book = rating.RatingStore()
    assert rating.sign_in(book, EXPECTED["rater link"]) is not None
    book.close()


def test_rows_of_the_queue_read_as_they_did():
    found = {job.run_id: job for job in Queue().jobs()}
    assert found.keys() == {row["run"] for row in EXPECTED["jobs"]}
    for row in EXPECTED["jobs"]:
        job = found[row["run"]]
        assert RunSpec.make(job.spec).id == row["run"]
        assert [job.state, job.priority, job.device] == [
            row["state"],
            row["priority"],
            row["device"],
        ]


def test_a_sweep_reads_as_it_did():
    [job] = [job for job in SweepJob.list_all() if not job.shipped]
    then = EXPECTED["sweep"]
    assert [job.id, job.request.id, job.status().state] == [then["id"], then["id"], then["state"]]
    assert status_table(cell_states(job.request.cells(), RunStore())) == then["cells"]


def test_an_imported_table_reads_as_it_did():
    then = EXPECTED["table"]
    task = tasks.find_task(then["name"])
    assert list(task.labels) == then["labels"]
    assert {split: len(task.load(split)) for split in then["rows"]} == then["rows"]
    assert task.data_hash() == then["hash"]


def test_a_bundle_reproduces(old):  # noqa: F811
    """Four runs, one of them begun from another, trained again to the same scores."""
    report = reproduce(old / "exports" / "bundle.zip", device="cpu")
    wanted = {NAMES[name] for name in ("ia3", "linear_probe", "source", "started from another")}
    assert {score.run for score in report.scores} == wanted
    assert not [finding for finding in report.findings if finding.fatal]
    assert all(abs(score.difference) < 1e-6 for score in report.scores)


def test_a_folder_of_the_peft_package_imports(old, bases, tmp_path):  # noqa: F811
    base = bases("old-t5")
    imported = import_peft(old / "exports" / "peft", base, "miniworld_nli", RunStore(tmp_path))
    assert imported.spec.method == "lora"
    ours, found = changes(RunStore().open(NAMES["lora"]), bases), changes(imported, bases)
    assert found.keys() == ours.keys()
    for key, change in found.items():
        torch.testing.assert_close(change[0], ours[key][1], rtol=0, atol=2e-8)  # its second seed


def changes(run, bases):
    """What LoRA adds to each matrix (s, v, i, o); how its scale is shared out is left open."""
    tensors, settings = tensors_of(run, bases), run.spec.settings
    scale = settings["alpha"] / settings["rank"]
    keys = {name.partition(":")[2] for name in tensors}
    return {key: scale * tensors[f"down:{key}"] @ tensors[f"up:{key}"] for key in keys}
