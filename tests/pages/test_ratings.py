"""The Rate and Ratings pages of whoever runs the lab, and the doors that raters come by."""

from urllib.parse import parse_qs

import pytest
from support import ratings as rated
from support.pages import charts, open_page, show_view, sound, words
from support.runs import make_runs

from app import nav
from app.state import rating_store
from peftcore import rating


@pytest.fixture
def book():
    store = rating_store.rating_store()
    store.new_id = rated.counted()  # sides follow from ids: by chance no pair is disputed
    return store


def test_every_view_shows_the_demo_at_first_start():
    page = open_page("ratings")
    assert "Simulated raters, not people" in words(page)
    assert "has the highest score" in words(page)
    assert "49 items, 4 raters" in charts(page)[0]["layout"]["title"]["text"]
    chart, gaps = charts(page)
    assert "FEB draws only those" in words(page)
    assert "It is 0.16 ahead of Prefix tuning (95 % interval" in words(page)
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
    page = open_page("compare")
    table = page.dataframe[0].value
    assert table["Human score"].str.fullmatch(r"0\.\d\d \(0\.\d\d to [01]\.\d\d\)").any()
    assert table["Rated"].str.contains("simulated").any()


def test_a_project_is_made_from_runs_and_raters_get_links(no_demo_runs):
    make_runs(methods=("lora", "spt"))
    page = open_page("rate", rate__view="New project")
    page.number_input(key="rate.settings.items").set_value(4)
    page.segmented_control(key="rate.settings.mode").set_value("pairwise").run()
    assert "At most 12 pairs, which is 36 verdicts with 3 raters each" in words(page)
    page.segmented_control(key="rate.settings.mode").set_value("single")
    sound(page.button(key="rate.make").click().run())
    assert "is ready" in words(page)
    assert "raters each" in words(page)
    sound(page.button(key="rate.open_made").click().run())
    assert page.selectbox(key="rate.project").value == made(rating_store.rating_store()).id
    page.text_area(key="rate.names").set_value("Ann\n\nBo")
    submit = next(each for each in page.button if each.label == "Make links")
    sound(submit.click().run())
    links = [each.value for each in page.code]
    assert len(links) == 2
    who = rating.sign_in(rating_store.rating_store(), links[0].partition("?r=")[2])
    assert who.name == "Ann"
    assert list(page.dataframe[0].value["Rater"]) == ["Ann", "Bo"]
    sound(page.toggle(key=f"rate.is_open.{who.project}").set_value(False).run())
    assert not made(rating_store.rating_store()).open


def test_a_link_from_the_comparison_offers_just_the_runs_compared(no_demo_runs):
    first, _other, last = make_runs(methods=("lora", "prefix_tuning", "spt"))
    asked = [first.id, last.id]
    page = open_page("compare", runs=",".join(asked))
    offered = [each.proto for each in page.get("page_link") if "rate these" in each.proto.label]
    shown_text = parse_qs(offered[0].query_string)
    assert shown_text == {"rate.view": ["New project"], "runs": [",".join(asked)]}
    page = open_page("rate", **{name: values[0] for name, values in shown_text.items()})
    assert page.multiselect(key=f"rate.runs.{first.spec.task}").value == asked


def made(book):
    return next(each for each in rating.list_projects(book, rated.ME) if not each.demo)


def test_without_runs_a_new_project_says_what_to_do(no_demo_runs):
    assert "No explanations to rate yet" in words(open_page("rate", rate__view="New project"))


def test_too_few_examples_are_said_in_a_sentence(no_demo_runs):
    make_runs(methods=("lora",))
    page = open_page("rate", rate__view="New project")
    page.number_input(key="rate.settings.items").set_value(500)
    sound(page.button(key="rate.make").click().run())
    assert "500 were asked for" in page.error[0].value.replace("\\", "")


def test_pairs_are_ranked_and_their_items_settled(book):
    project = rated.project(book, [rated.pair(n) for n in range(6)], mode="pairwise")
    for name, side in (("Ann", "left"), ("Bo", "right")):
        rated.rate_all(book, rated.rater(book, project, name), side)
    page = open_page("ratings", project=project.id)
    assert set(charts(page)[0]["layout"]["yaxis"]["ticktext"]) == set(rated.METHODS)
    show_view(page, "ratings", "Disagreements")
    item = rating.item_table(book, rated.ME, project.id)["item"]
    forms = [each for each in page.text_input if each.key.startswith("ratings.reason.")]
    assert forms
    chosen = forms[0].key.rpartition(".")[2]
    assert chosen in set(item)
    page.segmented_control(key=f"ratings.verdict.{chosen}").set_value("left")
    forms[0].set_value("the first names the reason")
    sound(next(each for each in page.button if each.label == "Settle").click().run())
    settled = rating.adjudication_table(book, rated.ME, project.id)
    assert settled["verdict"].tolist() == ["left"]
    assert len(rating.verdict_table(book, rated.ME, project.id)) == 12
    for name in ("Verdicts", "Agreement", "Raters", "Metrics", "Export"):
        show_view(page, "ratings", name)


def test_methods_of_pairs_stand_in_the_order_of_what_they_won(book):
    project = rated.project(book, [rated.pair(n) for n in range(6)], mode="pairwise")
    who = rated.rater(book, project)
    while shown := rating.next_item(book, who):
        rating.submit_answer(book, who, shown.lease, shown.options[0], f"a {shown.lease}")
        texts = rating.read_screen(book, who, shown.lease).texts
        second = next(text.side for text in texts if text.explanation.startswith("other"))
        rating.submit_rating(
            book, who, shown.lease, rating.Judgement(verdict=second), f"r {shown.lease}"
        )
    page = show_view(open_page("ratings", project=project.id), "ratings", "Verdicts")
    (shares,) = charts(page)  # no chart of shortcomings, since none was ticked
    rows = [tick.partition("<br>") for tick in shares["layout"]["yaxis"]["ticktext"]]
    assert [name for name, _, _ in rows] == [rated.METHODS[1], rated.METHODS[0]]
    assert {count for _, _, count in rows} == {"<sup>n = 6</sup>"}
    assert "No shortcoming was ticked" in words(page)


def test_one_verdict_is_told_as_one_and_why_nothing_more_follows_from_it(book):
    project = rated.project(book, 1)
    rated.rate_all(book, rated.rater(book, project))
    page = open_page("ratings", project=project.id)
    assert "1 verdict on 1 item by 1 rater" in words(page)
    assert "**zebra_tuning** scores **1.00**" in words(page)
    show_view(page, "ratings", "Agreement")
    assert words(page).count("no item has verdicts of two raters") == 1
    assert "None of these explanations has a gold explanation" in words(
        show_view(page, "ratings", "Metrics")
    )


def test_raters_who_failed_a_check_can_be_left_out(book):
    check = rated.item(9, kind="check", origins=(), expected=("yes",))
    project = rated.project(book, [rated.item(0), rated.item(1), check])
    rated.rate_all(book, rated.rater(book, project, "Ann"), "yes")
    page = open_page("ratings", project=project.id)
    assert not [each for each in page.toggle if each.key == "ratings.careful"]
    rated.rate_all(book, rated.rater(book, project, "Bo"), "no")
    page = open_page("ratings", project=project.id)
    assert "4 verdicts on 2 items by 2 raters" in words(page)
    page.toggle(key="ratings.careful").set_value(True).run()
    assert "2 verdicts on 2 items by 1 rater" in words(sound(page))
    assert "one rater says nothing about other people" in words(page)
    for name in ("Verdicts", "Agreement"):
        show_view(page, "ratings", name)
    assert "Bo" in list(show_view(page, "ratings", "Raters").dataframe[0].value["Rater"])


def test_shortcomings_of_a_pair_are_those_of_the_one_that_lost(book):
    project = rated.project(book, [rated.pair(n) for n in range(4)], mode="pairwise")
    who = rated.rater(book, project)
    while shown := rating.next_item(book, who):
        rating.submit_answer(book, who, shown.lease, shown.options[0], f"a {shown.lease}")
        texts = rating.read_screen(book, who, shown.lease).texts
        second = next(text.side for text in texts if text.explanation.startswith("other"))
        answers = rating.Judgement(verdict=second, shortcomings=("trivial",))
        rating.submit_rating(book, who, shown.lease, answers, f"r {shown.lease}")
    page = show_view(open_page("ratings", project=project.id), "ratings", "Verdicts")
    _, shortcomings = charts(page)
    assert shortcomings["layout"]["yaxis"]["ticktext"] == [rated.METHODS[0]]
    assert "4 lost or tied" in shortcomings["layout"]["title"]["text"]
    assert "of the text that lost" in words(page)


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


def test_a_link_names_one_of_several_projects_of_one_name(book):
    first, second = (rated.project(book) for _ in range(2))
    for wanted in (first, second):
        page = open_page("ratings", project=wanted.id)
        choice = page.selectbox(key="rate.project")
        assert choice.value == wanted.id
        assert f"Made up ({wanted.id})" in choice.options
    assert "no project “nosuch” here" in words(open_page("ratings", project="nosuch"))


def test_a_raters_link_opens_the_card_and_no_other_page(book):
    project = rated.project(book)
    token = rating.invite(book, rated.ME, project.id, "Ann").token
    page = open_page("rate", r=token)
    assert [each.value for each in page.title] == ["Rate"]
    assert not page.selectbox
    card = page.get("bidi_component")
    assert len(card) == 1
    with pytest.raises(ValueError, match="Could not find a navigation page"):
        page.switch_page(nav.find_page("ratings").script_path)


def test_a_wrong_link_gets_a_sentence():
    page = open_page("rate", r="nobody.nothing")
    assert "This link is not valid: a part" in words(page)


def test_a_closed_project_says_so(book):
    project = rated.project(book)
    token = rating.invite(book, rated.ME, project.id, "Ann").token
    rating.set_project_open(book, rated.ME, project.id, False)
    assert "closed" in words(open_page("rate", r=token))


def test_a_server_for_raters_has_no_other_page(monkeypatch):
    monkeypatch.setenv("PEFTCORE_RATERS_ONLY", "1")
    page = open_page("rate")
    assert "link that was sent to you" in words(page)
    assert not page.selectbox
