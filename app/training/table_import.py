"""Bring your own file: upload, look, say which column is what, see what is left out, import."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.state import cache
from app.ui import widgets
from peftcore.data import tables
from peftcore.data.tables import Preview
from peftcore.errors import BadInput
from peftcore.tasks import table
from peftcore.tasks.table import Columns, Kind, Reading

SHOWN = 50
NONE = "(none)"
KINDS: dict[Kind, str] = {
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


def bring_your_own(page: str) -> None:
    """The whole way from a file to a task; widget keys begin with `page`."""
    st.caption(
        "A CSV or JSON lines file with a header, one example per row. It stays on this machine. "
        "Rows that cannot be used are listed by line and left out."
    )
    _imported_before(page)
    file = st.file_uploader(
        "Your file",
        type=["csv", "tsv", "txt", "jsonl", "ndjson", "json"],
        max_upload_size=20,
        key=f"{page}.file",
    )
    if file is None:
        return
    found = tables.preview(file.getvalue(), file.name)
    st.header("What is in the file", anchor=False)
    _preview(found, file.name)
    st.header("Which column is what", anchor=False)
    kind = st.segmented_control(
        "The model should write",
        list(KINDS),
        default="classify",
        required=True,
        format_func=lambda kind: KINDS[kind],
        key=f"{page}.kind",
    )
    columns = _columns(found, kind, page)
    if columns is None:
        return
    reading = _reading(found, columns, kind)
    if reading is None:
        return
    st.header("What will be imported", anchor=False)
    _outcome(reading, len(found.rows) + len(found.bad))
    name = st.text_input("Name of the task", value=file.name.rpartition(".")[0], key=f"{page}.name")
    if st.button("Import", type="primary", icon=":material/upload:", key=f"{page}.import"):
        _import(file.getvalue(), name, columns, kind, file.name)


def _preview(found: Preview, name: str) -> None:
    rows = [dict(row) for row in found.rows[:SHOWN]]
    frame = pd.DataFrame(rows, columns=list(found.columns))
    frame.insert(0, "Line", list(found.lines[:SHOWN]))
    st.dataframe(frame, hide_index=True, alt=f"The first rows of {name}")
    st.caption(f"{len(found.rows):,} rows, {len(found.columns)} columns.")


def _columns(found: Preview, kind: Kind, page: str) -> Columns | None:
    """The mapping that was chosen; None, said at the form, while it cannot work."""
    names = list(found.columns)
    left, right = st.columns(2)
    with left:
        first = _pick("Text", names, _guess("text", names, 0), f"{page}.text")
        second = _pick("Second text, for pairs", [NONE, *names], NONE, f"{page}.second")
    with right:
        title = "Text to write" if kind == "generate" else "Label"
        target = _pick(title, names, _guess("target", names, -1), f"{page}.target")
        explanation = NONE
        if kind == "explain":
            guess = _guess("explanation", names, -1)
            explanation = _pick("Explanation", [NONE, *names], guess, f"{page}.explanation")
        split = _pick("Split", [NONE, *names], _guess("split", [NONE, *names], 0), f"{page}.split")
    template = st.text_input(
        "Template",
        key=f"{page}.template",
        placeholder=" ".join(f"{name}: {{{name}}}" for name in names[:2]),
        help="How a row reads, with {column} where its text goes. Empty names the columns.",
    )
    st.caption("Without a split column, rows are drawn 60 : 20 : 20 into train, validation, test.")
    try:
        return Columns.make(
            {
                "text": [name for name in (first, second) if name != NONE],
                "target": target,
                "explanation": None if explanation == NONE else explanation,
                "split": None if split == NONE else split,
                "template": template or None,
            }
        )
    except BadInput as error:
        st.error(widgets.plain(widgets.sentence(str(error))), icon=":material/error:")
        return None


def _pick(label: str, options: Sequence[str], start: str, key: str) -> str:
    index = list(options).index(start)
    return st.selectbox(label, options, index=index, key=key)


def _guess(role: str, names: Sequence[str], otherwise: int) -> str:
    """The column whose name sounds like the role, to start with."""
    hits = [name for word in GUESSES[role] for name in names if word in name.lower()]
    return hits[0] if hits else names[otherwise]


def _reading(found: Preview, columns: Columns, kind: Kind) -> Reading | None:
    try:
        return table.read(found, columns, kind)
    except BadInput as error:
        st.error(widgets.plain(widgets.sentence(str(error))), icon=":material/error:")
        return None


def _outcome(reading: Reading, lines: int) -> None:
    """How the first row reads, how many are used, and every line that is left out."""
    item = reading.items[0]
    left, right = st.columns(2)
    with left:
        st.caption("The model reads")
        st.code(item.source, language=None, wrap_lines=True)
    with right:
        st.caption("It should write")
        reason = f" because {item.explanation}" if item.explanation else ""
        st.code(item.target + reason, language=None, wrap_lines=True)
    labels = f" Labels: {', '.join(reading.labels)}." if reading.labels else ""
    st.caption(widgets.plain(f"{len(reading.items):,} of {lines:,} rows can be used.{labels}"))
    if reading.bad:
        bad = pd.DataFrame([(each.line, each.reason) for each in reading.bad])
        bad.columns = pd.Index(["Line", "Why it is left out"])
        count = f"{len(bad):,} line{'s' * (len(bad) > 1)}"
        with st.expander(f"{count} left out", expanded=True, icon=":material/warning:"):
            widgets.table(bad, key="data.bad", name="lines-left-out", alt="Lines left out and why")


def _import(content: bytes, name: str, columns: Columns, kind: Kind, filename: str) -> None:
    try:
        task = table.import_table(content, name, columns, kind, filename=filename)
    except BadInput as error:
        st.error(widgets.plain(widgets.sentence(str(error))), icon=":material/error:")
        return
    cache.forget_rows()
    st.session_state["data.imported"] = task
    st.rerun()


def _imported_before(page: str) -> None:
    """What the last import made, and where to go with it."""
    task = st.session_state.pop(f"{page}.imported", None)
    if task:
        st.success(f"Imported as {widgets.plain(task)}.", icon=":material/check_circle:")
        with st.container(horizontal=True):
            widgets.link("data", "Look at it", **{"data.task": task})
            widgets.link("train", "Train on it", **{"train.task": task})
