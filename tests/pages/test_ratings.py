"""The Rate and Ratings pages of whoever runs the lab, and their links from Compare."""

from urllib.parse import parse_qs

from support import ratings as rated
from support.pages import charts, open_page, show_view, sound, words
from support.runs import make_runs

from peftcore import rating
from peftcore.rating import demo


def test_every_view_shows_the_demo_at_first_start():
    page = open_page("ratings")
    assert "Simulated raters, not people" in words(page)
    assert "these verdicts cannot tell it from **Prefix tuning**" in words(page)
    assert "49 items, 4 raters" in charts(page)[0]["layout"]["title"]["text"]
    chart, gaps = charts(page)
    assert "FEB draws only those" in words(page)
    assert "To LoRA" in gaps["layout"]["title"]["text"]
    assert len(gaps["layout"]["yaxis"]["ticktext"]) == len(chart["layout"]["yaxis"]["ticktext"]) - 1
    assert "The data set's own" in " ".join(chart["layout"]["yaxis"]["ticktext"]).replace(
        "&#x27;", "'"
    )
    show_view(page, "ratings", "Verdicts")
    assert "n = " in charts(page)[0]["layout"]["title"]["text"]
    for by in ("Label", "Answer"):
        sound(page.segmented_control(key="ratings.by").set_value(by).run())
        assert len(charts(page)) == 2
    show_view(page, "ratings", "Agreement")
    assert len(charts(page)[0]["layout"]["yaxis"]["ticktext"]) == 5
    assert len(page.dataframe[-1].value) == 6  # pairs of four raters
    show_view(page, "ratings", "Raters")
    assert len(page.dataframe[0].value) == 4
    show_view(page, "ratings", "Disagreements")
    assert "Raters differ on" in words(page)
    assert "cannot be changed" in words(page)
    show_view(page, "ratings", "Metrics")
    assert "chrF to the closest gold explanation" in charts(page)[0]["layout"]["yaxis"]["ticktext"]
    show_view(page, "ratings", "Export")
    page.toggle(key="ratings.key").set_value(True).run()
    assert "method" in sound(page).dataframe[0].value


def test_compare_shows_what_raters_said_with_its_n():
    rated_runs = [run.id for run in demo.demo_runs()]
    page = open_page("compare", "Table", runs=",".join(rated_runs))
    [table] = [each.value for each in page.dataframe if "Human score" in each.value]
    assert table["Human score"].str.fullmatch(r"0\.\d\d \(0\.\d\d to [01]\.\d\d\)").any()
    assert table["Rated"].str.contains("simulated").any()


def test_a_link_from_the_comparison_offers_just_the_runs_compared(no_demo_runs):
    first, _other, last = make_runs(methods=("lora", "prefix_tuning", "spt"))
    asked = [first.id, last.id]
    page = open_page("compare", runs=",".join(asked))
    offered = [each.proto for each in page.get("page_link") if "rate these" in each.proto.label]
    shown_text = parse_qs(offered[0].query_string)
    assert shown_text == {"rate.view": ["New project"], "runs": [",".join(asked)]}
    page = open_page("rate", **{name: values[0] for name, values in shown_text.items()})
    assert page.multiselect(key=f"rate.runs.{first.spec.task}").value == asked


def test_likert_projects_have_every_view(book):
    project = rated.project(book, 5, mode="likert")
    for name, step in (("Ann", 4), ("Bo", 5)):
        scales = dict.fromkeys(rating.DIMENSIONS, step)
        rated.rate_all(book, rated.rater(book, project, name), "", scales=scales)
    page = open_page("ratings", project=project.id)
    assert "0.88" in words(page)  # (4 + 5) / 2 on 1 to 5 is 3.5 of 4
    page.selectbox(key="ratings.score").set_value("fluent").run()
    assert "“It reads well”, 1 to 5 stretched" in words(sound(page))
    for name in ("Verdicts", "Raters", "Metrics", "Export"):
        show_view(page, "ratings", name)
    show_view(page, "ratings", "Agreement")
    one, every = charts(page)
    assert len(one["layout"]["yaxis"]["ticktext"]) == 5
    assert every["layout"]["yaxis"]["ticktext"] == list(rating.DIMENSIONS.values())
    show_view(page, "ratings", "Disagreements")
    keys = [each.key for each in page.text_input if each.key.startswith("ratings.reason.")]
    first = keys[0].rpartition(".")[2]
    submit = next(each for each in page.button if each.label == "Settle")
    assert "Every dimension needs a step" in sound(submit.click().run()).error[0].value
    for name in rating.DIMENSIONS:
        page.segmented_control(key=f"ratings.step.{name}.{first}").set_value(4)
    sound(next(each for each in page.button if each.label == "Settle").click().run())
    assert "justifies 4, makes sense 4, new information 4, fluent 4" in words(page)
    (settled,) = rating.adjudication_table(book, rated.ME, project.id).to_dict("records")
    assert (settled["item"], settled["fluent"], settled["score"]) == (first, 4, 0.75)


def test_a_project_nobody_has_rated_says_what_to_do(book):
    project = rated.project(book)
    assert "Nobody has rated yet" in words(open_page("ratings", project=project.id))
