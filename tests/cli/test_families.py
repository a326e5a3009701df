"""The command `families` lists what works and why the rest does not."""

from support.commands import call, printed

from peftcore.models.families_table import markdown_table


def test_families_are_listed_for_programs_people_and_the_readme():
    records = {r["model_type"]: r for r in printed("families")}
    assert records["qwen3"]["works"]
    assert "one module" in records["albert"]["why_not"]
    assert call("families", "--markdown").stdout.strip() == markdown_table()
    assert "Gemma 3 (text)" in call("families").stdout
