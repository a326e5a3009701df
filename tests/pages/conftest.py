"""What all tests of pages run under."""

from support.page_fixtures import no_demo_runs, no_demos, nothing_in_the_background  # noqa: F401
from support.rating_pages import book  # noqa: F401
