"""`labels` before training, words in place of labels, and what a base answers by itself."""

import json

from support.commands import RANDOM, SHORT, call, printed, refused, train

from peftcore.runs import zero_shot
from peftcore.runs.store import RunStore

WORDS = ["--label-word", "entailment=true", "--label-word", "neutral=unknown",
         "--label-word", "contradiction=false"]  # fmt: skip


def test_labels_shows_pieces_and_offers_words():
    asked = ("labels", "--base", "tiny-t5", "--task", "miniworld_nli")
    found = printed(*asked)
    assert found["words"]["entailment"]["pieces"] == ["ent", "ail", "ment"]
    assert not found["fair"]
    assert {"entailment": "true", "neutral": "unknown", "contradiction": "false"} in found[
        "offered"
    ]
    assert printed(*asked, *WORDS)["fair"]
    assert "ent | ail | ment" in call(*asked).stdout
    assert "stands for two labels" in refused(*asked, "--label-word", "neutral=entailment")


def test_an_encoder_writes_no_labels():
    line = refused("labels", "--base", "tiny-bert", "--task", "miniworld_nli")
    assert "an encoder, whose head names them" in line


def test_training_in_other_words_is_another_run_with_the_labels_it_had(models, home):
    done = call("train", *RANDOM, "--method", "lora", *SHORT, *WORDS, "--json")
    run = RunStore().open(json.loads(done.stdout)["run"])
    assert run.spec.training.label_words["neutral"] == "unknown"
    answers = run.answers()
    assert set(answers["label"]) == {"entailment", "neutral", "contradiction"}
    assert {text.split()[0] for text in answers["target"]} == {"true", "unknown", "false"}
    # The base is asked in the words of the run.
    assert set(zero_shot.of_run(run).asked_words.values()) == {"true", "unknown", "false"}


def test_what_the_untouched_base_answers_stands_beside_a_comparison(three):
    lora, prompt, _ = three
    [base] = printed("compare", lora, prompt)["untouched"]
    assert base["base"] == "random-t5"
    assert 0 <= base["low"] <= base["mean"] <= base["high"] <= 1
    assert base["items"] == 3
    assert "Without any training random-t5 scores" in call("compare", lora, prompt).stdout
    assert printed("compare", lora, prompt, "--metric", "explanation_chrf")["untouched"] == []


def test_it_is_measured_afterwards_for_runs_without(models, home):
    run = RunStore().open(train("lora")["run"])
    zero_shot.own_file(zero_shot.key_of_run(run)).unlink()
    assert zero_shot.of_run(run) is None
    found = printed("zero-shot", run.id)[run.id]
    assert found["metric"] == "accuracy"
    assert found["items"] == 3
    assert zero_shot.of_run(run) is not None
