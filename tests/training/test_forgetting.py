"""What a run forgot: zero where nothing was trained, and the same whoever rides along."""

import dataclasses

import numpy as np
import pytest
import torch
from support.short_runs import small

from peftcore.adapters.no_adapter import unadapted_model
from peftcore.analysis.forgetting import estimate_forgetting
from peftcore.errors import BadInput
from peftcore.models import base_model
from peftcore.runs import forgetting as kept
from peftcore.runs.store import RunStore
from peftcore.training import forgetting, general_text, planning
from peftcore.training.run_training import execute_run


def adapted_for(spec):
    return planning.build_adapted(base_model.load(spec.base), spec)


def change(adapted):
    """Make every seed's adapter do something, each something of its own."""
    for number, tensor in enumerate(adapted.trainable_tensors.values()):
        generator = torch.Generator().manual_seed(number)
        tensor.data += 0.3 * torch.randn(tensor.shape, generator=generator)


@pytest.mark.parametrize("base", ["tiny-gpt", "tiny-t5"])
def test_an_adapter_that_changes_nothing_forgets_nothing(base):
    spec = small(base, "lora")
    found = forgetting.measure(spec, adapted_for(spec))
    assert len(found.base_loss) == general_text.PASSAGES
    assert len(found.base_right) == general_text.PAIRS
    assert np.mean(found.base_right) > 0.9  # the base knows its own world
    values = found.seed_values()
    assert values[kept.LOSS] == pytest.approx([0, 0], abs=1e-5)
    assert values[kept.PAIRS] == [0, 0]


def test_every_seed_forgets_by_itself_and_the_loss_is_that_of_the_texts():
    spec = small("tiny-gpt", "lora")
    adapted = adapted_for(spec)
    change(adapted)
    found = forgetting.measure(spec, adapted)
    assert min(found.seed_values()[kept.LOSS]) > 0.1
    text = general_text.choose_general_text("tiny-gpt")
    text = dataclasses.replace(text, texts=text.texts[:3])
    alone = unadapted_model(adapted.base)
    short = forgetting._losses(alone, text, 0, lambda: False)
    assert short.loss[0] == pytest.approx(found.base_loss[:3], abs=1e-4)
    for seed in (0, 1):
        one = adapted.with_tensors({n: t[seed : seed + 1] for n, t in adapted.tensors.items()})
        losses = forgetting._losses(one, text, 0, lambda: False)
        assert losses.loss[0] == pytest.approx(found.loss[seed][:3], abs=1e-4)


def test_a_base_is_measured_once_and_a_stop_is_heeded(monkeypatch):
    spec = small("tiny-gpt", "lora")
    adapted = adapted_for(spec)
    with pytest.raises(InterruptedError):
        forgetting.measure(spec, adapted, lambda: True)
    first = forgetting.measure(spec, adapted)
    monkeypatch.setattr(forgetting, "unadapted_model", None)
    again = forgetting.measure(spec, adapted)
    assert again.base_loss == first.base_loss


def test_bases_that_do_not_write_text_have_nothing_to_forget(tiny):
    with pytest.raises(BadInput, match="reads but does not write"):
        forgetting.measure(small("tiny-bert"), unadapted_model(tiny("bert")))
    assert "draws pictures" in forgetting.reason_without(base_model.load("tiny-digits"))


def test_a_run_keeps_what_it_forgot_beside_its_scores(own):
    run = RunStore().create(small("mine"))
    assert run.forgetting() is None
    execute_run(run)
    found = run.forgetting()
    assert run.scores().keys().isdisjoint(found.seed_values())
    table = RunStore().table([run])
    assert table[kept.LOSS].to_list() == pytest.approx(found.seed_values()[kept.LOSS])
    reader = RunStore().create(small("reader"))
    execute_run(reader)
    assert reader.forgetting() is None
    assert "reads but does not write" in reader.log()
    both = RunStore().table([run, reader])
    assert both[both.run == reader.id][kept.LOSS].isna().all()


def test_an_interval_stands_for_other_texts_too_and_a_diverged_seed_for_nothing():
    base = [1.0, 2.0, 3.0]
    loss = [[1.5, 2.1, 3.3], [1.4, 2.3, 3.1], [float("nan")] * 3]
    found = kept.Forgetting("t", "p", "d", base, [1, 1], loss, [[1, 0], [1, 1], [0, 0]], 1.0)
    estimates = estimate_forgetting(found, [0, 1, 2])
    rise = estimates[kept.LOSS]
    assert rise.before == 2
    assert rise.change.mean == pytest.approx((0.9 / 3 + 0.8 / 3) / 2)
    assert (rise.change.seeds, rise.change.items) == (2, 3)
    assert rise.change.low < rise.change.mean < rise.change.high
    assert estimates[kept.PAIRS].seeds == [0.5, 0, 1]
    stored = dataclasses.asdict(found)
    stored["loss"][2] = [None] * 3
    assert np.isnan(kept.Forgetting.parse(stored).loss[2]).all()


def test_parts_of_one_run_join_only_if_they_read_the_same():
    part = kept.Forgetting("t", "p", "d", [1.0], [1.0], [[2.0]], [[1.0]], 1.0)
    joined = kept.join([part, part])
    assert joined.loss == [[2.0], [2.0]]
    assert joined.seconds == 2
    assert kept.join([part, None]) is None
    assert kept.join([part, dataclasses.replace(part, digest="other")]) is None
