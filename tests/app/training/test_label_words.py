"""The check of labels on the Train page, and other words in their place."""

from support.pages import open_page, sound, words

KEY = "train.words.miniworld_nli"


def test_labels_that_have_to_be_spelt_are_named_and_other_words_reach_the_command(monkeypatch):
    monkeypatch.setenv("PEFTCORE_WARM", "0")
    app = open_page("train")
    app.selectbox(key="train.base").set_value("tiny-t5").run()
    app.selectbox(key="train.task").set_value("miniworld_nli").run()
    warned = " ".join(each.value for each in app.warning).replace("\\", "")
    assert "has to spell entailment (ent · ail · ment)" in warned
    app.button(key=f"{KEY}.offered.0").click().run()
    assert sound(app)
    assert app.text_input(key=f"{KEY}.neutral").value == "unknown"
    assert "tiny-t5 can write the labels: true, unknown, false" in words(app)
    assert '"neutral": "unknown"' in app.code[-1].value
    app.text_input(key=f"{KEY}.neutral").set_value("true").run()
    assert any("stands for two labels" in each.value for each in app.error)
    assert not app.button(key=f"{KEY}.offered.0").disabled
