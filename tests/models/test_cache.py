import pytest

from peftcore.models.cache import BaseModelCache


def test_two_bases_are_kept_and_the_longest_unused_makes_room():
    loaded = []
    cache = BaseModelCache(lambda name, device: loaded.append((name, device)) or name)
    assert [cache.get(name, "cpu") for name in "abacab"] == list("abacab")
    assert loaded == [("a", "cpu"), ("b", "cpu"), ("c", "cpu"), ("b", "cpu")]


def test_a_base_that_cannot_be_loaded_is_asked_for_again():
    tries = []

    def load(name, device):
        tries.append(name)
        if len(tries) == 1:
            raise OSError("no such file")
        return name

    cache = BaseModelCache(load)
    with pytest.raises(OSError, match="no such"):
        cache.get("a", "cpu")
    assert cache.get("a", "cpu") == "a"
