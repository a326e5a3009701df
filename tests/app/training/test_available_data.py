"""What a task can give, and what its commonest label scores."""

from collections import Counter

import pytest
from support.pages import open_page, words

from app.state import cache
from app.training import available_data
from peftcore.data.task import Example


def test_a_small_table_gives_what_it_has_and_says_so_once(monkeypatch):
    known = cache.split_examples

    def few(task, split):
        examples = known(task, split).examples
        return cache.SplitExamples(examples[:27] if split == "validation" else examples)

    monkeypatch.setattr(cache, "split_examples", few)
    page = open_page("train", train__base="tiny-t5")
    assert page.number_input(key="train.training.dev").value == 27
    assert words(page).count("27 are taken instead of 48") == 1


@pytest.mark.parametrize("limit", [200, 4])
def test_the_commonest_label_is_what_has_to_be_beaten(monkeypatch, limit):
    from peftcore import tasks
    from peftcore.runs.spec import Evaluation

    task = tasks.find_task("miniworld_nli")
    labels = [task.labels[0]] * 7 + [task.labels[1]] * 3
    rows = tuple(Example(str(n), "x", label, label=label) for n, label in enumerate(labels))
    monkeypatch.setattr(cache, "split_examples", lambda *_: cache.SplitExamples(rows))
    text = available_data.majority_text(task, Evaluation(limit=limit))
    share = {200: "70 %", 4: "50 %"}[limit]  # what is answered is drawn balanced
    assert f"“{task.labels[0]}” is right in {share} of the {min(limit, 10)} test" in text
    assert Counter(labels).most_common(1)[0][0] == task.labels[0]
