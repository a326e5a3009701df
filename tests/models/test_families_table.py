"""The table of families is made of what they declare, and stands in the README as it is."""

from peftcore.models.architectures import FAMILIES, supported_families
from peftcore.models.families_table import README, family_records, markdown_table, readme_with_table


def test_the_readme_holds_the_table_as_it_is_now():
    """Else: python -c "from peftcore.models import families_table as t;
    t.README.write_text(t.readme_with_table())"
    """
    assert README.read_text("utf-8") == readme_with_table()


def test_every_family_has_one_row_and_those_that_work_come_first():
    records = family_records()
    assert sorted(r["model_type"] for r in records) == sorted(FAMILIES)
    works = [r["works"] for r in records]
    assert works == sorted(works, reverse=True)
    assert sum(works) == len(supported_families())


def test_a_row_says_how_a_family_is_built_or_why_it_is_refused():
    lines = markdown_table().splitlines()
    assert "| GPT-2 | `gpt2` | decoder | learned table | one matrix |" in lines
    neox = "| GPT-NeoX (Pythia) | `gpt_neox` | decoder | rotary | one matrix, head by head |"
    assert neox in lines
    assert any(line.startswith("| ALBERT | `albert` | all its layers are one") for line in lines)
