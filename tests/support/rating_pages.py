"""A store of ratings for tests of pages; a conftest.py imports the fixture."""

import pytest

from app.state import rating_store
from support import ratings as rated


@pytest.fixture
def book():
    store = rating_store.rating_store()
    store.new_id = rated.counted()  # sides follow from ids: by chance no pair is disputed
    return store
