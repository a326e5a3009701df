"""Handwritten digits of eight by eight pixels, from scikit-learn's copy of the UCI data set.

1,797 images by 43 people with 17 levels of grey, here 5. Every fifth row in the order of the file
is for testing and the one after it for validation, whatever is trained. Threes are left out of
pretraining: figure 1 of arXiv:2507.10855 tunes atoms on them.
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
    """One image and the word for it."""

    number: int  # row of the data set
    word: str
    picture: Picture


def split_of(number: int) -> Split:
    """Return the split of a row; three fifths are for training."""
    return {0: "test", 1: "validation"}.get(number % 5, "train")  # type: ignore[return-value]


def quantize(grey: Any) -> Picture:
    """Convert grey from 0 to 16 to levels from 0 to 4, the nearest quarter."""
    return tuple(int(value + 2) // 4 for value in grey)


@functools.cache
def load_digit_rows(split: Split) -> tuple[Digit, ...]:
    """Return the images of a split, in the order of the data set."""
    from sklearn.datasets import load_digits

    dataset = load_digits()
    return tuple(
        Digit(i, DIGIT_WORDS[label], quantize(grey))
        for i, (grey, label) in enumerate(zip(dataset.data, dataset.target, strict=True))
        if split_of(i) == split
    )


def digit_prompt(word: str) -> str:
    """Return the prompt for a digit."""
    return f"draw {'an' if word == 'eight' else 'a'} {word}"


class DigitClassifier:
    """A classifier of digits, fitted on the real training images of all ten.

    Its probabilities come from its distances to the decision boundaries, calibrated by a logistic
    regression on the real validation images.
    """

    def __init__(self) -> None:
        """Fit the classifier on the training images."""
        from sklearn.svm import SVC

        train = load_digit_rows("train")
        self._model = SVC(C=4.0, gamma="scale", random_state=0)
        self._model.fit(self._features([d.picture for d in train]), [d.word for d in train])

    @staticmethod
    def _features(pictures: list[Picture]) -> np.ndarray:
        """Return images as rows of grey in [0, 1]: (n, 64)."""
        import numpy as np

        return np.array(pictures, dtype=float) / (LEVELS - 1)

    def predict(self, pictures: list[Picture]) -> list[str]:
        """Return the word for each image."""
        if not pictures:
            return []
        return [str(word) for word in self._model.predict(self._features(pictures))]

    @functools.cached_property
    def _calibration(self) -> Any:
        """Fit the calibration, at first use."""
        from sklearn.linear_model import LogisticRegression

        validation_digits = load_digit_rows("validation")
        calibration = LogisticRegression(max_iter=2000)
        return calibration.fit(
            self._distances([d.picture for d in validation_digits]),
            [d.word for d in validation_digits],
        )

    def _distances(self, pictures: list[Picture]) -> np.ndarray:
        """Return each image's distances to the decision boundaries, (n, 10)."""
        distances: np.ndarray = self._model.decision_function(self._features(pictures))
        return distances

    def probabilities(self, pictures: list[Picture], word: str) -> list[float]:
        """Return each image's probability of showing this digit, by the classifier."""
        if not pictures:
            return []
        column = list(self._calibration.classes_).index(word)
        probabilities = self._calibration.predict_proba(self._distances(pictures))[:, column]
        return [float(probability) for probability in probabilities]

    def accuracy(self) -> float:
        """Return the share of real test images that are classified rightly."""
        test = load_digit_rows("test")
        predicted = self.predict([d.picture for d in test])
        return sum(a == d.word for a, d in zip(predicted, test, strict=True)) / len(test)


@functools.cache
def digit_classifier() -> DigitClassifier:
    """Return the one classifier; fitted in a moment, so nothing is stored."""
    return DigitClassifier()
