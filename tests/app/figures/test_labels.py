"""Tables of labels."""

import pandas as pd

from app.figures import labels


def answers(*pairs):
    return pd.DataFrame(pairs, columns=["label", "predicted"])


def test_answers_are_counted_and_unreadable_ones_come_last():
    counts = labels.confusion_counts(
        answers(("yes", "yes"), ("yes", "no"), ("no", None)), ("no", "yes")
    )
    assert counts.columns.tolist() == ["no", "yes", labels.UNREADABLE]
    assert counts.loc["yes"].tolist() == [1, 1, 0]
    assert counts.loc["no"].tolist() == [0, 0, 1]


def test_a_label_that_never_occurs_keeps_its_row():
    counts = labels.confusion_counts(answers(("yes", "yes")), ("no", "yes"))
    assert counts.loc["no"].tolist() == [0, 0]
    shares = labels.confusion_heatmap(counts, "LoRA", "#123456").data[0].z
    assert shares.tolist() == [[0, 0], [0, 1]]


def test_labels_are_shown_as_typed():
    counts = labels.confusion_counts(answers(("<i>", "<i>")), ("<i>",))
    figure = labels.confusion_heatmap(counts, "<b>", "#123456")
    assert figure.layout.xaxis.ticktext == ("&lt;i&gt;",)
    assert figure.layout.title.text == "&lt;b&gt;, 1 answers"
    assert labels.confusion_heatmap_alt(counts, "LoRA") == (
        "Answers by gold label, LoRA. <i>: 1 of 1 right."
    )
