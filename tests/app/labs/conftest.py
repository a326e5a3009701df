"""What all tests of the labs' pages run under."""

from support.page_fixtures import no_demo_runs, nothing_in_the_background  # noqa: F401
