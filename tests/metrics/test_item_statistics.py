"""What single answers add to a metric gives the metric again, on every run that ships."""

import numpy as np
import pytest

from peftcore import paths
from peftcore.analysis.item_tables import table_of_answers
from peftcore.metrics import item_statistics
from peftcore.runs.store import RunStore


@pytest.mark.parametrize("folder", ["demo_runs", "sweep_runs"])
def test_statistics_of_answers_give_the_scores_of_their_run(folder):
    where = paths.ASSETS / folder
    seen = set()
    for run in RunStore(where).all(include_demos=False):
        answers = run.answers()
        for metric, values in run.scores().items():
            table = table_of_answers(answers, metric)
            if table is not None:
                seen.add(metric)
                assert table.seed_values() == pytest.approx(np.array(values), abs=1e-9), metric
    assert {"accuracy", "f1", "matthews", "broken", "normalised_chrf", "ratio_chrf"} <= seen


def test_bleu_without_a_match_of_some_order_is_smoothed_as_sacrebleu_does():
    from sacrebleu.metrics.bleu import BLEU

    texts, golds = ["the cat sat", "a dog ran off"], [["the cat stood", "a bird ran on"]]
    metric = BLEU(force=True)
    counts = np.array(metric._extract_corpus_statistics(texts, golds), dtype=float)
    found = item_statistics.bleu_of_counts(counts.mean(0), len(texts))
    assert float(found) == pytest.approx(metric.corpus_score(texts, golds).score)


def test_a_metric_without_parts_by_item_has_none():
    where = paths.ASSETS / "demo_runs"
    answers = RunStore(where).all(include_demos=False)[0].answers()
    assert item_statistics.answer_statistics(answers, "spearman") is None
    assert table_of_answers(answers, "spearman") is None
    assert table_of_answers(answers.iloc[:0], "accuracy") is None


def test_without_the_gold_texts_nothing_is_counted_by_them():
    """Runs on data of others ship without texts, and where these are not at hand none is known."""
    where = paths.ASSETS / "demo_runs"
    run = next(
        r for r in RunStore(where).all(include_demos=False) if r.spec.task == "miniworld_nli"
    )
    bare = run.answers().assign(target="", references=[[]] * len(run.answers()))
    for metric in ("broken", "rougeL", "explanation_chrf", "normalised_chrf"):
        assert table_of_answers(bare, metric) is None, metric
    assert table_of_answers(bare, "accuracy") is not None
