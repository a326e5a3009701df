"""What tests of the pages Data, Train and Runs run under."""

from support.page_fixtures import no_demos, nothing_in_the_background  # noqa: F401
