import pytest

from peftcore.adapters.base import METHODS, Adapter


@pytest.mark.parametrize("name", list(METHODS))
def test_what_a_method_injects_follows_from_the_function_it_overrides(name):
    """A head overrides none of them, and only a method that joins others more than one."""
    method = METHODS[name]
    overridden = [
        injection
        for function, injection in [
            ("soft_tokens", "prompt"),
            ("prefix", "prefix"),
            ("transform_output", "output"),
            ("read", "text"),
        ]
        if getattr(method, function) is not getattr(Adapter, function)
    ]
    assert (method.injects == "several") == (len(overridden) > 1) == (name == "unipelt")
    if len(overridden) <= 1:
        assert overridden == ([] if method.injects is None else [method.injects])
    assert (method.injects is None) == (name == "linear_probe")


def test_positions_are_added_by_prompts_and_prefixes_but_only_prompts_take_the_window():
    def added(name, settings):
        config = METHODS[name].Config.make(settings)
        return METHODS[name].virtual_tokens(config), METHODS[name].prompt_length(config)

    assert added("prompt_tuning", {"length": 7}) == (7, 7)
    assert added("spt", {"length": 7}) == (7, 7)
    assert added("prefix_tuning", {"length": 7}) == (7, 0)
    assert added("lora", {}) == (0, 0)
    assert added("linear_probe", {}) == (0, 0)
