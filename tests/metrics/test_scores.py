"""Metrics agree with hand-worked numbers and with the libraries' own command lines."""

import json
import math
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from peftcore.data.task import Answer, Example
from peftcore.errors import BadInput
from peftcore.metrics import scores as text_scores
from peftcore.runs import forgetting

LABELS = ("yes", "no")
labels = some.sampled_from([*LABELS, None])
pairs = some.lists(some.tuples(labels, some.sampled_from(LABELS)), min_size=1, max_size=20)


def example(label=None, *references, target=""):
    return Example("1", "source", target or f"{label}", label, references)


def explained(label, *explanations):
    return example(label, *explanations, target=f"{label} because {explanations[0]}")


def test_classification_by_hand():
    gold = [example(label) for label in ("yes", "yes", "no", "no")]
    answers = [Answer("", label) for label in ("yes", "no", "no", None)]
    scores = text_scores.classification_scores(answers, gold, LABELS)
    # yes: precision 1, recall 1/2, F1 2/3; no: precision 1/2, recall 1/2, F1 1/2
    assert scores["f1"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert scores["accuracy"] == text_scores.accuracy(answers, gold) == 0.5
    assert scores["broken"] == 0.25


def test_matthews_of_two_classes_is_the_closed_form():
    table = [("yes", "yes")] * 5 + [("yes", "no")] * 2 + [("no", "yes")] * 1 + [("no", "no")] * 4
    gold, answers = [example(g) for g, _ in table], [Answer("", a) for _, a in table]
    expected = (5 * 4 - 2 * 1) / (7 * 5 * 6 * 6) ** 0.5
    assert text_scores.classification_scores(answers, gold, LABELS)["matthews"] == pytest.approx(
        expected
    )


@given(pairs)
def test_classification_stays_in_its_range_and_agrees_with_accuracy(rows):
    answers = [Answer("", answer) for answer, _ in rows]
    gold = [example(label) for _, label in rows]
    scores = text_scores.classification_scores(answers, gold, LABELS)
    assert scores["accuracy"] == text_scores.accuracy(answers, gold)
    assert all(0 <= scores[key] <= 1 for key in ("accuracy", "f1", "broken"))
    assert scores["accuracy"] + scores["broken"] <= 1
    assert (scores["f1"] == 1) == (scores["accuracy"] == 1)


def test_a_missing_separator_is_broken_even_if_the_label_is_right():
    gold = [explained("yes", "it rains")] * 2
    answers = [Answer("yes", "yes", None), Answer("yes because", "yes", "")]
    scores = text_scores.classification_scores(answers, gold, LABELS)
    assert (scores["accuracy"], scores["broken"]) == (1.0, 0.5)


def test_the_closest_explanation_counts_and_case_does_not():
    gold = [explained("yes", "nothing alike", "The sky is blue")]
    scores = text_scores.explanation_scores([Answer("", "yes", "the SKY is blue")], gold)
    assert scores["explanation_chrf"] == pytest.approx(100)
    assert scores["explanation_rougeL"] == pytest.approx(1)


def test_rouge_of_a_known_pair():
    # longest common subsequence "the cat mat": precision 3/4, recall 3/5
    gold = [explained("yes", "the cat on a mat")]
    scores = text_scores.explanation_scores([Answer("", "yes", "the cat red mat")], gold)
    assert scores["explanation_rougeL"] == pytest.approx(2 * 0.75 * 0.6 / (0.75 + 0.6))


def test_a_missing_explanation_is_an_empty_one():
    gold = [explained("yes", "the sky is blue")]
    missing = text_scores.explanation_scores([Answer("yes", "yes", None)], gold)
    empty = text_scores.explanation_scores([Answer("yes", "yes", "")], gold)
    assert (missing.pop("unexplained"), empty.pop("unexplained")) == (1, 0)
    assert missing == empty
    assert missing["explanation_chrf"] == 0


@given(pairs)
def test_normalised_is_accuracy_times_the_mean_over_right_labels(rows):
    answers = [Answer("", answer, f"the sky is blue {i % 3}") for i, (answer, _) in enumerate(rows)]
    gold = [explained(label, "the sky is grey", "a blue sky") for _, label in rows]
    scores = text_scores.explanation_scores(answers, gold)
    accuracy = text_scores.accuracy(answers, gold)
    assert scores["normalised_chrf"] == pytest.approx(accuracy * scores["ratio_chrf"])
    assert scores["normalised_chrf"] <= scores["explanation_chrf"] + 1e-9


def test_explanations_need_a_gold_explanation():
    with pytest.raises(BadInput, match="gold explanation"):
        text_scores.explanation_scores([Answer("yes", "yes", "x")], [example("yes")])


TEXTS = [
    "The Mill is a cheap pub near the river .",
    "A coffee shop called Aromi serves fish.",
    "Nice place, isn't it?",
]
REFERENCES = [
    ("The Mill is a cheap pub by the river.", "Near the river is a cheap pub, The Mill."),
    ("Aromi is a coffee shop that serves fish.",),
    ("It is a nice place.", "Nice place, is it not?", "What a nice place!"),
]


def test_bleu_and_chrf_equal_the_command_line_of_sacrebleu(tmp_path):
    gold = [example(None, *texts, target=texts[0]) for texts in REFERENCES]
    scores = text_scores.generation_scores([Answer(text) for text in TEXTS], gold)
    files = []
    for place in range(3):  # the command line wants equally many: repeating one changes nothing
        files.append(tmp_path / f"references.{place}")
        lines = [texts[place % len(texts)] for texts in REFERENCES]
        files[-1].write_text("\n".join(lines) + "\n", "utf-8")
    answers = tmp_path / "answers"
    answers.write_text("\n".join(TEXTS) + "\n", "utf-8")
    options = ["-i", str(answers), "-m", "bleu", "chrf", "-w", "6"]
    command = [sys.executable, "-m", "sacrebleu", *map(str, files), *options]
    environment = os.environ | {"SACREBLEU": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    bleu, chrf = json.loads(done.stdout)
    assert round(scores["bleu"], 6) == bleu["score"] > 0
    assert round(scores["chrf"], 6) == chrf["score"] > 0


def test_ter_equals_the_command_line_of_sacrebleu(tmp_path):
    pairs = [(texts * 2)[:2] for texts in REFERENCES]
    gold = [example(None, *texts, target=texts[0]) for texts in pairs]
    scores = text_scores.translation_edit_rate([Answer(text) for text in TEXTS], gold)
    files = [tmp_path / "references.0", tmp_path / "references.1", tmp_path / "answers"]
    for file, lines in zip(files, [*zip(*pairs, strict=True), TEXTS], strict=True):
        file.write_text("\n".join(lines) + "\n", "utf-8")
    options = ["-i", str(files.pop()), "-m", "ter", "-w", "6", "-b"]
    command = [sys.executable, "-m", "sacrebleu", *map(str, files), *options]
    environment = os.environ | {"SACREBLEU": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert round(scores["ter"], 6) == float(done.stdout) > 0


def test_more_references_elsewhere_do_not_forgive_a_short_answer():
    one, three = REFERENCES[1], REFERENCES[2]
    gold = [example(None, *one, target=one[0]), example(None, *three, target=three[0])]
    alone = [example(None, *one, target=one[0]), example(None, three[0], target=three[0])]
    answers = [Answer("Aromi is a coffee"), Answer(three[0])]
    assert text_scores.generation_scores(answers, gold) == text_scores.generation_scores(
        answers, alone
    )


def test_any_reference_reaches_the_full_score():
    gold = [example(None, *texts, target=texts[0]) for texts in REFERENCES]
    scores = text_scores.generation_scores([Answer(texts[-1]) for texts in REFERENCES], gold)
    assert scores == pytest.approx({"bleu": 100, "chrf": 100, "rougeL": 1})


def test_the_target_stands_in_for_missing_references():
    with_target = example(None, target=TEXTS[1])
    with_reference = replace(with_target, references=(TEXTS[1],))
    answers = [Answer(REFERENCES[1][0])]
    assert text_scores.generation_scores(answers, [with_target]) == text_scores.generation_scores(
        answers, [with_reference]
    )


def test_correlations_by_hand_and_of_constants():
    scores = text_scores.correlation_scores([1, 2, 3, 10], [1, 2, 3, 4])
    assert scores["spearman"] == pytest.approx(1)
    assert scores["pearson"] == pytest.approx(14 / (50 * 5) ** 0.5)
    assert text_scores.correlation_scores([1, 1], [1, 2]) == {"pearson": 0.0, "spearman": 0.0}


def test_unequal_lengths_and_nothing_to_score_are_refused():
    with pytest.raises(ValueError, match="1 answers for 0 examples"):
        text_scores.accuracy([Answer("")], [])
    with pytest.raises(BadInput, match="no examples to score"):
        text_scores.generation_scores([], [])


def test_every_metric_is_described():
    gold = [explained("yes", "it rains")]
    answers = [Answer("yes because it rains", "yes", "it rains")]
    found = {
        **text_scores.classification_scores(answers, gold, LABELS),
        **text_scores.explanation_scores(answers, gold),
        **text_scores.generation_scores(answers, gold),
        **text_scores.translation_edit_rate(answers, gold),
        **text_scores.correlation_scores([1, 2], [1, 2]),
        **text_scores.positive_f1(answers, gold, "yes"),
    }
    for name in ("cosine", "bertscore"):
        found |= text_scores.label_aware_means(name, [1.0], answers, gold)
    drawn = {"alignment", "old_alignment", "facts"}  # what tasks of pictures score themselves
    found |= text_scores.benchmark_scores({}, answers)
    of_runs = {forgetting.LOSS, forgetting.PAIRS}  # measured on text of no task
    assert found.keys() | drawn | of_runs == text_scores.METRICS.keys()
    assert all(value <= text_scores.METRICS[key].maximum + 1e-9 for key, value in found.items())


def test_importing_metrics_stays_light():
    code = "import peftcore.metrics.scores, sys; "
    code += "print({'torch', 'sklearn', 'sacrebleu'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_every_metric_has_a_range_that_is_declared_once():
    assert text_scores.metric_range("accuracy") == (0, 1)
    assert text_scores.metric_range("matthews") == (-1, 1)
    assert text_scores.metric_range("chrf") == (0, 100)
    assert text_scores.metric_range("ter") == (0, math.inf)
    assert text_scores.metric_range("dev_loss") == text_scores.metric_range("loss") == (0, math.inf)
    assert text_scores.metric_range("points of my own") == (-math.inf, math.inf)


@pytest.mark.parametrize(
    "text",
    [
        "一只狗在跑",
        "犬が走っている",
        "สุนัขกำลังวิ่ง",
        "Кошка сидит на окне",
        "der schöne Überfall auf der Straße",
        "कुत्ता दौड़ रहा है अब",
    ],
)
def test_a_text_equals_itself_in_every_script(text):
    """Case A06 (huggingface/evaluate#256): the same text scored 0."""
    gold = [Example("0", "x", text)]
    same = text_scores.generation_scores([Answer(text)], gold)
    assert same["rougeL"] == 1
    assert same["bleu"] == pytest.approx(100)
    other = text_scores.generation_scores([Answer("xyz")], gold)
    assert other["rougeL"] == 0


def test_part_of_a_text_without_spaces_counts_by_its_characters():
    [half] = text_scores.sentence_rouge(["一只狗"], [["一只狗在跑了"]])
    assert half == pytest.approx(2 * (3 / 3 * 3 / 6) / (3 / 3 + 3 / 6))


def test_texts_of_ascii_keep_the_package_s_own_words():
    from rouge_score.rouge_scorer import RougeScorer

    text, gold = "the dog's bone_2, under-the tree", "a dog s bone under the tree 2"
    own = RougeScorer(["rougeL"]).score(gold, text)["rougeL"].fmeasure
    assert text_scores.sentence_rouge([text], [[gold]]) == [own]
