"""The device of these tests: a card, or the processor, where their own mistakes show."""

import os

import pytest
import torch


@pytest.fixture(scope="session")
def device():
    """cuda, unless PEFTCORE_TEST_DEVICE names another."""
    name = os.environ.get("PEFTCORE_TEST_DEVICE", "cuda")
    if name == "cuda" and not torch.cuda.is_available():
        pytest.skip("no card here")
    return name
