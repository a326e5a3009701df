"""The tuning budget, drawn and in words."""

from app.figures import tuning
from app.figures.theme import RunStyle
from peftcore.runs.store import RunStore
from peftcore.sweeps import learning_rate, tuning_budget
from peftcore.sweeps.grid import vary
from peftcore.training.planning import build_spec

SPEC = build_spec("tiny-t5", "miniworld_nli", "lora", training={"learning_rate": 0.002})


def finished(store, spec, loss):
    run = store.create(spec)
    seed = {"seed": 0, "best_step": 1, "best_dev": loss, "stopped": None}
    run.write_status(state="done", seeds=[seed])
    return run


def test_the_figure_reads_methods_off_at_equally_many_tries(tmp_path):
    store = RunStore(tmp_path)
    budgets = []
    for rank, count in ((2, 3), (4, 2)):
        spec = vary(SPEC, {"settings.rank": rank})
        rates = [0.001 * (n + 1) for n in range(count)]
        runs = [
            finished(store, each, 1.0 + rank)
            for each in learning_rate.search_specs(spec, rates, steps=20)
        ]
        budgets.append(tuning_budget.find_budget(runs[0], runs))
    curves = tuning_budget.budget_curves(budgets)
    styles = {
        budget.run: RunStyle(f"method {n}", "#123456", "circle", "solid")
        for n, budget in enumerate(budgets)
    }
    figure = tuning.tuning_budget(curves, styles)
    assert [len(trace.x) for trace in figure.data] == [3, 2]
    assert tuning.fewest_tries(curves) == 2
    assert "of 2 tries: method 0 3.000, method 1 5.000" in tuning.tuning_budget_alt(curves, styles)
