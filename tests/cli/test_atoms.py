"""The atoms commands: JSON alone on standard output, and one sentence for what cannot be."""

import json

import pytest
from typer.testing import CliRunner

from peftcore.cli import app
from peftcore.labs.atoms import compute, interventions
from peftcore.labs.atoms.request import AtomsJob, AtomsRequest

RUN, OTHER = "0123456789ab", "ba9876543210"
SITE = "cross.query:decoder.block.0.layer.1.EncDecAttention.q"
FACTS = {"sites": [SITE], "atoms": 2, "seeds": [0, 1], "metric": "accuracy", "task": "t", "n": 9}
CODES = {"zeros": 0.5, "l0": 1.0, "hoyer": 0.2, "site_zeros": [0.5]}
CODES |= {"usage": [[0.0, 1.0]], "size": [[0.0, 2.0]], "norm": [[1.0, 3.0]]}


@pytest.fixture(autouse=True)
def measured(monkeypatch):
    """Measuring is stood in for; the asks that were carried out."""
    asked = []

    def carry_out(study, **_):
        asked.append(study.request)
        study.write_plan(FACTS, [])
        for seed in (0, 1):
            study.append_value({"what": "codes", "step": None, "seed": seed} | CODES)
            for order in ("importance", "random"):
                where = {"what": "loss", "order": order, "draw": 0, "seed": seed}
                study.append_value(where | {"k": [1], "values": [1.0 + seed]})
            result = {"task": "t", "metric": "accuracy", "both": 1.0, "first": 0.5}
            study.append_value(
                {"what": "combined", "seed": seed, "n": 9, "second": 0.0, "none": 0.0} | result
            )
        study.append_value({"what": "run", "value": None, "run": OTHER, "scores": [0.5, 0.7]})
        study.append_value(
            {"what": "run", "value": 1.0, "run": RUN, "scores": [0.4], "zeros": [0.6]}
        )
        return study.write_status(state="done")

    monkeypatch.setattr(compute, "run_atoms_job", carry_out)
    return asked


def result(*words):
    done = CliRunner().invoke(app, ["atoms", *words, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def printed_lines(*words):
    done = CliRunner().invoke(app, ["atoms", *words])
    return done.exit_code, done.output


def test_map_tells_sparsity_of_every_seed(measured):
    value = result("map", RUN, "--set", "read=5")
    assert measured == [AtomsRequest.make({"kind": "map", "runs": [RUN], "read": 5})]
    assert value["seeds"][1]["importance"] == [[0.0, 6.0]]
    assert (value["seeds"][0]["dead"], value["seeds"][0]["always"]) == (1, 1)
    assert "effective" in printed_lines("map", RUN)[1]


def test_prune_tells_curves_and_where_they_part():
    value = result("prune", RUN)
    assert value["curves"]["loss"][0]["order"] == "importance"
    assert value["curves"]["score"] == []
    assert value["population"] == "these examples"
    assert value["against_random"] == {"loss": [], "score": []}
    assert "importance" in printed_lines("prune", RUN)[1]


def test_a_path_takes_values_with_commas(measured):
    value = result("path", RUN, "--over", "l1", "--set", "values=0,1")
    assert measured[0].values == (0.0, 1.0)
    assert measured[0].over == "l1"
    assert [point["run"] for point in value["points"]] == [OTHER, RUN]
    result("path", RUN, "--set", "values=2")
    assert measured[1].values == (2.0,)
    assert "LoRA" in printed_lines("path", RUN)[1]


def test_combine_scores_two_runs(measured):
    value = result("combine", RUN, f"{OTHER}/1")
    assert measured[0].runs == (RUN, f"{OTHER}/1")
    assert value["scores"][0]["both"] == 1.0
    assert "second" in printed_lines("combine", RUN, OTHER)[1]


def test_combine_and_remove_answer_a_text(monkeypatch):
    asked = []
    monkeypatch.setattr(
        interventions,
        "answers_with_joined_atoms",
        lambda *given: asked.append(given) or {"both": "yes"},
    )
    monkeypatch.setattr(
        interventions,
        "answers_with_changed_atoms",
        lambda *given: asked.append(given) or {"all atoms": "no"},
    )
    words = ("combine", RUN, OTHER, "--text", "Hi", "--shares", "1,0.5")
    assert result(*words) == {"both": "yes"}
    assert result("remove", RUN, "--atom", "0:1", "--text", "Hi") == {"all atoms": "no"}
    assert asked == [([RUN, OTHER], "Hi", (1.0, 0.5)), (RUN, 0, ["0:1"], 0.0, "Hi")]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("map", "nonsense"), "an adapter is named RUN"),
        (("map", RUN, "--set", "depth=2"), "no setting 'depth'"),
        (("path", RUN, "--over", "rank"), "over"),
        (("combine", RUN, OTHER, "--text", "Hi", "--shares", "much"), "shares are two numbers"),
        (("remove", RUN, "--atom", "0:0", "--text", "Hi"), "run"),
    ],
)
def test_bad_input_is_one_sentence(words, sentence, monkeypatch):
    def carry_out(study, **_):
        study.request.adapter_refs()
        raise AssertionError

    monkeypatch.setattr(compute, "run_atoms_job", carry_out)
    status, output = printed_lines(*words)
    assert status == 2, output
    assert sentence in output
    assert output.count("\n") == 1


def test_a_stopped_measurement_ends_with_status_one(monkeypatch):
    monkeypatch.setattr(
        compute, "run_atoms_job", lambda study, **_: study.write_status(state="cancelled")
    )
    assert printed_lines("map", RUN)[0] == 1
    assert (
        AtomsJob.find(AtomsRequest.make({"kind": "map", "runs": [RUN]})).status().state
        == "cancelled"
    )
