"""Projects, raters and links, made on the Rate page."""

from support import ratings as rated
from support.pages import open_page, sound, words
from support.runs import make_runs

from app.state import rating_store
from peftcore import rating


def test_a_project_is_made_from_runs_and_raters_get_links(no_demo_runs):
    make_runs(methods=("lora", "spt"))
    page = open_page("rate", rate__view="New project")
    page.number_input(key="rate.settings.items").set_value(4)
    page.segmented_control(key="rate.settings.mode").set_value("pairwise").run()
    assert "At most 12 pairs, which is 36 verdicts with 3 raters each" in words(page)
    page.session_state["rate.preview"] = True
    assert "Raters give an answer of their own first" in words(sound(page.run()))
    page.segmented_control(key="rate.settings.mode").set_value("single")
    page.multiselect(key="rate.languages").set_value(["de"]).run()
    page.text_area(key="rate.guidelines.de").set_value("Zuerst selbst antworten.")
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
    assert len(page.get("image")) == 2  # each link as a QR code
    assert made(rating_store.rating_store()).settings.translations == {
        "de": "Zuerst selbst antworten."
    }
    sound(page.toggle(key=f"rate.is_open.{who.project}").set_value(False).run())
    assert not made(rating_store.rating_store()).open


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


def test_a_link_names_one_of_several_projects_of_one_name(book):
    first, second = (rated.project(book) for _ in range(2))
    for wanted in (first, second):
        page = open_page("ratings", project=wanted.id)
        choice = page.selectbox(key="rate.project")
        assert choice.value == wanted.id
        assert f"Made up ({wanted.id})" in choice.options
    assert "no project “nosuch” here" in words(open_page("ratings", project="nosuch"))
