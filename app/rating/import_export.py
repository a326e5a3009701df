"""Ratings out and in: JSONL and CSV without and with the key to methods, and tables made elsewhere.

The formats are those of `peftcore.rating.export`, `bundle` and `ratings_import`.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app.rating.results import ProjectResults
from app.state.rating_store import current_experimenter, rating_store
from app.ui import permitted
from app.ui.widgets import as_sentence, escape_markdown
from peftcore import rating
from peftcore.errors import BadInput
from peftcore.rating import bundle, export, ratings_import


def show_export(project_results: ProjectResults) -> None:
    """Downloads of every verdict."""
    left, middle, right = st.columns(3)
    with_key = left.toggle(
        "With the key to methods",
        key="ratings.key",
        help="Who wrote each explanation. Leave it off for anybody who may still rate.",
    )
    history = middle.toggle(
        "With what was taken back",
        key="ratings.history",
        help="Superseded, skipped and withdrawn verdicts too, as they were.",
    )
    extra = right.toggle("With practice and checks", key="ratings.extra")
    project = project_results.project.id
    rows = export.export_rows(
        rating_store(), current_experimenter(), project, with_key, history, extra
    )
    name = f"{project_results.file_stem}-{'with-key' if with_key else 'blind'}"
    with st.container(horizontal=True):
        _download_text("CSV", lambda: export.to_csv(rows), f"{name}.csv", "text/csv")
        _download_text(
            "JSONL", lambda: export.to_jsonl(rows), f"{name}.jsonl", "application/x-ndjson"
        )
        _download_text(
            "Whole project",
            lambda: "".join(
                f"{line}\n"
                for line in bundle.dump_project(rating_store(), current_experimenter(), project)
            ),
            f"{project_results.file_stem}-project.jsonl",
            "application/x-ndjson",
        )
    shown = project_results.scored if with_key else project_results.verdicts
    st.dataframe(shown, hide_index=True, alt=f"{len(shown)} verdicts as they are now")
    st.caption(
        "CSV cells that a spreadsheet would run as a formula are quoted; JSONL keeps every value "
        "as it is. The whole project holds questions, verdicts and key, and can be imported "
        "elsewhere."
    )


def _download_text(label: str, write: Callable[[], str], name: str, mime: str) -> None:
    """A download whose text is made when it is asked for."""
    st.download_button(
        label,
        lambda: write().encode(),
        name,
        mime,
        key=f"ratings.save.{label}",
        on_click="ignore",
        icon=":material/download:",
    )


def show_import(login: str = "") -> None:
    """A project from a file: a long table, the benchmark's result files, or a project of ours."""
    st.markdown(
        "A CSV file or JSON lines with the columns `item`, `rater` and `verdict` (yes, weak yes, "
        "weak no, no, or numbers from 0 to 1), the result files of the few-shot explanation "
        "benchmark as they were published, or a whole project saved on the Ratings page."
    )
    file = st.file_uploader("File", type=["csv", "jsonl", "json", "txt"], key="rate.import.file")
    left, right = st.columns(2)
    name = left.text_input("Name of the project", key="rate.import.name")
    method = right.text_input(
        "Whose explanations they are, if the file does not say",
        value="model",
        key="rate.import.method",
    )
    if file is None or not st.button(
        "Import", key="rate.import.go", type="primary", **permitted.to_start()
    ):
        return
    try:
        text = file.getvalue().decode("utf-8-sig")
        if text.lstrip().startswith('{"table"'):
            project = bundle.load_project(
                rating_store(), current_experimenter(login), text.splitlines()
            )
        else:
            title = name.strip() or file.name.rpartition(".")[0]
            project = ratings_import.import_table(
                rating_store(), current_experimenter(login), text, title, method
            )
    except UnicodeDecodeError:
        st.error("The file is not UTF-8 text.", icon=":material/error:")
    except BadInput as error:
        st.error(escape_markdown(as_sentence(str(error))), icon=":material/error:")
    else:
        count = len(rating.verdict_table(rating_store(), current_experimenter(login), project.id))
        st.success(
            f"“{escape_markdown(project.name)}” has {count} verdicts; see them on the Ratings "
            "page.",
            icon=":material/check:",
        )
