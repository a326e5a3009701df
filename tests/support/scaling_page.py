"""The Scaling page, opened on runs of a tiny random base."""

import json

from streamlit.testing.v1 import AppTest

from peftcore import paths
from peftcore.training.planning import build_spec

TRAINING = {"shots": 9, "dev": 6, "steps": 4, "batch": 3, "evaluate_every": 2}


def asked(method, task="miniworld_nli", **settings):
    members, scored = {"seeds": 2}, {"limit": 3, "max_new_tokens": 2}
    return build_spec(
        "random-t5", task, method, {"length": 5} | settings, members, TRAINING, scored
    )


def opened(view="", **query):
    page = AppTest.from_file(str(paths.ROOT / "app" / "main.py"), default_timeout=120)
    page.switch_page(str(paths.ROOT / "pages" / "scaling.py"))
    for name, value in query.items():
        page.query_params[name] = value
    page.run()
    if view:
        page.segmented_control(key="scaling.view").set_value(view).run()
    assert not page.exception
    assert "Something went wrong" not in words(page)
    return page


def charts(page):
    return [json.loads(found.proto.spec) for found in page.get("plotly_chart")]


def titles(page):
    return [chart["layout"]["title"]["text"] for chart in charts(page)]


def words(page):
    kinds = (page.markdown, page.caption, page.info, page.warning, page.error)
    return "\n".join(str(found.value) for kind in kinds for found in kind).replace("\\", "")
