"""What tests of the Models page run under."""

from support.page_fixtures import nothing_in_the_background  # noqa: F401
