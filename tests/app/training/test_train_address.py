"""What the Train form begins with, and the address that holds all of it."""

from support.pages import open_page, sound, words
from support.runs import make_run

from app.training import train_address
from peftcore.training import presets


def address(page):
    return {name.replace(".", "__"): value for name, value in page.query_params.items()}


def test_what_was_chosen_stands_in_the_address_and_survives_a_refresh():
    page = open_page("train")
    page.selectbox(key="train.base").set_value("tiny-t5").run()
    page.pills(key="train.methods").set_value(["lora", "spt"]).run()
    page.number_input(key="train.steps").set_value(30)
    page.number_input(key="train.seeds").set_value(2)
    page.number_input(key="train.evaluation.limit").set_value(50)
    page.number_input(key="train.lora.rank").set_value(4)
    page.number_input(key="train.lora.learning_rate").set_value(0.02)
    sound(page.run())
    again = open_page("train", **address(page))
    assert again.selectbox(key="train.base").value == "tiny-t5"
    assert again.pills(key="train.methods").value == ["lora", "spt"]
    assert again.number_input(key="train.steps").value == 30
    assert again.number_input(key="train.evaluation.limit").value == 50
    assert again.number_input(key="train.lora.rank").value == 4
    assert again.code[-1].value == page.code[-1].value
    assert sound(again)


def test_an_entry_over_a_slow_line_comes_with_an_old_address_and_keeps_the_form():
    page = open_page("train")
    page.pills(key="train.methods").set_value(["lora"]).run()
    page.number_input(key="train.steps").set_value(40).run()
    old = dict(page.query_params)  # what the browser knew as it sent the last entry
    page.number_input(key="train.steps").set_value(30).run()
    page.query_params.clear()
    page.query_params.update(old)
    page.number_input(key="train.seeds").set_value(2).run()
    assert page.number_input(key="train.steps").value == 30
    assert page.number_input(key="train.seeds").value == 2
    assert page.pills(key="train.methods").value == ["lora"]
    assert page.query_params["training.steps"] in ("30", ["30"])


def test_back_shows_the_form_as_it_was():
    page = open_page("train")
    page.number_input(key="train.steps").set_value(30).run()
    before = dict(page.query_params)
    page.number_input(key="train.steps").set_value(40).run()
    page.query_params.clear()
    page.query_params.update(before)
    steps = [box for box in sound(page.run()).number_input if box.label == "Steps"]
    assert [box.value for box in steps] == [30]


def test_a_run_is_trained_again_with_what_differs_marked():
    run = make_run(
        "lora", settings={"rank": 4}, training={"steps": 60, "shots": 12, "learning_rate": 0.01}
    )
    page = open_page("train", **{"from": run.id})
    assert page.pills(key="train.methods").value == ["lora"]
    assert page.number_input(key="train.steps").value == 60
    assert page.number_input(key="train.lora.rank").value == 4
    assert "Changed in LoRA: nothing." in words(page)
    page.number_input(key="train.steps").set_value(80).run()
    assert "Changed in LoRA: Steps 60 → 80." in words(page)
    assert page.query_params["training.steps"] == "80"
    assert page.query_params["from"] == run.id
    again = open_page("train", **address(page))
    assert "Changed in LoRA: Steps 60 → 80." in words(again)
    sound(page.button(key="train.plain").click().run())
    assert "Changed in" not in words(page)


def test_a_paper_is_a_beginning():
    page = open_page("train", protocol="spt")
    assert page.pills(key="train.methods").value == ["prompt_tuning", "spt"]
    assert page.number_input(key="train.spt.length").value == 50
    assert "arXiv:2309.06759" in words(page)
    assert sound(page)


def test_an_address_that_does_not_fit_is_named_and_left_out():
    page = open_page("train", training__steps="many", protocol="none")
    assert "steps" in words(page)
    assert "no protocol 'none'" in words(page).lower()
    usual = presets.presets_for(0)[presets.USUAL].values
    assert page.number_input(key="train.steps").value == usual["steps"]
    assert sound(page)


def test_a_spec_from_a_file_fills_in_the_form(monkeypatch):
    run = make_run("lora", settings={"rank": 4}, training={"steps": 60})
    written = {}
    monkeypatch.setattr(train_address.st, "query_params", type("Q", (), {
        "from_dict": staticmethod(written.update)})())  # fmt: skip
    train_address.begin_with_spec(run.spec)
    assert written["train.methods"] == "lora"
    assert written["lora.rank"] == "4"
    assert written["training.steps"] == "60"
    assert "training.batch" not in written  # as nobody set it
