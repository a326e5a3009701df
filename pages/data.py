"""Data: read a task before training on it, or bring your own file."""

from collections.abc import Sequence

import streamlit as st

from app.figures import examples as figures
from app.figures.compare import find_measure
from app.state import cache, run_catalog
from app.training import example_browser
from app.training.table_import import show_import_form
from app.ui import charts, forms, pickers, url_state, widgets
from peftcore.data.task import Example

st.title("Data", anchor=False)
view = widgets.view_switch("data", ["Browse a task", "Bring your own file"])
if view == "Bring your own file":
    show_import_form("data")
    st.stop()

task = pickers.pick_task("data.task")
st.caption(
    f"{widgets.escape_markdown(run_catalog.task_in_words(task.name))} "
    f"{example_browser.KINDS[task.kind]} Main measure: {find_measure(task.main_metric).title}. "
    f"Source: {widgets.escape_markdown(task.source_note.rstrip('.'))}."
)
if not task.available():
    widgets.empty_state(
        "These examples are not on this machine",
        f"Set PEFTCORE_DATA to a folder that holds `{task.name}`, or fetch them over the network.",
    )
    if not st.toggle("Fetch them now", key=f"data.fetch.{task.name}"):
        st.stop()
loaded = {split: cache.split_examples(task.name, split) for split in example_browser.SPLITS}
for problem in dict.fromkeys(found.problem for found in loaded.values() if found.problem):
    st.error(widgets.escape_markdown(problem), icon=":material/error:")
splits: dict[str, Sequence[Example]] = {
    split: found.examples for split, found in loaded.items() if found.examples
}
if not splits:
    st.stop()

chosen_split = st.segmented_control(
    "Split",
    list(splits),
    required=True,
    format_func=lambda split: f"{forms.field_label(split)}, {len(splits[split]):,}",
    key="data.split",
    on_change=url_state.sync_with_url(
        "Split", "data.split", list(splits), format_option=forms.field_label
    ),
    label_visibility="collapsed",
)
split = str(chosen_split)
rows = splits[split]

reading, balance = st.columns([1.7, 1], gap="medium") if task.labels else (st.container(), None)
with reading:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.header("How an example reads", anchor=False)
        number = st.number_input(
            f"Example, 1 to {len(rows):,}", 1, len(rows), key=f"data.example.{split}", width=170
        )
    example_browser.show(rows[number - 1], task)
if balance is not None:
    labels = {name: [row.label or "" for row in rows] for name, rows in splits.items()}
    with balance:
        charts.chart(
            figures.label_shares_chart(labels),
            key="data.balance",
            name=f"{task.name}-labels",
            alt=example_browser.balance_alt(labels),
            table=example_browser.balance_table(labels),
        )

st.header("All examples", anchor=False)
matches = example_browser.search_examples(
    rows, st.text_input("Search", key="data.search", placeholder="Any part of a text or label")
)
example_browser.select_example(matches[: example_browser.MAX_ROWS], rows, split)
widgets.download(
    example_browser.example_table(matches[: example_browser.MAX_ROWS]),
    key="data.rows",
    name=f"{task.name}-{split}",
)
more = (
    f", the first {example_browser.MAX_ROWS} shown"
    if len(matches) > example_browser.MAX_ROWS
    else ""
)
st.caption(f"{len(matches):,} of {len(rows):,} examples{more}. Tick one to read it in full above.")

st.header("Lengths", anchor=False)
word_counts = example_browser.word_counts(rows)
charts.chart(
    figures.length_histograms(
        word_counts, "words", f"Lengths of {len(rows):,} examples, {split} split"
    ),
    key="data.lengths",
    name=f"{task.name}-{split}-lengths",
    alt=example_browser.word_counts_alt(word_counts, split),
    table=example_browser.word_counts_table(word_counts),
)
st.caption(
    f"n = {len(rows):,} examples of the {split} split. Models count tokens, of which a word has "
    "one or more; input too long for a base model is refused before training."
)
if task.name.startswith("table_"):
    example_browser.offer_deletion(task)
