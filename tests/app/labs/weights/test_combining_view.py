"""Runs combined on the Weights page, shown from what ships."""

from support.pages import charts, follow_link, open_page, sound, words

LORA, PREFIX = "5a7da5def8b7", "2556dc271826"


def finding(page):
    """The first line of the page."""
    return page.header[0].value.replace("\\", "")


def test_two_runs_are_combined_along_a_line_and_a_mixture_is_stored(home):
    page = open_page("weights", run=LORA, view="Combine")
    assert "Half-way between both runs" in finding(page)
    assert "differ in sign" in words(page)
    line, predicted = charts(page)
    assert len(line["data"]) == 10  # four seeds and their mean, for each of two tasks
    assert len(predicted["data"][0]["customdata"]) == 12
    page.button(key="weights.save").click().run()
    assert "Stored as run" in words(sound(page))
    assert len(list((home / "runs").iterdir())) == 1


def test_three_runs_are_combined_over_a_triangle_and_a_point_of_it_is_stored(home):
    three = {"run": PREFIX, "second": "e279709bcee2", "third": "94f899558854", "view": "Combine"}
    page = follow_link("weights", three)
    assert "All three tasks together lose least" in finding(page)
    assert "Click a point" in words(page)
    all_tasks, predicted = charts(page)
    assert len(predicted["data"][0]["customdata"]) == 20  # keys and values of ten blocks
    corners = [note["text"] for note in all_tasks["layout"]["annotations"]]
    assert corners == ["First", "Third", "Second"]
    sound(page.selectbox(key="weights.loss").set_value("94f899558854").run())
    assert charts(page)[0]["layout"]["title"]["text"].startswith("Third:")
    page = follow_link("weights", three | {"point": "30"})
    assert "Chosen: " in words(page)
    page.button(key="weights.save").click().run()
    assert "Stored as run" in words(sound(page))
