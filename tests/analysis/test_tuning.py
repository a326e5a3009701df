"""Learning rates that each method was tried with."""

from support.runs import make_run

from peftcore.analysis import tuning


def test_rates_count_once_by_base_task_and_method():
    lora = make_run("lora", training={"learning_rate": 0.1})
    kept = [make_run("lora", training={"learning_rate": 0.2, "steps": 80}), lora]
    kept += [make_run("lora", "miniworld_venues", training={"learning_rate": 0.3})]
    spt = make_run("spt", training={"learning_rate": 0.1})
    found = tuning.count_rates([lora, spt], kept)
    assert found == {lora.id: 2, spt.id: 1}
    words = tuning.tries_in_words(found, {lora.id: "LoRA", spt.id: "SPT"})
    assert "LoRA 2, SPT 1; a method with more tries has an advantage" in words


def test_equal_numbers_are_named_once():
    assert tuning.tries_in_words({"a": 3, "b": 3}, {}).startswith("Each method was tried with 3")
