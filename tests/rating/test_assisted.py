"""Few ratings and a metric on all answers, on the demo project."""

import pandas as pd
import pytest

from peftcore import rating
from peftcore.analysis import preference
from peftcore.errors import BadInput
from peftcore.rating import assisted, demo
from peftcore.rating.settings import ProjectSettings
from tests.support.commands import printed, refused


@pytest.fixture(scope="module")
def answers():
    row = {"label": "a", "text": "a because x", "source": "", "target": "", "references": ["x"]}
    rows = [
        row
        | {"seed": seed, "example": str(example), "explanation": f"x{seed}"}
        | {"predicted": "a" if right else "b", "correct": right}
        for example, seed, right in [(0, 0, True), (0, 1, False), (1, 0, False), (2, 1, True)]
    ]
    return pd.DataFrame(rows)


def test_only_what_could_have_been_drawn_counts(answers):
    right = assisted.answer_texts({"r": answers}, ProjectSettings(pool="correct"))["r"]
    assert right["item"].tolist() == ["r/0/0", "r/1/2"]
    every = assisted.answer_texts({"r": answers}, ProjectSettings(pool="all"))["r"]
    assert len(every) == 4
    other = answers[answers["example"] == "2"]
    shared = assisted.answer_texts(
        {"r": answers, "s": other}, ProjectSettings(pool="all", same_examples=True)
    )
    assert set(shared["r"]["example"]) == {"2"}


def test_the_demo_project_is_estimated_beyond_its_sample():
    store, me = demo.open_rating_store(), rating.experimenter()
    listed = [p for p in rating.list_projects(store, me) if "pretrained" not in p.name]
    projects = {each.settings.mode: each.id for each in listed}
    rated, metrics = assisted.project_metrics(store, me, projects["single"])
    found = assisted.assisted_means(rated, metrics, "label_right")
    assert len(found) == 5
    for each in found.values():
        assert (each.human.n, each.rest) == (20, 180)
        assert each.powered.low <= each.powered.mean <= each.powered.high
    assert max(each.saved for each in found.values()) > 0.2
    with pytest.raises(BadInput, match="pairs have no score"):
        assisted.project_metrics(store, me, projects["pairwise"])
    value = printed("rating", "assist", projects["single"], "--metric", "label_right")
    assert {row["run"] for row in value["means"]} == set(found)
    assert "no metric 'nothing'" in refused(
        "rating", "assist", projects["single"], "--metric", "nothing"
    )


def test_one_rater_is_held_against_the_others():
    rows = pd.DataFrame(
        [
            {"item": str(i), "example": str(i), "rater": rater, "score": score + shift}
            for i, score in enumerate([0.0, 0.3, 0.6, 0.9])
            for rater, shift in (("a", 0.0), ("b", 0.05), ("c", 0.1))
        ]
    )
    found = preference.rater_ceiling(rows)
    assert found.n == 12
    assert found.spearman > 0.8
    alone = preference.rater_ceiling(rows[rows["rater"] == "a"])
    assert alone.spearman is None
