"""What tests of the ladder start from."""

from support.ladder import nothing_shipped, trained_ladder  # noqa: F401
