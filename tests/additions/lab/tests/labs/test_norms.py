import torch
from peftcore.labs.norms import tensor_norms
from safetensors.torch import save_file
from support.runs import make_run


def test_norms_are_of_the_centroid_of_every_seed():
    run = make_run("lora")
    save_file(
        {"a": torch.tensor([[[3.0, 0.0], [3.0, 8.0]]])},  # (s, v, 2)
        run.folder / "adapter.safetensors",
    )
    assert tensor_norms(run) == {"a": [5.0]}
