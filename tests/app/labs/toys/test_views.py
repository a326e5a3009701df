"""The Toys page: shipped results, a run, answers, capacity."""

import json
import re
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
    assert "fine-tuning gets 99.5 % of answers right, a prefix 0.0 %" in page.header[
        0
    ].value.replace("\\", "")


def test_an_experiment_says_where_it_is_far_from_the_papers_figures():
    shown = words(open_page("toys", view="04"))
    assert "count how often each digit occurs: 92.4 % there, 25.3 % here" in shown
    assert "Not the paper" not in words(open_page("toys"))  # 01 is near


@pytest.mark.parametrize("asked", ["03", "03 Composing, counting"])  # by its id, and as of old
def test_an_address_names_the_experiment(asked):
    page = open_page("toys", toys__experiment=asked)
    assert page.segmented_control(key="toys.view").value == "03"
    page.segmented_control(key="toys.view").set_value("Capacity").run()
    assert page.query_params["view"] in ("Capacity", ["Capacity"])
    assert "whose weights never change print" in words(page)


def test_without_results_it_says_so_and_offers_a_run(monkeypatch, tmp_path):
    monkeypatch.setattr(results, "shipped_folder", lambda: tmp_path)
    page = open_page("toys")
    assert "No results of this experiment are here yet" in words(page)
    assert page.button(key=f"toys.start.{QUICK.id}")


def test_several_starts_are_shown_with_what_they_came_to():
    page = open_page("toys", view="02")
    assert "How they were trained" in [found.label for found in page.expander]
    shown = words(page).replace("\\", "")
    assert re.search(r"In \d+ of 20 cases another start ends at over 2 times the loss", shown)
    assert re.search(r"share right in training rises by at most -?\d+\.\d points", shown)
    assert "add two to each digit 83 % in" in shown
    assert "How they were trained" not in [found.label for found in open_page("toys").expander]


def test_every_variant_answers_a_typed_string():
    page = open_page("toys")
    page.text_input(key="toys.digits-6").set_value("7 0 0 3 1 5").run()
    page.button(key="toys.start").click().run()
    assert not page.exception
    answers = page.dataframe[-1].value
    assert len(answers) == 3
    right = answers.set_index("Variant")["This is right for"]
    assert right["pretrained"] == "sort ascending"
    assert right["fine-tuned: sort descending"] == "sort descending"
    assert heads(page) == {
        "pretrained": "0 0 1 3 5 7 ✗",
        "fine-tuned: sort descending": "7 5 3 1 0 0 ✓",
        "prefix: sort descending": heads(page)["prefix: sort descending"],
    }
    page.segmented_control(key="toys.view").set_value("03").run()
    assert "Something went wrong" not in words(page)
    assert page.segmented_control(key="toys.layer").options == ["1", "2"]
    page.segmented_control(key="toys.head").set_value("4").run()
    assert list(heads(page)) == ["pretrained", "prefix: count how often each digit occurs"]


def heads(page):
    """The title of each picture of a head, with the answer below it."""
    notes = [note["text"] for note in charts(page)[-1]["layout"]["annotations"]]
    return {" ".join(n.split("<br>")[:-1]): n.split("<br>")[-1] for n in notes}


def test_a_prefix_leaves_the_pattern_among_the_digits_in_the_first_layer(monkeypatch):
    monkeypatch.setattr("app.state.cache.imports_ready", lambda: True)
    page = open_page("toys")
    change = {
        name: float(
            re.search(rf"\*\*{name}[^*]*\*\*: largest change ([0-9.]+(e-[0-9]+)?)", words(page))[1]
        )
        for name in ("prefix", "fine-tuned")
    }
    assert change["prefix"] < 1e-5 < 0.01 < change["fine-tuned"]


@pytest.mark.parametrize("typed", ["12345", "1234567", "129456", "<b>1</b>"])
def test_bad_digits_are_refused_in_a_sentence(typed):
    page = open_page("toys")
    page.text_input(key="toys.digits-6").set_value(typed).run()
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
    page = open_page("toys", view=experiment)
    assert "Run it yourself" in [found.label for found in page.expander]


def test_capacity_prints_what_was_typed():
    page = open_page("toys", view="Capacity")
    page.text_input(key="toys.print").set_value("</script>").run()
    assert page.code[0].value == "</script>"
    assert not page.exception
    page.text_input(key="toys.print").set_value("two words").run()
    assert "printable ASCII" in "".join(error.value for error in page.error)
