"""Adapter files: written as a whole, and loaded only onto the weights they belong to.

Tensors that are mostly exact zeros are stored as indices and values.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from peftcore.adapters.base import HEAD_STATS, METHODS
from peftcore.errors import BadInput
from peftcore.system import atomic_files, safetensors_files
from peftcore.training import planning

if TYPE_CHECKING:
    import torch

    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.models.base_model import BaseModel
    from peftcore.runs.store import Run


def save_adapter(run: Run, adapted: AdaptedModel, base: BaseModel, step: int | None = None) -> None:
    """Write the trained tensors, with the base they belong to, replacing the file as a whole.

    With a step it is an intermediate adapter, in half precision, not the run's result.  Of a method
    that trains nothing there is no file.
    """
    if not adapted.tensors:
        return
    import torch
    from safetensors.torch import save_file

    note = {"format": "peftcore-1", "fingerprint": base.fingerprint, "spec": run.spec.canonical()}
    path = run.folder / "adapter.safetensors" if step is None else run.intermediate_file(step)
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(".part")
    ready: dict[str, torch.Tensor] = {}
    for name, tensor in adapted.tensors.items():
        value = tensor.detach().cpu().contiguous().clone()
        ready |= _sparse_tensors(name, value if step is None else value.to(torch.float16))
    # One entry: several would be written in an order of their own each time.
    save_file(ready, part, metadata={"peftcore": json.dumps(note, sort_keys=True)})
    atomic_files.move_into_place(part, path)


def _sparse_tensors(name: str, tensor: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return a tensor as it is stored: a mostly zero one as indices and values."""
    flat = tensor.flatten()
    positions = flat.nonzero()[:, 0]
    if len(flat) - len(positions) <= 0.75 * len(flat):  # a position takes the room of two values
        return {name: tensor}
    return {f"{name}#places": positions, f"{name}#values": flat[positions]}


def _read_tensors(
    file: Any, shapes: dict[str, list[int]], run_id: str
) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield every tensor of these shapes from an open file; BadInput if it holds others."""
    import torch

    wrong = BadInput(f"the adapter of run {run_id} does not have the shapes its spec asks for")
    keys = set(file.keys())
    for name, shape in shapes.items():
        if name in HEAD_STATS and name in keys and file.get_slice(name).get_shape() == shape[-1:]:
            keys.discard(name)  # of an earlier version, in which all seeds shared it
            yield name, file.get_tensor(name).expand(shape)
            continue
        if name in keys:
            if file.get_slice(name).get_shape() != shape:
                raise wrong
            keys.discard(name)
            yield name, file.get_tensor(name)
            continue
        if not {f"{name}#places", f"{name}#values"} <= keys:
            raise wrong
        keys -= {f"{name}#places", f"{name}#values"}
        positions, values = file.get_tensor(f"{name}#places"), file.get_tensor(f"{name}#values")
        flat = torch.zeros(math.prod(shape), dtype=values.dtype)
        inside = positions.dim() == 1 and positions.shape == values.shape
        if (
            not inside
            or positions.dtype != torch.int64
            or bool(((positions < 0) | (positions >= len(flat))).any())
        ):
            raise wrong
        flat[positions] = values
        yield name, flat.view(shape)
    if keys:
        raise wrong


def load_adapter(run: Run, base: BaseModel, step: int | None = None) -> AdaptedModel:
    """Load the adapted model of a run, at its end or at an intermediate step.

    BadInput if it was trained on another base, or if that step was not kept.
    """
    from safetensors import safe_open

    path = run.folder / "adapter.safetensors" if step is None else run.intermediate_file(step)
    if not METHODS[run.spec.method].trains():
        return planning.build_adapted(base, run.spec, fresh=False)
    if step is not None and not path.is_file():
        kept = ", ".join(map(str, run.intermediate_steps())) or "none"
        raise BadInput(f"run {run.id} kept no adapter of step {step}; steps kept: {kept}")
    if not path.is_file():
        raise BadInput(f"run {run.id} has no adapter yet: it is {run.status().state}")
    safetensors_files.read_header(path)  # refuses a file whose header does not fit its size
    adapted = planning.build_adapted(base, run.spec, fresh=False)
    tensors = adapted.tensors
    with safe_open(path, "pt") as file:
        note = json.loads((file.metadata() or {}).get("peftcore", "{}"))
        seen = note.get("fingerprint")
        if seen != base.fingerprint:
            raise BadInput(
                f"run {run.id} was trained on weights {seen}, but {base.name} has weights "
                f"{base.fingerprint}: same shape is not the same model"
            )
        shapes = {name: list(tensor.shape) for name, tensor in tensors.items()}
        for name, tensor in _read_tensors(file, shapes, run.id):
            safetensors_files.refuse_odd_numbers(f"run {run.id}", name, tensor)
            tensors[name].data.copy_(tensor)
    return adapted
