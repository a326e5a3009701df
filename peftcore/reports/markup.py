"""The frame of a report: its style, its few lines of script, and tables.

The page asks for nothing from anywhere: a policy in its head forbids it, and allows only the script
that stands here, by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from peftcore.reports import answer_html, svg
from peftcore.reports.styles import BACKGROUNDS, TEXT_COLOURS
from peftcore.reports.text import escape

STYLE = f"""
:root {{--paper: {BACKGROUNDS["light"]}; --ink: {TEXT_COLOURS["light"]}; --soft: #5A6472;
  --edge: #D5DAE1; --shade: #F3F5F8; --link: #0B5FA5;
  --ahead: #1F7A3D; --behind: #A33A00; --equal: #1D5FA8; --open: #5A6472}}
@media (prefers-color-scheme: dark) {{@media screen {{
  :root {{--paper: {BACKGROUNDS["dark"]}; --ink: {TEXT_COLOURS["dark"]}; --soft: #A9B3C0;
  --edge: #343C48; --shade: #1B212A; --link: #7CB8F2;
  --ahead: #6CC98B; --behind: #F2996B; --equal: #86B8F0; --open: #A9B3C0}}}}}}
* {{box-sizing: border-box}}
html {{color-scheme: light dark}}
body {{margin: 0 auto; padding: 1.5rem 1.25rem 4rem; max-width: 70rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 {svg.FONT}}}
h1 {{font-size: 1.7rem; line-height: 1.25; margin: 0 0 .4rem; overflow-wrap: anywhere}}
h2 {{font-size: 1.25rem; margin: 2.4rem 0 .6rem; padding-top: .9rem;
  border-top: 1px solid var(--edge); overflow-wrap: anywhere}}
h3 {{font-size: 1.02rem; margin: 1.6rem 0 .4rem}}
p {{margin: .5rem 0; max-width: 46rem}}
.lead {{font-size: 1.12rem}}
.note, figcaption, caption {{color: var(--soft); font-size: .88rem}}
a {{color: var(--link)}}
nav ul {{display: flex; flex-wrap: wrap; gap: .2rem 1rem; padding: 0; margin: .8rem 0;
  list-style: none; font-size: .9rem}}
.wide {{overflow-x: auto; margin: .6rem 0}}
table {{border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums}}
caption {{text-align: left; padding-bottom: .3rem}}
th, td {{padding: .3rem .6rem; border-bottom: 1px solid var(--edge); text-align: left;
  vertical-align: top; overflow-wrap: break-word; min-width: 3.5rem; max-width: 26rem}}
tbody th {{min-width: 8.5rem; max-width: 14rem}}
td.text {{min-width: 14rem}}
thead th {{border-bottom: 2px solid var(--edge); vertical-align: bottom}}
td.n, th.n {{text-align: right; white-space: nowrap}}
td.r {{font-size: .84rem; min-width: 9rem; max-width: 12rem}}
td.v {{white-space: nowrap; font-size: .84rem}}
td .note {{font-size: .95em}}
td.c {{white-space: nowrap; font-size: .84rem; text-align: center; min-width: 0;
  padding: .25rem .3rem}}
th button {{all: unset; cursor: pointer}}
th button:focus-visible {{outline: 2px solid var(--link)}}
th[aria-sort=ascending] button::after {{content: " ▲"; content: " ▲" / ""}}
th[aria-sort=descending] button::after {{content: " ▼"; content: " ▼" / ""}}
tr.differs th, tr.differs td {{background: var(--shade)}}
tr.differs th:first-child {{box-shadow: inset 3px 0 0 var(--link)}}
.verdict {{font-weight: 600; white-space: nowrap}}
.ahead {{color: var(--ahead)}} .behind {{color: var(--behind)}}
.equal {{color: var(--equal)}} .open {{color: var(--open)}}
.key {{display: inline-block; width: 1em; height: 1em; vertical-align: -.12em;
  margin-right: .45em}}
figure {{margin: .8rem 0; overflow-x: auto}}
figure svg.figure {{display: block; max-width: 100%; min-width: 29rem; height: auto;
  color: inherit}}
figure svg.figure text {{stroke: var(--paper); stroke-width: 3.5px; paint-order: stroke;
  stroke-linejoin: round}}
figure g {{transition: opacity .12s}}
figure.chosen g[data-run] {{opacity: .18}}
figure.chosen g[data-run].chosen {{opacity: 1}}
pre {{background: var(--shade); border: 1px solid var(--edge); border-radius: 6px; padding: .7rem;
  font-size: .82rem; line-height: 1.45; white-space: pre-wrap; overflow-wrap: anywhere;
  user-select: all}}
details {{margin: .4rem 0}}
summary {{cursor: pointer; font-size: .9rem; color: var(--link)}}
.card {{margin: .8rem 0}}
label.only {{font-size: .9rem}}
#differing:checked ~ .wide tr.same {{display: none}}
@media print {{
  @page {{margin: 14mm}}
  body {{max-width: none; padding: 0; font-size: 10.5pt}}
  nav, .screen, summary, label.only, #differing {{display: none}}
  .wide, figure {{overflow: visible}}
  figure svg.figure {{min-width: 0; max-width: 100%}}
  h2 {{break-after: avoid}} h3 {{break-after: avoid}}
  figure, tr, .answers-card {{break-inside: avoid}}
  table {{font-size: 8pt; max-width: 100%}} th, td {{padding: .15rem .35rem; min-width: 0}}
  td.text, td.r {{min-width: 0}} tbody th {{min-width: 6.5rem}} th.n {{white-space: normal}}
  td.v {{white-space: normal; overflow-wrap: normal; font-size: 7.5pt}}
  td.c {{font-size: 6.5pt; padding: .1rem}}
  td.r {{font-size: 7.5pt}} td {{overflow-wrap: anywhere}}
  th button::after {{content: "" !important}}
  thead {{display: table-header-group}}
  a {{color: inherit; text-decoration: none}}
  pre {{font-size: 7.5pt}}
}}
"""
SCRIPT = """
"use strict";
const value = cell => {
  const typed = cell.dataset.value ?? cell.textContent.trim();
  return typed === "" || Number.isNaN(Number(typed)) ? typed : Number(typed);
};
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.parentElement, table = head.closest("table"), body = table.tBodies[0];
    const falls = head.getAttribute("aria-sort") === "descending";
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", falls ? "ascending" : "descending");
    const rows = [...body.rows], at = head.cellIndex, sign = falls ? 1 : -1;
    rows.sort((a, b) => {
      const [x, y] = [value(a.cells[at]), value(b.cells[at])];
      const order = typeof x === typeof y ? (x < y ? -1 : x > y ? 1 : 0)
        : typeof x === "number" ? 1 : -1;
      return sign * order;
    });
    body.append(...rows);
  });
}
for (const marks of document.querySelectorAll("figure g[data-run]")) {
  const figure = marks.closest("figure");
  marks.addEventListener("pointerenter", () => {
    figure.classList.add("chosen");
    marks.classList.add("chosen");
  });
  marks.addEventListener("pointerleave", () => {
    figure.classList.remove("chosen");
    marks.classList.remove("chosen");
  });
}
"""
SCRIPT_HASH = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{SCRIPT_HASH}'; "
    "base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True)
class Markup:
    """A piece of HTML that is ready: everything in it that is data has been escaped."""

    text: str


@dataclass(frozen=True)
class Cell:
    """A cell of a table: what stands in it, what it is sorted by, and its classes."""

    shown: str | Markup
    value: float | str | None = None
    kind: str = ""  # n: a number; v: a verdict


def page(title: str, body: str) -> str:
    """Return the whole file."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(title)}</title>\n<style>{svg.STYLE}{STYLE}</style>\n"
        f"{answer_html.STYLE}\n</head>\n<body>\n{body}\n<script>{SCRIPT}</script>\n"
        "</body>\n</html>\n"
    )


def html_of(content: str | Markup) -> str:
    """Return a piece of HTML as it is, and a text escaped."""
    return content.text if isinstance(content, Markup) else escape(content)


def table(
    heads: Sequence[str | Markup],
    rows: Sequence[Sequence[Cell | str]],
    *,
    caption: str = "",
    sortable: bool = False,
    looks: Sequence[str] = (),
) -> str:
    """Write a table whose first column names its rows; looks: a class for each row."""
    cells = [[each if isinstance(each, Cell) else Cell(each) for each in row] for row in rows]
    kinds = [cell.kind for cell in cells[0]] if cells else [""] * len(heads)
    top = "".join(_head(h, k, sortable) for h, k in zip(heads, kinds, strict=True))
    lines = []
    for n, row in enumerate(cells):
        look = f' class="{looks[n]}"' if looks and looks[n] else ""
        lines.append(
            f"<tr{look}>{_cell(row[0], 'th')}{''.join(_cell(c, 'td') for c in row[1:])}</tr>"
        )
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="wide"><table>{title}<thead><tr>{top}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _head(shown: str | Markup, kind: str, sortable: bool) -> str:
    look = f' class="{kind}"' if kind else ""
    inner = html_of(shown)
    if sortable:
        inner = f'<button type="button">{inner}</button>'
    return f'<th scope="col"{look}>{inner}</th>'


def _cell(cell: Cell, tag: str) -> str:
    look = f' class="{cell.kind}"' if cell.kind else ""
    sorted_by = "" if cell.value is None else f' data-value="{escape(cell.value)}"'
    scope = ' scope="row"' if tag == "th" else ""
    return f"<{tag}{scope}{look}{sorted_by}>{html_of(cell.shown)}</{tag}>"


def figure(drawing: svg.Drawing, below: str = "") -> str:
    """Put a drawing into the page with its title, and what stands below it: a table, a note."""
    return f"<h3>{escape(drawing.title)}</h3><figure>{drawing.markup()}</figure>{below}"


def folded(title: str, content: str) -> str:
    """Fold away what only some readers want; it is not printed."""
    return f'<details class="screen"><summary>{escape(title)}</summary>{content}</details>'


def code(text: str, title: str = "") -> str:
    """Show a text to be copied as it is; a click selects all of it."""
    head = f"<h3>{escape(title)}</h3>" if title else ""
    return f'{head}<pre tabindex="0">{escape_code(text)}</pre>'


def escape_code(text: str) -> str:
    """Escape a text of several lines, each of its own direction."""
    return "\n".join(escape(line) for line in text.split("\n"))


def download(name: str, content: str, kind: str) -> str:
    """Link to a file whose content is in the link itself."""
    data = base64.b64encode(content.encode()).decode()
    link = f'download="{escape(name)}" href="data:{kind};base64,{data}"'
    return f'<p class="screen"><a {link}>{escape(name)}</a></p>'
