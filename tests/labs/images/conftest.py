"""A small base that draws digits with random weights, and atoms on it."""

import pytest
import torch

from peftcore.pretraining import image_models


@pytest.fixture(scope="session")
def canvas_base():
    from peftcore.models.base_model import freeze

    tokenizer = image_models.make_tokenizer("tiny-digits")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = image_models.make_model("tiny-digits", tokenizer)
    return freeze("tiny-digits", model, tokenizer)


@pytest.fixture
def atoms_on(canvas_base):
    """Sparse atoms of two seeds, with atoms long enough to show."""
    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.adapters.initializers import SeededInitializer
    from peftcore.labs.atoms.dictionary import AtomDictionary
    from peftcore.methods.atoms import SparseAtoms

    def make(count=3, threshold=0.5):
        draw = SeededInitializer([0, 1], 1, "cpu")
        config = SparseAtoms.Config(atoms=count, threshold=threshold)
        adapted = AdaptedModel(canvas_base, SparseAtoms(canvas_base, config, draw), draw)
        rng = torch.Generator().manual_seed(1)
        for name, tensor in adapted.tensors.items():
            if name.startswith("atoms:"):
                tensor.data.normal_(0, 0.5, generator=rng)
        return AtomDictionary(adapted)

    return make
