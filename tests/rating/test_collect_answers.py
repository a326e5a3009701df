"""Questions and answers of finished runs, for a rating project."""

import pytest
from support.runs import make_run

from peftcore.errors import BadInput
from peftcore.rating.collect_answers import collect_answer_pool
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import RunStore


def test_every_answer_of_every_seed_is_in_the_pool_under_its_example():
    runs = [make_run("lora"), make_run("spt")]
    pool = collect_answer_pool(runs)
    seeds = runs[0].spec.population.seeds
    for run in runs:
        table = run.answers()
        found = pool.answers[run.id]
        assert found.keys() == set(table["example"])
        assert all(len(answers) == seeds for answers in found.values())
    assert pool.questions.keys() == set(runs[0].answers()["example"])


def test_what_cannot_be_rated_is_refused_with_the_reason():
    with pytest.raises(BadInput, match="at least one run"):
        collect_answer_pool([])
    explained, labelled = make_run("lora"), make_run("lora", "miniworld_sentiment")
    with pytest.raises(BadInput, match="one task; these runs are of miniworld_nli, miniworld_sent"):
        collect_answer_pool([explained, labelled])
    with pytest.raises(BadInput, match="has no explanations"):
        collect_answer_pool([labelled])
    fresh = RunStore().create(RunSpec.make(explained.spec.model_dump() | {"method": "ia3"}))
    with pytest.raises(BadInput, match="has no answers yet: it is queued"):
        collect_answer_pool([fresh])
