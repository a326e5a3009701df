"""Who may do what: every call of the package, by every role, on one's own things and others'."""

import dataclasses
import json

import pytest
import sqlalchemy as sa
from support.ratings import ME, METHODS, item, pair, project, rate_all, rate_next, rater

from peftcore import rating
from peftcore.errors import BadInput
from peftcore.rating import bundle
from peftcore.rating.schema import RATERS

JUDGEMENT = rating.Judgement(verdict="yes")
EXPERIMENTERS = {
    "create_project": lambda book, who, project, lease: rating.create_project(book, who, []),
    "list_projects": lambda book, who, project, lease: rating.list_projects(book, who),
    "find_project": lambda book, who, project, lease: rating.find_project(book, who, project),
    "set_project_open": lambda book, who, project, lease: rating.set_project_open(
        book, who, project, True
    ),
    "list_raters": lambda book, who, project, lease: rating.list_raters(book, who, project),
    "invite": lambda book, who, project, lease: rating.invite(book, who, project, "x"),
    "renew_link": lambda book, who, project, lease: rating.renew_link(book, who, who.rater),
    "revoke_link": lambda book, who, project, lease: rating.revoke_link(book, who, who.rater),
    "verdict_table": lambda book, who, project, lease: rating.verdict_table(book, who, project),
    "origin_table": lambda book, who, project, lease: rating.origin_table(book, who, project),
    "scored_table": lambda book, who, project, lease: rating.scored_table(book, who, project),
    "item_table": lambda book, who, project, lease: rating.item_table(book, who, project),
    "raters_failing_checks": lambda book, who, project, lease: rating.raters_failing_checks(
        book, who, project
    ),
    "check_table": lambda book, who, project, lease: rating.check_table(book, who, project),
    "comparison_table": lambda book, who, project, lease: rating.comparison_table(
        book, who, project
    ),
    "adjudicate": lambda book, who, project, lease: rating.adjudicate(book, who, "i", JUDGEMENT),
    "adjudication_table": lambda book, who, project, lease: rating.adjudication_table(
        book, who, project
    ),
    "projects_with_run": lambda book, who, project, lease: rating.projects_with_run(book, who, "r"),
    "human_scores": lambda book, who, project, lease: rating.human_scores(book, who, ["r"]),
    "dump": lambda book, who, project, lease: list(bundle.dump_project(book, who, project)),
    "load": lambda book, who, project, lease: bundle.load_project(book, who, []),
    "raters_agree": lambda book, who, project, lease: rating.raters_agree(book, who, ["r"]),
    "unreadable_projects": lambda book, who, project, lease: rating.unreadable_projects(book, who),
    "remove_project": lambda book, who, project, lease: rating.remove_project(book, who, project),
}
RATERS_OWN = {
    "read_screen": lambda book, who, lease: rating.read_screen(book, who, lease),
    "go_to_item": lambda book, who, lease: rating.go_to_item(book, who, lease),
    "submit_answer": lambda book, who, lease: rating.submit_answer(
        book, who, lease, "neutral", "k"
    ),
    "save_draft": lambda book, who, lease: rating.save_draft(book, who, lease, {}, 1),
    "submit_rating": lambda book, who, lease: rating.submit_rating(
        book, who, lease, JUDGEMENT, "k"
    ),
    "skip_item": lambda book, who, lease: rating.skip_item(book, who, lease, "k"),
    "withdraw_rating": lambda book, who, lease: rating.withdraw_rating(book, who, lease, "k"),
}


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    """One project with two raters, and a lease of the first."""
    book = rating.RatingStore(f"sqlite:///{tmp_path_factory.mktemp('book') / 'lab.sqlite'}")
    made = project(book)
    ann, bob = rater(book, made, "Ann"), rater(book, made, "Bob")
    return book, made, ann, bob, rate_next(book, ann)


@pytest.mark.parametrize("call", EXPERIMENTERS)
def test_what_is_an_experimenters_is_refused_to_raters(there, call):
    book, made, ann, _, lease = there
    with pytest.raises(rating.NotAllowed, match="only an experimenter"):
        EXPERIMENTERS[call](book, ann, made.id, lease)


@pytest.mark.parametrize("call", RATERS_OWN)
def test_a_raters_item_is_as_if_absent_to_others(there, call):
    book, _, ann, bob, lease = there
    with pytest.raises(BadInput, match="yours to see"):
        RATERS_OWN[call](book, bob, lease)
    with pytest.raises(BadInput, match="yours to see"):
        RATERS_OWN[call](book, ann, "no such lease")
    with pytest.raises(rating.NotAllowed, match="only a rater"):
        RATERS_OWN[call](book, ME, lease)


RATERS_WAY = {
    *("next_item", "rater_progress", "past_items", "briefing"),
    *("read_preferences", "save_preferences"),
}


@pytest.mark.parametrize("call", sorted(RATERS_WAY))
def test_a_raters_way_is_no_experimenters(there, call):
    with pytest.raises(rating.NotAllowed, match="only a rater"):
        getattr(rating, call)(there[0], ME)


def test_every_public_call_is_in_a_matrix():
    """A new call that nobody thought about fails here."""
    open_to_all = {"sign_in", "sign_in_by_login", "experimenter", "verdict_choices"}
    # These read no book: words, a step, and what runs that one has would ask.
    open_to_all |= {"steps_in_words", "step_score", "source_names", "preview_item"}
    open_to_all |= {"key_titles", "check_keys"}
    calls = {name for name in rating.__all__ if name[0].islower()}
    assert calls <= {*EXPERIMENTERS, *RATERS_OWN, *RATERS_WAY, *open_to_all}


def test_a_link_works_until_it_is_renewed_or_revoked(home):
    book = rating.RatingStore()
    made = project(book)
    invited = rating.invite(book, ME, made.id, "Ann")
    who = rating.sign_in(book, invited.token)
    assert (who.rater, who.project, who.role) == (invited.rater, made.id, "rater")
    renewed = rating.renew_link(book, ME, invited.rater)
    with pytest.raises(rating.NotAllowed, match="not valid"):
        rating.sign_in(book, invited.token)
    again = rating.sign_in(book, renewed.token)
    assert again == who  # the same rater, whichever link
    shown = rating.next_item(book, again)
    rating.revoke_link(book, ME, invited.rater)
    with pytest.raises(rating.NotAllowed, match="not valid"):
        rating.sign_in(book, renewed.token)
    late_calls = [rating.next_item, rating.past_items, rating.rater_progress, rating.briefing]
    for late in [*late_calls, lambda b, w: rating.read_screen(b, w, shown.lease)]:
        with pytest.raises(rating.NotAllowed, match="not valid any more"):
            late(book, again)


@pytest.mark.parametrize("token", ["", ".", "x", "x.y", "é.ü", "0" * 10_000, "' OR 1=1 --.x"])
def test_what_is_no_link_lets_nobody_in(there, token):
    with pytest.raises(rating.NotAllowed):
        rating.sign_in(there[0], token)


def test_the_secret_of_a_link_is_stored_nowhere(home):
    book = rating.RatingStore()
    made = project(book)
    token = rating.invite(book, ME, made.id, "Ann").token
    stored = book.read(sa.select(RATERS))[0]
    secret = token.partition(".")[2]
    assert len(secret) >= 43
    assert secret not in json.dumps(dict(stored))
    assert "token_hash" not in "".join(bundle.dump_project(book, ME, made.id))


def test_a_login_opens_the_projects_it_was_invited_to(home):
    book = rating.RatingStore()
    made, other = project(book), project(book)
    rating.invite(book, ME, made.id, "Ann", "Ann@Example.org ")
    with pytest.raises(BadInput, match="already"):
        rating.invite(book, ME, made.id, "Ann again", "ann@example.org")
    rating.invite(book, ME, other.id, "Ann", "ann@example.org")
    found = rating.sign_in_by_login(book, "ANN@example.org")
    assert {who.project for who in found} == {made.id, other.id}
    assert rating.sign_in_by_login(book, "bob@example.org") == []
    rating.set_project_open(book, ME, other.id, False)
    assert [who.project for who in rating.sign_in_by_login(book, "ann@example.org")] == [made.id]


@pytest.mark.parametrize("mode", ["single", "pairwise"])
def test_nothing_a_rater_is_given_names_a_method_a_run_or_a_seed(home, mode):
    """Everything that comes back from every call of a whole session, searched."""
    book = rating.RatingStore()
    listed = [pair(n) if mode == "pairwise" else item(n, METHODS[n % 2]) for n in range(5)]
    made = project(book, listed, mode=mode)
    who = rater(book, made)
    given = [rating.briefing(book, who), who]
    while shown := rating.next_item(book, who):
        given += [shown, rating.submit_answer(book, who, shown.lease, "neutral", shown.lease)]
        verdict = rating.Judgement(verdict=rating.verdict_choices(mode)[0])
        given += [rating.submit_rating(book, who, shown.lease, verdict, shown.lease)]
        given += [rating.read_screen(book, who, shown.lease), rating.rater_progress(book, who)]
        given += rating.past_items(book, who)
    text = json.dumps([dataclasses.asdict(one) for one in given], default=vars)
    assert "reason 3" in text  # the search sees what is shown
    for word in (*METHODS, "aaaaaaaaaaaa", "bbbbbbbbbbbb", "seed", "method", "task/test", "gold"):
        assert word not in text


def test_rating_everything_leaves_a_rater_with_nothing_else(there):
    book, _, _, bob, _ = there
    assert len(rate_all(book, bob)) == 6
    assert rating.next_item(book, bob) is None


def test_a_link_ends_after_the_days_of_its_project_and_a_new_one_goes_on():
    now = [0.0]
    book = rating.RatingStore(clock=lambda: now[0])
    made = project(book, link_days=2)
    invited = rating.invite(book, ME, made.id, "Ann")
    now[0] = 2 * 86_400
    who = rating.sign_in(book, invited.token)
    lease = rate_next(book, who)
    now[0] += 1
    with pytest.raises(rating.NotAllowed, match="worked until 1970-01-03 00:00 UTC"):
        rating.sign_in(book, invited.token)
    (row,) = rating.list_raters(book, ME, made.id)
    assert (row.link_until, row.link_works) == (2 * 86_400, False)
    with pytest.raises(rating.NotAllowed, match="worked until 1970-01-03 00:00 UTC"):
        rate_next(book, who)  # the visit ends with its link
    again = rating.sign_in(book, rating.renew_link(book, ME, who.rater).token)
    assert rating.past_items(book, again)[0].lease == lease
    (row,) = rating.list_raters(book, ME, made.id)
    assert (row.link_until, row.link_works) == (now[0] + 2 * 86_400, True)


def test_a_visit_by_a_link_that_was_replaced_ends_and_what_was_rated_stays():
    book = rating.RatingStore()
    invited = rating.invite(book, ME, project(book).id, "Ann")
    who = rating.sign_in(book, invited.token)
    lease = rate_next(book, who)
    newer = rating.sign_in(book, rating.renew_link(book, ME, who.rater).token)
    with pytest.raises(rating.NotAllowed, match="a newer link has replaced"):
        rate_next(book, who)
    assert rating.past_items(book, newer)[0].lease == lease
    assert rate_next(book, newer)


def test_a_login_has_no_link_that_could_end():
    now = [0.0]
    book = rating.RatingStore(clock=lambda: now[0])
    rating.invite(book, ME, project(book, link_days=1).id, "Ann", "ann@example.org")
    (who,) = rating.sign_in_by_login(book, "ann@example.org")
    now[0] = 9 * 86_400
    assert rate_next(book, who)


def test_a_link_has_no_end_unless_its_project_says_so():
    now = [0.0]
    book = rating.RatingStore(clock=lambda: now[0])
    invited = rating.invite(book, ME, project(book).id, "Ann")
    now[0] = 1e10
    assert rating.sign_in(book, invited.token).name == "Ann"
