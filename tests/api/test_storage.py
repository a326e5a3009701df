"""Adapters in folders of their own."""

import pytest

import peftcore


def of_a_run(method="lora"):
    runs = peftcore.RunStore().all()
    found = next(r for r in runs if (r.spec.base, r.spec.method) == ("tiny-t5", method))
    return peftcore.TrainedAdapter(found)


def test_what_was_saved_has_its_scores_but_not_the_data(tmp_path):
    trained = of_a_run()
    folder = peftcore.save(trained, tmp_path / "mine")
    assert not (folder / "answers.parquet").exists()
    loaded = peftcore.load(folder)
    assert loaded.scores.equals(trained.scores)
    for name, tensor in trained.adapted.tensors.items():
        assert loaded.adapted.tensors[name].equal(tensor)
    with pytest.raises(peftcore.BadInput, match="not empty"):
        peftcore.save(trained, folder)


def test_a_folder_without_an_adapter_and_another_base_are_refused(tmp_path):
    with pytest.raises(peftcore.BadInput, match="no adapter that was saved here"):
        peftcore.load(tmp_path)
    folder = peftcore.save(of_a_run(), tmp_path / "mine")
    other = peftcore.load_base("tiny-gpt", device="cpu")
    with pytest.raises(peftcore.BadInput, match="same shape is not the same model"):
        _ = peftcore.load(folder, other).adapted
