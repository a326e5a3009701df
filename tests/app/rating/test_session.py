"""What a rater's acts do between the card and the book."""

import json
import re
from dataclasses import replace

import pytest
from support import ratings as rated

from app.rating import session
from app.rating.session import RaterSession, apply_actions, card_payload
from peftcore import rating
from peftcore.rating import item_sampling


@pytest.fixture
def book():
    return rating.RatingStore()


class Visit:
    """A card as the browser plays it: numbers its acts and keeps what is not acknowledged."""

    def __init__(self, book, who, client="c1"):
        self.book, self.who, self.client, self.n = book, who, client, 0
        self.session, self.sent_data = RaterSession(), []
        self.look()

    def look(self):
        self.data = card_payload(self.book, self.who, self.session)
        self.sent_data.append(json.dumps(self.data))
        return self.data

    def act(self, do, **values):
        self.n += 1
        apply_actions(self.book, self.who, self.session, [self.sent(self.n, do, **values)])
        return self.look()

    def sent(self, n, do, **values):
        return {"client": self.client, "n": n, "do": do} | values

    @property
    def lease(self):
        return self.data["screen"]["lease"]

    def rate(self, verdict="yes", **fields):
        if self.data["stage"] == "answer":
            self.act("answer", lease=self.lease, text=self.data["screen"]["options"][0])
        judgement = {"verdict": verdict} | fields
        return self.act("rate", lease=self.lease, judgement=judgement, seconds=3.5)


def sit(book, items=3, **settings):
    project = rated.project(book, items, **settings)
    return project, Visit(book, rated.rater(book, project))


def current(book, project):
    return rating.verdict_table(book, rated.ME, project.id)


def test_the_explanation_arrives_only_after_the_answer(book):
    _, visit = sit(book)
    assert visit.data["stage"] == "answer"
    assert not re.search(r"reason \d", json.dumps(visit.data))
    data = visit.act("answer", lease=visit.lease, text="neutral")
    assert data["stage"] == "judge"
    assert data["screen"]["texts"][0]["explanation"].startswith("reason")
    visit.act("answer", lease=visit.lease, text="entailment")  # the first answer stays
    assert visit.data["screen"]["answer"] == "neutral"


def test_another_answer_from_a_second_tab_is_named_and_the_first_stays(book):
    _, first = sit(book)
    second = Visit(book, first.who, client="c2")
    assert second.lease == first.lease
    first.act("answer", lease=first.lease, text="neutral")
    data = second.act("answer", lease=second.lease, text=" Entailment ")
    assert data["note"].startswith("Your answer “neutral” was given before")
    assert "“Entailment” was not stored" in data["note"]
    assert data["screen"]["answer"] == "neutral"
    assert second.act("answer", lease=second.lease, text="NEUTRAL")["note"] == ""


def test_a_rating_without_an_answer_is_refused_in_words(book):
    project, visit = sit(book)
    data = visit.act("rate", lease=visit.lease, judgement={"verdict": "yes"})
    assert "Answer the question first" in data["note"]
    assert current(book, project).empty
    assert visit.act("answer", lease=visit.lease, text="neutral")["note"] == ""


def test_acts_that_arrive_twice_count_once(book):
    project, visit = sit(book)
    visit.act("answer", lease=visit.lease, text="neutral")
    again = visit.sent(2, "rate", lease=visit.lease, judgement={"verdict": "no"}, seconds=1)
    for visited in (visit.session, visit.session, RaterSession()):  # the last as after a reload
        apply_actions(book, visit.who, visited, [again])
        assert visited.last_applied == {"c1": 2}
    assert len(rating.verdict_table(book, rated.ME, project.id, history=True)) == 1


def test_acts_of_a_whole_item_may_come_in_one_message(book):
    project, visit = sit(book)
    lease = visit.lease
    apply_actions(
        book,
        visit.who,
        visit.session,
        [
            visit.sent(1, "draft", lease=lease, content={"answer": "neutral"}, version=1),
            visit.sent(2, "answer", lease=lease, text="neutral"),
            visit.sent(3, "rate", lease=lease, judgement={"verdict": "weak no"}),
        ],
    )
    assert visit.look()["applied"] == {"c1": 3}
    assert current(book, project)["verdict"].tolist() == ["weak no"]
    assert visit.lease != lease


def test_a_draft_is_there_on_another_machine(book):
    _, visit = sit(book)
    visit.act("answer", lease=visit.lease, text="neutral")
    content = {"verdict": "weak yes", "comment": "half", "seconds": 12.5}
    visit.act("draft", lease=visit.lease, content=content, version=1)
    other = Visit(book, visit.who, "c2")
    assert other.lease == visit.lease
    assert other.data["stage"] == "judge"
    assert other.data["screen"]["draft"] == content


def test_undo_takes_the_last_one_back_and_keeps_what_was_said(book):
    project, visit = sit(book)
    first = visit.lease
    visit.rate("yes")
    assert visit.act("undo")["screen"]["lease"] == first
    assert visit.data["stage"] == "judge"
    assert current(book, project).empty
    visit.rate("no", comment="on reflection")
    history = rating.verdict_table(book, rated.ME, project.id, history=True)
    assert history["act"].tolist() == ["rated", "withdrawn", "rated"]
    assert current(book, project)["verdict"].tolist() == ["no"]


def test_undo_of_a_skip_opens_the_item_again(book):
    _, visit = sit(book)
    first = visit.lease
    visit.act("skip", lease=first)
    assert visit.lease != first
    assert visit.act("undo")["screen"]["lease"] == first
    assert visit.data["screen"]["state"] == "open"


def test_undo_in_a_new_visit_finds_the_last_item(book):
    _, visit = sit(book)
    first = visit.lease
    visit.rate()
    assert Visit(book, visit.who, "c2").act("undo")["screen"]["lease"] == first


def test_back_shows_what_was_said_and_a_change_supersedes_it(book):
    project, visit = sit(book)
    first = visit.lease
    visit.rate("yes", shortcomings=["trivial"])
    second = visit.lease
    data = visit.act("back")
    assert data["screen"]["lease"] == first
    assert data["screen"]["judgement"]["shortcomings"] == ["trivial"]
    visit.rate("weak no")
    assert visit.lease == second
    assert current(book, project)["verdict"].tolist() == ["weak no"]


def test_nothing_to_undo_and_nothing_before_the_first_are_said(book):
    _, visit = sit(book)
    assert "nothing to take back" in visit.act("undo")["note"]
    assert "first item" in visit.act("back")["note"]
    assert not visit.data["back"]
    assert not visit.data["undo"]


def test_the_end_counts_and_leads_back(book):
    _, visit = sit(book, items=2)
    visit.rate()
    data = visit.rate()
    assert data["stage"] == "end"
    assert data["progress"]["done"] == 2
    assert visit.act("back")["screen"]["position"] == 2


def test_a_practice_item_teaches_before_the_next(book):
    items = [
        rated.item(0, kind="training", feedback="It repeats the question.", expected=("no",)),
        rated.item(1),
    ]
    _, visit = sit(book, items)
    assert visit.data["screen"]["training"]
    data = visit.rate("yes")
    assert data["stage"] == "lesson"
    assert data["screen"]["feedback"] == "It repeats the question."
    assert data["verdict"] == "yes"
    assert visit.act("next")["stage"] == "answer"
    assert not visit.data["screen"]["training"]


def test_the_lesson_on_a_pair_names_the_side_on_which_the_good_one_stood():
    book = rating.RatingStore(new_id=rated.counted())  # ids under which both orders come up
    practice = replace(
        rated.pair(0), kind="training", origins=(), feedback=item_sampling.PAIR_FEEDBACK
    )
    project = rated.project(book, [practice, rated.pair(1)], mode="pairwise")
    sides = set()
    for name in "ABCDEFGH":
        visit = Visit(book, rated.rater(book, project, name))
        data = visit.rate("tie")
        good = next(t["side"] for t in data["screen"]["texts"] if t["explanation"] == "reason 0")
        assert f"On the {good} is the data set's own" in data["screen"]["feedback"]
        sides.add(good)
    assert sides == {"left", "right"}


def test_a_lesson_on_dimensions_repeats_every_step(book):
    _, visit = sit(
        book, [rated.item(0, kind="training", feedback="So."), rated.item(1)], mode="likert"
    )
    data = visit.rate("", scales=dict.fromkeys(rating.DIMENSIONS, 2) | {"fluent": 5})
    assert data["verdict"] == "justifies 2, makes sense 2, new information 2, fluent 5"


def test_an_item_that_went_to_others_is_said_and_left(book):
    now = [1000.0]
    book.clock = lambda: now[0]
    project, visit = sit(book, items=1, overlap=1, lease_minutes=1)
    visit.act("answer", lease=visit.lease, text="neutral")
    now[0] += 120
    rated.rate_all(book, rated.rater(book, project, "Bo"))
    data = visit.rate()
    assert "gone to another rater" in data["note"]
    assert data["stage"] == "end"
    assert len(current(book, project)) == 1


def test_what_no_card_would_send_is_left_out(book):
    project, visit = sit(book)
    strange = [
        {},
        {"client": "<script>", "n": 1, "do": "next"},
        {"client": "c1", "n": -1, "do": "next"},
        {"client": "c1", "n": 1, "do": "delete", "lease": visit.lease},
    ]
    apply_actions(book, visit.who, visit.session, strange)
    assert visit.session.last_applied == {}
    other = Visit(book, rated.rater(book, project, "Bo"), "c9")
    data = other.act("rate", lease=visit.lease, judgement={"verdict": "yes"})
    assert "yours to see" in data["note"]


@pytest.mark.parametrize("mode", ["single", "pairwise", "likert"])
def test_nothing_a_card_is_told_names_a_method(book, mode):
    items = [rated.pair(n) for n in range(3)] if mode == "pairwise" else 3
    _, visit = sit(book, items, mode=mode)
    scales = dict.fromkeys(rating.DIMENSIONS, 3) if mode == "likert" else {}
    verdict = {"single": "no", "pairwise": "left", "likert": ""}[mode]
    while visit.data["stage"] != "end":
        assert not visit.rate(verdict, scales=scales)["note"]
    whole = "".join(visit.sent_data)
    assert "reason 0" in whole
    for name in (*rated.METHODS, "aaaaaaaaaaaa", "Made up", "method"):
        assert name not in whole


def test_stages_have_words_for_every_case():
    assert session.card_stage(RaterSession(), None) == "end"


def test_keys_and_a_language_are_chosen_on_the_card_and_a_clash_is_said(book):
    project = rated.project(book, translations={"de": "Zuerst selbst antworten."})
    visit = Visit(book, rated.rater(book, project))
    assert [tag for tag, _ in visit.data["guidelines"]] == ["en", "de"]
    assert ["skip", "Skip", "s", "s"] in visit.data["keys"]
    screen = visit.data["screen"]
    visit.act("choose", content={"keys": {"skip": "w"}})
    assert ["skip", "Skip", "s", "w"] in visit.data["keys"]
    visit.act("choose", content={"language": "de"})
    assert (visit.data["language"], visit.data["note"]) == ("de", "")
    visit.act("choose", content={"keys": {"skip": "u"}})
    assert "would do two things" in visit.data["note"]
    assert ["skip", "Skip", "s", "w"] in visit.data["keys"]
    assert visit.data["screen"]["lease"] == screen["lease"]
