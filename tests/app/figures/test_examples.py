"""Charts of a split's examples."""

from app.figures import examples


def test_balance_shows_shares_that_sum_to_one():
    figure = examples.label_shares_chart(
        {"train": ["yes", "no", "no", "no"], "test": ["yes", "no"]}
    )
    train, test = figure.data
    assert list(train.y) == [0.75, 0.25]  # no, yes
    assert sum(test.y) == 1
    assert "n = 4" in train.name


def test_a_split_without_examples_draws_empty_bars():
    figure = examples.label_shares_chart({"train": ["a"], "test": []})
    assert list(figure.data[1].y) == [0]


def test_lengths_count_every_example_once():
    found = [3, 3, 4, 90, 41, 0]
    figure = examples.length_histograms({"input": found}, "words", "Lengths of <6>")
    assert figure.layout.title.text == "Lengths of &lt;6&gt;"
    assert sum(figure.data[0].y) == len(found)
    assert figure.layout.xaxis.title.text == "Length (words)"


def test_hostile_label_is_shown_as_typed():
    figure = examples.label_shares_chart({"train": ["<b>bold</b>"]})
    assert figure.layout.xaxis.ticktext == ("&lt;b&gt;bold&lt;/b&gt;",)
