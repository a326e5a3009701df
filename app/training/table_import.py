"""Bring your own file: upload, look, say which column is what, see what is left out, import."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.state import cache
from app.training.table_check_up import show_check_up
from app.ui import permitted, pickers, widgets
from peftcore.data import tables
from peftcore.data.tables import TablePreview
from peftcore.errors import BadInput
from peftcore.system import server_limits
from peftcore.tasks import table
from peftcore.tasks.table import ColumnMapping, MappedTable, TaskKind

PREVIEW_ROWS = 50
NO_COLUMN = "(none)"
KINDS: dict[TaskKind, str] = {
    "classify": "A label",
    "explain": "A label and an explanation",
    "generate": "A text",
}
GUESSES = {
    "text": ("text", "sentence", "premise", "input", "question", "source"),
    "target": ("label", "target", "answer", "class", "output", "reference"),
    "explanation": ("explanation", "reason", "why", "because"),
    "split": ("split", "subset", "part"),
}


def show_import_form(page: str) -> None:
    """The whole way from a file to a task; widget keys begin with `page`."""
    st.caption(
        "A CSV file with a header, JSON lines, a JSON array or chats, one example per row. It "
        "stays on this machine. Rows that cannot be used are listed by line and left out."
    )
    _show_last_import(page)
    file = st.file_uploader(
        "Your file",
        type=["csv", "tsv", "txt", "jsonl", "ndjson", "json"],
        max_upload_size=server_limits.TABLE_FILE.value,
        key=f"{page}.file",
    )
    if file is None:
        return
    preview = tables.preview_table(file.getvalue(), file.name)
    st.header("What is in the file", anchor=False)
    _show_preview(preview, file.name)
    st.header("Which column is what", anchor=False)
    kind = pickers.pick_one(
        "The model should write",
        list(KINDS),
        f"{page}.kind",
        lambda kind: KINDS[kind],
        default="classify",
    )
    columns = _pick_columns(preview, kind, page)
    if columns is None:
        return
    parsed = _parse_rows(preview, columns, kind)
    if parsed is None:
        return
    st.header("What will be imported", anchor=False)
    _show_parsed(parsed, len(preview.rows) + len(preview.bad))
    remedies, base = show_check_up(parsed, columns, kind, page)
    name = st.text_input("Name of the task", value=file.name.rpartition(".")[0], key=f"{page}.name")
    if st.button(
        "Import",
        type="primary",
        icon=":material/upload:",
        key=f"{page}.import",
        **permitted.to_start(),
    ):
        reader = cache.table_reader(base, parsed.labels) if base else None
        _import_table(
            *(file.getvalue(), name, columns, kind, file.name), remedies=remedies, reader=reader
        )


def _show_preview(preview: TablePreview, name: str) -> None:
    """Show the first rows of the file."""
    rows = [dict(row) for row in preview.rows[:PREVIEW_ROWS]]
    frame = pd.DataFrame(rows, columns=list(preview.columns))
    frame.insert(0, "Line", list(preview.lines[:PREVIEW_ROWS]))
    st.dataframe(frame, hide_index=True, alt=f"The first rows of {name}")
    st.caption(f"{len(preview.rows):,} rows, {len(preview.columns)} columns.")


def _pick_columns(preview: TablePreview, kind: TaskKind, page: str) -> ColumnMapping | None:
    """Offer the mapping of columns; None, with the reason shown, while it cannot work."""
    names = list(preview.columns)
    left, right = st.columns(2)
    with left:
        first = _select_column("Text", names, _guess_column("text", names, 0), f"{page}.text")
        second = _select_column(
            "Second text, for pairs", [NO_COLUMN, *names], NO_COLUMN, f"{page}.second"
        )
    with right:
        title = "Text to write" if kind == "generate" else "Label"
        target = _select_column(title, names, _guess_column("target", names, -1), f"{page}.target")
        explanation = NO_COLUMN
        if kind == "explain":
            guess = _guess_column("explanation", names, -1)
            explanation = _select_column(
                "Explanation", [NO_COLUMN, *names], guess, f"{page}.explanation"
            )
        split = _select_column(
            "Split",
            [NO_COLUMN, *names],
            _guess_column("split", [NO_COLUMN, *names], 0),
            f"{page}.split",
        )
    template = st.text_input(
        "Template",
        key=f"{page}.template",
        placeholder=" ".join(f"{name}: {{{name}}}" for name in names[:2]),
        help="How a row reads, with {column} where its text goes. Empty names the columns.",
    )
    st.caption("Without a split column, rows are drawn 60 : 20 : 20 into train, validation, test.")
    try:
        return ColumnMapping.make(
            {
                "text": [name for name in (first, second) if name != NO_COLUMN],
                "target": target,
                "explanation": None if explanation == NO_COLUMN else explanation,
                "split": None if split == NO_COLUMN else split,
                "template": template or None,
            }
        )
    except BadInput as error:
        st.error(widgets.escape_markdown(widgets.as_sentence(str(error))), icon=":material/error:")
        return None


def _select_column(label: str, options: Sequence[str], start: str, key: str) -> str:
    index = list(options).index(start)
    return st.selectbox(label, options, index=index, key=key)


def _guess_column(role: str, names: Sequence[str], otherwise: int) -> str:
    """The column whose name sounds like the role, to start with."""
    matches = [name for word in GUESSES[role] for name in names if word in name.lower()]
    return matches[0] if matches else names[otherwise]


def _parse_rows(
    preview: TablePreview, columns: ColumnMapping, kind: TaskKind
) -> MappedTable | None:
    """Parse every row with the chosen columns."""
    try:
        return table.map_columns(preview, columns, kind)
    except BadInput as error:
        st.error(widgets.escape_markdown(widgets.as_sentence(str(error))), icon=":material/error:")
        return None


def _show_parsed(parsed: MappedTable, lines: int) -> None:
    """Show how the first row reads, how many are used, and every line that is left out."""
    item = parsed.items[0]
    left, right = st.columns(2)
    with left:
        st.caption("The model reads")
        st.code(item.source, language=None, wrap_lines=True)
    with right:
        st.caption("It should write")
        reason = f" because {item.explanation}" if item.explanation else ""
        st.code(item.target + reason, language=None, wrap_lines=True)
    labels = f" Labels: {', '.join(parsed.labels)}." if parsed.labels else ""
    st.caption(
        widgets.escape_markdown(f"{len(parsed.items):,} of {lines:,} rows can be used.{labels}")
    )
    for note in parsed.notes:
        st.caption(widgets.escape_markdown(widgets.as_sentence(note)))
    if parsed.bad:
        bad = pd.DataFrame([(each.line, each.reason) for each in parsed.bad])
        bad.columns = pd.Index(["Line", "Why it is left out"])
        count = f"{len(bad):,} line{'s' * (len(bad) > 1)}"
        with st.expander(f"{count} left out", expanded=True, icon=":material/warning:"):
            widgets.table_with_download(
                bad, key="data.bad", name="lines-left-out", alt="Lines left out and why"
            )


def _import_table(
    content: bytes, name: str, columns: ColumnMapping, kind: TaskKind, filename: str, **given: Any
) -> None:
    """Import the table as a task, and remember its name."""
    try:
        task = table.import_table(content, name, columns, kind, filename=filename, **given)
    except BadInput as error:
        st.error(widgets.escape_markdown(widgets.as_sentence(str(error))), icon=":material/error:")
        return
    cache.forget_examples()
    st.session_state["data.imported"] = task
    st.rerun()


def _show_last_import(page: str) -> None:
    """Show the result of the last import, and links to it."""
    task = st.session_state.pop(f"{page}.imported", None)
    if task:
        st.success(f"Imported as {widgets.escape_markdown(task)}.", icon=":material/check_circle:")
        with st.container(horizontal=True):
            widgets.page_link("data", "Look at it", **{"data.task": task})
            widgets.page_link("train", "Train on it", **{"train.task": task})
