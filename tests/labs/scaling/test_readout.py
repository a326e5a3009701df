"""Soft prompts of real, tiny runs as arrays."""

import numpy as np
import pytest

from peftcore.errors import BadInput
from peftcore.labs.scaling import readout
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import RunStore
from peftcore.training.checkpoint import load_adapter
from peftcore.training.run_training import execute_run

TRAINING = {"shots": 9, "dev": 6, "steps": 4, "batch": 3, "evaluate_every": 2, "learning_rate": 1.0}


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    """(method, settings) → a finished run of four steps on the random T5."""
    store = RunStore(tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("demos"))

    def make(method, vertices=1, family="t5", **settings):
        spec = RunSpec.make(
            {
                "base": f"random-{family}",
                "task": "miniworld_nli",
                "method": method,
                "settings": {"length": 5} | settings,
                "population": {"seeds": 2, "vertices": vertices},
                "training": TRAINING,
                "evaluation": {"limit": 3, "max_new_tokens": 2},
            }
        )
        run = store.create(spec)
        if run.status().state != "done":
            execute_run(run, base=tiny(family))
        return run

    return make


def test_after_is_what_the_base_reads_and_before_is_without_the_scale(trained, tiny):
    run = trained("spt")
    found = readout.read_soft_prompt(run, tiny("t5"))
    stored = {
        name: t.detach()[:, 0].numpy() for name, t in load_adapter(run, tiny("t5")).tensors.items()
    }
    assert found.before == pytest.approx(stored["tokens"])
    assert found.after == pytest.approx(stored["tokens"] * stored["scale"])
    assert found.scale == pytest.approx(stored["scale"][..., 0], abs=1e-5)
    assert found.seeds == (0, 1)
    assert not np.allclose(found.scale, 1.0)


def test_prompt_tuning_has_no_scale_but_one(trained, tiny):
    found = readout.read_soft_prompt(trained("prompt_tuning"), tiny("t5"))
    assert found.before is not found.after
    assert (found.before == found.after).all()
    assert found.scale == pytest.approx(np.ones((2, 5)))


def test_a_simplex_is_read_at_its_centroid(trained, tiny):
    run = trained("spt", vertices=2)
    stored = load_adapter(run, tiny("t5")).tensors
    product = (stored["tokens"] * stored["scale"]).detach().mean(1).numpy()
    assert readout.read_soft_prompt(run, tiny("t5")).after == pytest.approx(product, abs=1e-6)


def test_the_course_starts_where_prompt_tuning_of_the_same_seed_starts(trained, tiny):
    scaled = readout.read_history(trained("spt"), tiny("t5"))
    plain = readout.read_history(trained("prompt_tuning"), tiny("t5"))
    assert scaled.steps == plain.steps == (0, 2, 4)
    assert scaled.after.shape == (3, 2, 5, 16)
    assert scaled.scale[0] == pytest.approx(np.ones((2, 5)))
    assert (scaled.after[0] == plain.after[0]).all()
    assert not np.allclose(scaled.after[2], plain.after[2])


def test_without_kept_steps_the_course_is_the_end(trained, tiny, monkeypatch):
    run = trained("spt")
    monkeypatch.setattr(type(run), "intermediate_steps", lambda self: [])
    found = readout.read_history(run, tiny("t5"))
    assert found.steps == (4,)
    assert (found.after[0] == readout.read_soft_prompt(run, tiny("t5")).after).all()


def test_words_are_those_of_the_training_examples_most_frequent_first(trained, tiny):
    run = trained("spt")
    found = readout.training_words(run, tiny("t5"))
    from peftcore import tasks

    rows = {
        row.id: row.source
        for seed in (0, 1)
        for row in tasks.find_task("miniworld_nli").few_shot(9, seed, 6).train
    }
    text = "".join(rows.values())  # the random base's words are letters and signs
    assert found.counts[found.names.index("a")] == text.count("a")
    assert list(found.counts) == sorted(found.counts, reverse=True)
    assert "</s>" not in found.names
    place = tiny("t5").tokenizer.convert_tokens_to_ids(found.names[0].replace("␣", " "))
    assert (found.vectors[0] == tiny("t5").embeddings[place].numpy()).all()


def test_encoders_have_soft_prompts_too(trained, tiny):
    run = trained("spt", family="bert")
    assert readout.read_soft_prompt(run, tiny("bert")).after.shape == (2, 5, 16)
    assert "<cls>" not in readout.training_words(run, tiny("bert")).names


def test_the_nearest_word_of_a_words_own_embedding_is_that_word(tiny):
    base = tiny("t5")
    ids = base.tokenizer.convert_tokens_to_ids(["q", "7"])
    prompt = base.embeddings[ids].numpy()[None] * 3
    found = readout.nearest_words(prompt, base, 2)
    assert [ranked[0] for ranked in found.names[0]] == ["q", "7"]
    assert found.cosines[0, :, 0] == pytest.approx(np.ones(2))
    assert found.cosines.shape == (1, 2, 2)


def test_courses_are_matched_at_the_steps_and_seeds_they_share():
    def course(steps, seeds):
        rows = np.array([[[[100 * step + seed]] for seed in seeds] for step in steps], dtype=float)
        return readout.SoftPromptHistory(steps, seeds, rows, rows)

    first, second = course((0, 2, 4), (0, 1)), course((0, 4, 6), (1, 2))
    steps, one, other = readout.shared_history(first, second)
    assert steps == (0, 4)
    assert one.ravel().tolist() == other.ravel().tolist() == [1.0, 401.0]


def test_a_reading_holds_the_gap_of_every_seed_before_and_after(trained, tiny):
    from peftcore.analysis import scaling

    base, run = tiny("t5"), trained("spt")
    found = readout.build_readout(run, base)
    assert found.history.steps == (0, 2, 4)
    assert not set(found.unseen_words.names) & set(found.words.names)
    gaps = readout.seed_gaps(found, base)
    assert [gap.seed for gap in gaps] == [0, 1]
    for gap, before, after in zip(gaps, found.final.before, found.final.after, strict=True):
        for measured, rows in ((gap.before, before), (gap.after, after)):
            expected = (
                scaling.row_norms(rows).mean() / scaling.row_norms(found.words.vectors).mean()
            )
            assert measured.norm_ratio == pytest.approx(expected)
            assert measured.energy.value == pytest.approx(
                scaling.energy_distance(rows, found.words.vectors)
            )
    plain = readout.seed_gaps(readout.build_readout(trained("prompt_tuning"), base), base)
    assert all(gap.before == gap.after for gap in plain)


def test_rates_of_scale_and_tokens_as_training_takes_them(trained, tiny):
    spread = float(tiny("t5").embeddings.std())
    assert readout.learning_rate_ratio(trained("spt"), tiny("t5")) == pytest.approx(0.3 / spread)
    assert readout.learning_rate_ratio(trained("prompt_tuning"), tiny("t5")) is None
    assert readout.learning_rate_ratio(trained("spt", train="prompt"), tiny("t5")) is None


def test_a_sample_is_the_same_each_time_and_no_larger_than_asked():
    rows = np.arange(1000.0)[:, None]
    first, again = readout.sample_rows(rows, 50), readout.sample_rows(rows, 50)
    assert (first == again).all()
    assert len(np.unique(first)) == 50
    assert readout.sample_rows(rows, 1000) is rows


def test_a_method_without_soft_tokens_is_refused(trained, tiny):
    run = RunStore().create(
        RunSpec.make({"base": "tiny-t5", "task": "miniworld_nli", "method": "lora"})
    )
    with pytest.raises(BadInput, match=r"no soft tokens; methods that have them: .*spt"):
        readout.read_soft_prompt(run, tiny("t5"))
