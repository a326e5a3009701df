"""A file of one's own, from upload to task."""

from __future__ import annotations

from support.pages import open_page, sound, words


def test_own_file_goes_from_upload_to_task_and_away_again():
    app = open_page("data")
    app.segmented_control(key="data.view").set_value("Bring your own file").run()
    rows = "\n".join(f"day {i} was {w},{w}" for i in range(12) for w in ("good", "bad"))
    content = f"text,label\n{rows}\nonly one field\n"
    app.file_uploader(key="data.file").set_value(("days.csv", content.encode(), "text/csv")).run()
    assert sound(app)
    assert "24 of 25 rows can be used" in words(app)
    bad = app.dataframe[1].value
    assert list(bad["Line"]) == [26]
    app.button(key="data.import").click().run()
    assert sound(app)
    from peftcore import tasks

    name = next(name for name in tasks.task_names() if name.startswith("table_days"))
    assert app.success
    app = open_page("data")
    app.selectbox(key="data.task").set_value(name).run()
    splits = app.segmented_control(key="data.split").options
    assert sum(int(split.rpartition(", ")[2]) for split in splits) == 24
    app.button(key="data.delete").click().run()
    app.button(key="data.delete.sure").click().run()
    assert name not in tasks.task_names()


def test_a_file_that_is_no_table_is_refused_in_a_sentence():
    app = open_page("data")
    app.segmented_control(key="data.view").set_value("Bring your own file").run()
    app.file_uploader(key="data.file").set_value(("x.csv", b"", "text/csv")).run()
    assert "empty" in app.error[0].value
    assert sound(app)
