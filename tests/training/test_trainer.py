import math

import pytest
import torch

from peftcore import tasks
from peftcore.data.task import Episode, Example
from peftcore.models.base_model import load
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.spec import Members, RunSpec, Training
from peftcore.runs.store import RunStore
from peftcore.training.checkpoint import load_adapter
from peftcore.training.planning import build_adapted
from peftcore.training.trainer import (
    DevMeasure,
    Trainer,
    TrainingStopped,
    cosine_penalty,
    lr_multiplier,
    step_examples,
)

ROWS = tuple(
    Example(str(i), f"is {word} good?", answer)
    for i, (word, answer) in enumerate(
        [("tea", "yes"), ("mud", "no"), ("jam", "yes"), ("ice", "yes"), ("rust", "no")] * 4
    )
)


def episode(seed):
    return Episode(ROWS[seed : seed + 8], ROWS[seed + 8 : seed + 12])


def trainer(
    base,
    seeds=3,
    first=0,
    vertices=1,
    method="prefix_tuning",
    settings=None,
    draw="row",
    together=None,
    **training,
):
    spec = RunSpec(
        base="x",
        task="miniworld_nli",
        method=method,
        settings=settings or {"length": 3},
        population=Members(seeds=seeds, first_seed=first, vertices=vertices, draw=draw),
        training=Training.make(
            {
                "shots": 8,
                "dev": 4,
                "steps": 12,
                "batch": 3,
                "evaluate_every": 4,
                "precision": "fp32",
            }
            | training
        ),
    )
    adapted = build_adapted(base, spec)
    numbers = spec.population.seed_numbers()
    return Trainer(adapted, [episode(n) for n in numbers], ExampleBatcher(base, ()), spec, together)


def run(it, **given):
    reports = []
    it.run(reports.append, given.pop("stop", lambda: False), **given)
    return reports


@pytest.mark.parametrize("optimiser", ["adamw", "adafactor"])
@pytest.mark.parametrize(
    ("vertices", "more"),
    [(1, {}), (3, {}), (3, {"draw": "layer", "diversity": 0.5}), (3, {"draw": "batch"})],
)
def test_seeds_in_one_pass_equal_separate_trainings(tiny, optimiser, vertices, more):
    base = tiny("t5")
    together = trainer(base, 3, vertices=vertices, optimiser=optimiser, **more)
    run(together)
    for number in range(3):
        alone = trainer(base, 1, first=number, vertices=vertices, optimiser=optimiser, **more)
        run(alone)
        assert alone.seeds[0].best_step == together.seeds[number].best_step
        for name, tensor in alone.adapted.tensors.items():
            ours = together.adapted.tensors[name][number]
            torch.testing.assert_close(ours, tensor[0], rtol=1e-4, atol=1e-5)


GROUPS = [(1, 1, [1] * 5), (2, 1, [2, 2, 1]), (5, 2, [3, 2]), (2, 2, [2, 1, 1, 1])]


@pytest.mark.parametrize(("together", "at_once", "sizes"), GROUPS)
@pytest.mark.parametrize("more", [{}, {"vertices": 3, "diversity": 0.5}, {"method": "lora"}])
def test_seeds_in_groups_equal_all_at_once(tiny, together, at_once, sizes, more):
    given = {"settings": {"rank": 2}} | more if "method" in more else more
    whole, grouped = trainer(tiny("t5"), 5, **given), trainer(tiny("t5"), 5, **given)
    grouped.seeds_per_pass, grouped.concurrent_passes = together, at_once
    assert [len(g) for g in grouped._groups(whole.active_seeds)] == sizes
    run(whole), run(grouped)
    for state, other in zip(whole.seeds, grouped.seeds, strict=True):
        assert state.best_dev == pytest.approx(other.best_dev, rel=1e-5)
    for name, tensor in whole.adapted.tensors.items():
        torch.testing.assert_close(tensor, grouped.adapted.tensors[name], rtol=1e-4, atol=1e-5)


def no_room_on_a_processor():
    """Ask for more memory than any machine has."""
    torch.empty(10**15)


def no_room_on_a_card():
    raise torch.OutOfMemoryError


@pytest.mark.parametrize("refuse", [no_room_on_a_processor, no_room_on_a_card])
def test_fewer_seeds_ride_together_once_memory_runs_out(tiny, refuse):
    whole, small = trainer(tiny("t5"), 4), trainer(tiny("t5"), 4)
    read, refused = small._losses, []

    def with_little_memory(rows, *given, **more):
        if len(rows) > 1:
            refused.append(len(rows))
            refuse()
        return read(rows, *given, **more)

    small._losses = with_little_memory
    run(whole), run(small)
    assert refused == [4, 2]
    assert small.seeds_per_pass == 1
    for name, tensor in whole.adapted.tensors.items():
        torch.testing.assert_close(tensor, small.adapted.tensors[name], rtol=1e-4, atol=1e-5)


def test_memory_that_is_too_small_for_one_seed_is_an_error(tiny):
    it = trainer(tiny("t5"), 2)

    def never(*given, **more):
        raise torch.OutOfMemoryError

    it._losses = never
    with pytest.raises(torch.OutOfMemoryError):
        it.train_step()


def test_training_lowers_the_dev_loss_and_keeps_the_best_step(tiny):
    it = trainer(tiny("t5"), steps=40, learning_rate=0.05)
    reports = run(it)
    first = next(r.dev for r in reports if r.step == 0)
    for state, before in zip(it.seeds, first, strict=True):
        assert state.best_dev < before
    again = it.evaluate_dev()
    for state, now in zip(it.seeds, again, strict=True):
        assert now == pytest.approx(state.best_dev, rel=1e-4)


KEPT = {"rank": 2, "components": ["attention.query"]}  # leaves the encoder alone


@pytest.mark.parametrize("at", [1, 4, 7, 11])
@pytest.mark.parametrize(("method", "settings"), [("prefix_tuning", {"length": 3}), ("lora", KEPT)])
def test_a_run_resumes_from_its_checkpoint_to_the_same_bytes(tiny, tmp_path, method, settings, at):
    """Killed between looks at dev or at one, and with or without states that are kept."""
    path = tmp_path / "checkpoint.safetensors"
    build = lambda: trainer(tiny("t5"), method=method, settings=settings)
    whole, first, second = build(), build(), build()
    assert whole.keeps_states is (method == "lora")
    reports = run(whole)
    with pytest.raises(TrainingStopped):
        run(first, stop=lambda: first.step >= at, checkpoint=lambda it: it.save(path))
    second.restore(path)
    assert second.step == at
    again = {report.step: report for report in run(second)}
    for name, tensor in whole.adapted.tensors.items():
        assert torch.equal(tensor, second.adapted.tensors[name])
    for report in (report for report in reports if report.step > at and report.dev):
        assert again[report.step].dev == report.dev
        assert again[report.step].losses == report.losses  # the mean since the look before, too


def test_states_of_examples_are_planned_as_an_undisturbed_run_meets_them(tiny):
    it = trainer(tiny("t5"), method="lora", settings=KEPT)
    planned = it.cached_batcher.planned
    assert len(planned) == len(
        {(e.id, e.source) for i in range(3) for e in (*episode(i).train, *episode(i).dev)}
    )
    run(it)
    assert all(each.done for each in planned.values())
    assert set(it.cached_batcher.encoder_store.rows) == set(planned)


def test_stopping_takes_effect_within_one_step_and_keeps_what_was_learnt(tiny):
    it = trainer(tiny("t5"), steps=40, learning_rate=0.05)
    calls = iter(range(100))
    with pytest.raises(TrainingStopped):
        run(it, stop=lambda: next(calls) >= 7)
    assert it.step == 7
    assert all(state.best_step > 0 for state in it.seeds)


def test_divergence_stops_the_seed_with_its_last_good_state_and_leaves_the_others(tiny):
    it = trainer(tiny("t5"), steps=12)
    poison = it.train_step
    healthy = trainer(tiny("t5"), steps=12)

    def poisoned():
        if it.step == 5:
            next(iter(it.adapted.tensors.values())).data[1] = math.nan
        return poison()

    it.train_step = poisoned
    run(it)
    run(healthy)
    assert "diverged at step 6" in it.seeds[1].stopped
    assert it.seeds[0].stopped is None
    for name, tensor in it.adapted.tensors.items():
        assert tensor.isfinite().all()
        torch.testing.assert_close(tensor[0], healthy.adapted.tensors[name][0])


def test_patience_stops_each_seed_on_its_own(tiny):
    it = trainer(tiny("t5"), steps=200, learning_rate=1.0, clip=1000, patience=2)
    run(it)
    assert it.step < 200
    assert all("no better dev loss in 2 looks" in state.stopped for state in it.seeds)


def test_an_epoch_shows_every_example_once():
    seen = [e.id for step in range(4) for e in step_examples(ROWS[:8], 3, step, 2)]
    assert sorted(seen) == [str(i) for i in range(8)]
    assert step_examples(ROWS[:8], 3, 0, 20)[:2] == step_examples(ROWS[:8], 3, 0, 2)


def test_the_learning_rate_rises_and_falls_to_zero():
    training = Training(steps=100, warmup=0.1)
    rates = [lr_multiplier(training, step) for step in range(101)]
    assert rates[0] == pytest.approx(1 / 11)
    assert max(rates) == rates[10] == 1.0
    assert rates[100] == 0.0
    assert lr_multiplier(Training(schedule="constant", warmup=0), 50) == 1.0


def test_stochastic_validation_judges_by_the_mean_over_copies_and_keeps_them_all(tiny):
    it = trainer(tiny("t5"), seeds=2, vertices=3, copies=5, steps=4)
    reports = [r for r in run(it) if r.dev is not None]
    for report in reports:
        assert [len(copies) for copies in report.copies] == [5, 5]
        for dev, copies in zip(report.dev, report.copies, strict=True):
            assert dev == pytest.approx(sum(copies) / 5)
            assert len(set(copies)) == 5  # every copy at points of its own
    assert reports[0].copies != reports[1].copies
    best = [min(r.dev[i] for r in reports) for i in range(2)]
    assert [s.best_dev for s in it.seeds] == pytest.approx(best)


def test_deterministic_validation_is_the_loss_of_the_centroid(tiny):
    base = tiny("t5")
    plain = trainer(base, seeds=2, vertices=3, validation="deterministic")
    drawn = trainer(base, seeds=2, vertices=3, copies=3)
    found = plain.evaluate_dev()
    assert plain.copies is None
    drawn.evaluate_dev()
    assert drawn.centroid == pytest.approx(found)


def test_likeness_of_two_vertices_is_their_squared_cosine():
    one, other = torch.tensor([[[3.0], [4.0]], [[1.0], [0.0]]]), torch.tensor([[[0.0], [1.0]]] * 2)
    # seed 0: (3, 0) and (4, 1), cosine 12 / (3 sqrt 17); seed 1: (1, 0) and (0, 1)
    found = cosine_penalty([one, other], [[0, 1], [1, 0]])
    torch.testing.assert_close(found, torch.tensor([144 / (9 * 17), 0.0]))


def test_diversity_drives_the_vertices_of_a_simplex_apart(tiny):
    alike = {}
    for weight in (0.0, 20.0):
        it = trainer(
            tiny("t5"), seeds=1, vertices=2, steps=30, learning_rate=0.05, diversity=weight
        )
        for tensor in it.adapted.tensors.values():  # two vertices that start almost equal
            tensor.data[:, 1] = tensor.data[:, 0] + 0.1 * tensor.data[:, 1]
        for _ in range(30):
            it.train_step()
        stacked = [t.detach() for t in it.adapted.tensors.values()]
        alike[weight] = float(cosine_penalty(stacked, [[0, 1]])[0])
    assert alike[20.0] < alike[0.0] - 0.2


def looks(monkeypatch, it, found):
    """Let looks at dev find these (loss, share of labels right), one after the other."""
    steps = iter(DevMeasure(*each) for each in found)
    monkeypatch.setattr(it, "_dev_measures", lambda seeds, copy: [next(steps)] * len(seeds))


CURVE = [(2.0, 0.25), (1.0, 0.75), (0.5, 0.5), (0.9, 0.75), (0.895, 0.75), (0.89, 0.5)]


def test_the_step_with_most_labels_is_kept_and_the_loss_breaks_ties(tiny, monkeypatch):
    it = trainer(tiny("t5"), seeds=1, steps=5, evaluate_every=1, select="labels")
    looks(monkeypatch, it, CURVE)
    reports = [r for r in run(it) if r.dev is not None]
    [seed] = it.seeds
    assert (seed.best_step, seed.best_dev, seed.best_score) == (4, 0.895, 0.75)
    assert [r.scores for r in reports] == [[score] for _, score in CURVE]
    by_loss = trainer(tiny("t5"), seeds=1, steps=5, evaluate_every=1)
    looks(monkeypatch, by_loss, CURVE)
    assert all(r.scores is None for r in run(by_loss))
    assert (by_loss.seeds[0].best_step, by_loss.seeds[0].best_score) == (2, None)


def test_a_seed_stops_once_neither_labels_nor_loss_get_better(tiny, monkeypatch):
    it = trainer(tiny("t5"), seeds=1, steps=9, evaluate_every=1, select="labels", patience=3)
    looks(monkeypatch, it, CURVE)
    run(it)
    # The loss of step 2 is the lowest; a fall by less than a hundredth is flat, too.
    assert it.seeds[0].stopped == "no better dev loss or labels in 3 looks"
    assert (it.step, it.seeds[0].best_step) == (5, 4)


def test_a_label_counts_as_right_where_greedy_search_writes_it():
    [demo] = [
        run
        for run in RunStore().all()
        if (run.spec.task, run.spec.method) == ("miniworld_nli", "lora") and run.demo
        if run.spec.base == "tiny-t5"
    ]
    base, task = load("tiny-t5"), tasks.find_task("miniworld_nli")
    adapted, answers = load_adapter(demo, base), demo.answers()
    rows = {row.id: row for row in task.load("test")}
    first = answers[answers["seed"] == 0].head(60)
    batch = ExampleBatcher(base, task.labels).batch([rows[i] for i in first["example"]])
    _, hits = adapted.one_seed(0).losses_and_hits(batch, adapted.one_seed(0).centroid())
    written = first["correct"].to_numpy(dtype=float)
    assert 0 < written.mean() < 1
    assert (hits.numpy() == written).mean() > 0.96  # the answers may be of another precision
