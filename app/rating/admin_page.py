"""The experimenter's side of the Rate page: projects, raters, their links, how far they are.

A secret link is shown once, when it is made; the store keeps only its hash.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

import pandas as pd
import streamlit as st

from app.rating import import_export
from app.state import run_catalog
from app.state.access import LINK_PARAM, login_configured
from app.state.rating_store import current_experimenter, rating_store
from app.ui import errors, forms, permitted, pickers, url_state, widgets
from app.ui.run_styles import titles_by_run
from app.ui.widgets import as_sentence, escape_markdown
from peftcore import rating
from peftcore.errors import BadInput
from peftcore.rating import (
    Invitation,
    Project,
    ProjectSettings,
    RaterSummary,
    RatingUser,
    link_code,
)
from peftcore.rating.access import called
from peftcore.runs.store import Run
from peftcore.system import rights

LANGUAGES = {
    "ar": "العربية",
    "de": "Deutsch",
    "es": "Español",
    "fr": "Français",
    "hi": "हिन्दी",
    "it": "Italiano",
    "ja": "日本語",
    "pt": "Português",
    "ru": "Русский",
    "zh": "中文",
}
PROJECT_PARAM = "project"  # in the address of a link
# A chosen run's name is read whole: it says what sets it apart at its end.
WHOLE_NAMES = """<style>[class*="st-key-rate-runs-"] :is([role="row"], [data-baseweb="tag"],
[role="row"] span, [data-baseweb="tag"] span) { max-width: none; white-space: normal; }</style>"""
VIEWS = ("Projects", "New project", "Import")
MODES = {
    "single": "One explanation at a time, on four points from yes to no.",
    "pairwise": "Two explanations at a time: left, right or a tie.",
    "likert": "One explanation at a time, on several dimensions from 1 to 5.",
}


def show(login: str = "") -> None:
    """Projects, or the form for a new one."""
    view = widgets.view_switch("rate", VIEWS)
    if view == VIEWS[1]:
        _new_project(current_experimenter(login))
        return
    if view == VIEWS[2]:
        import_export.show_import(login)
        return
    project = pick_project(login)
    if project is not None:
        _show_project(current_experimenter(login), project)


def pick_project(
    login: str = "", label_visibility: Literal["visible", "collapsed"] = "visible"
) -> Project | None:
    """Offer the projects, in the address too; None, with a note on the page, if there is none."""
    _show_unreadable(current_experimenter(login))
    projects_by_id = {
        project.id: project
        for project in rating.list_projects(rating_store(), current_experimenter(login))
    }
    if not projects_by_id:
        widgets.empty_state(
            "No rating project yet",
            "Make one from finished runs; each rater then gets a link of their own.",
            "rate",
        )
        return None
    name_counts = Counter(project.name for project in projects_by_id.values())

    def label(project: str) -> str:
        name = projects_by_id[project].name
        return f"{name} ({project})" if name_counts[name] > 1 else name

    project_id = st.selectbox(
        "Project",
        list(projects_by_id),
        format_func=label,
        key="rate.project",
        label_visibility=label_visibility,
        on_change=url_state.sync_with_url(
            "Project", "rate.project", list(projects_by_id), name=PROJECT_PARAM, format_option=label
        ),
    )
    return projects_by_id[project_id]


def _show_unreadable(user: RatingUser) -> None:
    """Name the projects that cannot be read, each with a button that deletes it."""
    for project, reason in rating.unreadable_projects(rating_store(), user).items():
        st.warning(escape_markdown(as_sentence(reason)), icon=":material/broken_image:")
        st.button(
            f"Delete project {project} and its ratings for good",
            key=f"rate.remove.{project}",
            icon=":material/delete:",
            on_click=rating.remove_project,
            args=(rating_store(), user, project),
        )


def _new_project(user: RatingUser) -> None:
    """Show the form for a project of ratings."""
    runs = runs_to_rate()
    if not runs:
        widgets.empty_state(
            "No explanations to rate yet",
            "Train a method on a task that asks for a label and a reason, such as Miniworld "
            "entailment; its explanations can then be rated.",
            "train",
        )
        return
    runs_by_id = {run.id: run for run in runs}
    linked_runs = pickers.requested_runs(runs)  # by a link from the Compare page
    task_names = list(dict.fromkeys(run.spec.task for run in [*linked_runs, *runs]))
    task = st.selectbox("Task", task_names, format_func=run_catalog.task_title, key="rate.task")
    of_task = [run for run in runs if run.spec.task == task]
    preselected = [run for run in linked_runs if run.spec.task == task] or run_catalog.suggest_runs(
        of_task
    )
    titles = titles_by_run(of_task)
    st.html(WHOLE_NAMES)
    chosen = st.multiselect(
        "Runs whose explanations are rated",
        [run.id for run in of_task],
        default=[run.id for run in preselected],
        format_func=titles.__getitem__,
        key=f"rate.runs.{task}",
        placeholder="Choose one or more",
    )
    name = st.text_input(
        "Name of the project",
        key="rate.name",
        placeholder=f"Explanations of {run_catalog.task_title(task)}",
        help="Raters do not see it.",
    )
    texts = ("guidelines", "language", "translations")
    settings = forms.settings_form(ProjectSettings, "rate.settings", skip=texts)
    guidelines = st.text_area(
        "Guidelines for raters",
        value=rating.GUIDELINES,
        height=220,
        key="rate.guidelines",
        max_chars=20_000,
        help="Lines that begin with a dash become a list. Raters can open this at any time.",
    )
    translations = _pick_translations()
    written = {"guidelines": guidelines, "translations": translations}
    if settings and chosen:
        _preview_card([runs_by_id[run] for run in chosen], settings)
        st.caption(_workload_text(settings, len(chosen)))
    if st.button(
        "Make the project",
        key="rate.make",
        type="primary",
        icon=":material/add:",
        **permitted.to_start(),
    ):
        _create_project(user, [runs_by_id[run] for run in chosen], name, settings, written)


def _pick_translations() -> dict[str, str]:
    """Offer the guidelines in more languages; raters get the one they choose or their browser's."""
    languages = st.multiselect(
        "Guidelines in other languages",
        list(LANGUAGES),
        format_func=lambda tag: LANGUAGES.get(tag, tag),
        key="rate.languages",
        accept_new_options=True,
        placeholder="Choose, or write a tag such as pt-BR",
        help="Each rater chooses on the card; until then it is what their browser asks for",
    )
    return {
        tag: st.text_area(
            f"Guidelines in {LANGUAGES.get(tag, tag)}",
            height=160,
            key=f"rate.guidelines.{tag}",
            max_chars=20_000,
        )
        for tag in languages
    }


def _preview_card(runs: Sequence[Run], settings: ProjectSettings) -> None:
    """Show the first item of such a project as raters will read it, once somebody asks for it."""
    with st.expander(
        "What a rater sees", icon=":material/preview:", key="rate.preview", on_change="rerun"
    ) as box:
        if not box.open:
            return
        try:
            item = rating.preview_item(runs, settings)
        except BadInput as error:
            st.info(escape_markdown(as_sentence(str(error))), icon=":material/info:")
            return
        for title, text in item.fields:
            st.markdown(f"{escape_markdown(title)}  \n**{escape_markdown(text)}**")
        if item.question:
            st.markdown(escape_markdown(item.question))
        st.caption("Raters give an answer of their own first; then the explanation appears.")
        for (label, text), place in zip(item.texts, st.columns(len(item.texts)), strict=True):
            with place.container(border=True):
                st.markdown(f"{escape_markdown(label)}  \n{escape_markdown(text)}")
        st.caption(MODES[settings.mode])


def _workload_text(settings: ProjectSettings, runs: int) -> str:
    """Say how much there will be to rate."""
    sources = runs + settings.gold
    each = math.comb(sources, 2) if settings.mode == "pairwise" else sources
    items = settings.items * each
    kind = "pairs" if settings.mode == "pairwise" else "explanations"
    return (
        f"At most {items:,} {kind}, which is {items * settings.overlap:,} verdicts with "
        f"{settings.overlap} rater{'s' * (settings.overlap > 1)} each; equal texts make it fewer."
    )


def runs_to_rate() -> list[Run]:
    """Finished runs of tasks with explanations, newest first."""
    runs = []
    for run in run_catalog.finished_runs():
        task = run_catalog.find_task(run.spec.task)
        if task is not None and task.kind == "explain":
            runs.append(run)
    return runs


def _create_project(
    user: RatingUser,
    runs: Sequence[Run],
    name: str,
    settings: ProjectSettings | None,
    texts: Mapping[str, Any],
) -> None:
    """Create the project, or show why it cannot be."""
    if settings is None:
        return
    values = settings.model_dump() | dict(texts)
    try:
        project = rating.create_project(rating_store(), user, runs, name, **values)
    except BadInput as error:
        st.error(escape_markdown(as_sentence(str(error))), icon=":material/error:")
        return
    st.success(
        f"“{escape_markdown(project.name)}” is ready; invite raters next.", icon=":material/check:"
    )
    _show_sampling_summary(project)
    st.button(
        "Open the project",
        key="rate.open_made",
        on_click=_open_project,
        args=(project.id,),
        icon=":material/arrow_forward:",
    )


def _open_project(project: str) -> None:
    st.query_params[PROJECT_PARAM] = project
    st.session_state["rate.view"] = VIEWS[0]


def _show_sampling_summary(project: Project) -> None:
    """Say in one line what the sampling of items found."""
    table = rating.item_table(rating_store(), current_experimenter(), project.id)
    counts = table["kind"].value_counts()
    words = f"{counts.get('rating', 0)} items on {project.facts.get('examples', 0)} examples"
    overlap = project.settings.overlap
    words += f", {overlap} rater{'s' * (overlap > 1)} each"
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
    st.caption(escape_markdown(". ".join([words, *parts]) + "."))


def _show_project(user: RatingUser, project: Project) -> None:
    """Show a project's progress, raters, links and settings."""
    table = rating.item_table(rating_store(), user, project.id)
    rated_items = table[table["kind"] == "rating"]
    wanted = len(rated_items) * project.settings.overlap
    done = int(rated_items["ratings"].clip(upper=project.settings.overlap).sum())
    if project.simulated:
        st.info(
            "The verdicts of this project were made by simulated raters, not by people; it is here "
            "to show what every view looks like.",
            icon=":material/smart_toy:",
        )
    open_leases = int(rated_items["held"].sum())
    words = f"**{done} of {wanted}** verdicts" + (
        f", {open_leases} items reserved just now" if open_leases else ""
    )
    st.progress(done / wanted if wanted else 0.0, text=words)
    st.markdown(MODES[project.settings.mode])
    if owner := rights.owner_of(called(project.id)):
        st.caption(f"Made by `{owner}`.")  # as code, since an address would become a link
    _show_sampling_summary(project)
    _rater_table(user, project)
    with st.container(horizontal=True):
        widgets.page_link("ratings", "See the ratings", **{PROJECT_PARAM: project.id})
    if not project.demo:
        _invite_form(user, project)
        _access_panel(user, project)


def _rater_table(user: RatingUser, project: Project) -> None:
    """Show every rater with progress, checks and link."""
    rows = rating.list_raters(rating_store(), user, project.id)
    if not rows:
        st.caption("No rater has been invited yet.")
        return
    checked = rating.check_table(rating_store(), user, project.id).set_index("rater")
    speed = checked["median_seconds"].to_dict()
    shown = pd.DataFrame(
        {
            "Rater": [row.name for row in rows],
            "Done": [row.done for row in rows],
            "Skipped": [row.skipped for row in rows],
            "Checks passed": [_checks_passed_text(checked, row.id) for row in rows],
            "Seconds per item (median)": [speed.get(row.id) for row in rows],
            "Link": list(map(_link_state, rows)),
            "Login": [row.login for row in rows],
            "Invited": [f"{datetime.fromtimestamp(row.created, UTC):%Y-%m-%d}" for row in rows],
        }
    )
    if not shown["Login"].any():
        shown = shown.drop(columns="Login")
    widgets.table_with_download(
        shown,
        key="rate.raters",
        name="raters",
        alt=f"{len(rows)} raters and how far each is",
        column_config={
            "Seconds per item (median)": st.column_config.NumberColumn(format="%.0f"),
        },
    )


def _link_state(row: RaterSummary) -> str:
    if not row.link_works:
        return "closed"
    until = row.link_until
    return f"works until {datetime.fromtimestamp(until, UTC):%Y-%m-%d}" if until else "works"


def _checks_passed_text(checked: pd.DataFrame, rater: str) -> str:
    if rater not in checked.index or not checked.loc[rater, "checks"]:
        return ""
    row = checked.loc[rater]
    return f"{row['checks_passed']} of {row['checks']}"


def _invite_form(user: RatingUser, project: Project) -> None:
    """Offer to invite raters; their links are shown once."""
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
            "Make links",
            icon=":material/link:",
            on_click=_invite_all,
            args=(user, project),
            **permitted.to_change("invite to", called(project.id)),
        )
    for problem in st.session_state.pop("rate.problems", []):
        st.error(escape_markdown(as_sentence(problem)), icon=":material/error:")
    _show_links(project)


@errors.guarded
def _invite_all(user: RatingUser, project: Project) -> None:
    """Runs before the page is drawn, so that its table has the new raters."""
    problems = []
    for line in st.session_state["rate.names"].splitlines():
        name, _, login = line.partition(",")
        if not name.strip():
            continue
        login = login if login_configured() else ""
        try:
            _keep_links(project, [rating.invite(rating_store(), user, project.id, name, login)])
        except BadInput as error:
            problems.append(str(error))
    st.session_state["rate.problems"] = problems


def _keep_links(project: Project, invitations: Sequence[Invitation]) -> None:
    """Keep new links for this visit only; the store has none to show again."""
    kept: dict[str, Invitation] = st.session_state.setdefault(f"rate.links.{project.id}", {})
    kept |= {each.rater: each for each in invitations}


def _show_links(project: Project) -> None:
    """Show the links that were just created."""
    kept: dict[str, Invitation] = st.session_state.get(f"rate.links.{project.id}", {})
    if not kept:
        return
    st.caption(
        "Copy these links now: each is secret, opens the Rate page only, and is not shown again "
        "after this visit. A lost one can be replaced below."
    )
    table = pd.DataFrame(
        {
            "Rater": [each.name for each in kept.values()],
            "Link": list(map(rater_link, kept.values())),
        }
    )
    for row in table.to_dict("records"):
        st.markdown(escape_markdown(row["Rater"]))
        st.code(row["Link"], language=None, wrap_lines=True)
        _offer_code(row["Rater"], row["Link"])
    widgets.download(table, key="rate.links", name="links", label="Download the links")


def _offer_code(name: str, link: str) -> None:
    """Show a link as a QR code, for a phone."""
    with st.expander("As a QR code", icon=":material/qr_code_2:"):
        st.image(link_code.draw_link(link), width=240)
        st.caption(f"Opens the Rate page for {escape_markdown(name)}; as secret as the link.")


def rater_link(invitation: Invitation) -> str:
    """The address that lets a rater in, on this server."""
    url = urlsplit(st.context.url or "http://localhost:8501/")
    return f"{url.scheme}://{url.netloc}/rate?{urlencode({LINK_PARAM: invitation.token})}"


def _access_panel(user: RatingUser, project: Project) -> None:
    """New links, closed links, and the whole project."""
    rows = {row.id: row for row in rating.list_raters(rating_store(), user, project.id)}
    with st.expander("Links and access", icon=":material/key:"):
        if rows:
            rater = st.selectbox(
                "Rater",
                list(rows),
                format_func=lambda rater: rows[rater].name,
                key=f"rate.rater.{project.id}",
            )
            with st.container(horizontal=True):
                changing = permitted.to_change("invite to", called(project.id))
                if st.button("New link", key="rate.renew", icon=":material/link:", **changing):
                    _keep_links(project, [rating.renew_link(rating_store(), user, rater)])
                    st.rerun()
                if rows[rater].active and st.button(
                    "Close the link", key="rate.revoke", icon=":material/link_off:", **changing
                ):
                    rating.revoke_link(rating_store(), user, rater)
                    st.rerun()
        st.toggle(
            "Raters may rate in this project",
            value=project.open,
            key=f"rate.is_open.{project.id}",
            **permitted.to_change("open or close", called(project.id)),
            on_change=_set_open,
            args=(user, project),
        )
        st.caption(
            "This server listens on this machine only unless it is set otherwise. To let raters "
            "in from elsewhere, start a second one on the same workspace with "
            "`PEFTCORE_RATERS_ONLY=1`: it has the Rate page and nothing else."
        )


def _set_open(user: RatingUser, project: Project) -> None:
    wanted = bool(st.session_state[f"rate.is_open.{project.id}"])
    rating.set_project_open(rating_store(), user, project.id, wanted)
