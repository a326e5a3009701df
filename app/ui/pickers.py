"""Choices that several pages offer: a task, a base model, a run, a seed; most stand in the address.

A choice in the address is an id (`?run=…`), so that other pages can link to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import streamlit as st

from app.state import cache, run_catalog
from app.ui import url_state, widgets
from peftcore.errors import BadInput
from peftcore.models import catalog
from peftcore.runs.store import Run

if TYPE_CHECKING:
    from peftcore.data.task import Task
    from peftcore.models.catalog import BaseInfo

T = TypeVar("T")
MAX_SIDE_BY_SIDE = 12  # options; more become a list
MAX_NUMBERS_SIDE_BY_SIDE = 8


def pick_task(key: str) -> Task:
    """Offer all tasks; the choice stands in the address."""
    known = {task.name: task for task in cache.list_tasks()}

    def title(name: str) -> str:
        return known[name].title

    change = url_state.sync_with_url("Task", key, list(known), format_option=title)
    return known[st.selectbox("Task", list(known), format_func=title, key=key, on_change=change)]


def pick_base(key: str) -> BaseInfo:
    """Offer the base models of this machine; the choice stands in the address."""
    known = {info.name: info for info in cache.list_bases()}
    if not known:
        widgets.missing_base("There is no base model yet")
        st.stop()
    change = url_state.sync_with_url("Base model", key, list(known))
    chosen = st.selectbox("Base model", list(known), key=key, on_change=change)
    for reason in cache.unusable_bases().values():
        st.caption(widgets.escape_markdown(f"Not offered: {reason}"))
    return known[chosen]


def pick_run(
    runs: Sequence[Run],
    key: str,
    title: Callable[[Run], str],
    needed: str,
    *,
    name: str = "run",
) -> Run:
    """Offer runs by their titles; the choice stands in the address as `name`.

    needed: which runs can be offered, for an address that asks for another one.
    """
    titles = {run.id: title(run) for run in runs}
    change = url_state.sync_with_url(
        why_run_missing(needed), key, list(titles), name=name, format_option=titles.__getitem__
    )
    run_id = st.selectbox(
        "Run",
        list(titles),
        format_func=titles.__getitem__,
        key=key,
        on_change=change,
        help="The address keeps the choice: send it, or come back to it",
    )
    return next(run for run in runs if run.id == run_id)


def why_run_missing(needed: str) -> Callable[[str], str]:
    """Explain why the run that an address asks for cannot be shown."""

    def explain(requested: str) -> str:
        try:
            run = cache.run_store().open(requested)
        except BadInput as error:  # has the ids that are close
            return widgets.as_sentence(str(error))
        if not catalog.is_at_hand(run.spec.base):
            base = run.spec.base
            return f"Run {run.id} rests on the base {base}, which is not on this machine."
        return f"Run {run.id} ({run.spec.method}, {run.status().state}) does not fit: {needed}."

    return explain


def invite_missing_base(run_ids: Sequence[str]) -> None:
    """Invite to add the base of a run that the address names, where it is not on this machine."""
    if base := run_catalog.missing_base(run_ids):
        widgets.missing_base(f"The base {base} is not on this machine, so its runs cannot be asked")


def pick_seed(
    runs: Sequence[Run], key: str, *, help: str | None = None, width: int | Literal["stretch"] = 120
) -> int:
    """Offer the seeds of runs shown together by their numbers; return the seed's index."""
    numbers = list(zip(*(run.spec.population.seed_numbers() for run in runs), strict=False))
    return st.selectbox(
        "Seed",
        range(len(numbers)),
        format_func=lambda index: " and ".join(map(str, dict.fromkeys(numbers[index]))),
        key=key,
        help=help,
        width=width,
    )


def requested_run_ids(name: str = "runs") -> list[str]:
    """Return the ids of the runs that the address names (`?runs=…`)."""
    return [part for part in st.query_params.get(name, "").split(",") if part]


def requested_runs(runs: Sequence[Run]) -> list[Run]:
    """Return those of the runs that the address names; say so if it names others."""
    requested = requested_run_ids()
    runs_by_id = {run.id: run for run in runs}
    missing = [part[:40] for part in requested if part not in runs_by_id]
    if missing:
        st.warning(
            f"The address asks for runs that are not here or not finished: "
            f"{widgets.escape_markdown(', '.join(missing))}. The rest is shown.",
            icon=":material/link_off:",
        )
    return [runs_by_id[part] for part in requested if part in runs_by_id]


def pick_one(
    label: str,
    options: Sequence[T],
    key: str,
    option_text: Callable[[T], str] = str,
    *,
    default: T | None = None,
    help: str | None = None,
) -> T:
    """Offer one of several options, the first unless `default` is another; a list if many."""
    chosen = options[0] if default is None else default
    if len(options) > MAX_SIDE_BY_SIDE:
        index = options.index(chosen)
        return st.selectbox(
            label, options, index=index, format_func=option_text, key=key, help=help
        )
    return st.segmented_control(
        label,
        options,
        default=chosen,
        required=True,
        format_func=option_text,
        key=key,
        help=help,
    )


def pick_in_url(
    label: str,
    options: Sequence[T],
    key: str,
    option_text: Callable[[T], str] = str,
    *,
    first: T | None = None,
    help: str | None = None,
) -> T:
    """Offer one of several options as `pick_one` does; the choice stands in the address.

    What was chosen for another subject, and this one does not have, leaves the address again.
    """
    if len(options) > MAX_SIDE_BY_SIDE:
        return pick_from_list(label, options, key, option_text, first=first, help=help)
    on_change = sync_choice(label, options, key, option_text, first=first)
    common: dict[str, Any] = {"format_func": option_text, "key": key, "help": help}
    return st.segmented_control(label, options, required=True, on_change=on_change, **common)


def pick_from_list(
    label: str,
    options: Sequence[T],
    key: str,
    option_text: Callable[[T], str] = str,
    *,
    first: T | None = None,
    help: str | None = None,
) -> T:
    """Offer one of several options as a list, for names too long for a row of buttons.

    The choice stands in the address, as with `pick_in_url`.
    """
    on_change = sync_choice(label, options, key, option_text, first=first)
    return st.selectbox(
        label, options, format_func=option_text, key=key, on_change=on_change, help=help
    )


def sync_choice(
    label: str,
    options: Sequence[T],
    key: str,
    option_text: Callable[[T], str] = str,
    *,
    first: T | None = None,
) -> Callable[[], None]:
    """Let a widget follow the address; what the page chose before yields to what there is now."""
    if key in st.session_state and st.query_params.get(key) not in (None, *map(str, options)):
        del st.query_params[key]
    return url_state.sync_with_url(label, key, options, format_option=option_text, first=first)


def pick_page(pages: int, key: str) -> int:
    """Offer pages from one on, none to choose where there is only one; kept in the address."""
    if pages < 2:
        return 1
    on_change = sync_choice("Page", list(range(1, pages + 1)), key)
    return st.pagination(pages, key=key, on_change=on_change)


def pick_index(label: str, count: int, key: str, default: int = 0) -> int:
    """Offer numbers from one on, such as layers and heads; return the index of the chosen one.

    default: the index that is chosen at first.
    Eight buttons have room on a tablet beside another choice; more numbers become a list.
    """
    if count > MAX_NUMBERS_SIDE_BY_SIDE:
        return st.selectbox(
            label,
            range(count),
            index=default,
            format_func=lambda index: str(index + 1),
            key=key,
            width=110,
        )
    return pick_one(label, list(range(count)), key, lambda index: str(index + 1), default=default)
