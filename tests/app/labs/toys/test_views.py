"""The Toys page: shipped results, a run, answers, capacity."""

import json
from dataclasses import asdict

import pytest
from support.pages import charts, open_page, words

from peftcore.labs.toys import results
from peftcore.labs.toys.request import ToyJob, ToyRequest
from peftcore.system import processes

QUICK = ToyRequest.make({"number": "01", "size": "quick", "seeds": 2})  # what the page offers


def test_shipped_results_are_shown_with_seeds_and_the_papers_figures():
    page = open_page("toys")
    assert "5 seeds" in charts(page)[0]["layout"]["title"]["text"]
    assert "paper 91.4" in json.dumps(charts(page)[0])
    assert "5 seeds, each with a pretraining of its own" in words(page)


@pytest.mark.parametrize("asked", ["03", "03 Composing, counting"])  # by its id, and as of old
def test_an_address_names_the_experiment(asked):
    page = open_page("toys", toys__experiment=asked)
    assert page.segmented_control(key="toys.experiment").value == "03"
    page.segmented_control(key="toys.experiment").set_value("Capacity").run()
    assert page.query_params["toys.experiment"] == "Capacity"
    assert "The fixed network prints" in words(page)


def test_without_results_it_says_so_and_offers_a_run(monkeypatch, tmp_path):
    monkeypatch.setattr(results, "shipped_folder", lambda: tmp_path)
    page = open_page("toys")
    assert "No results of this experiment are here yet" in words(page)
    assert page.button(key=f"toys.start.{QUICK.id}")


def test_every_variant_answers_a_typed_string():
    page = open_page("toys")
    page.text_input(key="toys.digits.01.6").set_value("7 0 0 3 1 5").run()
    page.button(key="toys.start").click().run()
    assert not page.exception
    answers = page.dataframe[-1].value
    assert len(answers) == 3
    right = answers.set_index("Variant")["This is right for"]
    assert right["pretrained"] == "sort ascending"
    assert right["fine-tuned: sort descending"] == "sort descending"
    titles = [note["text"] for note in charts(page)[-1]["layout"]["annotations"]]
    assert titles == ["pretrained", "prefix: sort descending"]
    page.segmented_control(key="toys.experiment").set_value("03").run()
    assert "Something went wrong" not in words(page)
    assert page.segmented_control(key="toys.layer.03").options == ["1", "2"]
    page.segmented_control(key="toys.head.03").set_value(3).run()
    titles = [note["text"] for note in charts(page)[-1]["layout"]["annotations"]]
    assert titles == ["pretrained", "prefix: count how often each digit occurs"]


@pytest.mark.parametrize("typed", ["12345", "1234567", "129456", "<b>1</b>"])
def test_bad_digits_are_refused_in_a_sentence(typed):
    page = open_page("toys")
    page.text_input(key="toys.digits.01.6").set_value(typed).run()
    assert "Type 6 digits from 0 to 7" in "".join(error.value for error in page.error)


def test_a_start_is_watched_and_stopped(monkeypatch):
    """The process is stood in for by this one."""

    def launch(job):
        job.write_plan({"number": "01"}, [])
        job.append_value({"what": "loss", "stage": "pretrained", "step": 50, "values": [1.0, 2.0]})
        own = asdict(processes.current_process())
        job.write_status(state="running", done=50, of=325, message="pretrained", process=own)

    monkeypatch.setattr(ToyJob, "launch", launch)
    page = open_page("toys")
    page.button(key=f"toys.start.{QUICK.id}").click().run()
    assert any("Training loss" in json.dumps(spec) for spec in charts(page))
    page.button(key=f"toys.stop.{QUICK.id}").click().run()
    assert not page.exception
    assert ToyJob.create(QUICK).stop_requested()


@pytest.mark.parametrize("experiment", ["02", "03", "04"])
def test_every_experiment_opens(experiment):
    page = open_page("toys", toys__experiment=experiment)
    assert "Run it yourself" in [found.label for found in page.expander]


def test_capacity_prints_what_was_typed():
    page = open_page("toys", toys__experiment="Capacity")
    page.text_input(key="toys.text").set_value("</script>").run()
    assert page.code[0].value == "</script>"
    assert not page.exception
    page.text_input(key="toys.text").set_value("two words").run()
    assert "printable ASCII" in "".join(error.value for error in page.error)
