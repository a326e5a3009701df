"""The Components page, and what stands on it."""

import json

from streamlit.testing.v1 import AppTest

from peftcore import paths
from peftcore.system import processes


def begun(work):
    """What starting does, but for the process."""
    alive = vars(processes.current_process())
    work.write_status(state="working", done=3, of=5, seconds=60.0, process=alive)


def opened(view="", **query):
    page = AppTest.from_file(str(paths.ROOT / "app" / "main.py"), default_timeout=120)
    page.switch_page(str(paths.ROOT / "pages" / "components.py"))
    for name, value in query.items():
        page.query_params[name.replace("_", ".")] = value
    page.run()
    if view:
        page.segmented_control(key="components.view").set_value(view).run()
    return sound(page)


def sound(page):
    assert not page.exception
    assert "Something went wrong" not in words(page)
    return page


def words(page):
    kinds = (page.markdown, page.caption, page.info, page.warning, page.error, page.header)
    return "\n".join(str(found.value) for kind in kinds for found in kind).replace("\\", "")


def charts(page):
    return [json.loads(found.proto.spec) for found in page.get("plotly_chart")]
