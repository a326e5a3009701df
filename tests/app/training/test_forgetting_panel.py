"""What a run forgot stands on its page, or a button that measures it, or why there is nothing."""

import numpy as np
from safetensors.numpy import save_file
from support.pages import open_page, sound, words
from support.runs import make_run

from app.training import forgetting_panel
from peftcore.runs.forgetting import Forgetting

DEMO = "5a7da5def8b7"


def with_base(run, kind, adapter=True):
    """Say in a made-up run's manifest of which kind its base is."""
    run.write_manifest(run.manifest() | {"base": {"fingerprint": "f0", "kind": kind}})
    if adapter:
        save_file({"a": np.zeros(1)}, run.folder / "adapter.safetensors")


def test_a_shipped_run_shows_before_after_and_the_interval():
    app = open_page("runs", run=DEMO)
    [table] = [frame.value for frame in app.dataframe if "Forgotten" in frame.value]
    assert list(table["Measure"]) == [*forgetting_panel.MEASURES.values()]
    assert list(table["Seeds"]) == [4, 4]
    assert all(" to " in text for text in table["95 % interval"])
    assert "other seeds and other texts" in words(app)
    assert sound(app)


def test_an_earlier_run_offers_to_measure_it_and_an_encoder_says_why_not():
    run = make_run("lora")
    with_base(run, "encoder-decoder")
    app = open_page("runs", run=run.id)
    assert [b for b in app.button if b.label == "Measure what was forgotten"]
    run.write_forgetting(
        Forgetting("t", "p", "d", [1.0, 2.0], [1.0, 1.0], [[1.5, 2.5]] * 4, [[1.0, 0.0]] * 4, 1.0)
    )
    app = open_page("runs", run=run.id)
    assert not [b for b in app.button if b.label == "Measure what was forgotten"]
    [table] = [frame.value for frame in app.dataframe if "Forgotten" in frame.value]
    assert list(table["Forgotten"]) == ["+0.500", "+0.500"]
    reader = make_run("spt")
    with_base(reader, "encoder")
    assert "reads but does not write" in words(open_page("runs", run=reader.id))


def test_memory_and_processor_time_are_shown_where_they_were_recorded():
    run = make_run("lora")
    app = open_page("runs", run=run.id)
    assert "Peak memory" not in [metric.label for metric in app.metric]
    run.write_status(processor_seconds=83.0, peak_memory=2_000_000_000)
    app = open_page("runs", run=run.id)
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["Processor time"] == "1 min 23 s"
    assert shown["Peak memory"] == "2 GB"
    assert sound(app)
