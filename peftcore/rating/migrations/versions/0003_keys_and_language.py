"""Add what a rater chose for their own card: keys, and the language of the guidelines."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("rating_raters", sa.Column("preferences", sa.JSON(), nullable=True))
