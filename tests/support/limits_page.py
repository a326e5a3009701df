"""The Limits page on the demo runs."""

from support.pages import open_page, sound


def opened():
    return sound(open_page("limits").button(key="limits.start").click().run())


def choose(page, key, value):
    kinds = (page.segmented_control, page.selectbox)
    found = next(one for kind in kinds for one in kind if one.key == key)
    sound(found.set_value(value).run())
