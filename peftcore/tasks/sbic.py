"""Social Bias Frames: is a post offensive, and what does it imply?

As the few-shot explanation benchmark uses it: the annotations of a post are averaged, and what
annotators noted about a group becomes a sentence. The benchmark tags parts of speech to choose the
sentence; here a list of words does, so some sentences read a little differently. The posts contain
offensive text and do not come with this project.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import fmean

from peftcore.data import sources
from peftcore.data.task import SEPARATOR, Answer, Example, Split, register
from peftcore.data.wording import Wording
from peftcore.errors import BadInput
from peftcore.tasks.kinds.explained import MARKER, ExplainedTask, explained_example, one_line

HUB = sources.HubSource("allenai/social_bias_frames", None, "refs/convert/parquet")
FIELDS = dict.fromkeys(
    ("post", "offensiveYN", "whoTarget", "targetMinority", "targetStereotype"), str
)
BENIGN = "this post does not imply anything offensive"
PERSONAL = "this post is a personal attack"
# Which sentence a statement becomes, by its first word.
NAMING = re.compile("implying|calling")  # "this post is calling …"
ABOUT_POST = re.compile(  # "this post mocks …"
    "advocates|assumes|belittles|calls|claims|demeans|dismisses|encourages|equates|implies|insults|"
    "makes|marginalizes|minimizes|mocks|objectifies|refers|ridicules|says|sexualizes|stereotypes|"
    "suggests|trivializes|uses"
)
ABOUT_GROUP = re.compile(  # "… that GROUP can't …"
    "am|cannot|may|might|must|rape|will|won't|(are|can|could|did|do|does|has|have|had|is|should|was|"
    "were|would)(n't)?|can't"
)
MANY = re.compile(r"\b(women|men|folks)\b|,")  # groups that "are"


@register
class SocialBias(ExplainedTask):
    """A post → offensive or not, and what it implies."""

    name = "social_bias_frames"
    title = "Social Bias Frames"
    labels = ("offensive", "not_offensive")
    wording = Wording("Is the post offensive?", ("Post",))
    source_note = (
        "Social Bias Frames (Sap et al., ACL 2020), CC BY 4.0; the posts are offensive and have "
        "to be fetched by yourself"
    )

    def load(self, split: Split) -> list[Example]:
        """Return one example per implied statement in training, one per post elsewhere."""
        posts: dict[str, list[sources.Row]] = {}
        for row in sources.load_rows(self.name, split, HUB, FIELDS):
            posts.setdefault(row["post"], []).append(row)
        examples: list[Example] = []
        for number, (post, rows) in enumerate(posts.items()):
            label, texts = _label_and_sentences(rows)
            key = f"{split}-{number}"
            if split == "train":
                examples += [
                    self._example(f"{key}-{number_in_post}", post, label, (text,))
                    for number_in_post, text in enumerate(texts)
                ]
            elif texts:
                examples.append(self._example(key, post, label, texts))
        return examples

    def _example(self, key: str, post: str, label: str, texts: Sequence[str]) -> Example:
        """Build the example of a post."""
        source = f"explain what is this? {MARKER} post: {post.lower()}"
        return explained_example(key, source, label, texts, (one_line(post),))

    def parse(self, text: str) -> Answer:
        """Parse as the benchmark does: beside an explanation, all but "offensive" means not."""
        answer = super().parse(text)
        if answer.explanation is None:
            return Answer(answer.text)
        label_text = f"{answer.text} ".partition(SEPARATOR)[0].strip().lower()
        label = "offensive" if label_text in {"offensive", "yes"} else "not_offensive"
        return Answer(answer.text, label, answer.explanation)


def _label_and_sentences(rows: Sequence[sources.Row]) -> tuple[str, tuple[str, ...]]:
    """Return a post's label, and the different sentences about it; none if none were noted."""
    if _annotator_mean(rows, "offensiveYN") < 0.5:
        return "not_offensive", (BENIGN,)
    if _annotator_mean(rows, "whoTarget") < 0.5:
        return "offensive", (PERSONAL,)
    sentences = (
        implied_sentence(one_line(row["targetStereotype"]), one_line(row["targetMinority"]))
        for row in rows
        if row["targetStereotype"].strip()
    )
    return "offensive", tuple(dict.fromkeys(sentences))


def _annotator_mean(rows: Sequence[sources.Row], field: str) -> float:
    """Return the mean of annotators' values, over those who gave one; 0 if nobody did."""
    try:
        judgements = [float(row[field]) for row in rows if row[field].strip()]
    except ValueError:
        values = sorted({row[field] for row in rows})
        raise BadInput(
            f"social_bias_frames: {field} must be a number or empty; got {values}"
        ) from None
    return fmean(judgements) if judgements else 0.0


def implied_sentence(statement: str, group: str) -> str:
    """Return the sentence for a statement about a group, by its first word.

    `implied_sentence("can't drive", "women")` is "this post implies that women can't drive".
    """
    first, _, rest = statement.lower().partition(" ")
    if NAMING.fullmatch(first):
        return f"this post is {statement}"
    if ABOUT_POST.fullmatch(first):
        return f"this post {statement}"
    if first == "all":
        return f"this post implies that {group} are {statement}"
    if not group or not ABOUT_GROUP.fullmatch(first):
        return f"this post implies that {statement}"
    if first == "is" and MANY.search(group):
        return f"this post implies that {group} are {rest}"
    return f"this post implies that {group} {statement}"
