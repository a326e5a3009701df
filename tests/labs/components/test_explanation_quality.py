"""What a run's explanations are worth, from the run's own files."""

import pytest
from support.runs import make_run

from peftcore.errors import BadInput
from peftcore.labs.components import explanation_quality
from peftcore.runs.store import RunStore


def test_every_answer_is_judged_and_measured():
    found = explanation_quality.evaluate_explanations(make_run("lora", population={"seeds": 2}))
    assert len(found.answers) == 2 * 24
    assert found.tokens_counted
    assert found.reads_labels
    right = found.answers[found.answers["explanation"].notna() & found.answers["correct"]]
    assert right["chrf"].max() == pytest.approx(100)
    assert found.scores["accuracy"] == pytest.approx(found.answers["correct"].mean())


def test_answers_cut_at_the_limit_are_flagged_by_their_tokens():
    run = make_run("lora", population={"seeds": 1}, evaluation={"limit": 24, "max_new_tokens": 4})
    assert explanation_quality.evaluate_explanations(run).shares["endless"] > 0.9


def test_a_base_without_a_tokenizer_at_hand_leaves_lengths_unknown():
    found = explanation_quality.evaluate_explanations(
        make_run("lora", base="gone", population={"seeds": 1})
    )
    assert not found.tokens_counted
    assert found.shares["endless"] == 0


def test_gold_explanations_of_entailment_raise_hardly_any_flag():
    found = explanation_quality.gold_flag_shares("miniworld_nli")
    assert found["sound"] > 0.95
    assert found["contradicts"] < 0.05


def test_right_reasons_for_wrong_labels_contradict_them():
    """Soft prompts explain well, and judge at chance in words that the base has to spell."""
    task, method = "miniworld_nli", "prompt_tuning"
    shipped = [r for r in RunStore().all() if (r.spec.task, r.spec.method) == (task, method)]
    run = next(run for run in shipped if run.demo)
    found = explanation_quality.evaluate_explanations(run)
    odd = found.answers[found.answers["contradicts"]]
    assert found.shares["contradicts"] > 0.5
    assert odd["correct"].mean() < 0.2


def test_tasks_without_explanations_and_runs_without_answers_are_refused():
    with pytest.raises(BadInput, match="asks for no explanation"):
        explanation_quality.evaluate_explanations(make_run("lora", "miniworld_venues"))
    waiting = RunStore().create(make_run("lora").spec.model_copy(update={"method": "spt"}))
    with pytest.raises(BadInput, match="has no answers yet: it is queued"):
        explanation_quality.evaluate_explanations(waiting)
