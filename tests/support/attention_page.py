"""The Attention page, with recording started."""

from support.pages import open_page, sound


def started(**query):
    return sound(open_page("attention", **query).button(key="attention.start").click().run())
