"""The tables are those that the migrations make."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from peftcore import rating
from peftcore.rating.schema import metadata
from peftcore.rating.store import VERSION_TABLE


def differences(book):
    """What the migrations make beside what the tables say, ours only."""
    options = {
        "version_table": VERSION_TABLE,
        "include_name": lambda name, kind, parents: kind != "table" or name in metadata.tables,
    }
    with book.read_only() as connection:
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)


def test_the_migrations_make_the_tables(home):
    assert differences(rating.RatingStore()) == []
