import json

import pytest
from random_models import build_tiny

from peftcore import tasks
from peftcore.answering import PAIR, answer, answer_base
from peftcore.errors import BadInput
from peftcore.performing import load_adapter, perform
from peftcore.planning import estimate, plan
from peftcore.runs import RunStore

SMALL = {"shots": 9, "dev": 6, "steps": 4, "batch": 3, "evaluate_every": 2, "precision": "fp32"}


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Random bases "mine" (T5), "reader" (BERT) and "stranger" (T5 with other weights)."""
    for name, family, seed in (("mine", "t5", 0), ("reader", "bert", 0), ("stranger", "t5", 1)):
        base = build_tiny(family, seed)
        base.model.save_pretrained(tmp_path / name)
        base.tokenizer.save_pretrained(tmp_path / name)
    monkeypatch.setenv("PEFTCORE_MODELS", str(tmp_path))


def small(base="mine", method="prefix_tuning", task="miniworld_nli", **evaluation):
    return plan(
        base, task, method, None, {"seeds": 2}, SMALL,
        {"limit": 6, "max_new_tokens": 5} | evaluation,
    )  # fmt: skip


@pytest.mark.parametrize(("base", "task"), [("mine", "miniworld_nli"), ("reader", "miniworld_nli")])
def test_a_run_ends_with_answers_scores_and_an_adapter(own, base, task):
    spec = small(base, task=task)
    run = RunStore().create(spec)
    status = perform(run)
    assert status.state == "done"
    assert status.trainable > 0
    answers = run.answers()
    assert sorted(set(answers.seed)) == [0, 1]
    assert len(answers) == 12
    scores = run.scores()
    assert len(scores["accuracy"]) == 2
    for number in (0, 1):
        mine = answers[answers.seed == number]
        assert scores["accuracy"][number] == pytest.approx(mine.correct.mean())
    assert list(run.history().step.unique()) == [0, 2, 4]
    assert run.manifest()["base"]["fingerprint"]
    assert run.manifest()["data_hash"]
    assert not (run.folder / "checkpoint.safetensors").exists()


@pytest.mark.parametrize("base", ["mine", "reader"])
def test_a_saved_adapter_gives_the_answers_of_the_run(own, base):
    from peftcore.base import load

    run = RunStore().create(small(base, task="miniworld_sentiment"))
    perform(run)
    adapted = load_adapter(run, load(base))
    answers = run.answers()
    rows = {row.id: row for row in tasks.find("miniworld_sentiment").load("test")}
    for seed in (0, 1):
        mine = answers[answers.seed == seed]
        typed = [
            PAIR.join(rows[i].parts) if base == "reader" else rows[i].source for i in mine.example
        ]
        assert answer(run, adapted, typed, seed_index=seed) == list(mine.text)


def test_an_adapter_is_refused_on_another_base_of_the_same_shape(own):
    from peftcore.base import load

    run = RunStore().create(small())
    perform(run)
    with pytest.raises(BadInput, match="same shape is not the same model"):
        load_adapter(run, load("stranger"))


def test_cancelling_keeps_what_was_learnt_and_resuming_gives_the_uninterrupted_result(
    own, tmp_path
):
    spec = small()
    whole = RunStore(tmp_path / "a").create(spec)
    perform(whole)
    cut = RunStore(tmp_path / "b").create(spec)
    polls = iter(range(100))
    assert perform(cut, stop=lambda: next(polls) >= 3).state == "cancelled"
    assert (cut.folder / "adapter.safetensors").is_file()
    assert perform(cut).state == "done"
    read = lambda run: (run.folder / "adapter.safetensors").read_bytes()
    assert read(cut) == read(whole)
    assert cut.scores() == whole.scores()


def test_what_cannot_work_is_refused_with_the_reason(own):
    with pytest.raises(BadInput, match="reads but cannot write"):
        plan("reader", "miniworld_venues", "prefix_tuning")
    with pytest.raises(BadInput, match="needs a base of kind encoder"):
        plan("mine", "miniworld_nli", "linear_probe")
    with pytest.raises(BadInput, match=r"shots must lie in \[1, 5000\]; got 0"):
        plan("mine", "miniworld_nli", "lora", training={"shots": 0})


def test_a_prompt_and_text_longer_than_the_window_are_refused_before_training(own):
    spec = plan("reader", "miniworld_nli", "prompt_tuning", {"length": 200}, {"seeds": 1}, SMALL)
    with pytest.raises(BadInput, match="reader has 256: shorten the text or the prompt"):
        perform(RunStore().create(spec))


def test_equal_requests_are_one_run(own):
    rate = plan("mine", "miniworld_nli", "lora").training.learning_rate
    asked = plan("mine", "miniworld_nli", "lora", {"rank": 8}, training={"learning_rate": rate})
    assert asked.id == plan("mine", "miniworld_nli", "lora").id
    assert json.loads(asked.canonical())["settings"]["alpha"] == 16.0


def test_an_estimate_states_exact_numbers(own):
    from peftcore.base import load

    found = estimate(small(), load("mine"))
    sites, heads, length, width = 6, 2, 10, 8
    assert found.trainable == sites * 2 * heads * length * width
    assert found.total == build_tiny("t5").parameters
    assert found.seconds > 0


def test_typed_text_is_answered_by_the_untouched_base_or_refused():
    assert isinstance(answer_base(build_tiny("t5"), ["hello"], 4)[0], str)
    with pytest.raises(BadInput, match="cannot write"):
        answer_base(build_tiny("bert"), ["hello"])
    with pytest.raises(BadInput, match="type a text first"):
        answer_base(build_tiny("t5"), [" "])


def test_a_method_learns_at_the_rate_that_suits_the_kind_of_base(own):
    on_writer = plan("mine", "miniworld_nli", "lora").training.learning_rate
    on_reader = plan("reader", "miniworld_nli", "lora").training.learning_rate
    assert (on_writer, on_reader) == (0.005, 0.002)
    assert (
        plan(
            "reader", "miniworld_nli", "lora", training={"learning_rate": 0.1}
        ).training.learning_rate
        == 0.1
    )
