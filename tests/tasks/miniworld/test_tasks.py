"""Tasks of Miniworld: splits that share nothing, rows that are always the same, scores."""

import pytest

from peftcore.data.task import TASKS, Answer

NAMES = [
    f"miniworld_{n}"
    for n in ("claims", "nli", "nonsense", "qa", "venues", "triples", "sentiment", "paraphrase")
]


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_the_same_in_every_process_and_splits_never_share_a_text(name):
    task = TASKS[name]()
    rows = {split: task.load(split) for split in ("train", "validation", "test")}
    assert [len(r) for r in rows.values()] == [600, 200, 200]
    sources = [row.source for split in rows.values() for row in split]
    assert len(set(sources)) == len(sources)
    ids = [row.id for split in rows.values() for row in split]
    assert len(set(ids)) == len(ids)
    assert task.load("test") == rows["test"]


def test_rows_of_a_fresh_interpreter_have_the_same_hash():
    import subprocess
    import sys

    code = "from peftcore.data.task import TASKS; print(TASKS['miniworld_nonsense']().data_hash())"
    fresh = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": "."},
    )  # fmt: skip
    assert fresh.stdout.strip() == TASKS["miniworld_nonsense"]().data_hash()


@pytest.mark.parametrize("name", NAMES)
def test_gold_targets_parse_and_score_as_perfect(name):
    task = TASKS[name]()
    rows = task.load("test")
    answers = [task.parse(row.target) for row in rows]
    scores = task.score(answers, rows)
    best = 100.0 if task.kind == "generate" else 1.0
    assert scores[task.main_metric] == pytest.approx(best)
    if task.labels:
        assert {row.label for row in rows} == set(task.labels)
        counts = [sum(row.label == label for row in rows) for label in task.labels]
        assert max(counts) - min(counts) <= 1


def test_an_unreadable_answer_is_wrong():
    task = TASKS["miniworld_nli"]()
    rows = task.load("test")[:6]
    assert task.score([Answer("perhaps")] * 6, rows)["accuracy"] == 0


def test_triples_score_seen_and_unseen_categories_apart():
    task = TASKS["miniworld_triples"]()
    rows = task.load("test")
    answers = [task.parse(r.target if "/seen/" in r.id else "nothing at all") for r in rows]
    scores = task.score(answers, rows)
    assert scores["bleu_seen"] == pytest.approx(100)
    assert scores["bleu_unseen"] < 1
    assert not any("/unseen/" in row.id for row in task.load("train"))


def test_claims_are_the_rows_of_entailment_in_other_words():
    claims, nli = TASKS["miniworld_claims"](), TASKS["miniworld_nli"]()
    words = dict(zip(nli.labels, claims.labels, strict=True))
    for one, other in zip(claims.load("test"), nli.load("test"), strict=True):
        assert one.source == other.source
        assert one.label == words[other.label]
        assert one.target == other.target.replace(other.label, one.label, 1)
