"""Seeds whose score is no number are named, all of them, and no other."""

import math

from support.runs import make_run

from peftcore.analysis.missing_scores import missing_in_words, missing_seeds


def with_scores(**scores):
    run = make_run(population={"seeds": 4, "first_seed": 5})
    run.write_scores(scores)
    return run


def test_infinite_and_undefined_scores_are_missing_by_the_number_of_their_seed():
    run = with_scores(accuracy=[0.5, math.inf, math.nan, 0.0], f1=[0.1, 0.2, 0.3, 0.4])
    assert missing_seeds(run, "accuracy") == [6, 7]
    assert missing_seeds(run, "f1") == missing_seeds(run, "unknown") == []
    assert missing_in_words([run], ["accuracy", "f1"], {run.id: "LoRA"}) == [
        "LoRA: accuracy is no number for 2 of 4 seeds (6, 7), so its mean is that of the others"
    ]


def test_metrics_that_lack_the_same_seeds_share_a_sentence():
    run = with_scores(accuracy=[math.nan] * 4, f1=[math.nan] * 4, rouge=[math.nan, 1.0, 1.0, 1.0])
    assert missing_in_words([run], ["accuracy", "f1", "rouge"]) == [
        f"{run.id}: accuracy, f1 is no number for any of its 4 seeds",
        f"{run.id}: rouge is no number for 1 of 4 seeds (5), so its mean is that of the others",
    ]


def test_scores_that_are_all_there_need_no_words():
    assert missing_in_words([make_run()], ["accuracy", "f1"]) == []
