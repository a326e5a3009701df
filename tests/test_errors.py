"""A name that nobody knows is answered by close ones, and by all there are."""

from peftcore.errors import BadInput, unknown_name


def test_close_names_come_first_and_all_are_listed():
    error = unknown_name("method", "lroa", ["lora", "ia3"])
    assert isinstance(error, BadInput)
    assert str(error) == "no method 'lroa'; did you mean 'lora'? known: ia3, lora"


def test_without_a_close_name_only_those_there_are():
    assert str(unknown_name("task", "xyz", ["b", "a"])) == "no task 'xyz'; known: a, b"


def test_where_there_is_none_it_says_so():
    assert str(unknown_name("task", "x", [])) == "no task 'x'; known: none"
