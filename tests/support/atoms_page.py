"""Runs and made-up measurements for the Atoms page."""

import numpy as np

from peftcore.labs.atoms.request import AtomsJob, AtomsRequest
from support.runs import make_run, write_adapter

SITES = [
    f"{component}:decoder.block.{layer}.layer.{part}.q"
    for layer in (0, 1)
    for part, component in ((0, "attention.query"), (1, "cross.query"))
]

SETTINGS = {"atoms": 2, "components": ["attention.query", "cross.query"], "stacks": ["decoder"]}

SETTINGS |= {"threshold": 1.0, "relative": True, "rounds": 1, "top_k": 0, "l1": 0.0}

FACTS = {
    "sites": SITES,
    "atoms": 2,
    "seeds": [0, 1],
    "read": 48,
    "n": 24,
    "split": "test",
    "metric": "accuracy",
    "task": "miniworld_nli",
    "base": "tiny-t5",
    "fingerprint": "f0",
    "data_hash": "00ff00ff",
    "arithmetic": "fp32",
    "adapters": ["0" * 12],
    "shown": [["Is <b>Ann</b> in?", "yes"]],
}

KS = [1, 2, 4]


def atoms_run(**more):
    run = make_run("atoms", settings=SETTINGS, population={"seeds": 2}, **more)
    write_adapter(run)
    return run


def codes(seed, step, rng):
    usage = rng.uniform(size=(4, 2)).round(3).tolist()
    usage[0][0] = 0.0
    entry = {"what": "codes", "step": step, "seed": seed, "zeros": 0.5, "l0": 4.0, "hoyer": 0.3}
    made = {"size": rng.uniform(size=(4, 2)).tolist(), "norm": rng.uniform(size=(4, 2)).tolist()}
    return entry | {"usage": usage, "site_zeros": [0.5] * 4} | made


def mapped(run):
    study = AtomsJob.create(AtomsRequest.make({"kind": "map", "runs": [run.id]}))
    study.write_plan(FACTS, [])
    rng = np.random.default_rng(0)
    for step in (None, 0, 25):
        for seed in (0, 1):
            study.append_value(codes(seed, step, rng))
    study.write_status(state="done", done=6, of=6)
    return study


def pruned(run, state="done"):
    study = AtomsJob.create(AtomsRequest.make({"kind": "prune", "runs": [run.id]}))
    study.write_plan(FACTS, [])
    for seed in (0, 1):
        values = {"what": "weights", "seed": seed, "values": [0.25] * 8}
        study.append_value(values | {"order": "ablation"})
        for what, top in (("loss", 1.0), ("score", 0.9)):
            where = {"what": what, "seed": seed}
            ends = {"order": "ends", "draw": 0, "k": [0, 8], "values": [0.1, top]}
            extra = {"answers": [["base words"], ["all words"]]} if what == "score" else {}
            study.append_value(where | ends | extra)
            for order, draw in (("importance", 0), ("ablation", 0), ("random", 0), ("random", 1)):
                extra = {"answers": [[f"kept {k}"] for k in KS]} if order == "importance" else {}
                lost = 0.2 * (order == "random")
                values = [top - lost - 0.01 * seed] * 3
                kept = {"order": order, "draw": draw, "k": KS, "values": values}
                study.append_value(where | kept | (extra if what == "score" else {}))
    study.write_status(state=state, done=5, of=9)
    return study
