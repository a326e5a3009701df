"""Forms built from settings, run by Streamlit's own test driver."""

from __future__ import annotations

import pytest
from pydantic import Field
from streamlit.testing.v1 import AppTest

from app.ui import forms


def every_kind() -> None:
    """A page with one field of every kind; functions run by AppTest carry their own imports."""
    from typing import Literal

    import streamlit as st
    from pydantic import Field

    from app.ui import forms
    from peftcore.settings import Settings

    class Kinds(Settings):
        length: int = Field(10, ge=1, le=200, description="Soft tokens in front of the input")
        dropout: float = Field(0.1, ge=0, lt=1, json_schema_extra={"unit": "share"})
        rate: float | None = Field(None, gt=0, le=10, description="Empty takes the default")
        start: Literal["random", "words"] = "words"
        corner: Literal["a", "b", "c", "d", "e"] = "d"
        tied: bool = False
        components: tuple[Literal["query", "value"], ...] = ("query",)
        layers: frozenset[Literal["l1", "l2", "l3", "l4", "l5"]] = frozenset({"l2"})
        note: str = "plain"
        seed: int = Field(0, ge=0, json_schema_extra={"advanced": True})

    made = forms.settings_form(Kinds, "page")
    st.session_state["made"] = made.model_dump() if made else None


@pytest.fixture
def page() -> AppTest:
    return AppTest.from_function(every_kind).run()


def test_untouched_form_gives_the_defaults(page):
    assert not page.exception
    assert page.session_state["made"] == {
        "length": 10,
        "dropout": 0.1,
        "rate": None,
        "start": "words",
        "corner": "d",
        "tied": False,
        "components": ("query",),
        "layers": frozenset({"l2"}),
        "note": "plain",
        "seed": 0,
    }


def test_every_field_has_its_widget_with_limits_and_help(page):
    length = page.number_input(key="page.length")
    assert (length.min, length.max, length.label) == (1, 200, "Length")
    assert length.help == "Soft tokens in front of the input"
    assert page.number_input(key="page.dropout").label == "Dropout (share)"
    assert page.selectbox(key="page.corner").options == ["a", "b", "c", "d", "e"]
    assert page.toggle(key="page.tied").value is False
    assert page.multiselect(key="page.layers").value == ["l2"]


def test_advanced_fields_are_folded_away(page):
    assert [box.label for box in page.expander] == ["More settings"]
    assert page.expander[0].number_input[0].key == "page.seed"


def test_what_is_entered_arrives_validated(page):
    page.number_input(key="page.length").set_value(25)
    page.number_input(key="page.rate").set_value(0.003)
    page.toggle(key="page.tied").set_value(True)
    page.multiselect(key="page.layers").set_value(["l1", "l5"])
    page.run()
    made = page.session_state["made"]
    assert made["length"] == 25
    assert made["rate"] == 0.003
    assert made["tied"] is True
    assert made["layers"] == frozenset({"l1", "l5"})


def test_a_value_at_an_open_limit_is_refused_at_the_form(page):
    page.number_input(key="page.rate").set_value(0.0).run()
    assert page.session_state["made"] is None
    assert "rate" in page.error[0].value
    assert not page.exception


def test_a_rule_between_fields_is_said_at_the_form():
    def ruled() -> None:
        from typing import Self

        import streamlit as st
        from pydantic import Field, model_validator

        from app.ui import forms
        from peftcore.settings import Settings

        class Ruled(Settings):
            low: int = Field(5, ge=0)
            high: int = Field(1, ge=0)

            @model_validator(mode="after")
            def _ordered(self) -> Self:
                if self.low > self.high:
                    raise ValueError("low must not exceed high")
                return self

        st.session_state["made"] = forms.settings_form(Ruled, "page")

    page = AppTest.from_function(ruled).run()
    assert page.session_state["made"] is None
    assert "low must not exceed high" in page.error[0].value
    page.number_input(key="page.low").set_value(0).run()
    assert page.session_state["made"] is not None
    assert not page.error


def test_values_replace_defaults_and_skipped_fields_keep_theirs():
    def started() -> None:
        import streamlit as st

        from app.ui import forms
        from peftcore.runs.spec import Training

        values = {"shots": 16, "steps": 40}
        made = forms.settings_form(Training, "page", values=values, skip=("shots",))
        st.session_state["made"] = made

    page = AppTest.from_function(started).run()
    made = page.session_state["made"]
    assert (made.shots, made.steps) == (16, 40)
    assert page.number_input(key="page.steps").value == 40
    assert "page.shots" not in [box.key for box in page.number_input]


def test_every_setting_of_every_run_has_a_widget():
    def all_settings() -> None:
        import streamlit as st

        from app.ui import forms
        from peftcore.runs.spec import Evaluation, Members, Training

        made = [
            forms.settings_form(kind, kind.__name__) for kind in (Members, Training, Evaluation)
        ]
        st.session_state["equal"] = made == [Members(), Training(), Evaluation()]

    page = AppTest.from_function(all_settings).run()
    assert not page.exception
    assert page.session_state["equal"]


def test_labels_are_sentence_case_words():
    assert forms.field_label("learning_rate") == "Learning rate"
    assert forms.field_label("overlap", Field(title="Raters per item")) == "Raters per item"
