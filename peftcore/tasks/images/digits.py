"""Handwritten digits of eight by eight pixels, from scikit-learn's copy of the UCI data set.

1,797 pictures by 43 people with 17 levels of grey, here 5.  Every fifth row in the order of the
file is for testing and the one after it for validation, whatever is trained.  Threes are left out
of pretraining: figure 1 of arXiv:2507.10855 tunes atoms on them.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from peftcore.tasks.images.canvas import Picture

if TYPE_CHECKING:
    import numpy as np

LEVELS = 5
DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
UNSEEN_DIGIT = "three"
SEEN_DIGITS = tuple(word for word in DIGIT_WORDS if word != UNSEEN_DIGIT)
Split = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Digit:
    """One picture and the word for it."""

    number: int  # row of the data set
    word: str
    picture: Picture


def split_of(number: int) -> Split:
    """The split of a row: three fifths are for training."""
    return {0: "test", 1: "validation"}.get(number % 5, "train")  # type: ignore[return-value]


def quantize(grey: Any) -> Picture:
    """Grey from 0 to 16 as levels from 0 to 4, the nearest quarter."""
    return tuple(int(value + 2) // 4 for value in grey)


@functools.cache
def load_digit_rows(split: Split) -> tuple[Digit, ...]:
    """The pictures of a split, in the order of the data set."""
    from sklearn.datasets import load_digits

    dataset = load_digits()
    return tuple(
        Digit(i, DIGIT_WORDS[label], quantize(grey))
        for i, (grey, label) in enumerate(zip(dataset.data, dataset.target, strict=True))
        if split_of(i) == split
    )


def digit_prompt(word: str) -> str:
    """How a digit is asked for."""
    return f"draw {'an' if word == 'eight' else 'a'} {word}"


class DigitClassifier:
    """Tells which digit a picture shows; fitted on the real pictures for training, all ten.

    Its chances are its distances from the borders between digits, turned into chances by a
    logistic regression on the real pictures for validation.
    """

    def __init__(self) -> None:
        from sklearn.svm import SVC

        train = load_digit_rows("train")
        self._model = SVC(C=4.0, gamma="scale", random_state=0)
        self._model.fit(self._features([d.picture for d in train]), [d.word for d in train])

    @staticmethod
    def _features(pictures: list[Picture]) -> np.ndarray:
        import numpy as np

        return np.array(pictures, dtype=float) / (LEVELS - 1)

    def predict(self, pictures: list[Picture]) -> list[str]:
        """The word for each picture."""
        if not pictures:
            return []
        return [str(word) for word in self._model.predict(self._features(pictures))]

    @functools.cached_property
    def _calibration(self) -> Any:
        from sklearn.linear_model import LogisticRegression

        validation_digits = load_digit_rows("validation")
        calibration = LogisticRegression(max_iter=2000)
        return calibration.fit(
            self._distances([d.picture for d in validation_digits]),
            [d.word for d in validation_digits],
        )

    def _distances(self, pictures: list[Picture]) -> np.ndarray:
        distances: np.ndarray = self._model.decision_function(self._features(pictures))
        return distances

    def probabilities(self, pictures: list[Picture], word: str) -> list[float]:
        """How likely each picture shows this digit, in the classifier's eyes."""
        if not pictures:
            return []
        column = list(self._calibration.classes_).index(word)
        probabilities = self._calibration.predict_proba(self._distances(pictures))[:, column]
        return [float(probability) for probability in probabilities]

    def accuracy(self) -> float:
        """Share of the real test pictures it names rightly."""
        test = load_digit_rows("test")
        predicted = self.predict([d.picture for d in test])
        return sum(a == d.word for a, d in zip(predicted, test, strict=True)) / len(test)


@functools.cache
def digit_classifier() -> DigitClassifier:
    """The one reader; fitted in a moment, so nothing is stored."""
    return DigitClassifier()
