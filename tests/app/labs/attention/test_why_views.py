"""Why this answer on the Attention page, shown from what ships."""

from support.attention_page import started
from support.pages import charts, sound, words


def test_why_this_answer_has_six_pictures_of_one_text():
    page = started(run="5a7da5def8b7", view="Why this answer")
    assert [note["text"] for note in charts(page)[0]["layout"]["annotations"]] == [
        "Before",
        "After",
    ]
    assert "likeliest first word" in page.header[0].value.replace("\\", "")
    choice = page.selectbox(key="attention.why")
    sound(choice.set_value("Exchanged layers").run())
    assert "all layers exchanged give the adapted model" in words(page)
    sound(page.selectbox(key="attention.why").set_value("Left-out tokens").run())
    assert "one by one" in words(page)
    whole = charts(page)[0]["data"][1]["y"]
    sound(
        page.selectbox(key="attention.word")
        .set_value(page.selectbox(key="attention.word").options[1])
        .run()
    )
    assert charts(page)[0]["data"][1]["y"] != whole
    sound(page.selectbox(key="attention.why").set_value("Gradients").run())
    assert "sums are how fast the log" in words(page)
    sound(page.segmented_control(key="attention.way").set_value("integrated").run())
    assert "of an empty one" in words(page)
    sound(page.selectbox(key="attention.why").set_value("Exchanged heads").run())
    assert "moves the log-odds of" in page.header[0].value.replace("\\", "")
    assert [note["text"] for note in charts(page)[0]["layout"]["annotations"]] == [
        "Encoder",
        "Decoder",
        "Cross",
    ]
    sound(page.selectbox(key="attention.why").set_value("Similarity").run())
    assert "least alike at" in page.header[0].value
