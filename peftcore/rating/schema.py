"""The database tables of human ratings.

What raters send is only ever added to: an answer, a rating or an adjudication that changes is a new
row that supersedes the old one. Leases and drafts are working state and are overwritten. Which
method a text comes from is in a table of its own (`origins`), which nothing that serves raters
reads. The migrations build these tables; a test checks that they are equal.
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

PROJECTS = sa.Table(
    "rating_projects",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("task", sa.String, nullable=False),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("facts", sa.JSON, nullable=False),  # runs, and what could not be sampled
    sa.Column("state", sa.String, nullable=False),  # open, closed
    sa.Column("demo", sa.Boolean, nullable=False),
)
ITEMS = sa.Table(
    "rating_items",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("project", sa.ForeignKey("rating_projects.id"), nullable=False, index=True),
    sa.Column("kind", sa.String, nullable=False),  # rating, training, check
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("example", sa.String, nullable=False),
    sa.Column("label", sa.String, nullable=False),  # the right answer
    sa.Column("fields", sa.JSON, nullable=False),  # the question: [[name, text], …]
    sa.Column("options", sa.JSON, nullable=False),  # what it can be answered with; empty: freely
    sa.Column("texts", sa.JSON, nullable=False),  # [[label, explanation], …], two for a pair
    sa.Column("expected", sa.JSON, nullable=False),  # verdicts a check or training item accepts
    sa.Column("feedback", sa.String, nullable=False),  # what a training item teaches
)
ORIGINS = sa.Table(
    "rating_origins",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("item", sa.ForeignKey("rating_items.id"), nullable=False, index=True),
    sa.Column("place", sa.Integer, nullable=False),  # which of the item's texts
    sa.Column("run", sa.String, nullable=False),  # empty: not from a run
    sa.Column("method", sa.String, nullable=False),  # "gold" for the data's own explanations
    sa.Column("seed", sa.Integer),
    sa.Column("correct", sa.Boolean),
)
RATERS = sa.Table(
    "rating_raters",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("project", sa.ForeignKey("rating_projects.id"), nullable=False, index=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("token_hash", sa.String(64)),
    sa.Column("login", sa.String),  # address to sign in with, instead of a link
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("link_until", sa.Float),  # epoch seconds; empty: no end
    sa.Column("preferences", sa.JSON),  # keys and language that the rater chose
    sa.UniqueConstraint("project", "login", name="one_rater_of_a_login"),
)
LEASES = sa.Table(
    "rating_leases",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("project", sa.ForeignKey("rating_projects.id"), nullable=False, index=True),
    sa.Column("item", sa.ForeignKey("rating_items.id"), nullable=False, index=True),
    sa.Column("rater", sa.ForeignKey("rating_raters.id"), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),  # 0 is the rater's first item
    sa.Column("flipped", sa.Boolean, nullable=False),  # whether the second text was on the left
    sa.Column("state", sa.String, nullable=False),  # open, done, skipped
    sa.Column("opened", sa.Float, nullable=False),
    sa.Column("expires", sa.Float, nullable=False),
    sa.UniqueConstraint("item", "rater", name="never_an_item_twice"),
    sa.UniqueConstraint("rater", "position", name="one_item_at_a_position"),
)
DRAFTS = sa.Table(
    "rating_drafts",
    metadata,
    sa.Column("lease", sa.ForeignKey("rating_leases.id"), primary_key=True),
    sa.Column("content", sa.JSON, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)
REPEATED_KEY = "again "  # begins the key of an answer that was given to the same example before
ANSWERS = sa.Table(
    "rating_answers",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("lease", sa.ForeignKey("rating_leases.id"), nullable=False, unique=True),
    sa.Column("rater", sa.ForeignKey("rating_raters.id"), nullable=False),
    sa.Column("key", sa.String(80), nullable=False),
    sa.Column("answer", sa.String, nullable=False),
    sa.Column("correct", sa.Boolean, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.UniqueConstraint("rater", "key", name="an_answer_once"),
)
RATINGS = sa.Table(
    "rating_ratings",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("lease", sa.ForeignKey("rating_leases.id"), nullable=False, index=True),
    sa.Column("rater", sa.ForeignKey("rating_raters.id"), nullable=False),
    sa.Column("key", sa.String(80), nullable=False),
    sa.Column("act", sa.String, nullable=False),  # rated, skipped, withdrawn
    sa.Column("judgement", sa.JSON, nullable=False),  # empty unless rated
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("supersedes", sa.ForeignKey("rating_ratings.id"), unique=True),
    sa.UniqueConstraint("rater", "key", name="a_rating_once"),
)
ADJUDICATIONS = sa.Table(
    "rating_adjudications",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("item", sa.ForeignKey("rating_items.id"), nullable=False, index=True),
    sa.Column("who", sa.String, nullable=False),
    sa.Column("judgement", sa.JSON, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("supersedes", sa.ForeignKey("rating_adjudications.id"), unique=True),
)
