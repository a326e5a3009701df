"""What is asked about atoms, how atoms are called, and tables out of what was measured."""

import hashlib

import pytest

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.labs.atoms import request
from peftcore.labs.atoms.request import AtomsJob, AtomsRequest
from peftcore.runs.store import RunStore

RUN = "0123456789ab"
SITES = [
    "attention.output:encoder.block.0.layer.0.SelfAttention.o",
    "ffn:encoder.block.3.layer.1.DenseReluDense.wo",
    "cross.query:decoder.block.1.layer.1.EncDecAttention.q",
]


def ask(kind="prune", **fields):
    return AtomsRequest.make({"kind": kind, "runs": [RUN]} | fields)


def pruned(seeds=(0, 1)):
    """A measurement of four atoms with made-up losses."""
    study = AtomsJob.create(ask())
    for seed in seeds:
        where = {"what": "loss", "seed": seed}
        study.append_value(where | {"order": "ends", "draw": 0, "k": [0, 4], "values": [3.0, seed]})
        study.append_value(
            where | {"order": "importance", "draw": 0, "k": [1, 2], "values": [1 + seed / 10, 1]}
        )
        for draw in (0, 1):
            values = [2.5 + 0.1 * draw + seed / 10, 2.0]
            study.append_value(
                where | {"order": "random", "draw": draw, "k": [1, 2], "values": values}
            )
    return study


def test_equal_asks_are_one_and_every_field_counts():
    assert ask().id == ask(draws=3).id
    assert len({ask().id, ask(draws=4).id, ask("map").id, ask(answers=False).id}) == 4
    with pytest.raises(BadInput, match="kind"):
        ask("face")


def test_the_words_of_an_ask_are_the_command_that_makes_it():
    from peftcore.cli import options

    words = ask("path", over="l1", values=(0, 0.5), answers=False).command_arguments()
    assert words[:3] == ["atoms", "path", RUN]
    given = dict(options.parse_setting(text) for text in words[4::2])
    assert AtomsRequest.make({"kind": "path", "runs": [RUN], **given}) == ask(
        "path", over="l1", values=(0, 0.5), answers=False
    )


def test_sites_and_atoms_have_names_for_people():
    names = [request.parse_site(key) for key in SITES]
    assert [name.title for name in names] == [
        "Encoder 1, self output",
        "Encoder 4, feed-forward",
        "Decoder 2, cross query",
    ]
    assert [name.atom_name(3) for name in names] == ["E1.o[3]", "E4.f[3]", "D2.xq[3]"]
    gpt = request.parse_site("attention.value:transformer.h.5.attn.c_attn")
    assert (gpt.title, gpt.atom_name(0)) == ("Layer 6, self value", "L6.v[0]")


def test_an_atom_is_found_by_each_of_its_names():
    for name in ("D2.xq[1]", "2:1", f"{SITES[2]}:1"):
        assert request.parse_atom(name, SITES, 4) == 9
    for wrong in ("D2.xq[4]", "3:0", "2:4", "x", "2:-1", ""):
        with pytest.raises(BadInput, match=r"named like E1.o\[0\] or 0:0"):
            request.parse_atom(wrong, SITES, 4)


def test_curves_get_both_ends_whatever_the_order():
    table = request.pruning_curves(pruned())
    whole = table.groupby(["order", "draw", "seed"])[["k", "value"]].apply(
        lambda rows: rows.to_numpy().tolist()
    )
    assert len(whole) == 2 * 3
    assert whole["importance", 0, 1] == [[0, 3.0], [1, 1.1], [2, 1.0], [4, 1.0]]


def test_bands_average_the_draws_of_a_seed():
    found = request.curve_intervals(request.pruning_curves(pruned((0, 1, 2))), "loss")
    random = found[(found["order"] == "random") & (found["k"] == 1)].iloc[0]
    assert random["mean"] == pytest.approx(2.65)
    assert (random["n"], random["draws"]) == (3, 2)
    assert request.curve_intervals(request.pruning_curves(pruned()), "score").empty


def test_numbers_of_a_seed_come_out_of_what_was_read():
    entry = {
        "zeros": 0.5,
        "l0": 2.0,
        "hoyer": 0.4,
        "usage": [[0.0, 1.0], [0.5, 0.5]],
        "size": [[0.0, 2.0], [1.0, 1.0]],
        "norm": [[9.0, 0.5], [2.0, 0.0]],
    }
    assert request.entry_importance(entry).tolist() == [[0.0, 1.0], [2.0, 0.0]]
    found = request.entry_sparsity(entry)
    assert (found.dead, found.always, found.atoms) == (1, 1, 4)
    assert found.effective == pytest.approx(9 / 5)


SHIPPED = [study for study in AtomsJob.list_all() if study.shipped]


@pytest.mark.parametrize("study", SHIPPED, ids=lambda study: f"{study.request.kind}-{study.id}")
def test_a_shipped_measurement_is_whole_and_of_the_adapters_that_ship(study):
    assert study.id == study.request.id
    assert study.status().state == "done"
    assert study.entries()
    known = {run.id: run for run in RunStore().all() if run.demo}
    for part, stamp in zip(study.request.adapter_refs(), study.facts["adapters"], strict=True):
        if part.run in known:
            weights = known[part.run].folder / "adapter.safetensors"
            assert hashlib.sha256(weights.read_bytes()).hexdigest()[:12] == stamp
    words = (
        " ".join(study.request.command_arguments())
        .replace("[", "")
        .replace("]", "")
        .replace(".0", "")
    )
    readme = (paths.ASSETS / "atoms" / "README.md").read_text()
    assert words.replace(", ", ",").replace("--set over=", "--over ") in readme


def test_the_shipped_pruning_starts_at_the_base_and_ends_at_the_run():
    for study in SHIPPED:
        if study.request.kind != "prune":
            continue
        table = request.pruning_curves(study)
        score = table[(table["what"] == "score") & (table["order"] == "importance")]
        assert (score[score["k"] == 0]["value"] == 0).all()  # the base never writes a label
        (run,) = (RunStore().open(part.run) for part in study.request.adapter_refs())
        answers = run.answers()
        for seed, rows in answers.groupby("seed"):
            whole = score[(score["k"] == score["k"].max()) & (score["seed"] == seed)]["value"]
            assert whole.item() == pytest.approx(rows["correct"].mean(), abs=0.1)  # of other counts


def test_the_sparsest_run_that_is_as_good_as_lora_is_told():
    def point(value, scores, zeros=None):
        return {"value": value, "scores": scores} | ({"zeros": zeros} if zeros else {})

    lora, dense = point(None, [0.8, 0.9]), point(0.0, [0.9, 0.9], [0.0, 0.0])
    half, most = point(2.0, [0.8, 0.88], [0.5, 0.6]), point(3.0, [0.5, 0.9], [0.8, 0.9])
    assert request.describe_sparsest([lora, dense, half, most]) == (
        "Most exact zeros at a mean within 0.02 of LoRA's 0.850, or above: 55.0 % at 2, where the "
        "mean is 0.840."
    )
    assert "No run of this path" in request.describe_sparsest([lora, most])
    assert request.describe_sparsest([dense, half]) == ""


def test_pruning_counts_its_rows_before_it_starts_and_a_sample_has_few():
    whole = AtomsRequest.make({"kind": "prune", "runs": ["0" * 12]})
    few = AtomsRequest.make(
        {"kind": "prune", "runs": ["0" * 12], "tried": 128, "examples": 24, "draws": 1}
    )
    assert "tried" not in whole.canonical_values()
    counted = whole.count_rows(atoms=960, seeds=2, dev=48)
    points = 2 + 10 * (2 + 3)  # both ends; 1, 2, 4 … 512 in each order
    assert counted.answered == 2 * points * 100
    assert counted.read == counted.answered + 2 * 961 * 48
    assert few.count_rows(atoms=960, seeds=2, dev=48).read < counted.read / 6
    assert few.count_tried(12) == 12
