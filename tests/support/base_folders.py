"""Folders of bases as people bring them, whole or broken, out of the tiny random ones."""

import json

from support.bases import build_tiny


def write_base(folder, family="llama", seed=0):
    """Write a tiny random base and its tokenizer; return the folder."""
    base = build_tiny(family, seed)
    base.model.save_pretrained(folder)
    base.tokenizer.save_pretrained(folder)
    return folder


def edit_json(path, **changes):
    """Change keys of a JSON file; None removes one."""
    value = json.loads(path.read_text()) if path.is_file() else {}
    value = {k: v for k, v in (value | changes).items() if v is not None}
    path.write_text(json.dumps(value))


def edit_weights(folder, drop=(), **added):
    """Rewrite a folder's one file of weights without some tensors and with others."""
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    tensors = {n: t for n, t in load_file(path).items() if n not in drop}
    save_file(tensors | added, path, metadata={"format": "pt"})


def split_into_shards(folder, family="llama"):
    """Write the weights as several files with an index; return the files."""
    (folder / "model.safetensors").unlink()
    build_tiny(family).model.save_pretrained(folder, max_shard_size="8KB")
    return sorted(folder.glob("model-*.safetensors"))
