"""The Scaling page."""

from support.pages import charts


def titles(page):
    return [chart["layout"]["title"]["text"] for chart in charts(page)]
