"""Create rating projects from runs, list them, open and close them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from peftcore import tasks
from peftcore.errors import BadInput
from peftcore.rating import item_sampling
from peftcore.rating.access import RatingUser, called, require_experimenter
from peftcore.rating.collect_answers import collect_answer_pool
from peftcore.rating.rater_view import titled_fields
from peftcore.rating.schema import (
    ADJUDICATIONS,
    ANSWERS,
    DRAFTS,
    ITEMS,
    LEASES,
    ORIGINS,
    PROJECTS,
    RATERS,
    RATINGS,
)
from peftcore.rating.settings import ProjectSettings
from peftcore.rating.store import RatingStore, require_row
from peftcore.system import rights

if TYPE_CHECKING:
    from peftcore.runs.store import Run


@dataclass(frozen=True)
class Project:
    """A project as experimenters see it."""

    id: str
    name: str
    created: float
    task: str
    settings: ProjectSettings
    facts: dict[str, Any]  # runs, methods, and what could not be sampled
    open: bool
    demo: bool

    @property
    def simulated(self) -> bool:
        """True if its ratings come from a simulation and not from people."""
        return bool(self.facts.get("simulated", False))


@dataclass(frozen=True)
class RaterSummary:
    """A rater as experimenters see them."""

    id: str
    name: str
    login: str
    active: bool
    done: int
    skipped: int
    created: float
    link_until: float | None  # epoch seconds; None: no end
    link_works: bool


def create_project(
    rating_store: RatingStore,
    user: RatingUser,
    runs: Sequence[Run],
    name: str = "",
    **settings: Any,
) -> Project:
    """Create a project on these runs' explanations; `settings` are ProjectSettings' fields."""
    require_experimenter(user)
    rights.require_maker()
    project_settings = ProjectSettings.make(settings)
    items, facts = item_sampling.sample_items(collect_answer_pool(runs), project_settings)
    facts |= {"runs": [run.id for run in runs], "methods": _method_names(runs)}
    task = runs[0].spec.task
    title = name.strip() or f"Explanations of {tasks.find_task(task).title}"
    return save_project(rating_store, title, task, project_settings, items, facts)


@dataclass(frozen=True)
class PreviewedItem:
    """One item of a project that is not made yet, as raters would read it."""

    question: str
    fields: tuple[tuple[str, str], ...]  # title and text of each part
    texts: tuple[tuple[str, str], ...]  # label as it reads, and explanation


def preview_item(runs: Sequence[Run], settings: ProjectSettings) -> PreviewedItem:
    """Return the first item that would be drawn from these runs; BadInput if there is none."""
    items, _ = item_sampling.sample_items(collect_answer_pool(runs), settings)
    item = next(item for item in items if item.kind == "rating")
    wording = tasks.find_wording(runs[0].spec.task)
    texts = tuple((wording.label_title(label), text) for label, text in item.texts)
    return PreviewedItem(wording.question, titled_fields(wording, item.fields), texts)


def save_project(
    rating_store: RatingStore,
    name: str,
    task: str,
    settings: ProjectSettings,
    items: Iterable[item_sampling.RatingItem],
    facts: dict[str, Any],
    open_to_raters: bool = True,
) -> Project:
    """Write a project with its items, all or nothing."""
    project = rating_store.new_id()
    rows, origins = [], []
    for number, item in enumerate(items):
        row = {"id": rating_store.new_id(), "project": project, "number": number}
        values = asdict(item)
        origins += [{"item": row["id"]} | origin for origin in values.pop("origins")]
        rows.append(row | values)
    with rating_store.write() as connection:
        connection.execute(
            sa.insert(PROJECTS).values(
                id=project,
                name=name[:200],
                created=rating_store.clock(),
                task=task,
                settings=settings.stored_values(),
                facts=facts,
                state="open" if open_to_raters else "closed",
                demo=False,
            )
        )
        connection.execute(sa.insert(ITEMS), rows)
        if origins:
            connection.execute(sa.insert(ORIGINS), origins)
    rights.start("make", called(project))
    return _project_from_row(_project_row(rating_store, project))


def list_projects(store: RatingStore, user: RatingUser) -> list[Project]:
    """List every project that can be read, newest first; demos come last."""
    return [each for each in _all_projects(store, user).values() if isinstance(each, Project)]


def unreadable_projects(store: RatingStore, user: RatingUser) -> dict[str, str]:
    """Return id → why, for projects whose stored settings cannot be read."""
    everything = _all_projects(store, user)
    return {name: str(each) for name, each in everything.items() if isinstance(each, BadInput)}


def _all_projects(store: RatingStore, user: RatingUser) -> dict[str, Project | BadInput]:
    """Return id → project, or the reason why it is none: one never hides the others."""
    require_experimenter(user)
    query = sa.select(PROJECTS).order_by(PROJECTS.c.demo, PROJECTS.c.created.desc())
    found: dict[str, Project | BadInput] = {}
    for row in store.read(query):
        try:
            found[row["id"]] = _project_from_row(row)
        except BadInput as error:
            found[row["id"]] = error
    return found


def remove_project(store: RatingStore, user: RatingUser, project: str) -> None:
    """Delete a project with its raters and ratings for good; BadInput for a demo."""
    require_experimenter(user)
    if _project_row(store, project)["demo"]:
        raise BadInput("the demo project cannot be changed")
    rights.change("delete", called(project))
    leases = sa.select(LEASES.c.id).where(LEASES.c.project == project)
    items = sa.select(ITEMS.c.id).where(ITEMS.c.project == project)
    with store.write(exclusive=True) as connection:
        for table in (RATINGS, ANSWERS, DRAFTS):  # a statement checks references at its end
            connection.execute(sa.delete(table).where(table.c.lease.in_(leases)))
        for table in (ADJUDICATIONS, ORIGINS):
            connection.execute(sa.delete(table).where(table.c.item.in_(items)))
        for table in (LEASES, RATERS, ITEMS):
            connection.execute(sa.delete(table).where(table.c.project == project))
        connection.execute(sa.delete(PROJECTS).where(PROJECTS.c.id == project))


def find_project(store: RatingStore, user: RatingUser, project: str) -> Project:
    """Return a project by its id; BadInput if there is none."""
    require_experimenter(user)
    return _project_from_row(_project_row(store, project))


def set_project_open(store: RatingStore, user: RatingUser, project: str, is_open: bool) -> Project:
    """Open the project to raters, or close it; ratings are kept."""
    require_experimenter(user)
    row = _project_row(store, project)
    if row["demo"]:
        raise BadInput("the demo project cannot be changed")
    rights.change("open or close", called(project))
    with store.write() as connection:
        change = sa.update(PROJECTS).where(PROJECTS.c.id == project)
        connection.execute(change.values(state="open" if is_open else "closed"))
    return _project_from_row(_project_row(store, project))


def list_raters(store: RatingStore, user: RatingUser, project: str) -> list[RaterSummary]:
    """List a project's raters in the order of their invitation, with their progress."""
    require_experimenter(user)
    now = store.clock()

    def count_state(state: str) -> sa.ColumnElement[int]:
        """Count the rater's leases in this state."""
        return sa.func.count(sa.case((LEASES.c.state == state, 1)))

    query = (
        sa.select(
            *(RATERS, PROJECTS.c.state.label("project_state")),
            *(count_state("done").label("done"), count_state("skipped").label("skipped")),
        )
        .join(PROJECTS, PROJECTS.c.id == RATERS.c.project)
        .outerjoin(LEASES, LEASES.c.rater == RATERS.c.id)
        .where(RATERS.c.project == project)
        .group_by(RATERS.c.id, PROJECTS.c.id)
        .order_by(RATERS.c.created, RATERS.c.name, RATERS.c.id)
    )
    return [
        RaterSummary(
            row["id"],
            row["name"],
            row["login"] or "",
            row["active"],
            row["done"],
            row["skipped"],
            row["created"],
            row["link_until"],
            row["active"]
            and row["project_state"] == "open"
            and (row["link_until"] is None or row["link_until"] >= now),
        )
        for row in store.read(query)
    ]


def _method_names(runs: Sequence[Run]) -> list[str]:
    """List the methods of these runs, each once."""
    return list(dict.fromkeys(run.spec.method for run in runs))


def _project_row(store: RatingStore, project: str) -> sa.RowMapping:
    """Return a project's row; BadInput if there is none."""
    return require_row(
        store.first_row(sa.select(PROJECTS).where(PROJECTS.c.id == project)), "project", project
    )


def _project_from_row(row: sa.RowMapping) -> Project:
    """Build a project from its row."""
    return Project(
        row["id"],
        row["name"],
        row["created"],
        row["task"],
        _settings_from_row(row),
        row["facts"],
        row["state"] == "open",
        row["demo"],
    )


def _settings_from_row(row: sa.RowMapping) -> ProjectSettings:
    """Read a project's settings; BadInput that names the project and what helps."""
    try:
        return ProjectSettings.make(row["settings"])
    except (BadInput, AttributeError, TypeError) as error:
        raise BadInput(
            f"the settings of rating project {row['id']} cannot be read ({error}); "
            f"`rating remove {row['id']}` deletes it"
        ) from None
