import pytest

from peftcore.system.visible_text import does_not_show, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, ü 一只狗 کتاب‌ها 👩‍👩‍👧", "plain text, ü 一只狗 کتاب‌ها 👩‍👩‍👧"),
        ("a\tb\nc", "a\tb\nc"),
        ("gnp\u202eexe.", r"gnp\u202eexe."),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("nul\0", r"nul\x00"),
        ("half \ud83d", r"half \ud83d"),
        ("\u2066isolate\u2069 \u200bzero", r"\u2066isolate\u2069 \u200bzero"),
    ],
)
def test_what_does_not_show_is_written_as_its_code(text, shown):
    assert visible(text) == shown
    assert visible(visible(text)) == shown
    assert not any(map(does_not_show, shown))
