import itertools

import pytest
from support.ratings import counted, item, project, rate_all, rate_next, rater

from peftcore import rating
from peftcore.rating import assignment
from peftcore.rating.item_sampling import CHECK_INSTRUCTION


@pytest.fixture
def now():
    return [1000.0]


@pytest.fixture
def book(home, now):
    return rating.RatingStore(clock=lambda: now[0], new_id=counted())


def rated_items(book, project):
    return rating.item_table(book, rating.experimenter(), project.id).set_index("item")["ratings"]


def test_no_item_gets_more_raters_than_the_overlap_and_all_get_as_many(book):
    made = project(book, 5, overlap=2)
    for name in "abcd":
        rate_all(book, rater(book, made, name))
    assert set(rated_items(book, made)) == {2}


def test_a_rater_never_gets_an_item_twice(book):
    made = project(book, 5)
    leases = rate_all(book, rater(book, made))
    assert len(set(leases)) == 5


def test_raters_have_orders_of_their_own_and_they_are_recorded(book):
    made = project(book, 7, overlap=3)
    orders = []
    for name in "abc":
        who = rater(book, made, name)
        rate_all(book, who)
        table = rating.verdict_table(book, rating.experimenter(), made.id)
        own = table[table["name"] == name].sort_values("position")
        assert list(own["position"]) == list(range(1, 8))
        orders.append(tuple(own["example"]))
    assert len(set(orders)) == 3


def test_the_same_item_comes_again_until_it_is_done(book):
    made = project(book)
    who = rater(book, made)
    first = rating.next_item(book, who)
    assert rating.next_item(book, who).lease == first.lease


def test_resumes_at_the_same_item_from_another_machine(book, now):
    made = project(book)
    token = rating.invite(book, rating.experimenter(), made.id, "Ann").token
    shown = rating.next_item(book, rating.sign_in(book, token))
    rating.save_draft(book, rating.sign_in(book, token), shown.lease, {"comment": "so far"}, 1)
    elsewhere = rating.RatingStore(clock=lambda: now[0])
    again = rating.next_item(elsewhere, rating.sign_in(elsewhere, token))
    assert (again.lease, again.draft) == (shown.lease, {"comment": "so far"})


def test_an_item_that_is_held_is_not_handed_out_until_its_lease_ends(book, now):
    made = project(book, 1, overlap=1, lease_minutes=10)
    ann, bob = rater(book, made, "Ann"), rater(book, made, "Bob")
    rating.next_item(book, ann)
    assert rating.next_item(book, bob) is None
    assert rating.rater_progress(book, bob).waiting == 1
    now[0] += 601
    assert rating.next_item(book, bob) is not None


def test_a_draft_renews_the_lease(book, now):
    made = project(book, 1, overlap=1, lease_minutes=10)
    ann, bob = rater(book, made, "Ann"), rater(book, made, "Bob")
    shown = rating.next_item(book, ann)
    now[0] += 500
    assert rating.save_draft(book, ann, shown.lease, {}, 1) == now[0] + 600
    now[0] += 500
    assert rating.next_item(book, bob) is None


def test_who_comes_back_late_goes_on_if_there_is_room_and_is_told_if_not(book, now):
    made = project(book, 1, overlap=1, lease_minutes=10)
    ann, bob = rater(book, made, "Ann"), rater(book, made, "Bob")
    shown = rating.next_item(book, ann)
    rating.submit_answer(book, ann, shown.lease, "neutral", "a")
    now[0] += 601
    assert rating.next_item(book, ann).lease == shown.lease
    now[0] += 601
    assert rate_next(book, bob)
    with pytest.raises(rating.LeaseLost, match="another rater"):
        rating.submit_rating(book, ann, shown.lease, rating.Judgement(verdict="yes"), "r")
    assert rating.next_item(book, ann) is None
    assert list(rated_items(book, made)) == [1]


def test_a_skipped_item_is_not_done_until_it_was_rated(book):
    """Case A19 (HumanSignal/label-studio#347): skip one of three, rate the rest, come back."""
    made = project(book, 3, overlap=1)
    ann = rater(book, made, "Ann")
    first = rating.next_item(book, ann)
    rating.skip_item(book, ann, first.lease, "s")
    while rate_next(book, ann):
        pass
    assert rating.rater_progress(book, ann).done == 2
    assert rating.go_to_item(book, ann, first.lease).state == "open"
    assert rate_next(book, ann)
    assert (rating.rater_progress(book, ann).done, rating.rater_progress(book, ann).total) == (3, 3)


def test_a_skipped_item_goes_to_others_and_can_be_taken_up_again(book):
    made = project(book, 1, overlap=1)
    ann, bob = rater(book, made, "Ann"), rater(book, made, "Bob")
    shown = rating.next_item(book, ann)
    rating.skip_item(book, ann, shown.lease, "s")
    assert rating.next_item(book, ann) is None
    assert rating.go_to_item(book, ann, shown.lease).state == "open"
    rating.skip_item(book, ann, shown.lease, "s2")
    assert rate_next(book, bob)
    with pytest.raises(rating.LeaseLost):
        rating.go_to_item(book, ann, shown.lease)


def test_training_comes_first_and_checks_lie_on_the_way(book):
    check = item(90, kind="check", expected=("no",), texts=(("x", CHECK_INSTRUCTION.format("no")),))
    lesson = item(91, kind="training", expected=("yes",), feedback="Because.")
    made = project(book, [check, *(item(n) for n in range(6)), lesson])
    who = rater(book, made)
    kinds = []
    while shown := rating.next_item(book, who):
        rating.submit_answer(book, who, shown.lease, "neutral", shown.lease)
        written = rating.submit_rating(
            book, who, shown.lease, rating.Judgement(verdict="no"), shown.lease
        )
        kinds.append(shown.training)
        assert written.feedback == ("Because." if shown.training else "")
    assert kinds == [True] + [False] * 7
    table = rating.check_table(book, rating.experimenter(), made.id).iloc[0]
    assert (table["checks"], table["checks_passed"]) == (1, 1)
    assert (table["trainings"], table["trainings_passed"], table["ratings"]) == (1, 0, 6)


def test_a_quota_ends_a_raters_way(book):
    made = project(book, 9, items_per_rater=4)
    who = rater(book, made)
    assert rating.rater_progress(book, who).total == 4
    assert len(rate_all(book, who)) == 4
    assert rating.rater_progress(book, who) == assignment.RaterProgress(4, 4, 0, 0)


def test_nobody_is_stuck_whatever_raters_do(book, now):
    """Rate, skip or walk away in every order: in the end every item is rated to the overlap."""
    made = project(book, 4, overlap=2, lease_minutes=1)
    people = [rater(book, made, name) for name in "abc"]
    acts = itertools.cycle(["rate", "leave", "rate", "skip", "rate", "rate", "leave"])
    for who, act in zip(people * 5, acts, strict=False):
        shown = rating.next_item(book, who)
        if shown is None:
            continue
        if act == "skip":
            rating.skip_item(book, who, shown.lease, f"skip {shown.lease} {now[0]}")
        if act == "rate":
            rate_next(book, who)
        now[0] += 45
    now[0] += 61
    for who in people:
        rate_all(book, who)
        for past in rating.past_items(book, who):
            if past.state == "skipped":
                try:
                    rating.go_to_item(book, who, past.lease)
                except rating.LeaseLost:
                    continue
                rate_next(book, who)
    assert set(rated_items(book, made)) == {2}


def test_a_closed_project_hands_out_nothing(book):
    made = project(book)
    who = rater(book, made)
    rating.set_project_open(book, rating.experimenter(), made.id, False)
    with pytest.raises(rating.NotAllowed, match="closed"):
        rating.next_item(book, who)


def test_the_order_of_a_rater_is_the_same_in_every_process():
    assert assignment.hash_uniform("r", "i") == pytest.approx(0.87368710, abs=1e-8)


def test_the_own_answer_to_an_example_is_asked_once(book):
    made = project(book, [item(n, run=run) for run in ("a" * 12, "b" * 12) for n in range(2)])
    who = rater(book, made)
    asked = {}
    for _ in range(4):
        shown = rating.next_item(book, who)
        text = shown.fields[0][1]
        if shown.answer is None:
            assert not shown.answered_before
            assert not shown.texts
            asked[text] = shown.options[len(asked)]
            rating.submit_answer(book, who, shown.lease, asked[text], f"answer {shown.lease}")
        else:
            assert shown.answered_before
            assert shown.answer == asked[text]
            assert shown.texts
        rating.submit_rating(
            book, who, shown.lease, rating.Judgement(verdict="yes"), f"rating {shown.lease}"
        )
    assert len(asked) == 2
    assert rating.next_item(book, who) is None
    other = rater(book, made, "Bob")
    assert rating.next_item(book, other).answer is None
