"""The Toys page, run in full without a browser: shipped results, a run, answers, capacity."""

import json
from dataclasses import asdict

import pytest
from support.pages import charts, open_page, words

from app.labs.toys import cache
from peftcore.labs.toys import results
from peftcore.labs.toys.recipes import find_recipe
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


def test_what_is_shipped_supports_what_the_page_says():
    rows = {
        (row.adaptation, row.task): row
        for row in results.result_rows(
            results.shipped_folder(), find_recipe("01"), results.SHIPPED_SEEDS
        )
    }
    assert len(rows["pretrained", "ascending"].seeds) == 5
    assert rows["pretrained", "ascending"].mean >= 90
    assert rows["fine-tuned: descending", "descending"].mean >= 90
    assert rows["prefix: descending", "descending"].mean <= 2


@pytest.mark.parametrize("number", ["02", "03", "04"])
def test_every_experiment_is_shipped_whole_with_five_seeds(number):
    rows = list(
        results.result_rows(results.shipped_folder(), find_recipe(number), results.SHIPPED_SEEDS)
    )
    found = {(row.adaptation, row.task): row for row in rows}
    assert {row.adaptation for row in rows} == {stage.name for stage in find_recipe(number).stages}
    assert all(len(row.seeds) == 5 for row in rows)
    if number == "02":  # what a prefix elicits is the skill it was made for
        for task in ("ascending", "descending", "add1", "add2"):
            own = found[f"prefix: {task}", task].mean
            assert own > found["pretrained", task].mean + 30
            others = [row.mean for row in rows if row.adaptation == f"prefix: {task}"]
            assert sorted(others)[-2] < 6
    if number == "04":  # equally many numbers
        prefix, lora = (found[f"{w}: histogram", "histogram"] for w in ("prefix", "rank-1 LoRA"))
        assert prefix.numbers == lora.numbers
        assert prefix.high < prefix.constant < lora.low
        assert found["rank-1 LoRA: ascending_add1", "ascending_add1"].mean > 90


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


def test_own_results_stand_beside_the_shipped_ones():
    assert [source.name for source in cache.result_sources("01")] == ["Shipped"]
    chosen = find_recipe("01", "quick")
    stored = results.read_result(
        results.shipped_folder(), find_recipe("01"), find_recipe("01").stages[1], (0, 1, 2, 3, 4)
    )
    for seeds in ((0, 1), (2, 3)):
        key = chosen.key(chosen.stages[1], seeds)
        own = asdict(stored) | {"key": key, "seeds": list(seeds)}
        (results.own_folder() / f"{key}.json").write_text(json.dumps(own))
        names = [source.name for source in cache.result_sources("01")]
        assert names[1] == "Yours, quick" + (", seeds 0 to 1" if len(names) > 2 else "")
    assert len(names) == 3
