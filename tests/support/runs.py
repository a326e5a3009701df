"""Finished runs with made-up results, written through the store."""

import copy

import numpy as np
import pandas as pd

from peftcore import tasks
from peftcore.data.task import Answer
from peftcore.runs.answers import answers_table
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import RunStore

SKILL = {"prompt_tuning": 0.62, "spt": 0.7, "prefix_tuning": 0.8, "lora": 0.9, "linear_probe": 0.4}
_RESULTS = {}  # id and spec of a run → its answers, scores and history
SIZE = {"prompt_tuning": 5120, "spt": 5140, "prefix_tuning": 92160, "lora": 40960}


def make_run(method="lora", task="miniworld_nli", base="tiny-t5", *, store=None, data="d0", **spec):
    """Make a finished run whose answers are right as often as the method's made-up skill."""
    values = {"base": base, "task": task, "method": method} | spec
    values.setdefault("evaluation", {"limit": 24})
    values.setdefault("training", {"steps": 200})
    run = (store or RunStore()).create(RunSpec.make(values))
    answers, scores, history = made_up_results(run)
    run.append_history(history)
    run.write_answers(answers)
    run.write_scores(scores)
    run.write_manifest(
        {"data_hash": data, "base": {"fingerprint": "f0"}, "versions": {"sacrebleu": "2.6.0"}}
    )
    steps = run.spec.training.steps
    run.write_status(
        state="done", step=steps, steps=steps, seconds=61.5, trainable=SIZE.get(method, 999)
    )
    return run


def make_runs(task="miniworld_nli", methods=("prompt_tuning", "spt", "prefix_tuning", "lora")):
    """Make one comparable run per method."""
    return [make_run(method, task) for method in methods]


def made_up_results(run):
    """Return answers, scores and history of a run; the same run has the same, which are made once.

    Scoring them was a third of what tests of Compare took.  Own tables change under their names.
    """
    if run.spec.task.startswith("miniworld"):
        key = (run.id, run.spec.model_dump_json())
        if key not in _RESULTS:
            _RESULTS[key] = _made_up(run)
        return copy.deepcopy(_RESULTS[key])
    return _made_up(run)


def _made_up(run):
    rng = np.random.default_rng(int(run.id, 16))
    answers, scores = _answers(run.spec, SKILL.get(run.spec.method, 0.5), rng)
    return answers, scores, _history(run.spec, rng)


def _history(spec, rng):
    """Return falling losses of every seed."""
    rows = []
    for seed in spec.population.seed_numbers():
        pace = rng.uniform(0.6, 1.4)
        for step in range(25, spec.training.steps + 1, 25):
            fall = np.exp(-pace * step / 60)
            row = {"step": step, "seed": seed, "learning_rate": 0.01, "seconds": step / 10}
            row["train_loss"] = 0.2 + 1.5 * fall + rng.normal(0, 0.03)
            row["dev_loss"] = 0.45 + 1.3 * fall + rng.normal(0, 0.03)
            rows.append(row)
    return rows


def _answers(spec, skill, rng):
    """Return answers and scores of every seed."""
    task = tasks.find_task(spec.task)
    gold = task.load(spec.evaluation.split)[: spec.evaluation.limit]
    tables, scores = [], {}
    for seed in spec.population.seed_numbers():
        given = [_answer(task, example, gold, rng.random() < skill, rng) for example in gold]
        tables.append(answers_table(gold, given, seed))
        for metric, value in task.score(given, gold).items():
            scores.setdefault(metric, []).append(value)
    return pd.concat(tables, ignore_index=True), scores


def _answer(task, example, gold, right, rng) -> Answer:
    """Return the gold target, or that of another example with a word missing."""
    other = gold[rng.integers(len(gold))]
    words = (example if right else other).target.split()
    if not right and len(words) > 3:
        words.pop(rng.integers(1, len(words)))
    return task.parse(" ".join(words))


def write_adapter(run, content=b"numbers"):
    """Give a run an adapter file of one tensor of these bytes; what it computes is nonsense."""
    from safetensors.numpy import save

    tensors = {"x": np.frombuffer(content, dtype=np.uint8)}
    (run.folder / "adapter.safetensors").write_bytes(save(tensors))
