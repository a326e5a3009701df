"""A change over seeds in words: ahead, behind, equal within a margin, or cannot tell.

For numbers without test items, such as a rank agreement or a share of images: an interval about
other seeds on the same examples is all there is, and the verdict follows from its limits.
"""

from __future__ import annotations

from peftcore.analysis.comparison import Interval, PairedDifference
from peftcore.analysis.verdicts import Verdict, limits_verdict


def change_verdict(
    found: Interval | PairedDifference, margin: float, lowest_first: bool = False
) -> Verdict:
    """Return the verdict on a change; `margin` is the largest one that counts as none."""
    return limits_verdict(found.low, found.high, margin, lowest_first)


def change_in_words(
    found: Interval | PairedDifference, form: str, margin: float, lowest_first: bool = False
) -> str:
    """Return the verdict with the change, its interval and the number of seeds.

    form: of a number, without its sign.
    """
    if found.mean is None:
        return "not measured"
    verdict = change_verdict(found, margin, lowest_first)
    words = f"equal within {margin:g}" if verdict == "equal" else verdict
    change = f"{found.mean:+{form}}"
    seeds = f"{found.n} {'seed' if found.n == 1 else 'seeds'}"
    if found.low is None or found.high is None:
        text = f"{words}: {change}, {found.reason}, {seeds}"
    else:
        limits = f"95 % interval {found.low:+{form}} to {found.high:+{form}}"
        text = f"{words}: {change} ({limits}, {seeds})"
    return text.replace("+-", "-").replace("-", "−")
