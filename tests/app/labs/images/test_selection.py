"""Which task, run and prompt the Images page is about."""

from support.pages import open_page, sound, words

from app.labs.images import selection
from peftcore.labs.images import results_store


def test_an_address_names_the_task_by_its_id():
    page = open_page("images", images__view="Editing", images__task="pictures_style")
    style = next(
        r for r in results_store.finished_runs("pictures_style") if r.spec.method == "atoms"
    )
    assert page.selectbox(key="images.run").value == style.id
    options = page.segmented_control(key="images.shown-scenes").options
    assert "Facts that match the prompt" in options
    page.segmented_control(key="images.view").set_value("Methods").run()
    assert page.selectbox(key="images.kind").value == "pictures_style"


def test_an_address_of_old_names_its_task_still():
    page = open_page("images", images__view="Editing", images__weighed="pictures_concept")
    assert page.selectbox(key="images.kind").value == "pictures_concept"
    assert page.query_params["kind"] == "pictures_concept"
    assert "images.weighed" not in page.query_params


def test_a_view_of_atoms_says_which_task_has_none():
    page = open_page("images", images__view="Editing", images__task="pictures_digit_alone")
    shown_text = words(page).replace("\\", "")
    assert "There are no atoms of “Unseen digit, nothing rehearsed” yet" in shown_text
    assert page.selectbox(key="images.kind").value == "pictures_digit"


def test_words_the_base_does_not_know_are_refused_in_a_sentence():
    page = open_page("images", images__view="Layers")
    page.button(key="images.start").click().run()
    page.selectbox(key="images.prompt-digits").set_value(selection.OWN_WORDS).run()
    page.text_input(key="images.words-digits").set_value("draw a castle").run()
    assert "does not know 'castle'" in words(sound(page)).replace("\\", "")
    page.text_input(key="images.words-digits").set_value("draw a three five").run()
    assert "Not judged: the prompt does not name just one digit" in words(sound(page))
