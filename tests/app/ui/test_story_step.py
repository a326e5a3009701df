"""A lab's address is kept as a step of one's own story."""

from streamlit.testing.v1 import AppTest

from peftcore.stories import own_steps


def offered():
    def script():
        from app.ui import story_step

        story_step.offer("attention")

    app = AppTest.from_function(script)
    app.query_params["attention.layer"] = "cross-1"
    return app.run()


def test_what_is_missing_is_said_and_nothing_is_kept():
    page = offered()
    page.button[0].click().run()
    assert page.warning
    assert not own_steps.own_titles()
