"""How long the tensors of an adapter are."""

from __future__ import annotations

from peftcore.errors import BadInput
from peftcore.runs.store import Run


def tensor_norms(run: Run) -> dict[str, list[float]]:
    """Return tensor name → its Euclidean norm for every seed, the centroid of a simplex.

    BadInput if the run is here without its adapter.
    """
    from safetensors.torch import load_file

    path = run.folder / "adapter.safetensors"
    if not path.is_file():
        raise BadInput(f"run {run.id} is here without its adapter")
    dense = {n: t for n, t in load_file(path).items() if "#" not in n}
    return {n: t.mean(1).flatten(1).norm(dim=1).tolist() for n, t in dense.items()}  # (s, v, …)
