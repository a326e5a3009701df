"""What the Landscape page measures: a run, what is looked at, and the panel that measures it.

Measuring happens in a process of its own; here it is started, watched, stopped and read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app import cache, comparing, errors, widgets
from app.looks import title
from peftcore import landscapes
from peftcore.landscapes import Ask, Kind, Landscape
from peftcore.runs import Run

SPLITS = {
    "dev": "Validation draw",
    "train": "Training draw",
    "validation": "Validation split",
    "test": "Test split",
}
SIZES = (8, 12, 24, 48, 96, 0)


@dataclass(frozen=True)
class Subject:
    """The run that is looked at, with the examples that are read at every point."""

    run: Run
    seed: int  # counted from 0
    split: str
    examples: int

    @property
    def vertices(self) -> int:
        """Corners of the run's simplex."""
        return self.run.spec.population.vertices

    def ask(self, kind: Kind, *more: str, **fields: Any) -> Ask:
        """What is asked of this run, and of other adapters beside it."""
        given = {"seed": self.seed, "split": self.split, "examples": self.examples}
        return Ask.make({"kind": kind, "runs": (self.run.id, *more)} | given | fields)


def candidates() -> list[Run]:
    """Finished runs with an adapter; those that trained a simplex come first."""
    runs = [r for r in comparing.finished() if (r.folder / "adapter.safetensors").is_file()]
    return sorted(runs, key=lambda run: run.spec.population.vertices == 1)


def name(run: Run) -> str:
    """How a run is called in a list."""
    v = run.spec.population.vertices
    words = f"{title(run.spec.method)} · {comparing.task_title(run.spec.task)} · {run.spec.base}"
    return f"{words} · {f'{v} vertices' if v > 1 else 'single adapter'} · {run.id}"


def pick(runs: list[Run]) -> Subject:
    """The run and the examples, kept in the address."""
    known = {run.id: run for run in runs}
    asked = st.query_params.get("landscape.run", "")
    if asked and asked not in known:
        cache.store().open(asked)  # says that there is none, and which ids are close
    chosen = st.selectbox(
        "Run",
        list(known),
        format_func=lambda run: name(known[run]),
        key="landscape.run",
        bind="query-params",
    )
    run = known[chosen]
    numbers = run.spec.population.numbers()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seed = st.selectbox(
            "Seed",
            range(len(numbers)),
            format_func=lambda place: str(numbers[place]),
            key=f"landscape.seed.{len(numbers)}",
            width=120,
        )
        split = st.selectbox(
            "Examples of",
            list(SPLITS),
            format_func=SPLITS.__getitem__,
            key="landscape.split",
            width=220,
        )
        size = st.selectbox(
            "How many",
            SIZES,
            index=SIZES.index(24),
            format_func=lambda n: "All" if n == 0 else str(n),
            key="landscape.examples",
            help="More examples make a truer picture and take proportionally longer",
            width=120,
        )
    return Subject(run, seed, split, size)


def same(ask: Ask) -> list[Landscape]:
    """Pictures that may share a scale: same kind, adapters, examples and seed."""
    keys = ("kind", "runs", "split", "examples", "seed")
    return [
        each
        for each in landscapes.every()
        if all(getattr(each.ask, key) == getattr(ask, key) for key in keys)
    ]


def panel(ask: Ask, show: Callable[[Landscape], None], what: str, empty: str = "") -> None:
    """What is known of a landscape, with the buttons that go on with it or stop it.

    Drawn again every two seconds while it is being measured.
    """
    found = landscapes.find(ask)
    working = bool(found and found.status().busy)

    @st.fragment(run_every=2.0 if working else None)
    @errors.guarded
    def live() -> None:
        here = landscapes.find(ask)
        status = here.status() if here else None
        if working != bool(status and status.busy):
            st.rerun()  # begun or ended: the clock of this panel must start or stop
        if here is None or status is None or not status.busy:
            _start(ask, here, what, empty)
        else:
            _progress(here)
        if here and here.plan():
            show(here)

    live()


def _start(ask: Ask, found: Landscape | None, what: str, empty: str) -> None:
    """The button that begins or goes on, unless everything is measured."""
    status = found.status() if found else None
    if status and status.state == "done":
        return
    if status and status.state == "failed":
        st.error(widgets.plain(status.message), icon=":material/error:")
    begun = bool(status and status.done)
    if status and begun:
        st.caption(
            f"{status.done} of {status.of} measured, then it was stopped; what is known is kept."
        )
    elif empty:
        st.caption(empty)
    st.button(
        f"Go on with {what}" if begun else f"Measure {what}",
        type="primary",
        icon=":material/terrain:",
        key=f"landscape.start.{ask.id}",
        on_click=begin,
        args=(ask,),
    )
    command(ask)


def begin(ask: Ask) -> None:
    """Measure in a process of its own."""
    landscapes.start(ask)


def command(ask: Ask) -> None:
    """The same on the command line."""
    import shlex

    with st.expander("The same on the command line", icon=":material/terminal:"):
        words = " ".join(map(shlex.quote, ask.words()))
        st.code(f"python -m peftcore landscape {words}", language="bash", wrap_lines=True)


def _progress(found: Landscape) -> None:
    status = found.status()
    share = status.done / status.of if status.of else 0.0
    left = "" if status.left is None else f", about {widgets.duration(status.left)} left"
    words = f"{status.done} of {status.of} measured{left}" if status.of else "Starting"
    if status.message:
        words += f". {status.message}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(min(1.0, share), text=widgets.plain(words))
        st.button(
            "Stop",
            icon=":material/stop_circle:",
            key=f"landscape.stop.{found.id}",
            on_click=found.stop,
            help="What was measured is kept, and can be gone on with",
        )


def caption(facts: Mapping[str, Any]) -> None:
    """Where the adapters and data come from, below a figure."""
    st.caption(
        widgets.plain(
            f"{facts.get('base')} ({facts.get('fingerprint')}), {facts.get('task')}, data "
            f"{facts.get('data_hash')}; adapters {', '.join(facts.get('adapters', []))}."
        )
    )
