"""What tests of raters' pages run under."""

from support.page_fixtures import no_demo_runs, nothing_in_the_background  # noqa: F401
from support.rating_pages import book  # noqa: F401
