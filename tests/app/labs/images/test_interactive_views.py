"""Pictures drawn while somebody watches."""

from support.images_page import opened, sound, words

from app.labs.images import selection


def test_every_view_asks_to_wait_before_it_loads_a_model():
    for view in ("Fewer atoms", "Layers", "Single atoms", "Concept and style"):
        page = opened(view)
        assert any(button.label == "Start now" for button in page.button), view


def test_the_slider_draws_with_fewer_atoms():
    page = opened("Fewer atoms")
    page.button(key="images.start").click().run()
    sound(page)
    line = page.dataframe[-1].value
    assert list(line["Atoms kept"])[:3] == [0, 1, 2]
    assert line["Pictures changed"].iloc[0] == 0
    share = line["As asked (%)"]
    assert share.iloc[0] <= 20
    assert share.iloc[-1] >= 70


def test_words_the_base_does_not_know_are_refused_in_a_sentence():
    page = opened("Layers")
    page.button(key="images.start").click().run()
    page.selectbox(key="images.prompt.pictures_digit").set_value(selection.OWN_WORDS).run()
    page.text_input(key="images.own.pictures_digit").set_value("draw a castle").run()
    assert "does not know 'castle'" in words(sound(page)).replace("\\", "")
    page.text_input(key="images.own.pictures_digit").set_value("draw a three five").run()
    assert "Not judged: the prompt does not name just one digit" in words(sound(page))
