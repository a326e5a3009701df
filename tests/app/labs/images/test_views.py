"""Scores of methods and of edited runs, on the runs and figures that ship."""

import shutil
from dataclasses import asdict

import pytest
from support.pages import open_page, sound, words

from peftcore.labs.images import results_store, summary
from peftcore.labs.images.request import ImagesJob, ImagesRequest
from peftcore.runs.store import RunStore
from peftcore.system import processes


def test_methods_stand_side_by_side_with_their_scores():
    page = open_page("images", images__view="Methods")
    shown_text = words(page)
    assert "10 new examples for training, and 20 old ones beside them" in shown_text
    assert "The base alone" in shown_text
    assert "New is the digit three, which pretraining left out" in shown_text
    assert "; on old prompts " in shown_text
    assert "intervals are about other seeds on the same prompts" in shown_text
    assert "draw a three" in shown_text
    page.segmented_control(key="images.age").set_value("Old").run()
    assert "draw an eight" in words(sound(page))


def test_editing_shows_what_was_measured_on_the_shipped_atoms():
    page = open_page("images", images__view="Editing")
    run = results_store.finished_runs("pictures_digit")
    ids = [each.id for each in run if each.spec.method == "atoms"]
    figure = results_store.load_figure(f"prune-{ids[0]}")
    assert figure is not None
    assert f"of {figure['atoms']} atoms on" in words(page)
    table = page.dataframe[-1].value
    assert len(table) == len(summary.ranked_orders(figure))
    assert "5 seeds" in words(page)


@pytest.fixture
def own_run():
    """A run of one's own, which nobody has measured yet."""
    shipped = next(
        r for r in results_store.finished_runs("pictures_digit") if r.spec.method == "atoms"
    )
    training = shipped.spec.training.model_copy(update={"steps": 99})
    run = RunStore().create(shipped.spec.model_copy(update={"training": training}))
    for name in ("status.json", "scores.json", "answers.parquet", "adapter.safetensors"):
        shutil.copyfile(shipped.folder / name, run.folder / name)
    return run


def measured(run, seeds=(0, 1)):
    """A figure by numbers made up: the chance rises by an eighth with every further atom."""
    rows = [
        {"seed": s, "order": order, "draw": 0, "k": k, "alignment": k / 8, "old_alignment": 1.0,
         "facts": k / 8, "belief": k / 8, "evidence": k - 8.0}
        for s in seeds for order in ("earned", "random") for k in (0, 2, 8)
        if order == "earned" or k == 2
    ]  # fmt: skip
    facts = {"run": run.id, "reader": 0.99, "task": run.spec.task, "seeds": list(seeds)}
    return facts | {"atoms": 8, "new": 4, "old": 9, "again": 3, "kind": "prune", "rows": rows}


def test_a_run_of_ones_own_is_measured_by_a_button_and_then_shown(own_run, monkeypatch):
    begun = []
    monkeypatch.setattr(ImagesJob, "start", begun.append)
    page = open_page("images", images__view="Editing")
    ask = ImagesRequest.make({"kind": "prune", "runs": [own_run.id]})
    key = f"picture_studies.start.{ask.id}"
    assert page.selectbox(key="images.run").value == own_run.id
    assert page.button(key=key).label == "Measure this run"
    page.button(key=key).click().run()
    assert begun == [ask]
    study = ImagesJob.create_own(ask)
    study.write_status(state="running", done=3, of=25, process=asdict(processes.current_process()))
    page.run()
    assert page.button(key=f"picture_studies.stop.{study.id}").label == "Stop"
    page.button(key=f"picture_studies.stop.{study.id}").click().run()
    assert study.stop_requested()
    results_store.save_figure(ask.figure_name, measured(own_run))
    study.write_status(state="done", done=25, of=25)
    page.run()
    text = words(sound(page))
    assert "16 pictures of new ones a point and seed · 2 seeds" in text
    line = page.dataframe[-1].value.iloc[0]
    assert line["Kept first"] == "Largest gain when added"
    assert line["Spearman (one seed left out)"] == "1.000 (1.000 to 1.000)"
    assert (line["Steps up"], line["Deepest fall"]) == ("2 of 2", "0.000")
    assert not [button for button in page.button if button.key and key in button.key]
