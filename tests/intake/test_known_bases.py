"""What is known of the bases that come out of packages."""

from peftcore.intake.known_bases import KNOWN_BASES
from peftcore.intake.request import NAME_PATTERN


def test_every_known_base_can_be_checked():
    for name, known in KNOWN_BASES.items():
        assert known.name == name
        assert NAME_PATTERN.fullmatch(name)
        assert "==" in known.requirement
        assert len(known.wheel_sha256) == len(known.file_sha256) == 64
        assert known.next_tokens
        assert known.splits
        assert not known.summary.endswith(".")
