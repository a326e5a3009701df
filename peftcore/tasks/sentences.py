"""Two tasks on single sentences whose data may be redistributed, unlike SST-2 and CoLA.

The splits of BLiMP that we read hold one sentence of each minimal pair, so that acceptability is
asked of a sentence alone, as in CoLA, and not which of two is better.
"""

from __future__ import annotations

from peftcore.data import sources
from peftcore.data.task import Example, Split, register
from peftcore.data.wording import Wording
from peftcore.tasks.kinds.labelled import LabelledTextTask

MIXED = 3  # the label of verses that are left out


@register
class PoemSentiment(LabelledTextTask):
    """A verse → its sentiment.

    Verses marked as mixed are left out: they occur in the training split only. Two thirds of the
    others have no impact, so F1 over the three labels comes first.
    """

    name = "poem_sentiment"
    title = "Poem sentiment"
    labels = ("negative", "positive", "no_impact")
    wording = Wording("What is the mood of the verse?", ("Verse",))
    main_metric = "f1"
    prefix, columns, words = "poem", ("verse_text",), ("verse",)
    hub = sources.HubSource("google-research-datasets/poem_sentiment", None, "refs/convert/parquet")
    source_note = "Poem Sentiment (Sheng and Uthus, 2020), CC BY 4.0"

    def load(self, split: Split) -> list[Example]:
        """Return the rows with one sentiment, named by their position among all rows."""
        return [
            self._example(f"{split}-{number}", row)
            for number, row in enumerate(self.rows(split))
            if row["label"] != MIXED
        ]


@register
class BLiMPAcceptability(LabelledTextTask):
    """A sentence of a minimal pair → whether it is grammatical."""

    name = "blimp_acceptability"
    title = "BLiMP grammar"
    labels = ("unacceptable", "acceptable")
    wording = Wording("Is the sentence acceptable English?", ("Sentence",))
    main_metric = "matthews"
    prefix, columns = "blimp", ("sentence",)
    source_note = "BLiMP (Warstadt et al., TACL 2020), CC BY 4.0, one sentence of each pair"
