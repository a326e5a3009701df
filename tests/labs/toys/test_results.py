"""Results that ship: whole, and what the page says of them."""

import pytest

from peftcore.labs.toys import results
from peftcore.labs.toys.recipes import find_recipe


def test_what_is_shipped_supports_what_the_page_says():
    rows = {
        (row.adaptation, row.task): row
        for row in results.result_rows(
            results.shipped_folder(), find_recipe("01"), results.SHIPPED_SEEDS
        )
    }
    assert len(rows["pretrained", "ascending"].seeds) == 5
    assert rows["pretrained", "ascending"].mean >= 90
    assert rows["fine-tuned: descending", "descending"].mean >= 90
    assert rows["prefix: descending", "descending"].mean <= 2


@pytest.mark.parametrize("number", ["02", "03", "04"])
def test_every_experiment_is_shipped_whole_with_five_seeds(number):
    rows = list(
        results.result_rows(results.shipped_folder(), find_recipe(number), results.SHIPPED_SEEDS)
    )
    found = {(row.adaptation, row.task): row for row in rows}
    assert {row.adaptation for row in rows} == {stage.name for stage in find_recipe(number).stages}
    assert all(len(row.seeds) == 5 for row in rows)
    if number == "02":  # what a prefix elicits is the skill it was made for
        for task in ("ascending", "descending", "add1", "add2"):
            own = found[f"prefix: {task}", task].mean
            assert own > found["pretrained", task].mean + 30
            others = [row.mean for row in rows if row.adaptation == f"prefix: {task}"]
            assert sorted(others)[-2] < 6
    if number == "04":  # equally many numbers
        prefix, lora = (found[f"{w}: histogram", "histogram"] for w in ("prefix", "rank-1 LoRA"))
        assert prefix.numbers == lora.numbers
        assert prefix.mean < prefix.constant < lora.low
        assert found["rank-1 LoRA: ascending_add1", "ascending_add1"].mean > 90


def test_skills_are_counted_by_pretrained_models_that_reach_them():
    def row(task, seeds):
        mean = sum(seeds) / len(seeds)
        return results.ResultRow("m", f"prefix: {task}", task, task, 96, mean, 0, 1, seeds, 1, None)

    assert results.elicited_in_words([row("add1", [94.0, 93.9, 100.0])]) == (
        "reached by pretrained models: add one to each digit 94 % in 2 of 3"
    )
    assert results.elicited_in_words([]) == ""
