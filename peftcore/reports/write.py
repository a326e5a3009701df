"""A report: runs in, one HTML file out, which opens anywhere and asks for nothing.

What is in it is made from what the runs' folders hold, so that equal runs give equal bytes; when it
was made stands in it only where it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from peftcore.analysis.settings_table import tabulate_settings
from peftcore.reports import figures, latex, markup, method_text, provenance, tuning
from peftcore.reports.groups import GroupedRuns, ReportOptions, group_runs
from peftcore.reports.human import RatedProject
from peftcore.reports.labels import run_label
from peftcore.reports.markup import Cell, Markup, table
from peftcore.reports.run_styles import (
    method_title,
    setting_name,
    setting_value,
    styles_by_run,
)
from peftcore.reports.sections import group_figures, group_section
from peftcore.reports.sentences import headline
from peftcore.reports.styles import NEUTRAL, RunStyle, style_of_method
from peftcore.reports.text import NO_VALUE, count, escape, format_interval, format_value
from peftcore.reports.tuning import TriedRates
from peftcore.runs.store import Run

RUNS_IN_TABLE = 6  # runs side by side in a table of settings


@dataclass(frozen=True)
class Report:
    """Contents of a report: the runs in their groups, what people gave them, how it was asked for.

    named: the words behind `report` that name what it is about; empty names the runs.
    tried: how many learning rates each run's method was tried at, where that is known.
    """

    grouped: GroupedRuns
    options: ReportOptions
    rated: tuple[RatedProject, ...] = ()
    named: tuple[str, ...] = ()
    tried: tuple[TriedRates, ...] = ()

    @property
    def title(self) -> str:
        """The report's title: what was asked for, or its tasks."""
        if self.options.title:
            return self.options.title
        titles = dict.fromkeys(group.title for group in self.grouped.groups)
        return "; ".join(list(titles)[:3]) + (" and more" if len(titles) > 3 else "")


def build_report(
    runs: Sequence[Run],
    options: ReportOptions | None = None,
    rated: Sequence[RatedProject] = (),
    named: Sequence[str] = (),
    tried: Sequence[TriedRates] = (),
) -> Report:
    """Gather what a report says; BadInput if no run has scores or the metric is not there."""
    chosen = options or ReportOptions()
    return Report(group_runs(runs, chosen), chosen, tuple(rated), tuple(named), tuple(tried))


def report_html(report: Report) -> str:
    """Return the report as one HTML file."""
    return markup.page(report.title, "\n".join(_body(report)))


def report_figures(report: Report) -> dict[str, str]:
    """Return file name → figure, each an SVG file of its own."""
    groups = report.grouped.groups
    return {
        f"{f'{n + 1}-' if len(groups) > 1 else ''}{name}.svg": drawing
        for n, group in enumerate(groups)
        for name, drawing in group_figures(group).items()
    }


def _body(report: Report) -> Iterator[str]:
    """Write the page, piece by piece."""
    sections: list[tuple[str, str]] = []
    groups = report.grouped.groups
    for group in groups:
        title = group.title if len(groups) > 1 else "Result"
        sections.append((title, "\n".join(group_section(group))))
    sections += [(title, text) for title, text in _shared_sections(report) if text]
    yield "<header>"
    yield f"<h1>{escape(report.title)}</h1>"
    yield f'<p class="note">{escape(_opening(report))}</p>'
    yield from (f'<p class="note">{escape(reason)}</p>' for reason in report.grouped.reasons)
    if len(groups) > 1:
        yield from (f"<p>{escape(headline(group))}</p>" for group in groups)
    links = "".join(
        f'<li><a href="#part-{n}">{escape(title)}</a></li>' for n, (title, _) in enumerate(sections)
    )
    yield f'<nav aria-label="Sections"><ul>{links}</ul></nav>'
    yield "</header>\n<main>"
    for n, (title, text) in enumerate(sections):
        yield f'<section id="part-{n}"><h2>{escape(title)}</h2>\n{text}\n</section>'
    yield "</main>"


def _opening(report: Report) -> str:
    """Say what the report is about and what made it."""
    grouped = report.grouped
    words = f"{count(len(grouped.runs), 'run')} in {count(len(grouped.groups), 'comparison')}"
    if grouped.unscored:
        names = ", ".join(run.id for run in grouped.unscored)
        words += f"; without scores, and so left out: {names}"
    made = f", {report.options.made}" if report.options.made else ""
    return f"{words}. {provenance.program_version()}{made}."


def _shared_sections(report: Report) -> Iterator[tuple[str, str]]:
    """Yield title and content of the sections about all runs."""
    yield "Human scores", "\n".join(_human(report))
    yield "Tuning budget", _tuning(report)
    yield "Settings", _settings(report)
    yield "Provenance", "\n".join(_provenance(report))
    yield "Methods", "\n".join(_methods(report))
    yield "LaTeX", "\n".join(_latex(report))


def _human(report: Report) -> Iterator[str]:
    """Show what people gave explanations, and how far they agree."""
    names = {run: style for group in report.grouped.groups for run, style in group.styles.items()}
    for project in report.rated:
        yield f"<h3>{escape(project.name or project.id)}</h3>"
        kind = "simulated rater" if project.simulated else "rater"
        yield f'<p class="note">{count(project.raters, kind)}. {escape(project.note)}</p>'
        styles = {source: _source_style(str(source), names) for source in project.scores["source"]}
        rows = project.scores.assign(name=[styles[s].name for s in project.scores["source"]])
        yield markup.figure(figures.human_plot(rows, styles, project.measure))
        yield _human_table(project, styles)
        yield _agreement_table(project)


def _tuning(report: Report) -> str:
    """Say how many learning rates each method was tried at, and what the best of k brings."""
    styles = styles_by_run(report.grouped.runs)
    tried = [each for each in report.tried if each.run in styles]
    if not tried:
        return ""
    words = escape(tuning.fewest_in_words(tried, styles))
    labels = {run: (style.name, run_label(style)) for run, style in styles.items()}
    return f"<p>{words}</p>{tuning.tuning_table(tried, labels)}"


def _source_style(source: str, names: dict[str, RunStyle]) -> RunStyle:
    """Return how a source of rated texts is drawn: a run of the report, else by its method."""
    if source in names:
        return names[source]
    if source == "gold":
        return RunStyle("Data set", NEUTRAL, "x")
    return style_of_method(source, method_title(source))


def _human_table(project: RatedProject, styles: dict[str, RunStyle]) -> str:
    heads = ["Explanations of", project.measure, "95 % interval", "Items", "Raters", "Verdicts"]
    rows = [
        [
            Cell(run_label(styles[row.source]), styles[row.source].name),
            Cell(format_value(row.mean, ".2f"), row.mean, "n"),
            Cell(format_interval(row.low, row.high, ".2f"), kind="n"),
            *(Cell(f"{n:,}", n, "n") for n in (row.items, row.raters, row.verdicts)),
        ]
        for row in project.scores.itertuples(index=False)
    ]
    return table(heads, rows, sortable=True)


def _agreement_table(project: RatedProject) -> str:
    rows = [
        [
            row.measure,
            row.question,
            Cell(format_value(row.value, ".2f"), kind="n"),
            Cell(format_interval(row.low, row.high, ".2f"), kind="n"),
            str(row.reason or ""),
        ]
        for row in project.agreement.itertuples(index=False)
    ]
    if not rows:
        return ""
    heads = ["Agreement of raters", "Question", "Value", "95 % interval", "Note"]
    return table(heads, rows)


def _settings(report: Report) -> str:
    """Tabulate every setting, those that differ marked; a tick shows these alone."""
    runs = report.grouped.runs
    found = tabulate_settings(runs)
    lines = [
        (
            _setting_in_part(str(row["setting"])),
            [_setting_words(row[run.id]) for run in runs],
            bool(row["differs"]),
        )
        for _, row in found.iterrows()
    ]
    tick = (
        '<input type="checkbox" id="differing"> '
        '<label class="only" for="differing">Only settings that differ</label>'
    )
    return tick + _by_run(report, "Setting", lines)


def _setting_in_part(name: str) -> str:
    """Write a setting's name with the part of the spec that it belongs to."""
    part, _, _ = name.rpartition(".")
    part = {"settings": "method", "": "run"}.get(part, part)
    return f"{part}: {setting_name(name)}"


def _setting_words(value: object) -> str:
    """Write a setting's value; a dash where the run's method does not have it, or it is empty."""
    return NO_VALUE if value is None or value == "" else setting_value(value)


def _by_run(report: Report, head: str, lines: Sequence[tuple[str, list[str], bool]]) -> str:
    """Tabulate a value of each run by name, as many runs to a table as a sheet of paper holds.

    lines: name, a value for each run, and whether the values differ, which is marked.
    """
    runs = report.grouped.runs
    styles, parts = styles_by_run(runs), []
    for start in range(0, len(runs), RUNS_IN_TABLE):
        some = slice(start, start + RUNS_IN_TABLE)
        heads: list[str | Markup] = [head, *(run_label(styles[run.id]) for run in runs[some])]
        rows = [[name, *values[some]] for name, values, _ in lines]
        looks = ["differs" if differs else "same" for _, _, differs in lines]
        parts.append(table(heads, rows, looks=looks))
    return "\n".join(parts)


def _provenance(report: Report) -> Iterator[str]:
    """Tabulate what each run was made with, and give the commands that make it again."""
    runs = report.grouped.runs
    facts = [provenance.run_facts(run) for run in runs]
    lines = []
    for name in dict.fromkeys(name for own in facts for name in own):
        values = [own.get(name, NO_VALUE) for own in facts]
        lines.append((name, values, name != "Run" and len(set(values)) > 1))
    yield _by_run(report, "Made with", lines)
    commands = [provenance.train_command(run) for run in runs]
    again = [*(c for c in commands if c), _command(report)]
    yield markup.code("\n".join(again), "Commands that make it again")
    if left_out := commands.count(""):
        yield f'<p class="note">{count(left_out, "run")} came from elsewhere, already trained.</p>'


def _command(report: Report) -> str:
    """Return the command line that writes this report again."""
    options = report.options
    words = list(report.named) or [run.id for run in report.grouped.runs]
    words += ["--metric", options.metric] if options.metric else []
    words += ["--margin", f"{options.margin:g}"] if options.margin is not None else []
    words += ["--population", options.population] if options.population == "these examples" else []
    words += ["--across-bases"] if options.across_bases else []
    words += ["--title", options.title] if options.title else []
    words += [] if options.with_texts else ["--no-texts"]
    return provenance.report_command(words)


def _methods(report: Report) -> Iterator[str]:
    """Write the paragraph for a paper and its references."""
    yield from (f"<p>{escape(text)}</p>" for text in method_text.paragraphs(report.grouped))
    numbers = method_text.references(report.grouped)
    if numbers:
        items = "".join(
            f'<li><a href="https://arxiv.org/abs/{n}" rel="noreferrer">arXiv:{n}</a></li>'
            for n in numbers
        )
        yield f"<h3>References</h3><ul>{items}</ul>"
        entries = method_text.bibtex(numbers)
        yield markup.folded("As BibTeX", markup.code(entries))
        yield markup.download("references.bib", entries, "text/x-bibtex")


def _latex(report: Report) -> Iterator[str]:
    """Give methods × metrics of each group, and methods × tasks of all."""
    groups, tables = report.grouped.groups, {}
    for n, group in enumerate(groups):
        of = f" of {group.title}" if len(groups) > 1 else ""
        tables[f"Methods × metrics{of}"] = (f"metrics-{n + 1}.tex", latex.metrics_table(group))
    if len({group.runs[0].spec.task for group in groups}) > 1 or len(groups) == 1:
        tables["Methods × tasks"] = ("tasks.tex", latex.tasks_table(groups))
    for title, (name, text) in tables.items():
        yield markup.code(text, title)
        yield markup.download(name, text, "text/x-tex")
