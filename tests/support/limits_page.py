"""The Limits page on the demo runs."""

from support.pages import open_page, sound


def opened():
    page = open_page("limits")
    start = [button for button in page.button if button.key == "limits.start"]
    return sound(start[0].click().run() if start else page)  # measured at once if torch is there


def choose(page, key, value):
    kinds = (page.segmented_control, page.selectbox)
    found = next(one for kind in kinds for one in kind if one.key == key)
    sound(found.set_value(value).run())
