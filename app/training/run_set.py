"""Runs as a set: which are shown, grouped how, which are chosen, and what can be done with those.

Everything that decides what is shown stands in the address, the chosen runs as `runs=`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st

from app.figures.compare import find_measure
from app.state import cache
from app.state.run_catalog import method_title, task_title
from app.training import next_panel, run_actions, run_overlay, specs_from_form
from app.training.run_panel import time_text
from app.ui import pickers, url_state, widgets
from app.ui.run_styles import styles_by_run
from peftcore.analysis import run_sets
from peftcore.analysis.run_sets import ListedRun, RunFilter
from peftcore.analysis.settings_table import all_settings
from peftcore.api import run_lists
from peftcore.runs.store import Run
from peftcore.system import rights

NO_SETTING = ""
ALWAYS_GROUPED = ("method", "task", "base")


def show() -> None:
    """Show the filter, the groups if asked for, the table, and what can be done with the chosen."""
    runs = {run.id: run for run in cache.run_store().all()}
    listed = [run_lists.describe_run(run) for run in runs.values()]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = _pick_filter(listed)
        shown = [run for run in listed if wanted.accepts(run)]
        setting = _pick_group(shown)
    run_actions.offer_undo()
    if not shown:
        st.caption("No run fits this filter.")
        return
    if setting:
        _show_groups(shown, setting)
    columns = [name for name in (setting, _filtered_setting()) if name.rpartition(".")[0]]
    hint = st.empty()
    chosen = _pick_rows(shown, runs, list(dict.fromkeys(columns)))
    if not chosen:
        hint.caption(
            "Tick runs in the first column to see their curves over each other, and to tag, "
            "archive, delete or bundle them."
        )
        return
    run_actions.show([runs[run] for run in chosen])
    if len(chosen) == 1:
        next_panel.show_next(runs[chosen[0]])
    run_overlay.show([runs[run] for run in chosen])


def _pick_filter(listed: Sequence[ListedRun]) -> RunFilter:
    """Offer what runs can be chosen by; every part stands in the address."""
    text = _pick_text()
    specs = [run.spec for run in listed]
    with st.popover("Filter", icon=":material/filter_list:"):
        return RunFilter(
            text=text,
            tasks=_pick_several("Task", "task", [spec.task for spec in specs], task_title),
            methods=_pick_several(
                "Method", "method", [spec.method for spec in specs], method_title
            ),
            bases=_pick_several("Base", "base", [spec.base for spec in specs]),
            states=_pick_several(
                "State", "state", [run.state for run in listed], widgets.state_name
            ),
            tags=_pick_several("Tag", "tag", [t for r in listed for t in r.annotation.tags]),
            settings=_pick_setting(listed),
            shipped=not _toggle("Only my own runs", "own"),
            archived=_toggle("Archived runs, too", "archived"),
        )


def _pick_text() -> str:
    """Offer a search for words, kept in the address."""
    key = "runs.text"
    if key not in st.session_state:
        st.session_state[key] = st.query_params.get(key, "")

    def write_url() -> None:
        _set_query(key, st.session_state[key])

    return st.text_input(
        "Search",
        key=key,
        on_change=write_url,
        placeholder="Name, tag, note, method, id",
        icon=":material/search:",
        width=280,
    )


def _set_query(name: str, value: str) -> None:
    if value:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)


def _pick_several(
    label: str,
    name: str,
    values: Sequence[str],
    title: Callable[[str], str] = str,
) -> tuple[str, ...]:
    """Offer the values that there are; none chosen means all."""
    options, key = list(dict.fromkeys(values)), f"runs.{name}"
    if not options:
        return ()
    change = url_state.sync_several_with_url(label, key, options, format_option=title)
    return tuple(
        st.multiselect(
            label,
            options,
            format_func=title,
            key=key,
            on_change=change,
            placeholder="All",
        )
    )


def _toggle(label: str, name: str) -> bool:
    """Offer a switch that stands in the address while it is on."""
    key = f"runs.{name}"
    if key not in st.session_state:
        st.session_state[key] = st.query_params.get(key) == "yes"

    def write_url() -> None:
        _set_query(key, "yes" if st.session_state[key] else "")

    return st.toggle(label, key=key, on_change=write_url)


def _pick_setting(listed: Sequence[ListedRun]) -> dict[str, tuple[str, ...]]:
    """Offer any setting in which runs differ, and its values."""
    varied = run_sets.settings_that_vary(listed)
    options = [NO_SETTING, *varied]
    change = url_state.sync_with_url("Setting", "runs.setting", options, format_option=_in_words)
    name = st.selectbox(
        "Any setting",
        options,
        format_func=_in_words,
        key="runs.setting",
        on_change=change,
    )
    if not name:
        return {}
    values = _pick_several(_in_words(name), "value", varied[name])
    return {name: values} if values else {}


def _filtered_setting() -> str:
    return str(st.session_state.get("runs.setting", NO_SETTING))


def _in_words(setting: str) -> str:
    """Write a setting's dotted name in words, its part of the spec behind it."""
    part, _, name = setting.rpartition(".")
    if not name:
        return "–"
    words = name.replace("_", " ")
    where = {"settings": "method", "population": "seeds and vertices"}.get(part, part)
    return f"{words[:1].upper()}{words[1:]}" + (f" ({where})" if where else "")


def _pick_group(shown: Sequence[ListedRun]) -> str:
    """Offer the settings by which means can be taken."""
    options = [NO_SETTING, *ALWAYS_GROUPED, *run_sets.settings_that_vary(shown)]
    change = url_state.sync_with_url("Setting", "runs.group", options, format_option=_in_words)
    return st.selectbox(
        "Mean and spread by",
        options,
        format_func=_in_words,
        key="runs.group",
        on_change=change,
        width=280,
        help="Runs with an equal value are one row; each run counts once, by its mean over seeds",
    )


def _show_groups(shown: Sequence[ListedRun], setting: str) -> None:
    """Show mean and spread of the shown runs for each value of a setting."""
    table = run_sets.group_runs(shown, setting)
    titles = {"method": method_title, "task": task_title}
    name = titles.get(setting, str)
    frame = pd.DataFrame(
        {
            _in_words(setting): [name(value) for value in table["value"]],
            "Score": [find_measure(m).title if m else "not scored" for m in table["metric"]],
            "Runs": table["runs"],
            "Seeds in all": table["seeds"],
            "Mean": table["mean"],
            "Standard deviation over runs": table["sd"],
            "Lowest": table["low"],
            "Highest": table["high"],
        }
    )
    numbers = ("Mean", "Standard deviation over runs", "Lowest", "Highest")
    widgets.table_with_download(
        frame,
        key="runs.groups",
        name=f"runs-by-{setting}",
        alt="Mean and spread of the runs with each value of a setting",
        column_config={name: st.column_config.NumberColumn(format="%.3g") for name in numbers},
    )
    st.caption(
        "Over runs, whatever else they differ in; Compare judges runs of one task with intervals."
    )


def names_within_groups(runs: Sequence[Run]) -> dict[str, str]:
    """Name each run by its method, and by the settings that differ from others of its group.

    A group is of one task and base, which have columns of their own.
    """
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.spec.task, run.spec.base), []).append(run)
    return {
        run: style.name for group in groups.values() for run, style in styles_by_run(group).items()
    }


def runs_table(
    listed: Sequence[ListedRun], runs: dict[str, Run], settings: Sequence[str] = ()
) -> pd.DataFrame:
    """Tabulate runs, one row each, with these settings as columns of their own."""
    rows: list[dict[str, object]] = []
    owners = rights.owners([f"run {each.id}" for each in listed])
    names = names_within_groups([runs[each.id] for each in listed])
    for each in listed:
        status, spec = runs[each.id].status(), each.spec
        values = all_settings(spec)
        rows.append(
            {
                "Name": each.annotation.name or None,
                "Method": names[each.id],
                "State": widgets.state_name(status.label),
                "Score": None if each.score is None else widgets.format_metric(each.score),
                "Measure": find_measure(each.metric).title if each.metric else None,
                "Seeds": spec.population.seeds,
                "Task": task_title(spec.task),
                "Base": spec.base,
            }
            | {
                _in_words(name): run_sets.setting_text(values[name]) if name in values else None
                for name in settings
            }
            | {
                "Tags": list(each.annotation.tags),
                "Who": owners.get(f"run {each.id}"),
                "Training examples": spec.training.shots,
                "Steps": f"{status.step} of {spec.training.steps}",
                "Learning rate": specs_from_form.learning_rate_text(spec),
                "Time": widgets.format_duration(status.seconds),
                "Started": time_text(status.started),
                "Run": f"/runs?run={each.id}",
            }
        )
    frame = pd.DataFrame(rows)
    unused = [name for name in ("Name", "Tags", "Who") if not frame[name].map(bool).any()]
    return frame.drop(columns=unused)


def _pick_rows(
    shown: Sequence[ListedRun], runs: dict[str, Run], settings: Sequence[str]
) -> list[str]:
    """Show the table and return the ids of the ticked runs, which stand in the address."""
    ids = [run.id for run in shown]
    wanted = pickers.requested_run_ids("runs")
    key = f"runs.table.{hash(tuple(ids))}.{st.session_state.get('runs.table.round', 0)}"
    default = st.session_state.setdefault(
        f"{key}.default", [row for row, run in enumerate(ids) if run in wanted]
    )
    frame = runs_table(shown, runs, settings)
    event = st.dataframe(
        frame,
        hide_index=True,
        key=key,
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": default}},
        placeholder="–",
        alt="Runs with their state, method, task, score and settings; ticked ones are chosen",
        column_config={
            "Run": st.column_config.LinkColumn(display_text=r"run=(\w+)"),
            "Method": st.column_config.TextColumn(width=230),
            "Task": st.column_config.TextColumn(width=240),
        },
    )
    chosen = [ids[row] for row in event.selection.rows if row < len(ids)]
    _set_query("runs", ",".join(chosen))
    widgets.download(frame.assign(Run=ids), key="runs.all", name="runs")
    return chosen
