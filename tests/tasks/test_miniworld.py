"""Miniworld: consistent facts, disjoint splits, no clue in a part alone, tasks that score."""

import random

import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from peftcore.data.task import TASKS, Answer
from peftcore.tasks.miniworld import cards, events, grammar, nonsense, questions, skills
from peftcore.tasks.miniworld import knowledge as world
from peftcore.tasks.miniworld.splits import part_of

NAMES = [f"miniworld_{n}" for n in
         ("nli", "nonsense", "qa", "venues", "triples", "sentiment", "paraphrase")]  # fmt: skip


@pytest.fixture(scope="module")
def pairs() -> list[events.StoryPair]:
    rng = random.Random(11)
    return [events.sample_story_pair(rng, events.RELATIONS[i % 3]) for i in range(3000)]


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_the_same_in_every_process_and_splits_never_share_a_text(name):
    task = TASKS[name]()
    rows = {split: task.load(split) for split in ("train", "validation", "test")}
    assert [len(r) for r in rows.values()] == [600, 200, 200]
    sources = [row.source for split in rows.values() for row in split]
    assert len(set(sources)) == len(sources)
    ids = [row.id for split in rows.values() for row in split]
    assert len(set(ids)) == len(ids)
    assert task.load("test") == rows["test"]


def test_rows_of_a_fresh_interpreter_have_the_same_hash():
    import subprocess
    import sys

    code = "from peftcore.data.task import TASKS; print(TASKS['miniworld_nonsense']().data_hash())"
    fresh = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": "."},
    )  # fmt: skip
    assert fresh.stdout.strip() == TASKS["miniworld_nonsense"]().data_hash()


@pytest.mark.parametrize("name", NAMES)
def test_gold_targets_parse_and_score_as_perfect(name):
    task = TASKS[name]()
    rows = task.load("test")
    answers = [task.parse(row.target) for row in rows]
    scores = task.score(answers, rows)
    best = 100.0 if task.kind == "generate" else 1.0
    assert scores[task.main_metric] == pytest.approx(best)
    if task.labels:
        assert {row.label for row in rows} == set(task.labels)
        counts = [sum(row.label == label for row in rows) for label in task.labels]
        assert max(counts) - min(counts) <= 1


def test_an_unreadable_answer_is_wrong():
    task = TASKS["miniworld_nli"]()
    rows = task.load("test")[:6]
    assert task.score([Answer("perhaps")] * 6, rows)["accuracy"] == 0


def test_triples_score_seen_and_unseen_categories_apart():
    task = TASKS["miniworld_triples"]()
    rows = task.load("test")
    answers = [task.parse(r.target if "/seen/" in r.id else "nothing at all") for r in rows]
    scores = task.score(answers, rows)
    assert scores["bleu_seen"] == pytest.approx(100)
    assert scores["bleu_unseen"] < 1
    assert not any("/unseen/" in row.id for row in task.load("train"))


def _guessing(texts: list[str], labels: list[str]) -> float:
    """Accuracy of a bag of words and word pairs on the last third."""
    cut = 2 * len(texts) // 3
    counts = CountVectorizer(ngram_range=(1, 2), min_df=2)
    known = counts.fit_transform(texts[:cut])
    model = LogisticRegression(max_iter=300, C=0.1).fit(known, labels[:cut])
    return float(model.score(counts.transform(texts[cut:]), labels[cut:]))


def test_a_statement_alone_does_not_tell_its_relation(pairs):
    assert _guessing([p.statement for p in pairs], [p.relation for p in pairs]) < 0.40


def test_lengths_alone_do_not_tell_the_relation(pairs):
    lengths = [[len(p.story.split()), len(p.statement.split())] for p in pairs]
    labels = [p.relation for p in pairs]
    model = LogisticRegression(max_iter=300).fit(lengths[:2000], labels[:2000])
    assert model.score(lengths[2000:], labels[2000:]) < 0.42


def test_word_lists_alone_do_not_tell_which_statement_comes_first_in_nonsense():
    rng = random.Random(3)
    found = [nonsense.sample_nonsense(rng) for _ in range(2000)]
    rows = [(n.nonsense, n.sense) if i % 2 else (n.sense, n.nonsense) for i, n in enumerate(found)]
    firsts = [a.split()[0] for a, _ in rows]
    assert _guessing([" ".join((f, f)) for f in firsts], [str(i % 2) for i in range(2000)]) < 0.56


def test_every_kind_of_reasoning_occurs(pairs):
    found = {(p.relation, p.reasoning) for p in pairs}
    assert {("follows", w) for w in ("kind", "drop", "synonym", "side")} <= found
    assert {("clashes", w) for w in ("noun", "value", "verb", "side")} <= found
    assert {("untold", w) for w in ("missing", "narrow")} <= found


def test_reasons_name_true_kinds(pairs):
    for pair in pairs:
        if pair.reasoning != "kind":
            continue
        below, _, above = pair.reason.partition(" is ")
        noun, kind = (t.removeprefix("a ").removeprefix("an ") for t in (below, above))
        assert kind in world.kinds_of(noun)


def test_what_follows_keeps_every_content_word_or_a_kind_or_synonym_of_it(pairs):
    synonyms = set(world.SYNONYMS)
    for pair in pairs:
        if pair.relation != "follows" or pair.story.split()[0] in world.VALUES["number"]:
            continue
        claimed = set(pair.statement.split()) - {"a", "an", "some", "the", "there"}
        missing = {w for w in claimed - set(pair.story.split())
                   if grammar.plural(w) not in pair.story.split()}  # fmt: skip
        kinds = {k for noun in world.NOUNS for k in world.kinds_of(noun)}
        named = kinds | {grammar.plural(k) for k in kinds}
        known = {word for name in named for word in name.split()}
        known |= {word for phrase in synonyms for word in phrase.split()}
        known |= {word for reason in pair.reasons for word in reason.split()}
        assert missing <= known | {"is", "was", "are", "were", "inside", "outside"}, pair


def test_nonsense_reasons_hold_in_the_tables():
    rng = random.Random(5)
    for _ in range(2000):
        found = nonsense.sample_nonsense(rng)
        assert found.sense != found.nonsense
        if found.topic == "able":
            animal = found.reason.split()[1]
            deed = found.reason.split(" cannot ")[1]
            assert animal in world.UNABLE[deed]
            assert animal not in world.ABLE[deed]


def test_questions_have_five_options_and_one_answer():
    rng = random.Random(6)
    for _ in range(2000):
        asked = questions.sample_question(rng)
        assert len(set(asked.options)) == 5
        assert asked.options.count(asked.answer) == 1


def test_venue_texts_tell_the_name_and_every_value_that_is_a_name():
    rng = random.Random(7)
    for _ in range(300):
        slots = cards.sample_venue(rng)
        texts = cards.guidebook_texts(slots, rng)
        assert 1 <= len(set(texts)) == len(texts) <= 4
        for text in (*texts, cards.describe_venue(slots, rng)):
            assert text.endswith(".")
            for key in ("name", "kind", "food", "near", "area"):
                assert slots.get(key, "").lower() in text.lower()


def test_no_pretraining_text_shows_a_format_or_label_of_a_task():
    rng = random.Random(8)
    texts = [skills.sample_passage(rng) for _ in range(1500)]
    for _ in range(6000):
        lesson = skills.sample_skill_example(rng)
        texts.append(f"{lesson.source} {lesson.target}")
    for text in texts:
        assert not [f for f in skills.FORBIDDEN if f in text], text


def test_no_pretraining_text_holds_a_text_of_a_task():
    rng = random.Random(9)
    lessons = [skills.sample_skill_example(rng) for _ in range(5000)]
    stories = {row.parts[0] for split in ("train", "validation", "test")
               for row in TASKS["miniworld_nli"]().load(split)}  # fmt: skip
    for lesson in lessons:
        if lesson.skill == "check":
            assert lesson.parts is not None
            assert lesson.parts[0] not in stories
            assert part_of(lesson.parts[0]) == "pretraining"


def test_the_world_has_about_a_thousand_words():
    rng = random.Random(10)
    words: set[str] = set()
    for _ in range(4000):
        words |= set(events.sample_story_pair(rng, rng.choice(events.RELATIONS)).story.split())
        found = nonsense.sample_nonsense(rng)
        words |= set(f"{found.sense} {found.nonsense} {found.reason}".split())
        asked = questions.sample_question(rng)
        words |= set(" ".join((asked.text, asked.reason, *asked.options)).split())
        words |= set(skills.sample_passage(rng).split()) & set(skills.COMMON)
    assert 800 <= len(words) <= 1500


@pytest.mark.parametrize(
    ("noun", "more"), [("mouse", "mice"), ("cherry", "cherries"), ("box", "boxes"), ("dog", "dogs")]
)
def test_plurals(noun, more):
    assert grammar.plural(noun) == more


def test_articles_and_mass_nouns():
    assert grammar.some("apple", "old") == "an old apple"
    assert grammar.some("bread", "stale") == "some stale bread"
    assert grammar.a("uniform") == "a uniform"
