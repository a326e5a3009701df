"""e-SNLI: does the premise entail the hypothesis, and why?

Template and target of arXiv:2305.13235 and the benchmark under it: hypothesis first, a label in
words, the explanation in lower case.  Answers are compared with up to three human explanations.
"""

from __future__ import annotations

from peftcore.data import sources
from peftcore.data.task import EpisodeProtocol, Example, Split, register
from peftcore.data.wording import INFERENCE
from peftcore.errors import BadInput
from peftcore.tasks.kinds.explained import ExplainedTask, explained_example, human_explanations

HUB = sources.HubSource("esnli/esnli", None, "refs/convert/parquet")
FIELDS = {"premise": str, "hypothesis": str, "label": int, "explanation_1": str}


@register
class ESNLI(ExplainedTask):
    """Premise and hypothesis → label and explanation."""

    name = "esnli"
    title = "e-SNLI inference"
    labels = ("entailment", "neutral", "contradiction")
    wording = INFERENCE
    source_note = "e-SNLI (Camburu et al., NeurIPS 2018), MIT; sentences of SNLI, CC BY-SA 4.0"
    protocol = EpisodeProtocol(train=48, dev=348)  # 350 does not divide by three labels

    def load(self, split: Split) -> list[Example]:
        """Return the rows with a human explanation; a handful at the hub have none."""
        rows = sources.load_rows(self.name, split, HUB, FIELDS)
        return [
            self._example(f"{split}-{number}", row, texts)
            for number, row in enumerate(rows)
            if (texts := human_explanations(row))
        ]

    def _example(self, key: str, row: sources.Row, texts: tuple[str, ...]) -> Example:
        """Build the example of a row."""
        if row["label"] not in range(len(self.labels)):
            raise BadInput(f"{self.name} {key}: label must be 0, 1 or 2; got {row['label']!r}")
        premise, hypothesis = row["premise"].strip(), row["hypothesis"].strip()
        source = f"explain nli hypothesis: {hypothesis} premise: {premise}"
        return explained_example(
            key, source, self.labels[row["label"]], texts, (premise, hypothesis)
        )
