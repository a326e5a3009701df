"""Add when a rater's link ends; links made before have no end."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("rating_raters", sa.Column("link_until", sa.Float(), nullable=True))
