"""Training from Python: the same runs as elsewhere, on tasks, own rows and models in memory."""

import pandas as pd
import pytest
from support.bases import build_tiny
from support.commands import SHORT, printed

import peftcore
from peftcore.training import planning

FEW = {"steps": 3, "shots": 6, "dev": 2, "batch": 1, "limit": 3, "max_new_tokens": 2}
ROWS = [
    {"text": f"a {word} {thing}", "label": label}
    for word, label in (("good", "positive"), ("bad", "negative"))
    for thing in ("film", "book", "song", "play", "game", "meal", "day", "year")
]


@pytest.fixture(scope="module")
def base():
    return peftcore.load_base("tiny-t5", device="cpu")


def test_python_and_the_command_line_make_the_same_run(base):
    command = printed(
        "train", "--base", "tiny-t5", "--task", "miniworld_nli", "--method", "lora", *SHORT
    )
    reports = []
    adaptation = peftcore.adapt(base, "lora", seeds=2)
    found = peftcore.train(adaptation, "miniworld_nli", report=reports.append, **FEW)
    assert found.run.id == command["run"]
    assert not reports  # it was done already
    again = peftcore.train(adaptation, "miniworld_nli", again=True, report=reports.append, **FEW)
    assert reports
    assert again.run.scores() == {
        name: values["seeds"] for name, values in command["scores"].items()
    }
    assert peftcore.train(found.run.spec).run.id == found.run.id


def test_own_rows_train_an_encoder_that_is_in_memory():
    tiny = build_tiny("bert")
    base = peftcore.load_base(tiny.model, tiny.tokenizer, name="mine")
    assert base.name == f"mine-{tiny.fingerprint}"
    adaptation = peftcore.adapt(base, "lora", seeds=1)
    trained = peftcore.train(
        adaptation, pd.DataFrame(ROWS), steps=2, shots=4, dev=2, batch=2, limit=2
    )
    assert trained.run.status().state == "done"
    assert trained.predict(["a good film"])[0] in {"positive", "negative"}
    assert (
        peftcore.evaluate(trained, limit=2)["accuracy"].tolist() == trained.run.scores()["accuracy"]
    )
    with pytest.raises(peftcore.BadInput, match="the head was trained for the labels"):
        peftcore.evaluate(trained, "miniworld_nli")


def test_a_base_in_memory_gives_the_spec_of_its_name(base):
    by_name = planning.build_spec("tiny-t5", "miniworld_nli", "spt", {"length": 4})
    assert planning.build_spec(base, "miniworld_nli", "spt", {"length": 4}) == by_name


def test_evaluating_again_gives_the_scores_of_the_run(base):
    run = next(
        r for r in peftcore.RunStore().all() if (r.spec.base, r.spec.method) == ("tiny-t5", "lora")
    )
    trained = peftcore.TrainedAdapter(run, base)
    answered = trained.answers.query("seed == 0").head(4)
    texts = answered["source"].tolist()
    assert trained.predict(texts) == answered["text"].tolist()
    assert trained.scores["mean"].notna().all()
    assert set(trained.history["seed"]) == set(run.spec.population.seed_numbers())


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        (lambda base: peftcore.adapt(base, "lora", lenght=3), "no setting 'lenght'"),
        (lambda base: peftcore.adapt(base, "loraa"), "did you mean 'lora'"),
        (lambda base: peftcore.train(peftcore.adapt(base, "lora")), "name a task"),
        (
            lambda base: peftcore.train(peftcore.adapt(base, "lora"), "miniworld_nli", step=2),
            "step",
        ),
        (lambda base: peftcore.train(peftcore.adapt(base, "lora"), []), "there are no rows"),
        (lambda base: peftcore.load_base(base.model), "needs its tokenizer"),
        (lambda base: peftcore.load_base("tiny-t5", name="mine"), "a stored base has its own"),
        (lambda base: peftcore.compare([]), "no runs to compare"),
    ],
)
def test_mistakes_are_named(base, mistake, sentence):
    with pytest.raises(peftcore.BadInput, match=sentence):
        mistake(base)
