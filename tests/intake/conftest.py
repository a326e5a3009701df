"""A tiny model and its file, made once."""

import pytest
from support.gguf_files import tiny_model, write_gguf


@pytest.fixture(scope="session")
def tiny_llama():
    return tiny_model()


@pytest.fixture(scope="session")
def llama_file(tiny_llama, tmp_path_factory):
    """The model as an unquantised file; nobody may change it."""
    return write_gguf(tmp_path_factory.mktemp("gguf") / "Tiny-Llama.F32.gguf", tiny_llama)
