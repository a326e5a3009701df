"""Runs the steps on the connection it is given, in its transaction: all of them or none."""

from alembic import context

from peftcore.rating.schema import metadata
from peftcore.rating.store import VERSIONS

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSIONS,
    transactional_ddl=True,
)
context.run_migrations()
