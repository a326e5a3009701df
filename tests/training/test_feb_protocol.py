"""FEB to the letter: rows drawn for every episode, and its rules for broken answers."""

import pytest
from support.short_runs import SMALL, small

from peftcore import tasks
from peftcore.analysis.item_tables import table_of_answers
from peftcore.data.task import Answer
from peftcore.errors import BadInput
from peftcore.metrics import scores
from peftcore.runs.store import RunStore
from peftcore.sweeps.seed_shards import join_shards, split_into_shards, store_for
from peftcore.training import evaluation
from peftcore.training.planning import build_spec
from peftcore.training.run_training import execute_run


@pytest.mark.parametrize(
    ("text", "label", "broken", "ours"),
    [
        ("neutral because it is open", "neutral", False, False),
        ("neutral because", None, True, False),  # nothing behind it: ours counts the label
        ("neutral", None, True, True),
        ("perhaps because it is open", None, False, True),  # wrong, yet not broken
        ("perhaps", None, True, True),
    ],
)
def test_the_rules_for_broken_answers(text, label, broken, ours):
    task = tasks.find_task("miniworld_nli")
    gold = [next(e for e in task.load("test") if e.label == "neutral")]
    answer = task.parse(text)
    [judged] = scores.judge_as_benchmark([answer])
    assert judged.label == label
    assert judged.text == answer.text
    found = scores.benchmark_scores(task.score([judged], gold), [judged])
    assert found["accuracy"] == float(label == "neutral")
    assert found["feb_broken"] == float(broken)
    assert "broken" not in found
    assert task.score([answer], gold)["broken"] == float(ours)


def test_every_episode_draws_rows_of_its_own_and_none_that_it_has_seen():
    task = tasks.find_task("miniworld_nli")
    training = {"shots": 9, "dev": 12}
    options = {"split": "validation", "limit": 30, "protocol": "feb"}
    spec = build_spec("tiny-t5", task.name, "lora", None, {"seeds": 2}, training, options)
    drawn = [evaluation.examples_of_seed(task, spec, seed) for seed in (0, 1)]
    assert [len(rows) for rows in drawn] == [30, 30]
    first, second = ({row.id for row in rows} for rows in drawn)
    assert first != second
    assert drawn[0] == evaluation.examples_of_seed(task, spec, 0)
    for seed, ids in enumerate((first, second)):
        assert ids.isdisjoint(row.id for row in task.few_shot(9, seed, 12).dev)
    assert [row.label for row in drawn[0]].count("neutral") == 10
    shared = spec.model_copy(
        update={"evaluation": spec.evaluation.model_copy(update={"protocol": "shared"})}
    )
    same = [evaluation.examples_of_seed(task, shared, seed) for seed in (0, 1)]
    assert same[0] == same[1] == evaluation.examples_to_answer(task, shared.evaluation)


def test_a_run_by_the_protocol_has_its_own_id_and_joins_from_parts(own):
    spec = small("mine", protocol="feb")
    assert spec.id != small("mine").id
    assert small("mine", protocol="shared").id == small("mine").id
    run = RunStore().create(spec)
    assert execute_run(run).state == "done"
    answers = run.answers()
    ids = [set(answers[answers.seed == seed].example) for seed in (0, 1)]
    assert [len(each) for each in ids] == [6, 6]
    assert ids[0] != ids[1]
    for seed in (0, 1):
        own_answers = answers[answers.seed == seed]
        assert run.scores()["accuracy"][seed] == pytest.approx(own_answers.correct.mean())
        assert run.scores()["feb_broken"][seed] == own_answers.explanation.isna().mean()
    assert table_of_answers(answers, "accuracy") is None  # no item has both seeds
    store = RunStore(run.folder.parent.parent / "other")
    shards = []
    for part in split_into_shards(spec, 1):
        shards.append(store_for(store, spec, part).create(part))
        execute_run(shards[-1])
    joined = join_shards(store, spec, shards)
    assert joined.answers().example.to_list() == answers.example.to_list()


def test_one_seed_answers_as_it_does_among_others(own):
    from peftcore.models.base_model import load
    from peftcore.models.batching import ExampleBatcher
    from peftcore.training.checkpoint import load_adapter

    run = RunStore().create(small("mine", vertices=3))
    execute_run(run)
    base, task = load("mine"), tasks.find_task(run.spec.task)
    adapted, batcher = load_adapter(run, base), ExampleBatcher(base, task.labels)
    rows = evaluation.examples_to_answer(task, run.spec.evaluation)
    ask = lambda model: evaluation.answer_examples(model, task, rows, batcher, run.spec.evaluation)
    together = ask(adapted)
    assert [ask(adapted.one_seed(index))[0] for index in (0, 1)] == together


def test_a_task_without_explanations_is_refused():
    with pytest.raises(BadInput, match="judges a label with its explanation"):
        build_spec("tiny-t5", "miniworld_sentiment", "lora", None, None, SMALL, {"protocol": "feb"})


def test_an_answer_keeps_its_text_when_it_is_judged():
    kept = Answer("yes because of it", "yes", "of it")
    assert scores.judge_as_benchmark([kept]) == [kept]
