"""Make a small workspace with the code of commit e6a3bd9, and write down what it reads there.

Run it in a checkout of that commit (README.md beside this file has the command).  Base models are
random ones of some ten thousand numbers, so that runs of every method take seconds and few bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import sqlite3
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path

HERE = Path.cwd()  # the old checkout
OUT = Path(sys.argv[1]).resolve()
WORK = Path(sys.argv[2]).resolve()
os.environ |= {
    "PEFTCORE_HOME": str(WORK / "home"),
    "PEFTCORE_MODELS": str(WORK / "models"),
    "PEFTCORE_WARM": "0",
    "PEFTCORE_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
}
sys.path[:0] = [str(HERE), str(HERE / "tests")]

SHORT = {"shots": 6, "dev": 3, "steps": 4, "batch": 3, "evaluate_every": 2, "precision": "fp32"}
SCORED = {"limit": 4, "max_new_tokens": 3}
METHODS = {
    "prompt_tuning": ({"length": 4}, {}),
    "spt": ({"length": 4}, {}),
    "prefix_tuning": ({"length": 3}, {"vertices": 3}),
    "lora": ({"rank": 2, "alpha": 4}, {}),
    "ia3": ({}, {}),
    "bottleneck": ({"width": 2}, {}),
    "sparsefit": ({}, {}),
    "full_fine_tuning": ({}, {"seeds": 1}),
    "atoms": ({"atoms": 2, "threshold": 0.1}, {}),
    "block_atoms": ({"block": 4, "multiple": 1}, {}),
}
IMAGES = {"shots": 10, "dev": 10, "steps": 2, "batch": 4, "evaluate_every": 2, "precision": "fp32"}


def say(text):
    sys.stderr.write(text + "\n")


def make_bases():
    from random_models import build_tiny

    for family in ("t5", "bert", "llama"):
        for name in (f"old-{family}", *(("gone-t5",) if family == "t5" else ())):
            base = build_tiny(family)
            base.model.save_pretrained(WORK / "models" / name)
            base.tokenizer.save_pretrained(WORK / "models" / name)


def spec(
    method, task="miniworld_nli", base="old-t5", settings=None, start="", training=None, **members
):
    from peftcore.planning import plan

    many = {"seeds": 2} | members
    return plan(base, task, method, settings, many, SHORT | (training or {}), SCORED, start)


def trained(asked, stop=lambda: False):
    from peftcore.performing import perform

    from peftcore.runs import RunStore

    run = RunStore().create(asked, demo=False)
    perform(run, stop=stop)
    say(f"{run.id} {asked.base} {asked.method} {asked.task}: {run.status().state}")
    return run


def make_runs():
    """Name → id of runs of every method and in every state."""
    found = {}
    for method, (settings, members) in METHODS.items():
        found[method] = trained(spec(method, settings=settings, **members)).id
    found["bitfit"] = trained(spec("bitfit", base="old-bert")).id
    found["linear_probe"] = trained(spec("linear_probe", base="old-bert")).id
    found["lora on a decoder"] = trained(spec("lora", base="old-llama", settings={"rank": 1})).id
    first = spec("prompt_tuning", "miniworld_sentiment", settings={"length": 4})
    found["source"] = trained(first).id
    later = spec("prompt_tuning", settings={"length": 4}, start=found["source"])
    found["started from another"] = trained(later).id
    found["sentiment"] = trained(
        spec("atoms", "miniworld_sentiment", settings=METHODS["atoms"][0])
    ).id
    return found | make_stopped()


def stop_after(steps):
    """A stop that is asked for once so many steps are done."""
    looks = iter(range(10**6))
    return lambda: next(looks) >= steps


def make_stopped():
    """Runs that were cancelled, resumed, failed and lost."""
    from dataclasses import asdict

    from peftcore.performing import perform

    from peftcore import processes

    many = {"steps": 6, "evaluate_every": 1}
    cancelled = trained(spec("lora", settings={"rank": 1}, training=many), stop_after(3))
    resumed = trained(spec("lora", settings={"rank": 3}, training=many), stop_after(3))
    perform(resumed)
    lost = trained(spec("lora", settings={"rank": 4}, training=many), stop_after(3))
    child = os.fork()
    if child == 0:
        lost.write_status(state="training", process=asdict(processes.current()))
        os._exit(0)
    os.waitpid(child, 0)
    names = {"cancelled": cancelled, "resumed": resumed, "lost": lost}
    return {name: run.id for name, run in names.items()}


def make_queue(runs):
    """Jobs that are done, failed, cancelled and waiting; the worker's own failure makes a run."""
    from peftcore.worker import Worker

    from peftcore.jobs import Queue

    queue = Queue()
    done = queue.submit(spec("ia3", settings={"targets": ["keys"]}), device="cpu")
    failed = queue.submit(spec("lora", base="gone-t5"), device="cpu")
    shutil.rmtree(WORK / "models" / "gone-t5")
    Worker(device="cpu").run(once=True, idle_seconds=0)
    cancelled = queue.submit(spec("lora", settings={"rank": 5}), device="cpu")
    queue.cancel(cancelled.id)
    waiting = queue.submit(spec("lora", settings={"rank": 6}), priority=3, device="cpu")
    runs |= {"by a worker": done.run_id, "failed": failed.run_id, "never begun": cancelled.run_id}
    runs |= {"waiting": waiting.run_id}


def make_landscapes(runs):
    from peftcore.landscapes import Ask, Landscape
    from peftcore.surveying import carry_out

    prefix, lora = runs["prefix_tuning"], runs["lora"]
    small = {"steps": 2, "examples": 3}
    asked = [
        {"kind": "face", "runs": [prefix], "metric": True},
        {"kind": "scan", "runs": [prefix]},
        {"kind": "cuts", "runs": [prefix], "seed": 1},
        {"kind": "vertices", "runs": [prefix]},
        {"kind": "random", "runs": [lora], "radius": 0.3},
        {"kind": "path", "runs": [runs["resumed"]]},
        {"kind": "plane", "runs": [f"{lora}/0", f"{lora}/1", f"{lora}@2/0"]},
        {"kind": "curve", "runs": [f"{lora}/0", f"{lora}/1"], "bend_steps": 2},
        {"kind": "flatness", "runs": [lora], "copies": 3},
        {"kind": "validation", "runs": [prefix], "copies": 3},
    ]
    found = [Landscape.create(Ask.make(small | each)) for each in asked]
    for landscape in found:
        say(f"landscape {landscape.ask.kind}: {carry_out(landscape).state}")
    stopped = Landscape.create(Ask.make(small | {"kind": "face", "runs": [prefix], "seed": 1}))
    carry_out(stopped, stop=stop_after(3))
    lost = Landscape.create(Ask.make(small | {"kind": "scan", "runs": [prefix], "seed": 1}))
    child = os.fork()
    if child == 0:
        from peftcore import processes

        lost.write_status(state="working", done=1, of=9, process=vars(processes.current()))
        os._exit(0)
    os.waitpid(child, 0)


def make_atoms(runs):
    from peftcore.atom_measuring import carry_out
    from peftcore.atom_studies import Ask, Study

    atoms, other = runs["atoms"], runs["sentiment"]
    small = {"read": 3, "examples": 3, "draws": 1}
    asked = [
        {"kind": "map", "runs": [atoms]},
        {"kind": "prune", "runs": [atoms]},
        {"kind": "path", "runs": [atoms], "values": [0.0, 0.5]},
        {"kind": "combine", "runs": [atoms, other]},
    ]
    for each in asked:
        say(f"atoms {each['kind']}: {carry_out(Study.create(Ask.make(small | each))).state}")


def make_images(runs):
    from peftcore.pictures.studies import Ask, Study, carry_out
    from peftcore.planning import plan

    for name, base, task in (
        ("digit", "tiny-digits", "pictures_digit"),
        ("concept", "tiny-scenes", "pictures_concept"),
        ("style", "tiny-scenes", "pictures_style"),
    ):
        asked = plan(
            base,
            task,
            "atoms",
            {"atoms": 1, "threshold": 0.1},
            {"seeds": 1},
            IMAGES,
            {"limit": 2 if name == "digit" else 8},
        )
        runs[name] = trained(asked).id
    for ask in (
        {"kind": "prune", "runs": [runs["digit"]], "examples": 1},
        {"kind": "combine", "runs": [runs["concept"], runs["style"]], "examples": 1},
    ):
        say(f"images {ask['kind']}: {carry_out(Study.create(Ask.make(ask))).state}")


def make_toy():
    """Train the three stages of the quick recipe, one seed."""
    from peftcore.toys import experiments, live, recipes, results

    chosen, seeds = recipes.recipe("01", "quick"), (0,)
    reporter = live.Teller(chosen, seeds)
    experiments.perform(chosen, seeds, results.own(), report=reporter.report, stop=reporter.stop)
    reporter.end("done")


def make_sweep(runs):
    from peftcore.engines.local import LocalEngine

    from peftcore import sweep_work, sweeping
    from peftcore.runs import RunStore

    asked = sweeping.Sweep.make(
        {
            "title": "Two ranks and a scale",
            "bases": ["old-t5"],
            "tasks": ["miniworld_nli"],
            "methods": [{"method": "lora", "settings": {"rank": [7, 8]}}, "ia3"],
            "episodes": {"seeds": 2},
            "training": SHORT | {"shots": 9},
            "evaluation": SCORED,
            "chunk": 1,
        }
    )
    work = sweeping.SweepWork.own(asked)
    status = sweep_work.carry_out(work, LocalEngine(1, "cpu"), RunStore())
    say(f"sweep: {status.state}")
    runs |= {f"cell {i}": cell.spec.id for i, cell in enumerate(asked.cells())}


def make_ratings(runs):
    """Two projects with ratings, one of real texts with origins in a run; the ids and links."""
    from rated import ME, item, pair, project, rate_all, rate_next, rater

    from peftcore import rating

    book = rating.Book()
    plain = project(book, [item(n, run=runs["lora"]) for n in range(4)])
    rate_all(book, rater(book, plain, "Ann"), "weak yes")
    rate_next(book, rater(book, plain, "Ben"), "no", shortcomings=("incomplete",))
    pairs = project(book, [pair(n) for n in range(3)], mode="pairwise")
    rate_next(book, rater(book, pairs, "Cem"), "left")
    link = rating.invite(book, ME, plain.id, "Dana").token
    return {"projects": [plain.id, pairs.id], "link": link}


def make_table():
    from peftcore.tasks import table

    rows = "".join(f"day {i} was {word},{word}\n" for i in range(20) for word in ("good", "bad"))
    columns = {"text": ["text"], "target": "label"}
    return table.import_table(f"text,label\n{rows}".encode(), "Days", columns, "classify")


def make_exports(runs):
    from peftcore import bundle, exchange
    from peftcore.runs import RunStore

    store, folder = RunStore(), WORK / "exports"
    folder.mkdir()
    exchange.export_peft(store.open(runs["lora"]), 1, folder / "peft")
    wanted = ("ia3", "linear_probe", "started from another")
    bundle.bundle([store.open(runs[name]) for name in wanted], folder / "bundle.zip", True)


def plain(value):
    """Numbers to seven digits, so that the file is short and says what is compared."""
    if isinstance(value, float):
        return None if math.isnan(value) else float(f"{value:.7g}")
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def frame(table):
    return plain(json.loads(table.to_json(orient="split", index=False, double_precision=15)))


def expected_runs():
    from peftcore.runs import RunStore

    found = {}
    for run in RunStore().all(demo=False):
        status = run.status()
        found[run.id] = {
            "spec": run.spec.model_dump(mode="json"),
            "status": {
                name: getattr(status, name)
                for name in ("state", "step", "steps", "seconds", "message", "trainable", "seeds")
            },
            "scores": plain(run.scores()),
            "history": frame(run.history()),
            "validation": frame(run.validation()),
            "path": run.path_steps(),
            "answers": [len(run.answers()), digest(run.answers().to_json(orient="split"))],
            "manifest": run.manifest(),
        }
    return found


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def adapter_sums():
    """Of every run with an adapter: each tensor's shape, sum and sum of squares, in float64."""
    from peftcore.adapter_files import load_adapter
    from peftcore.base import load

    from peftcore.runs import RunStore

    bases, found = {}, {}
    for run in RunStore().all(demo=False):
        if not (run.folder / "adapter.safetensors").is_file():
            continue
        base = bases.setdefault(run.spec.base, None) or load(run.spec.base)
        bases[run.spec.base] = base
        adapted = load_adapter(run, base)
        found[run.id] = {
            name: [
                list(t.shape),
                *(float(x) for x in (t.double().sum(), t.double().square().sum())),
            ]
            for name, t in (adapted.tensors | adapted.frozen).items()
        }
    return found


def expected_measurements():
    from peftcore.atom_studies import Study
    from peftcore.landscapes import Landscape
    from peftcore.pictures import shelf
    from peftcore.pictures.studies import Study as ImageStudy

    from peftcore import atom_studies

    def common(each):
        status = each.status()
        return {
            "ask": each.ask.model_dump(mode="json"),
            "state": status.state,
            "done": status.done,
            "of": status.of,
            "facts": plain(each.facts),
        }

    landscapes, atoms, images = {}, {}, {}
    for each in Landscape.every():
        if not each.shipped:
            tables = {"table": frame(each.table()), "measures": frame(each.measures())}
            landscapes[each.id] = common(each) | tables
    for each in Study.every():
        if not each.shipped:
            tables = {"entries": len(each.entries()), "curves": frame(atom_studies.curves(each))}
            tables |= {"evolution": frame(atom_studies.evolution(each))}
            atoms[each.id] = common(each) | tables
    for each in ImageStudy.every():
        figure = shelf.figure(each.ask.figure)
        images[each.id] = common(each) | {"figure": each.ask.figure, "rows": plain(figure)}
    return {"landscapes": landscapes, "atoms": atoms, "images": images}


def expected_toy():
    from dataclasses import asdict

    from peftcore.toys import live, recipes, results

    chosen = recipes.recipe("01", "quick")
    return {
        "state": live.status(chosen).state,
        "losses": live.status(chosen).losses,
        "stages": {s.name: asdict(r) for s, r in results.found(results.own(), chosen, (0,))},
        "rows": [plain(row.shown()) for row in results.rows(results.own(), chosen, (0,))],
    }


def expected_others(ratings, table):
    from peftcore import rating, sweep_survey, sweeping, tasks
    from peftcore.jobs import Queue
    from peftcore.runs import RunStore

    book = rating.Book()
    projects = {}
    for project in ratings["projects"]:
        who = rating.experimenter()
        projects[project] = {
            "name": rating.find(book, who, project).name,
            "verdicts": frame(rating.verdicts(book, who, project).astype(object)),
            "items": len(rating.items(book, who, project)),
            "raters": [row.name for row in rating.raters(book, who, project)],
        }
    book.close()
    jobs = [
        {"id": j.id, "run": j.run_id, "state": j.state, "priority": j.priority, "device": j.device}
        for j in Queue().jobs()
    ]
    [work] = [w for w in sweeping.SweepWork.every() if not w.shipped]
    cells = sweep_survey.described(sweep_survey.survey(work.ask.cells(), RunStore()))
    task = tasks.find(table)
    rows = {split: len(task.load(split)) for split in ("train", "validation", "test")}
    return {
        "projects": projects,
        "jobs": jobs,
        "sweep": {"id": work.id, "state": work.status().state, "cells": cells},
        "table": {
            "name": table,
            "labels": list(task.labels),
            "rows": rows,
            "hash": task.data_hash(),
        },
    }


def links(runs, ratings, table):
    """What addresses lead to each thing: page and query."""
    views = {
        "landscape": ("Ground", "Cuts", "Between two", "Flatness", "Validation", "Vertices"),
        "scaling": (
            "Scales",
            "Gap to words",
            "Learning rate",
            "Ablations",
            "Lengths",
            "Shots",
            "Stability",
            "Transfer",
        ),
        "atoms": ("Map", "Sparsity", "Text", "Pruning", "One atom", "Two runs", "Density"),
    }
    images = ("Methods", "Fewer atoms", "Layers", "Single atoms", "Concept and style", "Editing")
    chosen = {"landscape": "prefix_tuning", "scaling": "spt", "atoms": "atoms"}
    found = [("runs", {"run": run}) for run in runs.values()]
    found += [
        (page, {f"{page}.run": runs[chosen[page]], f"{page}.view": view})
        for page, each in views.items()
        for view in each
    ]
    pair = ",".join((runs["lora"], runs["ia3"]))
    found += [("compare", {"runs": pair, "compare.view": v}) for v in compare_views()]
    found += [("playground", {"runs": pair}), ("rate", {"rate.view": "New project", "runs": pair})]
    found += [
        ("attention", {"attention.run": runs["lora"], "attention.view": v})
        for v in attention_views()
    ]
    found += [
        ("limits", {"limits.run": runs["prefix_tuning"], "limits.view": v}) for v in limits_views()
    ]
    found += [("images", {"images.task": "pictures_digit", "images.view": v}) for v in images]
    found += [("images", {"images.weighed": "pictures_style", "images.view": "Layers"})]
    found += [("toys", {"toys.experiment": n}) for n in ("01", "02", "03", "04", "Capacity")]
    found += [
        ("components", {"components.base": "old-t5", "components.view": v})
        for v in component_views()
    ]
    found += [
        ("ratings", {"project": p, "ratings.view": v})
        for p in ratings["projects"]
        for v in rating_views()
    ]
    found += [("rate", {"project": p}) for p in ratings["projects"]]
    found += [("rate", {"rate.view": "Import ratings"}), ("rate", {"r": ratings["link"]})]
    found += [
        ("data", {"data.task": table, "data.split": "test"}),
        ("data", {"data.view": "Bring your own file"}),
    ]
    found += [("data", {"data.task": "miniworld_nli"}), ("home", {})]
    found += [
        ("train", {"train.task": table}),
        ("train", {"train.base": "old-t5", "train.methods": "lora,ia3"}),
    ]
    return found


def compare_views():
    from app import compare_views

    return list(compare_views.VIEWS)


def attention_views():
    from app import head_views

    return list(head_views.VIEWS)


def limits_views():
    from app import limit_views

    return list(limit_views.VIEWS)


def component_views():
    from app import component_views

    return list(component_views.VIEWS)


def rating_views():
    from app import rate_views

    return list(rate_views.VIEWS)


@contextmanager
def imports_ready():
    """As if the heavy packages had been loaded in the background."""
    from app import cache

    before, cache.ready = cache.ready, lambda: True
    yield
    cache.ready = before


def shown(page, query):
    """What the old page shows at an address."""
    from streamlit.testing.v1 import AppTest

    from app import nav

    app = AppTest.from_file(str(HERE / "app" / "main.py"), default_timeout=120)
    if "r" in query:
        app.query_params["r"] = query["r"]
        app.run()
    else:
        app.run()
        app.query_params.clear()
        for key, value in query.items():
            app.query_params[key] = value
        app = app.switch_page(nav.find(page).file).run() if page != "home" else app.run()
    assert not app.exception, (page, query, app.exception)
    wanted = {part for value in query.values() for part in (value, *value.split(","))}
    state = {}
    for key, value in app.session_state._state.filtered_state.items():
        values = value if isinstance(value, list) else [value]
        if values and all(isinstance(v, str) for v in values) and wanted.issuperset(values):
            state[key] = value
    counts = {
        "charts": len(app.get("plotly_chart")),
        "tables": len(app.dataframe),
        "titles": [title.value for title in app.title],
    }
    return {"page": page, "query": query, "state": state, **counts}


def close_database():
    """Bring what still lies beside the database into it."""
    connection = sqlite3.connect(WORK / "home" / "lab.sqlite")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def packed(name, folder):
    with zipfile.ZipFile(OUT / name, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for path in sorted(folder.rglob("*")):
            short = path.relative_to(folder)
            if (
                path.is_file()
                and path.suffix not in (".lock", ".part")
                and "logs" not in short.parts
            ):
                file.write(path, short)


def main():
    shutil.rmtree(WORK, ignore_errors=True)
    (WORK / "home").mkdir(parents=True)
    make_bases()
    runs = make_runs()
    make_queue(runs)
    make_landscapes(runs)
    make_atoms(runs)
    make_images(runs)
    make_toy()
    make_sweep(runs)
    ratings, table = make_ratings(runs), make_table()
    make_exports(runs)
    close_database()
    packed("home.zip", WORK / "home")  # before pages leave anything behind
    packed("models.zip", WORK / "models")
    packed("exports.zip", WORK / "exports")
    expected = {"names": runs, "runs": expected_runs(), "adapters": adapter_sums()}
    expected |= expected_measurements() | {"toy": expected_toy()}
    expected |= expected_others(ratings, table) | {"rater link": ratings["link"]}
    with imports_ready():
        expected["links"] = [shown(*link) for link in links(runs, ratings, table)]
    (OUT / "expected.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
