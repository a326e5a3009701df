"""Rows with their names."""

from app.figures.rows import empty_chart, label_rows, two_line_name


def test_the_first_row_is_on_top_and_names_are_only_text():
    figure = empty_chart(200)
    label_rows(figure, ["LoRA · rank 8", "<b>"])
    axis = figure.layout.yaxis
    assert axis.tickvals == (0, -1)
    assert axis.ticktext == ("LoRA<br><sup>rank 8</sup>", "&lt;b&gt;")
    assert axis.range[0] < -1 < 0 < axis.range[1]
    assert figure.layout.height == 200


def test_a_short_name_stays_on_one_line():
    assert two_line_name("LoRA") == "LoRA"
