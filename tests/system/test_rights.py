"""What each role may do to runs, tables, bases, the queue and projects; owners; what is noted."""

import pytest
import sqlalchemy as sa
from support import ratings as rated
from support.commands import call, printed, refused
from support.postgres import postgres  # noqa: F401

from peftcore import rating
from peftcore.jobs import queue as job_queue
from peftcore.jobs import queue_list
from peftcore.jobs.background import TrainingJob
from peftcore.jobs.queue import Queue
from peftcore.rating import bundle
from peftcore.runs import annotation, disk_use
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import RunStore
from peftcore.system import people, rights
from peftcore.system.database import AUDIT, Database
from peftcore.system.people import Person
from peftcore.system.processes import current_process
from peftcore.system.rights import NotAllowed
from peftcore.tasks import table

ANN, BOB = Person("ann", "experimenter"), Person("bob", "experimenter")
ADMIN, VIEWER, RATER = Person("eve", "admin"), Person("vic", "viewer"), Person("rob", "rater")
ROWS = b"text,label\n" + b"".join(b"sentence %d,%s\n" % (n, b"ab"[n % 2 :][:1]) for n in range(40))


def spec(n=0):
    return RunSpec(base="b", task="t", method=f"m{n}")


@pytest.fixture
def run():
    """A run that Ann queued, withdrawn so that it is at rest."""
    with people.acting_as(ANN):
        job = Queue().submit(spec())
        TrainingJob.open(job.run_id).stop()
    return RunStore().open(job.run_id)


def acts_on_a_run(run):
    """Everything that changes a run, one after the other; the last brings it back."""
    return [
        lambda: annotation.annotate(run, note="seen"),
        lambda: annotation.change_tags(run, add=["tag"]),
        lambda: disk_use.clean(run),
        lambda: Queue().resume(run.id),
        lambda: TrainingJob.open(run.id).stop(),
        lambda: RunStore().delete(run.id),
        lambda: RunStore().restore(run.id),
    ]


def test_whoever_began_a_run_owns_it_and_only_they_or_an_admin_change_it(run):
    assert rights.owner_of(f"run {run.id}") == "ann"
    for act in acts_on_a_run(run):
        with people.acting_as(BOB), pytest.raises(NotAllowed, match="belongs to ann"):
            act()
    for person in (ANN, ADMIN):
        with people.acting_as(person):
            for act in acts_on_a_run(run):
                act()
    assert rights.owner_of(f"run {run.id}") == "ann"


def test_what_nobody_owns_any_experimenter_may_change():
    job = Queue().submit(spec())  # by somebody without a name
    run = RunStore().open(job.run_id)
    with people.acting_as(BOB):
        annotation.annotate(run, note="seen")
    with people.acting_as(VIEWER), pytest.raises(NotAllowed, match="look at everything"):
        annotation.annotate(run, note="changed")
    assert annotation.read_annotation(run).note == "seen"


@pytest.mark.parametrize("person", [VIEWER, RATER], ids=lambda person: person.role)
def test_who_may_only_look_or_rate_begins_nothing(person):
    queue = Queue()
    with people.acting_as(person):
        for act in (
            lambda: queue.submit(spec()),
            lambda: table.import_table(
                ROWS, "own", {"text": ["text"], "target": "label"}, "classify"
            ),
            queue.pause,
        ):
            with pytest.raises(NotAllowed):
                act()
    assert queue.jobs() == []
    assert RunStore().all(include_demos=False) == []
    assert table.imported_task_names() == []
    assert not queue.paused


def test_a_worker_is_started_by_hand_by_experimenters_only(monkeypatch):
    started = []
    monkeypatch.setattr(
        job_queue, "_spawn_worker", lambda device, _: started.append(device) or current_process()
    )
    for person in (VIEWER, RATER):
        with people.acting_as(person), pytest.raises(NotAllowed):
            queue_list.start_worker(Queue(), "cpu")
    assert not started
    with people.acting_as(ANN):
        assert queue_list.start_worker(Queue(), "cpu")
        assert rights.refusal_to_change("start", "the worker of cpu") == ""
    assert started == ["cpu"]
    with people.acting_as(ADMIN):
        assert [(a.person, a.allowed) for a in rights.acts(thing="the worker of cpu")] == [
            ("ann", True),
            ("rob", False),
            ("vic", False),
        ]


def test_only_an_admin_pauses_the_queue_and_reads_the_log(run):
    queue = Queue()
    with people.acting_as(ANN):
        for act in (queue.pause, lambda: queue.set_priority(1, 5), rights.acts):
            with pytest.raises(NotAllowed, match="only an admin"):
                act()
    with people.acting_as(ADMIN):
        queue.pause()
        queue.unpause()
        noted = [(a.person, a.act, a.object, a.allowed) for a in reversed(rights.acts())]
    assert noted[:2] == [
        ("ann", "train", f"run {run.id}", True),
        ("ann", "stop", f"run {run.id}", True),
    ]
    assert ("ann", "pause", "the queue", False) in noted
    assert ("eve", "pause", "the queue", True) in noted


def test_a_viewer_changes_no_project_and_sees_it(tmp_path):
    book = rating.RatingStore(f"sqlite:///{tmp_path / 'book.sqlite'}")
    project = rated.project(book, 2)
    with people.acting_as(VIEWER):
        assert rating.list_projects(book, rated.ME)
        with pytest.raises(NotAllowed, match="look at everything"):
            rating.invite(book, rated.ME, project.id, "Ann", "")
    with people.acting_as(RATER):
        with pytest.raises(NotAllowed):
            rights.require_maker()
        rights.refuse_viewers()  # raters write, as far as `rating` lets them
    book.close()


def test_without_a_name_nothing_is_noted_and_everything_works():
    Queue().submit(spec())
    assert rights.acts() == []
    assert printed("audit") == []
    assert "Nothing is noted" in call("audit").stdout


def test_commands_are_noted_where_their_giver_has_a_name(monkeypatch, run):
    monkeypatch.setenv("PEFTCORE_PERSON", "ann")
    printed("runs", "note", run.id, "mine")
    rows = printed("audit", "--person", "ann", "--of", f"run {run.id}")
    assert [row["act"] for row in rows] == ["annotate", "stop", "train"]
    assert "annotate" in call("audit").stdout
    shown = [row for row in printed("runs") if row["run"] == run.id]
    assert [row["who"] for row in shown] == ["ann"]


def test_a_read_only_server_refuses_every_change_and_shows_everything(monkeypatch, run):
    monkeypatch.setenv("PEFTCORE_READ_ONLY", "1")
    for act in acts_on_a_run(run):
        with pytest.raises(NotAllowed, match="only shows"):
            act()
    assert "only shows" in refused("runs", "note", run.id, "mine")
    assert [row["run"] for row in printed("runs") if not row["demo"]] == [run.id]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_log_is_only_added_to(kind, request, tmp_path):
    own = f"sqlite:///{tmp_path / 'lab.sqlite'}"
    database = Database(own if kind == "sqlite" else request.getfixturevalue("postgres"))
    row = {"at": 1.0, "person": "ann", "role": "admin", "act": "x", "object": "y", "allowed": True}
    with database.write() as connection:
        connection.execute(AUDIT.insert().values(row))
    for forgery in (AUDIT.update().values(person="bob"), AUDIT.delete()):
        with (
            pytest.raises(sa.exc.DBAPIError, match="only added to"),
            database.write() as connection,
        ):
            connection.execute(forgery)
    assert [each["person"] for each in database.read(sa.select(AUDIT))] == ["ann"]
    database.close()


def test_a_rating_project_belongs_to_whoever_made_it(home):
    book = rating.RatingStore()
    with people.acting_as(ANN):
        made = rated.project(book)
        ann = rating.invite(book, rated.ME, made.id, "Rita")
    assert rights.owner_of(f"project {made.id}") == "ann"
    item = rating.item_table(book, rated.ME, made.id)["item"].iloc[0]
    acts = [
        lambda: rating.invite(book, rated.ME, made.id, "Rolf"),
        lambda: rating.renew_link(book, rated.ME, ann.rater),
        lambda: rating.adjudicate(book, rated.ME, item, rating.Judgement(verdict="yes")),
        lambda: rating.set_project_open(book, rated.ME, made.id, False),
        lambda: rating.revoke_link(book, rated.ME, ann.rater),
        lambda: rating.remove_project(book, rated.ME, made.id),
    ]
    for act in acts:
        with people.acting_as(BOB), pytest.raises(NotAllowed, match="belongs to ann"):
            act()
    for act in acts:
        with people.acting_as(ANN):
            act()


def test_a_bundle_that_is_there_already_changes_no_owner(home):
    book = rating.RatingStore()
    made = rated.project(book)
    lines = list(bundle.dump_project(book, rated.ME, made.id))
    with people.acting_as(ANN):
        bundle.load_project(book, rated.ME, lines)
        assert rights.owner_of(f"project {made.id}") == ""
        rating.remove_project(book, rated.ME, made.id)
        bundle.load_project(book, rated.ME, lines)
    assert rights.owner_of(f"project {made.id}") == "ann"


def test_a_refusal_is_known_before_the_click(run):
    other = f"run {spec(7).id}"
    for person, start, change in (
        (ANN, "", ""),
        (BOB, "", "belongs to ann"),
        (ADMIN, "", ""),
        (VIEWER, "change nothing", "change nothing"),
    ):
        with people.acting_as(person):
            assert start in rights.refusal_to_start()
            assert bool(rights.refusal_to_start()) == bool(start)
            refusal = rights.refusal_to_change("delete", other, f"run {run.id}")
            assert change in refusal
            assert bool(refusal) == bool(change)


def test_only_who_may_change_a_run_resumes_it_by_its_button(run):
    job = TrainingJob.open(run.id)
    with people.acting_as(BOB), pytest.raises(NotAllowed, match="may resume it"):
        job.launch()
    assert run.status().state == "cancelled"


def test_runs_of_a_sweep_belong_to_whoever_began_the_sweep(home):
    rights.inherit("run 0123456789ab", "job ba9876543210")
    assert rights.owner_of("run 0123456789ab") == ""
    with people.acting_as(ANN):
        rights.start("sweep", "job ba9876543210")
    rights.inherit("run 0123456789ab", "job ba9876543210")
    assert rights.owner_of("run 0123456789ab") == "ann"
