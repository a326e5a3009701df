"""Split a run of many seeds into shards of few, and join them again.

A seed's result does not depend on the seeds trained along with it, so shards may be trained one
after another where memory is short, or on many machines. Shards are runs like others; they have a
store of their own, "parts" beside "runs", so that lists show the whole run alone. Joining writes
every file that one pass would have written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from peftcore.errors import BadInput
from peftcore.runs import forgetting
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run, RunStore
from peftcore.system import atomic_files
from peftcore.system.job_folder import run_recording_errors
from peftcore.training import checkpoint, planning
from peftcore.training.planning import PATH_BYTES

if TYPE_CHECKING:
    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.models.base_model import BaseModel
    from peftcore.runs.store import RunStatus


def split_into_shards(spec: RunSpec, max_seeds: int | None = None) -> list[RunSpec]:
    """Split a spec into shards of at most `max_seeds`; None leaves it whole.

    A run that starts from another one stays whole: its seeds are counted from the first.
    """
    seeds, first = spec.population.seeds, spec.population.first_seed
    if max_seeds is not None and max_seeds < 1:
        raise BadInput(f"a part has at least one seed; got {max_seeds}")
    if max_seeds is None or seeds <= max_seeds or spec.start:
        return [spec]
    return [
        spec.model_copy(update={"population": spec.population.model_copy(update=change)})
        for change in (
            {"first_seed": first + at, "seeds": min(max_seeds, seeds - at)}
            for at in range(0, seeds, max_seeds)
        )
    ]


def shard_store(store: RunStore) -> RunStore:
    """Return the store of the shards of a store's runs."""
    return RunStore(store.folder.with_name("parts"), store.demo_folder)


def store_for(store: RunStore, whole: RunSpec, shard: RunSpec) -> RunStore:
    """Return the store a shard belongs to: the run's own where the shard is the whole."""
    return store if shard.id == whole.id else shard_store(store)


def join_shards(
    store: RunStore, spec: RunSpec, shards: Sequence[Run], base: BaseModel | None = None
) -> Run:
    """Write the run of the whole spec from its finished shards.

    BadInput if a shard is missing or unfinished, or saw other data or other weights.
    """
    run = store.create(spec)
    if run.status().state != "done":
        run_recording_errors(run, lambda: write_joined_run(run, shards, base))
    return run


def write_joined_run(run: Run, shards: Sequence[Run], base: BaseModel | None = None) -> RunStatus:
    """Write every file of a run from its shards, for a caller who has the run open."""
    from peftcore.models.base_model import load

    _check_shards_fit(run.spec, shards)
    states = [part.status() for part in shards]
    run.write_status(state="running", phase="answering", message=f"Joining {len(shards)} parts")
    base = base or load(run.spec.base)
    _join_adapters(run, shards, base)
    _join_path(run, shards, base)
    run.write_answers(pd.concat([part.answers() for part in shards], ignore_index=True))
    scores = [part.scores() for part in shards]
    run.write_scores({name: [v for s in scores for v in s[name]] for name in scores[0]})
    if found := forgetting.join([part.forgetting() for part in shards]):
        run.write_forgetting(found)
    _join_history(run, shards)
    run.write_manifest(_joined_manifest(shards))
    run.append_log(f"Joined from {', '.join(part.id for part in shards)}")
    return run.write_status(
        state="done",
        done=max(state.step for state in states),
        of=run.spec.training.steps,
        seconds=sum(state.seconds for state in states),
        started=min((s.started for s in states if s.started), default=None),
        message="; ".join(state.message for state in states if state.message),
        error_id="",
        seeds=[seed for state in states for seed in state.seeds],
        trainable=states[0].trainable,
        processor_seconds=_total(state.processor_seconds for state in states),
        peak_memory=max((s.peak_memory for s in states if s.peak_memory), default=None),
        peak_device_memory=max(
            (s.peak_device_memory for s in states if s.peak_device_memory), default=None
        ),
    )


def _total(values: Iterable[float | None]) -> float | None:
    """Return the sum; None if a part does not know."""
    known = list(values)
    return None if None in known else sum(value or 0.0 for value in known)


def _check_shards_fit(spec: RunSpec, shards: Sequence[Run]) -> None:
    """Raise BadInput unless these are the run's shards, done, on equal data and weights."""
    numbers = [n for part in shards for n in part.spec.population.seed_numbers()]
    canonical_specs = {_canonical_whole(part.spec, spec) for part in shards}
    if numbers != spec.population.seed_numbers() or canonical_specs != {spec.canonical()}:
        shard_ids = ", ".join(part.id for part in shards) or "none"
        raise BadInput(
            f"run {spec.id} has the seeds {spec.population.first_seed} to "
            f"{spec.population.seed_numbers()[-1]}; these are not its parts in order: {shard_ids}"
        )
    for part in shards:
        if part.status().state != "done":
            raise BadInput(f"part {part.id} is {part.status().state}; join it once it is done")
    _check_same("data", shards, lambda m: m["data_hash"])
    _check_same("weights of the base", shards, lambda m: m["base"]["fingerprint"])


def _canonical_whole(shard: RunSpec, whole: RunSpec) -> str:
    """Return a shard's canonical spec with the whole run's seeds in place of its own."""
    update = {"seeds": whole.population.seeds, "first_seed": whole.population.first_seed}
    population = shard.population.model_copy(update=update)
    return shard.model_copy(update={"population": population}).canonical()


def _check_same(what: str, shards: Sequence[Run], read: Callable[[dict[str, Any]], str]) -> None:
    """Raise BadInput unless all shards agree on this value."""
    seen: dict[str, str] = {}
    for part in shards:
        seen.setdefault(str(read(part.manifest())), part.id)
    if len(seen) > 1:
        listed = ", ".join(f"{run} ({value})" for value, run in seen.items())
        raise BadInput(f"parts saw different {what} and cannot be one run: {listed}")


def _join_adapters(
    run: Run, shards: Sequence[Run], base: BaseModel, step: int | None = None
) -> None:
    """Write the whole adapter, at its end or at an intermediate step."""
    whole = planning.build_adapted(base, run.spec, fresh=False)
    _copy_seeds(whole, (checkpoint.load_adapter(part, base, step) for part in shards))
    checkpoint.save_adapter(run, whole, base, step)


def _copy_seeds(whole: AdaptedModel, shards: Iterable[AdaptedModel]) -> None:
    """Copy each shard's tensors to its seeds."""
    first_seed = 0
    for part in shards:
        for name, tensor in whole.tensors.items():
            tensor.data[first_seed : first_seed + part.seeds].copy_(part.tensors[name].detach())
        first_seed += part.seeds


def _join_path(run: Run, shards: Sequence[Run], base: BaseModel) -> None:
    """Keep the intermediate steps that all shards kept, as many as a run may."""
    common = sorted(set.intersection(*(set(part.intermediate_steps()) for part in shards)))
    if not common:
        return
    size = sum(part.intermediate_file(common[0]).stat().st_size for part in shards)
    max_steps_kept = PATH_BYTES // max(1, size)
    if max_steps_kept < 3:
        return
    stride = max(1, -(-(len(common) - 1) // (max_steps_kept - 1)))
    for step in sorted({*common[::stride], common[-1]}):
        _join_adapters(run, shards, base, step)


def _join_history(run: Run, shards: Sequence[Run]) -> None:
    """Join the histories, step by step and seed by seed; seconds count within each shard."""
    rows = [
        row
        for part in shards
        for row in atomic_files.read_json_lines(part.folder / "history.jsonl")
    ]
    latest = {(row["step"], row["seed"]): row for row in rows if {"step", "seed"} <= row.keys()}
    text = "".join(f"{json.dumps(latest[key])}\n" for key in sorted(latest))
    atomic_files.replace_file(run.folder / "history.jsonl", text.encode())


def _joined_manifest(shards: Sequence[Run]) -> dict[str, Any]:
    """Return the first shard's manifest with the shards' ids and what differed."""
    first = shards[0].manifest()
    for name in ("precision", "device", "python"):
        first[name] = " and ".join(sorted({part.manifest()[name] for part in shards}))
    return first | {"parts": [part.id for part in shards]}
