"""GLUE tasks read as T5 was taught them, carve dev from train, and score as GLUE does."""

import json
from collections import Counter
from pathlib import Path

import pytest
from sklearn.metrics import f1_score, matthews_corrcoef

from peftcore import paths, tasks
from peftcore.data import sources
from peftcore.data.task import Answer
from peftcore.errors import BadInput
from peftcore.tasks import glue

ROW = {"question": "Who ran?", "sentence": " Ann ran.", "label": 0, "idx": 7}
TEMPLATES = {
    "glue_sst2": ({"sentence": "dull , flat "}, "sst2 sentence: dull , flat", "positive"),
    "glue_cola": ({"sentence": "He go."}, "cola sentence: He go.", "acceptable"),
    "glue_mrpc": (
        {"sentence1": "A.", "sentence2": "B."},
        "mrpc sentence1: A. sentence2: B.",
        "equivalent",
    ),
    "glue_qqp": (
        {"question1": "A?", "question2": "B?"},
        "qqp question1: A? question2: B?",
        "duplicate",
    ),
    "glue_mnli": ({"premise": "P.", "hypothesis": "H."}, "mnli hypothesis: H. premise: P.", None),
    "glue_qnli": (
        {"question": "Q?", "sentence": "S."},
        "qnli question: Q? sentence: S.",
        "not_entailment",
    ),
    "glue_rte": (
        {"sentence1": "A.", "sentence2": "B."},
        "rte sentence1: A. sentence2: B.",
        "not_entailment",
    ),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_rows_read_as_text_and_as_parts(invented, name):
    texts, source, second = TEMPLATES[name]
    invented(name, train=[texts | {"label": label, "idx": label} for label in (0, 1)])
    task = tasks.find_task(name)
    _, example = task.load("train")
    assert example.source == source
    assert set(example.parts) == {text.strip() for text in texts.values()}
    assert example.target == example.label == (second or "neutral")
    assert task.parse(example.target).label == example.label


@pytest.mark.parametrize("name", ["sst2", "cola", "mrpc", "qqp", "rte"])
def test_the_hubs_layout_loads(tmp_path, monkeypatch, name):
    sample = paths.ROOT.parent / "shared" / "data" / "_format_samples" / f"glue_{name}.jsonl"
    if not sample.is_file():
        pytest.skip("no format samples")
    monkeypatch.setenv("PEFTCORE_DATA", str(tmp_path))
    folder = tmp_path / f"glue_{name}"
    folder.mkdir()
    for split in ("train", "validation", "test"):
        (folder / f"{split}.jsonl").write_bytes(sample.read_bytes())
    task = tasks.find_task(f"glue_{name}")
    numbers = [json.loads(line)["label"] for line in sample.read_text("utf-8").splitlines()]
    assert [row.label for row in task.load("test")] == [task.labels[n] for n in numbers]
    assert len(task.few_shot(4, 0, 4).dev) == 4


def test_scores_of_one_right_one_wrong_and_one_unreadable(invented):
    invented("glue_qnli", test=[ROW, ROW | {"label": 1}, ROW | {"label": 1}, ROW])
    task = glue.QNLI()
    answers = [task.parse(text) for text in ("Entailment", "entailment", "dunno", "entailment")]
    scores = task.score(answers, task.load("test"))
    assert (scores["accuracy"], scores["broken"]) == (0.5, 0.25)
    assert scores["f1"] == pytest.approx((2 * (2 / 3) / (2 / 3 + 1) + 0) / 2)


def test_official_scores_are_those_of_the_second_label_and_of_the_table(invented):
    gold, predicted = [0, 0, 1, 1, 1, 0, 1], [0, 1, 1, 0, 1, 0, 1]
    texts = {"sentence1": "A.", "sentence2": "B.", "sentence": "C."}
    for name in ("glue_mrpc", "glue_cola"):
        invented(name, test=[texts | {"label": label} for label in gold])
    mrpc, cola = glue.MRPC(), glue.CoLA()
    found = mrpc.score([Answer("", mrpc.labels[n]) for n in predicted], mrpc.load("test"))
    assert found[mrpc.main_metric] == pytest.approx(f1_score(gold, predicted))
    assert found["accuracy"] == pytest.approx(5 / 7)
    found = cola.score([Answer("", cola.labels[n]) for n in predicted], cola.load("test"))
    assert found[cola.main_metric] == pytest.approx(matthews_corrcoef(gold, predicted))


def test_unreadable_answers_are_no_positive_ones(invented):
    texts = {"sentence1": "A.", "sentence2": "B."}
    invented("glue_mrpc", test=[texts | {"label": 1}, texts | {"label": 1}])
    task = glue.MRPC()
    rows = task.load("test")
    scores = task.score([Answer("?"), Answer("", "equivalent")], rows)
    assert scores["f1_positive"] == pytest.approx(2 / 3)  # precision 1, recall 1/2
    assert task.score([Answer("?")] * 2, rows)["f1_positive"] == 0


def similar(*values):
    return [{"sentence1": "A.", "sentence2": "B.", "label": value} for value in values]


def test_similarity_is_answered_in_whole_numbers_and_correlated_with_real_ones(invented):
    invented("glue_stsb", test=similar(0.4, 0.5, 2.5, 4.8))
    task = glue.STSB()
    rows = task.load("test")
    assert [row.target for row in rows] == ["0", "1", "3", "5"]
    assert [row.value for row in rows] == [0.4, 0.5, 2.5, 4.8]
    found = task.score([Answer("", label) for label in ("0", "1", "3", "5")], rows)
    assert (found["spearman"], found["accuracy"]) == (pytest.approx(1), 1)
    assert 0.95 < found["pearson"] < 1  # rounding costs a little


def test_similarity_that_cannot_be_read_is_in_the_middle(invented):
    invented("glue_stsb", test=similar(0.0, 2.5, 5.0))
    task = glue.STSB()
    found = task.score([Answer("", "0"), Answer("?"), Answer("", "5")], task.load("test"))
    assert found["pearson"] == pytest.approx(1)
    assert found["broken"] == pytest.approx(1 / 3)


def test_the_unlabelled_test_rows_of_the_hub_are_refused(invented):
    invented("glue_qnli", test=[ROW | {"label": -1}])
    with pytest.raises(BadInput, match="score the validation split instead"):
        glue.QNLI().load("test")
    invented("glue_stsb", test=similar(-1.0))
    with pytest.raises(BadInput, match="score the validation split instead"):
        glue.STSB().load("test")


@pytest.mark.parametrize(
    ("task", "split", "asked"),
    [
        (glue.QNLI, "train", "train"),
        (glue.QNLI, "validation", "validation"),
        (glue.QNLI, "test", "validation"),
        (glue.MNLI, "test", "validation_matched"),
    ],
)
def test_from_the_hub_evaluation_means_the_official_validation_split(
    tmp_path, monkeypatch, task, split, asked
):
    monkeypatch.setenv("PEFTCORE_DATA", str(tmp_path))
    seen = []
    row = dict.fromkeys(task.columns, "x") | {"label": 0}
    monkeypatch.setattr(sources, "_from_hub", lambda *call: seen.append(call) or [row])
    task().load(split)
    ((folder, hub_split, hub, _),) = seen
    assert (folder, hub.config, hub_split) == (task.name, task.name[5:], asked)


def test_dev_is_carved_from_the_rows_after_the_training_examples(invented):
    rows = [ROW | {"question": f"{n}?", "label": n % 2} for n in range(20)]
    invented("glue_qnli", train=rows)  # no validation split is needed
    task = glue.QNLI()
    for seed in range(5):
        episode = task.few_shot(8, seed, 12)
        assert {row.id for row in episode.train + episode.dev} == {f"train-{n}" for n in range(20)}
        assert Counter(row.label for row in episode.dev) == dict.fromkeys(task.labels, 6)
        more = {row.id for row in task.few_shot(10, seed, 2).train}
        assert {row.id for row in episode.train} < more
    with pytest.raises(BadInput, match=r"has 20 training examples, .* 15 and 6 were asked for"):
        task.few_shot(15, 0, 6)


@pytest.mark.parametrize("name", ["glue_qnli", "glue_mnli", "glue_stsb"])
def test_real_rows(real, name):
    real(name)
    task = tasks.find_task(name)
    episode = task.few_shot(96, 0, 96)
    counts = Counter(one.label for one in episode.train)
    assert counts.keys() == set(task.labels)
    assert max(counts.values()) - min(counts.values()) <= (8 if name == "glue_stsb" else 0)
    assert {one.id for one in episode.dev}.isdisjoint(one.id for one in episode.train)
    for split in ("validation", "test"):
        rows = task.load(split)
        scores = task.score([task.parse(row.target) for row in rows], rows)
        assert 0.97 < scores[task.main_metric] <= 1
        same = task.score([Answer("", task.labels[0])] * len(rows), rows)
        assert same[task.main_metric] in (0, 0.5, pytest.approx(1 / 3))


def test_every_task_names_its_folder():
    names = [name for name in tasks.task_names() if name.startswith("glue_")]
    assert len(names) == 8
    assert all(Path(name).name == tasks.find_task(name).name for name in names)
