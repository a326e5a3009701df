"""The Images page: methods side by side, fewer atoms, layers, single atoms, two runs, editing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import addresses, errors, measuring, picture_cache, picture_grid, waiting, widgets
from app.charts import chart
from app.figures import pictures as figures
from app.looks import title
from app.widgets import plain
from peftcore import tasks
from peftcore.analysis.comparison import Interval, interval
from peftcore.pictures import canvas, digits, models, reading, scenes, shelf, summary
from peftcore.pictures.studies import Ask, Kind, Study
from peftcore.runs import Run

COUNT = 8  # pictures of a prompt
TITLES = {
    "pictures_digit": "Unseen digit",
    "pictures_concept": "Unseen shape",
    "pictures_style": "Unseen style",
    "pictures_digit_alone": "Unseen digit, nothing rehearsed",
}
PROMPTS: Mapping[str, tuple[str, ...]] = {
    "digits": tuple(digits.prompt(w) for w in (digits.UNSEEN, *digits.SEEN)),
    "scenes": (
        "a red gate",
        "a green gate left of a yellow square",
        "a purple ring above a black gate",
        "a red square at night",
        "a yellow ring left of a red hook at night",
        "a green gate at night",
        "a red ring left of a blue square",
        "a black cup below a yellow cross",
    ),
}
FIRST = {"pictures_concept": 1, "pictures_style": 4}  # the prompt a task opens with
OWN = "My own words"


def methods() -> None:
    """What every method drew for the same prompts, and how often that was right."""
    task = pick_task("images.task")
    found = _latest(picture_cache.runs(task))
    if not found:
        _nothing(task)
        return
    world = tasks.find(task).draws
    numbers = found[0].spec.population.numbers()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        age = st.segmented_control(
            "Prompts",
            ["New", "Old"],
            default="New",
            required=True,
            key="images.age",
            help="New: what the base never saw. Old: what it could draw before",
        )
        seed = st.selectbox("Seed", numbers, key=f"images.methods.seed.{task}")
    panels, notes, told = {}, {}, {}
    for run in found:
        rows = run.answers()
        rows = rows[(rows.seed == seed) & rows.example.str.contains(f"/{age.lower()}/")]
        rows = rows.iloc[:: max(1, len(rows) // 12)][:12]
        shown = [canvas.decode(code) for code in rows.text]
        name = title(run.spec.method)
        panels[name] = shown
        if world == "digits":  # read when the run was scored
            told[name], right = rows.predicted.tolist(), rows.correct.tolist()
        else:
            told[name] = reading.told(world, shown)
            pairs = zip(rows.source, shown, strict=True)
            right = [bool(reading.aligned(world, prompt, picture)) for prompt, picture in pairs]
        notes[name] = f"{sum(right)} of {len(right)} as asked"
    asked = rows.source.tolist()
    picture_grid.show(
        world,
        panels,
        notes,
        told,
        key=f"images.methods.{task}.{age}",
        name=f"{task}-{age.lower()}",
        columns=4,
        across=3,
    )
    st.caption(
        f"The same {len(asked)} prompts, drawn with the same chance by every method, seed {seed}: "
        + plain("; ".join(dict.fromkeys(asked)))
        + "."
    )
    _scores(task, found)


def _scores(task: str, found: list[Run]) -> None:
    measured = {run.id: shelf.figure(f"prune-{run.id}") for run in found}
    known = {run_id: figure for run_id, figure in measured.items() if figure}
    table = summary.by_method(found, known)
    table["name"] = [
        title(method) + ("" if kept == "all" else f", {kept} kept")
        for method, kept in zip(table.method, table.kept, strict=True)
    ]
    chart(
        figures.scores(table),
        key=f"images.scores.{task}",
        name=f"{task}-alignment",
        alt=figures.scores_alt(table),
        table=table,
    )
    spec = found[0].spec
    st.caption(f"{_reader(tasks.find(task).draws)} {_before(found[0])}")
    st.caption(
        "Share of pictures as asked, of new and of old prompts: mean and 95 % interval over "
        f"{spec.population.seeds} seeds; "
        f"{spec.training.shots} new examples for training, and "
        f"{_rehearsed(task) * spec.training.shots} old ones beside them."
    )
    for figure in known.values():
        st.caption(_gain(figure))


def _gain(figure: Mapping[str, Any]) -> str:
    """What removing the atoms that earn least brings to new prompts, in words."""
    table = summary.pruned(figure)
    new, old = (_signed(interval(table[name])) for name in ("gain", "old_gain"))
    return (
        f"Without the atoms that are needed least, the share as asked changes by {new} on new and "
        f"by {old} on old prompts, {len(table)} seeds paired. How many are kept is chosen for each "
        "seed by the others."
    )


def _signed(told: Interval) -> str:
    words = "" if told.low is None else f" (95 % {told.low:+.3f} to {told.high:+.3f})"
    return f"{told.mean:+.3f}{words}"


def _rehearsed(task: str) -> int:
    return int(getattr(tasks.find(task), "rehearsed", 0))


def _before(run: Run) -> str:
    """What the base alone reaches on the same prompts, where atoms were pruned to nothing."""
    for each in picture_cache.runs(run.spec.task):
        figure = shelf.figure(f"prune-{each.id}") if each.spec.method == "atoms" else None
        if figure:
            none = [row for row in figure["rows"] if row["k"] == 0]
            return (
                f"The base alone: {none[0]['alignment']:.2f} on new and "
                f"{none[0]['old_alignment']:.2f} on old prompts."
            )
    return ""


def fewer() -> None:
    """A slider over the number of atoms: what is drawn, and what is read in it."""
    chosen = _subject("fewer")
    if chosen is None:
        return
    run, seed, prompt = chosen
    world = tasks.find(run.spec.task).draws
    by: str = st.segmented_control(
        "Kept first",
        list(_ORDERS),
        default="earned",
        required=True,
        format_func=_ORDERS.__getitem__,
        key="images.order",
        help="; ".join(f"{_ORDERS[name]}: {words}" for name, words in _WHYS.items()),
    )
    drawn = picture_cache.fewer(run, seed, by, prompt, COUNT)
    kept = st.select_slider(
        "Atoms kept",
        list(drawn),
        value=list(drawn)[len(drawn) * 2 // 3],
        key=f"images.kept.{run.id}",
    )
    names = {"No atoms (the base)": 0, f"{kept} atoms": kept, "All atoms": list(drawn)[-1]}
    panels = {name: drawn[k].pictures for name, k in names.items()}
    notes = {name: _note(drawn[k].alignment) for name, k in names.items()}
    told = {name: drawn[k].told for name, k in names.items()}
    picture_grid.show(
        world, panels, notes, told, key="images.fewer", name=f"{run.id}-{kept}-atoms", across=3
    )
    st.caption(
        "Every panel is drawn with the same chance, so pictures in the same place differ only by "
        f"the atoms in force. {_reader(world)}"
    )
    figure = shelf.figure(f"prune-{run.id}")
    if figure is not None:
        _curve(run, figure, summary.eye(figure), kept)
        if by in summary.orders(figure):
            st.caption(_steadily(run, figure, by))
    line = pd.DataFrame(
        [
            {"Atoms kept": k, "As asked": figures.in_percent(d.alignment),
             figures.BELIEFS[world]: figures.in_percent(d.belief),
             "Pictures that changed": sum(a != b for a, b in zip(d.pictures, drawn[0].pictures,
                                                                 strict=True)),
             "Read as": ", ".join(sorted(set(d.told)))}
            for k, d in drawn.items()
        ]
    )  # fmt: skip
    widgets.table(
        line, key="images.line", name=f"{run.id}-slider", alt="What is read at every slider place"
    )


_ORDERS: Mapping[str, str] = {
    "earned": "Earns most",
    "loss": "Most missed",
    "importance": "Largest",
}
_WHYS: Mapping[str, str] = {
    "earned": "its share of the loss's fall while all atoms come in together, on new examples of "
    "training and validation",
    "loss": "the loss on validation examples rises most without it alone",
    "importance": "it adds most, |coefficient| times length",
}


def _curve(run: Run, figure: Mapping[str, Any], metric: str, chosen: int | None = None) -> None:
    """A metric by number of atoms kept, and on what it was measured."""
    world = tasks.find(run.spec.task).draws
    band = picture_cache.curve(run)
    chart(
        figures.curve(band, world, metric, chosen),
        key=f"images.curve.{chosen is None}",
        name=f"{run.id}-pruning-{metric}",
        alt=figures.curve_alt(band, world, metric),
        table=lambda: band,
    )
    more = figure["new"] * (1 + figure.get("again", 0))
    told = "" if metric == "alignment" else f", {more} pictures of new ones a point and seed"
    st.caption(
        f"{figure['new']} new and {figure['old']} old prompts{told}; {len(figure['seeds'])} seeds, "
        "95 % intervals over seeds. Which atoms matter is decided on other examples than those "
        "judged here."
    )


def _steadily(run: Run, figure: Mapping[str, Any], by: str) -> str:
    """How steadily pictures become what was asked for as atoms are added in an order, in words."""
    metric = summary.eye(figure)
    told = picture_cache.rise(run, metric, by)
    seen = figures.seen_by(tasks.find(run.spec.task).draws, metric).lower()
    if not math.isfinite(told.spearman):
        return f"{_ORDERS[by]} first: {seen} is the same for every number of atoms."
    return (
        f"{_ORDERS[by]} first: rank correlation of atoms kept with {seen} {told.spearman:.3f} (95 "
        f"% {told.spearman_low:.3f} to {told.spearman_high:.3f}, {told.seeds} seeds drawn again "
        f"and again); {told.kept_up} of {told.steps} steps do not fall, and it never lies more "
        f"than {told.deepest:.3f} below what fewer atoms gave."
    )


def _rises(run: Run, figure: Mapping[str, Any], metric: str) -> None:
    """How steadily a metric rises along every order, as a table."""
    band = picture_cache.curve(run)
    rows = []
    for by in summary.orders(figure):
        told = picture_cache.rise(run, metric, by)
        rows.append(
            {
                "Kept first": _ORDERS[by],
                "Spearman (95 %)": f"{told.spearman:.3f} ({told.spearman_low:.3f} to "
                f"{told.spearman_high:.3f})",
                "Kendall (95 %)": f"{told.kendall:.3f} ({told.kendall_low:.3f} to "
                f"{told.kendall_high:.3f})",
                "Steps up": f"{told.kept_up} of {told.steps}",
                "Deepest fall": f"{told.deepest:.3f}",
                "Enough": summary.unneeded(band, order=by),
            }
        )
    widgets.table(
        pd.DataFrame(rows),
        key="images.rises",
        name="orders",
        alt="How steadily pictures follow the number of atoms, by order",
    )
    st.caption(
        "Rank correlations of the number of atoms with the mean over seeds; 1 is monotone. "
        "Intervals by drawing seeds again and again. Steps up: from one number of atoms to the "
        "next without a fall; deepest fall: below what fewer atoms gave. Enough: from so many of "
        f"{figure['atoms']} atoms on, the interval of the share as asked reaches that of all."
    )


def layers() -> None:
    """The change split by layer: each layer's atoms alone, and all but those."""
    chosen = _subject("layers")
    if chosen is None:
        return
    run, seed, prompt = chosen
    world = tasks.find(run.spec.task).draws
    drawn = picture_cache.split(run, seed, prompt, COUNT, 0)
    # None and all begin the two rows, each layer alone above all but it.
    none, whole = list(drawn)[0 :: len(drawn) - 1]
    half = len(drawn) // 2
    order = [none, *list(drawn)[1:half], whole, *list(drawn)[half:-1]]
    panels = {name.capitalize(): drawn[name].pictures for name in order}
    notes = {name.capitalize(): _note(drawn[name].alignment) for name in order}
    picture_grid.show(
        world,
        panels,
        notes,
        {n.capitalize(): d.told for n, d in drawn.items()},
        key="images.layers",
        name=f"{run.id}-layers",
        columns=2,
        across=half,
    )
    st.caption(
        "Figure 1 of arXiv:2507.10855 splits the change of a drawn digit by layer in this way. "
        "Layers work on one another's results, so their shares do not add up."
    )


_PARTS = {"attention.output": "Attention", "ffn": "Feed-forward", "ffn.output": "Feed-forward"}


def single() -> None:
    """The most important atoms, named by what they do; one of them off, or stronger."""
    chosen = _subject("atoms")
    if chosen is None:
        return
    run, seed, prompt = chosen
    world = tasks.find(run.spec.task).draws
    found = {effect.atom: effect for effect in picture_cache.named(run, seed, 16)}
    table = pd.DataFrame(
        [
            {"Atom": e.atom, "Layer": e.layer, "Part": _PARTS.get(e.component, e.component),
             "Importance": round(e.importance, 4), "Moves": round(e.size, 4),
             "Brings": e.name(world)}
            for e in found.values()
        ]
    )  # fmt: skip
    widgets.table(
        table,
        key="images.named",
        name=f"{run.id}-atoms",
        alt="The most important atoms and what they do",
    )
    st.caption(
        "Listed are the atoms that earn most of the loss's fall, the most first. Importance is the "
        "mean size of what an atom adds; what it brings is the chance of every "
        "pixel's levels with all atoms minus without this one, on pictures the run drew itself. "
        "Moves is the share of chance that goes elsewhere. Below, for the levels changed most, the "
        "sum over the picture in pixels."
    )
    atom = st.selectbox(
        "Atom",
        list(found),
        format_func=lambda a: f"{a}, layer {found[a].layer}: {found[a].name(world)}",
        key=f"images.atom.{run.id}.{seed}",
    )
    chart(
        figures.effect(found[atom].change, world),
        key="images.effect",
        name=f"{run.id}-atom-{atom}",
        alt=f"Atom {atom}: {found[atom].name(world)}",
    )
    told = picture_cache.scaled(run, seed, atom, prompt, COUNT, 0)
    drawn = {name.capitalize(): each for name, each in told.items()}
    panels = {name: d.pictures for name, d in drawn.items()}
    notes = {name: _note(d.alignment) for name, d in drawn.items()}
    picture_grid.show(
        world,
        panels,
        notes,
        {name: d.told for name, d in drawn.items()},
        key="images.scaled",
        name=f"{run.id}-atom-{atom}-strengths",
        across=4,
    )


def together() -> None:
    """Atoms of a shape and atoms of a style in force at once."""
    concepts = picture_cache.weighed("pictures_concept")
    styles = picture_cache.weighed("pictures_style")
    if not concepts or not styles:
        _nothing("pictures_concept" if not concepts else "pictures_style")
        return
    if not waiting.ready("images"):
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        concept = _pick_run("Shape", concepts, "images.concept")
        style = _pick_run("Style", styles, "images.style")
        many = min(concept.spec.population.seeds, style.spec.population.seeds)
        seed = st.selectbox("Seed", range(many), key="images.together.seed")
    prompt = _prompt("scenes", 5, "together")
    left, right = st.columns(2)
    one = left.slider("Share of the shape's atoms", 0.0, 2.0, 1.0, 0.25, key="images.share.concept")
    other = right.slider(
        "Share of the style's atoms", 0.0, 2.0, 1.0, 0.25, key="images.share.style"
    )
    if not prompt:
        return
    drawn = picture_cache.together(concept, style, seed, (one, other), prompt, COUNT)
    panels = {_MIXES[name]: d.pictures for name, d in drawn.items()}
    notes = {_MIXES[name]: _note(d.alignment) for name, d in drawn.items()}
    picture_grid.show(
        "scenes",
        panels,
        notes,
        {_MIXES[n]: d.told for n, d in drawn.items()},
        key="images.together",
        name="both",
        across=4,
    )
    figure = shelf.figure(f"combine-{concept.id}-{style.id}")
    if figure is None:
        _measure("combine", concept.id, style.id)
        return
    _both(concept, style, figure)


def _both(concept: Run, style: Run, figure: Mapping[str, Any]) -> None:
    """What was measured of two runs' atoms at once, and at which shares they do best."""
    band = summary.mixes(figure)
    names = _MIXES | {"chosen": _chosen(figure)}
    chart(
        figures.mixes(band, names),
        key="images.mixes",
        name="both-alignment",
        alt=figures.mixes_alt(band),
        table=band,
    )
    one, other, independent = summary.alone(concept, style)
    st.caption(
        f"Prompts that ask for the unseen shape at night, which neither run was trained on: "
        f"{figure['new']} prompts, {len(figure['seeds'])} seeds, 95 % intervals over seeds. Alone "
        f"on new prompts of its own the shape's run draws {one:.2f} as asked and the style's "
        f"{other:.2f}; were the two independent, both together would reach {independent:.2f}."
    )
    if "grid" not in figure:
        return
    table = summary.shares(figure)
    metric = st.segmented_control(
        "Shown",
        list(figures.WORTH),
        default="facts",
        required=True,
        format_func=figures.WORTH.__getitem__,
        key="images.worth",
    )
    chart(
        figures.shares(table, metric, figure["chosen"]),
        key="images.shares",
        name="both-shares",
        alt=figures.shares_alt(table, metric, figure["chosen"]),
        table=table,
    )
    st.caption(
        "Shares are tried on as many other prompts of the same kind, mean of "
        f"{len(figure['seeds'])} seeds. The frame marks those at which most scenes are as asked, "
        "then most facts; above they are judged on the prompts that were not used to choose them."
    )


def _chosen(figure: Mapping[str, Any]) -> str:
    one, other = figure.get("chosen", (1.0, 1.0))
    return f"Both, {one:g} and {other:g}"


_MIXES = {"none": "No atoms", "concept": "The shape's", "style": "The style's", "both": "Both"}


def editing() -> None:
    """How many atoms pictures need: alignment against atoms removed."""
    task = _pick_weighed()
    if not task:
        return
    found = picture_cache.weighed(task)
    run = _pick_run("Run", found, f"images.editing.{task}")
    figure = shelf.figure(f"prune-{run.id}")
    if figure is None:
        _measure("prune", run.id)
        return
    world = tasks.find(task).draws
    known = [m for m in ("alignment", "belief", "evidence") if m in figure["rows"][0]]
    metric = st.segmented_control(
        "Shown",
        known,
        default=summary.eye(figure),
        required=True,
        format_func=lambda name: figures.seen_by(world, name),
        key=f"images.eye.{run.id}",
        help="The logarithm tells steps towards a digit that no picture shows yet",
    )
    _curve(run, figure, metric)
    _rises(run, figure, metric)


def _measure(kind: Kind, *ids: str) -> None:
    """Offer to measure what is not measured yet, in a process of its own."""
    measuring.panel(
        Study,
        Ask.make({"kind": kind, "runs": ids}),
        lambda found: None,  # the figure takes this panel's place when it is there
        "this run" if kind == "prune" else "both together",
        "Nobody has measured this yet. It takes a minute or two on a quiet processor.",
    )


def pick_task(key: str, known: tuple[str, ...] = shelf.TASKS) -> str:
    """Which of the tasks is looked at; in the address, too."""
    return str(
        st.segmented_control(
            "Task",
            known,
            required=True,
            format_func=TITLES.__getitem__,
            key=key,
            on_change=addresses.follow("Task", key, known, words=TITLES.__getitem__),
        )
    )


def _pick_weighed() -> str:
    """Which of the tasks that have a run whose atoms are at hand; empty while none has."""
    known = tuple(name for name in shelf.TASKS if picture_cache.weighed(name))
    if not known:
        _nothing("pictures_digit")
        return ""
    return pick_task("images.weighed", known)


def _subject(view: str) -> tuple[Run, int, str] | None:
    """The run, seed and prompt that a view of atoms is about; None while there are none."""
    task = _pick_weighed()
    if not task or not waiting.ready("images"):
        return None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        run = _pick_run("Run", picture_cache.weighed(task), f"images.run.{task}")
        numbers = run.spec.population.numbers()
        seed = st.selectbox(
            "Seed",
            range(len(numbers)),
            format_func=lambda place: str(numbers[place]),
            key=f"images.seed.{task}",
        )
    prompt = _prompt(tasks.find(task).draws, FIRST.get(task, 0), task)
    return (run, seed, prompt) if prompt else None


def _prompt(world: str, first: int, key: str) -> str:
    """A prompt chosen from a list or typed; empty while none is typed."""
    known = PROMPTS[world]
    left, right = st.columns(2)
    chosen = left.selectbox("Prompt", [*known, OWN], index=first, key=f"images.prompt.{key}")
    if chosen != OWN:
        return str(chosen)
    shape = next(s for s in models.SHAPES.values() if s.world == world)
    words = right.text_input(
        "My words", max_chars=80, key=f"images.own.{key}", help=", ".join(shape.vocabulary)
    )
    return reading.must_be_known(world, words, shape.vocabulary) if words.strip() else ""


def _pick_run(label: str, found: list[Run], key: str) -> Run:
    known = {run.id: run for run in found}
    return known[st.selectbox(label, list(known), format_func=lambda i: _name(known[i]), key=key)]


def _name(run: Run) -> str:
    spec = run.spec
    return f"{spec.training.shots} examples, {spec.training.steps} steps · {run.id}"


def _latest(found: list[Run]) -> list[Run]:
    """One run for each method, the newest, in the order methods are listed."""
    first: dict[str, Run] = {}
    for run in found:
        first.setdefault(run.spec.method, run)
    order = [*shelf.METHODS, *sorted(set(first) - set(shelf.METHODS))]
    return [first[name] for name in order if name in first]


def _note(alignment: float | None) -> str:
    return "" if alignment is None else f"{figures.in_percent(alignment)} as asked"


def _reader(world: str) -> str:
    """Who says what a picture shows."""
    if world == "digits":
        found = [shelf.figure(f"prune-{r.id}") for r in picture_cache.weighed("pictures_digit")]
        known = next((f["reader"] for f in found if f), None)
        share = (
            "" if known is None else f"; it names {100 * known:.1f} % of real test digits rightly"
        )
        return f"A classifier fitted on real digits says what is shown{share}."
    return (
        "A picture counts only if every pixel belongs to a shape that was asked for, in its colour "
        f"and place. Shapes: {', '.join(scenes.SHAPES)}."
    )


def _nothing(task: str) -> None:
    widgets.empty(
        "No run to look at yet",
        f"Train sparse atoms on “{tasks.find(task).title}”, and other methods beside them.",
        "train",
    )


VIEWS = {
    "Methods": methods,
    "Fewer atoms": fewer,
    "Layers": layers,
    "Single atoms": single,
    "Concept and style": together,
    "Editing": editing,
}


@st.fragment
@errors.guarded
def explore() -> None:
    """The chosen view; changes in it leave the rest of the page alone."""
    view = st.segmented_control(
        "View",
        list(VIEWS),
        default="Methods",
        required=True,
        key="images.view",
        bind="query-params",
        label_visibility="collapsed",
    )
    VIEWS[view]()
