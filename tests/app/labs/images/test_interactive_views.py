"""Images drawn on the page: asked for, and by fewer atoms."""

from support.pages import open_page, sound


def test_every_view_asks_to_wait_before_it_loads_a_model():
    for view in ("Fewer atoms", "Layers", "Single atoms", "Concept and style"):
        page = open_page("images", images__view=view)
        assert any(button.label == "Start now" for button in page.button), view


def test_the_slider_draws_with_fewer_atoms():
    page = open_page("images", images__view="Fewer atoms")
    page.button(key="images.start").click().run()
    sound(page)
    line = page.dataframe[-1].value
    assert list(line["Atoms kept"])[:3] == [0, 1, 2]
    assert line["Pictures changed"].iloc[0] == 0
    share = line["Match the prompt (%)"]
    assert share.iloc[0] <= 20
    assert share.iloc[-1] >= 70
