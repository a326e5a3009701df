"""The check-up of an own file, shown."""

from __future__ import annotations

from support.pages import open_page, sound, words


def test_the_check_up_shows_what_is_odd_and_a_button_repairs_it():
    app = open_page("data")
    app.segmented_control(key="data.view").set_value("Bring your own file").run()
    rows = "\n".join(f"day {i} was {w},{w}" for i in range(12) for w in ("good", "bad"))
    content = f"text,label\n{rows}\nday 0 was good,good\nwho knows,-1\n[x](http://x.y) \u202e,bad\n"
    app.file_uploader(key="data.file").set_value(("days.csv", content.encode(), "text/csv")).run()
    assert sound(app)
    assert "1 row with the label '-1'" in words(app)
    assert "right-to-left override in 1" in words(app)
    for key in ("no label: leave out", "hidden signs: clean"):
        app.button(key=f"data.check.{key}").click().run()
        assert sound(app)
    assert "With these remedies 1 row is left out" in words(app)
    app.button(key="data.check.hidden signs: leave out").click().run()  # in place of the other one
    assert "With these remedies 2 rows are left out" in words(app)
    app.button(key="data.import").click().run()
    assert sound(app)
    from peftcore import tasks

    name = next(name for name in tasks.task_names() if name.startswith("table_days"))
    assert tasks.find_task(name).labels == ("bad", "good")
    assert "2 lines left out" in tasks.find_task(name).source_note
