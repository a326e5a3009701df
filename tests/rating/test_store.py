import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from support.postgres import postgres  # noqa: F401
from support.ratings import ME, project, rate_next, rater

from peftcore import rating
from peftcore.errors import BadInput
from peftcore.rating.schema import metadata
from peftcore.rating.store import REVISION, VERSION_TABLE
from peftcore.system.database import JOBS, Database


def differences(book):
    """What the migrations make beside what the tables say, ours only."""
    options = {
        "version_table": VERSION_TABLE,
        "include_name": lambda name, kind, parents: kind != "table" or name in metadata.tables,
    }
    with book.read_only() as connection:
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)


def test_the_newest_migration_is_the_one_the_book_asks_for():
    settings = Config()
    settings.set_main_option("script_location", "peftcore.rating:migrations")
    assert ScriptDirectory.from_config(settings).get_current_head() == REVISION


def test_a_book_of_the_first_step_is_brought_up_to_date_with_what_is_in_it(home):
    brought_up_to_date(None)


def test_a_book_of_the_first_step_is_brought_up_to_date_on_postgresql(postgres):  # noqa: F811
    brought_up_to_date(postgres)


def brought_up_to_date(url):
    book = rating.RatingStore(url)
    made = project(book)
    who = rater(book, made)
    with book.write() as connection:
        for column in ("link_until", "preferences"):
            connection.execute(sa.text(f"ALTER TABLE rating_raters DROP COLUMN {column}"))
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '0001'"))
    book.close()
    again = rating.RatingStore(url)
    assert differences(again) == []
    assert rating.next_item(again, who) is not None
    (row,) = rating.list_raters(again, ME, made.id)
    assert (row.link_until, row.link_works) == (None, True)
    again.close()


def test_an_open_book_is_not_migrated_again(home, monkeypatch):
    rating.RatingStore()
    monkeypatch.setattr(rating.RatingStore, "_upgrade", lambda self: 1 / 0)
    rating.RatingStore()


def test_a_migration_that_fails_leaves_nothing_behind(home, monkeypatch):
    calls = []
    real = sa.Connection.execute

    def failing(self, statement, *args, **kwargs):
        calls.append(str(statement))
        if "rating_drafts" in str(statement) and "CREATE" in str(statement):
            raise RuntimeError("power is gone")
        return real(self, statement, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(sa.Connection, "execute", failing)
        with pytest.raises(RuntimeError, match="power is gone"):
            rating.RatingStore()
        assert any("rating_items" in call for call in calls)
    with Database().read_only() as connection:
        assert not [n for n in sa.inspect(connection).get_table_names() if "rating" in n]
    assert differences(rating.RatingStore()) == []


def test_a_book_of_a_newer_version_is_refused_in_a_sentence(home):
    with rating.RatingStore().write() as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(BadInput, match="at step '9999', which this version does not know"):
        rating.RatingStore()


def test_the_book_lies_beside_the_queue(home):
    rating.RatingStore()
    queue = Database()
    assert queue.read(sa.select(JOBS)) == []


def test_a_commit_reaches_the_disk(home):
    with rating.RatingStore().write() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL


def test_the_whole_way_on_postgresql(postgres):  # noqa: F811
    book = rating.RatingStore(postgres)
    assert differences(book) == []
    made = project(book, 3)
    who = rater(book, made)
    lease = rate_next(book, who, "yes")
    rating.save_draft(book, who, lease, {"comment": "x"}, 1)
    rating.submit_rating(book, who, lease, rating.Judgement(verdict="no"), "again")
    assert list(rating.verdict_table(book, ME, made.id)["verdict"]) == ["no"]
    assert list(rating.item_table(book, ME, made.id)["ratings"]) != []
    assert rating.list_raters(book, ME, made.id)[0].done == 1
    assert rating.rater_progress(book, who).done == 1
    rating.adjudicate(book, ME, rating.verdict_table(book, ME, made.id)["item"][0], judgement())
    assert len(rating.adjudication_table(book, ME, made.id)) == 1
    book.close()


def judgement():
    return rating.Judgement(verdict="weak no")
