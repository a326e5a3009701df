"""Templates and corrupted explanations on the Train page are a run more for each method."""

from support.pages import open_page, sound

from app.training.side_by_side import vary_specs
from peftcore.training.planning import build_spec


def test_each_template_and_kind_of_explanation_ticked_is_one_run_more(monkeypatch):
    monkeypatch.setenv("PEFTCORE_WARM", "0")
    app = open_page("train")
    app.selectbox(key="train.base").set_value("tiny-t5").run()
    app.selectbox(key="train.task").set_value("miniworld_nli").run()
    count = lambda: int(app.button(key="train.start").label.split()[1])
    before = count()
    app.button_group(key="train.templates.miniworld_nli").set_value(["texts alone"]).run()
    app.button_group(key="train.explanations.miniworld_nli").set_value(["other_label"]).run()
    assert sound(app)
    assert count() == 3 * before
    assert "template={1} {2}" in app.code[-1].value
    assert "explanations=other_label" in app.code[-1].value


def test_a_variant_that_is_the_run_itself_is_no_run_more():
    spec = build_spec("tiny-t5", "miniworld_nli", "lora", training={"template": "texts alone"})
    variants = [{"template": "{1} {2}"}, {"template": "{2} {1}"}, {"explanations": "shuffled"}]
    found = vary_specs([spec], variants)
    assert [each.training.template for each in found] == ["{2} {1}", "{1} {2}"]
    assert found[1].training.explanations == "shuffled"
