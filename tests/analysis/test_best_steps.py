"""Seeds that are best at an end of training are counted and named."""

from support.runs import make_run

from peftcore.analysis.best_steps import BestSteps, best_steps, kept_by, notes


def ended(run, *steps):
    run.write_status(seeds=[{"seed": n, "best_step": step} for n, step in enumerate(steps)])
    return run


def test_seeds_at_the_start_and_at_the_last_step_are_counted(home):
    run = ended(make_run("lora"), 0, 25, 200, 200)
    assert run.spec.training.steps == 200
    found = best_steps(run)
    assert found == BestSteps(1, 2, 4)
    assert found.in_words() == (
        "1 of 4 seeds best before the first step, 2 of 4 seeds best at the last step"
    )
    other = ended(make_run("spt"), 50, 75, 100, 125)
    assert best_steps(other).in_words() == ""
    first, second = notes([run, other], {run.id: "LoRA", other.id: "SPT"})
    assert first.endswith("the start: LoRA (1 of 4 seeds).")
    assert second.endswith("may help: LoRA (2 of 4 seeds).")


def test_runs_that_kept_steps_by_loss_and_by_labels_are_both_named(home):
    trainings = [
        make_run("lora", training={"select": each}).spec.training for each in ("loss", "labels")
    ]
    assert kept_by(trainings[:1] * 2) == "lowest validation loss"
    assert kept_by(trainings) == (
        "lowest validation loss, or with the most validation labels right, the loss breaking ties"
    )
