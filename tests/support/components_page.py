"""The Components page."""


def figures(page):
    return [metric.value for metric in page.metric]
