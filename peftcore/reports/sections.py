"""The sections of a report on one group of runs: scores, verdicts, curves, flips, answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from peftcore.analysis import best_steps
from peftcore.analysis.flips import Flips, find_flips
from peftcore.analysis.item_tables import table_of_answers
from peftcore.analysis.verdicts import Verdict
from peftcore.metrics.scores import find_measure
from peftcore.reports import answer_html, depth, figures, sentences
from peftcore.reports.groups import RunGroup
from peftcore.reports.labels import run_label
from peftcore.reports.markup import Cell, Markup, figure, folded, table
from peftcore.reports.text import (
    NO_VALUE,
    count,
    escape,
    format_difference,
    format_interval,
    format_limits,
    format_value,
    is_missing,
    value_format,
)

MOST_IN_FULL = 7  # runs of a matrix whose cells have room for words and intervals
SHOWN_ITEMS = 5  # items of a flip table on each side
SHOWN_EXAMPLES = 6  # examples whose answers stand side by side
MAX_TEXT = 600  # characters of an example or answer
TURNED: dict[Verdict, Verdict] = {
    "ahead": "behind",
    "behind": "ahead",
    "equal": "equal",
    "cannot tell": "cannot tell",
}


def runs_table(group: RunGroup) -> str:
    """Tabulate the runs, best mean first: mean, interval, seeds, items, sizes."""
    metric, form = group.metric, value_format(group.metric)
    heads = ["Run", find_measure(metric).title, "95 % interval", "Seeds from", "to", "Seeds"]
    heads += ["Examples", "Trained numbers", "Time, all seeds"]
    rows = []
    for row in group.estimates(metric).itertuples():
        limits = format_interval(row.low, row.high, form)
        rows.append(
            [
                Cell(run_label(group.styles[str(row.run)]), group.name(str(row.run))),
                _number(row.mean, form),
                Cell(limits, kind="n") if limits != NO_VALUE else Cell(str(row.reason), kind="r"),
                _number(row.smallest, form),
                _number(row.largest, form),
                _number(row.seeds, ",d"),
                _number(row.items if group.has_items(metric) else None, ",d"),
                _number(row.trainable, ",.0f"),
                Cell(_duration(row.seconds), row.seconds, "n"),
            ]
        )
    return table(heads, rows, sortable=True)


def _number(value: Any, form: str) -> Cell:
    if value is None or pd.isna(value):
        return Cell(NO_VALUE, "", "n")
    return Cell(format_value(value, form), float(value), "n")


def _duration(seconds: float) -> str:
    if is_missing(seconds) or not seconds:
        return NO_VALUE
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def verdict_matrix(group: RunGroup) -> str:
    """Tabulate the verdict on each run (row) against each other (column)."""
    metric, frame = group.metric, group.verdicts(group.metric)
    order = list(group.estimates(metric).dropna(subset=["mean"])["run"])
    if len(order) < 2:
        return ""
    by_pair = {(row.first, row.second): row for row in frame.itertuples()}
    compact = len(order) > MOST_IN_FULL
    rows = []
    for n, one in enumerate(order):
        label = run_label(group.styles[one])
        cells: list[Cell | str] = [Cell(Markup(f"{n + 1} {label.text}") if compact else label)]
        for other in order:
            ahead, behind = by_pair.get((one, other)), by_pair.get((other, one))
            if ahead is None and behind is None:
                cells.append(Cell(NO_VALUE, kind="c" if compact else "v"))
            else:
                row, sign = (behind, -1) if ahead is None else (ahead, 1)
                cells.append(_verdict_cell(row, metric, sign, compact))
        rows.append(cells)
    heads = [str(n + 1) if compact else run_label(group.styles[o]) for n, o in enumerate(order)]
    caption = "Row against column: verdict, and difference in points (row minus column) of "
    caption += find_measure(metric).title
    if not compact:
        return table(["", *heads], rows, caption=f"{caption} with its 95 % interval.")
    signs = ", ".join(sentences.verdict_words(verdict) for verdict in sentences.GLYPHS)
    matrix = table(["", *heads], rows, caption=f"{caption}. {signs}.")
    return matrix + folded("Every pair with its interval", _pairs_table(group))


def _verdict_cell(row: Any, metric: str, sign: int, compact: bool) -> Cell:
    """Write the verdict on a pair, or with sign -1 on the pair turned round."""
    verdict: Verdict = row.verdict if sign > 0 else TURNED[row.verdict]
    low, high = sorted((sign * row.low, sign * row.high))
    look = "open" if verdict == "cannot tell" else verdict
    words = sentences.GLYPHS[verdict] if compact else sentences.verdict_words(verdict)
    shown = f'<span class="verdict {look}">{escape(words)}</span>'
    shown += f"<br>{escape(format_difference(sign * row.difference, metric))}"
    if compact:
        return Cell(Markup(shown), kind="c")
    if is_missing(row.low):
        shown += f'<br><span class="note">{escape(row.reason)}</span>' if row.reason else ""
    else:
        limits = format_limits(low, high, metric)
        shown += f'<br><span class="note">{escape(limits)}</span>'
    return Cell(Markup(shown), kind="v")


def _pairs_table(group: RunGroup) -> str:
    """Tabulate every pair: verdict on the first, difference, interval, p after correction."""
    heads = ["Run", "against", "Verdict", "Difference, points", "95 % interval", "p, Holm"]
    rows: list[list[Cell | str]] = [
        [
            Cell(run_label(group.styles[row.first]), group.name(row.first)),
            Cell(run_label(group.styles[row.second]), group.name(row.second)),
            sentences.verdict_words(row.verdict),
            Cell(format_difference(row.difference, group.metric), row.difference, "n"),
            Cell(format_limits(row.low, row.high, group.metric), kind="n"),
            _number(row.holm, ".3g"),
        ]
        for row in group.verdicts(group.metric).itertuples()
    ]
    return table(heads, rows, sortable=True)


def group_section(group: RunGroup) -> Iterator[str]:
    """Write the section of a group, piece by piece."""
    yield f'<p class="lead">{escape(sentences.headline(group))}</p>'
    yield f'<p class="note">{escape(sentences.basis(group))}</p>'
    yield runs_table(group)
    yield figure(figures.dot_plot(group), _seeds_note(group))
    if matrix := verdict_matrix(group):
        yield f"<h3>Verdict on every pair</h3>{matrix}"
    if (differences := figures.difference_plot(group)) is not None:
        yield figure(differences)
    if (sizes := figures.size_plot(group)) is not None:
        yield figure(sizes, '<p class="note">Steps: the best mean for at most so many numbers.</p>')
    yield from _curves(group)
    yield from _flips(group)
    yield from depth.slices_section(group)
    yield from depth.forgetting_section(group)
    yield from depth.power_section(group)
    yield from _answers(group)


def group_figures(group: RunGroup) -> dict[str, str]:
    """Return name → a figure of the group as an SVG file of its own."""
    histories = group.histories
    drawings = {
        "seeds": figures.dot_plot(group),
        "differences": figures.difference_plot(group),
        "size": figures.size_plot(group),
        "validation-loss": figures.learning_curves(histories, group.styles, "dev_loss"),
        "training-loss": figures.learning_curves(histories, group.styles, "train_loss"),
    }
    return {n: drawing.markup(standalone=True) for n, drawing in drawings.items() if drawing}


def _seeds_note(group: RunGroup) -> str:
    """Explain the dots, with every seed's value folded away."""
    seeds, form = group.seed_table(group.metric), value_format(group.metric)
    wide = seeds.pivot(index="seed", columns="run", values="value")
    order = list(group.estimates(group.metric)["run"])
    rows: list[list[Cell | str]] = [
        [str(seed), *(_number(wide.loc[seed].get(run), form) for run in order)]
        for seed in wide.index
    ]
    heads: list[str | Markup] = ["Seed", *(run_label(group.styles[run]) for run in order)]
    note = '<p class="note">Dots: seeds. Bar: 95 % interval of the mean. Symbol: mean.</p>'
    return note + folded("Every seed's value", table(heads, rows))


def _curves(group: RunGroup) -> Iterator[str]:
    """Draw validation and training loss."""
    histories = group.histories
    note = (
        '<p class="note">Thick: mean over seeds, with its 95 % band over seeds. Thin: single '
        "seeds. The adapter kept of each seed is that of the step with the "
        f"{best_steps.kept_by(run.spec.training for run in group.runs)}.</p>"
    )
    for value in figures.LOSSES:
        drawing = figures.learning_curves(histories, group.styles, value)
        if drawing is not None:
            yield figure(drawing, note)
            note = ""


def _flips(group: RunGroup) -> Iterator[str]:
    """Count what becomes of answers from the second best run to the best, and show some items."""
    rows = group.estimates(group.metric).dropna(subset=["mean"])
    if len(rows) < 2:
        return
    best, second = rows["run"].iloc[0], rows["run"].iloc[1]
    found = _find_flips(group, second, best)
    names = escape(group.name(second)), escape(group.name(best))
    yield f"<h3>What changes from {names[0]} to {names[1]}</h3>"
    if found is None:
        yield (
            '<p class="note">Answers of this task are not right or wrong, or the runs share no '
            "seed, so there is nothing to count.</p>"
        )
        return
    yield _flip_counts(found)
    for title, side in (("Right → wrong", "lost"), ("Wrong → right", "gained")):
        yield _flip_items(group, (second, best), found.items, title, side)


def _find_flips(group: RunGroup, first: str, second: str) -> Flips | None:
    """Compare two runs' answers; None where they are not right or wrong, or share no seed."""
    tables = [table_of_answers(group.answers[run], "accuracy") for run in (first, second)]
    if tables[0] is None or tables[1] is None or group.answers[first]["correct"].isna().all():
        return None
    found = find_flips(tables[0], tables[1])
    return found if len(found.items) and len(found.seeds) else None


def _flip_counts(found: Flips) -> str:
    """Tabulate how many answers stayed and changed, with the test over items."""
    counts = found.items[["kept", "lost", "gained", "missed"]].sum()
    titles = ("Right → right", "Right → wrong", "Wrong → right", "Wrong → wrong")
    answers, seeds = int(counts.sum()), len(found.seeds)
    rows: list[list[Cell | str]] = [
        [name, Cell(f"{n:,}", float(n), "n"), Cell(f"{n / answers:.1%}", kind="n")]
        for name, n in zip(titles, map(int, counts), strict=True)
    ]
    caption = f"{count(answers, 'answer')}: {count(seeds, 'seed')}, "
    caption += count(len(found.items), "example")
    if found.p is not None:
        caption += f". McNemar's test with the seeds of an example together: p = {found.p:.2g}"
    return table(["Answer", "Answers", "Share"], rows, caption=caption)


def _flip_items(
    group: RunGroup, pair: tuple[str, str], items: pd.DataFrame, title: str, side: str
) -> str:
    """Show the items that changed in most seeds."""
    changed = items[items[side] > 0].sort_values(side, ascending=False, kind="stable")
    if changed.empty:
        return ""
    shown = changed.head(SHOWN_ITEMS)
    heads = ["Example", "Seeds"]
    if group.options.with_texts:
        heads = ["Example", "Text", "Reference", "Seeds"]
    texts = group.answers[pair[0]].drop_duplicates("example").set_index("example")
    rows: list[list[Cell | str]] = []
    for item in shown.itertuples():
        seeds = Cell(f"{getattr(item, side)} of {item.seeds}", float(getattr(item, side)), "n")
        if not group.options.with_texts:
            rows.append([str(item.example), seeds])
            continue
        own = texts.loc[item.example]
        rows.append(
            [
                str(item.example),
                Cell(_cut(own["source"]), kind="text"),
                Cell(_cut(own["target"]), kind="text"),
                seeds,
            ]
        )
    several = f"{title}: {len(changed):,} of {len(items):,} examples in at least one seed"
    rest = "" if len(shown) == len(changed) else f"; the {len(shown)} that did in most seeds"
    return table(heads, rows, caption=f"{several}{rest}.")


def _cut(text: object) -> str:
    """Return a text, cut where it is very long."""
    words = str(text)
    return words if len(words) <= MAX_TEXT else f"{words[:MAX_TEXT]} …"


def _answers(group: RunGroup) -> Iterator[str]:
    """Show what each run answered to a few examples, those that tell the runs apart first."""
    if not group.options.with_texts:
        return
    tables = [frame.assign(run=run) for run, frame in group.answers.items() if len(frame)]
    if not tables:
        return
    answers = pd.concat(tables, ignore_index=True)
    seed = int(answers["seed"].min())
    answers = answers[answers["seed"] == seed]
    yield f"<h3>Answers side by side, seed {seed}</h3>"
    yield (
        '<p class="note">Examples on which runs differ first. Words only the answer has are '
        "underlined; words of the reference that it lacks are struck through.</p>"
    )
    by_example = {name: rows for name, rows in answers.groupby("example", sort=False)}  # noqa: C416
    chosen = sorted(by_example, key=lambda name: _sameness(by_example[name]))[:SHOWN_EXAMPLES]
    for name in chosen:
        yield f'<div class="card">{_answer_card(group, by_example[name])}</div>'


def _sameness(rows: pd.DataFrame) -> int:
    """Return 0 where some runs are right and some wrong, 1 where answers differ, else 2."""
    right = rows["correct"].dropna().astype(bool)
    if right.any() and not right.all():
        return 0
    return 1 if rows["text"].nunique() > 1 else 2


def _answer_card(group: RunGroup, rows: pd.DataFrame) -> str:
    """Write one example with every run's answer."""
    first = rows.iloc[0]
    label = None if pd.isna(first["label"]) else str(first["label"])
    gold = answer_html.accepted_answers(_cut(first["target"]), label, first["references"])
    cells = [
        answer_html.AnswerCell(
            group.styles[str(row.run)],
            _cut(row.text),
            None if pd.isna(row.correct) else bool(row.correct),
        )
        for row in rows.itertuples()
    ]
    return answer_html.example_card(_cut(first["source"]), gold[:4], cells, None)
