"""Intervals come from `analysis` alone: nobody else turns a spread into limits."""

import re

import pytest

from peftcore import paths

LIMITS = re.compile(
    r"stdtrit|ndtri\(|\bt\.(ppf|interval)|norm\.(ppf|interval)|\bsem\(|1\.96|"
    r"quantile\([^)]*0?\.(025|975|05|95)\b|bootstrap\("
)
DESCRIBED = {"app/figures/scaling.py"}  # where most scales lie, which is no interval
FOLDERS = ("app", "pages", "peftcore")


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_interval_is_computed_outside_analysis(folder):
    found = [
        str(path.relative_to(paths.ROOT))
        for path in sorted((paths.ROOT / folder).rglob("*.py"))
        if "analysis" not in path.parts and LIMITS.search(path.read_text("utf-8"))
    ]
    assert set(found) <= DESCRIBED
