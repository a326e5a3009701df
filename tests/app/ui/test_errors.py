"""The border between code and reader: a sentence for bad input, an id and a log for a fault."""

import re

import pytest
from streamlit.testing.v1 import AppTest

from app.ui import errors
from peftcore.system import faults


def page(kind):
    def script(kind):
        from app.ui import errors
        from peftcore.errors import BadInput
        from peftcore.models import catalog

        @errors.guarded
        def work():
            if kind == "base":
                catalog.locate_base("a-base-that-is-gone")
            raise BadInput("length must lie in [1, 5]; got 0") if kind == "bad" else RuntimeError

        if kind == "fine":
            with errors.boundary("here"):
                pass
        else:
            work()

    return AppTest.from_function(script, kwargs={"kind": kind}).run()


def test_bad_input_is_a_sentence_and_no_fault():
    (shown,) = page("bad").error
    assert shown.value.startswith("Length must lie in")
    assert not faults.log_file().exists()


def test_a_base_that_is_missing_is_an_invitation_to_add_it(monkeypatch):
    monkeypatch.setattr("app.ui.widgets.page_link", lambda *_, **query: None)
    app = page("base")
    assert not app.error
    assert "a-base-that-is-gone" in app.markdown[0].value.replace("\\", "")
    assert "can be added with one button" in app.caption[0].value


def test_a_fault_is_an_id_that_the_log_explains():
    (shown,) = page("fault").error
    number = re.search(r"\*\*([0-9a-f]{8})\*\*", shown.value).group(1)
    log = faults.log_file().read_text()
    assert number in log
    assert "RuntimeError" in log
    assert "Traceback" not in shown.value


def test_what_works_shows_nothing():
    app = page("fine")
    assert not app.error
    assert not app.exception


def test_only_the_owner_may_read_the_log():
    page("fault")
    assert faults.log_file().stat().st_mode & 0o077 == 0


def test_a_guarded_function_keeps_its_name_and_result():
    @errors.guarded
    def answer(value):
        """Double."""
        return 2 * value

    assert (answer.__name__, answer.__doc__, answer(3)) == ("answer", "Double.", 6)
    with pytest.raises(KeyboardInterrupt):
        errors.guarded(lambda: (_ for _ in ()).throw(KeyboardInterrupt))()
