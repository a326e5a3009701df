"""The table of toys says what the files beside it hold."""

from peftcore.experiments import toy_tables
from peftcore.labs.toys import results
from peftcore.labs.toys.recipes import find_recipe


def rows(block):
    lines = [line.strip("|").split("|") for line in block.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line] for line in lines]


def test_each_cell_is_a_mean_of_the_seeds_that_ship():
    heads, _, *cells = rows(toy_tables.toys_block())
    assert f"mean of {len(results.SHIPPED_SEEDS)} seeds" in heads[5]
    recipe = find_recipe("02", "cpu")
    stage = next(each for each in recipe.stages if (each.kind, each.task) == ("prefix", "add1"))
    shipped = results.read_result(results.shipped_folder(), recipe, stage, results.SHIPPED_SEEDS)
    percent = sum(shipped.exact_match["add1"]) / len(results.SHIPPED_SEEDS)
    (row,) = [row for row in cells if row[:3] == ["02", stage.name, "add1"]]
    assert row[4] == f"{stage.steps:,}, {stage.rate:g} falling, {stage.starts}"
    assert row[5].startswith(f"{percent:.1f} (")


def test_every_experiment_has_rows_and_how_many_models_reach_a_skill_is_said():
    block = toy_tables.toys_block()
    assert {row[0] for row in rows(block)[2:]} == {"01", "02", "03", "04"}
    assert "Experiment 02, " in block
