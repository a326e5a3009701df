"""What options stand for: values of settings, folders of data, shares of two runs."""

import pytest

from peftcore import paths
from peftcore.cli import options
from peftcore.errors import BadInput


def test_the_data_option_sets_the_folder_for_this_process(home, tmp_path, monkeypatch):
    monkeypatch.setenv("PEFTCORE_DATA", "/elsewhere")
    options.use_data(tmp_path)
    assert paths.data_folder() == tmp_path
    options.use_data(None)
    assert paths.data_folder() == tmp_path


def test_values_of_settings_read_as_json_or_as_text():
    assert options.parse_setting("rank=4") == ("rank", 4)
    assert options.parse_setting('components=["a", "b"]') == ("components", ["a", "b"])
    assert options.parse_setting("optimiser=adafactor") == ("optimiser", "adafactor")
    assert options.parse_setting("a=b=c") == ("a", "b=c")
    with pytest.raises(BadInput):
        options.parse_setting("=4")


def test_a_setting_lies_in_the_part_of_the_spec_that_knows_it():
    found = options.spec_sections(
        "lora", ["rank=2", "stacks=decoder", "dev=3"], seeds=2, steps=None
    )
    assert found["settings"] == {"rank": 2, "stacks": ["decoder"]}
    assert (found["training"], found["population"]) == ({"dev": 3}, {"seeds": 2})
    with pytest.raises(BadInput, match="did you mean 'rank'"):
        options.spec_sections("lora", ["rnak=2"])


def test_shares_are_two_numbers():
    assert options.parse_shares("1,0.5") == (1.0, 0.5)
    for wrong in ("1", "1,2,3", "much,less"):
        with pytest.raises(BadInput, match="two numbers"):
            options.parse_shares(wrong)
