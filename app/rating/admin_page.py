"""The experimenter's side of the Rate page: projects, raters, their links, how far they are.

A secret link is shown once, when it is made; the book keeps only its hash.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit

import pandas as pd
import streamlit as st

from app.compare import selection
from app.rating import import_export
from app.state.access import LINK, login_wanted
from app.state.rating_store import book, me
from app.ui import errors, forms, url_state, widgets
from app.ui.run_styles import looks
from app.ui.widgets import plain, sentence
from peftcore import rating
from peftcore.errors import BadInput
from peftcore.rating import Actor, Invitation, Project, ProjectSettings, RaterRow
from peftcore.runs.store import Run

ASKED = "project"  # in the address of a link
VIEWS = ("Projects", "New project", "Import")
MODES = {
    "single": "One explanation at a time, on four points from yes to no.",
    "pairwise": "Two explanations at a time: left, right or a tie.",
    "likert": "One explanation at a time, on several dimensions from 1 to 5.",
}


def show(login: str = "") -> None:
    """Projects, or the form for a new one."""
    view = st.segmented_control(
        "View",
        list(VIEWS),
        default=VIEWS[0],
        required=True,
        key="rate.view",
        label_visibility="collapsed",
        bind="query-params",
    )
    if view == VIEWS[1]:
        _new(me(login))
        return
    if view == VIEWS[2]:
        import_export.imported(login)
        return
    project = pick(login)
    if project is not None:
        _project(me(login), project)


def pick(login: str = "") -> Project | None:
    """A choice among the projects, in the address too; None, said on the page, if there is none."""
    known = {project.id: project for project in rating.projects(book(), me(login))}
    if not known:
        widgets.empty(
            "No rating project yet",
            "Make one from finished runs; each rater then gets a link of their own.",
            "rate",
        )
        return None
    named = Counter(project.name for project in known.values())

    def label(project: str) -> str:
        name = known[project].name
        return f"{name} ({project})" if named[name] > 1 else name

    chosen = st.selectbox(
        "Project",
        list(known),
        format_func=label,
        key="rate.project",
        on_change=url_state.follow("Project", "rate.project", list(known), name=ASKED, words=label),
    )
    return known[chosen]


def _new(who: Actor) -> None:
    runs = candidates()
    if not runs:
        widgets.empty(
            "No explanations to rate yet",
            "Train a method on a task that asks for a label and a reason, such as Miniworld "
            "entailment; its explanations can then be rated.",
            "train",
        )
        return
    names, known = looks(runs), {run.id: run for run in runs}
    asked = selection.asked_for(runs)  # by a link from the Compare page
    offered = list(dict.fromkeys(run.spec.task for run in [*asked, *runs]))
    task = st.selectbox("Task", offered, format_func=selection.task_title, key="rate.task")
    of_task = [run for run in runs if run.spec.task == task]
    wanted = [run for run in asked if run.spec.task == task] or selection.suggested(of_task)
    chosen = st.multiselect(
        "Runs whose explanations are rated",
        [run.id for run in of_task],
        default=[run.id for run in wanted],
        format_func=lambda run: names[run].name,
        key=f"rate.runs.{task}",
        placeholder="Choose one or more",
    )
    name = st.text_input(
        "Name of the project",
        key="rate.name",
        placeholder=f"Explanations of {selection.task_title(task)}",
        help="Raters do not see it.",
    )
    settings = forms.form(ProjectSettings, "rate.settings", skip=("guidelines",))
    guidelines = st.text_area(
        "Guidelines for raters",
        value=rating.GUIDELINES,
        height=220,
        key="rate.guidelines",
        max_chars=20_000,
        help="Lines that begin with a dash become a list. Raters can open this at any time.",
    )
    if settings and chosen:
        st.caption(_at_most(settings, len(chosen)))
    if st.button("Make the project", key="rate.make", type="primary", icon=":material/add:"):
        _make(who, [known[run] for run in chosen], name, settings, guidelines)


def _at_most(settings: ProjectSettings, runs: int) -> str:
    """How much there will be to rate."""
    sources = runs + settings.gold
    each = math.comb(sources, 2) if settings.mode == "pairwise" else sources
    items = settings.items * each
    kind = "pairs" if settings.mode == "pairwise" else "explanations"
    return (
        f"At most {items:,} {kind}, which is {items * settings.overlap:,} verdicts with "
        f"{settings.overlap} rater{'s' * (settings.overlap > 1)} each; equal texts make it fewer."
    )


def candidates() -> list[Run]:
    """Finished runs of tasks with explanations, newest first."""
    found = []
    for run in selection.finished():
        task = selection.find_task(run.spec.task)
        if task is not None and task.kind == "explain":
            found.append(run)
    return found


def _make(
    who: Actor, runs: Sequence[Run], name: str, settings: ProjectSettings | None, guidelines: str
) -> None:
    if settings is None:
        return
    values = settings.model_dump() | {"guidelines": guidelines}
    try:
        made = rating.create(book(), who, runs, name, **values)
    except BadInput as error:
        st.error(plain(sentence(str(error))), icon=":material/error:")
        return
    st.success(f"“{plain(made.name)}” is ready; invite raters next.", icon=":material/check:")
    _drawn(made)
    st.button(
        "Open the project",
        key="rate.open_made",
        on_click=_go_to,
        args=(made.id,),
        icon=":material/arrow_forward:",
    )


def _go_to(project: str) -> None:
    st.query_params[ASKED] = project
    st.session_state["rate.view"] = VIEWS[0]


def _drawn(project: Project) -> None:
    """What the draw found, in one line."""
    table = rating.items(book(), me(), project.id)
    counts = table["kind"].value_counts()
    words = f"{counts.get('rating', 0)} items on {project.facts.get('examples', 0)} examples"
    words += f", {project.settings.overlap} raters each"
    extra = {"check": "attention check", "training": "practice item"}
    parts = [
        f"{count} {name}{'s' * (count > 1)}"
        for kind, name in extra.items()
        if (count := int(counts.get(kind, 0)))
    ]
    merged, equal = project.facts.get("merged", 0), project.facts.get("equal_pairs", 0)
    if merged:
        parts.append(f"{merged} equal texts are rated once for all who wrote them")
    if equal:
        parts.append(f"{equal} pairs of equal texts were left out")
    st.caption(plain(". ".join([words, *parts]) + "."))


def _project(who: Actor, project: Project) -> None:
    table = rating.items(book(), who, project.id)
    real = table[table["kind"] == "rating"]
    wanted = len(real) * project.settings.overlap
    done = int(real["ratings"].clip(upper=project.settings.overlap).sum())
    if project.simulated:
        st.info(
            "The verdicts of this project were made by simulated raters, not by people; it is here "
            "to show what every view looks like.",
            icon=":material/smart_toy:",
        )
    held = int(real["held"].sum())
    words = f"**{done} of {wanted}** verdicts" + (f", {held} items held just now" if held else "")
    st.progress(done / wanted if wanted else 0.0, text=words)
    st.markdown(MODES[project.settings.mode])
    _drawn(project)
    _raters(who, project)
    with st.container(horizontal=True):
        widgets.link("ratings", "See the ratings", **{ASKED: project.id})
    if not project.demo:
        _invite(who, project)
        _doors(who, project)


def _raters(who: Actor, project: Project) -> None:
    rows = rating.raters(book(), who, project.id)
    if not rows:
        st.caption("No rater has been invited yet.")
        return
    checked = rating.checks(book(), who, project.id).set_index("rater")
    speed = checked["median_seconds"].to_dict()
    shown = pd.DataFrame(
        {
            "Rater": [row.name for row in rows],
            "Done": [row.done for row in rows],
            "Skipped": [row.skipped for row in rows],
            "Checks passed": [_passed(checked, row.id) for row in rows],
            "Seconds per item (median)": [speed.get(row.id) for row in rows],
            "Link": list(map(_link_state, rows)),
            "Login": [row.login for row in rows],
            "Invited": [f"{datetime.fromtimestamp(row.created, UTC):%Y-%m-%d}" for row in rows],
        }
    )
    if not shown["Login"].any():
        shown = shown.drop(columns="Login")
    widgets.table(
        shown,
        key="rate.raters",
        name="raters",
        alt=f"{len(rows)} raters and how far each is",
        column_config={
            "Seconds per item (median)": st.column_config.NumberColumn(format="%.0f"),
        },
    )


def _link_state(row: RaterRow) -> str:
    if not row.link_works:
        return "closed"
    until = row.link_until
    return f"works until {datetime.fromtimestamp(until, UTC):%Y-%m-%d}" if until else "works"


def _passed(checked: pd.DataFrame, rater: str) -> str:
    if rater not in checked.index or not checked.loc[rater, "checks"]:
        return ""
    row = checked.loc[rater]
    return f"{row['checks_passed']} of {row['checks']}"


def _invite(who: Actor, project: Project) -> None:
    st.subheader("Invite raters", anchor=False)
    with st.form("rate.invite", border=False, clear_on_submit=True):
        st.text_area(
            "Names, one on each line",
            key="rate.names",
            height=100,
            help="Names are for you; raters see nobody's. With a sign-in configured, “name, "
            "address” lets that address in without a link.",
        )
        st.form_submit_button(
            "Make links", icon=":material/link:", on_click=_invite_all, args=(who, project)
        )
    for problem in st.session_state.pop("rate.problems", []):
        st.error(plain(sentence(problem)), icon=":material/error:")
    _links(project)


@errors.guarded
def _invite_all(who: Actor, project: Project) -> None:
    """Runs before the page is drawn, so that its table has the new raters."""
    problems = []
    for line in st.session_state["rate.names"].splitlines():
        name, _, login = line.partition(",")
        if not name.strip():
            continue
        login = login if login_wanted() else ""
        try:
            _remember(project, [rating.invite(book(), who, project.id, name, login)])
        except BadInput as error:
            problems.append(str(error))
    st.session_state["rate.problems"] = problems


def _remember(project: Project, made: Sequence[Invitation]) -> None:
    """Keep new links for this visit only; the book has none to show again."""
    kept: dict[str, Invitation] = st.session_state.setdefault(f"rate.links.{project.id}", {})
    kept |= {each.rater: each for each in made}


def _links(project: Project) -> None:
    kept: dict[str, Invitation] = st.session_state.get(f"rate.links.{project.id}", {})
    if not kept:
        return
    st.caption(
        "Copy these links now: each is secret, opens the Rate page only, and is not shown again "
        "after this visit. A lost one can be replaced below."
    )
    table = pd.DataFrame(
        {"Rater": [each.name for each in kept.values()], "Link": list(map(link, kept.values()))}
    )
    for row in table.to_dict("records"):
        st.markdown(plain(row["Rater"]))
        st.code(row["Link"], language=None, wrap_lines=True)
    widgets.download(table, key="rate.links", name="links", label="Download the links")


def link(invitation: Invitation) -> str:
    """The address that lets a rater in, on this server."""
    here = urlsplit(st.context.url or "http://localhost:8501/")
    return f"{here.scheme}://{here.netloc}/rate?{urlencode({LINK: invitation.token})}"


def _doors(who: Actor, project: Project) -> None:
    """New links, closed links, and the whole project."""
    rows = {row.id: row for row in rating.raters(book(), who, project.id)}
    with st.expander("Links and access", icon=":material/key:"):
        if rows:
            rater = st.selectbox(
                "Rater",
                list(rows),
                format_func=lambda rater: rows[rater].name,
                key=f"rate.rater.{project.id}",
            )
            with st.container(horizontal=True):
                if st.button("New link", key="rate.renew", icon=":material/link:"):
                    _remember(project, [rating.renew_link(book(), who, rater)])
                    st.rerun()
                if rows[rater].active and st.button(
                    "Close the link", key="rate.revoke", icon=":material/link_off:"
                ):
                    rating.revoke(book(), who, rater)
                    st.rerun()
        st.toggle(
            "Raters may rate in this project",
            value=project.open,
            key=f"rate.is_open.{project.id}",
            on_change=_set_open,
            args=(who, project),
        )
        st.caption(
            "This server listens on this machine only unless it was told otherwise. To let raters "
            "in from elsewhere, start a second one on the same workspace with "
            "`PEFTCORE_RATERS_ONLY=1`: it has the Rate page and nothing else."
        )


def _set_open(who: Actor, project: Project) -> None:
    wanted = bool(st.session_state[f"rate.is_open.{project.id}"])
    rating.set_open(book(), who, project.id, wanted)
