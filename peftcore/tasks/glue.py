"""Eight GLUE tasks with the metrics GLUE reports, phrased as in T5's training.

GLUE does not publish the labels of its test splits. So the few-shot protocol here is that of the
literature: K examples of the training split, the next rows of the same sample for validation, and
the official validation split as the test. From the hub, `validation` and `test` therefore are the
same rows; a data folder may hold two parts of them instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from peftcore.data import sources
from peftcore.data.task import Answer, Example, Split, register
from peftcore.data.wording import INFERENCE, Wording, same_meaning
from peftcore.errors import BadInput
from peftcore.metrics import scores
from peftcore.tasks.kinds.labelled import LabelledTextTask

REVISION = "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"


class GlueTask(LabelledTextTask):
    """A task of GLUE; its folder and name are `glue_` and the hub's configuration."""

    main_metric = "accuracy"
    dev_split: ClassVar[Split] = "train"
    evaluation_split: ClassVar[str] = "validation"  # the hub's name of the labelled split

    def rows(self, split: Split) -> list[sources.Row]:
        """Return a split's rows; from the hub, evaluation means the official validation split."""
        hub = sources.HubSource("nyu-mll/glue", self.name.removeprefix("glue_"), REVISION)
        hub_split = "train" if split == "train" else self.evaluation_split
        fields = {**dict.fromkeys(self.columns, str), "label": self.label_type()}
        return sources.load_rows(self.name, split, hub, fields, hub_split)

    def label_type(self) -> type:
        """Return the type of labels in the data."""
        return int


class ParaphraseTask(GlueTask):
    """Two texts → whether they mean the same; GLUE reports F1 of those that do."""

    main_metric = "f1_positive"

    def score(self, answers: Sequence[Answer], gold: Sequence[Example]) -> dict[str, float]:
        """Return the scores of labels, and F1 of the second label alone."""
        label_scores = scores.classification_scores(answers, gold, self.labels)
        return label_scores | scores.positive_f1(answers, gold, self.labels[1])


@register
class SST2(GlueTask):
    """A phrase of a film review → its sentiment."""

    name = "glue_sst2"
    title = "SST-2 film reviews"
    labels = ("negative", "positive")
    wording = Wording("Is the opinion of the film positive or negative?", ("Sentence",))
    prefix, columns = "sst2", ("sentence",)
    source_note = "GLUE SST-2 (Socher et al., EMNLP 2013); licence of the reviews unclear"


@register
class CoLA(GlueTask):
    """A sentence → whether it is grammatical."""

    name = "glue_cola"
    title = "CoLA grammar"
    labels = ("unacceptable", "acceptable")
    wording = Wording("Is the sentence acceptable English?", ("Sentence",))
    main_metric = "matthews"
    prefix, columns = "cola", ("sentence",)
    source_note = "GLUE CoLA (Warstadt et al., TACL 2019); sentences quoted from linguistics books"


@register
class MRPC(ParaphraseTask):
    """Two sentences of the news → whether they mean the same."""

    name = "glue_mrpc"
    title = "MRPC paraphrases"
    labels = ("not_equivalent", "equivalent")
    wording = same_meaning("sentence")
    prefix, columns = "mrpc", ("sentence1", "sentence2")
    source_note = "GLUE MRPC (Dolan and Brockett, IWP 2005), Microsoft Research licence"


@register
class QQP(ParaphraseTask):
    """Two questions → whether they ask the same."""

    name = "glue_qqp"
    title = "QQP questions"
    labels = ("not_duplicate", "duplicate")
    wording = same_meaning("question")
    prefix, columns = "qqp", ("question1", "question2")
    source_note = "GLUE QQP (Quora, 2017), not for commercial use"


@register
class STSB(GlueTask):
    """Two sentences → their similarity, 0 to 5, in whole numbers.

    GLUE asks for a real number. Models here choose among labels, so the six whole numbers are the
    labels; the answers are correlated with the real gold number, as GLUE does. Rounding costs a
    little: even an answer that always rounds rightly stays below 1.
    """

    name = "glue_stsb"
    title = "STS-B similarity, in whole numbers"
    labels = ("0", "1", "2", "3", "4", "5")
    wording = Wording("How alike are the two sentences, from 0 to 5?", ("Sentence 1", "Sentence 2"))
    main_metric = "pearson"
    prefix, columns = "stsb", ("sentence1", "sentence2")
    source_note = "GLUE STS-B (Cer et al., SemEval 2017), CC BY-SA 4.0"

    def label_type(self) -> type:
        """Return float: scores are real numbers."""
        return float

    def _example(self, key: str, row: sources.Row) -> Example:
        """Build the example of a row; BadInput for an unlabelled one."""
        value = row["label"]
        if not 0 <= value <= 5:
            raise BadInput(
                f"{self.name} {key}: label must lie in [0, 5]; got {value!r} (the hub's own test "
                "split has no labels: score the validation split instead)"
            )
        return self._labelled(key, row, str(int(value + 0.5)), value)

    def score(self, answers: Sequence[Answer], gold: Sequence[Example]) -> dict[str, float]:
        """Return Pearson and Spearman; an answer that is no number counts as 2.5, the middle."""
        label_scores = scores.classification_scores(answers, gold, self.labels)
        predicted_values = [float(answer.label) if answer.label else 2.5 for answer in answers]
        return {
            **scores.correlation_scores(
                predicted_values, [example.value or 0.0 for example in gold]
            ),
            "accuracy": label_scores["accuracy"],
            "broken": label_scores["broken"],
        }


@register
class MNLI(GlueTask):
    """Premise and hypothesis → label.  Evaluated on the genres of the training split."""

    name = "glue_mnli"
    title = "MNLI inference"
    labels = ("entailment", "neutral", "contradiction")
    wording = Wording(INFERENCE.question, ("Hypothesis", "Premise"))
    prefix, columns = "mnli", ("hypothesis", "premise")
    evaluation_split = "validation_matched"
    source_note = (
        "GLUE MNLI (Williams et al., NAACL 2018): OANC licence, fiction CC BY 3.0 and CC BY-SA 3.0"
    )


@register
class QNLI(GlueTask):
    """Question and sentence → whether the sentence answers the question."""

    name = "glue_qnli"
    title = "QNLI questions"
    labels = ("entailment", "not_entailment")
    wording = Wording("Does the sentence answer the question?", ("Question", "Sentence"))
    prefix, columns = "qnli", ("question", "sentence")
    source_note = "GLUE QNLI (Wang et al., ICLR 2019) from SQuAD 1.1, CC BY-SA 4.0"


@register
class RTE(GlueTask):
    """Text and hypothesis → whether one follows from the other."""

    name = "glue_rte"
    title = "RTE inference"
    labels = ("entailment", "not_entailment")
    wording = Wording(
        "Does the second sentence follow from the first?", ("Sentence 1", "Sentence 2")
    )
    prefix, columns = "rte", ("sentence1", "sentence2")
    source_note = "GLUE RTE (Dagan et al., 2005, and its successors); no licence stated"
