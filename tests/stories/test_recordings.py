"""Recordings that ship can be drawn, and are what the theory says of them."""

import numpy as np
import pytest

from peftcore.analysis.limits import ROUNDING_TOLERANCE
from peftcore.labs.landscape.request import LandscapeJob
from peftcore.runs.store import RunStore
from peftcore.stories import recordings


def test_the_recorded_head_is_causal_and_sums_to_one():
    head = recordings.head_recording()
    count = len(head.tokens)
    assert head.before.shape == head.lora.shape == (count, count)
    for rows in (head.before, head.prefixed, head.lora):
        assert rows.sum(-1) == pytest.approx(np.ones(count), abs=1e-6)
    assert np.triu(head.before, 1).max() == 0
    assert 0.2 < head.share(head.query) < 0.8
    for run in (head.prefix_run, head.lora_run):
        assert RunStore().open(run).spec.base == head.base


@pytest.mark.parametrize("positions", [1, 2, 10])
def test_a_recorded_prefix_keeps_order_and_moves_outputs_in_as_many_directions(positions):
    compared = recordings.head_recording().with_prefix(positions)
    summary = compared.summarize_head(0)
    assert summary.length == positions
    assert summary.content_drift < ROUNDING_TOLERANCE
    assert summary.used <= summary.room <= positions
    assert compared.projection(0).across == pytest.approx(1, abs=1e-6) or positions > 1


def test_recorded_lora_changes_the_order():
    head = recordings.head_recording()
    assert np.abs(head.lora - head.before).max() > 0.2


def test_every_point_of_the_triangle_has_an_answer():
    found = recordings.triangle_answers()
    [job] = [job for job in LandscapeJob.list_all() if job.id == found.landscape]
    assert len(job.table()) == len(found.answers)
    assert len(set(found.answers)) > 1


def test_tiny_transformers_are_asked_what_they_can_be_checked_by():
    for row in recordings.toy_answers():
        assert row.right["ascending"] == "".join(sorted(row.digits))
        assert row.right["descending"] == "".join(sorted(row.digits, reverse=True))
        assert {len(answer) for answer in row.answers.values()} == {len(row.digits)}


def test_soft_tokens_have_scales_and_gaps_of_every_seed():
    found = recordings.soft_prompt()
    assert found.scale.shape == found.length.shape
    assert [seed for seed, _, _ in found.gaps] == list(found.seeds)


def test_atoms_have_a_coefficient_at_every_token():
    found = recordings.atom_sentence()
    assert found.codes.shape[0] == len(found.tokens)
    assert (found.codes == 0).any()
