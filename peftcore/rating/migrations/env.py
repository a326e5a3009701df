"""Run the migrations on the given connection, in its transaction: all of them or none."""

from alembic import context

from peftcore.rating.schema import metadata
from peftcore.rating.store import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
context.run_migrations()
