"""Likelihoods of sentences are exact whatever their batch; pairs come from the data directory."""

import json

import numpy as np
import pytest

from peftcore.errors import BadInput
from peftcore.intake import install, places, quality
from peftcore.intake.request import IntakeJob, IntakeRequest, QualityJob, QualityRequest
from peftcore.training import general_text


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data directory with a few sentences of every set."""

    def write(file, rows):
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    for split in general_text.SPLITS:
        rows = [
            {"sentence": f"{split} {'word ' * n}", "label": label, "UID": f"p{p}"}
            for p in range(2)
            for n in (3, 1)
            for label in (0, 1)
        ]
        write(f"blimp_acceptability/{split}.jsonl", rows)
    write("glue_qnli/test.jsonl", [{"sentence": f"the {n % 3} cats sat"} for n in range(9)])
    rows = [{"sent0": f"a {n}", "sent1": f"b {n}", "label": n % 2} for n in range(4)]
    write("comve/test.jsonl", rows)
    monkeypatch.setenv("PEFTCORE_DATA", str(tmp_path))
    return write


def test_sentences_of_one_paradigm_are_paired_by_length_and_named_so(data):
    request = QualityRequest.make({"base": "b", "pairs": 2, "choices": 3})
    blimp, comve = quality.load_pairs(request)
    assert blimp.per_token
    assert "No minimal pairs" in blimp.note
    assert len(blimp.right) == len(blimp.wrong) == 4
    lengths = [len(text.split()) for text in blimp.right]
    assert lengths == [len(text.split()) for text in blimp.wrong] == [2, 4, 2, 4]
    assert comve.right == ["b 0", "a 1", "b 2"]  # the label names the nonsense
    assert not comve.per_token


def test_whole_pairs_are_taken_where_they_are_there(data):
    rows = [
        {"sentence_good": f"g{n}", "sentence_bad": f"w{n}", "UID": f"p{n % 2}"} for n in range(6)
    ]
    data("blimp/island.jsonl", rows)
    (blimp,) = quality.load_pairs(QualityRequest.make({"base": "b", "pairs": 1, "choices": 0}))
    assert (blimp.right, blimp.wrong, blimp.unit) == (["g0", "g1"], ["w0", "w1"], "minimal pairs")
    data("blimp/broken.jsonl", [{"UID": "x"}])
    with pytest.raises(BadInput, match="field 'sentence_good' is missing"):
        quality.load_pairs(QualityRequest.make({"base": "b"}))


def test_without_data_the_sentence_says_which_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("PEFTCORE_DATA", str(tmp_path))
    with pytest.raises(BadInput, match="no folder blimp, blimp_acceptability or comve"):
        quality.load_pairs(QualityRequest.make({"base": "b"}))


def test_only_decoders_have_likelihoods(tiny):
    with pytest.raises(BadInput, match="only decoders"):
        quality.measure_quality(tiny("bert"), [], ["x"])


def test_a_measurement_stands_beside_the_base_and_in_its_card(data, llama_file):
    install.run_intake_job(
        IntakeJob.create(IntakeRequest.make({"source": str(llama_file), "name": "mine"}))
    )
    job = QualityJob.create(QualityRequest.make({"base": "mine"}))
    seen = []
    status = quality.run_quality_job(job, lambda status: seen.append((status.done, status.of)))
    assert status.state == "done"
    assert seen[0] == (0, 19)
    assert seen[-1] == (19, 19)
    found = places.read_quality("mine")
    assert [pairs["n"] for pairs in found["pairs"]] == [4, 4]
    assert found["perplexity"]["n"] == 3
    assert np.isfinite(found["perplexity"]["per_word"])
    assert (
        "Perplexity on 3 sentences"
        in (places.quality_file("mine").parent / "README.md").read_text()
    )
    install.remove_base("mine")
    install.run_intake_job(IntakeJob.open(IntakeJob.list_all()[0].id))
    job.reset_if_lost()
    assert job.status().state == "cancelled"


def test_a_stop_keeps_no_half_result(data, llama_file):
    job = QualityJob.create(QualityRequest.make({"base": "tiny-gpt"}))
    status = quality.run_quality_job(job, lambda status: job.request_stop())
    assert (status.state, places.read_quality("tiny-gpt")) == ("cancelled", {})
