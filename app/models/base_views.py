"""The bases of this machine on the Models page: the list, and one of them in full."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.models import method_counts
from app.state import cache, heavy_imports
from app.ui import errors, job_panel, permitted, pickers, widgets
from peftcore.errors import BadInput
from peftcore.intake import card, install, overview
from peftcore.intake.overview import ORIGIN_WORDS, BaseEntry
from peftcore.intake.request import QualityJob, QualityRequest
from peftcore.models import base_report, catalog
from peftcore.models.base_report import BaseReport

REDRAW_SECONDS = 1.0
CHECK_SIGNS = {
    "ok": ":material/check:",
    "warning": ":material/warning:",
    "error": ":material/error:",
}


def show() -> None:
    """Show the list of bases and, below it, the chosen one."""
    entries = {info.name: overview.describe_entry(info.name) for info in cache.list_bases()}
    st.dataframe(
        base_table(list(entries.values())),
        hide_index=True,
        alt=f"{len(entries)} base models: kind, family, size, layers and heads, origin, quality",
    )
    info = pickers.pick_base("models.base")
    entry = entries[info.name]
    show_base(entry)


def base_table(entries: list[BaseEntry]) -> pd.DataFrame:
    """Return a row for each base."""
    rows = [
        {
            "Base": entry.info.name,
            "Kind": entry.info.kind.capitalize(),
            "Family": entry.info.family,
            "Parameters (millions)": round(entry.info.parameter_count / 1e6, 2),
            "Layers × heads": entry.heads_text,
            "Quality": quality_text(entry),
            "Origin": ORIGIN_WORDS[entry.origin],
            "What it is": entry.info.note,
        }
        for entry in entries
    ]
    return pd.DataFrame(rows)


def quality_text(entry: BaseEntry) -> str:
    """Return the measured figures of a base in a few words."""
    parts = [
        f"{pairs['title'].split(',')[0].split()[0]} {pairs['accuracy']:.2f}"
        for pairs in entry.quality.get("pairs", ())
    ]
    if text := entry.quality.get("perplexity"):
        parts.append(f"perplexity {text['per_word']:.0f} per word")
    return ", ".join(parts) or "not measured"


def show_base(entry: BaseEntry) -> None:
    """Show one base: facts, check, quality, what methods train on it, card, removal."""
    info = entry.info
    st.header(widgets.escape_markdown(info.name), anchor=False)
    st.caption(widgets.escape_markdown(info.note or "Its folder has no card."))
    st.markdown(widgets.escape_markdown(facts_text(entry)))
    with st.container(horizontal=True):
        widgets.page_link("train", "Train on it", **{"train.base": info.name})
    show_check(entry)
    _show_counts(entry)
    _show_quality(entry)
    text = overview.read_card(info.name)
    if text:
        with st.expander("Its card", icon=":material/description:"):
            st.code(text, language=None, wrap_lines=True)
    _show_removal(entry)


def show_check(entry: BaseEntry) -> None:
    """Show what checking the base as a whole found."""
    st.subheader("Does it belong together?", anchor=False)
    report = base_report.kept_report(catalog.base_folders()[entry.info.name])
    if report is None or not report.complete:
        st.caption("It has not been checked as a whole: configuration, weights and tokenizer.")
        if not st.button("Check it", key="models.check", icon=":material/fact_check:"):
            return
        with st.spinner("Checking the base…"):
            report = read_report(entry.info.name)
    for finding in report.findings:
        sentence = widgets.escape_markdown(finding.sentence)
        st.markdown(f"{CHECK_SIGNS[finding.level]} **{finding.subject.capitalize()}:** {sentence}")


def read_report(name: str) -> BaseReport:
    """Return the report on a base, checked now if none is kept."""
    heavy_imports.import_all()
    from peftcore.models import check

    return check.read_report(name)


def facts_text(entry: BaseEntry) -> str:
    """Return kind, sizes and origin of a base in one line."""
    info = entry.info
    million = info.parameter_count >= 1e5
    count = f"{info.parameter_count / 1e6:,.1f} million" if million else f"{info.parameter_count:,}"
    fewer = entry.key_value_heads != entry.heads
    shared = f" on {entry.key_value_heads} key-value heads" if fewer else ""
    facts = [
        f"{info.kind.capitalize()} of the family {info.family}",
        f"{count} parameters",
        f"{info.layers} layers × {entry.heads} heads{shared}",
        f"width {info.width:,}",
        f"context {info.window:,} tokens" if info.window else "no limit of length",
        f"{widgets.format_bytes(entry.disk_bytes)} on disk",
        ORIGIN_WORDS[entry.origin].lower(),
    ]
    return " · ".join(facts)


def _show_counts(entry: BaseEntry) -> None:
    """Show what each method would train, as soon as it is counted."""
    st.subheader("What each method trains on it", anchor=False)
    counter, name = method_counts.method_counter(), entry.info.name
    counting = not cache.imports_ready() or counter.counts_so_far(name) is None

    @st.fragment(run_every=REDRAW_SECONDS if counting else None)
    @errors.guarded
    def show_counts() -> None:
        counts = counter.counts_so_far(name) if cache.imports_ready() else None
        if counts is None:
            st.caption("Counted as soon as the libraries are loaded…")
            return
        if counting:
            st.rerun()  # nothing is left to wait for, so the clock stops
        table = method_counts.counts_table(entry.info, counts)
        suited = table.dropna(subset=["Trainable parameters"])
        st.dataframe(
            suited,
            hide_index=True,
            alt=f"Trainable parameters, share and memory of {len(suited)} methods",
            column_config={
                "Trainable parameters": st.column_config.NumberColumn(format="localized"),
                "Share (%)": st.column_config.NumberColumn(format="%.3g"),
                "Memory for one seed (MB)": st.column_config.NumberColumn(format="%.0f"),
            },
        )
        left_out = ", ".join(table[table["Trainable parameters"].isna()]["Method"])
        st.caption(
            "One seed of each method's defaults. Memory is that of the frozen weights in single "
            "precision and of what is trained (value, gradient, two moments); activations come on "
            "top and grow with batch and length."
            + (f" Not for this base: {widgets.escape_markdown(left_out)}." if left_out else "")
        )

    show_counts()


def _show_quality(entry: BaseEntry) -> None:
    """Show the measured quality, or the button that measures it."""
    st.subheader("Measured quality", anchor=False)
    for line in card.quality_lines(entry.quality):
        st.markdown(f"- {widgets.escape_markdown(line)}")
    if entry.info.kind != "decoder" or entry.info.image_world:
        st.caption("Sentences are judged by their likelihood, which only decoders of text give.")
        return
    if entry.quality:
        return
    job_panel.show_job(
        QualityJob,
        QualityRequest.make({"base": entry.info.name}),
        lambda job: None,
        entry.info.name,
        "Which of two sentences it finds likelier (BLiMP, ComVE), and its perplexity on real "
        "sentences; two to five minutes for a base of 135 million parameters.",
    )


def _show_removal(entry: BaseEntry) -> None:
    """Offer to remove a base that was added here, after a second question."""
    if entry.origin != "added":
        return
    name = entry.info.name
    with st.popover("Remove this base", icon=":material/delete:"):
        runs = install.runs_on(name)
        if runs:
            st.warning(
                f"{len(runs)} run{'s' * (len(runs) > 1)} of yours rest on it and cannot be opened "
                f"without it: {', '.join(runs[:10])}{'…' if len(runs) > 10 else ''}",
                icon=":material/warning:",
            )
        st.markdown("Its weights are deleted from the workspace. It can be added again.")
        if st.button(
            "Remove for good",
            type="primary",
            key=f"models.remove.{name}",
            **permitted.to_change("remove", f"base {name}"),
        ):
            try:
                install.remove_base(name)
            except BadInput as error:
                st.error(widgets.escape_markdown(widgets.as_sentence(str(error))))
                return
            st.query_params.pop("models.base", None)
            st.session_state.pop("models.base", None)
            st.rerun()
