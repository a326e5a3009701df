"""The first tables: projects, items and their origins, raters, leases, answers and ratings."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "rating_projects",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "rating_items",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("project", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("example", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("texts", sa.JSON(), nullable=False),
        sa.Column("expected", sa.JSON(), nullable=False),
        sa.Column("feedback", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project"],
            ["rating_projects.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_rating_items_project"), "rating_items", ["project"], unique=False)
    op.create_table(
        "rating_raters",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("project", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=True),
        sa.Column("login", sa.String(), nullable=True),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project"],
            ["rating_projects.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project", "login", name="one_rater_of_a_login"),
    )
    op.create_index(op.f("ix_rating_raters_project"), "rating_raters", ["project"], unique=False)
    op.create_table(
        "rating_adjudications",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("item", sa.String(length=16), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("judgement", sa.JSON(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("supersedes", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["item"],
            ["rating_items.id"],
        ),
        sa.ForeignKeyConstraint(
            ["supersedes"],
            ["rating_adjudications.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("supersedes"),
    )
    op.create_index(
        op.f("ix_rating_adjudications_item"), "rating_adjudications", ["item"], unique=False
    )
    op.create_table(
        "rating_leases",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("project", sa.String(length=16), nullable=False),
        sa.Column("item", sa.String(length=16), nullable=False),
        sa.Column("rater", sa.String(length=16), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("flipped", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("opened", sa.Float(), nullable=False),
        sa.Column("expires", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["item"],
            ["rating_items.id"],
        ),
        sa.ForeignKeyConstraint(
            ["project"],
            ["rating_projects.id"],
        ),
        sa.ForeignKeyConstraint(
            ["rater"],
            ["rating_raters.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("item", "rater", name="never_an_item_twice"),
        sa.UniqueConstraint("rater", "position", name="one_item_at_a_position"),
    )
    op.create_index(op.f("ix_rating_leases_item"), "rating_leases", ["item"], unique=False)
    op.create_index(op.f("ix_rating_leases_project"), "rating_leases", ["project"], unique=False)
    op.create_table(
        "rating_origins",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("item", sa.String(length=16), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=True),
        sa.Column("correct", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(
            ["item"],
            ["rating_items.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_rating_origins_item"), "rating_origins", ["item"], unique=False)
    op.create_table(
        "rating_answers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("lease", sa.String(length=16), nullable=False),
        sa.Column("rater", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("correct", sa.Boolean(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["lease"],
            ["rating_leases.id"],
        ),
        sa.ForeignKeyConstraint(
            ["rater"],
            ["rating_raters.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("lease"),
        sa.UniqueConstraint("rater", "key", name="an_answer_once"),
    )
    op.create_table(
        "rating_drafts",
        sa.Column("lease", sa.String(length=16), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["lease"],
            ["rating_leases.id"],
        ),
        sa.PrimaryKeyConstraint("lease"),
    )
    op.create_table(
        "rating_ratings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("lease", sa.String(length=16), nullable=False),
        sa.Column("rater", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("judgement", sa.JSON(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("supersedes", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["lease"],
            ["rating_leases.id"],
        ),
        sa.ForeignKeyConstraint(
            ["rater"],
            ["rating_raters.id"],
        ),
        sa.ForeignKeyConstraint(
            ["supersedes"],
            ["rating_ratings.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("rater", "key", name="a_rating_once"),
        sa.UniqueConstraint("supersedes"),
    )
    op.create_index(op.f("ix_rating_ratings_lease"), "rating_ratings", ["lease"], unique=False)
