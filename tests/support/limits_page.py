"""The Limits page on the demo runs."""

from support.pages import open_page, sound


def opened():
    return sound(open_page("limits").button(key="limits.start").click().run())


def choose(page, key, value):
    found = next(one for one in page.segmented_control if one.key.startswith(key))
    sound(found.set_value(value).run())
