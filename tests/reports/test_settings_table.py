from support.runs import make_run

from peftcore.reports.settings_table import setting_rows


def test_every_setting_of_every_run_is_there_and_differences_are_known():
    runs = [make_run("lora", settings={"rank": 4}), make_run("lora", settings={"rank": 8})]
    rows = {(row.section, row.name): row for row in setting_rows(runs)}
    assert rows["method", "rank"].values == ("4", "8")
    assert rows["method", "rank"].differs
    assert rows["method", "rank"].description == "Rank of each product"
    assert rows["training", "steps"].values == ("200", "200")
    assert not rows["training", "steps"].differs
    for section in ("population", "training", "evaluation"):
        names = type(getattr(runs[0].spec, section)).model_fields
        assert {(section, name) for name in names} <= rows.keys()


def test_a_setting_that_only_one_method_has_is_no_difference():
    runs = [make_run("lora", settings={"rank": 4}), make_run("spt", settings={"length": 3})]
    rows = {row.name: row for row in setting_rows(runs)}
    assert rows["rank"].values == ("4", "")
    assert not rows["rank"].differs
    assert rows["method"].differs


def test_lists_and_gaps_are_words():
    settings = {"components": ["attention.query", "ffn.output"], "last_layer": None}
    rows = {row.name: row for row in setting_rows([make_run("lora", settings=settings)])}
    assert rows["components"].values == ("attention.query, ffn.output",)
    assert rows["last_layer"].values == ("–",)
